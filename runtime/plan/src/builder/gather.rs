//! Arrays whose blocks are cut and joined from other blocks: slices, rechunking, rolling, joining.

use super::node::{Kind, Piece, UNKNOWN};
use super::{Array, Builder, ChunkSpec, Result, err, extent, normalize_chunks};
use crate::dtype::DType;
use crate::program::Op;

/// Inputs of one task above which rechunking goes through intermediate chunks.
const MANY_PIECES: u64 = 64;

/// Pieces of a block, and blocks of which it takes pieces, from which on it pays to cut blocks in tasks of their own.
const CUT_FIRST: u64 = 4;

impl Piece {
    /// All of block `i`.
    pub(crate) fn whole(i: usize, len: u64) -> Piece {
        Piece { of: 0, src: i as u32, start: 0, len, step: 1, whole: true }
    }
}

/// The pieces of the blocks of an axis that hold `start..start + len`.
pub(crate) fn range_pieces(chunks: &[u64], start: u64, len: u64) -> Vec<Piece> {
    let mut out = vec![];
    let mut at = 0u64;
    let end = start + len;
    for (i, &c) in chunks.iter().enumerate() {
        let (low, high) = (start.max(at), end.min(at + c));
        if low < high {
            let whole = high - low == c;
            out.push(Piece {
                of: 0,
                src: i as u32,
                start: (low - at) as i64,
                len: high - low,
                step: 1,
                whole,
            });
        }
        at += c;
        if at >= end {
            break;
        }
    }
    if out.is_empty() {
        // No items still make a block.
        let whole = chunks.first() == Some(&0);
        out.push(Piece { of: 0, src: 0, start: 0, len: 0, step: 1, whole });
    }
    out
}

/// One whole piece for each block.
pub(crate) fn identity(chunks: &[u64]) -> Vec<Vec<Piece>> {
    chunks.iter().enumerate().map(|(i, &n)| vec![Piece::whole(i, n)]).collect()
}

/// What an outer gather takes from an axis of an inner gather, in terms of the inner one's sources.
fn compose(outer: &[Vec<Piece>], inner: &[Vec<Piece>]) -> Option<Vec<Vec<Piece>>> {
    let one = |p: &Piece| -> Option<Vec<Piece>> {
        let blocks = inner.get(p.src as usize)?;
        if p.whole {
            return Some(blocks.clone());
        }
        if let [q] = blocks[..] {
            let start = q.start + p.start * q.step;
            return Some(vec![Piece {
                of: q.of,
                src: q.src,
                start,
                len: p.len,
                step: p.step * q.step,
                whole: false,
            }]);
        }
        if p.step != 1 || blocks.iter().any(|q| q.step != 1) {
            return None;
        }
        let (start, end) = (p.start as u64, p.start as u64 + p.len);
        let mut at = 0;
        let mut out = vec![];
        for q in blocks {
            let (low, high) = (start.max(at), end.min(at + q.len));
            if low < high {
                let whole = q.whole && high - low == q.len;
                out.push(Piece { start: q.start + (low - at) as i64, len: high - low, whole, ..*q });
            }
            at += q.len;
        }
        (!out.is_empty()).then_some(out)
    };
    outer.iter().map(|pieces| Some(pieces.iter().map(one).collect::<Option<Vec<_>>>()?.concat())).collect()
}

impl Builder {
    /// Adds a gather; one over another becomes one.
    pub(crate) fn gather(
        &mut self,
        of: Vec<Array>,
        axes: Vec<Vec<Vec<Piece>>>,
        join: Option<Op>,
        dtype: DType,
        chunks: Vec<Vec<u64>>,
    ) -> Array {
        if let ([x], None) = (&of[..], &join) {
            let is_identity = |(a, pieces): (usize, &Vec<Vec<Piece>>)| {
                pieces.len() == self.chunks(*x)[a].len()
                    && pieces
                        .iter()
                        .enumerate()
                        .all(|(i, p)| matches!(p[..], [q] if q.whole && q.src as usize == i))
            };
            if axes.iter().enumerate().all(is_identity) {
                return *x;
            }
            let node = self.node(*x);
            if let (Kind::Gather { of: inner, axes: below, join: None }, false) = (&node.kind, node.keep) {
                let composed: Option<Vec<_>> = axes.iter().zip(below).map(|(o, i)| compose(o, i)).collect();
                if let Some(composed) = composed {
                    let inner = inner.clone();
                    return self.gather(inner, composed, None, dtype, chunks);
                }
            }
        }
        self.add(Kind::Gather { of, axes, join }, dtype, chunks)
    }

