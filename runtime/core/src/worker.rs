//! What the core knows of a worker.

use crate::event::{Measured, TaskId, WorkerInfo};
use crate::lane::millionths;
use crate::queue::Queue;

/// Nanoseconds of work per thread that a worker should have in its queue: longer than any exchange of messages.
pub(crate) const LOOK_AHEAD: u64 = 2_000_000;
/// Tasks at most that queue on a worker for that.
const MOST_QUEUED: usize = 384;

/// Reports in a row that show a paused worker to be stuck. A result that it was told to free is gone from the second one
/// after that at the latest, since it may free it while it measures; one more is for an order that took its time.
const REPORTS: u32 = 3;

/// A connected worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) info: WorkerInfo,
    pub(crate) nthreads: usize,
    /// Bytes that may be stored and expected here: 0.80 of the limit, `u64::MAX` without one.
    pub(crate) capacity: u64,
    /// Bytes of results stored here.
    pub(crate) stored: u64,
    /// Bytes that its assigned tasks and fetches will bring.
    pub(crate) reserved: u64,
    /// Results stored here.
    pub(crate) held: u32,
    /// Tasks that it was ordered to compute and has not answered, in no order.
    pub(crate) assigned: Vec<Assigned>,
    /// Nanoseconds that they will take together.
    pub(crate) busy: u64,
    /// Ready tasks that wait on the scheduler for this worker, since their data is here.
    pub(crate) queue: Queue,
    /// What it measured last.
    pub(crate) memory: Measured,
    /// Reports in a row that said that nothing goes on there and no memory comes free, and the era they are of.
    pub(crate) still: (u64, u32),
    pub(crate) retiring: Option<Retiring>,
    /// Tasks that it was asked to give back.
    pub(crate) recalled: Vec<TaskId>,
    /// The worker that is to have them.
    pub(crate) recalled_for: Option<u32>,
    /// It gave nothing back when last asked, and its orders are still the same: no use to ask again.
    pub(crate) asked_in_vain: bool,
    /// Lanes of which it is a member.
    pub(crate) lanes: Vec<u32>,
    pub(crate) resources: Vec<Resource>,
    /// When it last answered an order, or got one while it had none.
    pub(crate) answered: u64,
    /// In the core's list of workers to look at.
    pub(crate) dirty: bool,
    /// Tasks computed here.
    pub(crate) computed: u64,
}

/// An order that is not answered yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Assigned {
    pub(crate) task: TaskId,
    /// Bytes reserved for it.
    pub(crate) reserved: u64,
    /// Nanoseconds that it is expected to take.
    pub(crate) nanos: u64,
}

/// How far a retirement is.
#[derive(Debug, Default)]
pub(crate) struct Retiring {
    /// Results for which no other worker has room.
    pub(crate) blocked: Vec<TaskId>,
    pub(crate) told_blocked: bool,
    pub(crate) told_retired: bool,
}

/// A worker's resource, in millionths.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) total: u64,
    pub(crate) free: u64,
}

impl Worker {
    pub(crate) fn new(info: WorkerInfo, now: u64) -> Worker {
        let resources = info.resources.iter().filter(|(_, amount)| (0.0..=1e12).contains(amount));
        let resources = resources.map(|(name, amount)| {
            let total = millionths(*amount);
            Resource { name: name.clone(), total, free: total }
        });
        Worker {
            nthreads: info.nthreads.max(1) as usize,
            capacity: match info.memory_limit {
                0 => u64::MAX,
                limit => limit / 5 * 4 + limit % 5 * 4 / 5,
            },
            resources: resources.collect(),
            info,
            stored: 0,
            reserved: 0,
            held: 0,
            assigned: vec![],
            busy: 0,
            queue: Queue::default(),
            memory: Measured::default(),
            still: (0, 0),
            retiring: None,
            recalled: vec![],
            recalled_for: None,
            asked_in_vain: false,
            lanes: vec![],
            answered: now,
            dirty: false,
            computed: 0,
        }
    }

    pub(crate) fn resource(&self, name: &str) -> Option<&Resource> {
        self.resources.iter().find(|r| r.name == name)
    }

    /// Whether it may get tasks and data.
    pub(crate) fn is_active(&self) -> bool {
        !self.memory.paused && self.retiring.is_none()
    }

    /// Takes in what it measured, `era` being the core's.
    pub(crate) fn measured(&mut self, memory: Measured, era: u64) {
        let old = std::mem::replace(&mut self.memory, memory);
        let still =
            memory.paused && memory.active == 0 && memory.kept == old.kept && memory.process >= old.process;
        let before = if self.still.0 == era { self.still.1 } else { 0 };
        self.still = (era, if still { before.saturating_add(1) } else { 0 });
    }

    /// Whether it is paused and nothing that the core knows of will ever free memory there.
    pub(crate) fn is_stuck(&self, era: u64) -> bool {
        self.still.0 == era && self.still.1 >= REPORTS
    }

    /// Whether it has a thread that nothing is ordered for.
    pub(crate) fn has_idle_thread(&self) -> bool {
        self.assigned.len() < self.nthreads
    }

    /// Whether its queue should be longer, to hide the time that messages take.
    pub(crate) fn has_room(&self) -> bool {
        let len = self.assigned.len();
        len <= self.nthreads || (len < MOST_QUEUED && self.busy < LOOK_AHEAD * self.nthreads as u64)
    }

    /// Bytes that may still be placed here.
    pub(crate) fn free_bytes(&self) -> u64 {
        self.capacity.saturating_sub(self.stored.saturating_add(self.reserved))
    }

    /// How full it is with work; only for comparing.
    pub(crate) fn load(&self) -> u64 {
        ((self.assigned.len() + self.queue.len()) * 64 / self.nthreads) as u64
    }
}
