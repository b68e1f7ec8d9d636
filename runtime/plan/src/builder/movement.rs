//! Movement: transposes, flips, joins. Shapes change, values do not.

use super::gather::{identity, range_pieces};
use super::node::{Map, Params, Piece, UNKNOWN, offsets};
use super::{Array, Builder, Nested, Result, err};
use crate::dtype::{DType, Kind};
use crate::program::{Int, Op, Range};
use std::sync::Arc;

impl Builder {
    /// Axis `i` of the result is axis `axes[i]`; `None` reverses them.
    ///
    /// # Errors
    /// When `axes` is not a permutation.
    pub fn transpose(&mut self, x: Array, axes: Option<&[i64]>) -> Result<Array> {
        let ndim = self.chunks(x).len();
        let axes: Vec<usize> = match axes {
            None => (0..ndim).rev().collect(),
            Some(axes) => axes.iter().map(|&a| self.axis(a, ndim)).collect::<Result<_>>()?,
        };
        let mut sorted = axes.clone();
        sorted.sort_unstable();
        if sorted != (0..ndim).collect::<Vec<_>>() {
            return err!("axes {axes:?} are not a permutation of {ndim} axes");
        }
        if axes == sorted {
            return Ok(x);
        }
        let chunks = axes.iter().map(|&a| self.chunks(x)[a].clone()).collect();
        let mut maps = vec![Map::Const(0); ndim];
        axes.iter().enumerate().for_each(|(i, &a)| maps[a] = Map::Axis(i as u32));
        let op = Op::Transpose { axes: axes.iter().map(|&a| a as u32).collect() };
        Ok(self.blocks(Some(op), vec![(x, maps)], Params::default(), self.dtype(x), chunks))
    }

    /// Reverses these axes.
    ///
    /// # Errors
    /// When an axis does not exist or its size is unknown.
    pub fn flip(&mut self, x: Array, axes: Option<&[i64]>) -> Result<Array> {
        let mut chunks = self.chunks(x).to_vec();
        let axes = self.axes(axes, chunks.len())?;
        self.known(x, "flip")?;
        self.not_by_block("flip")?;
        let mut pieces: Vec<Vec<Vec<Piece>>> = chunks.iter().map(|c| identity(c)).collect();
        for a in axes {
            pieces[a].reverse();
            for p in pieces[a].iter_mut().flatten() {
                *p = Piece { start: (p.len as i64 - 1).max(0), step: -1, whole: p.len <= 1, ..*p };
            }
            chunks[a].reverse();
        }
        Ok(self.gather(vec![x], pieces, None, self.dtype(x), chunks))
    }

    /// Shifts items along axes, the last to the front; without axes, of the flattened array. Chunks stay.
    ///
    /// # Errors
    /// When shifts and axes differ in number, or sizes are unknown.
    pub fn roll(&mut self, x: Array, shifts: &[i64], axes: Option<&[i64]>) -> Result<Array> {
        let shape = self.known(x, "roll")?;
        let Some(axes) = axes else {
            let flat = self.ravel(x)?;
            let rolled = self.roll(flat, shifts, Some(&vec![0; shifts.len()]))?;
            let back: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
            return self.reshape(rolled, &back);
        };
        let many = shifts.len().max(axes.len());
        if ![1, many].contains(&shifts.len()) || ![1, many].contains(&axes.len()) {
            return err!("{} shifts for {} axes", shifts.len(), axes.len());
        }
        let mut by = vec![0i128; shape.len()];
        for i in 0..many {
            let axis = self.axis(axes[i.min(axes.len() - 1)], shape.len())?;
            by[axis] += i128::from(shifts[i.min(shifts.len() - 1)]);
        }
        let chunks = self.chunks(x).to_vec();
        let pieces = (0..shape.len())
            .map(|a| {
                if self.by_block {
                    let each = chunks[a].iter().enumerate();
                    return each.map(|(i, &n)| roll_block(i, n, by[a])).collect();
                }
                let n = shape[a];
                let shift = if n == 0 { 0 } else { by[a].rem_euclid(i128::from(n)) as u64 };
                if shift == 0 {
                    return identity(&chunks[a]);
                }
                offsets(&chunks[a])
                    .iter()
                    .zip(&chunks[a])
                    .map(|(&o, &len)| {
                        let from = (o as u64 + n - shift) % n;
                        let first = len.min(n - from);
                        let mut p = range_pieces(&chunks[a], from, first);
                        if len > first {
                            p.extend(range_pieces(&chunks[a], 0, len - first));
                        }
                        p
                    })
                    .collect()
            })
            .collect();
        Ok(self.gather(vec![x], pieces, None, self.dtype(x), chunks))
    }

