//! Indexing: basic and strided slices, integers, lists, masks.

use super::gather::identity;
use super::node::{Map, Params, Piece, UNKNOWN, offsets};
use super::{Array, Builder, Index, Result, err};
use crate::dtype::{DType, Kind, Scalar};
use crate::program::{Binary, Op};

/// A slice clipped to its axis.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    start: u64,
    len: u64,
    step: i64,
}

/// Python's rules for `start:stop:step` of an axis of `n` items.
fn clip(start: Option<i64>, stop: Option<i64>, step: Option<i64>, n: u64) -> Result<Range> {
    let step = step.unwrap_or(1);
    if step == 0 {
        return err!("slice step cannot be zero");
    }
    let size = n as i128;
    let fix = |i: i64, low: i128, high: i128| {
        let i = i128::from(i) + if i < 0 { size } else { 0 };
        i.clamp(low, high)
    };
    let (first, last) = if step > 0 {
        (start.map_or(0, |i| fix(i, 0, size)), stop.map_or(size, |i| fix(i, 0, size)))
    } else {
        (start.map_or(size - 1, |i| fix(i, -1, size - 1)), stop.map_or(-1, |i| fix(i, -1, size - 1)))
    };
    let span = if step > 0 { last - first } else { first - last };
    let len = if span <= 0 { 0 } else { (span - 1) / i128::from(step.unsigned_abs()) + 1 };
    Ok(Range { start: first.max(0) as u64, len: len as u64, step })
}

/// One piece for each block that a slice touches, in the slice's direction.
fn slice_pieces(chunks: &[u64], r: Range) -> Vec<Vec<Piece>> {
    let mut out = vec![];
    let last = r.start as i128 + (r.len as i128 - 1) * i128::from(r.step);
    let (low, high) = (last.min(r.start.into()), last.max(r.start.into()));
    let stride = i128::from(r.step.unsigned_abs());
    for (i, (&o, &c)) in offsets(chunks).iter().zip(chunks).enumerate() {
        let (from, to) = (i128::from(o), i128::from(o) + i128::from(c));
        if r.len == 0 || to <= low || from > high {
            continue;
        }
        // The first and last selected items inside the block, counted from the low end.
        let first = low + (from - low).max(0).div_euclid(stride) * stride;
        let first = if first < from { first + stride } else { first };
        let end = high.min(to - 1);
        if first > end {
            continue;
        }
        let len = (end - first) / stride + 1;
        let start = if r.step > 0 { first } else { first + (len - 1) * stride };
        let whole = r.step == 1 && len as u64 == c;
        let start = (start - from) as i64;
        out.push(vec![Piece { of: 0, src: i as u32, start, len: len as u64, step: r.step, whole }]);
    }
    if r.step < 0 {
        out.reverse();
    }
    if out.is_empty() {
        let whole = chunks.first() == Some(&0);
        out.push(vec![Piece { of: 0, src: 0, start: 0, len: 0, step: 1, whole }]);
    }
    out
}

/// What one item says of one axis.
enum Of {
    Slice(Option<i64>, Option<i64>, Option<i64>),
    Int(i64),
    Ints(Vec<i64>),
    Array(Array),
    New,
}

