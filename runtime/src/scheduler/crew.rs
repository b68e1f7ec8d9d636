//! The workers, and the orders they are sent.

use super::job::Job;
use crate::ids::{IdMap, key};
use crate::net::Sender;
use crate::net::message::{APART, Class, Memory, Orders, ToWorker, WorkerHello};
use crate::worker::{Batch, Engine, Trouble, memory};
use dask_array::encode::to_bytes;
use dask_array::{Chunk, Value};
use dask_core::{self as core, JobId, TaskId};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

/// The way to a worker.
#[derive(Clone)]
pub enum Link {
    /// In another process.
    Remote(Sender),
    /// In this one.
    Local(Arc<Engine>),
}

/// What joins.
pub type Joining = WorkerHello;

/// A worker, for people.
#[derive(Clone, Debug)]
pub struct WorkerView {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Tasks that it runs at a time.
    pub nthreads: u32,
    /// Bytes that it may use; 0 for no limit.
    pub memory_limit: u64,
    /// What it measured last.
    pub memory: Memory,
    /// It is about to leave.
    pub retiring: bool,
    /// Tasks that it ran.
    pub ran: u64,
    /// Amounts of named resources.
    pub resources: BTreeMap<String, f64>,
    /// Versions of what Python calls depend on; empty where it runs none.
    pub versions: BTreeMap<String, String>,
}

pub(super) struct Worker {
    pub(super) view: WorkerView,
    pub(super) link: Link,
    pub(super) seen: Instant,
    /// Classes that it was sent.
    classes: HashSet<u64>,
    /// Jobs of which it was sent something.
    jobs: HashSet<u32>,
    /// Workers whose address it was sent.
    peers: HashSet<u32>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Crew {
    pub(super) workers: IdMap<u32, Worker>,
    /// The most that was reported so far.
    peak: u64,
    pub(super) added: u64,
    pub(super) removed: u64,
}

impl Crew {
    pub(super) fn named(&self, name: &str) -> Option<&Worker> {
        self.workers.values().find(|w| w.view.name == name)
    }

