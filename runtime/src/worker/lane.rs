//! The seam to what runs bodies that are no programs: the Python process that hosts the engine.

use super::Engine;
use dask_array::{Chunk, Context, Foreign, Value};
use dask_core::JobId;
use dask_plan::plan::Python;
use std::any::Any;
use std::sync::Arc;

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

/// Why a task brought no result.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// What it said.
    pub error: String,
    /// The host's own form of it, such as the exception.
    pub cause: Option<Arc<dyn Foreign>>,
}

impl Trouble {
    /// The failure that a value is, if it is one.
    pub fn of(value: &Value) -> Option<&Trouble> {
        match value {
            Value::Foreign(foreign) => foreign.any().downcast_ref(),
            _ => None,
        }
    }
}

impl Foreign for Trouble {
    fn held_bytes(&self) -> usize {
        self.error.len() + self.cause.as_ref().map_or(0, |cause| cause.held_bytes())
    }

    fn describe(&self) -> String {
        self.error.clone()
    }

    fn pack(&self) -> Result<Vec<Chunk>, String> {
        Err(self.error.clone())
    }

    fn any(&self) -> &dyn Any {
        self
    }
}

impl From<Trouble> for Value {
    fn from(trouble: Trouble) -> Value {
        Value::Foreign(Arc::new(trouble))
    }
}

impl From<String> for Trouble {
    fn from(error: String) -> Trouble {
        Trouble { error, cause: None }
    }
}
