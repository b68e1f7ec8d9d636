//! The engine in this process.

use crate::call::PythonLane;
use crate::future::{Handle, Kept};
use crate::graph::{self, Requested};
use crate::map::Row;
use crate::value;
use crate::wait::{lock, wait};
use dask_array::Value;
use dask_core::TaskId;
use dask_plan::plan::{External, Part};
use dask_runtime::embedded::{self, Embedded};
use dask_runtime::scheduler::{Hub, JobEvent, Opened};
use dask_runtime::worker::{Engine as Worker, Trouble};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What an engine and the results that it keeps share.
pub(crate) struct Inner {
    embedded: Embedded,
    runtime: Option<tokio::runtime::Runtime>,
    next: AtomicU64,
    /// Results that nobody refers to any more: they are let go where no interpreter is held.
    released: Mutex<HashMap<u32, Vec<u32>>>,
    pid: u32,
}

impl Inner {
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.embedded.hub
    }

    pub(crate) fn engine(&self) -> &Arc<Worker> {
        &self.embedded.engine
    }

    /// Nobody refers to a result any more.
    pub(crate) fn release(&self, job: u32, task: u32) {
        lock(&self.released).entry(job).or_default().push(task);
    }

    /// Lets go of what was released; whether there was anything. Not to be called while the interpreter is held.
    fn let_go(&self) -> bool {
        let released = std::mem::take(&mut *lock(&self.released));
        if !released.is_empty() {
            self.hub().with(|state| released.iter().for_each(|(job, tasks)| state.let_go(*job, tasks)));
        }
        !released.is_empty()
    }

    /// Refuses a process that was forked after the engine began.
    ///
    /// # Errors
    /// When this is one.
    pub(crate) fn check_process(&self) -> PyResult<()> {
        if self.pid == std::process::id() {
            return Ok(());
        }
        Err(PyRuntimeError::new_err(
            "this engine was started before the process was forked, and its threads are not here: make a Client in the \
             child process, or start children by multiprocessing's \"spawn\" or \"forkserver\"",
        ))
    }

    fn name(&self) -> String {
        format!("graph-{}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn open(&self, name: &str) -> Result<u32, String> {
        self.hub().with(|state| state.open(name, None, 0, false)).map(|opened| match opened {
            Opened::New(job) | Opened::Known(job) => job,
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Keys, and the handle or the future of each.
type Started<'py> = (Vec<Bound<'py, PyString>>, Vec<Bound<'py, PyAny>>);

/// Scheduler and compute threads in this process.
#[pyclass(frozen, module = "dask_runtime._engine")]
pub(crate) struct Engine {
    inner: Arc<Inner>,
}

/// How often released results are looked after when nothing else happens.
const SWEEP: Duration = Duration::from_millis(20);

/// What is there of a graph's results.
#[derive(Default)]
struct Outcome {
    values: HashMap<u32, Value>,
    end: Option<Result<(), Trouble>>,
}

#[pymethods]
impl Engine {
    /// Starts `threads` compute threads that use at most `memory_limit` bytes (0: no limit).
    #[new]
    fn new(threads: usize, memory_limit: u64) -> PyResult<Engine> {
        if threads == 0 {
            return Err(PyValueError::new_err("threads must be at least 1, got 0"));
        }
        let failed = |e: String| PyRuntimeError::new_err(format!("the engine does not start: {e}"));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("dask-runtime")
            .enable_all()
            .build()
            .map_err(|e| failed(e.to_string()))?;
        let options = embedded::Options {
            threads,
            memory_limit,
            data_dirs: vec![".".into()],
            // Values are references here, so nothing is gained by bringing them in turn.
            small_bytes: usize::MAX,
            lane: Some(Arc::new(PythonLane)),
        };
        let embedded = {
            let _context = runtime.enter();
            Embedded::start(options).map_err(failed)?
        };
        let inner = Arc::new(Inner {
            embedded,
            runtime: Some(runtime),
            next: AtomicU64::new(0),
            released: Mutex::default(),
            pid: std::process::id(),
        });
        let weak = Arc::downgrade(&inner);
        if let Some(runtime) = &inner.runtime {
            runtime.spawn(async move {
                let mut every = tokio::time::interval(SWEEP);
                loop {
                    every.tick().await;
                    let Some(inner) = weak.upgrade() else { return };
                    if inner.let_go() {
                        // Objects that were dropped without the interpreter are freed when some thread comes back to it.
                        tokio::task::spawn_blocking(|| Python::attach(|_| ()));
                    }
                }
            });
        }
        Ok(Engine { inner })
    }

    /// Computes `keys` of a graph of `dask._task_spec` nodes; returns their values in that order. `known` are handles of
    /// results that are kept, by their keys.
    fn get<'py>(
        &self,
        py: Python<'py>,
        dsk: &Bound<'py, PyDict>,
        keys: Vec<Bound<'py, PyAny>>,
        known: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.inner.check_process()?;
        let built = graph::build(dsk, &keys, false, &|key| find(known, key))?;
        let results = built.results;
        let outcome: Arc<(Mutex<Outcome>, Condvar)> = Arc::default();
        let mut job = None;
        if !built.part.outputs.is_empty() {
            let (part, live, inner) = (built.part, built.live, &self.inner);
            let told = Arc::clone(&outcome);
            let started = py.detach(|| -> Result<u32, String> {
                inner.let_go();
                let job = inner.open(&inner.name())?;
                inner.hub().with(|state| {
                    state.subscribe(job, Box::new(move |event| hear(&told, event)));
                    state.add_live(job, part, live);
                });
                Ok(job)
            });
            job = Some(started.map_err(PyRuntimeError::new_err)?);
        }
        let end = match job {
            None => Ok(()),
            Some(job) => {
                let end = wait(py, &outcome.0, &outcome.1, None, |o| o.end.take());
                py.detach(|| self.inner.hub().with(|state| state.forget(job)));
                end?.unwrap_or(Ok(()))
            }
        };
        if let Err(trouble) = end {
            return Err(value::error(py, &trouble));
        }
        let values = std::mem::take(&mut lock(&outcome.0).values);
        results
            .iter()
            .map(|requested| match requested {
                Requested::Task(task) => match values.get(task) {
                    Some(value) => value::own(py, value),
                    None => Err(PyRuntimeError::new_err("the engine brought no result")),
                },
                Requested::Data(object) => Ok(object.bind(py).clone()),
                Requested::External(external) => self.external(py, external),
            })
            .collect()
    }

    /// Starts computing `keys` of a graph and returns at once, with a handle for each.
    fn start<'py>(
        &self,
        py: Python<'py>,
        dsk: &Bound<'py, PyDict>,
        keys: Vec<Bound<'py, PyAny>>,
        known: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<Handle>> {
        self.inner.check_process()?;
        let built = graph::build(dsk, &keys, true, &|key| find(known, key))?;
        let kept = self.keep(py, built.part, built.live)?;
        let task = |requested: &Requested| match requested {
            Requested::Task(task) => Ok(Handle::new(&kept, *task)),
            _ => Err(PyRuntimeError::new_err("a kept result that is no task")),
        };
        built.results.iter().map(task).collect()
    }

    /// Starts calls of one function with the items of `columns` in turn; returns keys and handles, or the futures of calls that
    /// are in `known`. `token` says all that the calls share. `None` when an argument is no plain number, string, bytes or None.
    fn map<'py>(
        &self,
        py: Python<'py>,
        function: Bound<'py, PyAny>,
        columns: Vec<Vec<Bound<'py, PyAny>>>,
        name: &str,
        token: &str,
        known: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Started<'py>>> {
        self.inner.check_process()?;
        let Some(mapped) = crate::map::tasks(&function, &columns, name, token, known)? else {
            return Ok(None);
        };
        let kept = self.keep(py, mapped.part, mapped.live)?;
        let found = mapped.rows.into_iter().map(|row| match row {
            Row::Task(task) => Ok(Bound::new(py, Handle::new(&kept, task))?.into_any()),
            Row::Known(future) => Ok(future),
        });
        Ok(Some((mapped.keys, found.collect::<PyResult<Vec<_>>>()?)))
    }

    /// What would run native of a graph: name, what is in the way (`None` for native tasks), and number of tasks.
    fn explain<'py>(
        &self,
        dsk: &Bound<'py, PyDict>,
        keys: Vec<Bound<'py, PyAny>>,
        known: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<(String, Option<String>, usize)>> {
        graph::explain(dsk, &keys, &|key| find(known, key))
    }

    /// Tasks that run at a time.
    #[getter]
    fn threads(&self) -> usize {
        self.inner.engine().settings().threads
    }
}

impl Engine {
    /// Starts a job whose results are kept.
    fn keep(&self, py: Python<'_>, part: Part, live: Vec<Value>) -> PyResult<Arc<Kept>> {
        let inner = &self.inner;
        py.detach(|| -> Result<Arc<Kept>, String> {
            inner.let_go();
            let name = inner.name();
            let job = inner.open(&name)?;
            let kept = Kept::new(inner, job, name);
            let told = Arc::downgrade(&kept);
            inner.hub().with(|state| {
                let hear = move |event: &JobEvent| told.upgrade().map(|kept| kept.hear(event)).is_some();
                state.subscribe(job, Box::new(hear));
                state.add_live(job, part, live);
            });
            Ok(kept)
        })
        .map_err(PyRuntimeError::new_err)
    }

    fn external<'py>(&self, py: Python<'py>, external: &External) -> PyResult<Bound<'py, PyAny>> {
        let inner = &self.inner;
        let value = py.detach(|| {
            let job = inner.hub().with(|state| state.job_number(&external.job))?;
            inner.engine().get(TaskId { job: dask_core::JobId(job), local: external.task })
        });
        match value {
            Some(value) => match Trouble::of(&value) {
                Some(trouble) => Err(value::error(py, trouble)),
                None => value::fresh(py, &value),
            },
            None => Err(PyRuntimeError::new_err("a result that was kept is gone")),
        }
    }
}

/// The kept result of a key.
fn find(known: &Bound<'_, PyAny>, key: &Bound<'_, PyAny>) -> PyResult<Option<External>> {
    if !known.contains(key)? {
        return Ok(None);
    }
    let handle = known.get_item(key)?;
    Ok(Some(handle.cast::<Handle>()?.get().external()))
}

fn hear(outcome: &(Mutex<Outcome>, Condvar), event: &JobEvent) -> bool {
    let mut state = lock(&outcome.0);
    match event {
        JobEvent::Result { task, value } => {
            state.values.insert(*task, value.clone());
            return true;
        }
        JobEvent::Done(_) => state.end = Some(Ok(())),
        JobEvent::Failed { error, cause, .. } => {
            state.end = Some(Err(Trouble { error: error.clone(), cause: cause.clone() }));
        }
        _ => return true,
    }
    outcome.1.notify_all();
    true
}

/// Bytes that this process may use: of its control group or the machine.
#[pyfunction]
pub(crate) fn memory_limit() -> u64 {
    embedded::defaults().1
}
