//! Memory: what fits where, and what happens when nothing fits anywhere.

use crate::core::Core;
use crate::event::{Actions, Reason, TaskId, WorkerId};
use crate::place::{is_ready, task_of};
use crate::task::{NONE, State};

/// Nanoseconds after which workers that are all paused count as stuck.
const PATIENCE: u64 = 30_000_000_000;

impl Core {
    /// Bytes that a task would bring to a worker: its result, and the inputs that are not there. 0 where nothing
    /// limits memory.
    pub(crate) fn need(&self, t: TaskId, number: u32) -> u64 {
        if self.workers[number].capacity == u64::MAX {
            return 0;
        }
        self.jobs[t.job.0].class(t.local).nbytes.saturating_add(self.missing_bytes(t, number))
    }

    /// Bytes of a task's inputs that are not on a worker.
    pub(crate) fn missing_bytes(&self, t: TaskId, number: u32) -> u64 {
        let job = &self.jobs[t.job.0];
        let mut last = None;
        job.inputs(t.local).fold(0, |sum: u64, e| {
            let input = job.resolve(job.edges[e].input);
            match self.find(input) {
                // An input that is named twice in a row is fetched once.
                Some(task) if last != Some(input) && !self.replicas.holds(task, number) => {
                    last = Some(input);
                    sum.saturating_add(task.nbytes)
                }
                _ => sum,
            }
        })
    }

    /// [`Core::need`], if the worker has room for it.
    pub(crate) fn room_for(&self, t: TaskId, number: u32) -> Option<u64> {
        let need = self.need(t, number);
        (need <= self.workers[number].free_bytes()).then_some(need)
    }

    /// Whether a task's bytes have room on a worker.
    pub(crate) fn fits(&self, t: TaskId, number: u32) -> bool {
        self.room_for(t, number).is_some()
    }

    /// Dooms a task that did not fit somewhere and would not even fit on the largest worker, were it empty.
    pub(crate) fn doom_if_too_large(&mut self, t: TaskId) {
        let job = &self.jobs[t.job.0];
        let class = job.class(t.local);
        let largest = self.lanes[class.lane as usize].largest;
        let (result, inputs) = (class.nbytes, self.missing_bytes(t, NONE));
        let needed = result.saturating_add(inputs);
        if needed > largest {
            self.doomed.push((t, Reason::TooLarge { needed, result, inputs, largest }));
        }
    }

    /// Dooms Python tasks that are ready on a cluster that never had Python.
    pub(crate) fn find_hopeless(&mut self) {
        if self.seen_python || self.workers.len() == 0 {
            return;
        }
        for lane in self.lanes.iter().filter(|l| l.demands.python) {
            if let Some(p) = lane.queue.iter().find(|p| is_ready(&self.jobs, *p)) {
                self.doomed.push((task_of(p), Reason::NoPython { workers: self.workers.len() as u32 }));
            }
        }
    }

    /// When nothing runs or moves and still tasks are ready, gets something to run, or dooms what cannot.
    ///
    /// The common searches look at heads of queues only, so they may miss a task that fits; this one does not.
    pub(crate) fn unstick(&mut self, now: u64, out: &mut Actions) {
        let nothing_runs = self.counts[State::Assigned as usize] == 0 && self.moves.is_empty();
        if !nothing_runs || self.counts[State::Ready as usize] == 0 {
            return;
        }
        let mut stuck = vec![];
        for at in 0..self.lanes.len() as u32 {
            let ready = self.ready_in(at);
            let Some(first) = ready.iter().min().copied() else { continue };
            let members = self.lanes[at as usize].members.as_slice();
            let active: Vec<u32> = members.iter().copied().filter(|w| self.workers[*w].is_active()).collect();
            if active.is_empty() {
                let paused = members.iter().filter(|w| self.workers[**w].paused).count() as u32;
                let waited = now.saturating_sub(self.progressed);
                if paused > 0 && waited > PATIENCE {
                    let reason = Reason::Paused { workers: paused, seconds: waited / 1_000_000_000 };
                    stuck.push((task_of(first), reason));
                }
                continue;
            }
            let roomiest = active.iter().copied().max_by_key(|w| self.workers[*w].free_bytes());
            for p in &ready {
                let t = task_of(*p);
                let places = self.holders_of_inputs(t).into_iter().chain(roomiest);
                let mut places = places.filter(|w| active.contains(w) && self.has_resources(*w, at));
                if let Some((number, need)) = places.find_map(|w| Some((w, self.room_for(t, w)?))) {
                    drop(places);
                    self.assign(t, number, need, now, out);
                    self.refresh(number);
                    return;
                }
            }
            let sum = |f: fn(&crate::worker::Worker) -> u64| {
                active.iter().fold(0u64, |sum, w| sum.saturating_add(f(&self.workers[*w])))
            };
            let needed = self.jobs[first.job.0]
                .class(first.local)
                .nbytes
                .saturating_add(self.missing_bytes(task_of(first), NONE));
            let pausing = members.iter().any(|w| self.workers[*w].paused);
            if pausing && now.saturating_sub(self.progressed) <= PATIENCE {
                continue;
            }
            let reason = Reason::MemoryFull {
                needed,
                workers: active.len() as u32,
                stored: sum(|w| w.stored),
                capacity: sum(|w| w.capacity),
            };
            stuck.push((task_of(first), reason));
        }
        let full = stuck.iter().any(|(_, reason)| matches!(reason, Reason::MemoryFull { .. }));
        if !full || !self.drop_copies(out) {
            // One at a time: what its job holds may be what the others need.
            self.doomed.extend(stuck.into_iter().take(1));
        }
    }

    /// Every ready task of a lane, wherever it queues.
    fn ready_in(&self, lane: u32) -> Vec<crate::event::Priority> {
        let queues = self.backlogged.as_slice().iter().map(|w| &self.workers[*w].queue);
        std::iter::once(&self.lanes[lane as usize].queue)
            .chain(queues)
            .flat_map(|q| q.iter())
            .filter(|p| is_ready(&self.jobs, *p) && self.jobs[p.job.0].class(p.local).lane == lane)
            .collect()
    }

    fn holders_of_inputs(&self, t: TaskId) -> Vec<u32> {
        let job = &self.jobs[t.job.0];
        let inputs = job.inputs(t.local).filter_map(|e| self.find(job.resolve(job.edges[e].input)));
        let mut holders: Vec<u32> = inputs.flat_map(|task| self.replicas.holders(task)).collect();
        holders.sort_unstable();
        holders.dedup();
        holders
    }

    /// Frees every copy but one of every result. Returns whether there were any.
    fn drop_copies(&mut self, out: &mut Actions) -> bool {
        if self.replicas.len() == 0 {
            return false;
        }
        for number in self.jobs.numbers() {
            for local in 0..self.jobs[number].tasks.len() as u32 {
                let t = self.jobs[number].id(local);
                let holders: Vec<u32> = self.replicas.holders(self.task(t)).collect();
                // The first holder stays, so that nobody who was told of it has to look again.
                for &holder in holders.iter().skip(1) {
                    out.of(WorkerId(holder)).free.push(t);
                    self.drop_holder(t, holder, out);
                }
            }
        }
        true
    }
}
