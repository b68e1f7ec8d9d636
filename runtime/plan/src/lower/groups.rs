//! Fusion: which arrays share a task.
//!
//! Arrays are visited from the outputs to the sources. One that all its consumers use in the same group, each block by
//! one task only, is made inside that group's tasks; so blocks of sources are made exactly once. An array that is used
//! by several groups, or at several block indices, gets tasks of its own. What is printed only asks for a few items, so
//! it does not count as a consumer: it makes again what it needs, where that is cheap.

use super::view::{self, View};
use crate::builder::Builder;
use crate::builder::node::{Kind, Map, Node};
use crate::program::Op;
use std::collections::BTreeMap;

/// Tasks that make one array, the root, together with the arrays that are fused into them.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// Number of tasks along each axis.
    pub(crate) grid: Vec<u32>,
    /// The blocks of the root that are needed, along each axis.
    pub(crate) needed: Vec<Vec<u32>>,
    /// For a printed array.
    weak: bool,
    /// The root and what is fused, with the views that the tasks have of them.
    pub(crate) members: Vec<(u32, View)>,
}

/// All groups, by the number of their root.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    pub(crate) by_root: BTreeMap<u32, Group>,
}

/// How a group uses an array.
struct Access {
    group: u32,
    /// `None` when a task uses several blocks.
    view: Option<View>,
    /// Blocks that are used along each axis.
    image: Vec<Vec<u32>>,
}

impl Groups {
    /// Decides for all arrays that the outputs need.
    pub(crate) fn of(b: &Builder) -> Groups {
        let mut accesses: Vec<Vec<Access>> = b.nodes.iter().map(|_| vec![]).collect();
        // Whether an array is an output, and whether a printed one only.
        let mut wanted: BTreeMap<u32, bool> = BTreeMap::new();
        for w in &b.wanted {
            if let Some(a) = w.made {
                let weak = matches!(w.to, crate::plan::Sink::Print { .. });
                wanted.entry(a.0).and_modify(|e| *e &= weak).or_insert(weak);
            }
        }
        let mut groups = Groups::default();
        for id in (0..b.nodes.len() as u32).rev() {
            let uses = std::mem::take(&mut accesses[id as usize]);
            let forced = wanted.get(&id).copied();
            if uses.is_empty() && forced.is_none() {
                continue;
            }
            let node = &b.nodes[id as usize];
            if forced.is_none() && groups.fuses(node, &uses) {
                let mut placed: Vec<(u32, View)> = vec![];
                for u in uses {
                    let Some(view) = u.view else { continue };
                    if placed.contains(&(u.group, view.clone())) {
                        continue;
                    }
                    groups.reach(b, id, &view, u.group, &mut accesses);
                    if let Some(group) = groups.by_root.get_mut(&u.group) {
                        group.members.push((id, view.clone()));
                    }
                    placed.push((u.group, view));
                }
            } else {
                let grid = node.grid();
                let mut needed: Vec<Vec<u32>> = grid.iter().map(|&g| (0..g).collect()).collect();
                if forced.is_none() {
                    for (a, n) in needed.iter_mut().enumerate() {
                        let mut used = vec![false; n.len()];
                        uses.iter().flat_map(|u| &u.image[a]).for_each(|&i| used[i as usize] = true);
                        n.retain(|&i| used[i as usize]);
                    }
                }
                let grid: Vec<u32> = needed.iter().map(|n| n.len() as u32).collect();
                let view = view::root(&needed, &grid);
                let weak =
                    forced == Some(true) || forced.is_none() && uses.iter().all(|u| groups.is_weak(u.group));
                let members = vec![(id, view.clone())];
                groups.by_root.insert(id, Group { grid, needed, weak, members });
                groups.reach(b, id, &view, id, &mut accesses);
            }
        }
        for group in groups.by_root.values_mut() {
            group.members.sort_by_key(|m| m.0);
        }
        groups
    }

    fn is_weak(&self, group: u32) -> bool {
        self.by_root.get(&group).is_some_and(|g| g.weak)
    }

    fn fuses(&self, node: &Node, uses: &[Access]) -> bool {
        if node.keep || uses.iter().any(|u| u.view.is_none()) {
            return false;
        }
        if node.is_cheap() {
            return true;
        }
        let one = |uses: &[&Access]| {
            let first = uses[0];
            let grid = self.by_root.get(&first.group).map_or(&[][..], |g| &g.grid);
            uses.iter().all(|u| u.group == first.group && u.view == first.view)
                && first.view.as_ref().is_some_and(|v| view::is_injective(v, grid))
        };
        let (weak, strong): (Vec<_>, Vec<_>) = uses.iter().partition(|u| self.is_weak(u.group));
        match (strong.is_empty(), weak.is_empty()) {
            (true, _) => one(&weak),
            (false, true) => one(&strong),
            (false, false) => one(&strong) && can_repeat(node),
        }
    }

    /// Notes what an array needs of its operands.
    fn reach(&self, b: &Builder, id: u32, view: &View, group: u32, accesses: &mut [Vec<Access>]) {
        let Some(grid) = self.by_root.get(&group).map(|g| &g.grid) else { return };
        let mut see = |a: u32, maps: &[Map]| {
            let view: View = maps.iter().map(|m| view::compose(m, view, grid)).collect();
            let image = view.iter().map(|m| view::image(m, grid)).collect();
            accesses[a as usize].push(Access { group, view: Some(view), image });
        };
        let node = &b.nodes[id as usize];
        match &node.kind {
            Kind::Blocks { of, .. } => of.iter().for_each(|(a, maps)| see(a.0, maps)),
            Kind::Gather { of, .. } if node.is_single() => see(of[0].0, &single_maps(node)),
            Kind::Gather { of, axes, .. } => {
                for (k, a) in of.iter().enumerate() {
                    let image: Vec<Vec<u32>> = axes
                        .iter()
                        .zip(view)
                        .map(|(pieces, map)| {
                            let joins = pieces.iter().flatten().any(|p| p.of != 0);
                            let reached = view::image(map, grid);
                            let pieces = reached.iter().flat_map(|&i| &pieces[i as usize]);
                            let used = pieces.filter(|p| !joins || p.of as usize == k);
                            let mut image: Vec<u32> = used.map(|p| p.src).collect();
                            image.sort_unstable();
                            image.dedup();
                            image
                        })
                        .collect();
                    if image.iter().all(|i| !i.is_empty()) {
                        accesses[a.0 as usize].push(Access { group, view: None, image });
                    }
                }
            }
        }
    }

    /// Number of tasks.
    pub(crate) fn tasks(&self) -> u128 {
        self.by_root.values().map(|g| g.grid.iter().map(|&n| u128::from(n)).product::<u128>()).sum()
    }
}

/// The maps of a gather whose blocks come from one block each.
pub(crate) fn single_maps(node: &Node) -> Vec<Map> {
    let Kind::Gather { axes, .. } = &node.kind else { return vec![] };
    axes.iter().enumerate().map(|(a, p)| Map::Table(a as u32, p.iter().map(|p| p[0].src).collect())).collect()
}

/// Whether the few blocks that are printed may be made a second time.
fn can_repeat(node: &Node) -> bool {
    match &node.kind {
        Kind::Blocks { op: None, .. } => true,
        Kind::Blocks { op: Some(op), .. } => {
            op.is_elementwise()
                || matches!(
                    op,
                    Op::Random { .. }
                        | Op::Read { .. }
                        | Op::Literal { .. }
                        | Op::Repeat { .. }
                        | Op::Triangle { .. }
                )
        }
        Kind::Gather { .. } => node.is_single(),
    }
}
