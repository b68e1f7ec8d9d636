//! Why a job fails, in words for its submitter.

use crate::event::{JobId, TaskId};

/// Why a job ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The job.
    pub job: JobId,
    /// The task at fault; none when the batch itself was refused.
    pub task: Option<TaskId>,
    /// The name of its class.
    pub class: String,
    /// What is wrong.
    pub reason: Reason,
    /// Dependents from the task on to a wanted result, at most 16.
    pub chain: Vec<TaskId>,
}

/// What is wrong with a task.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Reason {
    /// It failed, after its retries.
    #[error("it failed on worker {worker}, attempt {attempt}: {error}")]
    Raised {
        /// Name of the worker.
        worker: String,
        /// Which try this was, from 1.
        attempt: u32,
        /// What it said.
        error: String,
    },
    /// Workers died while they ran it.
    #[error(
        "{} workers died while they ran it ({}); it probably crashes its process or needs more memory than a worker \
         has",
        workers.len(),
        workers.join(", ")
    )]
    KilledWorkers {
        /// Names of the workers.
        workers: Vec<String>,
    },
    /// Its result and inputs are larger than every worker that may run it.
    #[error(
        "it needs {} of memory: {} for its result, {} while it computes that and {} for its inputs, but no worker that may \
         run it has more than {} (0.80 of the largest memory limit); use smaller chunks or give workers more memory \
         (--memory-limit)",
        Bytes(*needed), Bytes(*result), Bytes(*scratch), Bytes(*inputs), Bytes(*largest)
    )]
    TooLarge {
        /// Bytes needed.
        needed: u64,
        /// Of which for the result.
        result: u64,
        /// Of which only while it runs.
        scratch: u64,
        /// Of which for its inputs.
        inputs: u64,
        /// Bytes the largest worker can store.
        largest: u64,
    },
    /// Every worker is full of results that are still needed.
    #[error(
        "it needs {} of memory, but the {workers} workers that may run it store {} of results in {} (0.80 of their \
         memory limits), all still needed, and nothing that runs will free any; give workers more memory \
         (--memory-limit), add workers or use smaller chunks",
        Bytes(*needed), Bytes(*stored), Bytes(*capacity)
    )]
    MemoryFull {
        /// Bytes needed.
        needed: u64,
        /// Workers that may run it.
        workers: u32,
        /// Bytes they store.
        stored: u64,
        /// Bytes they can store.
        capacity: u64,
    },
    /// The processes of all workers that may run it take too much memory to start anything.
    #[error(
        "it needs {} of memory, but the processes of the {workers} workers that may run it take {} of {} and start nothing \
         above 0.80 of that; {} are results that are still needed, the rest is the processes' own, and nothing that runs \
         will free any; give workers more memory (--memory-limit), add workers or use smaller chunks",
        Bytes(*needed), Bytes(*process), Bytes(*limit), Bytes(*stored)
    )]
    Paused {
        /// Bytes needed.
        needed: u64,
        /// Workers that may run it.
        workers: u32,
        /// Bytes that their processes take.
        process: u64,
        /// Their memory limits.
        limit: u64,
        /// Bytes of results that they store.
        stored: u64,
    },
    /// It has a Python body and no worker runs Python.
    #[error(
        "it has a Python body, but none of the {workers} workers runs Python; start `python -m dask_runtime worker`"
    )]
    NoPython {
        /// Workers there are.
        workers: u32,
    },
    /// It needs resources that no worker has, and none came for a minute.
    #[error(
        "it needs {}, but none of the {workers} workers has that, and none came for a minute; start workers with --resource \
         or ask for less",
        resources.iter().map(|(name, n)| format!("{n} of resource {name}")).collect::<Vec<_>>().join(" and ")
    )]
    NoResources {
        /// What it needs.
        resources: Vec<(String, f64)>,
        /// Workers there are.
        workers: u32,
    },
    /// It needs a result of another job that is gone.
    #[error("its input, task {task} of job {job}, is gone: that job failed or was cancelled", task = task.local, job = task.job.0)]
    InputGone {
        /// The input.
        task: TaskId,
    },
    /// The batch that was to add tasks is not right.
    #[error("{0}")]
    Invalid(String),
}

/// An amount of memory, for people.
#[derive(Clone, Copy)]
struct Bytes(u64);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (mut amount, mut units) = (self.0 as f64, ["bytes", "kB", "MB", "GB", "TB"].into_iter());
        let mut unit = units.next().unwrap_or_default();
        while amount >= 1000.0
            && let Some(next) = units.next()
        {
            (amount, unit) = (amount / 1000.0, next);
        }
        // Four digits tell apart what lies close to a limit.
        let decimals = if unit == "bytes" { 0 } else { 3 - (amount.log10() as usize).min(3) };
        write!(f, "{amount:.decimals$} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_for_people() {
        for (bytes, shown) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_000, "1.000 kB"),
            (16_012_345, "16.01 MB"),
            (800_000_000, "800.0 MB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), shown);
        }
    }
}
