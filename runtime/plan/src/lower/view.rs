//! Views: which block of an array each task of a group uses, axis by axis.

use crate::builder::node::Map;
use std::sync::Arc;

/// For each axis of an array, the block that the task at a grid index uses; [`Map::Axis`] and [`Map::Table`] name
/// axes of the grid.
pub(crate) type View = Vec<Map>;

/// The block at a grid index.
pub(crate) fn at(map: &Map, index: &[usize]) -> usize {
    match map {
        Map::Const(c) => *c as usize,
        Map::Axis(g) => index[*g as usize],
        Map::Table(g, t) => t[index[*g as usize]] as usize,
    }
}

/// The grid axis that a map depends on.
pub(crate) fn axis(map: &Map) -> Option<usize> {
    match map {
        Map::Const(_) => None,
        Map::Axis(g) | Map::Table(g, _) => Some(*g as usize),
    }
}

/// A map of an operand, seen from the grid: `view` is that of the result. The form is unique, so that equal views are
/// found equal.
pub(crate) fn compose(map: &Map, view: &[Map], grid: &[u32]) -> Map {
    let composed = match map {
        Map::Const(c) => Map::Const(*c),
        Map::Axis(a) => view[*a as usize].clone(),
        Map::Table(a, t) => match &view[*a as usize] {
            Map::Const(i) => Map::Const(t[*i as usize]),
            Map::Axis(g) => Map::Table(*g, t.clone()),
            Map::Table(g, u) => Map::Table(*g, u.iter().map(|&i| t[i as usize]).collect()),
        },
    };
    simplify(composed, grid)
}

fn simplify(map: Map, grid: &[u32]) -> Map {
    match map {
        Map::Axis(g) if grid[g as usize] == 1 => Map::Const(0),
        Map::Table(g, t) => match t.first() {
            Some(&first) if t.iter().all(|&v| v == first) => Map::Const(first),
            _ if t.iter().enumerate().all(|(i, &v)| i == v as usize) => Map::Axis(g),
            _ => Map::Table(g, t),
        },
        other => other,
    }
}

/// The view of an array that its own group has: block by block, of the blocks that are needed.
pub(crate) fn root(needed: &[Vec<u32>], grid: &[u32]) -> View {
    needed
        .iter()
        .enumerate()
        .map(|(a, n)| simplify(Map::Table(a as u32, Arc::from(n.as_slice())), grid))
        .collect()
}

/// Which blocks along an axis a map reaches.
pub(crate) fn image(map: &Map, grid: &[u32]) -> Vec<u32> {
    match map {
        Map::Const(c) => vec![*c],
        Map::Axis(g) => (0..grid[*g as usize]).collect(),
        Map::Table(_, t) => {
            let mut image = t.to_vec();
            image.sort_unstable();
            image.dedup();
            image
        }
    }
}

/// Whether no two tasks use the same block.
pub(crate) fn is_injective(view: &[Map], grid: &[u32]) -> bool {
    (0..grid.len()).filter(|&g| grid[g] > 1).all(|g| {
        view.iter().any(|m| match m {
            Map::Axis(a) => *a as usize == g,
            Map::Table(a, t) => *a as usize == g && image(m, grid).len() == t.len(),
            Map::Const(_) => false,
        })
    })
}
