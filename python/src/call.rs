//! Python calls on compute threads.

use crate::interrupt::Running;
use crate::native::Native;
use crate::spec::Spec;
use crate::value::{self, Object};
use dask_array::{Chunk, Context, Foreign, Value};
use dask_core::JobId;
use dask_plan::plan::Python as Body;
use dask_runtime::worker::{Call, Engine, Lane, Trouble};
use pyo3::prelude::*;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A call as the blob of its task, in the process that made it.
pub(crate) struct Live {
    pub(crate) spec: Spec,
    /// Inputs that somebody keeps: a function that may edit them gets copies.
    pub(crate) kept: Vec<usize>,
    pub(crate) native: Option<LiveNative>,
}

/// How a call may run without Python.
pub(crate) struct LiveNative {
    pub(crate) native: Arc<Native>,
    pub(crate) literals: Vec<Chunk>,
    pub(crate) numbers: Vec<i64>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a call of {} steps", self.spec.steps.len())
    }
}

impl Foreign for Live {
    fn held_bytes(&self) -> usize {
        0
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    fn pack(&self) -> Result<Vec<Chunk>, String> {
        Err("a call that was made for this process".into())
    }

    fn any(&self) -> &dyn Any {
        self
    }
}

/// Makes calls in this process.
#[derive(Default)]
pub(crate) struct PythonLane {
    pub(crate) running: Arc<Running>,
}

impl Lane for PythonLane {
    fn thread(&self, engine: &Arc<Engine>, run: &mut dyn FnMut()) {
        crate::wait::compute_for(Some(Arc::clone(engine)));
        // Attaching anew for each call would make and destroy a thread state each time, which costs more than most calls.
        let mut run = Send(run);
        Python::attach(|py| py.detach(move || (run.take())()));
        crate::wait::compute_for(None);
    }

    fn calls(&self, run: &mut dyn FnMut()) {
        Python::attach(|_| run());
    }

    fn idle(&self) {
        // Objects that were dropped without the interpreter are freed when a thread comes back to it.
        Python::attach(|_| ());
    }

    fn prepare(&self, body: &Body) -> Result<Arc<dyn Call>, String> {
        if body.call.is_empty() {
            Ok(Arc::new(LiveCall { running: Arc::clone(&self.running) }))
        } else {
            Err("a pickled call".into())
        }
    }
}

/// A closure that stays on its thread.
struct Send<'a>(&'a mut dyn FnMut());
// SAFETY: `detach` runs it on the calling thread; PyO3 asks for `Send` lest values bound to the interpreter slip through, and
// the compute loop holds none.
#[allow(unsafe_code)]
unsafe impl std::marker::Send for Send<'_> {}
impl<'a> Send<'a> {
    fn take(&mut self) -> &mut (dyn FnMut() + 'a) {
        &mut self.0
    }
}

/// Runs the call that the task's blob is.
struct LiveCall {
    running: Arc<Running>,
}

impl Call for LiveCall {
    fn run(&self, job: JobId, mut inputs: Vec<Value>, context: &Context) -> Result<Value, Trouble> {
        let blob = inputs.pop();
        let live = match &blob {
            Some(Value::Foreign(foreign)) => foreign.any().downcast_ref::<Live>(),
            _ => None,
        };
        let Some(Live { spec, kept, native }) = live else {
            return Err(Trouble::from("a task without its call".to_string()));
        };
        if let Some(LiveNative { native, literals, numbers }) = native
            && let Some(value) =
                Python::attach(|py| py.detach(|| native.run(&inputs, literals, numbers, context)))
        {
            return Ok(value);
        }
        Python::attach(|py| {
            let call = self.running.enter(py, job);
            // A job that is closed after this finds the call among those that it interrupts.
            context.check().map_err(|e| Trouble::from(e.to_string()))?;
            // What runs native only reads.
            let edits = |i: usize| native.is_none() && kept.contains(&i);
            let object = |(i, v)| if edits(i) { value::fresh(py, v) } else { value::object(py, v) };
            let objects = inputs.iter().enumerate().map(object).collect::<PyResult<Vec<_>>>();
            let result = objects.and_then(|objects| spec.run(py, objects));
            drop(call);
            crate::wait::rejoin(py);
            match result {
                Ok(object) => Ok(Object::value(&object)),
                Err(error) => Err(trouble(py, error)),
            }
        })
    }
}

/// An exception as a task's failure.
pub(crate) fn trouble(py: Python<'_>, error: PyErr) -> Trouble {
    let name = error.get_type(py).name().map_or_else(|_| "an exception".into(), |n| n.to_string());
    let value = error.into_value(py).into_bound(py);
    let text = value.str().map_or_else(|_| String::new(), |s| s.to_string());
    let error_text = if text.is_empty() { name } else { format!("{name}: {text}") };
    // The traceback is part of the value.
    Trouble { error: error_text, cause: Some(Arc::new(Object::new(value.as_any()))) }
}
