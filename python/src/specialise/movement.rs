//! What moves elements and changes shapes.

use super::{Abstract, Keywords, Writer, array, as_u32, axes_of, int, numbers};
use crate::recipe::{Constant, Number};
use crate::record::Fields;
use dask_plan::Scalar;
use dask_plan::infer::broadcast;
use dask_plan::program::{Int, Op};

impl Writer {
    pub(super) fn transpose(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        let axes = keywords.constant("axes")?;
        keywords.none_left()?;
        let [x] = of else { return None };
        let (x, dtype, shape) = array(x)?;
        let axes = match axes {
            Constant::None => (0..shape.len()).rev().collect(),
            axes => axes_of(&axes, shape.len())?,
        };
        if axes.len() != shape.len() || shape.len() < 2 {
            return None;
        }
        let result = axes.iter().map(|&a| shape[a]).collect();
        Some(self.push(Op::Transpose { axes: as_u32(&axes) }, vec![x], dtype, result))
    }

    pub(super) fn reshape(&mut self, of: &[Abstract], keywords: &Keywords<'_>) -> Option<Abstract> {
        keywords.none_left()?;
        let (x, dims) = of.split_first()?;
        let (x, dtype, shape) = array(x)?;
        let dims: Vec<Constant> = dims.iter().map(Abstract::constant).collect::<Option<_>>()?;
        let dims = match &dims[..] {
            [one @ Constant::Tuple(_)] => one.clone(),
            _ => Constant::Tuple(dims),
        };
        let to = numbers(&dims)?;
        if to.iter().product::<usize>() != shape.iter().product::<usize>() {
            return None;
        }
        let ints = to.iter().map(|&n| Int::from(n)).collect();
        Some(self.push(Op::Reshape { shape: ints }, vec![x], dtype, to))
    }

    pub(super) fn squeeze(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        let axis = keywords.constant("axis")?;
        keywords.none_left()?;
        let [x] = of else { return None };
        let (x, dtype, shape) = array(x)?;
        let axes = match axis {
            Constant::None => (0..shape.len()).filter(|&a| shape[a] == 1).collect(),
            axis => axes_of(&axis, shape.len())?,
        };
        if axes.iter().any(|&a| shape[a] != 1) {
            return None;
        }
        let left = (0..shape.len()).filter(|a| !axes.contains(a)).map(|a| shape[a]).collect();
        Some(self.push(Op::Squeeze { axes: as_u32(&axes) }, vec![x], dtype, left))
    }

    pub(super) fn expand_dims(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        let Constant::Tuple(axes) = super::as_tuple(&keywords.constant("axis")?) else { return None };
        keywords.none_left()?;
        let [x] = of else { return None };
        let (x, dtype, shape) = array(x)?;
        let mut axes = axes_of(&Constant::Tuple(axes.clone()), shape.len() + axes.len())?;
        axes.sort_unstable();
        Some(self.insert_axes(&(x, dtype, shape), &axes))
    }

    /// With axes of length 1 at these places of the result, which are sorted.
    pub(super) fn insert_axes(
        &mut self,
        (x, dtype, shape): &(u32, dask_plan::DType, Vec<usize>),
        axes: &[usize],
    ) -> Abstract {
        let mut expanded = shape.clone();
        axes.iter().for_each(|&a| expanded.insert(a, 1));
        self.push(Op::ExpandDims { axes: as_u32(axes) }, vec![*x], *dtype, expanded)
    }

    pub(super) fn broadcast_to(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        let to = numbers(&keywords.constant("shape")?)?;
        let is_flag = |c: Constant| matches!(c, Constant::None | Constant::Number(Number(Scalar::Bool(_))));
        keywords.constant("subok").filter(|c| is_flag(c.clone()))?;
        keywords.none_left()?;
        let [x] = of else { return None };
        let (x, dtype, shape) = array(x)?;
        if broadcast::<Vec<_>>(&shape, &to)? != to {
            return None;
        }
        let ints = to.iter().map(|&n| Int::from(n)).collect();
        Some(self.push(Op::BroadcastTo { shape: ints }, vec![x], dtype, to))
    }

