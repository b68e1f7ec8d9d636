//! The [`Builder`]: arrays are built by calls in numpy's terms; dtypes, shapes and chunks are inferred at once, so
//! that a mistake is reported where it stands. [`Builder::finish`] makes the plan.

mod chunks;
mod counting;
mod elementwise;
mod gather;
mod indexing;
mod linalg;
mod movement;
pub(crate) mod node;
mod outputs;
mod overlap;
mod reductions;
mod reshape;
mod sources;

use crate::dtype::{DType, Scalar};
use crate::lower::Groups;
use crate::plan::{Part, Sink};
use crate::program::Op;
use node::{Kind, Map, Node, Params, extent};
use std::collections::HashMap;
use std::sync::Arc;

pub use chunks::normalize_chunks;

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
#[derive(Clone, Default)]
pub struct Builder {
    pub(crate) nodes: Vec<Node>,
    /// Equal arrays are built once.
    seen: HashMap<String, Array>,
    pub(crate) wanted: Vec<Wanted>,
    /// Inside the function of `map_overlap`, which sees one block at a time.
    by_block: bool,
}

/// An output that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    /// The array as the user named it.
    pub(crate) array: Array,
    /// The array whose blocks are the output's tasks; printed arrays have none yet.
    pub(crate) made: Option<Array>,
    pub(crate) to: Sink,
}

macro_rules! err {
    ($($t:tt)*) => { Err($crate::builder::BuildError(format!($($t)*))) };
}
pub(crate) use err;

impl Builder {
    /// No arrays yet.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Element type.
    pub fn dtype(&self, a: Array) -> DType {
        self.node(a).dtype
    }

    /// Extents; `None` where unknown (after boolean indexing or `unique`).
    pub fn shape(&self, a: Array) -> Vec<Option<u64>> {
        self.chunks(a).iter().map(|c| extent(c)).collect()
    }

    /// Chunk sizes along each axis; `u64::MAX` where unknown.
    pub fn chunks(&self, a: Array) -> &[Vec<u64>] {
        &self.node(a).chunks
    }

    /// Tasks that the outputs need at most, counted without expanding.
    pub fn tasks(&self) -> u128 {
        Groups::of(&self.with_outputs()).tasks()
    }

    /// The plan: arrays that no output needs make no tasks.
    ///
    /// # Errors
    /// When the plan would have more than 2^32 - 1 tasks.
    pub fn finish(self) -> Result<Vec<Part>> {
        let whole = self.with_outputs();
        crate::lower::lower(&whole, &Groups::of(&whole))
    }

    /// # Panics
    /// If the handle is another builder's.
    pub(crate) fn node(&self, a: Array) -> &Node {
        &self.nodes[a.0 as usize]
    }

    /// Adds an array, unless there is an equal one.
    pub(crate) fn add(&mut self, kind: Kind, dtype: DType, chunks: Vec<Vec<u64>>) -> Array {
        // Comparing costs more than it saves where there are very many numbers.
        let large = match &kind {
            Kind::Blocks { op: Some(Op::Literal { data, .. }), .. } => data.len() > 1 << 16,
            _ => chunks.iter().map(Vec::len).sum::<usize>() > 1 << 16,
        };
        let key = if large { String::new() } else { format!("{kind:?} {dtype} {chunks:?}") };
        if let Some(&a) = self.seen.get(&key).filter(|_| !large) {
            return a;
        }
        let a = Array(self.nodes.len() as u32);
        self.nodes.push(Node { kind, dtype, chunks: Arc::new(chunks), keep: false });
        if !large {
            self.seen.insert(key, a);
        }
        a
    }

    /// Adds an array whose blocks come from one block of each operand.
    pub(crate) fn blocks(
        &mut self,
        op: Option<Op>,
        of: Vec<(Array, Vec<Map>)>,
        params: Params,
        dtype: DType,
        chunks: Vec<Vec<u64>>,
    ) -> Array {
        self.add(Kind::Blocks { op, of, params: params.0, classes: vec![] }, dtype, chunks)
    }

    /// Every axis of an array as it is.
    pub(crate) fn same(&self, a: Array) -> Vec<Map> {
        (0..self.chunks(a).len()).map(|i| Map::Axis(i as u32)).collect()
    }

    /// The shape, or an error that names the operator.
    pub(crate) fn known(&self, a: Array, what: &str) -> Result<Vec<u64>> {
        match self.shape(a).into_iter().collect::<Option<Vec<_>>>() {
            Some(shape) => Ok(shape),
            None => err!(
                "{what} needs known sizes, but the shape is {}: boolean indexing and unique give sizes that only \
                 running tells; use where(mask, x, 0) to keep the shape, or reduce first",
                self.shape_text(a)
            ),
        }
    }

    /// Refuses what needs the whole array where there are only blocks.
    pub(crate) fn not_by_block(&self, what: &str) -> Result<()> {
        if self.by_block {
            return err!(
                "{what} inside the function of map_overlap, which sees one block at a time; compute it before and pass it in"
            );
        }
        Ok(())
    }

    /// numpy's axis, counted from the front.
    pub(crate) fn axis(&self, axis: i64, ndim: usize) -> Result<usize> {
        let n = ndim as i64;
        if (-n..n).contains(&axis) {
            Ok(axis.rem_euclid(n.max(1)) as usize)
        } else {
            err!("axis {axis} is out of bounds for an array of {ndim} dimensions")
        }
    }

    /// Sorted axes without repeats; all when `None`.
    pub(crate) fn axes(&self, axes: Option<&[i64]>, ndim: usize) -> Result<Vec<usize>> {
        let Some(axes) = axes else { return Ok((0..ndim).collect()) };
        let mut out = axes.iter().map(|&a| self.axis(a, ndim)).collect::<Result<Vec<_>>>()?;
        out.sort_unstable();
        match out.windows(2).find(|w| w[0] == w[1]) {
            Some(w) => err!("axis {} is given twice in {axes:?}", w[0]),
            None => Ok(out),
        }
    }
}
