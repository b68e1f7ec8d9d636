//! Fetches results from peers: one connection and one request at a time for each, with as many keys as have gathered.

use super::Engine;
use crate::ids::IdMap;
use crate::net::frame::{Limits, Reader};
use crate::net::message::{Get, Hello, Role, Tasks, Values};
use crate::net::{Address, Error, Sender, codec, greet};
use dask_array::Value;
use dask_core::TaskId;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::mpsc;

/// Keys in one request: small results come many at a time, large ones are split by the peer.
const KEYS: usize = 512;

/// A connection on which results can be asked for.
pub struct Source {
    reader: Reader<OwnedReadHalf>,
    sender: Sender,
}

/// What a request brought.
#[derive(Default)]
pub struct Brought {
    /// Results.
    pub values: Vec<(TaskId, Value)>,
    /// Results that the peer does not have.
    pub absent: Vec<TaskId>,
}

impl Source {
    /// Connects to a worker. `limit` bounds the bytes of one result.
    ///
    /// # Errors
    /// When nobody answers there.
    pub async fn connect(address: &Address, limit: u64) -> Result<Source, Error> {
        let hello = Hello { role: Role::Peer, agent: crate::net::agent(), auth: Default::default() };
        let (greeted, _) = greet::connect(address, &hello, Limits::with_payload(limit)).await?;
        Ok(Source { reader: greeted.reader, sender: Sender::new(greeted.writer) })
    }

    /// Asks for results.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn ask(&self, tasks: &[TaskId]) -> Result<(), Error> {
        self.sender.send(&Get { tasks: tasks.iter().copied().collect::<Tasks>() })
    }

    /// Some of the results that were asked for. The caller knows when all are there.
    ///
    /// # Errors
    /// When the connection or the protocol breaks.
    pub async fn answer(&mut self) -> Result<Brought, Error> {
        let frame = self.reader.frame::<Values>().await?;
        let Values { tasks, heads, absent } = frame.message;
        if tasks.job.len() != heads.len() || tasks.local.len() != heads.len() {
            return Err(Error::Protocol("results whose columns differ in length".into()));
        }
        let mut payloads = frame.payloads.into_iter();
        let values =
            tasks.iter().zip(&heads).map(|(task, head)| Ok((task, codec::decode(head, &mut payloads)?)));
        Ok(Brought { values: values.collect::<Result<_, Error>>()?, absent: absent.iter().collect() })
    }
}

/// What was fetched, for the metrics.
#[derive(Debug, Default)]
pub struct Fetched {
    /// Bytes.
    pub bytes: AtomicU64,
    /// Results.
    pub count: AtomicU64,
}

/// Where to fetch from, and who does it.
pub struct Fetcher {
    engine: Mutex<Weak<Engine>>,
    peers: Mutex<IdMap<u32, Peer>>,
    runtime: tokio::runtime::Handle,
    limit: u64,
    /// For the metrics.
    pub fetched: Arc<Fetched>,
}

struct Peer {
    address: String,
    queue: Option<mpsc::UnboundedSender<Vec<TaskId>>>,
}

impl Fetcher {
    /// `limit` bounds the bytes of one result.
    pub fn new(runtime: tokio::runtime::Handle, limit: u64, fetched: Arc<Fetched>) -> Fetcher {
        Fetcher { engine: Mutex::default(), peers: Mutex::default(), runtime, limit, fetched }
    }

    /// Whose inputs it fetches.
    pub fn serve(&self, engine: &Arc<Engine>) {
        *self.engine.lock().unwrap_or_else(|e| e.into_inner()) = Arc::downgrade(engine);
    }

    /// Learns where workers are.
    pub fn learn(&self, peers: &[(u32, String)]) {
        let mut known = self.peers.lock().unwrap_or_else(|e| e.into_inner());
        for (id, address) in peers {
            known.insert(*id, Peer { address: address.clone(), queue: None });
        }
    }