    /// Drops axes of length 1: all, or these.
    ///
    /// # Errors
    /// When one of these has another length.
    pub fn squeeze(&mut self, x: Array, axes: Option<&[i64]>) -> Result<Array> {
        let chunks = self.chunks(x).to_vec();
        let axes = match axes {
            None => (0..chunks.len()).filter(|&a| chunks[a] == [1]).collect(),
            Some(_) => self.axes(axes, chunks.len())?,
        };
        if let Some(&a) = axes.iter().find(|&&a| chunks[a] != [1]) {
            return err!(
                "axis {a} of shape {} does not have length 1, so it cannot be squeezed",
                self.shape_text(x)
            );
        }
        if axes.is_empty() {
            return Ok(x);
        }
        let kept: Vec<usize> = (0..chunks.len()).filter(|a| !axes.contains(a)).collect();
        let mut maps = vec![Map::Const(0); chunks.len()];
        kept.iter().enumerate().for_each(|(i, &a)| maps[a] = Map::Axis(i as u32));
        let op = Op::Squeeze { axes: axes.iter().map(|&a| a as u32).collect() };
        let chunks = kept.iter().map(|&a| chunks[a].clone()).collect();
        Ok(self.blocks(Some(op), vec![(x, maps)], Params::default(), self.dtype(x), chunks))
    }

    /// Inserts axes of length 1 at these positions of the result.
    ///
    /// # Errors
    /// When a position is beyond the result's axes or given twice.
    pub fn expand_dims(&mut self, x: Array, axes: &[i64]) -> Result<Array> {
        let ndim = self.chunks(x).len() + axes.len();
        let axes = self.axes(Some(axes), ndim)?;
        if axes.is_empty() {
            return Ok(x);
        }
        let mut rest = self.chunks(x).to_vec().into_iter();
        let mut maps = vec![];
        let mut chunks = vec![];
        for a in 0..ndim {
            if axes.contains(&a) {
                chunks.push(vec![1]);
            } else {
                maps.push(Map::Axis(a as u32));
                chunks.extend(rest.next());
            }
        }
        let op = Op::ExpandDims { axes: axes.iter().map(|&a| a as u32).collect() };
        Ok(self.blocks(Some(op), vec![(x, maps)], Params::default(), self.dtype(x), chunks))
    }

    /// numpy broadcasting to a shape; new axes and stretched ones have one chunk.
    ///
    /// # Errors
    /// When the shapes do not broadcast.
    pub fn broadcast_to(&mut self, x: Array, shape: &[u64]) -> Result<Array> {
        let own = self.known(x, "broadcast_to")?;
        let fits = shape.len() >= own.len()
            && own.iter().rev().zip(shape.iter().rev()).all(|(&o, &n)| o == n || o == 1);
        if !fits {
            return err!("shape {} does not broadcast to {shape:?}", self.shape_text(x));
        }
        if own == shape {
            return Ok(x);
        }
        let lead = shape.len() - own.len();
        let mut maps = vec![];
        let chunks: Vec<Vec<u64>> = (0..shape.len())
            .map(|a| match a.checked_sub(lead) {
                Some(i) if own[i] == shape[a] => {
                    maps.push(Map::Axis(a as u32));
                    self.chunks(x)[i].clone()
                }
                Some(_) => {
                    maps.push(Map::Const(0));
                    vec![shape[a]]
                }
                None => vec![shape[a]],
            })
            .collect();
        let mut params = Params::default();
        let shape = params.shape(&chunks);
        Ok(self.blocks(Some(Op::BroadcastTo { shape }), vec![(x, maps)], params, self.dtype(x), chunks))
    }

