//! Plans: the graph document's machine form, version 1.
//!
//! A plan is a stream of [`Part`]s, MessagePack maps one after another. Numbers (names, templates, blobs, tasks) count
//! on from part to part, so a client can send the first tasks while it still makes the last ones. A plan file
//! is its parts, concatenated. Tasks are columns: a million tasks with two inputs take 16 bytes each.
//!
//! Task ids are dense, in the order in which the parts list them, and inputs name only earlier ids: no cycle can
//! be written. The order is also the priority, lower first; [`crate::order`] makes it so that memory stays flat.
//!
//! [`Layer`]s stand for tasks on a regular grid. They count on in the same numbers (a part's blocks come before its
//! layers); [`crate::expand`] turns them into blocks, and gives all tasks new numbers in the static order.

use crate::dtype::DType;
use crate::program::Program;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;

/// The version of the graph document that this build writes.
pub const VERSION: u32 = 1;

/// One part of a plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Part {
    /// [`VERSION`]; every part repeats it.
    pub version: u32,
    /// Key prefixes, appended to the table of names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Task bodies, appended to the table of templates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<Template>,
    /// Literal arguments, appended to the table of blobs; each is dropped when the tasks that use it are done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<ByteBuf>,
    /// Results of other jobs that this part's blocks take: an input with [`EXTERNAL`] set is an index into them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub external: Vec<External>,
    /// Tasks, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Block>,
    /// Tasks on regular grids, after the blocks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Layer>,
    /// Results for the submitter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Output>,
    /// Nothing follows.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub last: bool,
}

/// Set in an input's number when the rest of it is an index into [`Part::external`].
pub const EXTERNAL: u32 = 1 << 31;

/// A result that another job of the same scheduler keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct External {
    /// The job's id.
    pub job: String,
    /// Its task.
    pub task: u32,
}

/// A task's body and what all tasks with that body share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// For people: names in errors, metrics and progress.
    pub name: String,
    /// What it does.
    pub body: Body,
    /// Bytes of a typical result, 0 when unknown; placement and order use it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub nbytes: u64,
    /// Bytes that a run takes beside its inputs and its result, 0 when unknown; placement uses it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scratch: u64,
    /// What its tasks were annotated with.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a task does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A native program.
    Program(Program),
    /// A call that only a process with Python can make.
    Python(Python),
}

/// A call of a Python function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Python {
    /// Values the task hands in: results of other tasks, then its blobs.
    pub inputs: u32,
    /// What is called, as the Python package writes it; empty when the task's blob says it.
    #[serde(default, with = "serde_bytes", skip_serializing_if = "Vec::is_empty")]
    pub call: Vec<u8>,
    /// A task that raises does not fail its job: its exception is its result.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tolerant: bool,
}

/// Tasks as columns: of one template, or of several [`TaskKind`]s in turn.
///
/// Columns of numbers are little-endian: `u32` unless said otherwise. A column that is absent (empty) stands for
/// its default in every task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Block {
    /// Number of tasks.
    pub count: u32,
    /// Which template.
    pub template: u32,
    /// Which name the keys start with.
    pub name: u32,
    /// How many indices a key has.
    pub ndim: u32,
    /// When tasks of several templates alternate: what `template`, `name` and `ndim` would say of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<TaskKind>,
    /// Which of `kinds` each task is, when there are any.
    #[serde(with = "serde_bytes", skip_serializing_if = "Vec::is_empty")]
    pub kind: Vec<u8>,
    /// `count × ndim` indices of the keys, task by task.
    #[serde(with = "serde_bytes", skip_serializing_if = "Vec::is_empty")]
    pub index: Vec<u8>,
    /// Input task ids, task by task.
    #[serde(with = "serde_bytes", skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<u8>,
    /// Inputs of each task when they differ: `count` numbers. Otherwise each has as many as the program takes.
    #[serde(with = "serde_bytes", skip_serializing_if = "Vec::is_empty")]
    pub input_counts: Vec<u8>,
    /// `count × args` arguments as `i64`.
    #[serde(with = "serde_bytes", skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<u8>,
    /// One blob id a task: the program's last input.
    #[serde(with = "serde_bytes", skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<u8>,
}

/// What tasks of a mixed block have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskKind {
    /// Which template.
    pub template: u32,
    /// Which name the keys start with.
    pub name: u32,
    /// How many indices a key has.
    pub ndim: u32,
}