    /// The same array in these chunks.
    pub(crate) fn rechunk_to(&mut self, x: Array, chunks: Vec<Vec<u64>>) -> Result<Array> {
        let old = self.chunks(x).to_vec();
        if old == chunks {
            return Ok(x);
        }
        for (axis, (o, n)) in old.iter().zip(&chunks).enumerate() {
            if o != n && (o.contains(&UNKNOWN) || n.contains(&UNKNOWN)) {
                return err!("axis {axis} has chunks of unknown size, which cannot be cut; reduce it first");
            }
            if extent(o) != extent(n) {
                return err!("chunks {n:?} do not fit axis {axis} of shape {}", self.shape_text(x));
            }
        }
        if old.len() != chunks.len() {
            return err!("chunks for {} axes, but the shape is {}", chunks.len(), self.shape_text(x));
        }
        let dtype = self.dtype(x);
        if let Kind::Blocks { op: Some(Op::Full { value, .. }), .. } = &self.node(x).kind {
            let value = *value;
            return self.full(value, dtype, chunks);
        }
        let axes = old.iter().zip(&chunks).map(|(o, n)| cut(o, n)).collect();
        Ok(self.gather(vec![x], axes, None, dtype, chunks))
    }

    /// The same array in other chunks. Where blocks of the result would take pieces of very many blocks, and these
    /// blocks would be cut into very many, there are intermediate chunks of a middle size (the idea of dask's
    /// `plan_rechunk`): `n²` pieces become `2 n √n`.
    ///
    /// # Errors
    /// When chunks do not fit the shape.
    pub fn rechunk(&mut self, x: Array, chunks: &ChunkSpec) -> Result<Array> {
        let shape = self.known(x, "rechunk")?;
        let chunks = normalize_chunks(chunks, &shape, self.dtype(x))?;
        let old = self.chunks(x).to_vec();
        let most = |from: &[Vec<u64>], to: &[Vec<u64>]| -> u64 {
            let each =
                from.iter().zip(to).map(|(o, n)| cut(o, n).iter().map(Vec::len).max().unwrap_or(1) as u64);
            each.fold(1, u64::saturating_mul)
        };
        let (merged, split) = (most(&old, &chunks), most(&chunks, &old));
        if merged > MANY_PIECES && split > MANY_PIECES {
            let middle = old.iter().zip(&chunks).map(|(o, n)| between(o, n)).collect();
            let step = self.rechunk_to(x, middle)?;
            if step != x {
                self.nodes[step.0 as usize].keep = true;
                return self.rechunk_to(step, chunks);
            }
        }
        // A block that very different blocks are made of is cut first, where it is, so that only what is needed travels.
        if merged >= CUT_FIRST && split >= CUT_FIRST && !matches!(self.node(x).kind, Kind::Gather { .. }) {
            let cut = old.iter().zip(&chunks).map(|(o, n)| refine(o, n)).collect();
            let step = self.rechunk_to(x, cut)?;
            self.nodes[step.0 as usize].keep = true;
            return self.rechunk_to(step, chunks);
        }
        self.rechunk_to(x, chunks)
    }

    /// Joins an axis into one chunk.
    pub(crate) fn whole_axes(&mut self, x: Array, axes: &[usize]) -> Result<Array> {
        let mut chunks = self.chunks(x).to_vec();
        for &a in axes {
            if chunks[a].len() > 1 {
                match extent(&chunks[a]) {
                    Some(n) => chunks[a] = vec![n],
                    None => {
                        return err!(
                            "axis {a} has chunks of unknown size, which cannot be joined; reduce it first"
                        );
                    }
                }
            }
        }
        self.rechunk_to(x, chunks)
    }
}

/// For each new chunk, its pieces of old chunks.
fn cut(old: &[u64], new: &[u64]) -> Vec<Vec<Piece>> {
    if old == new {
        return identity(old);
    }
    let mut out = Vec::with_capacity(new.len());
    let (mut i, mut used) = (0usize, 0u64);
    for &n in new {
        let mut left = n;
        let mut pieces = vec![];
        while left > 0 && i < old.len() {
            let take = left.min(old[i] - used);
            if take > 0 {
                let whole = take == old[i];
                pieces.push(Piece { of: 0, src: i as u32, start: used as i64, len: take, step: 1, whole });
            }
            used += take;
            left -= take;
            if used == old[i] {
                i += 1;
                used = 0;
            }
        }
        if pieces.is_empty() {
            let src = i.min(old.len() - 1);
            pieces.push(Piece { of: 0, src: src as u32, start: 0, len: 0, step: 1, whole: old[src] == 0 });
        }
        out.push(pieces);
    }
    out
}

/// Chunks half way: neighbours of the finer side joined, the square root of how many the coarser side joins.
fn between(old: &[u64], new: &[u64]) -> Vec<u64> {
    let (fine, coarse) = if old.len() > new.len() { (old, new) } else { (new, old) };
    let group = ((fine.len() as f64 / coarse.len().max(1) as f64).sqrt().round() as usize).max(1);
    if group == 1 { old.to_vec() } else { fine.chunks(group).map(|g| g.iter().sum()).collect() }
}

/// Chunks that end wherever either's do.
fn refine(old: &[u64], new: &[u64]) -> Vec<u64> {
    let ends = |chunks: &[u64]| -> Vec<u64> {
        chunks
            .iter()
            .scan(0, |end, &c| {
                *end += c;
                Some(*end)
            })
            .collect()
    };
    let mut all = [ends(old), ends(new)].concat();
    all.sort_unstable();
    all.dedup();
    let starts = std::iter::once(0).chain(all.iter().copied());
    all.iter().zip(starts).map(|(end, start)| end - start).collect()
}
