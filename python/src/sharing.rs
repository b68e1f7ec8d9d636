//! Semaphores, events, queues and variables: asked of the scheduler, or of a state in this process.

use crate::backend::{Backend, settle};
use crate::engine::Inner;
use crate::future::Watched;
use crate::literal::{self, Reader};
use crate::passed::collecting;
use crate::wait::{lock, wait};
use dask_array::Chunk;
use dask_runtime::net::message::{Answer, Item};
use dask_runtime::session::{Receiver, Reply};
use dask_runtime::shared::{self, Asker, Effects, Kind, Name, Operation, Outcome, Shared};
use pyo3::exceptions::{PyConnectionError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyList};
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A value, as its backend has it.
#[derive(Clone)]
enum Payload {
    /// An object of this process.
    Live(Arc<Py<PyAny>>),
    /// One on its way to or from another.
    Sent(Item),
}

/// What an engine's questions share.
#[derive(Default)]
pub(crate) struct Sharing {
    /// What is shared within this process.
    here: Mutex<Shared<Payload>>,
    open: Mutex<Open>,
}

/// Questions that were not answered yet.
#[derive(Default)]
struct Open {
    next: u32,
    asked: HashMap<u32, Arc<Asked>>,
}

/// A question on its way.
#[derive(Default)]
struct Asked {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Default)]
struct State {
    outcome: Option<Result<Outcome<Payload>, Ended>>,
    answered: bool,
    watches: Vec<(Arc<Watched>, usize)>,
}

/// Why there will be no answer.
enum Ended {
    Closed,
    Lost(String),
}

impl Asked {
    fn answer(&self, outcome: Result<Outcome<Payload>, Ended>) {
        let mut state = lock(&self.state);
        if state.answered {
            return;
        }
        state.answered = true;
        state.outcome = Some(outcome);
        let watches = std::mem::take(&mut state.watches);
        drop(state);
        self.bell.notify_all();
        watches.into_iter().for_each(|(watched, number)| watched.add(number));
    }
}

impl Sharing {
    fn begin(&self) -> (u32, Arc<Asked>) {
        let mut open = lock(&self.open);
        let (number, asked) = (open.next, Arc::<Asked>::default());
        open.next = open.next.wrapping_add(1);
        open.asked.insert(number, Arc::clone(&asked));
        (number, asked)
    }

    fn answer(&self, number: u32, outcome: Result<Outcome<Payload>, Ended>) {
        let asked = lock(&self.open).asked.remove(&number);
        if let Some(asked) = asked {
            asked.answer(outcome);
        }
    }

    /// Does something to what is shared within this process, and tells who is answered by it.
    fn here(&self, change: impl FnOnce(&mut Shared<Payload>) -> Effects<Payload>) -> Vec<Payload> {
        let Effects { answers, dropped } = change(&mut lock(&self.here));
        answers.into_iter().for_each(|(asker, outcome)| self.answer(asker.request, Ok(outcome)));
        dropped
    }

    /// Ends all waits.
    pub(crate) fn close(&self) {
        let asked = std::mem::take(&mut lock(&self.open).asked);
        asked.into_values().for_each(|asked| asked.answer(Err(Ended::Closed)));
    }
}

/// A question about something that is shared, and its answer.
#[pyclass(frozen, module = "dask_runtime._engine")]
pub(crate) struct Request {
    inner: Arc<Inner>,
    asked: Arc<Asked>,
    /// Its number here, or with the session.
    number: u32,
    about: shared::Request<()>,
}

