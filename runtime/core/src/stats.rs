//! Numbers for progress, metrics and pages.

use crate::core::Core;
use crate::event::{JobId, WorkerId};
use crate::queue::Queue;
use crate::task::State;

/// Tasks by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Some input is not there yet.
    pub waiting: u64,
    /// In a queue of the scheduler.
    pub ready: u64,
    /// On a worker.
    pub assigned: u64,
    /// The result is kept.
    pub stored: u64,
    /// The result is no longer kept.
    pub released: u64,
}

impl Counts {
    fn of(counts: [u64; 5]) -> Counts {
        let [waiting, ready, assigned, stored, released] = counts;
        Counts { waiting, ready, assigned, stored, released }
    }

    /// All tasks.
    pub fn total(&self) -> u64 {
        self.waiting + self.ready + self.assigned + self.stored + self.released
    }

    /// Tasks that are computed.
    pub fn done(&self) -> u64 {
        self.stored + self.released
    }
}

/// A job in numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct JobStats {
    /// Which.
    pub job: JobId,
    /// Its tasks by state.
    pub counts: Counts,
    /// No tasks follow.
    pub complete: bool,
    /// Its classes, in their order.
    pub classes: Vec<ClassStats>,
}

/// A class in numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassStats {
    /// Its name.
    pub name: String,
    /// Its tasks by state.
    pub counts: Counts,
    /// Times that a task of it was computed; more than its tasks when results were lost.
    pub computed: u64,
    /// Nanoseconds that took.
    pub nanos: u64,
    /// Bytes of a typical result.
    pub nbytes: u64,
}

/// A worker in numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerStats {
    /// Which.
    pub worker: WorkerId,
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Tasks that it runs at a time.
    pub nthreads: u32,
    /// Tasks that it runs or that queue on it.
    pub assigned: u32,
    /// Ready tasks that the scheduler keeps for it.
    pub queued: u32,
    /// Results that it holds.
    pub held: u32,
    /// Bytes that they take.
    pub stored: u64,
    /// Bytes that its orders will bring, where memory is limited.
    pub reserved: u64,
    /// Bytes that may be stored and reserved; `u64::MAX` when nothing limits it.
    pub capacity: u64,
    /// Nanoseconds that its orders are expected to take, all threads together.
    pub busy: u64,
    /// Tasks that it computed.
    pub computed: u64,
    /// Too full to start tasks.
    pub paused: bool,
    /// About to leave.
    pub retiring: bool,
}

impl Core {
    /// Tasks of all jobs by state.
    pub fn counts(&self) -> Counts {
        Counts::of(self.counts)
    }

    /// Jobs that are not closed.
    pub fn jobs(&self) -> Vec<JobId> {
        self.jobs.iter().map(|(_, job)| job.id).collect()
    }

    /// A job's tasks by state.
    pub fn job_counts(&self, job: JobId) -> Option<Counts> {
        self.jobs.get(job.0).map(|j| Counts::of(j.counts.map(u64::from)))
    }

    /// A job in numbers, if it is not closed.
    pub fn job_stats(&self, job: JobId) -> Option<JobStats> {
        let j = self.jobs.get(job.0)?;
        let classes = j.classes.iter().map(|c| ClassStats {
            name: c.class.name.clone(),
            counts: Counts::of(c.counts.map(u64::from)),
            computed: c.computed,
            nanos: c.total_nanos,
            nbytes: c.nbytes,
        });
        Some(JobStats {
            job,
            counts: Counts::of(j.counts.map(u64::from)),
            complete: j.complete,
            classes: classes.collect(),
        })
    }

    /// Every worker in numbers.
    pub fn workers(&self) -> Vec<WorkerStats> {
        self.workers.iter().filter_map(|(n, _)| self.worker(WorkerId(n))).collect()
    }

    /// A worker in numbers, if it is there.
    pub fn worker(&self, worker: WorkerId) -> Option<WorkerStats> {
        let w = self.workers.get(worker.0)?;
        Some(WorkerStats {
            worker,
            name: w.info.name.clone(),
            address: w.info.address.clone(),
            nthreads: w.nthreads as u32,
            assigned: w.assigned.len() as u32,
            queued: w.queue.len() as u32,
            held: w.held,
            stored: w.stored,
            reserved: w.reserved,
            capacity: w.capacity,
            busy: w.busy,
            computed: w.computed,
            paused: w.memory.paused,
            retiring: w.retiring.is_some(),
        })
    }

    /// The state of a task, if its job is not closed.
    pub fn state(&self, task: crate::event::TaskId) -> Option<State> {
        self.find(task).map(|t| t.state)
    }

    /// Bytes that tasks, edges and queues take on the heap.
    pub fn nbytes(&self) -> usize {
        let jobs = self.jobs.iter().map(|(_, j)| {
            j.tasks.capacity() * size_of::<crate::task::Task>()
                + j.edges.capacity() * size_of::<crate::task::Edge>()
        });
        let lanes = self.lanes.iter().map(|l| &l.queue);
        let queues = self.workers.iter().map(|(_, w)| &w.queue).chain(lanes).map(Queue::nbytes);
        jobs.sum::<usize>() + queues.sum::<usize>()
    }
}
