//! A client's connection to a scheduler that several jobs share, used from any thread.
//!
//! What comes is handed to callbacks on a task of the connection's own; they must neither wait nor call the session. Nothing here
//! waits either, but [`Session::connect`] and [`Session::room`].

use crate::net::frame::Limits;
use crate::net::message::{Answer, FromClient, Hello, Item, Question, Role, Submit, ToClient};
use crate::net::{Address, Error, Reader, Sender, agent, codec, greet};
use crate::scheduler::{JobEvent, Kept, Subscriber};
use crate::shared;
use dask_array::Value;
use serde_bytes::ByteBuf;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::tcp::OwnedReadHalf;

/// What an answer brings.
pub enum Reply {
    /// Some of the results that were asked for: tasks and values.
    Values(Vec<(u32, Value)>),
    /// An answer about the cluster.
    Answer(Answer),
    /// No more will come, and why.
    Failed(String),
}

/// Takes answers; returns whether it waits for more.
pub type Receiver = Box<dyn FnMut(Reply) -> bool + Send>;

/// See the module.
pub struct Session {
    sender: Sender,
    shared: Arc<Shared>,
    next: AtomicU32,
    /// Held while a plan is sent: its bytes belong to the job that was submitted last.
    submitting: Mutex<()>,
    address: Address,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    jobs: HashMap<String, Subscriber>,
    requests: HashMap<u32, Receiver>,
    /// Why the connection ended.
    lost: Option<String>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// Bytes of one result at most.
const LARGEST: u64 = 1 << 40;

impl Session {
    /// Connects; what comes is read on the current runtime.
    ///
    /// # Errors
    /// When nobody listens there, it is no scheduler of ours, or it refuses.
    pub async fn connect(address: &Address) -> Result<Session, Error> {
        let hello = Hello { role: Role::Client, agent: agent(), auth: ByteBuf::new() };
        let (greeted, _) = greet::connect(address, &hello, Limits::with_payload(LARGEST)).await?;
        let shared = Arc::new(Shared::default());
        let sender = Sender::new(greeted.writer);
        tokio::spawn(listen(greeted.reader, Arc::clone(&shared), sender.clone(), address.clone()));
        let (next, submitting) = Default::default();
        Ok(Session { sender, shared, next, submitting, address: address.clone() })
    }

    /// Where the scheduler is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Why the connection ended, if it did.
    pub fn lost(&self) -> Option<String> {
        self.shared.lock().lost.clone()
    }

    /// Opens a job that ends with this connection. `write` sends its plan, by [`Plan::part`]; `subscriber` hears what happens.
    ///
    /// # Errors
    /// When the connection is lost, or those of `write`, after which the job is cancelled.
    pub fn submit<E: From<String>>(
        &self,
        id: &str,
        priority: i32,
        subscriber: Subscriber,
        write: impl FnOnce(&mut Plan<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let _turn = self.submitting.lock().unwrap_or_else(|e| e.into_inner());
        {
            let mut state = self.shared.lock();
            if let Some(lost) = &state.lost {
                return Err(E::from(lost.clone()));
            }
            state.jobs.insert(id.into(), subscriber);
        }
        let submit =
            Submit { id: id.into(), priority, source: None, max_tasks: u64::MAX, attach: true, bound: true };
        self.tell(&FromClient::Submit(submit));
        let written = write(&mut Plan { session: self, bytes: vec![] });
        self.tell(&FromClient::PlanEnd);
        if written.is_err() {
            self.forget(id);
        }
        written
    }

    /// Drops a job and its results, and hears no more of it.
    pub fn forget(&self, id: &str) {
        let gone = self.shared.lock().jobs.remove(id);
        drop(gone);
        self.tell(&FromClient::Forget { id: id.into() });
    }

    /// Drops a job's subscriber, if it does not listen any more.
    pub fn unheard(&self, id: &str) {
        let nothing_new = JobEvent::Progress(Default::default());
        let mut state = self.shared.lock();
        let gone = match state.jobs.get(id) {
            Some(subscriber) if !subscriber(&nothing_new) => state.jobs.remove(id),
            _ => None,
        };
        drop(state);
        drop(gone);
    }

    /// Nobody needs these kept results any more.
    pub fn release(&self, id: &str, tasks: Vec<u32>) {
        self.tell(&FromClient::Release { id: id.into(), tasks });
    }

    /// Takes a share of kept results of a job, which may be another client's; [`Session::release`] gives it back. A `subscriber`
    /// hears when they are there; none is needed where one hears of the job already.
    pub fn hold(&self, id: &str, tasks: Vec<u32>, subscriber: Option<Subscriber>, receiver: Receiver) {
        if let Some(subscriber) = subscriber {
            self.shared.lock().jobs.insert(id.into(), subscriber);
        }
        self.request(receiver, |request| FromClient::Hold { request, id: id.into(), tasks });
    }

    /// Asks something of what clients share; returns the question's number. The answer may come late.
    pub fn share(&self, ask: shared::Request<Item>, receiver: Receiver) -> u32 {
        self.request(receiver, |request| FromClient::Share { request, ask })
    }

    /// Waits no more for an answer to [`Session::share`], which then comes at once.
    pub fn give_up(&self, request: u32) {
        self.tell(&FromClient::GiveUp { request });
    }

    /// Asks for kept results of a job, which come once they are there.
    pub fn gather(&self, id: &str, tasks: Vec<u32>, receiver: Receiver) {
        self.request(receiver, |request| FromClient::Gather { request, id: id.into(), tasks });
    }

    /// Asks about the cluster.
    pub fn ask(&self, question: Question, receiver: Receiver) {
        self.request(receiver, |request| FromClient::Ask { request, question });
    }

    fn request(&self, mut receiver: Receiver, message: impl FnOnce(u32) -> FromClient) -> u32 {
        let request = self.next.fetch_add(1, Ordering::Relaxed);
        let mut state = self.shared.lock();
        if let Some(lost) = state.lost.clone() {
            drop(state);
            receiver(Reply::Failed(lost));
            return request;
        }
        state.requests.insert(request, receiver);
        drop(state);
        self.tell(&message(request));
        request
    }

    /// Waits while much is queued.
    pub async fn room(&self) {
        self.sender.room().await;
    }

    fn tell(&self, message: &FromClient) {
        // A lost connection shows on the reading side, which tells everybody.
        if let Err(error @ Error::Protocol(_)) = self.sender.send(message) {
            tracing::error!(%error, "cannot send to the scheduler");
        }
    }
}

/// The plan of a job, on its way to the scheduler.
pub struct Plan<'a> {
    session: &'a Session,
    bytes: Vec<u8>,
}

/// Bytes of a plan in one message at least, but for the last.
const MESSAGE: usize = 256 << 10;

/// Bytes of a plan in one message at most.
const LARGEST_MESSAGE: usize = 64 << 20;

impl Plan<'_> {
    /// Sends a part.
    pub fn part(&mut self, part: &dask_plan::plan::Part) -> Result<(), String> {
        rmp_serde::encode::write_named(&mut self.bytes, part).map_err(|e| e.to_string())?;
        if self.bytes.len() >= MESSAGE || part.last {
            for piece in self.bytes.chunks(LARGEST_MESSAGE) {
                self.session.tell(&FromClient::Plan(ByteBuf::from(piece)));
            }
            self.bytes.clear();
        }
        Ok(())
    }
}

