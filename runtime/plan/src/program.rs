//! Programs: the bodies of native tasks.
//!
//! A program is a list of instructions in static single assignment. Its values are numbered: first the task's
//! inputs (`0..inputs`), then the result of each instruction in turn. The last value is the task's result.
//! Integers that differ from task to task (offsets, lengths) are [`Int::Arg`]: columns of the task, so that a
//! million tasks share one program.

mod functions;

pub use functions::{ArgReduction, Binary, Boundary, Cumulative, Reduction, Unary};

use crate::dtype::{DType, Scalar};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// A number in an instruction: fixed by the template, or one of the task's own arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Int {
    /// Fixed.
    Lit(i64),
    /// The task's argument of this index.
    Arg(u32),
}

impl Int {
    /// Its value for a task with these arguments.
    ///
    /// # Panics
    /// If the argument does not exist; [`Program::check`] rules that out.
    pub fn get(self, args: &[i64]) -> i64 {
        match self {
            Int::Lit(i) => i,
            Int::Arg(a) => args[a as usize],
        }
    }
}

impl From<usize> for Int {
    fn from(i: usize) -> Int {
        Int::Lit(i as i64)
    }
}

/// A native task's body.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// Values the task hands in: results of other tasks, then its blobs.
    pub inputs: u32,
    /// Integers the task hands in.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub args: u32,
    /// Instructions in order. An empty body returns input 0.
    pub body: Vec<Instr>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// One instruction: an operator and the numbers of the values it works on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instr {
    /// What is done.
    pub op: Op,
    /// Which values it is done to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<u32>,
}

/// A range along one axis, already clipped to it: `start`, `start + step`, … of `len` elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Range {
    /// First index.
    pub start: Int,
    /// Number of elements.
    pub len: Int,
    /// Distance; negative runs backwards.
    pub step: i64,
}

/// The operators. Operands are named in brackets in the order of [`Instr::of`].
///
/// Shapes in sources are the task's block, not the whole array. Dtypes of elementwise operators follow
/// [`crate::infer`]; a value that must differ from that is cast by an explicit [`Op::Cast`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each variant's fields are named in its text")]
pub enum Op {
    // --- sources ------------------------------------------------------------------------------------------
    /// Bytes in the template, C order, little-endian.
    Literal { dtype: DType, shape: Vec<u64>, data: ByteBuf },
    /// One value everywhere. An empty shape makes a 0-d array, the form of every scalar constant.
    Full { dtype: DType, value: Scalar, shape: Vec<Int> },
    /// `[blob]`: a blob's bytes as an array, C order, little-endian.
    FromBytes { dtype: DType, shape: Vec<Int> },
    /// `start + (offset + i) * step` for `i` in `0..len`.
    Arange { dtype: DType, start: Scalar, step: Scalar, offset: Int, len: Int },
    /// Elements `offset..offset + len` of `numpy.linspace(start, stop, num, endpoint)`.
    Linspace { dtype: DType, start: Scalar, stop: Scalar, num: u64, endpoint: bool, offset: Int, len: Int },
    /// Rows `row..` and columns `col..` of `numpy.eye(…, k)`.
    Eye { dtype: DType, k: i64, row: Int, col: Int, shape: [Int; 2] },
    /// Block number `block` (C order over the chunk grid) of a random array. `[key]` for [`Rng::Mt19937Key`].
    Random { rng: Rng, draw: Draw, dtype: DType, block: Int, shape: Vec<Int> },
    /// Region `start..start + shape` of a file.
    Read { file: FileRef, dtype: DType, start: Vec<Int>, shape: Vec<Int> },

    // --- elementwise --------------------------------------------------------------------------------------
    /// `[x]`
    Unary(Unary),
    /// `[a, b]`, broadcast
    Binary(Binary),
    /// `[condition, a, b]`, broadcast
    Where,
    /// `[x, low, high]`, broadcast
    Clip,
    /// `[x]`: `numpy.round(x, decimals)`
    Round { decimals: i32 },
    /// `[x]`: `x.astype(dtype)`
    Cast(DType),
    /// `[a, b, …]`: a left fold of equal-shaped arrays, such as the sum of partial products.
    Fold(Binary),

