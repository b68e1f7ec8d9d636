//! The seam to what runs bodies that are no programs: the Python process that hosts the engine.

use super::Engine;
use dask_array::{Context, Value};
use dask_core::JobId;
use dask_plan::plan::Python;
use std::sync::Arc;

pub use dask_array::Trouble;

/// Makes calls of bodies, and gives compute threads what calls need around them.
pub trait Lane: Send + Sync {
    /// Runs a compute thread: `run` returns when the engine stops.
    fn thread(&self, engine: &Arc<Engine>, run: &mut dyn FnMut());

    /// Runs something that makes calls, which pay less for the host's lock when it is taken once for all of them.
    fn calls(&self, run: &mut dyn FnMut());

    /// Values were dropped, and there is nothing to run: a time to free what the host put off.
    fn idle(&self);

    /// Makes a body ready, once for all tasks that share it. Must not wait.
    ///
    /// # Errors
    /// When it is no body.
    fn prepare(&self, body: &Python) -> Result<Arc<dyn Call>, String>;
}

/// A body, ready to run.
pub trait Call: Send + Sync {
    /// Runs it for a task of `job`: on the results of other tasks, then the blob, if there is one. `context` says when nobody
    /// wants the result any more.
    ///
    /// # Errors
    /// When it raises.
    fn run(&self, job: JobId, inputs: Vec<Value>, context: &Context) -> Result<Value, Trouble>;
}
