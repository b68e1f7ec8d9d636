//! The messages. Those that concern many tasks are columns ([`Tasks`]): nothing is sent task by task.

mod client;

pub use client::{Answer, FromClient, Item, Progress, Question, Submit, ToClient, WorkerState};

use super::column::{i64s, u32s, u64s};
use dask_array::Foreign;
use dask_core::{JobId, TaskId};
use dask_plan::plan::Template;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a side that connects says first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// What it is.
    pub role: Role,
    /// Its software, for people.
    pub agent: String,
    /// Proof that it may connect. Empty: this version knows no proofs.
    #[serde(default)]
    pub auth: ByteBuf,
}

/// What a connection is for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Submits jobs: sends [`FromClient`], receives [`ToClient`].
    Client,
    /// Computes: sends [`FromWorker`], receives [`ToWorker`].
    Worker(WorkerHello),
    /// Asks a worker for results: sends [`Get`], receives [`Values`].
    Peer,
}

/// What a worker says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkerHello {
    /// Name, unique among the scheduler's workers.
    pub name: String,
    /// Address at which it serves its results.
    pub address: String,
    /// Tasks that it runs at a time.
    pub nthreads: u32,
    /// Bytes that it may use; 0 when nothing limits it.
    pub memory_limit: u64,
    /// Amounts of named resources.
    #[serde(default)]
    pub resources: BTreeMap<String, f64>,
    /// It runs Python calls.
    #[serde(default)]
    pub python: bool,
    /// Versions of what Python calls depend on, by name.
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
}

/// The answer to a [`Hello`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Go on.
    Welcome {
        /// The other side's software, for people.
        agent: String,
        /// The number of the worker that said hello.
        #[serde(default)]
        worker: Option<u32>,
    },
    /// The connection is closed.
    Refused {
        /// Why, and what to do.
        reason: String,
    },
}

/// Tasks, as columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tasks {
    /// Number of the job.
    #[serde(with = "u32s")]
    pub job: Vec<u32>,
    /// Number of the task in it.
    #[serde(with = "u32s")]
    pub local: Vec<u32>,
}

impl Tasks {
    /// Adds one.
    pub fn push(&mut self, task: TaskId) {
        self.job.push(task.job.0);
        self.local.push(task.local);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.job.len().min(self.local.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn at(&self, index: usize) -> TaskId {
        TaskId { job: JobId(self.job[index]), local: self.local[index] }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.job.iter().zip(&self.local).map(|(&job, &local)| TaskId { job: JobId(job), local })
    }

    fn check(&self, what: &str) -> Result<(), String> {
        same(what, self.job.len(), self.local.len())
    }
}

impl FromIterator<TaskId> for Tasks {
    fn from_iter<I: IntoIterator<Item = TaskId>>(tasks: I) -> Tasks {
        let mut columns = Tasks::default();
        tasks.into_iter().for_each(|t| columns.push(t));
        columns
    }
}

fn same(what: &str, a: usize, b: usize) -> Result<(), String> {
    if a == b { Ok(()) } else { Err(format!("columns of {what} differ in length: {a} and {b}")) }
}

/// Scheduler to worker.
#[allow(clippy::large_enum_variant, reason = "made and taken apart one at a time")]
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToWorker {
    /// What to do.
    Orders(Orders),
    /// It holds nothing that is needed any more: it may end.
    Retired,
}

/// In [`Orders::blob_lens`]: the blob is a payload of its own.
pub const APART: u32 = u32::MAX;

/// What a worker is to do. It handles `free` first and `closed` last.
///
/// Small blobs stand one after another in the frame's first payload, large ones in payloads of their own behind it; see
/// `blob_lens`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Orders {
    /// Results to drop.
    pub free: Tasks,
    /// Bodies that later tasks name.
    pub classes: Vec<Class>,
    /// Addresses of workers that are named for the first time.
    pub peers: Vec<(u32, String)>,
    /// Tasks to compute.
    pub compute: Tasks,
    /// Their classes.
    #[serde(with = "u32s")]
    pub class: Vec<u32>,
    /// How many inputs each has, blobs apart.
    #[serde(with = "u32s")]
    pub input_counts: Vec<u32>,
    /// The inputs, task by task.
    pub inputs: Tasks,
    /// Workers that hold them.
    #[serde(with = "u32s")]
    pub from: Vec<u32>,
    /// Arguments, task by task, as many as the class's program takes.
    #[serde(with = "i64s")]
    pub args: Vec<i64>,
    /// Indices of tasks whose small results go back with the report.
    #[serde(with = "u32s")]
    pub wanted: Vec<u32>,
    /// Indices of tasks with a blob, rising.
    #[serde(with = "u32s")]
    pub blob_tasks: Vec<u32>,
    /// Which blob is that of each.
    #[serde(with = "u32s")]
    pub blobs: Vec<u32>,
    /// Bytes of each blob in the first payload, or [`APART`].
    #[serde(with = "u32s")]
    pub blob_lens: Vec<u32>,
    /// Indices of tasks that are not to run: their failure is their result; rising.
    #[serde(with = "u32s")]
    pub condemned: Vec<u32>,
    /// Which blob is the failure of each.
    #[serde(with = "u32s")]
    pub failures: Vec<u32>,
    /// Tasks to give back unless they have started. Answered whenever it is there.
    pub recall: Option<Tasks>,
    /// Results to fetch and keep.
    pub fetch: Tasks,
    /// Workers that hold them.
    #[serde(with = "u32s")]
    pub fetch_from: Vec<u32>,
    /// Jobs to forget.
    #[serde(with = "u32s")]
    pub closed: Vec<u32>,
}

/// What tasks of one class share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Class {
    /// Whose.
    pub job: u32,
    /// Its number in the job.
    pub class: u32,
    /// Smaller runs earlier.
    pub rank: i32,
    /// The body.
    #[serde(with = "shared")]
    pub template: Arc<Template>,
}

