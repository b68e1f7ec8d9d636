//! Results that stay with the engine, and waiting for them.

use crate::backend::{Backend, Job, fetch, hold};
use crate::engine::Inner;
use crate::passed;
use crate::sharing::Request;
use crate::value;
use crate::wait::{lock, wait};
use dask_array::Value;
use dask_plan::plan::External;
use dask_runtime::scheduler::{JobEvent, Subscriber};
use dask_runtime::worker::Trouble;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::Duration;

/// A job whose results are kept.
pub(crate) struct Kept {
    inner: Arc<Inner>,
    job: Arc<Job>,
    /// Results that were passed within the arguments of its calls, until it has ended.
    passed: Mutex<Vec<Handle>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    done: HashMap<u32, Status>,
    /// The job's end, when it failed or was cancelled as a whole.
    failed: Option<Trouble>,
    /// Results that were given up, and so are released already.
    cancelled: HashSet<u32>,
    watches: HashMap<u32, Vec<(Arc<Watched>, usize)>>,
    /// Handles of each result; of most there is one.
    handles: HashMap<u32, u32>,
}

#[derive(Clone, Copy, PartialEq)]
enum Status {
    Finished,
    Error,
}

/// What a watch has seen.
#[derive(Default)]
pub(crate) struct Watched {
    done: Mutex<Seen>,
    bell: Condvar,
}

#[derive(Default)]
struct Seen {
    /// Numbers of results that are there, and were not asked for yet.
    fresh: Vec<usize>,
    /// How many must be there to ring.
    wanted: usize,
}

impl Watched {
    pub(crate) fn add(&self, number: usize) {
        let mut seen = lock(&self.done);
        seen.fresh.push(number);
        if seen.fresh.len() >= seen.wanted {
            self.bell.notify_all();
        }
    }
}

impl Kept {
    fn new(inner: &Arc<Inner>, job: &Arc<Job>, passed: Vec<Handle>) -> Arc<Kept> {
        let (inner, job, passed, state) =
            (Arc::clone(inner), Arc::clone(job), Mutex::new(passed), Mutex::default());
        Arc::new(Kept { inner, job, passed, state })
    }

    /// Of a job of this client.
    pub(crate) fn own(inner: &Arc<Inner>, job: &Arc<Job>, passed: Vec<Handle>) -> Arc<Kept> {
        let kept = Kept::new(inner, job, passed);
        lock(&inner.keepers).insert(job.name.clone(), Arc::downgrade(&kept));
        kept
    }

    /// Of any job, by its name: what is there already, or a new one.
    fn of(inner: &Arc<Inner>, name: String) -> Arc<Kept> {
        let mut keepers = lock(&inner.keepers);
        if let Some(kept) = keepers.get(&name).and_then(Weak::upgrade) {
            return kept;
        }
        let kept = Kept::new(inner, &Arc::new(Job { number: 0, name: name.clone() }), vec![]);
        keepers.insert(name, Arc::downgrade(&kept));
        kept
    }

    /// Hears for it, while it lives.
    pub(crate) fn subscriber(kept: &Arc<Kept>) -> Subscriber {
        let told = Arc::downgrade(kept);
        Box::new(move |event: &JobEvent| told.upgrade().map(|kept| kept.hear(event)).is_some())
    }

    /// Takes in what the scheduler tells; never waits for the interpreter.
    pub(crate) fn hear(&self, event: &JobEvent) {
        let mut state = lock(&self.state);
        match event {
            JobEvent::Kept(kept) => {
                let mut watches = vec![];
                for kept in kept {
                    state.done.insert(kept.task, if kept.failed { Status::Error } else { Status::Finished });
                    watches.extend(state.watches.remove(&kept.task).unwrap_or_default());
                }
                drop(state);
                watches.into_iter().for_each(|(watched, number)| watched.add(number));
            }
            JobEvent::Done(_) => {
                drop(state);
                self.forget_passed();
            }
            JobEvent::Failed { error, cause, .. } => {
                state.failed = Some(Trouble { error: error.clone(), cause: cause.clone() });
                let watches = std::mem::take(&mut state.watches);
                drop(state);
                watches.into_values().flatten().for_each(|(watched, number)| watched.add(number));
                self.forget_passed();
            }
            _ => {}
        }
    }

    fn forget_passed(&self) {
        let passed = std::mem::take(&mut *lock(&self.passed));
        drop(passed);
    }

