//! A task as the worker has it: its body, made ready, and its columns in the orders that brought it.

use super::lane::{Call, Trouble};
use crate::net::message::Orders;
use dask_array::{Context, Prepared, Value};
use dask_core::{JobId, TaskId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Orders and the blobs that came with them.
#[derive(Debug, Default)]
pub struct Batch {
    /// The columns.
    pub orders: Orders,
    /// The payloads, as one-dimensional uint8 chunks, or what the host handed in when it is in this process.
    pub blobs: Vec<Value>,
}

/// No blob came with the task.
pub(super) const NO_BLOB: u32 = u32::MAX;

/// What tasks of a class do, made ready.
pub(super) enum Body {
    Program(Prepared),
    Call(Arc<dyn Call>),
}

/// A body and what its tasks share.
pub(super) struct Class {
    pub(super) body: Result<Body, String>,
    pub(super) rank: i32,
    /// Arguments that each task has.
    pub(super) args: usize,
    pub(super) context: Arc<Context>,
    /// Moving average of a run's nanoseconds; 0 when none is known.
    pub(super) nanos: AtomicU64,
}

impl Class {
    /// Takes in how long a run took.
    pub(super) fn learn(&self, nanos: u64) {
        let old = self.nanos.load(Ordering::Relaxed);
        let new = if old == 0 { nanos } else { old - old / 4 + nanos / 4 };
        self.nanos.store(new.max(1), Ordering::Relaxed);
    }
}

/// A task that was ordered and has not started.
pub(super) struct Task {
    pub(super) id: TaskId,
    pub(super) class: Arc<Class>,
    pub(super) batch: Arc<Batch>,
    /// Its place among the tasks of the orders.
    pub(super) index: u32,
    /// Where its inputs start in their column, and how many there are.
    pub(super) inputs: (u32, u32),
    /// Where its arguments start in their column.
    pub(super) args: u32,
    /// Which of the batch's blobs is its last input, or [`NO_BLOB`].
    pub(super) blob: u32,
    /// A client wants its result.
    pub(super) wanted: bool,
    /// It is not run: this is its result.
    pub(super) failure: Option<Value>,
}

/// A task that a thread has taken, with everything that it needs.
pub(super) struct Taken {
    pub(super) task: Task,
    pub(super) inputs: Vec<Value>,
}

/// What became of a task.
pub(super) struct Ran {
    pub(super) task: Task,
    pub(super) result: Result<Value, Trouble>,
    pub(super) nanos: u64,
}

impl Task {
    /// Whether it is the host's to run.
    pub(super) fn is_call(&self) -> bool {
        matches!(self.class.body, Ok(Body::Call(_)))
    }

    /// Nanoseconds that it is expected to take; `None` when none of its class ran here yet.
    pub(super) fn expected(&self) -> Option<u64> {
        Some(self.class.nanos.load(Ordering::Relaxed)).filter(|n| *n > 0)
    }

    /// Its result. A failure among its inputs is its own.
    pub(super) fn run(&self, inputs: Vec<Value>) -> Result<Value, Trouble> {
        if let Some(failure) =
            self.failure.as_ref().or_else(|| inputs.iter().find(|v| Trouble::of(v).is_some()))
        {
            return Ok(failure.clone());
        }
        let context = &self.class.context;
        // A thread takes several tasks at a time; the job of those that wait in its hand may be closed meanwhile.
        context.check().map_err(|e| Trouble::from(e.to_string()))?;
        let args = &self.batch.orders.args[self.args as usize..self.args as usize + self.class.args];
        match &self.class.body {
            Ok(Body::Program(prepared)) => {
                prepared.run(inputs, args, context).map_err(|e| Trouble::from(e.to_string()))
            }
            Ok(Body::Call(call)) => call.run(self.id.job, inputs, context),
            Err(error) => Err(Trouble::from(error.clone())),
        }
    }

    pub(super) fn input_ids(&self) -> impl Iterator<Item = TaskId> + '_ {
        (self.inputs.0..self.inputs.0 + self.inputs.1).map(|i| self.batch.orders.inputs.at(i as usize))
    }

    /// What sorts first runs first.
    fn order(&self) -> (i32, JobId, u32) {
        (self.class.rank, self.id.job, self.id.local)
    }
}

impl PartialEq for Task {
    fn eq(&self, other: &Task) -> bool {
        self.order() == other.order()
    }
}
impl Eq for Task {}
impl PartialOrd for Task {
    fn partial_cmp(&self, other: &Task) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Task {
    /// The heap gives its greatest first, which is what sorts first here.
    fn cmp(&self, other: &Task) -> std::cmp::Ordering {
        other.order().cmp(&self.order())
    }
}