    // --- reductions ---------------------------------------------------------------------------------------
    /// `[x]`: reduces over `axes` (sorted, not negative) with kept dimensions. `dtype` is the result's.
    Reduce { f: Reduction, axes: Vec<u32>, dtype: DType },
    /// `[x]`: a tuple (count as float64, mean, sum of squared deviations) over `axes`, dimensions kept; `nan` skips NaN.
    Moments { axes: Vec<u32>, dtype: DType, nan: bool },
    /// `[tuple, …]`: merges moments of blocks in the order given (Chan, Golub, LeVeque 1979).
    MomentsMerge,
    /// `[tuple]`: variance (or its root) with `ddof` from moments.
    MomentsFinish { ddof: f64, sqrt: bool, dtype: DType },
    /// `[x]`: a tuple (extreme value, its index) over `axes`, dimensions kept. The index counts in C order over
    /// `axes` of the whole array, whose extents over these axes are `whole`; the block starts at `offset`.
    Arg { f: ArgReduction, axes: Vec<u32>, offset: Vec<Int>, whole: Vec<u64> },
    /// `[tuple, …]`: the better of pairs; of equal ones the lower index.
    ArgMerge { f: ArgReduction },
    /// `[tuple]`: the index, for forms that skip NaN; fails where there was nothing else.
    ArgFinish { f: ArgReduction },
    /// `[x]`: cumulative sum or product along `axis`, in `dtype`; `nan` treats NaN as the neutral element.
    Cumulative { f: Cumulative, axis: u32, dtype: DType, nan: bool },

    // --- movement -----------------------------------------------------------------------------------------
    /// `[x]`: axis `i` of the result is axis `axes[i]` of `x`.
    Transpose { axes: Vec<u32> },
    /// `[x]`: C-order reshape.
    Reshape { shape: Vec<Int> },
    /// `[x]`: basic and strided indexing, one range an axis.
    Slice { ranges: Vec<Range> },
    /// `[x]`: inserts axes of length 1 before these (positions in the result).
    ExpandDims { axes: Vec<u32> },
    /// `[x]`: drops these axes, which have length 1.
    Squeeze { axes: Vec<u32> },
    /// `[x]`: numpy broadcasting to a shape.
    BroadcastTo { shape: Vec<Int> },
    /// `[x, indices]`: `numpy.take(x, indices, axis)`; indices are a 1-d int64 array, already wrapped and checked.
    Take { axis: u32 },
    /// `[x, mask]`: `numpy.compress(mask, x, axis)`; with `axis: None`, `x[mask]` flattened in C order.
    Compress { axis: Option<u32> },
    /// `[x…]`: a grid of blocks in C order, joined along each axis (as `numpy.block` does).
    Assemble { grid: Vec<u32> },
    /// `[x]`: `numpy.pad(x, widths, mode)`; a pair (before, after) an axis.
    Pad { widths: Vec<[Int; 2]>, mode: Boundary },
    /// `[x]`: `numpy.repeat(x, repeats, axis)`.
    Repeat { repeats: u64, axis: u32 },
    /// `[x]`: the `k`-th diagonal of a matrix.
    Diagonal { k: i64 },
    /// `[x]`: zeroes below (`upper`) or above the diagonal `k`, counted from this block's corner `row`, `col`.
    Triangle { upper: bool, k: i64, row: Int, col: Int },

    // --- linear algebra -----------------------------------------------------------------------------------
    /// `[a, b]`: `numpy.matmul`, at least 2-d each; leading axes broadcast.
    MatMul,
    /// `[a, b]`: `numpy.tensordot(a, b, axes)`.
    TensorDot { a: Vec<u32>, b: Vec<u32> },

