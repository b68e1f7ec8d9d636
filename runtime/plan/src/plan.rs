//! Plans: the graph document's machine form, version 1.
//!
//! A plan is a stream of [`Part`]s, MessagePack maps one after another. Numbers (names, templates, blobs, tasks) count
//! on from part to part, so a client can send the first tasks while it still makes the last ones. A plan file
//! is its parts, concatenated. Tasks are columns: a million tasks with two inputs take 16 bytes each.
//!
//! Task ids are dense, in the order in which the parts list them, and inputs name only earlier ids: no cycle can
//! be written. The order is also the priority, lower first; [`crate::order`] makes it so that memory stays flat.

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
    /// Tasks, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Block>,
    /// Results for the submitter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Output>,
    /// Nothing follows.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub last: bool,
}

/// A task's body and what all tasks with that body share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// For people: names in errors, metrics and progress.
    pub name: String,
    /// What it does.
    pub body: Body,
    /// Bytes of a typical result, 0 when unknown; placement and order use it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub nbytes: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// What a task does. Python bodies join this enum with the Python package.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A native program.
    Program(Program),
}

/// Tasks of one template, as columns.
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
    /// Annotations that hold for every task of the block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
}

/// What Dask's `annotate` can say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Annotations {
    /// Higher runs earlier, before the static order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// How often a task that raised is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
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

/// Where an output goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sink {
    /// To the submitter's terminal as numpy prints it. The one task's result is what numpy shows: the whole array, or
    /// with `edge` a summary, in which each axis longer than `2 * edge` is cut to its first and last `edge` items.
    Print {
        /// Items at each end, or `None` when the whole array is printed.
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
