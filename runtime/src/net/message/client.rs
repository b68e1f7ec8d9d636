//! Between clients and the scheduler.

use dask_plan::plan::Output;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;

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
