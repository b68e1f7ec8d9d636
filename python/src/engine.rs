//! The engine: in this process, or a cluster's.

use crate::annotated::Annotated;
use crate::backend::{Backend, Job, ask, fetch};
use crate::call::PythonLane;
use crate::finalize::Place;
use crate::future::{Handle, Kept};
use crate::graph::{self, Requested};
use crate::interrupt::Running;
use crate::map::Row;
use crate::passed::collecting;
use crate::sharing::{Request, Sharing};
use crate::value;
use crate::wait::{lock, wait};
use dask_array::{Trouble, Value};
use dask_core::JobId;
use dask_plan::plan::{External, Part};
use dask_runtime::embedded::{self, Embedded};
use dask_runtime::net::message::{Answer, Question, WorkerState};
use dask_runtime::net::{Address, Error};
use dask_runtime::scheduler::{JobEvent, Subscriber};
use dask_runtime::session::Session;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::{Duration, Instant};

/// What an engine and the results that it keeps share.
pub(crate) struct Inner {
    pub(crate) backend: Backend,
    runtime: Option<tokio::runtime::Runtime>,
    running: Arc<Running>,
    /// What jobs are called, before their numbers.
    prefix: String,
    next: AtomicU32,
    /// Results that nobody refers to any more: they are let go where no interpreter is held.
    released: Mutex<HashMap<Arc<Job>, Vec<u32>>>,
    /// Jobs of whose results somebody has handles, by their names.
    pub(crate) keepers: Mutex<HashMap<String, Weak<Kept>>>,
    /// Jobs of which nobody has a handle any more, and so nobody hears.
    pub(crate) unheard: Mutex<Vec<String>>,
    /// Results that were pickled, until whoever gets them has had time to take shares of its own.
    lingering: Mutex<VecDeque<(Instant, Handle)>>,
    pub(crate) sharing: Sharing,
    pid: u32,
}

/// How long a result is kept that was pickled, though nobody refers to it.
const LINGER: Duration = Duration::from_secs(10);

impl Inner {
    /// Nobody refers to a result any more.
    pub(crate) fn release(&self, job: &Arc<Job>, task: u32) {
        lock(&self.released).entry(Arc::clone(job)).or_default().push(task);
    }

    /// Takes back a release that was not carried out yet; whether there was one.
    pub(crate) fn take_back(&self, job: &Arc<Job>, task: u32) -> bool {
        let mut released = lock(&self.released);
        let Some(tasks) = released.get_mut(job) else { return false };
        let before = tasks.len();
        tasks.retain(|t| *t != task);
        tasks.len() < before
    }

    /// Keeps a result a little longer.
    pub(crate) fn linger(&self, handle: Handle) {
        lock(&self.lingering).push_back((Instant::now() + LINGER, handle));
    }

    /// Lets go of what lingers: all of it, or what has done so long enough.
    fn expire(&self, all: bool) {
        let now = Instant::now();
        let mut lingering = lock(&self.lingering);
        let over = lingering.iter().take_while(|(until, _)| all || *until <= now).count();
        let gone: Vec<(Instant, Handle)> = lingering.drain(..over).collect();
        drop(lingering);
        drop(gone);
    }

