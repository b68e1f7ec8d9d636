//! Where jobs run: in this process, or on a cluster that a session reaches.

use crate::graph::Form;
use crate::wait::{lock, wait};
use dask_array::{Trouble, Value};
use dask_core::{JobId, TaskId};
use dask_plan::plan::{External, Part};
use dask_runtime::embedded::Embedded;
use dask_runtime::net::message::{Answer, Question};
use dask_runtime::scheduler::{Opened, Subscriber};
use dask_runtime::session::{Receiver, Reply, Session};
use pyo3::exceptions::{PyConnectionError, PyRuntimeError};
use pyo3::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// See the module.
pub(crate) enum Backend {
    Here(Embedded),
    There(Session),
}

/// A job, as its backend knows it.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Job {
    /// The scheduler's number, where that is in this process; else this process's own.
    pub(crate) number: u32,
    pub(crate) name: String,
}

/// Results, or why there are none.
type Fetched = HashMap<(String, u32), Result<Value, Trouble>>;

/// Answers on their way.
#[derive(Default)]
struct Coming {
    values: Fetched,
    /// Results that have not come.
    open: usize,
}

impl Backend {
    /// How plans for it are written.
    pub(crate) fn form(&self) -> Form {
        match self {
            Backend::Here(_) => Form::Live,
            Backend::There(_) => Form::Sent,
        }
    }

    /// Starts a job. Not to be called while the interpreter is held, like all that follows.
    ///
    /// # Errors
    /// When the connection is lost.
    pub(crate) fn submit(
        &self,
        number: u32,
        name: String,
        parts: Vec<Part>,
        live: Vec<Value>,
        subscriber: impl FnOnce(&Arc<Job>) -> Subscriber,
    ) -> Result<Arc<Job>, String> {
        match self {
            Backend::Here(embedded) => embedded.hub.with(|state| {
                let (Opened::New(number) | Opened::Known(number)) = state.open(&name, None, 0, false)?;
                let job = Arc::new(Job { number, name });
                state.subscribe(number, subscriber(&job));
                let mut live = Some(live);
                parts
                    .into_iter()
                    .for_each(|part| state.add_live(number, part, live.take().unwrap_or_default()));
                Ok(job)
            }),
            Backend::There(session) => {
                let job = Arc::new(Job { number, name });
                session.submit(&job.name, 0, subscriber(&job), |plan| {
                    parts.iter().try_for_each(|part| plan.part(part))
                })?;
                Ok(job)
            }
        }
    }

    /// Nobody needs these results any more.
    pub(crate) fn let_go(&self, job: &Job, tasks: Vec<u32>) {
        match self {
            Backend::Here(embedded) => embedded.hub.with(|state| state.let_go(job.number, &tasks)),
            Backend::There(session) => session.release(&job.name, tasks),
        }
    }

    /// Nobody may hear of a job any more. In this process its subscriber goes with its last result.
    pub(crate) fn unheard(&self, name: &str) {
        if let Backend::There(session) = self {
            session.unheard(name);
        }
    }

    /// Drops a job and its results.
    pub(crate) fn forget(&self, job: &Job) {
        match self {
            Backend::Here(embedded) => embedded.hub.with(|state| state.forget(job.number)),
            Backend::There(session) => session.forget(&job.name),
        }
    }
}

/// Kept results, once they are there: in their order.
///
/// # Errors
/// What a signal raises.
pub(crate) fn fetch(
    py: Python<'_>,
    backend: &Backend,
    results: &[External],
) -> PyResult<Vec<Result<Value, Trouble>>> {
    let gone = || Err(Trouble::from("a result that was kept is gone".to_string()));
    match backend {
        Backend::Here(embedded) => Ok(py.detach(|| {
            let mut numbers: HashMap<&str, Option<u32>> = HashMap::new();
            for result in results {
                numbers
                    .entry(&result.job)
                    .or_insert_with(|| embedded.hub.with(|s| s.job_number(&result.job)));
            }
            let find = |result: &External| {
                let job = JobId(numbers.get(result.job.as_str()).copied()??);
                embedded.engine.get(TaskId { job, local: result.task })
            };
            results.iter().map(|r| find(r).map_or_else(gone, judge)).collect()
        })),
        Backend::There(session) => {
            let mut jobs: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
            results.iter().for_each(|r| jobs.entry(&r.job).or_default().push(r.task));
            let coming: Arc<(Mutex<Coming>, Condvar)> = Arc::default();
            py.detach(|| {
                for tasks in jobs.values_mut() {
                    tasks.sort_unstable();
                    tasks.dedup();
                    lock(&coming.0).open += tasks.len();
                }
                for (job, tasks) in jobs {
                    gather(session, job, tasks, &coming);
                }
            });
            wait(py, &coming.0, &coming.1, None, |coming| (coming.open == 0).then_some(()))?;
            let values = std::mem::take(&mut lock(&coming.0).values);
            let find = |r: &External| values.get(&(r.job.clone(), r.task)).cloned().unwrap_or_else(gone);
            Ok(results.iter().map(find).collect())
        }
    }
}