    /// Joins arrays along an axis; `None` joins the flattened arrays. Each keeps its chunks along that axis.
    ///
    /// # Errors
    /// When there are none, or the other axes differ.
    pub fn concatenate(&mut self, arrays: &[Array], axis: Option<i64>) -> Result<Array> {
        let Some(&first) = arrays.first() else { return err!("concatenate needs at least one array") };
        let Some(axis) = axis else {
            let flat = arrays.iter().map(|&a| self.ravel(a)).collect::<Result<Vec<_>>>()?;
            return self.concatenate(&flat, Some(0));
        };
        let ndim = self.chunks(first).len();
        if ndim == 0 {
            return err!("arrays without axes cannot be concatenated; use stack");
        }
        let axis = self.axis(axis, ndim)?;
        if let Some(&other) = arrays.iter().find(|&&a| self.chunks(a).len() != ndim) {
            return err!("concatenate of arrays with {ndim} and {} dimensions", self.chunks(other).len());
        }
        let dtype = arrays.iter().map(|&a| self.dtype(a)).reduce(DType::promote).unwrap_or(DType::Float64);
        // Common chunks along every axis but the joined one.
        let flat: Vec<Vec<Vec<u64>>> = arrays.iter().map(|&a| self.chunks(a).to_vec()).collect();
        let mut target = vec![vec![]; ndim];
        for (a, t) in target.iter_mut().enumerate().filter(|(a, _)| *a != axis) {
            let of: Vec<&[u64]> = flat.iter().map(|c| c[a].as_slice()).collect();
            match super::chunks::common(&of) {
                Ok(c) => *t = c,
                Err(_) => {
                    let shapes: Vec<String> = arrays.iter().map(|&a| self.shape_text(a)).collect();
                    return err!(
                        "shapes {} differ along axis {a}, so they cannot be joined along axis {axis}",
                        shapes.join(" and ")
                    );
                }
            }
        }
        let mut of = vec![];
        let mut along = vec![];
        let mut joined = vec![];
        for &a in arrays {
            let mut chunks = target.clone();
            chunks[axis] = self.chunks(a)[axis].clone();
            // An array without items adds nothing, unless it is all there is.
            if chunks[axis].iter().all(|&c| c == 0) && arrays.len() > 1 && a != first {
                continue;
            }
            let a = self.cast(a, dtype)?;
            let a = self.rechunk_to(a, chunks.clone())?;
            for (i, &n) in chunks[axis].iter().enumerate() {
                along.push(vec![Piece { of: of.len() as u32, ..Piece::whole(i, n) }]);
                joined.push(n);
            }
            of.push(a);
        }
        let mut pieces: Vec<_> = target.iter().map(|c| identity(c)).collect();
        pieces[axis] = along;
        target[axis] = joined;
        Ok(self.gather(of, pieces, None, dtype, target))
    }

    /// Joins arrays of one shape along a new axis.
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn stack(&mut self, arrays: &[Array], axis: i64) -> Result<Array> {
        let Some(&first) = arrays.first() else { return err!("stack needs at least one array") };
        let axis = self.axis(axis, self.chunks(first).len() + 1)? as i64;
        if let Some(&other) = arrays.iter().find(|&&a| self.shape(a) != self.shape(first)) {
            return err!("stack of shapes {} and {}", self.shape_text(first), self.shape_text(other));
        }
        let arrays = arrays.iter().map(|&a| self.expand_dims(a, &[axis])).collect::<Result<Vec<_>>>()?;
        self.concatenate(&arrays, Some(axis))
    }

    /// `numpy.block`: the innermost lists are joined along the last axis, those around them along the one before.
    ///
    /// # Errors
    /// When lists are empty or nested unevenly, or shapes do not fit.
    pub fn block(&mut self, blocks: &Nested) -> Result<Array> {
        fn depth(b: &Nested) -> Result<usize> {
            let Nested::List(list) = b else { return Ok(0) };
            let mut depths = list.iter().map(depth).collect::<Result<Vec<_>>>()?.into_iter();
            let Some(first) = depths.next() else { return err!("block of an empty list") };
            if depths.any(|d| d != first) {
                return err!("lists in block are nested unevenly");
            }
            Ok(first + 1)
        }
        fn most(b: &Builder, n: &Nested) -> usize {
            match n {
                Nested::Array(a) => b.chunks(*a).len(),
                Nested::List(l) => l.iter().map(|n| most(b, n)).max().unwrap_or(0),
            }
        }
        fn join(b: &mut Builder, n: &Nested, ndim: usize, depth: usize) -> Result<Array> {
            match n {
                Nested::Array(a) => {
                    let missing: Vec<i64> = (0..ndim.saturating_sub(b.chunks(*a).len()) as i64).collect();
                    b.expand_dims(*a, &missing)
                }
                Nested::List(list) => {
                    let parts =
                        list.iter().map(|n| join(b, n, ndim, depth - 1)).collect::<Result<Vec<_>>>()?;
                    b.concatenate(&parts, Some(-(depth as i64)))
                }
            }
        }
        let depth = depth(blocks)?;
        let ndim = depth.max(most(self, blocks));
        join(self, blocks, ndim, depth)
    }

