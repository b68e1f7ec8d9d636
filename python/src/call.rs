//! Python calls on compute threads.

use crate::finalize::Place;
use crate::interrupt::Running;
use crate::native::Native;
use crate::ship;
use crate::spec::{Argument, Spec};
use crate::value::{self, Object};
use dask_array::{Chunk, Context, Foreign, Packed, Value};
use dask_core::JobId;
use dask_plan::plan::Python as Body;
use dask_runtime::worker::{Call, Engine, Lane, Trouble};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex};

/// A call as the blob of its task, in the process that made it.
pub(crate) struct Live {
    pub(crate) spec: Spec,
    /// Inputs that somebody keeps: a function that may edit them gets copies.
    pub(crate) kept: Vec<usize>,
    pub(crate) native: Option<LiveNative>,
    /// Where its result is copied to.
    pub(crate) places: Vec<Place>,
    /// Its result is needed besides.
    pub(crate) needed: bool,
}

/// How a call may run without Python.
pub(crate) struct LiveNative {
    pub(crate) native: Arc<Native>,
    pub(crate) literals: Vec<Chunk>,
    pub(crate) numbers: Vec<i64>,
}

impl Live {
    /// A call that only Python makes, on nothing that is kept.
    pub(crate) fn plain(spec: Spec) -> Live {
        Live { spec, kept: vec![], native: None, places: vec![], needed: true }
    }
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
        let running = Arc::clone(&self.running);
        Ok(if body.call.is_empty() {
            Arc::new(LiveCall { running })
        } else {
            Arc::new(SentCall { running, bytes: body.call.clone(), body: Mutex::default() })
        })
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
        let Some(live) = live else {
            return Err(Trouble::from("a task without its call".to_string()));
        };
        let value = self.value(job, live, inputs, context)?;
        if live.places.is_empty() {
            return Ok(value);
        }
        context.check().map_err(|e| Trouble::from(e.to_string()))?;
        let kept = if live.needed { value.clone() } else { Value::Tuple(vec![]) };
        Python::attach(|py| {
            py.detach(|| {
                let (first, rest) = live.places.split_at(1);
                rest.iter().for_each(|(result, at)| result.put(*at, value.clone()));
                if let [(result, at)] = first {
                    result.put(*at, value);
                }
            });
        });
        Ok(kept)
    }
}

impl LiveCall {
    fn value(
        &self,
        job: JobId,
        live: &Live,
        mut inputs: Vec<Value>,
        context: &Context,
    ) -> Result<Value, Trouble> {
        let Live { spec, kept, native, needed, places } = live;
        // What is only copied from here need not be copied before.
        if spec.steps.is_empty() && matches!(spec.result, Argument::Input(0)) && !places.is_empty() && !needed
        {
            return inputs.pop().ok_or_else(|| Trouble::from("a task without its input".to_string()));
        }
        if let Some(LiveNative { native, literals, numbers }) = native
            && let Some(value) =
                Python::attach(|py| py.detach(|| native.run(&inputs, literals, numbers, context)))
        {
            return Ok(value);
        }
        let task = PythonTask { spec, kept, reads: native.is_some(), job, context };
        Python::attach(|py| task.run(py, &self.running, &inputs, |_| Ok(vec![])).map_err(|e| here(py, e)))
    }
}

/// Runs the call of a body that came from another process.
struct SentCall {
    running: Arc<Running>,
    bytes: Vec<u8>,
    body: Mutex<Option<Arc<ship::Unpacked>>>,
}

impl SentCall {
    fn body(&self, py: Python<'_>) -> PyResult<Arc<ship::Unpacked>> {
        if let Some(body) = &*crate::wait::lock(&self.body) {
            return Ok(Arc::clone(body));
        }
        // Not under the lock: making it may let other threads have the interpreter.
        let body = ship::body(py, &self.bytes)?;
        *crate::wait::lock(&self.body) = Some(Arc::clone(&body));
        Ok(body)
    }
}

impl Call for SentCall {
    fn run(&self, job: JobId, mut inputs: Vec<Value>, context: &Context) -> Result<Value, Trouble> {
        let blob = inputs.pop();
        let Some(Value::Array(blob)) = &blob else {
            return Err(Trouble::from("a task without its arguments".to_string()));
        };
        Python::attach(|py| {
            let ran = self.body(py).and_then(|body| {
                let differences = ship::differences(blob)?;
                if let Some(native) = &body.native {
                    let ship::Differences { numbers, literals, .. } = &differences;
                    let native = py.detach(|| native.run(&inputs, literals, numbers, context));
                    if let Some(value) = native {
                        return Ok(value);
                    }
                }
                let (spec, kept, reads) = (&body.spec, &body.kept, body.native.is_some());
                let task = PythonTask { spec, kept, reads, job, context };
                task.run(py, &self.running, &inputs, |py| differences.own(py, blob))
            });
            ran.map_err(|error| elsewhere(py, error))
        })
    }
}

/// A task that Python runs.
struct PythonTask<'a> {
    spec: &'a Spec,
    kept: &'a [usize],
    /// It only reads its inputs.
    reads: bool,
    job: JobId,
    context: &'a Context,
}

impl PythonTask<'_> {
    /// Makes its calls. `own` makes its own literals.
    ///
    /// # Errors
    /// What they raise.
    fn run<'py>(
        &self,
        py: Python<'py>,
        running: &Arc<Running>,
        inputs: &[Value],
        own: impl FnOnce(Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>>,
    ) -> PyResult<Value> {
        let call = running.enter(py, self.job);
        // A job that is closed after this finds the call among those that it interrupts.
        self.context.check().map_err(|e| PyRuntimeError::new_err(e.to_string()))?;
        let edits = |i: usize| !self.reads && self.kept.contains(&i);
        let object = |(i, v)| if edits(i) { value::fresh(py, v) } else { value::object(py, v) };
        let objects = inputs.iter().enumerate().map(object).collect::<PyResult<Vec<_>>>();
        let result = objects.and_then(|objects| self.spec.run(py, objects, &own(py)?));
        drop(call);
        crate::wait::rejoin(py);
        result.map(|object| Object::value(&object))
    }
}

/// An exception as the failure of a task of this process.
fn here(py: Python<'_>, error: PyErr) -> Trouble {
    // The traceback is part of the value.
    let (error, value) = said(py, error);
    Trouble { error, cause: Some(Arc::new(Object::new(&value))) }
}

/// An exception as a failure for another process.
fn elsewhere(py: Python<'_>, error: PyErr) -> Trouble {
    let (error, value) = said(py, error);
    let parts = value::pickled_exception(&value).ok();
    Trouble { error, cause: parts.map(|parts| Arc::new(Packed::new(parts)) as Arc<dyn Foreign>) }
}

/// An exception's words, and it.
fn said(py: Python<'_>, error: PyErr) -> (String, Bound<'_, PyAny>) {
    let name = error.get_type(py).name().map_or_else(|_| "an exception".into(), |n| n.to_string());
    let value = error.into_value(py).into_bound(py).into_any();
    let text = value.str().map_or_else(|_| String::new(), |s| s.to_string());
    (if text.is_empty() { name } else { format!("{name}: {text}") }, value)
}
