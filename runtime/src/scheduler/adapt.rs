//! What the operator asks: how many workers are wanted, and which may go.

use super::crew::WorkerView;
use super::state::State;
use dask_core::{Counts, WorkerStats};

/// Work that is worth a worker, in nanoseconds: Dask's `adaptive.target-duration`.
const TARGET: u64 = 5_000_000_000;

impl State {
    /// Tasks of all jobs by state.
    pub fn tasks(&self) -> Counts {
        self.core.counts()
    }

    /// How many workers the work at hand is worth.
    pub fn adaptive_target(&self) -> u64 {
        let jobs = self.core.jobs().into_iter().filter_map(|job| self.core.job_stats(job));
        let classes: Vec<_> = jobs.flat_map(|j| j.classes).collect();
        let mean = |nanos: u64, runs: u64| nanos.checked_div(runs).unwrap_or(500_000_000);
        let ready: u64 =
            classes.iter().map(|c| c.counts.ready.saturating_mul(mean(c.nanos, c.computed))).sum();
        target(&self.core.workers(), self.core.counts(), ready)
    }

    /// Workers that have nothing to do.
    pub fn idle_workers(&self) -> u64 {
        self.core.workers().iter().filter(|w| w.assigned == 0 && !w.retiring && !w.paused).count() as u64
    }

    /// The `n` workers that leave most easily: idle before busy, then those that hold least.
    pub fn workers_to_close(&self, n: usize) -> Vec<WorkerView> {
        let mut stats = self.core.workers();
        stats.retain(|w| !w.retiring);
        stats.sort_by_key(|w| (w.assigned > 0, w.stored, std::cmp::Reverse(w.worker)));
        let views = self.workers();
        stats.iter().take(n).filter_map(|w| views.iter().find(|v| v.id == w.worker.0).cloned()).collect()
    }
}

/// As Dask's scheduler computes it: threads for the work, no more than there are tasks, and none less while results fill
/// more than 0.60 of the memory; `ready` is the expected time of the tasks that wait for a worker.
fn target(workers: &[WorkerStats], tasks: Counts, ready: u64) -> u64 {
    let open = tasks.ready + tasks.assigned;
    let busy: u64 = workers.iter().map(|w| w.busy).sum();
    let threads = (busy + ready).div_ceil(TARGET).min(open);
    let present = workers.len() as u64;
    let Some(each) =
        workers.iter().map(|w| u64::from(w.nthreads)).sum::<u64>().checked_div(present).filter(|n| *n > 0)
    else {
        return u64::from(open > 0);
    };
    let mut wanted = threads.div_ceil(each);
    if open > 0 {
        wanted = wanted.max(1);
    }
    let stored: u64 = workers.iter().map(|w| w.stored).sum();
    let room = workers.iter().fold(0u64, |sum, w| sum.saturating_add(w.capacity));
    if stored as f64 > 0.75 * room as f64 {
        // The capacity is 0.80 of the limit, so this is 0.60 of it: results have to go somewhere.
        wanted = wanted.max(2 * present);
    }
    if stored > 0 { wanted.max(1) } else { wanted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dask_core::WorkerId;

    fn worker(nthreads: u32, busy: u64, stored: u64) -> WorkerStats {
        WorkerStats {
            worker: WorkerId(0),
            name: String::new(),
            address: String::new(),
            nthreads,
            assigned: 0,
            queued: 0,
            held: 0,
            stored,
            reserved: 0,
            capacity: 800,
            busy,
            computed: 0,
            paused: false,
            retiring: false,
        }
    }

    #[test]
    fn as_many_workers_as_the_work_is_worth() {
        let tasks = |ready, assigned| Counts { ready, assigned, ..Counts::default() };
        assert_eq!(target(&[], tasks(0, 0), 0), 0);
        assert_eq!(target(&[], tasks(5, 0), TARGET), 1, "somebody has to start");
        assert_eq!(target(&[worker(2, 0, 0)], tasks(0, 0), 0), 0, "nothing to do, nothing kept");
        assert_eq!(target(&[worker(2, 0, 9)], tasks(0, 0), 0), 1, "results are kept");
        assert_eq!(target(&[worker(2, 6 * TARGET, 0)], tasks(50, 50), 4 * TARGET), 5);
        assert_eq!(target(&[worker(2, 60 * TARGET, 0)], tasks(1, 2), 40 * TARGET), 2, "no more than tasks");
        assert_eq!(target(&[worker(2, 1, 700)], tasks(1, 0), 1), 2, "memory is short");
    }
}