/// An `Arc` as what is in it.
mod shared {
    use super::*;

    pub(super) fn serialize<S: serde::Serializer>(template: &Arc<Template>, s: S) -> Result<S::Ok, S::Error> {
        template.as_ref().serialize(s)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Arc<Template>, D::Error> {
        Template::deserialize(d).map(Arc::new)
    }
}

/// What a host made of an error, as the bytes that another process can make it of again.
mod cause {
    use super::*;
    use dask_array::Value;
    use dask_array::encode::{from_bytes, to_bytes};

    pub(super) fn serialize<S: serde::Serializer>(
        cause: &Option<Arc<dyn Foreign>>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        cause.as_ref().map(|c| ByteBuf::from(to_bytes(&Value::Foreign(Arc::clone(c))))).serialize(s)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        d: D,
    ) -> Result<Option<Arc<dyn Foreign>>, D::Error> {
        match Option::<ByteBuf>::deserialize(d)?.map(|bytes| from_bytes(&bytes)) {
            None => Ok(None),
            Some(Ok(Value::Foreign(cause))) => Ok(Some(cause)),
            Some(Ok(_)) => Err(serde::de::Error::custom("a cause that is an array")),
            Some(Err(error)) => Err(serde::de::Error::custom(error)),
        }
    }
}

impl Orders {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.free.is_empty()
            && self.compute.is_empty()
            && self.recall.is_none()
            && self.fetch.is_empty()
            && self.closed.is_empty()
    }

    /// Checks that columns fit together, so that nothing is out of range later.
    ///
    /// # Errors
    /// Names the columns.
    pub fn check(&self, blobs: usize) -> Result<(), String> {
        for (what, tasks) in [
            ("free", &self.free),
            ("compute", &self.compute),
            ("inputs", &self.inputs),
            ("fetch", &self.fetch),
        ] {
            tasks.check(what)?;
        }
        if let Some(recall) = &self.recall {
            recall.check("recall")?;
        }
        let n = self.compute.len();
        same("compute", n, self.class.len())?;
        same("compute", n, self.input_counts.len())?;
        let inputs = self.input_counts.iter().map(|c| *c as usize).sum();
        same("inputs", self.inputs.len(), inputs)?;
        same("inputs", self.inputs.len(), self.from.len())?;
        same("fetch", self.fetch.len(), self.fetch_from.len())?;
        same("blobs", self.blobs.len(), self.blob_tasks.len())?;
        same("condemned", self.condemned.len(), self.failures.len())?;
        if self.blobs.iter().chain(&self.failures).any(|b| *b as usize >= blobs) {
            return Err(format!("a blob beyond the {blobs} that came"));
        }
        Ok(())
    }
}