impl Request {
    /// Asks.
    ///
    /// # Errors
    /// When a value cannot be sent, or there is no such operation.
    pub(crate) fn ask(
        py: Python<'_>,
        inner: &Arc<Inner>,
        (kind, name, named, limit): (String, String, bool, u32),
        operation: &str,
        value: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Request> {
        let kind = match kind.as_str() {
            "semaphore" => Kind::Semaphore,
            "event" => Kind::Event,
            "queue" => Kind::Queue,
            "variable" => Kind::Variable,
            _ => return Err(PyValueError::new_err(format!("nothing shared is a {kind:?}"))),
        };
        let value = value.unwrap_or_else(|| py.None().into_bound(py));
        let operation = match operation {
            "open" => Operation::Open,
            "close" => Operation::Close,
            "acquire" => Operation::Acquire,
            "release" => Operation::Release,
            "count" => Operation::Count,
            "wait" => Operation::Wait,
            "turn" => Operation::Turn(value.is_truthy()?),
            "is_set" => Operation::IsSet,
            "put" => Operation::Put(value),
            "take" => Operation::Take,
            "take_all" => Operation::TakeAll,
            "set" => Operation::Set(value),
            "get" => Operation::Get,
            "unset" => Operation::Unset,
            _ => return Err(PyValueError::new_err(format!("nothing shared can {operation:?}"))),
        };
        // What was passed lives until the question was sent: then it is held by the scheduler.
        let (operation, _passed) = match &inner.backend {
            Backend::Here(_) => (operation.map(|value| Payload::Live(Arc::new(value.unbind()))), vec![]),
            Backend::There(_) => {
                let mut sent = operation.values().iter().map(item).collect::<PyResult<Vec<_>>>()?;
                let (sent, passed) = sent.pop().unwrap_or_default();
                // Another client's job goes by another connection, which this must not overtake.
                for handle in passed.iter().filter(|handle| !Arc::ptr_eq(handle.engine(), inner)) {
                    settle(py, &handle.engine().backend)?;
                }
                (operation.map(|_| Payload::Sent(sent.clone())), passed)
            }
        };
        let about =
            shared::Request { of: Name { kind, name }, named, limit, operation: operation.clone().map(drop) };
        let (number, asked) = Request::send(py, inner, &about, operation);
        Ok(Request { inner: Arc::clone(inner), asked, number, about })
    }

    fn send(
        py: Python<'_>,
        inner: &Arc<Inner>,
        about: &shared::Request<()>,
        operation: Operation<Payload>,
    ) -> (u32, Arc<Asked>) {
        let (number, asked) = inner.sharing.begin();
        let (of, named, limit) = (about.of.clone(), about.named, about.limit);
        let number = match &inner.backend {
            Backend::Here(_) => {
                let request = shared::Request { of, named, limit, operation };
                let asker = Asker { connection: 0, request: number };
                let dropped = py.detach(|| inner.sharing.here(|shared| shared.ask(asker, request)));
                drop(dropped);
                number
            }
            Backend::There(session) => {
                let operation = operation.map(Payload::into_item);
                let request = shared::Request { of, named, limit, operation };
                py.detach(|| session.share(request, receiver(inner, number)))
            }
        };
        (number, asked)
    }

    /// Has a watch told when the answer is there.
    pub(crate) fn watch(&self, watched: &Arc<Watched>, number: usize) -> PyResult<()> {
        let mut state = lock(&self.asked.state);
        if state.answered {
            drop(state);
            watched.add(number);
        } else {
            self.inner.check_process()?;
            state.watches.push((Arc::clone(watched), number));
        }
        Ok(())
    }

    /// The answer, which comes at once when nobody waits any more.
    fn settle(&self, py: Python<'_>) -> Option<Result<Outcome<Payload>, Ended>> {
        py.detach(|| {
            match &self.inner.backend {
                _ if lock(&self.asked.state).answered => {}
                Backend::Here(_) => {
                    let asker = Asker { connection: 0, request: self.number };
                    self.inner.sharing.here(|shared| shared.give_up(asker));
                }
                Backend::There(session) => session.give_up(self.number),
            }
            let mut state = lock(&self.asked.state);
            while !state.answered {
                state = self.asked.bell.wait(state).unwrap_or_else(|e| e.into_inner());
            }
            state.outcome.take()
        })
    }

    fn finish<'py>(
        &self,
        py: Python<'py>,
        outcome: Option<Result<Outcome<Payload>, Ended>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let yes = |flag: bool| Ok(Some(PyBool::new(py, flag).to_owned().into_any()));
        match outcome {
            None | Some(Ok(Outcome::GivenUp)) => Ok(None),
            Some(Ok(Outcome::Done)) => yes(true),
            Some(Ok(Outcome::Flag(flag))) => yes(flag),
            Some(Ok(Outcome::Count(count))) => Ok(Some(count.into_pyobject(py)?.into_any())),
            Some(Ok(Outcome::Values(values))) => {
                let objects = values.iter().map(|value| value.object(py)).collect::<PyResult<Vec<_>>>();
                self.let_go(py, &values);
                Ok(Some(PyList::new(py, objects?)?.into_any()))
            }
            Some(Ok(Outcome::Refused(why))) => {
                Err(PyRuntimeError::new_err(format!("{:?} cannot be used: {why}", self.about.of.name)))
            }
            Some(Err(Ended::Closed)) => {
                let cancelled = py.import("concurrent.futures")?.getattr("CancelledError")?;
                Err(PyErr::from_value(cancelled.call1(("the client was closed",))?))
            }
            Some(Err(Ended::Lost(why))) => Err(PyConnectionError::new_err(why)),
        }
    }