    fn status(&self, task: u32) -> &'static str {
        let state = lock(&self.state);
        if state.cancelled.contains(&task) {
            return "cancelled";
        }
        match (state.done.get(&task), &state.failed) {
            (Some(Status::Finished), _) => "finished",
            (Some(Status::Error), _) => "error",
            (None, Some(_)) => "error",
            (None, None) => "pending",
        }
    }

    /// Has a watch told when a result is there.
    ///
    /// # Errors
    /// When it will never be: the process was forked meanwhile.
    fn watch(&self, task: u32, watched: &Arc<Watched>, number: usize) -> PyResult<()> {
        let mut state = lock(&self.state);
        if state.done.contains_key(&task) || state.failed.is_some() || state.cancelled.contains(&task) {
            drop(state);
            watched.add(number);
        } else {
            self.inner.check_process()?;
            state.watches.entry(task).or_default().push((Arc::clone(watched), number));
        }
        Ok(())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut keepers = lock(&self.inner.keepers);
        // Another may have taken its place.
        if keepers.get(&self.job.name).is_some_and(|kept| kept.strong_count() == 0) {
            keepers.remove(&self.job.name);
        }
        drop(keepers);
        lock(&self.inner.unheard).push(self.job.name.clone());
    }
}

/// A result that the engine keeps for as long as this lives.
#[pyclass(frozen, module = "dask_runtime._engine")]
pub(crate) struct Handle {
    kept: Arc<Kept>,
    task: u32,
}

impl Handle {
    pub(crate) fn new(kept: &Arc<Kept>, task: u32) -> Handle {
        *lock(&kept.state).handles.entry(task).or_default() += 1;
        Handle { kept: Arc::clone(kept), task }
    }

    /// One more of a result that this process has a handle of.
    fn one_more(kept: &Arc<Kept>, task: u32) -> Option<Handle> {
        *lock(&kept.state).handles.get_mut(&task)? += 1;
        Some(Handle { kept: Arc::clone(kept), task })
    }

    /// Of a result that somebody keeps, maybe another client.
    ///
    /// # Errors
    /// When nobody does any more.
    pub(crate) fn again(py: Python<'_>, inner: &Arc<Inner>, name: String, task: u32) -> PyResult<Handle> {
        let kept = Kept::of(inner, name);
        if let Some(handle) = Handle::one_more(&kept, task) {
            return Ok(handle);
        }
        match &inner.backend {
            Backend::Here(_) if inner.take_back(&kept.job, task) => Ok(Handle::new(&kept, task)),
            Backend::Here(_) => Err(PyRuntimeError::new_err(
                "a future came here whose result is not kept any more; keep the future until it is used here",
            )),
            Backend::There(session) => {
                hold(py, session, &kept.job.name, task, || Kept::subscriber(&kept))?;
                let others = Handle::one_more(&kept, task);
                if others.is_some() {
                    // Another thread has taken a share meanwhile, and one is enough.
                    inner.release(&kept.job, task);
                }
                Ok(others.unwrap_or_else(|| Handle::new(&kept, task)))
            }
        }
    }

    /// The engine that keeps it.
    pub(crate) fn engine(&self) -> &Arc<Inner> {
        &self.kept.inner
    }

    pub(crate) fn external(&self) -> External {
        External { job: self.kept.job.name.clone(), task: self.task }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = lock(&self.kept.state);
        let Some(left) = state.handles.get_mut(&self.task) else { return };
        *left -= 1;
        if *left == 0 {
            state.handles.remove(&self.task);
            let released = state.cancelled.remove(&self.task);
            drop(state);
            if !released {
                self.kept.inner.release(&self.kept.job, self.task);
            }
        }
    }
}

#[pymethods]
impl Handle {
    /// "pending", "finished", "error" or "cancelled".
    #[getter]
    fn status(&self) -> &'static str {
        self.kept.status(self.task)
    }

    /// The value, which must be there: a copy where the engine's own could be changed by its receiver.
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.fetch(py)? {
            Ok(value) => received(py, &self.kept.inner.backend, &value),
            Err(trouble) => Err(value::error(py, &trouble)),
        }
    }

    /// The exception, if the task raised one.
    fn exception(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match self.fetch(py)? {
            Ok(_) => Ok(None),
            Err(trouble) => Ok(Some(value::error(py, &trouble).into_value(py).into_any())),
        }
    }

    /// By what it is found again: its job and task. It is kept until who gets these has had time to ask for it.
    fn share(&self) -> (String, u32) {
        passed::note(Handle::new(&self.kept, self.task), &self.kept.inner);
        let External { job, task } = self.external();
        (job, task)
    }
}

impl Handle {
    fn cancel(&self) {
        let mut state = lock(&self.kept.state);
        if !state.cancelled.insert(self.task) {
            return;
        }
        let watches = state.watches.remove(&self.task).unwrap_or_default();
        drop(state);
        watches.into_iter().for_each(|(watched, number)| watched.add(number));
        self.kept.inner.release(&self.kept.job, self.task);
    }

