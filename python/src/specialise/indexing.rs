//! Indexing: slices, integers, arrays of integers, masks.

use super::{Abstract, Keywords, Writer, array, axes_of, int};
use crate::recipe::Constant;
use dask_plan::program::{Int, Op, Range};
use dask_plan::{DType, Kind};

impl Writer {
    /// `x[index]`
    pub(super) fn getitem(&mut self, x: &Abstract, index: &Abstract) -> Option<Abstract> {
        if let Some(index) = index.constant().filter(|_| !matches!(index, Abstract::List(_))) {
            return self.slice(x, &index);
        }
        match index {
            Abstract::Array(mask, DType::Bool, of) => {
                let (x, _, shape) = array(x)?;
                if shape.is_empty() || shape != *of {
                    return None;
                }
                Some(Abstract::Unshaped(self.value(Op::Compress { axis: None }, vec![x, *mask])))
            }
            Abstract::Array(..) => self.pick(x, 0, index),
            Abstract::Tuple(items) => self.index_one_axis(x, items),
            _ => None,
        }
    }

    /// An array of integers or a mask for one axis beside slices of others.
    fn index_one_axis(&mut self, x: &Abstract, items: &[Abstract]) -> Option<Abstract> {
        let mut slices = vec![];
        let mut picked = None;
        for (axis, item) in items.iter().enumerate() {
            slices.push(match item {
                Abstract::Constant(slice @ Constant::Slice(..)) => slice.clone(),
                Abstract::Array(..) if picked.is_none() => {
                    picked = Some((axis, item));
                    Constant::Slice(None, None, None)
                }
                // Integers beside an array of them are broadcast to it; that is numpy's.
                _ => return None,
            });
        }
        let (axis, by) = picked?;
        let whole = |c: &Constant| matches!(c, Constant::Slice(None, None, None | Some(1)));
        let x = if slices.iter().all(whole) { x.clone() } else { self.slice(x, &Constant::Tuple(slices))? };
        if let Abstract::Array(mask, DType::Bool, of) = by {
            let (x, _, shape) = array(&x)?;
            if *of != shape.get(axis..=axis)? {
                return None;
            }
            let compress = Op::Compress { axis: Some(axis as u32) };
            return Some(Abstract::Unshaped(self.value(compress, vec![x, *mask])));
        }
        self.pick(&x, axis, by)
    }

    /// Elements along an axis, by an array of integers. One that is negative or out of range is numpy's affair.
    pub(super) fn pick(&mut self, x: &Abstract, axis: usize, indices: &Abstract) -> Option<Abstract> {
        let (x, dtype, mut shape) = array(x)?;
        let (indices, from, of) = array(indices)?;
        let [n] = of[..] else { return None };
        if !matches!(from.kind(), Kind::Signed | Kind::Unsigned) {
            return None;
        }
        *shape.get_mut(axis)? = n;
        let indices = self.cast(indices, from, DType::Int64);
        Some(self.push(Op::Take { axis: axis as u32 }, vec![x, indices], dtype, shape))
    }

    pub(super) fn take(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        let axis = keywords.constant("axis")?;
        let indices = keywords.take("indices")?;
        keywords.none_left()?;
        let [x] = of else { return None };
        let (_, _, shape) = array(x)?;
        let [axis] = axes_of(&axis, shape.len())?[..] else { return None };
        self.pick(x, axis, &indices)
    }

    /// Basic indexing: integers, slices, new axes and an ellipsis.
    fn slice(&mut self, x: &Abstract, index: &Constant) -> Option<Abstract> {
        let (x, dtype, shape) = array(x)?;
        let Constant::Tuple(mut items) = super::as_tuple(index) else { return None };
        let axes = items.iter().filter(|i| !matches!(i, Constant::None | Constant::Ellipsis)).count();
        let missing = shape.len().checked_sub(axes)?;
        if let Some(at) = items.iter().position(|i| *i == Constant::Ellipsis) {
            items.splice(at..=at, vec![Constant::Slice(None, None, None); missing]);
        } else {
            items.extend(vec![Constant::Slice(None, None, None); missing]);
        }
        let (mut ranges, mut drop, mut result, mut new) = (vec![], vec![], vec![], vec![]);
        for item in &items {
            let axis = ranges.len();
            match item {
                Constant::None => {
                    new.push(result.len());
                    result.push(1);
                }
                Constant::Slice(start, stop, step) => {
                    let (start, len, step) = range(shape[axis], *start, *stop, *step)?;
                    ranges.push(Range { start: Int::Lit(start), len: Int::Lit(len), step });
                    result.push(len as usize);
                }
                index => {
                    let n = shape[axis] as i64;
                    let i = int(index)?;
                    let i = if i < 0 { i + n } else { i };
                    if i < 0 || i >= n {
                        return None;
                    }
                    ranges.push(Range { start: Int::Lit(i), len: Int::Lit(1), step: 1 });
                    drop.push(axis as u32);
                }
            }
        }
        let mut x = self.value(Op::Slice { ranges }, vec![x]);
        if !drop.is_empty() {
            x = self.value(Op::Squeeze { axes: drop }, vec![x]);
        }
        if !new.is_empty() {
            x = self.value(Op::ExpandDims { axes: super::as_u32(&new) }, vec![x]);
        }
        Some(Abstract::Array(x, dtype, result))
    }
}

/// Python's slice of `n` items: start, length, step.
fn range(n: usize, start: Option<i64>, stop: Option<i64>, step: Option<i64>) -> Option<(i64, i64, i64)> {
    let (n, step) = (n as i64, step.unwrap_or(1));
    if step == 0 {
        return None;
    }
    let clip = |i: i64, low: i64, high: i64| (if i < 0 { i + n } else { i }).clamp(low, high);
    let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
    let start = start.map_or(if step > 0 { 0 } else { n - 1 }, |i| clip(i, low, high));
    let stop = stop.map_or(if step > 0 { n } else { -1 }, |i| clip(i, low, high));
    let len = if step > 0 { (stop - start + step - 1) / step } else { (start - stop - step - 1) / -step };
    Some((start.max(0), len.max(0), step))
}