async fn listen(mut reader: Reader<OwnedReadHalf>, shared: Arc<Shared>, sender: Sender, address: Address) {
    let error = loop {
        match reader.frame::<ToClient>().await {
            Ok(frame) => {
                if let Err(error) = take(&shared, &sender, frame.message, frame.payloads) {
                    break error;
                }
            }
            Err(error) => break error,
        }
    };
    let why = format!("the connection to the scheduler at {address} is lost: {error}");
    let mut state = shared.lock();
    state.lost = Some(why.clone());
    let (jobs, requests) = (std::mem::take(&mut state.jobs), std::mem::take(&mut state.requests));
    drop(state);
    for subscriber in jobs.into_values() {
        let progress = Default::default();
        subscriber(&JobEvent::Failed { refused: false, error: why.clone(), cause: None, progress });
    }
    for mut receiver in requests.into_values() {
        receiver(Reply::Failed(why.clone()));
    }
}

fn take(
    shared: &Shared,
    sender: &Sender,
    message: ToClient,
    payloads: Vec<dask_array::buffer::Buffer>,
) -> Result<(), Error> {
    let mut payloads = payloads.into_iter();
    let (id, event) = match message {
        ToClient::Accepted { .. } | ToClient::Explained { .. } => return Ok(()),
        ToClient::Outputs { id, outputs } => (id, JobEvent::Outputs(outputs)),
        ToClient::Progress { id, progress } => (id, JobEvent::Progress(progress)),
        ToClient::Result { id, task, head } => {
            let value = codec::decode(&head, &mut payloads)?;
            let received = FromClient::Received { id: id.clone(), task };
            sender.send(&received)?;
            (id, JobEvent::Result { task, value })
        }
        ToClient::Kept { id, tasks, nbytes, failed } => {
            let mut kept: Vec<Kept> = tasks
                .iter()
                .zip(nbytes)
                .map(|(&task, nbytes)| Kept { task, nbytes, failed: false })
                .collect();
            failed.iter().for_each(|i| {
                if let Some(kept) = kept.get_mut(*i as usize) {
                    kept.failed = true;
                }
            });
            (id, JobEvent::Kept(kept))
        }
        ToClient::Done { id, progress } => (id, JobEvent::Done(progress)),
        ToClient::Failed { id, refused, error, cause, progress } => {
            (id, JobEvent::Failed { refused, error, cause, progress })
        }
        ToClient::Gathered { request, tasks, heads, error } => {
            let values =
                tasks.iter().zip(&heads).map(|(t, head)| Ok((*t, codec::decode(head, &mut payloads)?)));
            let values = values.collect::<Result<Vec<_>, Error>>()?;
            answered(shared, request, error.map_or(Reply::Values(values), Reply::Failed));
            return Ok(());
        }
        ToClient::Answer { request, answer } => {
            answered(shared, request, Reply::Answer(answer));
            return Ok(());
        }
    };
    let mut state = shared.lock();
    if state.jobs.get(&id).is_some_and(|subscriber| !subscriber(&event)) {
        state.jobs.remove(&id);
    }
    Ok(())
}

fn answered(shared: &Shared, request: u32, reply: Reply) {
    let mut state = shared.lock();
    if state.requests.get_mut(&request).is_some_and(|receiver| !receiver(reply)) {
        state.requests.remove(&request);
    }
}