    /// Why there is no value to fetch.
    fn trouble(&self) -> Option<Trouble> {
        let state = lock(&self.kept.state);
        if state.cancelled.contains(&self.task) {
            return Some(Trouble::from("it was cancelled".to_string()));
        }
        state.failed.clone()
    }

    fn fetch(&self, py: Python<'_>) -> PyResult<Result<Value, Trouble>> {
        if let Some(trouble) = self.trouble() {
            return Ok(Err(trouble));
        }
        let mut values = fetch(py, &self.kept.inner.backend, &[self.external()])?;
        values.pop().ok_or_else(|| PyRuntimeError::new_err("the result is not there (yet)"))
    }
}

/// The object of a kept value that a client gets: its own, whatever it does with it.
fn received<'py>(py: Python<'py>, backend: &Backend, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    match backend {
        Backend::Here(_) => value::fresh(py, value),
        // It came for this client alone.
        Backend::There(_) => value::object(py, value),
    }
}

/// What can be waited for.
#[derive(FromPyObject)]
enum Awaited<'py> {
    Handle(PyRef<'py, Handle>),
    Request(PyRef<'py, Request>),
}

/// Says which of some results are there, as they come.
#[pyclass(frozen, module = "dask_runtime._engine")]
pub(crate) struct Watch {
    watched: Arc<Watched>,
}

#[pymethods]
impl Watch {
    #[new]
    fn new(handles: Vec<PyRef<'_, Handle>>) -> PyResult<Watch> {
        let watched = Arc::new(Watched::default());
        lock(&watched.done).wanted = usize::MAX;
        for (number, handle) in handles.iter().enumerate() {
            handle.kept.watch(handle.task, &watched, number)?;
        }
        Ok(Watch { watched })
    }

    /// Watches one more, under a number of the caller's.
    fn add(&self, awaited: Awaited<'_>, number: usize) -> PyResult<()> {
        match awaited {
            Awaited::Handle(handle) => handle.kept.watch(handle.task, &self.watched, number),
            Awaited::Request(request) => request.watch(&self.watched, number),
        }
    }

    /// Waits until `count` have come that were not returned before; returns their numbers. Fewer when `timeout` seconds are
    /// over, or when the count is there already.
    #[pyo3(signature = (count, timeout = None))]
    fn wait(&self, py: Python<'_>, count: usize, timeout: Option<f64>) -> PyResult<Vec<usize>> {
        lock(&self.watched.done).wanted = count;
        let timeout = timeout.map(|t| Duration::try_from_secs_f64(t.max(0.0)).unwrap_or(Duration::MAX / 4));
        let seen = wait(py, &self.watched.done, &self.watched.bell, timeout, |seen| {
            (seen.fresh.len() >= count).then(|| std::mem::take(&mut seen.fresh))
        })?;
        Ok(seen.unwrap_or_else(|| std::mem::take(&mut lock(&self.watched.done).fresh)))
    }
}

/// Gives results up: what has not started does not start, unless something else needs it; the result of what runs is dropped.
#[pyfunction]
pub(crate) fn cancel(py: Python<'_>, handles: Vec<PyRef<'_, Handle>>) {
    let mut engines: Vec<&Arc<Inner>> = vec![];
    for handle in &handles {
        handle.cancel();
        if !engines.iter().any(|inner| Arc::ptr_eq(inner, handle.engine())) {
            engines.push(handle.engine());
        }
    }
    py.detach(|| {
        engines.iter().for_each(|inner| {
            inner.let_go();
        })
    });
}

/// The values of results, once all of them are there.
///
/// # Errors
/// What the first of them that failed raised.
#[pyfunction]
pub(crate) fn gather<'py>(
    py: Python<'py>,
    handles: Vec<PyRef<'py, Handle>>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let watched = Arc::new(Watched::default());
    let count = handles.len();
    lock(&watched.done).wanted = count;
    for (number, handle) in handles.iter().enumerate() {
        handle.kept.watch(handle.task, &watched, number)?;
    }
    wait(py, &watched.done, &watched.bell, None, |seen| (seen.fresh.len() >= count).then_some(()))?;
    let mut values = Vec::with_capacity(count);
    // One question for all that one backend holds.
    for same in handles.chunk_by(|a, b| Arc::ptr_eq(&a.kept.inner, &b.kept.inner)) {
        let backend = &same[0].kept.inner.backend;
        if let Some(trouble) = same.iter().find_map(|handle| handle.trouble()) {
            return Err(value::error(py, &trouble));
        }
        let results: Vec<External> = same.iter().map(|handle| handle.external()).collect();
        for value in fetch(py, backend, &results)? {
            values.push(match value {
                Ok(value) => received(py, backend, &value)?,
                Err(trouble) => return Err(value::error(py, &trouble)),
            });
        }
    }
    Ok(values)
}
