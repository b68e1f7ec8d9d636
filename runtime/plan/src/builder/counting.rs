//! Counting and sorting.

use super::node::{Map, Params, UNKNOWN};
use super::{Array, Builder, Result, err};
use crate::dtype::{DType, Kind};
use crate::program::{Binary, Op};

impl Builder {
    /// Counts (or sums of weights) between `edges`; with `density`, divided by the total and the bins' widths.
    ///
    /// # Errors
    /// When edges do not ascend, or weights have another shape.
    pub fn histogram(
        &mut self,
        x: Array,
        edges: &[f64],
        weights: Option<Array>,
        density: bool,
    ) -> Result<Array> {
        let ascend = edges.windows(2).all(|w| w[0] <= w[1]);
        if edges.len() < 2 || !ascend {
            return err!("histogram needs at least two edges that ascend, not {edges:?}");
        }
        self.ordered(x, "a histogram")?;
        let bins = edges.len() as u64 - 1;
        let edges_array = self.floats(edges)?;
        let (x, weights) = self.same_chunks(x, weights, "histogram")?;
        let dtype = weights.map_or(DType::Int64, |w| self.dtype(w));
        let dtype = if dtype.kind() == Kind::Complex {
            DType::Complex128
        } else if weights.is_some() {
            DType::Float64
        } else {
            dtype
        };
        let mut of = vec![(x, self.same(x)), (edges_array, vec![Map::Const(0)])];
        if let Some(w) = weights {
            let w = self.cast(w, dtype)?;
            of.push((w, self.same(w)));
        }
        let op = Op::Histogram { weighted: weights.is_some() };
        let counts = self.per_block(op, of, x, dtype, Op::Fold(Binary::Add), bins);
        if !density {
            return Ok(counts);
        }
        let total = self.reduce(crate::program::Reduction::Sum, counts, None, false, None)?;
        let widths: Vec<f64> = edges.windows(2).map(|w| w[1] - w[0]).collect();
        let widths = self.floats(&widths)?;
        let each = self.binary(Binary::Divide, counts, widths)?;
        self.binary(Binary::Divide, each, total)
    }

    /// How often each integer occurs; the length of the result is known after running only.
    ///
    /// # Errors
    /// When `x` is not one-dimensional or not of integers.
    pub fn bincount(&mut self, x: Array, weights: Option<Array>, minlength: u64) -> Result<Array> {
        if self.chunks(x).len() != 1 {
            return err!("bincount of an array of {} dimensions; use ravel(x)", self.chunks(x).len());
        }
        if self.dtype(x).kind() > Kind::Signed || self.dtype(x) == DType::UInt64 {
            return err!("bincount of {}; convert it with x.astype(int64)", self.dtype(x));
        }
        let (x, weights) = self.same_chunks(x, weights, "bincount")?;
        let mut of = vec![(x, self.same(x))];
        if let Some(w) = weights {
            let w = self.cast(w, DType::Float64)?;
            of.push((w, self.same(w)));
        }
        let dtype = if weights.is_some() { DType::Float64 } else { DType::Int64 };
        let op = Op::Bincount { weighted: weights.is_some(), minlength };
        Ok(self.per_block(op, of, x, dtype, Op::BincountMerge, UNKNOWN))
    }

    /// Weights in the array's chunks.
    fn same_chunks(
        &mut self,
        x: Array,
        weights: Option<Array>,
        what: &str,
    ) -> Result<(Array, Option<Array>)> {
        let Some(w) = weights else { return Ok((x, None)) };
        if self.shape(x) != self.shape(w) {
            return err!(
                "{what} of shape {} with weights of shape {}",
                self.shape_text(x),
                self.shape_text(w)
            );
        }
        let chunks = self.common_chunks(&[x, w])?;
        Ok((self.rechunk_to(x, chunks.clone())?, Some(self.rechunk_to(w, chunks)?)))
    }

    /// A flat result of each block, merged into one of `len` items.
    fn per_block(
        &mut self,
        op: Op,
        of: Vec<(Array, Vec<Map>)>,
        x: Array,
        dtype: DType,
        merge: Op,
        len: u64,
    ) -> Array {
        let grid: Vec<Vec<u64>> = self.chunks(x).iter().map(|c| vec![1; c.len()]).collect();
        let axes: Vec<usize> = (0..grid.len()).collect();
        let leaf = self.blocks(Some(op), of, Params::default(), dtype, grid);
        let whole = self.tree(leaf, &axes, Some(merge), None);
        self.alias(whole, vec![Map::Const(0); axes.len()], dtype, vec![vec![len]])
    }

    /// The `k` largest items along an axis, descending; with a negative `k` the smallest, ascending.
    ///
    /// # Errors
    /// When `k` is 0 or more than there are.
    pub fn topk(&mut self, x: Array, k: i64, axis: i64) -> Result<Array> {
        let axis = self.axis(axis, self.chunks(x).len())?;
        self.ordered(x, "topk")?;
        let n = match self.shape(x)[axis] {
            Some(n) => n,
            None => {
                return err!(
                    "topk along an axis of unknown length; use where(mask, x, lowest) instead of x[mask]"
                );
            }
        };
        if k == 0 || k.unsigned_abs() > n {
            return err!("topk of {k} items along axis {axis}, which has {n}");
        }
        let op = Op::TopK { k, axis: axis as u32 };
        let same = self.same(x);
        let mut chunks = self.chunks(x).to_vec();
        chunks[axis].iter_mut().for_each(|c| *c = (*c).min(k.unsigned_abs()));
        let leaf =
            self.blocks(Some(op.clone()), vec![(x, same)], Params::default(), self.dtype(x), chunks.clone());
        let best = self.tree(leaf, &[axis], Some(op), None);
        chunks[axis] = vec![k.unsigned_abs()];
        let same = self.same(best);
        Ok(self.alias(best, same, self.dtype(x), chunks))
    }

    /// Sorted distinct values; how many is known after running only.
    ///
    /// # Errors
    /// Never.
    pub fn unique(&mut self, x: Array) -> Result<Array> {
        let of = vec![(x, self.same(x))];
        Ok(self.per_block(Op::Unique, of, x, self.dtype(x), Op::Unique, UNKNOWN))
    }

    /// `numpy.digitize(x, edges, right)`.
    ///
    /// # Errors
    /// When edges are not monotonic.
    pub fn digitize(&mut self, x: Array, edges: &[f64], right: bool) -> Result<Array> {
        self.ordered(x, "digitize")?;
        let ascends = edges.windows(2).all(|w| w[0] <= w[1]);
        let descends = edges.windows(2).all(|w| w[0] >= w[1]);
        if !ascends && !descends {
            return err!("digitize needs edges that ascend or descend, not {edges:?}");
        }
        let edges = self.floats(edges)?;
        let of = vec![(x, self.same(x)), (edges, vec![Map::Const(0)])];
        let chunks = self.chunks(x).to_vec();
        Ok(self.blocks(Some(Op::Digitize { right }), of, Params::default(), DType::Int64, chunks))
    }
}
