//! A job as its submitter sees it: what it will yield, how far it is, which results are on their way.

use super::content::Content;
use super::table::Table;
use crate::ids::IdMap;
use crate::net::message::Progress;
use dask_array::{Foreign, Value};
use dask_core::JobId;
use dask_plan::plan::Output;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// The most characters of a job's id.
const MAX_ID: usize = 200;

/// Checks that a job may be called so: ids stand on one line of the terminal, in logs and in addresses of pages.
///
/// # Errors
/// Says why not, and the rule.
pub fn check_id(id: &str) -> Result<(), String> {
    let wrong = if id.is_empty() {
        "is empty"
    } else if id.chars().count() > MAX_ID {
        "is too long"
    } else if id.chars().any(char::is_control) {
        "holds a control character"
    } else if id.trim() != id {
        "begins or ends with a space"
    } else {
        return Ok(());
    };
    let shown: String = id.chars().take(40).collect();
    Err(format!(
        "the job id {shown:?} {wrong}; an id has 1 to {MAX_ID} characters, none of them a control character, and no space \
         at its ends"
    ))
}

/// What a subscriber of a job is told.
#[derive(Clone, Debug)]
pub enum JobEvent {
    /// What the job will yield; comes for each part that names outputs.
    Outputs(Vec<Output>),
    /// How far it is.
    Progress(Progress),
    /// Results are there that stay on the workers.
    Kept(Vec<Kept>),
    /// A result.
    Result {
        /// The task.
        task: u32,
        /// Its value.
        value: Value,
    },
    /// All results were sent.
    Done(Progress),
    /// It ended without all its results.
    Failed {
        /// The submission itself was wrong and nothing ran.
        refused: bool,
        /// What, where, why.
        error: String,
        /// What the host of the worker made of the error, if that is this process.
        cause: Option<Arc<dyn Foreign>>,
        /// How far it came.
        progress: Progress,
    },
}

/// A result that stays on the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The task.
    pub task: u32,
    /// Its bytes.
    pub nbytes: u64,
    /// It is a failure.
    pub failed: bool,
}

/// Takes a job's events; must not wait. Returns whether it still listens.
pub type Subscriber = Box<dyn Fn(&JobEvent) -> bool + Send>;

/// Where a job is in its life.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Tasks may still come.
    Open,
    /// All tasks are known.
    Running,
    /// All tasks are computed; results may still be on their way.
    Done,
    Failed {
        refused: bool,
        error: String,
        cause: Option<Arc<dyn Foreign>>,
    },
}

/// A wanted result.
pub(super) enum Wanted {
    /// Not computed yet.
    Pending,
    /// A worker has it, and it waits to be fetched.
    OnWorker { worker: u32, nbytes: u64 },
    /// It is kept here.
    Held(Value),
    /// It was sent and is not kept.
    Sent,
}

pub(super) struct Job {
    pub(super) id: JobId,
    pub(super) name: String,
    pub(super) priority: i32,
    /// What it was made from; `None` while its plan is arriving.
    pub(super) content: Option<Content>,
    pub(super) table: Table,
    pub(super) outputs: Vec<Output>,
    pub(super) wanted: IdMap<u32, Wanted>,
    /// Results that stay on the workers when the job is done: those of which its client has not let go.
    pub(super) kept: HashSet<u32>,
    /// How many shares others have of such results.
    pub(super) held: IdMap<u32, u32>,
    /// Such results that are there and are failures.
    pub(super) raised: HashSet<u32>,
    /// There were such results.
    pub(super) kept_some: bool,
    /// Kept results that are there and of which the subscriber is told soon: many at a time.
    pub(super) arrived: Vec<Kept>,
    /// Jobs whose results it takes, until it ends.
    pub(super) uses: Vec<u32>,
    /// Jobs that have not ended and take its results.
    pub(super) users: u32,
    /// What hosts made of the errors of tasks that may be tried again.
    pub(super) causes: IdMap<u32, Arc<dyn Foreign>>,
    /// Failures that are the results of their tasks.
    pub(super) condemned: IdMap<u32, Value>,
    /// Wanted results that are not yet with the subscriber.
    pub(super) unsent: usize,
    /// Results on workers, to be fetched and sent.
    pub(super) fetch: VecDeque<u32>,
    /// Bytes of results that were sent and not acknowledged.
    pub(super) in_flight: IdMap<u32, u64>,
    /// A task of the runtime fetches results.
    pub(super) pumping: bool,
    pub(super) held_bytes: u64,
    pub(super) stage: Stage,
    pub(super) opened: Instant,
    pub(super) ended: Option<Instant>,
    pub(super) subscriber: Option<Subscriber>,
    /// Other clients that have shares of its kept results: their connections, and what tells them.
    pub(super) sharers: IdMap<u32, Subscriber>,
    /// The last progress that was told.
    pub(super) told: (u64, u64),
    /// Not shown to people: it reads metadata for another job.
    pub(super) internal: bool,
}