/// Tasks on a grid; the task at grid index `(i, j, …)` has the number of the layer's first plus its C-order index.
///
/// Where a task's program depends on its place (a shorter block at the edge that has one neighbour fewer), the
/// indices of an axis are put into classes, and there is one [`LayerPart`] for each combination of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Layer {
    /// Which name the keys start with.
    pub name: u32,
    /// Extents of the grid.
    pub grid: Vec<u32>,
    /// The keys' index along each axis, or nothing when it is the grid's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Table>,
    /// The class of each index along each axis; nothing stands for class 0 everywhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Vec<u32>>,
    /// One for each combination of classes, in C order.
    pub parts: Vec<LayerPart>,
}

/// The tasks of a layer that share a template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerPart {
    /// Which template.
    pub template: u32,
    /// The number of each input task, in the numbering before expansion; earlier than the layer's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Sum>,
    /// Each argument.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Sum>,
}

/// A number that depends on the place in the grid: `base` plus one term for each axis that matters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sum {
    /// The constant.
    pub base: i64,
    /// The axis and what its index adds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<(u32, Table)>,
}

/// A number for each index along an axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// `index * step`
    Step(i64),
    /// One number an index.
    Values(Vec<i64>),
}

impl Table {
    /// The number at an index; wraps on overflow, which [`crate::check`] rules out.
    pub fn at(&self, index: usize) -> i64 {
        match self {
            Table::Step(step) => (index as i64).wrapping_mul(*step),
            Table::Values(values) => values[index],
        }
    }
}

impl Layer {
    /// Number of tasks, saturating.
    pub fn count(&self) -> u64 {
        self.grid.iter().fold(1u64, |n, &g| n.saturating_mul(u64::from(g)))
    }

    /// Class of an index along an axis.
    pub fn class(&self, axis: usize, index: usize) -> usize {
        self.classes.get(axis).and_then(|c| c.get(index)).map_or(0, |&c| c as usize)
    }
}

/// What Dask's `annotate` can say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Annotations {
    /// Higher runs earlier, before the static order.
    #[serde(skip_serializing_if = "is_default")]
    pub priority: i32,
    /// How often a task that raised is tried again.
    #[serde(skip_serializing_if = "is_default")]
    pub retries: u32,
    /// Names or addresses of the workers that may run it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<String>,
    /// Whether other workers may when none of these is there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_other_workers: bool,
    /// Amounts of named resources that it occupies.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub resources: BTreeMap<String, f64>,
}

impl Annotations {
    /// Whether nothing was annotated.
    pub fn is_empty(&self) -> bool {
        *self == Annotations::default()
    }
}

/// A result that the submitter asked for: the grid of tasks that make it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Name in the source document.
    pub name: String,
    /// Where it goes.
    pub to: Sink,
    /// Dtype of the array.
    pub dtype: DType,
    /// Extents of each chunk along each axis of the whole array; `u64::MAX` where unknown.
    pub chunks: Vec<Vec<u64>>,
    /// Tasks whose results are the pieces, `u32` little-endian.
    #[serde(with = "serde_bytes")]
    pub tasks: Vec<u8>,
}

/// numpy prints arrays of more items than this as a summary.
pub const PRINTED_WHOLE: u64 = 1000;

/// Items that a summary shows at each end of an axis.
pub const PRINTED_EDGE: u32 = 3;

/// Where an output goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sink {
    /// To the submitter's terminal as numpy prints it. The one task's result is what numpy shows: the whole array, or
    /// with `edge` a summary, in which each axis longer than `2 * edge` is cut to its first and last `edge` items.
    Print {
        /// Items at each end, or `None` when the task's result is the whole array: because it is printed whole, or
        /// because only its sizes, which are not known before, tell whether it is.
        edge: Option<u32>,
    },
    /// To the submitter, who writes one `.npy` file; one task a chunk in C order.
    Npy {
        /// Path on the submitter.
        path: String,
    },
    /// To the submitter as JSON; one task a chunk in C order.
    Json {
        /// Path on the submitter, or `None` for standard output.
        path: Option<String>,
    },
    /// Written by the workers; the tasks only finish.
    Zarr {
        /// Path on the workers.
        path: String,
    },
    /// Kept on the workers for later graphs.
    Keep,
}