/// Worker to scheduler.
#[allow(clippy::large_enum_variant, reason = "made and taken apart one at a time")]
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromWorker {
    /// What happened. Payloads are those of the small results.
    Report(Report),
    /// What it measured.
    Memory(Memory),
    /// It wants to leave without loss.
    Leaving,
}

/// What happened on a worker since the last report, in this order: landed, finished, the rest.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Results of which it now holds a copy.
    pub landed: Tasks,
    /// Tasks that it computed.
    pub finished: Tasks,
    /// Bytes of each result.
    #[serde(with = "u64s")]
    pub nbytes: Vec<u64>,
    /// Nanoseconds that each took.
    #[serde(with = "u64s")]
    pub nanos: Vec<u64>,
    /// It now runs so many tasks at a time.
    pub threads: Option<u32>,
    /// Tasks that failed.
    pub failed: Vec<Failed>,
    /// Tasks that did not run because an input could not be fetched: task, input, the worker that did not give it.
    pub missing: Vec<Missing>,
    /// Replicas that could not be fetched.
    pub unfetched: Vec<Missing>,
    /// Answers to recalls: tasks given back.
    pub returned: Vec<Tasks>,
    /// Results that are failures: indices into `finished`.
    #[serde(with = "u32s")]
    pub raised: Vec<u32>,
    /// Small results that the submitter waits for: indices into `finished`.
    #[serde(with = "u32s")]
    pub small: Vec<u32>,
    /// Their encoded heads; payloads follow in order.
    pub heads: Vec<ByteBuf>,
}

impl Report {
    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.landed.is_empty()
            && self.finished.is_empty()
            && self.threads.is_none()
            && self.failed.is_empty()
            && self.missing.is_empty()
            && self.unfetched.is_empty()
            && self.returned.is_empty()
    }

    /// Checks that columns fit together.
    ///
    /// # Errors
    /// Names the columns.
    pub fn check(&self) -> Result<(), String> {
        self.landed.check("landed")?;
        self.finished.check("finished")?;
        self.returned.iter().try_for_each(|t| t.check("returned"))?;
        same("finished", self.finished.len(), self.nbytes.len())?;
        same("finished", self.finished.len(), self.nanos.len())?;
        same("small", self.small.len(), self.heads.len())?;
        if self.small.iter().chain(&self.raised).any(|i| *i as usize >= self.finished.len()) {
            return Err("a small result of a task that is not among the finished".into());
        }
        Ok(())
    }
}

/// A task that failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failed {
    /// Job and number.
    pub task: (u32, u32),
    /// What it said.
    pub error: String,
    /// What the worker's host made of it, such as the exception.
    #[serde(default, with = "cause")]
    pub cause: Option<Arc<dyn Foreign>>,
    /// Its inputs, and what each was: dtype, shape, bytes.
    pub inputs: Vec<((u32, u32), String)>,
}

/// Something that could not be fetched.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Missing {
    /// The task that needed it, or the result itself.
    pub task: (u32, u32),
    /// The result.
    pub input: (u32, u32),
    /// The worker that did not give it.
    pub from: u32,
}

/// What a worker measured of its memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Bytes of the process in memory.
    pub process: u64,
    /// The most that ever was.
    pub peak: u64,
    /// Bytes of results that it keeps.
    pub managed: u64,
    /// It is too full to start tasks.
    pub paused: bool,
    /// Tasks that wait or run on it; while it is paused, not those that only wait to be started.
    pub queued: u64,
}

/// Peer to worker: asks for results. Each is answered once, in [`Values`] frames.
#[derive(Debug, Serialize, Deserialize)]
pub struct Get {
    /// Which.
    pub tasks: Tasks,
}

/// Worker to peer: some of the results that were asked for. Payloads are those of `heads`, in order.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Values {
    /// Results that follow.
    pub tasks: Tasks,
    /// Their encoded heads.
    pub heads: Vec<ByteBuf>,
    /// Results that this worker does not have.
    pub absent: Tasks,
}
