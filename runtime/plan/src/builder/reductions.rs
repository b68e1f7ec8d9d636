//! Reductions as trees, and running reductions.

use super::node::{Map, Params, Piece, offsets};
use super::{Array, BuildError, Builder, Result, err};
use crate::dtype::{DType, Kind, Scalar};
use crate::infer;
use crate::program::{ArgReduction, Binary, Cumulative, Op, Reduction, Unary};

impl Builder {
    /// A reduction; `axes: None` reduces over all; `dtype` is the accumulator of sums and products.
    ///
    /// # Errors
    /// When an axis does not exist, or the minimum of nothing is asked for.
    pub fn reduce(
        &mut self,
        f: Reduction,
        x: Array,
        axes: Option<&[i64]>,
        keepdims: bool,
        dtype: Option<DType>,
    ) -> Result<Array> {
        let axes = self.axes(axes, self.chunks(x).len())?;
        let dtype = infer::reduction(f, self.dtype(x), dtype).map_err(BuildError)?;
        if matches!(f, Reduction::Min | Reduction::Max | Reduction::Nanmin | Reduction::Nanmax) {
            self.not_empty(x, &axes, &infer::numpy_name(&f))?;
        }
        self.reduce_over(f, x, &axes, keepdims, dtype)
    }

    fn not_empty(&self, x: Array, axes: &[usize], what: &str) -> Result<()> {
        if axes.iter().any(|&a| self.shape(x)[a] == Some(0)) {
            return err!("{what} of no items: the shape is {}", self.shape_text(x));
        }
        Ok(())
    }

    fn reduce_over(
        &mut self,
        f: Reduction,
        x: Array,
        axes: &[usize],
        keepdims: bool,
        dtype: DType,
    ) -> Result<Array> {
        self.not_by_block(&infer::numpy_name(&f))?;
        let of: Vec<u32> = axes.iter().map(|&a| a as u32).collect();
        let leaf = self.leaf(Op::Reduce { f, axes: of.clone(), dtype }, x, axes, dtype, Params::default());
        let f = match f {
            Reduction::CountNonzero | Reduction::Nancount | Reduction::Nansum => Reduction::Sum,
            Reduction::Nanprod => Reduction::Prod,
            other => other,
        };
        let whole = self.tree(leaf, axes, None, Some(Op::Reduce { f, axes: of, dtype }));
        self.drop_axes(whole, axes, keepdims)
    }

    /// The partial result of each block, whose reduced axes have length 1.
    fn leaf(&mut self, op: Op, x: Array, axes: &[usize], dtype: DType, params: Params) -> Array {
        let mut chunks = self.chunks(x).to_vec();
        axes.iter().for_each(|&a| chunks[a] = vec![1; chunks[a].len()]);
        let same = self.same(x);
        self.blocks(Some(op), vec![(x, same)], params, dtype, chunks)
    }

    /// Combines neighbours along `axes` until one block is left: by `join`, which takes all of a group, or by
    /// assembling them and applying `then`. How many at a time depends on the number of axes only.
    pub(crate) fn tree(&mut self, mut x: Array, axes: &[usize], join: Option<Op>, then: Option<Op>) -> Array {
        let dtype = self.dtype(x);
        let long = axes.iter().filter(|&&a| self.chunks(x)[a].len() > 1).count();
        let split = match long {
            0 => return x,
            1 => 16,
            2 => 4,
            _ => 2,
        };
        while axes.iter().any(|&a| self.chunks(x)[a].len() > 1) {
            let mut chunks = self.chunks(x).to_vec();
            let mut pieces: Vec<Vec<Vec<Piece>>> = vec![];
            for (a, c) in chunks.iter_mut().enumerate() {
                let group = if axes.contains(&a) { split } else { 1 };
                let blocks: Vec<Piece> = c.iter().enumerate().map(|(i, &n)| Piece::whole(i, n)).collect();
                pieces.push(blocks.chunks(group).map(<[Piece]>::to_vec).collect());
                *c = c.chunks(group).map(|g| if join.is_some() { g[0] } else { g.iter().sum() }).collect();
            }
            x = self.gather(vec![x], pieces, join.clone(), dtype, chunks);
            if let Some(op) = &then {
                x = self.leaf(op.clone(), x, axes, dtype, Params::default());
            }
        }
        x
    }