impl Job {
    pub(super) fn new(id: JobId, name: String, priority: i32, now: Instant) -> Job {
        Job {
            id,
            name,
            priority,
            content: None,
            table: Table::default(),
            outputs: vec![],
            wanted: IdMap::default(),
            kept: HashSet::new(),
            held: IdMap::default(),
            raised: HashSet::new(),
            kept_some: false,
            arrived: vec![],
            uses: vec![],
            users: 0,
            causes: IdMap::default(),
            condemned: IdMap::default(),
            unsent: 0,
            fetch: VecDeque::new(),
            in_flight: IdMap::default(),
            pumping: false,
            held_bytes: 0,
            stage: Stage::Open,
            opened: now,
            ended: None,
            subscriber: None,
            sharers: IdMap::default(),
            told: (0, 0),
            internal: false,
        }
    }

    /// Tells the subscriber, if there is one; first of what arrived before.
    pub(super) fn tell(&mut self, event: &JobEvent) {
        self.tell_arrived();
        self.tell_now(event);
    }

    /// Tells the subscriber of the kept results that are there.
    pub(super) fn tell_arrived(&mut self) {
        if !self.arrived.is_empty() {
            let kept = JobEvent::Kept(std::mem::take(&mut self.arrived));
            self.tell_now(&kept);
        }
    }

    fn tell_now(&mut self, event: &JobEvent) {
        if let Some(subscriber) = &self.subscriber
            && !subscriber(event)
        {
            self.subscriber = None;
        }
        if matches!(event, JobEvent::Kept(_) | JobEvent::Failed { .. }) {
            self.sharers.retain(|_, sharer| sharer(event));
        }
    }

    /// Whether somebody has a share of a kept result.
    pub(super) fn keeps(&self, task: u32) -> bool {
        self.kept.contains(&task) || self.held.contains_key(&task)
    }

    pub(super) fn progress(&self, bytes_peak: u64) -> Progress {
        let nanos =
            self.ended.unwrap_or_else(Instant::now).saturating_duration_since(self.opened).as_nanos() as u64;
        let mut progress = Progress { nanos, bytes_peak, ..Progress::default() };
        self.table.progress(&mut progress);
        progress
    }

    /// Whether results are on their way to the subscriber, which releases them when it has them.
    pub(super) fn delivering(&self) -> bool {
        self.subscriber.is_some() && (self.pumping || !self.fetch.is_empty() || !self.in_flight.is_empty())
    }

    /// Whether it was to keep results for later, and nobody needs any of them.
    pub(super) fn abandoned(&self) -> bool {
        self.kept_some
            && self.kept.is_empty()
            && self.held.is_empty()
            && self.wanted.is_empty()
            && self.users == 0
    }

    /// Whether nothing is left to do for the subscriber.
    pub(super) fn delivered(&self) -> bool {
        self.unsent == 0
    }
}

#[cfg(test)]
mod tests {
    use super::check_id;

    #[test]
    fn ids_are_short_and_of_one_line() {
        for id in ["a", "17f-00ab", "report 2026/Q1", "größe", &"x".repeat(200)] {
            assert_eq!(check_id(id), Ok(()), "{id}");
        }
        for (id, why) in [
            ("", "empty"),
            ("a\nb", "control"),
            ("\u{1b}[31m", "control"),
            (" a", "space"),
            (&"x".repeat(201), "too long"),
        ] {
            let said = check_id(id).unwrap_err();
            assert!(said.contains(why) && said.contains("1 to 200"), "{said}");
        }
    }
}