    pub(super) fn add(&mut self, id: u32, hello: Joining, link: Link) {
        let view = WorkerView {
            id,
            name: hello.name,
            address: hello.address,
            nthreads: hello.nthreads,
            memory_limit: hello.memory_limit,
            memory: Memory::default(),
            retiring: false,
            ran: 0,
            resources: hello.resources,
            versions: hello.versions,
        };
        self.added += 1;
        let (classes, jobs, peers) = Default::default();
        self.workers.insert(id, Worker { view, link, seen: Instant::now(), classes, jobs, peers });
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<Worker> {
        let gone = self.workers.remove(&id)?;
        self.removed += 1;
        Some(gone)
    }

    pub(super) fn measured(&mut self, id: u32, memory: Memory) -> Option<Memory> {
        let worker = self.workers.get_mut(&id)?;
        let old = std::mem::replace(&mut worker.view.memory, memory);
        worker.seen = Instant::now();
        self.peak = self.peak.max(self.workers.values().map(|w| w.view.memory.peak).sum());
        Some(old)
    }

    /// The most that all processes together took at a time; a worker in this process is asked now.
    pub(super) fn peak(&self) -> u64 {
        let of = |w: &Worker| match w.link {
            Link::Local(_) => memory::peak(),
            Link::Remote(_) => w.view.memory.peak,
        };
        self.peak.max(self.workers.values().map(of).sum())
    }

    /// Sends a worker what the core orders.
    pub(super) fn order(&mut self, orders: &core::Orders, jobs: &IdMap<u32, Job>) {
        let id = orders.worker.0;
        let named: Vec<u32> =
            orders.inputs.iter().chain(&orders.fetch).map(|i| i.from.0).filter(|from| *from != id).collect();
        let Some(worker) = self.workers.get(&id) else { return };
        let mut new: Vec<(u32, String)> = vec![];
        for from in named {
            if !worker.peers.contains(&from)
                && !new.iter().any(|(n, _)| *n == from)
                && let Some(peer) = self.workers.get(&from)
            {
                new.push((from, peer.view.address.clone()));
            }
        }
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.peers.extend(new.iter().map(|(n, _)| *n));
        let batch = worker.batch(orders, new, jobs);
        worker.send(batch);
    }

    /// Tells every worker that knows it to forget a job.
    pub(super) fn close(&mut self, job: JobId) {
        for worker in self.workers.values_mut() {
            if worker.jobs.remove(&job.0) {
                worker.classes.retain(|c| (c >> 32) as u32 != job.0);
                worker.send(Batch {
                    orders: Orders { closed: vec![job.0], ..Orders::default() },
                    blobs: vec![],
                });
            }
        }
    }

    pub(super) fn retired(&mut self, id: u32) {
        if let Some(Worker { link: Link::Remote(sender), .. }) = self.workers.get(&id) {
            // If it is gone, its connection tells.
            let _ = sender.send(&ToWorker::Retired);
        }
    }
}

impl Worker {
    fn batch(&mut self, from: &core::Orders, peers: Vec<(u32, String)>, jobs: &IdMap<u32, Job>) -> Batch {
        let mut orders = Orders { peers, ..Orders::default() };
        let mut blobs: Vec<Value> = vec![];
        let mut sent: IdMap<u64, u32> = IdMap::default();
        orders.free = from.free.iter().copied().collect();
        orders.compute.job.reserve(from.compute.len());
        orders.compute.local.reserve(from.compute.len());
        orders.class.reserve(from.compute.len());
        orders.input_counts.reserve(from.compute.len());
        let mut last = None;
        for (index, compute) in from.compute.iter().enumerate() {
            let TaskId { job, local } = compute.task;
            orders.compute.push(compute.task);
            orders.class.push(compute.class);
            orders.input_counts.push(compute.inputs);
            // The core orders only tasks of jobs that are open here.
            let Some(known) = jobs.get(&job.0) else { continue };
            if last != Some((job, compute.class)) {
                last = Some((job, compute.class));
                self.jobs.insert(job.0);
                if self.classes.insert((u64::from(job.0) << 32) | u64::from(compute.class))
                    && let Some((rank, template)) = known.table.template(compute.class)
                {
                    let template = Arc::clone(template);
                    orders.classes.push(Class { job: job.0, class: compute.class, rank, template });
                }
            }
            let Some(row) = known.table.row(local) else { continue };
            orders.args.extend(row.args.iter());
            if let Some(blob) = row.blob {
                let number = *sent.entry(key(TaskId { job, local: blob })).or_insert_with(|| {
                    blobs.push(known.table.blob(blob).clone());
                    blobs.len() as u32 - 1
                });
                orders.blob_tasks.push(index as u32);
                orders.blobs.push(number);
            }
            if compute.condemned {
                blobs.push(
                    known
                        .condemned
                        .get(&local)
                        .cloned()
                        .unwrap_or_else(|| Trouble::from("it failed".to_string()).into()),
                );
                orders.condemned.push(index as u32);
                orders.failures.push(blobs.len() as u32 - 1);
            }
            if known.wanted.contains_key(&local) {
                orders.wanted.push(index as u32);
            }
        }
        for input in &from.inputs {
            // Which may be another job's.
            self.jobs.insert(input.task.job.0);
            orders.inputs.push(input.task);
            orders.from.push(input.from.0);
        }
        for replica in &from.fetch {
            self.jobs.insert(replica.task.job.0);
            orders.fetch.push(replica.task);
            orders.fetch_from.push(replica.from.0);
        }
        if !from.recall.is_empty() {
            orders.recall = Some(from.recall.iter().copied().collect());
        }
        Batch { orders, blobs }
    }

    fn send(&self, batch: Batch) {
        if batch.orders.is_empty() {
            return;
        }
        match &self.link {
            Link::Local(engine) => {
                if engine.take(batch) {
                    engine.flush();
                }
            }
            Link::Remote(sender) => {
                let Batch { mut orders, blobs } = batch;
                let payloads = pack(blobs, &mut orders.blob_lens);
                // If it is gone, its connection tells; if a message was too large, nobody else would.
                if let Err(error @ crate::net::Error::Protocol(_)) =
                    sender.send_with(&ToWorker::Orders(orders), &payloads)
                {
                    tracing::error!(worker = %self.view.name, %error, "cannot send orders");
                }
            }
        }
    }
}

/// Blobs up to this size go together: a payload of their own would cost more than their bytes.
const SMALL_BLOB: usize = 4 << 10;

/// Blobs as payloads of a frame, and the column that says which is which.
fn pack(blobs: Vec<Value>, lens: &mut Vec<u32>) -> Vec<Chunk> {
    let (mut small, mut payloads) = (vec![], vec![]);
    for blob in blobs {
        let bytes = match blob {
            Value::Array(chunk) => chunk,
            // A failure. What a host handed in for its own process goes to no other.
            other => {
                let bytes = to_bytes(&other);
                Chunk::from_slice(&[bytes.len()], &bytes)
            }
        };
        match bytes.as_bytes() {
            Some(own) if own.len() <= SMALL_BLOB => {
                lens.push(own.len() as u32);
                small.extend_from_slice(own);
            }
            _ => {
                lens.push(APART);
                payloads.push(bytes);
            }
        }
    }
    if lens.iter().any(|len| *len != APART) {
        payloads.insert(0, Chunk::from_slice(&[small.len()], &small));
    }
    payloads
}