    fn drop_axes(&mut self, x: Array, axes: &[usize], keepdims: bool) -> Result<Array> {
        if keepdims {
            return Ok(x);
        }
        let axes: Vec<i64> = axes.iter().map(|&a| a as i64).collect();
        self.squeeze(x, Some(&axes))
    }

    /// Arithmetic mean; `nan` skips NaN.
    ///
    /// # Errors
    /// When an axis does not exist.
    pub fn mean(
        &mut self,
        x: Array,
        axes: Option<&[i64]>,
        keepdims: bool,
        dtype: Option<DType>,
        nan: bool,
    ) -> Result<Array> {
        let axes = self.axes(axes, self.chunks(x).len())?;
        let dtype = dtype.unwrap_or(infer::mean(self.dtype(x)));
        let nan = nan && self.dtype(x).kind() >= Kind::Float;
        let sum = self.reduce_over(
            if nan { Reduction::Nansum } else { Reduction::Sum },
            x,
            &axes,
            keepdims,
            dtype,
        )?;
        let known = axes.iter().map(|&a| self.shape(x)[a]).collect::<Option<Vec<u64>>>();
        let count = match known {
            Some(extents) if !nan => {
                self.constant(Scalar::Float(extents.iter().product::<u64>() as f64), DType::Float64)?
            }
            _ => {
                // Where sizes are not known, count: every item is NaN or not.
                let (f, of) = if nan {
                    (Reduction::Nancount, x)
                } else {
                    let missing = self.unary(Unary::Isnan, x)?;
                    let there = self.unary(Unary::LogicalNot, missing)?;
                    (Reduction::CountNonzero, self.binary(Binary::LogicalOr, missing, there)?)
                };
                self.reduce_over(f, of, &axes, keepdims, DType::Int64)?
            }
        };
        let count = self.cast(count, dtype)?;
        let mean = self.binary(Binary::Divide, sum, count)?;
        self.cast(mean, dtype)
    }

    /// Variance, or its root; `ddof` is what the divisor lacks to the number of items.
    ///
    /// # Errors
    /// When an axis does not exist.
    #[allow(clippy::too_many_arguments, reason = "numpy's arguments")]
    pub fn var(
        &mut self,
        x: Array,
        axes: Option<&[i64]>,
        keepdims: bool,
        ddof: f64,
        sqrt: bool,
        nan: bool,
        dtype: Option<DType>,
    ) -> Result<Array> {
        let axes = self.axes(axes, self.chunks(x).len())?;
        self.not_by_block("a variance")?;
        let loop_dtype = dtype.unwrap_or(infer::mean(self.dtype(x)));
        let of = axes.iter().map(|&a| a as u32).collect();
        let op = Op::Moments { axes: of, dtype: loop_dtype, nan };
        let leaf = self.leaf(op, x, &axes, loop_dtype, Params::default());
        let merged = self.tree(leaf, &axes, Some(Op::MomentsMerge), None);
        let dtype = infer::real(loop_dtype);
        let mut chunks = self.chunks(x).to_vec();
        axes.iter().for_each(|&a| chunks[a] = vec![1]);
        let same = self.same(merged);
        let finish = Op::MomentsFinish { ddof, sqrt, dtype };
        let out = self.blocks(Some(finish), vec![(merged, same)], Params::default(), dtype, chunks);
        self.drop_axes(out, &axes, keepdims)
    }