impl Builder {
    /// `x[items]`.
    ///
    /// # Errors
    /// When there are more items than axes, an index is out of bounds, or sizes are unknown.
    pub fn index(&mut self, x: Array, items: &[Index]) -> Result<Array> {
        if let [Index::Array(mask)] = items
            && self.dtype(*mask) == DType::Bool
            && (self.chunks(*mask).len() != 1 || self.chunks(x).len() == 1)
        {
            return self.compress_all(x, *mask);
        }
        let plan = self.plan_items(x, items)?;
        // Slices and integers first: one gather.
        let mut chunks = self.chunks(x).to_vec();
        let mut pieces: Vec<_> = chunks.iter().map(|c| identity(c)).collect();
        let mut axis = 0;
        for item in &plan {
            let range = match item {
                Of::New => continue,
                Of::Slice(None, None, None | Some(1)) | Of::Ints(_) | Of::Array(_) => None,
                Of::Slice(start, stop, step) => Some(clip(*start, *stop, *step, self.length(x, axis)?)?),
                Of::Int(i) => {
                    let n = self.length(x, axis)?;
                    let at = wrap(*i, n, axis)?;
                    Some(Range { start: at, len: 1, step: 1 })
                }
            };
            if let Some(r) = range {
                pieces[axis] = slice_pieces(&chunks[axis], r);
                chunks[axis] = pieces[axis].iter().map(|p| p[0].len).collect();
            }
            axis += 1;
        }
        let mut out = self.gather(vec![x], pieces, None, self.dtype(x), chunks);
        // Lists and arrays, one axis at a time.
        let mut axis = 0;
        for item in &plan {
            match item {
                Of::New => continue,
                Of::Ints(list) => out = self.take(out, axis, list)?,
                Of::Array(a) => out = self.take_array(out, axis, *a)?,
                _ => {}
            }
            axis += 1;
        }
        let mut dropped = vec![];
        let mut added = vec![];
        let (mut axis, mut position) = (0, 0);
        for item in &plan {
            match item {
                Of::New => {
                    added.push(position);
                    position += 1;
                }
                Of::Int(_) => {
                    dropped.push(axis);
                    axis += 1;
                }
                _ => {
                    axis += 1;
                    position += 1;
                }
            }
        }
        if !dropped.is_empty() {
            out = self.squeeze(out, Some(&dropped))?;
        }
        self.expand_dims(out, &added)
    }

    fn length(&self, x: Array, axis: usize) -> Result<u64> {
        match self.shape(x)[axis] {
            Some(n) => Ok(n),
            None => err!(
                "axis {axis} has unknown length, so it cannot be indexed: boolean indexing gives sizes that only \
                 running tells; index before the mask is applied"
            ),
        }
    }

    /// One item for each axis and each new axis.
    fn plan_items(&self, x: Array, items: &[Index]) -> Result<Vec<Of>> {
        let ndim = self.chunks(x).len();
        let used = items.iter().filter(|i| !matches!(i, Index::NewAxis | Index::Ellipsis)).count();
        if used > ndim {
            return err!("{used} indices for an array of {ndim} dimensions");
        }
        if items.iter().filter(|i| matches!(i, Index::Ellipsis)).count() > 1 {
            return err!("an index may have one ellipsis (...) only");
        }
        let lists =
            items.iter().filter(|i| matches!(i, Index::Ints(_) | Index::Mask(_) | Index::Array(_))).count();
        let ints = items.iter().filter(|i| matches!(i, Index::Int(_))).count();
        if lists > 1 {
            return err!(
                "lists along {lists} axes at once; index one axis after the other, as in x[[0, 2]][:, [1, 3]]"
            );
        }
        if lists == 1 && ints > 0 {
            return err!("an integer beside a list; index one after the other, as in x[0][[1, 3]]");
        }
        let mut out = vec![];
        let fill = |out: &mut Vec<Of>| {
            for _ in used..ndim {
                out.push(Of::Slice(None, None, None));
            }
        };
        let mut filled = false;
        for item in items {
            let axis = out.iter().filter(|o| !matches!(o, Of::New)).count();
            out.push(match item {
                Index::Ellipsis => {
                    filled = true;
                    fill(&mut out);
                    continue;
                }
                Index::NewAxis => Of::New,
                Index::Int(i) => Of::Int(*i),
                Index::Slice { start, stop, step } => Of::Slice(*start, *stop, *step),
                Index::Ints(list) => Of::Ints(list.clone()),
                Index::Mask(mask) => {
                    if self.shape(x)[axis] != Some(mask.len() as u64) {
                        return err!(
                            "a mask of {} items for axis {axis} of shape {}",
                            mask.len(),
                            self.shape_text(x)
                        );
                    }
                    Of::Ints(mask.iter().enumerate().filter(|(_, m)| **m).map(|(i, _)| i as i64).collect())
                }
                Index::Array(a) => Of::Array(*a),
            });
        }
        if !filled {
            fill(&mut out);
        }
        Ok(out)
    }