    /// `numpy.repeat`; `axis: None` repeats the items of the flattened array.
    ///
    /// # Errors
    /// When the axis does not exist or the result is too large.
    pub fn repeat(&mut self, x: Array, repeats: u64, axis: Option<i64>) -> Result<Array> {
        let Some(axis) = axis else {
            let flat = self.ravel(x)?;
            return self.repeat(flat, repeats, Some(0));
        };
        let axis = self.axis(axis, self.chunks(x).len())?;
        let mut chunks = self.chunks(x).to_vec();
        for c in chunks[axis].iter_mut().filter(|c| **c != UNKNOWN) {
            match c.checked_mul(repeats).filter(|&n| n < 1 << 62) {
                Some(n) => *c = n,
                None => return err!("repeating {c} items {repeats} times is too much"),
            }
        }
        let same = self.same(x);
        let op = Op::Repeat { repeats, axis: axis as u32 };
        Ok(self.blocks(Some(op), vec![(x, same)], Params::default(), self.dtype(x), chunks))
    }

    /// The `k`-th diagonal of a matrix: one block for each block that it crosses.
    ///
    /// # Errors
    /// When there are not two axes.
    pub fn diagonal(&mut self, x: Array, k: i64) -> Result<Array> {
        let shape = self.known(x, "diagonal")?;
        let [rows, cols] = shape[..] else {
            return err!("diagonal of an array of {} dimensions; it takes a matrix", shape.len());
        };
        let (row, col) = if k < 0 { (k.unsigned_abs(), 0) } else { (0, k as u64) };
        let len = rows.saturating_sub(row).min(cols.saturating_sub(col));
        let c = self.chunks(x).to_vec();
        let (mut at, mut out) = (0, vec![]);
        let (mut i, mut j) = (vec![], vec![]);
        let (mut start, mut extent) = ([vec![], vec![]], vec![]);
        while at < len {
            let p = range_pieces(&c[0], row + at, 1)[0];
            let q = range_pieces(&c[1], col + at, 1)[0];
            let n = (c[0][p.src as usize] - p.start as u64)
                .min(c[1][q.src as usize] - q.start as u64)
                .min(len - at);
            i.push(p.src);
            j.push(q.src);
            start[0].push(p.start);
            start[1].push(q.start);
            extent.push(n as i64);
            out.push(n);
            at += n;
        }
        if out.is_empty() {
            return self.full(crate::dtype::Scalar::Int(0), self.dtype(x), vec![vec![0]]);
        }
        let mut params = Params::default();
        let len = params.axis(0, extent);
        let [r, c] = start;
        let ranges = vec![
            Range { start: params.axis(0, r), len, step: 1 },
            Range { start: params.axis(0, c), len, step: 1 },
        ];
        let maps = vec![Map::Table(0, Arc::from(i)), Map::Table(0, Arc::from(j))];
        // The square that the diagonal crosses, which has its own grid of one axis.
        let dtype = self.dtype(x);
        let square =
            self.blocks(Some(Op::Slice { ranges }), vec![(x, maps)], params, dtype, vec![out.clone()]);
        let op = Op::Diagonal { k: 0 };
        Ok(self.blocks(Some(op), vec![(square, vec![Map::Axis(0)])], Params::default(), dtype, vec![out]))
    }

    /// `numpy.triu` (`upper`) or `numpy.tril` of the last two axes.
    ///
    /// # Errors
    /// When there are fewer than two axes.
    pub fn triangle(&mut self, x: Array, upper: bool, k: i64) -> Result<Array> {
        let ndim = self.known(x, if upper { "triu" } else { "tril" })?.len();
        if ndim < 2 {
            return err!("a triangle of an array of {ndim} dimensions; it takes a matrix");
        }
        let chunks = self.chunks(x).to_vec();
        let mut params = Params::default();
        let row: Int = params.axis(ndim - 2, offsets(&chunks[ndim - 2]));
        let col: Int = params.axis(ndim - 1, offsets(&chunks[ndim - 1]));
        let same = self.same(x);
        Ok(self.blocks(
            Some(Op::Triangle { upper, k, row, col }),
            vec![(x, same)],
            params,
            self.dtype(x),
            chunks,
        ))
    }

    /// Whether a dtype has an order that sorting can use.
    pub(crate) fn ordered(&self, x: Array, what: &str) -> Result<()> {
        if self.dtype(x).kind() == Kind::Complex {
            return err!("{what} of complex numbers; take their absolute value or real part");
        }
        Ok(())
    }
}

/// One block rolled in itself.
fn roll_block(i: usize, n: u64, by: i128) -> Vec<Piece> {
    let shift = if n == 0 { 0 } else { by.rem_euclid(i128::from(n)) as u64 };
    if shift == 0 {
        return vec![Piece::whole(i, n)];
    }
    let piece =
        |start: u64, len: u64| Piece { start: start as i64, len, whole: false, ..Piece::whole(i, len) };
    vec![piece(n - shift, shift), piece(0, n - shift)]
}