    /// `numpy.concatenate` along one axis for each level of nesting.
    pub(super) fn concatenate(&mut self, list: &Abstract, axes: &[usize]) -> Option<Abstract> {
        let items = match list {
            // Places are not joined but compared, each with its own index.
            Abstract::Record(Fields::Place, _) => return Some(list.clone()),
            Abstract::List(items) if places(items) => return Some(list.clone()),
            Abstract::List(items) => items,
            Abstract::Array(..) => return Some(list.clone()),
            _ => return None,
        };
        let (axis, rest) = axes.split_first()?;
        let parts: Vec<Abstract> = if rest.is_empty() {
            items.clone()
        } else {
            items.iter().map(|i| self.concatenate(i, rest)).collect::<Option<_>>()?
        };
        let (_, _, first) = array(parts.first()?)?;
        let mut grid = vec![1; first.len()];
        *grid.get_mut(*axis)? = parts.len();
        self.assemble(&parts, &grid)
    }

    pub(super) fn concatenate_shaped(
        &mut self,
        of: &[Abstract],
        keywords: &Keywords<'_>,
    ) -> Option<Abstract> {
        keywords.none_left()?;
        let [Abstract::List(items), shape] = of else { return None };
        self.assemble(items, &numbers(&shape.constant()?)?)
    }

    /// `finalize`, `concatenate3`
    pub(super) fn assemble_nested(
        &mut self,
        mut of: Vec<Abstract>,
        keywords: &Keywords<'_>,
    ) -> Option<Abstract> {
        keywords.none_left()?;
        let list = of.pop().filter(|_| of.is_empty())?;
        let (mut grid, mut items) = (vec![], vec![list]);
        while let Some(Abstract::List(first)) = items.first() {
            let len = first.len();
            grid.push(len);
            let mut next = vec![];
            for item in items {
                match item {
                    Abstract::List(inner) if inner.len() == len => next.extend(inner),
                    _ => return None,
                }
            }
            items = next;
        }
        if let [one @ Abstract::Array(id, ..)] = &items[..] {
            // A result of its own, as Dask's copy of a single chunk is.
            return (*id >= self.inputs).then(|| one.clone());
        }
        self.assemble(&items, &grid)
    }

    /// Blocks of a grid, in C order, as one array.
    pub(super) fn assemble(&mut self, items: &[Abstract], grid: &[usize]) -> Option<Abstract> {
        let arrays = items.iter().map(array).collect::<Option<Vec<_>>>()?;
        let (_, dtype, first) = arrays.first()?.clone();
        if grid.is_empty() || grid.len() != first.len() || grid.iter().product::<usize>() != arrays.len() {
            return None;
        }
        let mut shape = vec![];
        for (axis, &n) in grid.iter().enumerate() {
            let step: usize = grid[axis + 1..].iter().product();
            shape.push((0..n).map(|i| arrays[i * step].2.get(axis).copied().unwrap_or(0)).sum());
        }
        // Every block has its row's and its column's extent.
        for (at, (_, d, own)) in arrays.iter().enumerate() {
            let fits = grid.iter().enumerate().all(|(axis, &n)| {
                let step: usize = grid[axis + 1..].iter().product();
                let i = at / step % n;
                own.get(axis) == arrays[i * step].2.get(axis)
            });
            if *d != dtype || own.len() != grid.len() || !fits {
                return None;
            }
        }
        let of = arrays.iter().map(|(id, ..)| *id).collect();
        let grid = grid.iter().map(|&n| n as u32).collect();
        Some(self.push(Op::Assemble { grid }, of, dtype, shape))
    }

    /// `concatenate_arrays`: joined along an axis, and picked from there.
    pub(super) fn shuffle_merge(&mut self, of: &[Abstract], keywords: &Keywords<'_>) -> Option<Abstract> {
        keywords.none_left()?;
        let [Abstract::List(arrays), from, axis] = of else { return None };
        let axis = usize::try_from(int(&axis.constant()?)?).ok()?;
        let joined = self.concatenate(&Abstract::List(arrays.clone()), &[axis])?;
        self.pick(&joined, axis, from)
    }
}

/// Whether these are places that an extreme was found at, nested or not.
fn places(items: &[Abstract]) -> bool {
    match items.first() {
        Some(Abstract::Record(Fields::Place, _)) => true,
        Some(Abstract::List(items)) => places(items),
        _ => false,
    }
}