    /// Fetches; the engine is told what landed and what did not.
    pub fn fetch(&self, from: u32, tasks: Vec<TaskId>) {
        let engine = self.engine.lock().unwrap_or_else(|e| e.into_inner()).clone();
        let mut peers = self.peers.lock().unwrap_or_else(|e| e.into_inner());
        let Some(peer) = peers.get_mut(&from) else {
            drop(peers);
            // On a task of its own: the caller may be inside the engine.
            self.runtime.spawn(async move { give_up(&engine, from, tasks) });
            return;
        };
        let tasks = match &peer.queue {
            Some(queue) => match queue.send(tasks) {
                Ok(()) => return,
                // Its task ended with its connection; what follows connects again.
                Err(mpsc::error::SendError(tasks)) => tasks,
            },
            None => tasks,
        };
        let (send, queue) = mpsc::unbounded_channel();
        let _ = send.send(tasks);
        peer.queue = Some(send);
        let link = Link {
            engine,
            from,
            address: peer.address.clone(),
            limit: self.limit,
            fetched: Arc::clone(&self.fetched),
        };
        self.runtime.spawn(link.run(queue));
    }
}

fn give_up(engine: &Weak<Engine>, from: u32, tasks: impl IntoIterator<Item = TaskId>) {
    if let Some(engine) = engine.upgrade() {
        engine.not_fetched(from, tasks);
    }
}

struct Link {
    engine: Weak<Engine>,
    from: u32,
    address: String,
    limit: u64,
    fetched: Arc<Fetched>,
}

impl Link {
    async fn run(self, mut queue: mpsc::UnboundedReceiver<Vec<TaskId>>) {
        let mut source = None;
        let mut asked: Vec<TaskId> = vec![];
        while let Some(tasks) = queue.recv().await {
            let mut wanted = tasks;
            while let Ok(more) = queue.try_recv() {
                wanted.extend(more);
            }
            for group in wanted.chunks(KEYS) {
                asked.clear();
                asked.extend_from_slice(group);
                // A connection that idled may have died meanwhile, so a failure is tried once more on a fresh one.
                let mut result = self.request(&mut source, &mut asked).await;
                if result.is_err() && !asked.is_empty() {
                    source = None;
                    result = self.request(&mut source, &mut asked).await;
                }
                if let Err(error) = result {
                    tracing::warn!(peer = %self.address, %error, results = asked.len(), "cannot fetch");
                    source = None;
                    give_up(&self.engine, self.from, asked.drain(..));
                }
            }
        }
    }

    /// Leaves in `asked` what did not come.
    async fn request(&self, source: &mut Option<Source>, asked: &mut Vec<TaskId>) -> Result<(), Error> {
        let source = match source {
            Some(source) => source,
            None => {
                let address = self.address.parse().map_err(Error::Protocol)?;
                source.insert(Source::connect(&address, self.limit).await?)
            }
        };
        source.ask(asked)?;
        let mut open: HashSet<TaskId> = asked.iter().copied().collect();
        while !open.is_empty() {
            let answer = source.answer().await;
            let Ok(Brought { values, absent }) = answer else {
                asked.retain(|t| open.contains(t));
                return answer.map(drop);
            };
            let before = open.len();
            values.iter().map(|(task, _)| task).chain(&absent).for_each(|task| {
                open.remove(task);
            });
            if open.len() == before {
                asked.retain(|t| open.contains(t));
                return Err(Error::Protocol("an answer with nothing that was asked for".into()));
            }
            let Some(engine) = self.engine.upgrade() else { return Ok(()) };
            let bytes: usize = values.iter().map(|(_, v)| v.held_bytes()).sum();
            self.fetched.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
            self.fetched.count.fetch_add(values.len() as u64, Ordering::Relaxed);
            if engine.landed(values) {
                engine.flush();
            }
            if !absent.is_empty() {
                engine.not_fetched(self.from, absent);
            }
        }
        asked.clear();
        Ok(())
    }
}