    /// Where the extreme is; `axis: None` counts in C order over all axes.
    ///
    /// # Errors
    /// When the axis does not exist, sizes are unknown, or there are no items.
    pub fn arg(&mut self, f: ArgReduction, x: Array, axis: Option<i64>, keepdims: bool) -> Result<Array> {
        let name = infer::numpy_name(&f);
        let shape = self.known(x, &name)?;
        self.not_by_block(&name)?;
        let axes = self.axes(axis.as_ref().map(std::slice::from_ref), shape.len())?;
        self.not_empty(x, &axes, &name)?;
        let chunks = self.chunks(x).to_vec();
        let mut params = Params::default();
        let offset = axes.iter().map(|&a| params.axis(a, offsets(&chunks[a]))).collect();
        let whole = axes.iter().map(|&a| shape[a]).collect();
        let of = axes.iter().map(|&a| a as u32).collect();
        let leaf = self.leaf(Op::Arg { f, axes: of, offset, whole }, x, &axes, DType::Int64, params);
        let merged = self.tree(leaf, &axes, Some(Op::ArgMerge { f }), None);
        let mut chunks = chunks;
        axes.iter().for_each(|&a| chunks[a] = vec![1]);
        let same = self.same(merged);
        let finish = match f {
            ArgReduction::Nanargmin | ArgReduction::Nanargmax => Op::ArgFinish { f },
            ArgReduction::Argmin | ArgReduction::Argmax => Op::Item(1),
        };
        let out = self.blocks(Some(finish), vec![(merged, same)], Params::default(), DType::Int64, chunks);
        self.drop_axes(out, &axes, keepdims)
    }

    /// Running sum or product along `axis` (of the flattened array when `None`); `nan` takes NaN as neutral.
    ///
    /// Blocks follow each other, each with the last items of the one before: few are held at a time.
    ///
    /// # Errors
    /// When the axis does not exist.
    pub fn cumulative(
        &mut self,
        f: Cumulative,
        x: Array,
        axis: Option<i64>,
        dtype: Option<DType>,
        nan: bool,
    ) -> Result<Array> {
        let Some(axis) = axis else {
            let flat = self.ravel(x)?;
            return self.cumulative(f, flat, Some(0), dtype, nan);
        };
        self.not_by_block(&format!("cum{}", infer::numpy_name(&f)))?;
        let axis = self.axis(axis, self.chunks(x).len())?;
        let dtype = dtype.unwrap_or(infer::accumulator(self.dtype(x)));
        let nan = nan && self.dtype(x).kind() >= Kind::Float;
        let chunks = self.chunks(x).to_vec();
        let op = Op::Cumulative { f, axis: axis as u32, dtype, nan };
        if chunks[axis].len() == 1 {
            let same = self.same(x);
            return Ok(self.blocks(Some(op), vec![(x, same)], Params::default(), dtype, chunks));
        }
        self.known(x, &format!("cum{} along several chunks", infer::numpy_name(&f)))?;
        let combine = match f {
            Cumulative::Sum => Binary::Add,
            Cumulative::Prod => Binary::Multiply,
        };
        let mut slabs: Vec<Array> = vec![];
        for (i, &n) in chunks[axis].iter().enumerate() {
            let mut maps = self.same(x);
            maps[axis] = Map::Const(i as u32);
            let mut own = chunks.clone();
            own[axis] = vec![n];
            let slab = self.blocks(Some(op.clone()), vec![(x, maps)], Params::default(), dtype, own);
            let slab = match slabs.last() {
                None => slab,
                Some(&before) => {
                    let len = self.shape(before)[axis].unwrap_or(0);
                    // An empty block carries on what came before it, which its own result does not hold.
                    if len == 0 || n == 0 {
                        return err!("a running reduction over an empty chunk; rechunk first");
                    }
                    let carry = self.last_item(before, axis, len);
                    self.nodes[carry.0 as usize].keep = true;
                    self.elementwise(Op::Binary(combine), &[slab, carry], dtype)?
                }
            };
            slabs.push(slab);
        }
        self.concatenate(&slabs, Some(axis as i64))
    }

    /// The last item along an axis, which has one chunk and stays.
    fn last_item(&mut self, x: Array, axis: usize, len: u64) -> Array {
        let mut chunks = self.chunks(x).to_vec();
        let mut pieces: Vec<Vec<Vec<Piece>>> = vec![];
        for (a, c) in chunks.iter_mut().enumerate() {
            if a == axis {
                *c = vec![1];
                pieces.push(vec![vec![Piece {
                    of: 0,
                    src: 0,
                    start: len as i64 - 1,
                    len: 1,
                    step: 1,
                    whole: len == 1,
                }]]);
            } else {
                pieces.push(c.iter().enumerate().map(|(i, &n)| vec![Piece::whole(i, n)]).collect());
            }
        }
        let dtype = self.dtype(x);
        self.gather(vec![x], pieces, None, dtype, chunks)
    }
}