    /// Lets go of what was released; whether there was anything. Not to be called while the interpreter is held.
    pub(crate) fn let_go(&self) -> bool {
        self.expire(false);
        let released = std::mem::take(&mut *lock(&self.released));
        let any = !released.is_empty();
        released.into_iter().for_each(|(job, tasks)| self.backend.let_go(&job, tasks));
        let unheard = std::mem::take(&mut *lock(&self.unheard));
        unheard.iter().for_each(|name| self.backend.unheard(name));
        any
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

    fn submit(
        &self,
        parts: Vec<Part>,
        live: Vec<Value>,
        subscriber: impl FnOnce(&Arc<Job>) -> Subscriber,
    ) -> Result<Arc<Job>, String> {
        self.let_go();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.backend.submit(number, format!("{}-{number}", self.prefix), parts, live, subscriber)
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

/// Scheduler and compute threads in this process, or a connection to a cluster.
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
    /// Blocks of results that are to be put in their places.
    arrived: Vec<(u32, Value)>,
    end: Option<Result<(), Trouble>>,
}

/// What happens to a graph.
enum News {
    Arrived(Vec<(u32, Value)>),
    End(Result<(), Trouble>),
}

impl Outcome {
    fn news(&mut self) -> Option<News> {
        if self.arrived.is_empty() {
            return self.end.take().map(News::End);
        }
        Some(News::Arrived(std::mem::take(&mut self.arrived)))
    }
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
        let runtime = runtime().map_err(&failed)?;
        let lane = PythonLane::default();
        let running = Arc::clone(&lane.running);
        let options = embedded::Options {
            threads,
            memory_limit,
            data_dirs: vec![".".into()],
            // Values are references here, so nothing is gained by bringing them in turn.
            small_bytes: usize::MAX,
            lane: Some(Arc::new(lane)),
        };
        let embedded = {
            let _context = runtime.enter();
            Embedded::start(options).map_err(failed)?
        };
        Ok(Engine::over(Backend::Here(embedded), runtime, running, "graph".into()))
    }

    /// Connects to a scheduler, for which it tries so many seconds. `name` is what this client's jobs are called.
    #[staticmethod]
    fn connect(py: Python<'_>, address: &str, timeout: f64, name: String) -> PyResult<Engine> {
        let address: Address = address.parse().map_err(PyValueError::new_err)?;
        let runtime = runtime().map_err(PyRuntimeError::new_err)?;
        let patience = Duration::try_from_secs_f64(timeout.max(0.0)).unwrap_or(Duration::MAX / 4);
        let until = Instant::now() + patience;
        let session = loop {
            let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
            let attempt = async { tokio::time::timeout(left, Session::connect(&address)).await };
            let error = match py.detach(|| runtime.block_on(attempt)) {
                Ok(Ok(session)) => break session,
                Ok(Err(error @ (Error::Protocol(_) | Error::Refused(_)))) => {
                    return Err(PyOSError::new_err(format!(
                        "what listens at {address} is no scheduler of dask-runtime: {error}; use the address that \
                         `python -m dask_runtime scheduler` says, or dask.distributed's Client for Dask's own"
                    )));
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {timeout} s, as from a server of something else"),
            };
            py.check_signals()?;
            if Instant::now() >= until {
                return Err(PyOSError::new_err(format!(
                    "no scheduler can be reached at {address}: {error}; check the address, and that `python -m \
                     dask_runtime scheduler` runs there"
                )));
            }
            py.detach(|| std::thread::sleep(Duration::from_millis(50)));
        };
        Ok(Engine::over(Backend::There(session), runtime, Arc::default(), name))
    }

    /// Computes `keys` of a graph of `dask._task_spec` nodes; returns their values in that order. `known` are handles of
    /// results that are kept, by their keys.
    fn get<'py>(
        &self,
        py: Python<'py>,
        dsk: &Bound<'py, PyDict>,
        keys: Vec<Bound<'py, PyAny>>,
        known: &Bound<'py, PyAny>,
        annotated: Annotated<'py>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.inner.check_process()?;
        let inner = &self.inner;
        let build =
            || graph::build(dsk, &keys, false, inner.backend.form(), &|key| find(known, key), &annotated);
        let (built, _passed) = collecting(build);
        let built = built?;
        let results = built.results;
        let places = Arc::new(built.places);
        let outcome: Arc<(Mutex<Outcome>, Condvar)> = Arc::default();
        let mut end = Ok(());
        if built.parts.iter().any(|part| !part.outputs.is_empty()) {
            let (parts, live, told) = (built.parts, built.live, Arc::clone(&outcome));
            let plain =
                results.iter().filter_map(|r| if let Requested::Task(t) = r { Some(*t) } else { None });
            let (plain, placed): (HashSet<u32>, _) = (plain.collect(), Arc::clone(&places));
            let hear: Subscriber = Box::new(move |event| {
                hear(&told, event, |t| plain.contains(&t), |t| placed.contains_key(&t))
            });
            let job = py.detach(|| inner.submit(parts, live, |_| hear)).map_err(PyRuntimeError::new_err)?;
            let waited = loop {
                match wait(py, &outcome.0, &outcome.1, None, Outcome::news) {
                    // Here and not where they arrive, so that the next ones are read meanwhile.
                    Ok(Some(News::Arrived(values))) => py.detach(|| put(&places, values)),
                    Ok(Some(News::End(end))) => break Ok(end),
                    Ok(None) => break Ok(Ok(())),
                    Err(error) => break Err(error),
                }
            };
            py.detach(|| inner.backend.forget(&job));
            if waited.is_err() {
                // Nothing of the job starts any more; what runs ends as soon as it can.
                inner.running.interrupt(py, JobId(job.number));
            }
            end = waited?;
        }
        if let Err(trouble) = end {
            return Err(value::error(py, &trouble));
        }
        let values = std::mem::take(&mut lock(&outcome.0).values);
        results
            .iter()
            .map(|requested| match requested {
                Requested::Task(task) => match (values.get(task), &inner.backend) {
                    (Some(value), Backend::Here(_)) => value::own(py, value),
                    (Some(value), Backend::There(_)) => value::object(py, value),
                    (None, _) => Err(PyRuntimeError::new_err("the engine brought no result")),
                },
                Requested::Data(object) => Ok(object.bind(py).clone()),
                Requested::External(external) => self.external(py, external),
                Requested::Final(last) => last.finish(py),
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
        annotated: Annotated<'py>,
    ) -> PyResult<Vec<Handle>> {
        self.inner.check_process()?;
        let form = self.inner.backend.form();
        let (built, passed) =
            collecting(|| graph::build(dsk, &keys, true, form, &|key| find(known, key), &annotated));
        let built = built?;
        let kept = self.keep(py, built.parts, built.live, passed)?;
        let task = |requested: &Requested| match requested {
            Requested::Task(task) => Ok(Handle::new(&kept, *task)),
            _ => Err(PyRuntimeError::new_err("a kept result that is no task")),
        };
        built.results.iter().map(task).collect()
    }

    /// Starts calls of one function with the items of `columns` in turn; returns keys and handles, or the futures of calls that
    /// are in `known`. `named` are the name of the calls and a token of all that they share. `None` when an argument is no plain number, string, bytes or None.
    fn map<'py>(
        &self,
        py: Python<'py>,
        function: Bound<'py, PyAny>,
        columns: Vec<Vec<Bound<'py, PyAny>>>,
        named: (String, String),
        known: &Bound<'py, PyAny>,
        annotated: Annotated<'py>,
    ) -> PyResult<Option<Started<'py>>> {
        self.inner.check_process()?;
        let form = self.inner.backend.form();
        let (name, token) = &named;
        let (mapped, passed) =
            collecting(|| crate::map::tasks(&function, &columns, name, token, form, known, annotated.set(0)));
        let Some(mapped) = mapped? else { return Ok(None) };
        let kept = self.keep(py, mapped.parts, mapped.live, passed)?;
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

    /// The workers of a cluster: name, address, threads, memory limit, bytes of its process, bytes kept, tasks run, resources,
    /// versions. Of an engine in this process, its threads alone.
    fn workers<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let workers = match &self.inner.backend {
            Backend::Here(embedded) => {
                let nthreads = embedded.engine.settings().threads as u32;
                vec![WorkerState { nthreads, ..WorkerState::default() }]
            }
            Backend::There(session) => match ask(py, session, Question::Workers)? {
                Answer::Workers(workers) => workers,
                _ => vec![],
            },
        };
        workers.into_iter().map(|worker| described(py, worker)).collect()
    }

    /// The addresses of the workers that hold each of these results.
    fn holders(&self, py: Python<'_>, handles: Vec<PyRef<'_, Handle>>) -> PyResult<Vec<Vec<String>>> {
        let Backend::There(session) = &self.inner.backend else { return Ok(vec![]) };
        let results = handles.iter().map(|h| h.external()).map(|e| (e.job, e.task)).collect();
        match ask(py, session, Question::Holders(results))? {
            Answer::Holders(holders) => Ok(holders),
            _ => Ok(vec![]),
        }
    }

    /// A handle of a result that was pickled, by its job and task.
    fn handle(&self, py: Python<'_>, job: String, task: u32) -> PyResult<Handle> {
        Handle::again(py, &self.inner, job, task)
    }

    /// Asks something of what is shared by name: a "semaphore", "event", "queue" or "variable".
    ///
    /// `of` is its kind and name, whether somebody gave it the name, and how many may hold it or be in it.
    #[pyo3(signature = (of, operation, value = None))]
    fn share(
        &self,
        py: Python<'_>,
        of: (String, String, bool, u32),
        operation: &str,
        value: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Request> {
        Request::ask(py, &self.inner, of, operation, value)
    }

    /// Nobody uses it any more: those who wait for what is shared are told.
    fn close(&self, py: Python<'_>) {
        py.detach(|| {
            self.inner.sharing.close();
            self.inner.expire(true);
        });
    }

    /// Why the connection to the cluster ended, if it did.
    #[getter]
    fn lost(&self) -> Option<String> {
        match &self.inner.backend {
            Backend::Here(_) => None,
            Backend::There(session) => session.lost(),
        }
    }
}

impl Engine {
    fn over(
        backend: Backend,
        runtime: tokio::runtime::Runtime,
        running: Arc<Running>,
        prefix: String,
    ) -> Engine {
        let inner = Arc::new(Inner {
            backend,
            runtime: Some(runtime),
            running,
            prefix,
            next: AtomicU32::new(0),
            released: Mutex::default(),
            keepers: Mutex::default(),
            unheard: Mutex::default(),
            lingering: Mutex::default(),
            sharing: Sharing::default(),
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
                        tokio::task::spawn_blocking(|| Python::try_attach(|_| ()));
                    }
                }
            });
        }
        Engine { inner }
    }

    /// Starts a job whose results are kept.
    ///
    /// Those that were passed within its calls' arguments are kept until it has ended.
    fn keep(
        &self,
        py: Python<'_>,
        parts: Vec<Part>,
        live: Vec<Value>,
        passed: Vec<Handle>,
    ) -> PyResult<Arc<Kept>> {
        let inner = &self.inner;
        let mut kept = None;
        py.detach(|| {
            inner.submit(parts, live, |job| {
                let keeper = Kept::own(inner, job, passed);
                let subscriber = Kept::subscriber(&keeper);
                kept = Some(keeper);
                subscriber
            })
        })
        .map_err(PyRuntimeError::new_err)?;
        kept.ok_or_else(|| PyRuntimeError::new_err("the job was not started"))
    }

    fn external<'py>(&self, py: Python<'py>, external: &External) -> PyResult<Bound<'py, PyAny>> {
        let values = fetch(py, &self.inner.backend, std::slice::from_ref(external))?;
        match values.into_iter().next() {
            Some(Ok(value)) => value::fresh(py, &value),
            Some(Err(trouble)) => Err(value::error(py, &trouble)),
            None => Err(PyRuntimeError::new_err("a result that was kept is gone")),
        }
    }
}