    /// `x` at integers along one axis. Sorted integers give one block for each block they touch; others give blocks
    /// of the size that the axis has.
    fn take(&mut self, x: Array, axis: usize, list: &[i64]) -> Result<Array> {
        let n = self.length(x, axis)?;
        let list = list.iter().map(|&i| wrap(i, n, axis)).collect::<Result<Vec<u64>>>()?;
        let own = self.chunks(x)[axis].clone();
        let starts = offsets(&own);
        let block = |i: u64| starts.partition_point(|&s| s as u64 <= i) - 1;
        // Where each block of the result ends in the list.
        let mut runs: Vec<&[u64]> = vec![];
        if list.is_sorted() {
            let mut rest = &list[..];
            while let Some(&first) = rest.first() {
                let b = block(first);
                let end = rest.partition_point(|&i| i < starts[b] as u64 + own[b]);
                runs.push(&rest[..end]);
                rest = &rest[end..];
            }
        } else {
            runs = list.chunks(own.iter().copied().max().unwrap_or(1).max(1) as usize).collect();
        }
        if runs.is_empty() {
            runs.push(&[]);
        }
        // Of each block, the span that the run touches; then the run's places in the joined spans.
        let mut pieces = vec![];
        let mut spans = vec![];
        let mut places = vec![];
        for run in &runs {
            let mut touched: std::collections::BTreeMap<usize, (u64, u64)> =
                std::collections::BTreeMap::new();
            for &i in *run {
                let span = touched.entry(block(i)).or_insert((i, i));
                *span = (span.0.min(i), span.1.max(i));
            }
            let mut at = 0;
            let mut place = std::collections::BTreeMap::new();
            let mut of = vec![];
            for (&b, &(low, high)) in &touched {
                let len = high - low + 1;
                let start = low as i64 - starts[b];
                of.push(Piece { of: 0, src: b as u32, start, len, step: 1, whole: len == own[b] });
                place.insert(b, (low, at));
                at += len;
            }
            if of.is_empty() {
                of.push(Piece { of: 0, src: 0, start: 0, len: 0, step: 1, whole: own[0] == 0 });
            }
            pieces.push(of);
            spans.push(at);
            for &i in *run {
                let (low, at) = place[&block(i)];
                places.push((i - low + at) as i64);
            }
        }
        let mut chunks = self.chunks(x).to_vec();
        let mut all: Vec<_> = chunks.iter().map(|c| identity(c)).collect();
        all[axis] = pieces;
        chunks[axis] = spans;
        let joined = self.gather(vec![x], all, None, self.dtype(x), chunks.clone());
        chunks[axis] = runs.iter().map(|r| r.len() as u64).collect();
        let indices = self.indices(&places)?;
        let indices = self.rechunk_to(indices, vec![chunks[axis].clone()])?;
        let same = self.same(joined);
        let of = vec![(joined, same), (indices, vec![Map::Axis(axis as u32)])];
        Ok(self.blocks(Some(Op::Take { axis: axis as u32 }), of, Params::default(), self.dtype(x), chunks))
    }

    /// `x` at a one-dimensional array of booleans or integers along one axis.
    fn take_array(&mut self, x: Array, axis: usize, a: Array) -> Result<Array> {
        if self.chunks(a).len() != 1 {
            return err!(
                "an index array of shape {} for one axis; it must have one dimension, or as a mask the array's shape",
                self.shape_text(a)
            );
        }
        match self.dtype(a).kind() {
            Kind::Bool => {
                let n = self.length(x, axis)?;
                if self.shape(a)[0] != Some(n) {
                    return err!(
                        "a mask of shape {} for axis {axis}, which has {n} items",
                        self.shape_text(a)
                    );
                }
                // Common chunks along the axis.
                let common = match super::chunks::common(&[&self.chunks(x)[axis], &self.chunks(a)[0]]) {
                    Ok(c) => c,
                    Err(_) => return err!("a mask of shape {} does not fit axis {axis}", self.shape_text(a)),
                };
                let mut chunks = self.chunks(x).to_vec();
                chunks[axis] = common.clone();
                let x = self.rechunk_to(x, chunks.clone())?;
                let a = self.rechunk_to(a, vec![common])?;
                chunks[axis] = vec![UNKNOWN; chunks[axis].len()];
                let same = self.same(x);
                let of = vec![(x, same), (a, vec![Map::Axis(axis as u32)])];
                let op = Op::Compress { axis: Some(axis as u32) };
                Ok(self.blocks(Some(op), of, Params::default(), self.dtype(x), chunks))
            }
            Kind::Signed | Kind::Unsigned => {
                let n = self.length(x, axis)?;
                let a = self.cast(a, DType::Int64)?;
                let negative = self.binary(Binary::Less, a, Scalar::Int(0))?;
                let wrapped = self.binary(Binary::Add, a, Scalar::Int(n as i64))?;
                let a = self.where_(negative, wrapped, a)?;
                let x = self.whole_axes(x, &[axis])?;
                let mut chunks = self.chunks(x).to_vec();
                chunks[axis] = self.chunks(a)[0].clone();
                let mut maps = self.same(x);
                maps[axis] = Map::Const(0);
                let of = vec![(x, maps), (a, vec![Map::Axis(axis as u32)])];
                let op = Op::Take { axis: axis as u32 };
                Ok(self.blocks(Some(op), of, Params::default(), self.dtype(x), chunks))
            }
            _ => err!("an index array of dtype {}; it must be of integers or bool", self.dtype(a)),
        }
    }

