//! Tasks that may run native: the functions that are recognised, by identity, and what they are called with.
//!
//! A recipe holds no Python object. It says what is called, not yet how it is computed: that depends on the dtypes and shapes
//! that a task gets, see [`crate::native`].

mod lower;

pub(crate) use lower::{Lowered, joins, lower, recognise};

use dask_plan::program::{ArgReduction, Binary, Cumulative, Reduction, Unary};
use dask_plan::{DType, Scalar};
use serde::{Deserialize, Serialize};

/// A function that is recognised. Names in the tables of `_dask.py` are these in snake case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Known {
    // --- elementwise ---
    Unary(Unary),
    Binary(Binary),
    /// `where(condition, a, b)`
    Where,
    /// `clip(x, low, high)`
    Clip,
    /// `round(x, decimals)`
    Round,
    /// `astype(x, astype_dtype)`
    Astype,
    /// `_enforce_dtype(…, enforce_dtype, enforce_dtype_function)`
    EnforceDtype,

    // --- reductions ---
    Reduce(Reduction),
    /// `mean(x, axis)`
    Mean,
    /// What `mean_chunk` counts with.
    Numel,
    Nannumel,
    /// `mean_chunk(x, sum, numel, dtype, axis, keepdims)`
    MeanChunk,
    /// `mean_combine(pairs, axis, keepdims)`
    MeanCombine,
    /// `mean_agg(pairs, dtype, axis, keepdims)`
    MeanAgg,
    /// `moment_chunk(x, order, sum, numel, dtype, axis, keepdims)`
    MomentChunk,
    /// `moment_combine(pairs, order, axis)`
    MomentCombine,
    /// `moment_agg(pairs, order, ddof, dtype, axis, keepdims)`
    MomentAgg,
    /// What `ArgChunk` and its like find a place with.
    Arg(ArgReduction),
    /// `arg_chunk(reduction, argreduction, x, axis, offset)`
    ArgChunk,
    /// `arg_combine(argreduction, pairs, axis)`
    ArgCombine,
    /// `arg_agg(argreduction, pairs, axis, keepdims)`
    ArgAgg,
    /// `cumsum(x, axis, dtype)`
    Cumulative(Cumulative),
    /// `nancumsum(x, axis, dtype)`
    Nancumulative(Cumulative),
    /// `_prefixscan_first(cumulative, x, axis, dtype)`
    PrefixFirst,
    /// `_prefixscan_combine(cumulative, binary, before, x, axis, dtype)`
    PrefixCombine,
    /// `coarsen(reduction, x, axes, trim_excess)`
    Coarsen,
    /// `topk(x, k, axis, keepdims)`
    Topk,
    /// `topk_aggregate(x, k, axis, keepdims)`
    TopkAggregate,
    /// `_block_hist(x, (bins, range))`
    Histogram,

    // --- movement ---
    /// `transpose(x, axes)`
    Transpose,
    /// `x.reshape(…)`
    Reshape,
    /// `squeeze(x, axis)`
    Squeeze,
    /// `expand_dims(x, axis)`
    ExpandDims,
    /// `broadcast_to(x, shape)`
    BroadcastTo,
    /// `_concatenate2(arrays, axes)`
    Concatenate,
    /// `concatenate_shaped(arrays, shape)`
    ConcatenateShaped,
    /// `finalize(arrays)`, `concatenate3(arrays)`
    Assemble,

    // --- indexing ---
    /// `getitem(x, index)`
    Getitem,
    /// `_getitem(x, (token, index))`
    ShuffleSplit,
    /// `concatenate_arrays(arrays, (token, sorter), axis)`
    ShuffleMerge,
    /// `take(x, indices, axis)`
    Take,

    // --- products ---
    /// `_matmul(a, b)`
    Matmul,
    /// `dot(a, b)` of matrices.
    Dot,
    /// `_tensordot(a, b, axes, is_sparse)`
    Tensordot,
    /// `chunk_einsum(…, subscripts, kernel_dtype, ncontract_inds)`
    Einsum,
    /// `_chunk_sum(arrays, axis, dtype, keepdims)`
    ChunkSum,

    // --- sources ---
    /// `_broadcast_trick_inner(ones_like, shape)`
    Full,
    /// `ones_like(x, shape, dtype)`; also what `Full` is full of.
    Ones,
    Zeros,
    /// `full_like(x, value, dtype, shape)`
    FullLike,
    /// `arange(start, stop, step, length, dtype)`
    Arange,
    /// `eye(rows, columns, k, dtype)`
    Eye,
    /// `_apply_random_func(PCG64, name, seed, size, args, kwargs)`
    Generator,
    /// `_apply_random(RandomState, name, key, size, args, kwargs)`
    RandomState,

    // --- what is taken apart when a task is lowered ---
    /// `functools.partial` and compositions, which are known by their types.
    Partial,
    Compose,
    /// `apply(function, args, kwargs)`
    Apply,
    /// `NestedContainer.to_container(…, constructor)`
    Container,
    /// `_identity_cast(…, typ)`
    Cast,
    List,
    Tuple,
    /// `Dict.constructor`
    Dict,
}

/// What a literal says, without Python.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Constant {
    None,
    Ellipsis,
    /// A Python number: weak in promotion.
    Number(Number),
    Text(String),
    DType(DType),
    Tuple(Vec<Constant>),
    Slice(Option<i64>, Option<i64>, Option<i64>),
    Function(Known),
    /// An array without elements, such as Dask's `meta`.
    Empty(DType),
    /// `numpy.random.SeedSequence(entropy, spawn_key=(k,))`: its words, and which of the task's numbers is `k`.
    Seed(Vec<u32>, u32),
    Pcg64,
    RandomState,
}

/// A Python number.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Number(pub(crate) Scalar);

impl Number {
    fn bits(&self) -> (u8, u64, u64) {
        match self.0 {
            Scalar::Bool(b) => (0, u64::from(b), 0),
            Scalar::Int(i) => (1, i as u64, 0),
            Scalar::UInt(u) => (2, u, 0),
            Scalar::Float(f) => (3, f.to_bits(), 0),
            Scalar::Complex(re, im) => (4, re.to_bits(), im.to_bits()),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.bits() == other.bits()
    }
}
impl Eq for Number {}
impl std::hash::Hash for Number {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.bits().hash(state);
    }
}

/// An argument of a step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Ref {
    /// The task's input of this index; those beyond its inputs are its literal arrays.
    Input(usize),
    /// An earlier step's result.
    Step(usize),
    /// A literal.
    Constant(Constant),
    /// Several, as a list.
    List(Vec<Ref>),
    /// Several, as a tuple that is no literal.
    Tuple(Vec<Ref>),
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) function: Known,
    pub(crate) of: Vec<Ref>,
    pub(crate) keywords: Vec<(String, Ref)>,
}

/// Calls in order, the last of which is the task's result; see the module.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Recipe {
    pub(crate) calls: Vec<Call>,
    pub(crate) inputs: usize,
}