fn gather(session: &Session, job: &str, tasks: Vec<u32>, coming: &Arc<(Mutex<Coming>, Condvar)>) {
    let (name, coming) = (job.to_string(), Arc::clone(coming));
    let mut left: HashSet<u32> = tasks.iter().copied().collect();
    let receive = move |reply: Reply| {
        let came: Vec<(u32, Result<Value, Trouble>)> = match reply {
            Reply::Values(values) => values.into_iter().map(|(task, value)| (task, judge(value))).collect(),
            Reply::Failed(error) => {
                left.iter().map(|task| (*task, Err(Trouble::from(error.clone())))).collect()
            }
            Reply::Answer(_) => vec![],
        };
        let mut state = lock(&coming.0);
        for (task, value) in came {
            if left.remove(&task) {
                state.values.insert((name.clone(), task), value);
                state.open -= 1;
            }
        }
        coming.1.notify_all();
        !left.is_empty()
    };
    session.gather(job, tasks, Box::new(receive));
}

fn judge(value: Value) -> Result<Value, Trouble> {
    match Trouble::of(&value) {
        Some(trouble) => Err(trouble.clone()),
        None => Ok(value),
    }
}

/// The scheduler's answer to a question.
///
/// # Errors
/// When the connection is lost, and what a signal raises.
pub(crate) fn ask(py: Python<'_>, session: &Session, question: Question) -> PyResult<Answer> {
    answer(py, |receiver| session.ask(question, receiver))
}

/// Takes a share of a result that somebody keeps.
///
/// # Errors
/// When nobody does any more, the connection is lost, and what a signal raises.
pub(crate) fn hold(
    py: Python<'_>,
    session: &Session,
    job: &str,
    task: u32,
    subscriber: impl Fn() -> Subscriber,
) -> PyResult<()> {
    let until = Instant::now() + OVERTAKEN;
    loop {
        let subscriber = subscriber();
        match answer(py, |receiver| session.hold(job, vec![task], Some(subscriber), receiver))? {
            Answer::Refused(_) if Instant::now() < until => {
                py.check_signals()?;
                py.detach(|| std::thread::sleep(Duration::from_millis(10)));
            }
            Answer::Refused(why) => {
                return Err(PyRuntimeError::new_err(format!(
                    "a future came here whose result is not kept any more: {why}; keep the future where it was made until \
                     it is used here"
                )));
            }
            _ => return Ok(()),
        }
    }
}

/// A future may get here before the scheduler has read of its job, which comes by another connection: it is asked so long.
const OVERTAKEN: Duration = Duration::from_secs(1);

/// Waits until the scheduler has read all that was sent before.
///
/// # Errors
/// When the connection is lost, and what a signal raises.
pub(crate) fn settle(py: Python<'_>, backend: &Backend) -> PyResult<()> {
    match backend {
        Backend::Here(_) => Ok(()),
        Backend::There(session) => ask(py, session, Question::Holders(vec![])).map(drop),
    }
}

/// What came of a question, if anything did yet.
type Answered = Option<Result<Answer, String>>;

fn answer(py: Python<'_>, ask: impl FnOnce(Receiver) + Send) -> PyResult<Answer> {
    let answer: Arc<(Mutex<Answered>, Condvar)> = Arc::default();
    let told = Arc::clone(&answer);
    let receive = move |reply| {
        let reply = match reply {
            Reply::Answer(answer) => Ok(answer),
            Reply::Failed(error) => Err(error),
            Reply::Values(_) => return true,
        };
        *lock(&told.0) = Some(reply);
        told.1.notify_all();
        false
    };
    py.detach(|| ask(Box::new(receive)));
    match wait(py, &answer.0, &answer.1, None, Option::take)? {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(error)) => Err(PyConnectionError::new_err(error)),
        None => Err(PyConnectionError::new_err("the scheduler gave no answer")),
    }
}
