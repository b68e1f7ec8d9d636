//! Balance: what a worker with a free thread takes from the others.

use crate::core::Core;
use crate::event::{Actions, TaskId, WorkerId};
use crate::place::{head, task_of};
use crate::task::{RECALLED, State};

/// Workers that are looked at for one thief, in turn: a scan of all of them for each task would not scale.
const SAMPLE: usize = 8;
/// Thieves in a row that find nothing before the search ends.
const PATIENCE: usize = 4;
/// Nanoseconds that a transfer takes at least.
const TRANSFER: u64 = 100_000;
/// Nanoseconds of work that a worker must have left before tasks are asked back from it.
const WORTH_RECALL: u64 = 1_000_000;

impl Core {
    /// Up to [`SAMPLE`] of these workers, from another place each time.
    fn sample(&mut self, of: fn(&Core) -> &[u32]) -> Vec<u32> {
        self.turn = self.turn.wrapping_add(SAMPLE);
        let all = of(self);
        (0..all.len().min(SAMPLE)).map(|i| all[(self.turn + i) % all.len()]).collect()
    }

    fn next_thief(&mut self) -> u32 {
        self.turn = self.turn.wrapping_add(1);
        let idle = self.idle.as_slice();
        idle[self.turn % idle.len()]
    }

    /// Workers with free threads take tasks that queue on the scheduler for others.
    pub(crate) fn steal_queued(&mut self, now: u64, out: &mut Actions) {
        let mut failures = 0;
        while failures < PATIENCE && !self.idle.is_empty() && !self.backlogged.is_empty() {
            let thief = self.next_thief();
            failures = if self.steal_one(thief, now, out) { 0 } else { failures + 1 };
        }
    }

    fn steal_one(&mut self, thief: u32, now: u64, out: &mut Actions) -> bool {
        let mut victims = self.sample(|core| core.backlogged.as_slice());
        victims.sort_by_key(|v| std::cmp::Reverse(self.workers[*v].queue.len()));
        for victim in victims {
            if victim == thief {
                continue;
            }
            let worker = &mut self.workers[victim];
            let Some(p) = head(&mut worker.queue, &self.jobs) else {
                self.backlogged.remove(victim);
                continue;
            };
            let t = task_of(p);
            if self.may_run(t, thief)
                && self.pays(t, victim, thief)
                && let Some(need) = self.room_for(t, thief)
            {
                self.workers[victim].queue.pop();
                self.assign(t, thief, need, now, out);
                self.refresh(thief);
                return true;
            }
        }
        false
    }

    /// Whether fetching a task's inputs takes no longer than waiting for its worker.
    fn pays(&self, t: TaskId, victim: u32, thief: u32) -> bool {
        let worker = &self.workers[victim];
        let missing = self.missing_bytes(t, thief);
        let starved = worker.has_idle_thread() && !self.fits(t, victim);
        missing == 0
            || starved
            || (!worker.has_idle_thread()
                && worker.busy / worker.nthreads as u64 >= TRANSFER.saturating_add(missing))
    }

    /// Workers with free threads, for which no task is queued anywhere, ask for tasks that queue on other workers.
    pub(crate) fn recall(&mut self, now: u64, out: &mut Actions) {
        let mut failures = 0;
        while failures < PATIENCE
            && self.recalling.as_slice().len() < self.idle.as_slice().len()
            && !self.excess.is_empty()
        {
            let thief = self.next_thief();
            failures = if self.recall_for(thief, now, out) { 0 } else { failures + 1 };
        }
    }

    fn recall_for(&mut self, thief: u32, now: u64, out: &mut Actions) -> bool {
        let victims = self.sample(|core| core.excess.as_slice());
        let left = |v: &u32| {
            let w = &self.workers[*v];
            (w.busy / w.nthreads as u64).max(now.saturating_sub(w.answered))
        };
        let victims = victims.into_iter().filter(|v| {
            !self.recalling.contains(*v) && !self.workers[*v].asked_in_vain && left(v) > WORTH_RECALL
        });
        let Some(victim) = victims.max_by_key(left) else { return false };
        let worker = &self.workers[victim];
        let mut queued: Vec<_> = worker.assigned.iter().map(|a| a.task).collect();
        queued.sort_by_key(|t| self.jobs[t.job.0].priority(t.local));
        let extra = queued.len() - worker.nthreads;
        // Only what has room there: else it would go to and fro.
        let mut room = self.workers[thief].free_bytes();
        let mut tasks = vec![];
        for t in queued.into_iter().rev().take(extra.div_ceil(2)) {
            let need = self.need(t, thief);
            if need <= room && self.may_run(t, thief) {
                room -= need;
                tasks.push(t);
            }
        }
        if tasks.is_empty() {
            return false;
        }
        self.workers[victim].recalled_for = Some(thief);
        self.ask_back(victim, tasks, out);
        true
    }

    /// Asks a worker to give tasks back.
    pub(crate) fn ask_back(&mut self, number: u32, tasks: Vec<TaskId>, out: &mut Actions) {
        for t in &tasks {
            self.task_mut(*t).flags |= RECALLED;
        }
        out.of(WorkerId(number)).recall.extend_from_slice(&tasks);
        self.workers[number].recalled.extend(tasks);
        self.recalling.insert(number);
    }

    pub(crate) fn returned(&mut self, now: u64, from: WorkerId, tasks: &[TaskId], out: &mut Actions) {
        let Some(worker) = self.workers.get_mut(from.0) else { return self.ignore() };
        worker.answered = now;
        let recalled = std::mem::take(&mut worker.recalled);
        let thief = worker.recalled_for.take();
        // What was asked back for nobody says nothing of the others.
        worker.asked_in_vain = thief.is_some();
        self.recalling.remove(from.0);
        for t in tasks {
            if !self.is_assigned(*t, from) {
                self.ignore();
                continue;
            }
            self.take_back(*t, out);
            self.requeue_elsewhere(*t, from.0, thief, now, out);
        }
        for t in recalled {
            if self.is_assigned(t, from) {
                self.task_mut(t).flags &= !RECALLED;
            }
        }
    }

    /// Queues a task that came back for the worker for which it was asked back, lest it goes where it came from.
    fn requeue_elsewhere(&mut self, t: TaskId, from: u32, thief: Option<u32>, now: u64, out: &mut Actions) {
        let lane = &self.lanes[self.jobs[t.job.0].class(t.local).lane as usize];
        let takes = |n: &u32| {
            *n != from && lane.members.contains(*n) && self.workers.get(*n).is_some_and(|w| w.is_active())
        };
        let thief = thief.filter(takes);
        let is_local = lane.is_local();
        self.placed_for = thief.filter(|_| is_local);
        self.requeue(t, out);
        self.placed_for = None;
        if let Some(number) = thief
            && !is_local
            && self.task(t).state == State::Ready
            && self.workers[number].has_idle_thread()
            && self.has_resources(number, self.jobs[t.job.0].class(t.local).lane)
            && let Some(need) = self.room_for(t, number)
        {
            // Its lane's queue will find it gone.
            self.assign(t, number, need, now, out);
            self.refresh(number);
        }
    }

    /// Whether a worker meets a task's demands now, memory aside.
    pub(crate) fn may_run(&self, t: TaskId, number: u32) -> bool {
        let lane = self.jobs[t.job.0].class(t.local).lane;
        self.lanes[lane as usize].members.contains(number) && self.has_resources(number, lane)
    }
}
