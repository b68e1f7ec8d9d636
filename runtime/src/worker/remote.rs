//! A worker of a scheduler over TCP.

use super::fetch::{Fetched, Fetcher};
use super::serve::{self, Served};
use super::{Batch, Engine, Lane, Outlet, Settings};
use crate::net::frame::{Limits, Reader};
use crate::net::message::{APART, FromWorker, Hello, Report, Role, ToWorker, Verdict, WorkerHello};
use crate::net::{Address, Error, Sender, agent, codec, greet};
use dask_array::buffer::Buffer;
use dask_array::{Chunk, DType, Value};
use dask_core::TaskId;
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::watch;

/// How a worker runs.
#[derive(Clone)]
pub struct Options {
    /// Where the scheduler is.
    pub scheduler: Address,
    /// Its name.
    pub name: String,
    /// Tasks that it runs at a time.
    pub threads: usize,
    /// Bytes that it may use; 0 for no limit.
    pub memory_limit: u64,
    /// Amounts of named resources.
    pub resources: BTreeMap<String, f64>,
    /// Directories below which tasks read and write files.
    pub data_dirs: Vec<PathBuf>,
    /// Address that peers connect to, when it is not the one that it listens on.
    pub contact: Option<Address>,
    /// How long it takes to hand over what it holds when it is told to end.
    pub grace: Duration,
    /// What runs Python calls, where the process has Python.
    pub lane: Option<Arc<dyn Lane>>,
    /// Versions of what Python calls depend on.
    pub versions: BTreeMap<String, String>,
}

/// What others may look at while the worker runs.
#[derive(Default)]
pub struct Status {
    engine: Mutex<Option<Arc<Engine>>>,
    /// Connected to its scheduler.
    pub connected: AtomicBool,
    /// What it fetched.
    pub fetched: Arc<Fetched>,
    /// What it gave away.
    pub served: Arc<Served>,
}

impl Status {
    /// The engine, while the worker is connected.
    pub fn engine(&self) -> Option<Arc<Engine>> {
        self.engine.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    fn set(&self, engine: Option<Arc<Engine>>) {
        self.connected.store(engine.is_some(), Ordering::Relaxed);
        let old = std::mem::replace(&mut *self.engine.lock().unwrap_or_else(|e| e.into_inner()), engine);
        if let Some(old) = old {
            old.stop();
        }
    }
}

/// How often memory is measured and reported.
const MEMORY_EVERY: Duration = Duration::from_millis(200);

/// Runs a worker until `leave` becomes true and what it holds is handed over, or the grace time is over.
///
/// A lost scheduler is looked for again, ever more slowly; the worker then starts empty.
///
/// # Errors
/// When the scheduler refuses it for a reason that waiting does not change, or the system gives no threads.
pub async fn run(
    options: Options,
    listener: TcpListener,
    status: Arc<Status>,
    mut leave: watch::Receiver<bool>,
) -> Result<(), Error> {
    let own = listener.local_addr()?;
    let contact = options.contact.clone().unwrap_or_else(|| own.into());
    let accepting = tokio::spawn(accept(listener, Arc::clone(&status)));
    let mut wait = Duration::from_millis(100);
    let leaving = leave.clone();
    let result = loop {
        let hello = Hello {
            role: Role::Worker(WorkerHello {
                name: options.name.clone(),
                address: contact.to_string(),
                nthreads: options.threads as u32,
                memory_limit: options.memory_limit,
                resources: options.resources.clone(),
                python: options.lane.is_some(),
                versions: options.versions.clone(),
            }),
            agent: agent(),
            auth: ByteBuf::new(),
        };
        let limits = Limits::with_payload(limit(options.memory_limit));
        tokio::select! {
            connected = greet::connect(&options.scheduler, &hello, limits) => match connected {
                Ok((greeted, Verdict::Welcome { worker: Some(id), agent })) => {
                    tracing::info!(scheduler = %options.scheduler, %agent, id, "connected");
                    wait = Duration::from_millis(100);
                    let end = session(&options, &contact, &status, id, greeted, leaving.clone()).await;
                    status.set(None);
                    match end {
                        Ok(()) => break Ok(()),
                        Err(error) => tracing::warn!(%error, "lost the scheduler; looking for it again"),
                    }
                }
                Ok(_) => break Err(Error::Protocol("the scheduler gave this worker no number".into())),
                Err(Error::Refused(reason)) if !reason.contains("is taken") => break Err(Error::Refused(reason)),
                Err(error) => {
                    tracing::warn!(scheduler = %options.scheduler, %error, "cannot reach the scheduler; trying again in {wait:?}");
                }
            },
            _ = leave.wait_for(|l| *l) => break Ok(()),
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => wait = (wait * 2).min(Duration::from_secs(5)),
            _ = leave.wait_for(|l| *l) => break Ok(()),
        }
    };
    accepting.abort();
    result
}

/// Bytes of one result: no more than the worker may use at all.
fn limit(memory_limit: u64) -> u64 {
    if memory_limit == 0 { 1 << 40 } else { memory_limit }
}

/// Results that need no trip of their own.
const SMALL: usize = 64 << 10;

struct Remote {
    scheduler: Sender,
    fetcher: Arc<Fetcher>,
}

impl Outlet for Remote {
    fn report(&self, mut report: Report, small: Vec<Value>) {
        let mut payloads: Vec<Chunk> = vec![];
        for value in small {
            let (head, chunks) = codec::encode(&value);
            report.heads.push(ByteBuf::from(head));
            payloads.extend(chunks);
        }
        if let Err(error) = self.scheduler.send_with(&FromWorker::Report(report), &payloads) {
            // The reading side sees the same break and ends the session.
            tracing::debug!(%error, "a report was not sent");
        }
    }