    /// `x[mask]` with a mask of x's shape: a flat array. Blocks hold whole rows, so that the order is numpy's.
    fn compress_all(&mut self, x: Array, mask: Array) -> Result<Array> {
        if self.shape(x) != self.shape(mask) {
            return err!(
                "a mask of shape {} for an array of shape {}; it must have the same shape",
                self.shape_text(mask),
                self.shape_text(x)
            );
        }
        let ndim = self.chunks(x).len();
        if ndim == 0 {
            return err!("a mask for an array without axes; use where(mask, x, 0)");
        }
        let rows: Vec<usize> = (1..ndim).collect();
        let x = self.whole_axes(x, &rows)?;
        let mask = self.whole_axes(mask, &rows)?;
        let mut chunks = self.chunks(x).to_vec();
        match super::chunks::common(&[&self.chunks(x)[0], &self.chunks(mask)[0]]) {
            Ok(c) => chunks[0] = c,
            Err(_) => return err!("a mask and an array of unknown sizes; select from both by the same mask"),
        }
        let x = self.rechunk_to(x, chunks.clone())?;
        let mask = self.rechunk_to(mask, chunks.clone())?;
        let maps =
            |n: usize| (0..n).map(|a| if a == 0 { Map::Axis(0) } else { Map::Const(0) }).collect::<Vec<_>>();
        let of = vec![(x, maps(ndim)), (mask, maps(ndim))];
        let out = vec![vec![UNKNOWN; chunks[0].len()]];
        Ok(self.blocks(Some(Op::Compress { axis: None }), of, Params::default(), self.dtype(x), out))
    }
}

fn wrap(i: i64, n: u64, axis: usize) -> Result<u64> {
    let at = i128::from(i) + if i < 0 { i128::from(n) } else { 0 };
    if (0..i128::from(n)).contains(&at) {
        Ok(at as u64)
    } else {
        err!("index {i} is out of bounds for axis {axis} with size {n}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_are_the_slice(
            chunks in proptest::collection::vec(0u64..5, 1..6),
            start in proptest::option::of(-20i64..20),
            stop in proptest::option::of(-20i64..20),
            step in prop_oneof![-4i64..0, 1i64..5],
        ) {
            let n: u64 = chunks.iter().sum();
            let r = clip(start, stop, Some(step), n).unwrap();
            // Python's own definition, item by item.
            let size = n as i64;
            let fix = |i: i64| if i < 0 { i + size } else { i };
            let mut wanted = vec![];
            let mut i = match start {
                Some(s) if step > 0 => fix(s).max(0),
                Some(s) => fix(s).min(size - 1),
                None => if step > 0 { 0 } else { size - 1 },
            };
            let stop = stop.map_or(if step > 0 { size } else { -1 }, |s| fix(s).max(-1));
            while (step > 0 && i < stop.min(size)) || (step < 0 && i > stop && i >= 0) {
                if i < size { wanted.push(i); }
                i += step;
            }
            let starts = offsets(&chunks);
            let got: Vec<i64> = slice_pieces(&chunks, r)
                .iter()
                .flatten()
                .flat_map(|p| (0..p.len as i64).map(|k| starts[p.src as usize] + p.start + k * p.step))
                .collect();
            prop_assert_eq!(got, wanted);
        }
    }
}
