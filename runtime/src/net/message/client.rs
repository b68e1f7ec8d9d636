//! Between clients and the scheduler.

use super::super::column::{u32s, u64s};
use super::cause;
use crate::shared;
use dask_array::Foreign;
use dask_plan::plan::Output;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Client to scheduler.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromClient {
    /// Opens a job, or comes back to one of the same id.
    Submit(Submit),
    /// Bytes of the plan of the job submitted last on this connection.
    Plan(ByteBuf),
    /// The plan is complete.
    PlanEnd,
    /// Comes back to a job.
    Attach {
        /// Its id.
        id: String,
    },
    /// The result arrived and need not be kept.
    Received {
        /// The job's id.
        id: String,
        /// Its task.
        task: u32,
    },
    /// Nobody wants the job any more.
    Cancel {
        /// Its id.
        id: String,
    },
    /// Drops a job and its results, whatever its state.
    Forget {
        /// Its id.
        id: String,
    },
    /// Nobody needs these kept results any more.
    Release {
        /// The job's id.
        id: String,
        /// Its tasks.
        #[serde(with = "u32s")]
        tasks: Vec<u32>,
    },
    /// Takes a share of kept results of a job, which may be another client's; gives it back by [`FromClient::Release`]. Hears
    /// when they are there.
    Hold {
        /// The client's number of the question.
        request: u32,
        /// The job's id.
        id: String,
        /// Its tasks.
        #[serde(with = "u32s")]
        tasks: Vec<u32>,
    },
    /// Asks for kept results, wherever they are.
    Gather {
        /// The client's number of the question.
        request: u32,
        /// The job's id.
        id: String,
        /// Its tasks.
        #[serde(with = "u32s")]
        tasks: Vec<u32>,
    },
    /// Asks about the cluster.
    Ask {
        /// The client's number of the question.
        request: u32,
        /// What.
        question: Question,
    },
    /// Asks something of what clients share by name. The answer comes when there is nothing to wait for.
    Share {
        /// The client's number of the question.
        request: u32,
        /// What.
        ask: shared::Request<Item>,
    },
    /// Does not wait for the answer to a [`FromClient::Share`] any more, which comes at once.
    GiveUp {
        /// The question's number.
        request: u32,
    },
    /// Asks why a task is where it is.
    Explain {
        /// The job's id; without it, the newest job that has the key.
        id: Option<String>,
        /// The task's key.
        key: String,
    },
}

/// Opens a job.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Submit {
    /// Chosen by the client: a second submission of the same id comes back to the first.
    pub id: String,
    /// Higher runs earlier.
    #[serde(default)]
    pub priority: i32,
    /// A source document: its file's name and text. Without it, the plan follows.
    #[serde(default)]
    pub source: Option<(String, String)>,
    /// Refuses more tasks than this.
    pub max_tasks: u64,
    /// Wants progress and results on this connection.
    pub attach: bool,
    /// Ends with this connection: what it keeps is then dropped.
    #[serde(default)]
    pub bound: bool,
}

/// A value in what clients share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Its bytes, which only clients can read.
    pub bytes: ByteBuf,
    /// Kept results to which it refers: jobs' ids and their tasks.
    pub results: Vec<(String, u32)>,
}

/// What a client asks about the cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Which workers there are.
    Workers,
    /// Which workers hold each of these results: jobs' ids and their tasks.
    Holders(Vec<(String, u32)>),
}

/// What the scheduler answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The workers, in the order in which they joined.
    Workers(Vec<WorkerState>),
    /// The addresses of the workers that hold each result.
    Holders(Vec<Vec<String>>),
    /// The share was taken.
    Held,
    /// What came of a [`FromClient::Share`].
    Shared(shared::Outcome<Item>),
    /// Why it cannot be.
    Refused(String),
}

/// A worker, as clients see it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerState {
    /// Its name.
    pub name: String,
    /// Address at which others fetch its results.
    pub address: String,
    /// Tasks that it runs at a time.
    pub nthreads: u32,
    /// Bytes that it may use; 0 for no limit.
    pub memory_limit: u64,
    /// Bytes that its process takes.
    pub memory: u64,
    /// Bytes of the results that it keeps.
    pub managed: u64,
    /// Tasks that it ran.
    pub ran: u64,
    /// Amounts of named resources.
    pub resources: BTreeMap<String, f64>,
    /// It runs Python calls: the versions of what matters there. Empty for a worker without Python.
    pub versions: BTreeMap<String, String>,
}

/// Scheduler to client.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToClient {
    /// The job is there.
    Accepted {
        /// Its id.
        id: String,
        /// It was there before.
        known: bool,
    },
    /// What the job will yield. Comes once for every part that names outputs.
    Outputs {
        /// Its id.
        id: String,
        /// In order.
        outputs: Vec<Output>,
    },
    /// How far it is.
    Progress {
        /// Its id.
        id: String,
        /// The numbers.
        progress: Progress,
    },
    /// A result; the encoded value's payloads follow.
    Result {
        /// The job's id.
        id: String,
        /// Its task.
        task: u32,
        /// Encoded head.
        head: ByteBuf,
    },
    /// Kept results are there.
    Kept {
        /// The job's id.
        id: String,
        /// Its tasks.
        #[serde(with = "u32s")]
        tasks: Vec<u32>,
        /// Bytes of each.
        #[serde(with = "u64s")]
        nbytes: Vec<u64>,
        /// Those that are failures: indices into `tasks`.
        #[serde(with = "u32s")]
        failed: Vec<u32>,
    },
    /// Some of the results of a [`FromClient::Gather`]; their payloads follow.
    Gathered {
        /// The client's number of the question.
        request: u32,
        /// Tasks whose results follow.
        #[serde(with = "u32s")]
        tasks: Vec<u32>,
        /// Encoded heads.
        heads: Vec<ByteBuf>,
        /// Why no more will come.
        error: Option<String>,
    },
    /// The answer to a [`FromClient::Ask`].
    Answer {
        /// The client's number of the question.
        request: u32,
        /// It.
        answer: Answer,
    },
    /// All tasks are computed, and all results were sent before this.
    Done {
        /// Its id.
        id: String,
        /// The last numbers.
        progress: Progress,
    },
    /// The job ended without its results.
    Failed {
        /// Its id.
        id: String,
        /// The submission itself was wrong, nothing ran.
        refused: bool,
        /// What, where, why.
        error: String,
        /// The exception, packed, where a task raised one.
        #[serde(default, with = "cause")]
        cause: Option<Arc<dyn Foreign>>,
        /// The last numbers.
        progress: Progress,
    },
    /// The answer to [`FromClient::Explain`].
    Explained {
        /// In words, or why there is no answer.
        text: Result<String, String>,
    },
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Tasks of the graph, as far as it is known.
    pub tasks: u64,
    /// Tasks computed at least once.
    pub done: u64,
    /// Nanoseconds since the job was opened, until its end.
    pub nanos: u64,
    /// The most bytes that the workers' processes took, added up.
    pub bytes_peak: u64,
    /// How often tasks of each template ran, by its name.
    pub runs: BTreeMap<String, u64>,
}