    fn settle(&self) {}

    fn fetch(&self, from: u32, tasks: Vec<TaskId>) {
        self.fetcher.fetch(from, tasks);
    }
}

/// Serves one connection to the scheduler. `Ok` means that the worker may end.
async fn session(
    options: &Options,
    contact: &Address,
    status: &Arc<Status>,
    id: u32,
    greeted: greet::Greeted,
    mut leave: watch::Receiver<bool>,
) -> Result<(), Error> {
    let scheduler = Sender::new(greeted.writer);
    let handle = tokio::runtime::Handle::current();
    let fetcher = Arc::new(Fetcher::new(handle, limit(options.memory_limit), Arc::clone(&status.fetched)));
    let settings = Settings {
        id,
        threads: options.threads,
        data_dirs: options.data_dirs.clone(),
        owner: format!("worker {}", options.name),
        // Other processes need the cores that a spinning thread would take.
        spin: Duration::ZERO,
        small_bytes: SMALL,
        lane: options.lane.clone(),
        scheduler: Some(options.scheduler.clone()),
        contact: Some(contact.clone()),
    };
    let outlet = Remote { scheduler: scheduler.clone(), fetcher: Arc::clone(&fetcher) };
    let engine = Engine::start(settings, Box::new(outlet))?;
    fetcher.serve(&engine);
    status.set(Some(Arc::clone(&engine)));
    let mut orders = tokio::spawn(obey(Arc::clone(&engine), fetcher, greeted.reader));
    let mut tick = tokio::time::interval(MEMORY_EVERY);
    let mut deadline = None;
    let result = loop {
        tokio::select! {
            ended = &mut orders => break match ended {
                Ok(result) => result,
                Err(error) => Err(Error::Protocol(error.to_string())),
            },
            _ = tick.tick() => {
                engine.empty_hands();
                let memory = engine.memory(options.memory_limit);
                engine.flush();
                scheduler.send(&FromWorker::Memory(memory))?;
            }
            _ = leave.wait_for(|l| *l), if deadline.is_none() => {
                tracing::info!(grace = ?options.grace, "handing over what only this worker holds");
                deadline = Some(tokio::time::Instant::now() + options.grace);
                scheduler.send(&FromWorker::Leaving)?;
            }
            () = tokio::time::sleep_until(deadline.unwrap_or_else(tokio::time::Instant::now)), if deadline.is_some() => {
                tracing::warn!("the grace time is over; what was not handed over is computed again elsewhere");
                break Ok(());
            }
        }
    };
    orders.abort();
    result
}

/// Takes orders until the scheduler lets the worker go.
async fn obey(
    engine: Arc<Engine>,
    fetcher: Arc<Fetcher>,
    mut reader: Reader<OwnedReadHalf>,
) -> Result<(), Error> {
    loop {
        let frame = reader.frame::<ToWorker>().await?;
        let mut orders = match frame.message {
            ToWorker::Retired => return Ok(()),
            ToWorker::Orders(orders) => orders,
        };
        let blobs = unpack(&orders.blob_lens, frame.payloads).map_err(Error::Protocol)?;
        orders.check(blobs.len()).map_err(Error::Protocol)?;
        fetcher.learn(&std::mem::take(&mut orders.peers));
        if engine.take(Batch { orders, blobs }) {
            engine.flush();
        }
    }
}

/// The blobs of orders, of which small ones share a payload.
///
/// # Errors
/// When the column does not fit the payloads.
fn unpack(lens: &[u32], payloads: Vec<Buffer>) -> Result<Vec<Value>, String> {
    let mut payloads = payloads.into_iter();
    let mut next = || {
        let buffer = payloads.next().ok_or("a blob without its payload")?;
        let len = buffer.len();
        Chunk::from_buffer(DType::UInt8, &[len], buffer).ok_or("a blob that is too large")
    };
    let shared = if lens.iter().any(|len| *len != APART) { Some(next()?) } else { None };
    let mut at = 0;
    let blob = |len: &u32| match &shared {
        Some(shared) if *len != APART => {
            let end = at + *len as usize;
            if end > shared.len() {
                return Err("blobs longer than their payload".to_string());
            }
            let blob = shared.slice(&[(at, end - at, 1)]);
            at = end;
            Ok(Value::Array(blob))
        }
        _ => Ok(Value::Array(next()?)),
    };
    lens.iter().map(blob).collect()
}

/// Serves peers for as long as the worker lives.
async fn accept(listener: TcpListener, status: Arc<Status>) {
    loop {
        let Ok((stream, from)) = listener.accept().await else {
            // Out of file descriptors, most likely: others will be closed.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let status = Arc::clone(&status);
        tokio::spawn(async move {
            let (hello, mut greeted) = match greet::accept(stream).await {
                Ok(accepted) => accepted,
                Err(stranger) => {
                    tracing::warn!(%from, %stranger, "closed a connection");
                    return;
                }
            };
            let Some(engine) = status.engine().filter(|_| matches!(hello.role, Role::Peer)) else {
                let reason = "a worker that is connected to a scheduler only serves results".into();
                let _ = greet::answer(&mut greeted.writer, &Verdict::Refused { reason }).await;
                return;
            };
            let welcome = Verdict::Welcome { agent: agent(), worker: None };
            if greet::answer(&mut greeted.writer, &welcome).await.is_ok() {
                let served = Arc::clone(&status.served);
                if let Err(error) =
                    serve::peer(engine, served, greeted.reader, Sender::new(greeted.writer)).await
                {
                    tracing::warn!(%from, %error, "lost a peer");
                }
            }
        });
    }
}
