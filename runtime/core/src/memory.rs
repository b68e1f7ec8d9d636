//! Memory: what fits where, and what happens when nothing fits anywhere.

use crate::core::Core;
use crate::event::{Actions, Measured, TaskId, WorkerId};
use crate::failure::Reason;
use crate::place::{is_ready, task_of};
use crate::task::{NONE, State};
use crate::worker::Worker;

/// Nanoseconds for which tasks wait for a worker with their resources: one that restarts is back in time.
const PATIENCE: u64 = 60_000_000_000;

impl Core {
    /// A worker measured its memory.
    pub(crate) fn memory_report(&mut self, worker: WorkerId, memory: Measured, out: &mut Actions) {
        let Some(w) = self.workers.get_mut(worker.0) else { return self.ignore() };
        let turned = w.memory.paused != memory.paused;
        self.era += u64::from(turned);
        w.measured(memory, self.era);
        if memory.paused && memory.active == 0 && !w.assigned.is_empty() && !self.recalling.contains(worker.0)
        {
            // It will not start them while it is paused; another worker may, or they fail by name.
            let waiting: Vec<TaskId> = w.assigned.iter().map(|a| a.task).collect();
            self.ask_back(worker.0, waiting, out);
        }
        if turned && memory.paused {
            self.empty_queue(worker.0);
        }
        self.mark(worker.0);
    }

    /// Bytes that a task would bring to a worker: its result, what it takes while it runs, and the inputs that are not
    /// there. 0 where nothing limits memory.
    pub(crate) fn need(&self, t: TaskId, number: u32) -> u64 {
        match self.workers.get(number) {
            Some(worker) if worker.capacity == u64::MAX => 0,
            _ => self.own_bytes(t).saturating_add(self.missing_bytes(t, number)),
        }
    }

    /// Bytes that a task takes wherever it runs, inputs aside.
    fn own_bytes(&self, t: TaskId) -> u64 {
        let class = self.jobs[t.job.0].class(t.local);
        class.nbytes.saturating_add(class.class.scratch)
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
        let (result, scratch, inputs) = (class.nbytes, class.class.scratch, self.missing_bytes(t, NONE));
        let needed = self.need(t, NONE);
        if needed > largest {
            self.doomed.push((t, Reason::TooLarge { needed, result, scratch, inputs, largest }));
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

    /// Dooms ready tasks that need resources which no worker had for long.
    pub(crate) fn find_unprovided(&mut self, now: u64) {
        let workers = self.workers.len() as u32;
        for lane in self.lanes.iter_mut().filter(|l| l.live && !l.demands.resources.is_empty()) {
            let waits = lane.queue.iter().any(|p| is_ready(&self.jobs, p));
            if !waits || workers == 0 || self.workers.iter().any(|(_, w)| lane.demands.can_run(w)) {
                lane.wanting = None;
                continue;
            }
            if now.saturating_sub(*lane.wanting.get_or_insert(now)) < PATIENCE {
                continue;
            }
            lane.wanting = None;
            for t in lane.queue.iter().filter(|p| is_ready(&self.jobs, *p)).map(task_of) {
                let resources = self.jobs[t.job.0].class(t.local).class.resources.clone();
                self.doomed.push((t, Reason::NoResources { resources, workers }));
            }
        }
    }

    /// When nothing runs or moves and still tasks are ready, gets something to run; when it is time to judge, dooms
    /// what cannot.
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
            let roomiest = active.iter().copied().max_by_key(|w| self.workers[*w].free_bytes());
            for p in ready.iter().filter(|_| roomiest.is_some()) {
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
            let mut paused = members.iter().filter(|w| self.workers[**w].memory.paused);
            if self.judging && paused.all(|w| self.workers[*w].is_stuck(self.era)) {
                stuck
                    .extend(self.verdict(at, task_of(first), &active).map(|reason| (task_of(first), reason)));
            }
        }
        if stuck.is_empty() {
            return;
        }
        // Whichever it is, memory comes free, and workers have to be measured anew.
        self.era += 1;
        if !self.drop_copies(out) {
            // One at a time: what its job holds may be what the others need.
            self.doomed.extend(stuck.into_iter().take(1));
        }
    }

    /// Why the first task of a lane cannot run on these active members of it, nor on the paused ones. `None` when it
    /// is not for want of memory: there are no workers, or they are about to leave.
    fn verdict(&self, lane: u32, t: TaskId, active: &[u32]) -> Option<Reason> {
        let members = self.lanes[lane as usize].members.as_slice();
        let paused: Vec<u32> = members.iter().copied().filter(|w| self.workers[*w].memory.paused).collect();
        let needed = self.need(t, NONE);
        let sum = |of: &[u32], f: fn(&Worker) -> u64| {
            of.iter().fold(0u64, |sum, w| sum.saturating_add(f(&self.workers[*w])))
        };
        if !active.is_empty() {
            return Some(Reason::MemoryFull {
                needed,
                workers: active.len() as u32,
                stored: sum(active, |w| w.stored),
                capacity: sum(active, |w| w.capacity),
            });
        }
        (!paused.is_empty()).then(|| Reason::Paused {
            needed,
            workers: paused.len() as u32,
            process: sum(&paused, |w| w.memory.process),
            limit: sum(&paused, |w| w.info.memory_limit),
            stored: sum(&paused, |w| w.stored),
        })
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