    /// Gives back the shares of futures that came with values: those who need them have their own by now.
    fn let_go(&self, py: Python<'_>, values: &[Payload]) {
        let Backend::There(session) = &self.inner.backend else { return };
        py.detach(|| {
            for value in values {
                let Payload::Sent(item) = value else { continue };
                item.results.iter().for_each(|(job, task)| session.release(job, vec![*task]));
            }
        });
    }
}

#[pymethods]
impl Request {
    /// Whether the answer is there.
    #[getter]
    fn answered(&self) -> bool {
        lock(&self.asked.state).answered
    }

    /// The answer: a flag, a number or a list of values; None when there is none after `timeout` seconds.
    #[pyo3(signature = (timeout = None))]
    fn wait<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if !lock(&self.asked.state).answered {
            self.inner.check_process()?;
        }
        let timeout = timeout.map(|t| Duration::try_from_secs_f64(t.max(0.0)).unwrap_or(Duration::MAX / 4));
        match wait(py, &self.asked.state, &self.asked.bell, timeout, |state| state.outcome.take()) {
            Ok(Some(outcome)) => self.finish(py, Some(outcome)),
            Ok(None) => self.end(py),
            Err(error) => {
                self.undo(py);
                Err(error)
            }
        }
    }

    /// Waits no more: the answer, if there is one.
    fn end<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let outcome = self.settle(py);
        self.finish(py, outcome)
    }

    /// Waits no more, and gives back what the answer brings: who asked was interrupted.
    fn undo(&self, py: Python<'_>) {
        let back = match (&self.about.operation, self.settle(py)) {
            (Operation::Acquire, Some(Ok(Outcome::Done))) => Operation::Release,
            (Operation::Take | Operation::TakeAll, Some(Ok(Outcome::Values(values)))) => {
                Operation::PutBack(values)
            }
            (_, Some(Ok(Outcome::Values(values)))) => return self.let_go(py, &values),
            _ => return,
        };
        Request::send(py, &self.inner, &self.about, back.clone());
        self.let_go(py, back.values());
    }
}

impl Payload {
    fn into_item(self) -> Item {
        match self {
            Payload::Sent(item) => item,
            Payload::Live(_) => Item::default(),
        }
    }

    fn object<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Payload::Live(object) => Ok(object.bind(py).clone()),
            Payload::Sent(item) => {
                let chunk = Chunk::from_slice(&[item.bytes.len()], &item.bytes);
                Reader::new(&chunk).literal(py)
            }
        }
    }
}

/// Bytes of a value at most.
const LARGEST: usize = 64 << 20;

/// A value for other processes, and handles of the futures in it.
fn item(value: &Bound<'_, PyAny>) -> PyResult<(Item, Vec<crate::future::Handle>)> {
    let mut bytes = vec![];
    let (written, passed) = collecting(|| literal::write(value, &mut bytes));
    written?;
    if bytes.len() > LARGEST {
        return Err(PyValueError::new_err(format!(
            "a value of {} bytes is too large to be shared, at most {LARGEST} are; scatter it and share the future",
            bytes.len()
        )));
    }
    let results = passed.iter().map(|handle| handle.external()).map(|e| (e.job, e.task)).collect();
    Ok((Item { bytes: bytes.into(), results }, passed))
}

/// Takes the answer of a session.
fn receiver(inner: &Arc<Inner>, number: u32) -> Receiver {
    let inner = Arc::downgrade(inner);
    Box::new(move |reply| {
        let outcome = match reply {
            Reply::Answer(Answer::Shared(outcome)) => Ok(outcome.map(Payload::Sent)),
            Reply::Failed(why) => Err(Ended::Lost(why)),
            Reply::Answer(_) | Reply::Values(_) => return true,
        };
        if let Some(inner) = inner.upgrade() {
            inner.sharing.answer(number, outcome);
        }
        false
    })
}