    // --- counting and sorting -----------------------------------------------------------------------------
    /// `[x, edges]` or `[x, edges, weights]`: counts (int64, or weights' sum) per bin.
    Histogram { weighted: bool },
    /// `[x]` or `[x, weights]`: `numpy.bincount(x, weights, minlength)`; results of different length are joined
    /// by [`Op::BincountMerge`].
    Bincount { weighted: bool, minlength: u64 },
    /// `[counts…]`: pads to the longest and adds.
    BincountMerge,
    /// `[x…]`: the `k` largest (`k > 0`, descending) or smallest (`k < 0`, ascending) of all inputs along `axis`.
    TopK { k: i64, axis: u32 },
    /// `[x…]`: sorted distinct values of all inputs, flattened.
    Unique,
    /// `[x, edges]`: `numpy.digitize(x, edges, right)`.
    Digitize { right: bool },

    // --- tuples and outputs -------------------------------------------------------------------------------
    /// `[x…]`: a tuple.
    Tuple,
    /// `[tuple]`: its element.
    Item(u32),
    /// Creates an empty store of this shape and chunking; the result is an empty tuple.
    Create { file: FileRef, dtype: DType, shape: Vec<u64>, chunks: Vec<u64> },
    /// `[x, …]`: writes `x` at `start`; the result is an empty tuple. Further operands only order it (the task
    /// that created the store).
    Write { file: FileRef, start: Vec<Int> },
    /// Reads a file's metadata; the result is a 1-d uint8 array that holds JSON: `{"Ok":` [`crate::Described`]`}`, or
    /// `{"Err": why}`, so that whoever asked can say what the file is for.
    Describe { file: FileRef },
    /// Says whether [`Op::Create`] would create, and writes nothing; the result is as [`Op::Describe`]'s, with `null`.
    CheckCreate { file: FileRef, dtype: DType, shape: Vec<u64>, chunks: Vec<u64> },
}

/// A file that the worker reads or writes, below one of its data directories.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileRef {
    /// Path as the user wrote it: absolute, or relative to a data directory.
    pub path: String,
    /// What is in it.
    pub format: Format,
}

/// File formats.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// numpy's `.npy`, versions 1 to 3.
    Npy,
    /// A Zarr array, version 2 or 3.
    Zarr,
    /// Nothing but elements: what describes them stands here, since the file does not say it.
    Raw {
        /// Element type.
        dtype: DType,
        /// Shape of the whole array.
        shape: Vec<u64>,
        /// Bytes to skip.
        offset: u64,
        /// First axis fastest.
        fortran: bool,
        /// Most significant byte first.
        big_endian: bool,
    },
}

/// Generators of random numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rng {
    /// `dask.array.random.default_rng(seed)`: PCG64; block `k` draws from the `k`-th child of
    /// `SeedSequence(entropy)`. Entropy is little-endian 32-bit words; `spawned` counts the children taken before.
    Pcg64 {
        /// `SeedSequence(entropy)`, as 32-bit words, least significant first.
        entropy: Vec<u32>,
        /// Children that earlier arrays of the same generator took.
        spawned: u64,
    },
    /// `dask.array.random.RandomState(seed)`: MT19937; block `k` draws from `RandomState(key)`, where `key` is the
    /// `k`-th run of 624 words that `RandomState(seed).bytes` gives.
    Mt19937 {
        /// `RandomState(seed)`.
        seed: u32,
        /// Runs that earlier arrays of the same state took.
        spawned: u64,
    },
    /// `numpy.random.RandomState(key)`, the same for every block: the operand is the key, 624 uint32 words.
    Mt19937Key,
}

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Draw {
    /// Uniform in `[0, 1)`.
    Random,
    /// Uniform integers in `[low, high)`.
    Integers {
        /// Lowest value.
        low: i64,
        /// One above the highest.
        high: i64,
    },
    /// Mean 0, variance 1.
    StandardNormal,
}

