//! The [`Builder`]: arrays are built by calls in numpy's terms; dtypes, shapes and chunks are inferred at once, so
//! that a mistake is reported where it stands. [`Builder::finish`] makes the plan.

mod counting;
mod elementwise;
mod indexing;
mod linalg;
mod movement;
mod outputs;
mod reductions;
mod sources;

use crate::dtype::{DType, Scalar};
use crate::plan::Part;

/// Handle of an array under construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Array(pub(crate) u32);

/// An operand: an array, or a Python number, which is weak in promotion (NEP 50).
#[derive(Clone, Copy, Debug)]
pub enum Operand {
    /// An array.
    Array(Array),
    /// A Python number.
    Scalar(Scalar),
}

impl From<Array> for Operand {
    fn from(a: Array) -> Operand {
        Operand::Array(a)
    }
}

impl From<Scalar> for Operand {
    fn from(s: Scalar) -> Operand {
        Operand::Scalar(s)
    }
}

/// Why an array cannot be built. The document layer adds file, array name and column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BuildError(pub String);

/// Result of a builder call.
pub type Result<T> = std::result::Result<T, BuildError>;

/// Chunk sizes as a document says them.
#[derive(Clone, Debug, PartialEq)]
pub enum ChunkSpec {
    /// About 128 MiB a chunk, as dask's `chunks="auto"`.
    Auto,
    /// One entry an axis.
    Each(Vec<AxisChunks>),
}

/// Chunk sizes along one axis.
#[derive(Clone, Debug, PartialEq)]
pub enum AxisChunks {
    /// `n, n, …, rest`
    Size(u64),
    /// Every size.
    Sizes(Vec<u64>),
    /// One chunk (`-1` in dask).
    Whole,
    /// What fits 128 MiB a chunk.
    Auto,
}

/// One item of an index expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Index {
    /// Drops the axis.
    Int(i64),
    /// Python's slice.
    Slice {
        /// First index.
        start: Option<i64>,
        /// One past the last index.
        stop: Option<i64>,
        /// Distance.
        step: Option<i64>,
    },
    /// `None`: inserts an axis.
    NewAxis,
    /// `...`
    Ellipsis,
    /// A list of integers.
    Ints(Vec<i64>),
    /// A list of booleans, as long as the axis.
    Mask(Vec<bool>),
    /// A boolean array (of one axis, or of the shape of the whole array), or a one-dimensional integer array.
    Array(Array),
}

/// Nested lists of arrays, as `numpy.block` takes them.
#[derive(Clone, Debug, PartialEq)]
pub enum Nested {
    /// An array.
    Array(Array),
    /// A list.
    List(Vec<Nested>),
}

/// Builds arrays and outputs, then the plan.
#[derive(Default)]
pub struct Builder {}

fn not_yet<T>() -> Result<T> {
    Err(BuildError("not built yet".into()))
}

/// Chunk sizes of an array of this shape: dask's `normalize_chunks`.
///
/// # Errors
/// Names the axis and the sizes that do not fit.
pub fn normalize_chunks(spec: &ChunkSpec, shape: &[u64], dtype: DType) -> Result<Vec<Vec<u64>>> {
    let _ = (spec, shape, dtype);
    not_yet()
}

impl Builder {
    /// No arrays yet.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Element type.
    pub fn dtype(&self, a: Array) -> DType {
        let _ = a;
        DType::Float64
    }

    /// Extents; `None` where unknown (after boolean indexing or `unique`).
    pub fn shape(&self, a: Array) -> Vec<Option<u64>> {
        let _ = a;
        vec![]
    }

    /// Chunk sizes along each axis; `u64::MAX` where unknown.
    pub fn chunks(&self, a: Array) -> &[Vec<u64>] {
        let _ = a;
        &[]
    }

    /// Tasks that the outputs need at most, counted without expanding.
    pub fn tasks(&self) -> u128 {
        0
    }

    /// The plan: arrays that no output needs make no tasks.
    ///
    /// # Errors
    /// When the plan would not fit its format.
    pub fn finish(self) -> Result<Vec<Part>> {
        not_yet()
    }
}