/// A runtime for timers and connections.
fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("dask-runtime")
        .enable_all()
        .build()
        .map_err(|e| e.to_string())
}

/// A worker as a dict.
fn described(py: Python<'_>, worker: WorkerState) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("name", worker.name)?;
    dict.set_item("address", worker.address)?;
    dict.set_item("nthreads", worker.nthreads)?;
    dict.set_item("memory_limit", worker.memory_limit)?;
    dict.set_item("memory", worker.memory)?;
    dict.set_item("managed", worker.managed)?;
    dict.set_item("ran", worker.ran)?;
    dict.set_item("resources", worker.resources)?;
    dict.set_item("versions", worker.versions)?;
    Ok(dict)
}

/// The kept result of a key.
fn find(known: &Bound<'_, PyAny>, key: &Bound<'_, PyAny>) -> PyResult<Option<External>> {
    if !known.contains(key)? {
        return Ok(None);
    }
    let handle = known.get_item(key)?;
    Ok(Some(handle.cast::<Handle>()?.get().external()))
}

/// Puts blocks in their places.
fn put(places: &HashMap<u32, Vec<Place>>, values: Vec<(u32, Value)>) {
    for (task, value) in values {
        for (result, at) in places.get(&task).into_iter().flatten() {
            result.put(*at, value.clone());
        }
    }
}

/// Notes what happens: the results of `plain` tasks, and those of `placed` ones, which are then put in their places.
fn hear(
    outcome: &(Mutex<Outcome>, Condvar),
    event: &JobEvent,
    plain: impl Fn(u32) -> bool,
    placed: impl Fn(u32) -> bool,
) -> bool {
    let mut state = lock(&outcome.0);
    match event {
        JobEvent::Result { task, value } => {
            if plain(*task) {
                state.values.insert(*task, value.clone());
            }
            if !placed(*task) {
                return true;
            }
            state.arrived.push((*task, value.clone()));
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