impl Program {
    /// Checks that values and arguments exist before they are used.
    ///
    /// # Errors
    /// Names the instruction and the number that is out of range.
    pub fn check(&self) -> Result<(), String> {
        let arg = |at: usize, i: &Int| match i {
            Int::Arg(a) if *a >= self.args => {
                Err(format!("instruction {at}: argument {a} of a program with {} arguments", self.args))
            }
            _ => Ok(()),
        };
        for (at, instr) in self.body.iter().enumerate() {
            let known = u64::from(self.inputs) + at as u64;
            if let Some(v) = instr.of.iter().find(|v| u64::from(**v) >= known) {
                return Err(format!("instruction {at}: value {v} is not known yet (there are {known})"));
            }
            for int in instr.op.ints() {
                arg(at, &int)?;
            }
        }
        if self.body.is_empty() && self.inputs == 0 {
            return Err("a program without instructions needs an input".into());
        }
        Ok(())
    }
}

impl Op {
    /// Every number that a task's arguments may fill in.
    pub fn ints(&self) -> Vec<Int> {
        match self {
            Op::Full { shape, .. }
            | Op::FromBytes { shape, .. }
            | Op::Reshape { shape }
            | Op::BroadcastTo { shape } => shape.clone(),
            Op::Arange { offset, len, .. } | Op::Linspace { offset, len, .. } => vec![*offset, *len],
            Op::Eye { row, col, shape, .. } => vec![*row, *col, shape[0], shape[1]],
            Op::Random { block, shape, .. } => [&[*block], shape.as_slice()].concat(),
            Op::Read { start, shape, .. } => [start.as_slice(), shape.as_slice()].concat(),
            Op::Arg { offset, .. } => offset.clone(),
            Op::Slice { ranges } => ranges.iter().flat_map(|r| [r.start, r.len]).collect(),
            Op::Pad { widths, .. } => widths.iter().flatten().copied().collect(),
            Op::Triangle { row, col, .. } => vec![*row, *col],
            Op::Write { start, .. } => start.clone(),
            _ => vec![],
        }
    }

    /// The same numbers, for changing them.
    pub fn ints_mut(&mut self) -> Vec<&mut Int> {
        match self {
            Op::Full { shape, .. }
            | Op::FromBytes { shape, .. }
            | Op::Reshape { shape }
            | Op::BroadcastTo { shape } => shape.iter_mut().collect(),
            Op::Arange { offset, len, .. } | Op::Linspace { offset, len, .. } => vec![offset, len],
            Op::Eye { row, col, shape, .. } => [row, col].into_iter().chain(shape).collect(),
            Op::Random { block, shape, .. } => [block].into_iter().chain(shape).collect(),
            Op::Read { start, shape, .. } => start.iter_mut().chain(shape).collect(),
            Op::Arg { offset, .. } => offset.iter_mut().collect(),
            Op::Slice { ranges } => ranges.iter_mut().flat_map(|r| [&mut r.start, &mut r.len]).collect(),
            Op::Pad { widths, .. } => widths.iter_mut().flatten().collect(),
            Op::Triangle { row, col, .. } => vec![row, col],
            Op::Write { start, .. } => start.iter_mut().collect(),
            _ => vec![],
        }
    }

    /// Whether each element of the result depends on one element of each operand only.
    pub fn is_elementwise(&self) -> bool {
        matches!(self, Op::Unary(_) | Op::Binary(_) | Op::Where | Op::Clip | Op::Round { .. } | Op::Cast(_))
    }

    /// Whether the result shares the memory of its one operand.
    pub fn is_view(&self) -> bool {
        matches!(
            self,
            Op::Transpose { .. }
                | Op::Slice { .. }
                | Op::ExpandDims { .. }
                | Op::Squeeze { .. }
                | Op::BroadcastTo { .. }
        )
    }

    /// Whether it takes its one operand piece by piece, though its result is of another shape or order.
    pub fn is_streamed(&self) -> bool {
        matches!(self, Op::Reduce { .. } | Op::Moments { .. } | Op::Arg { .. } | Op::Cumulative { .. })
    }
}
