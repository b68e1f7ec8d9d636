//! Lanes: ready tasks with the same demands on a worker (Python, restrictions, resources) queue together.
//!
//! What one worker cannot take from a lane's head it cannot take from behind it either, so nobody searches a
//! queue. Most clusters have one lane, or two with Python.

use crate::event::Class;
use crate::queue::Queue;
use crate::table::Set;
use crate::worker::Worker;

/// Amounts of resources are whole millionths, so that they add up.
pub(crate) fn millionths(amount: f64) -> u64 {
    (amount * 1e6).round() as u64
}

/// What a lane's tasks demand.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Demands {
    pub(crate) python: bool,
    /// Names and addresses, sorted.
    pub(crate) workers: Vec<String>,
    pub(crate) allow_other_workers: bool,
    /// In millionths, sorted by name.
    pub(crate) resources: Vec<(String, u64)>,
}

impl Demands {
    /// # Errors
    /// Names the resource whose amount is not a number of at least 0.
    pub(crate) fn of(class: &Class) -> Result<Demands, String> {
        let mut resources = vec![];
        for (name, amount) in &class.resources {
            if !(0.0..=1e12).contains(amount) {
                return Err(format!(
                    "class `{}` asks for {amount} of resource `{name}`; an amount lies between 0 and 10^12",
                    class.name
                ));
            }
            resources.push((name.clone(), millionths(*amount)));
        }
        resources.sort();
        let mut workers = class.workers.clone();
        workers.sort();
        workers.dedup();
        let allow_other_workers = class.allow_other_workers && !workers.is_empty();
        Ok(Demands { python: class.python, workers, allow_other_workers, resources })
    }

    /// Whether the restriction names this worker: by its name, or by its address with or without scheme and port.
    pub(crate) fn names(&self, worker: &Worker) -> bool {
        let (name, address) = (worker.info.name.as_str(), worker.info.address.as_str());
        let short = address.split_once("://").map_or(address, |(_, short)| short);
        let host = short.rsplit_once(':').map_or(short, |(host, _)| host);
        self.workers.iter().any(|w| [name, address, short, host].contains(&w.as_str()))
    }

    /// Whether it could ever run here, the restriction aside.
    pub(crate) fn can_run(&self, worker: &Worker) -> bool {
        (!self.python || worker.info.python)
            && self
                .resources
                .iter()
                .all(|(name, amount)| worker.resource(name).is_some_and(|r| r.total >= *amount))
    }
}

/// A queue of ready tasks, and the workers that may take from it.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) demands: Demands,
    pub(crate) queue: Queue,
    /// It has demands; if not, its place is free.
    pub(crate) live: bool,
    /// Classes that use it.
    pub(crate) users: u32,
    /// Workers that may run its tasks.
    pub(crate) members: Set,
    /// Members with a free thread, which found nothing to do when last asked.
    pub(crate) idle: Set,
    /// Members with room for more in their queue.
    pub(crate) open: Set,
    /// Bytes that the largest member can store.
    pub(crate) largest: u64,
    /// Since when tasks wait for resources that no worker has.
    pub(crate) wanting: Option<u64>,
}

impl Lane {
    /// Whether its tasks may be queued for one worker: they need nothing that only some moment or worker has.
    pub(crate) fn is_local(&self) -> bool {
        self.demands.workers.is_empty() && self.demands.resources.is_empty()
    }
}
