//! Loss: workers that die, inputs that cannot be fetched, results that vanish or turn up.

use crate::core::Core;
use crate::event::{Actions, TaskId, WorkerId};
use crate::failure::Reason;
use crate::task::{COMPUTED, COPIED, FOREIGN, RECALLED, State, WANTED};

/// Workers that may die under a task before it is taken to be the cause.
const MOST_DEATHS: usize = 3;
/// Times that a task's inputs may be missing before it fails.
const MOST_MISSING: u32 = 20;

impl Core {
    pub(crate) fn worker_lost(&mut self, worker: WorkerId, out: &mut Actions) {
        let number = worker.0;
        let Some(worker) = self.workers.remove(number) else { return self.ignore() };
        for set in
            [&mut self.idle, &mut self.backlogged, &mut self.excess, &mut self.recalling, &mut self.retiring]
        {
            set.remove(number);
        }
        for lane in &mut self.lanes {
            lane.members.remove(number);
            lane.idle.remove(number);
            lane.open.remove(number);
        }
        for lane in 0..self.lanes.len() as u32 {
            self.join_lane(lane);
        }
        let moves: Vec<TaskId> = self.moves.iter().filter(|(_, m)| m.to == number).map(|(t, _)| *t).collect();
        self.moves.retain(|_, m| m.to != number);
        let lost = self.lose_results(number, out);
        let mut assigned: Vec<TaskId> = worker.assigned.iter().map(|a| a.task).collect();
        assigned.sort_by_key(|t| self.jobs[t.job.0].priority(t.local));
        // Workers run their tasks in order, so these are what most likely ran.
        for t in assigned.iter().take(worker.nthreads) {
            self.blame(*t, &worker.info.name);
        }
        for t in &assigned {
            self.task_mut(*t).flags &= !(RECALLED | COPIED);
            self.requeue(*t, out);
        }
        self.revive_needed(&lost);
        self.queue_anew(&worker.queue);
        for t in moves {
            self.move_from_all(t, out);
        }
    }

    fn blame(&mut self, t: TaskId, worker: &str) {
        let trouble = self.jobs[t.job.0].troubles.entry(t.local).or_default();
        trouble.killed.push(worker.to_string());
        if trouble.killed.len() >= MOST_DEATHS {
            let workers = trouble.killed.clone();
            self.doomed.push((t, Reason::KilledWorkers { workers }));
        }
    }

    /// Takes a dead worker out of every result's holders. Returns the results that are nowhere now.
    fn lose_results(&mut self, number: u32, out: &mut Actions) -> Vec<TaskId> {
        let mut lost = vec![];
        for job in self.jobs.numbers() {
            if self.jobs[job].counts[State::Stored as usize] == 0 {
                continue;
            }
            for local in 0..self.jobs[job].tasks.len() as u32 {
                let t = self.jobs[job].id(local);
                if self.replicas.holds(self.task(t), number) && !self.drop_holder(t, number, out) {
                    lost.push(t);
                }
            }
        }
        for t in &lost {
            self.unstore(*t);
        }
        lost
    }

    /// A result is nowhere any more: tasks that were ready for it wait again.
    fn unstore(&mut self, t: TaskId) {
        self.set_state(t, State::Released);
        for c in self.all_dependents(t) {
            match self.task(c).state {
                State::Waiting => self.task_mut(c).waiting += 1,
                State::Ready => {
                    self.set_state(c, State::Waiting);
                    self.task_mut(c).waiting = 1;
                }
                _ => {}
            }
        }
        // A job of which only lost results were held may have ended.
        self.settling.push(t.job.0);
    }

    /// Dependents in this and other jobs, one for each edge.
    pub(crate) fn all_dependents(&self, t: TaskId) -> Vec<TaskId> {
        let job = &self.jobs[t.job.0];
        let mut all: Vec<TaskId> = job.dependents(t.local).map(|local| job.id(local)).collect();
        if self.task(t).has(FOREIGN) {
            let foreign = job.foreign.get(&t.local).into_iter().flatten().copied();
            all.extend(foreign.filter(|c| self.find(*c).is_some()));
        }
        all
    }

    /// Has lost results computed again, where somebody waits for them. Tasks that are on a worker may have fetched
    /// them in time; if not, they will say so.
    fn revive_needed(&mut self, lost: &[TaskId]) {
        for t in lost {
            let task = self.task(*t);
            let needed = task.state == State::Released
                && (task.has(WANTED)
                    || (task.needs > 0
                        && self.all_dependents(*t).iter().any(|c| self.task(*c).state == State::Waiting)));
            if needed {
                self.revive(*t);
            }
        }
    }

    /// A worker no longer holds a result.
    fn lose_one(&mut self, t: TaskId, number: u32, out: &mut Actions) {
        if !self.drop_holder(t, number, out) {
            self.unstore(t);
            self.revive_needed(&[t]);
        }
    }

    pub(crate) fn dropped(&mut self, worker: WorkerId, t: TaskId, out: &mut Actions) {
        if self.workers.get(worker.0).is_some()
            && self.find(t).is_some_and(|task| self.replicas.holds(task, worker.0))
        {
            self.lose_one(t, worker.0, out);
        } else {
            self.ignore();
        }
    }

    /// A peer did not give a result that it should hold: it is taken not to hold it.
    fn distrust(&mut self, input: TaskId, from: WorkerId, out: &mut Actions) {
        if self.find(input).is_some_and(|task| self.replicas.holds(task, from.0)) {
            out.of(from).free.push(input);
            self.lose_one(input, from.0, out);
        }
    }

    pub(crate) fn input_missing(
        &mut self,
        now: u64,
        worker: WorkerId,
        t: TaskId,
        input: TaskId,
        from: WorkerId,
        out: &mut Actions,
    ) {
        if !self.is_assigned(t, worker) {
            return self.ignore();
        }
        self.workers[worker.0].answered = now;
        self.take_back(t, out);
        let job = &self.jobs[t.job.0];
        if job.inputs(t.local).any(|e| job.resolve(job.edges[e].input) == input) {
            self.distrust(input, from, out);
        }
        let name = self.workers[worker.0].info.name.clone();
        let trouble = self.jobs[t.job.0].troubles.entry(t.local).or_default();
        trouble.missing += 1;
        if trouble.missing >= MOST_MISSING {
            let error = format!("an input could not be fetched from its holder {MOST_MISSING} times");
            self.doomed.push((t, Reason::Raised { worker: name, attempt: MOST_MISSING, error }));
        }
        self.requeue(t, out);
    }

    pub(crate) fn task_failed(
        &mut self,
        now: u64,
        worker: WorkerId,
        t: TaskId,
        error: String,
        retryable: bool,
        out: &mut Actions,
    ) {
        if !self.is_assigned(t, worker) {
            return self.ignore();
        }
        let w = &mut self.workers[worker.0];
        w.answered = now;
        let name = w.info.name.clone();
        self.take_back(t, out);
        let job = &mut self.jobs[t.job.0];
        let retries = job.class(t.local).class.retries;
        let trouble = job.troubles.entry(t.local).or_default();
        trouble.failures += 1;
        if !retryable || trouble.failures > retries {
            let attempt = trouble.failures;
            self.doomed.push((t, Reason::Raised { worker: name, attempt, error }));
        }
        self.requeue(t, out);
        self.let_go(out);
    }

    /// A worker has a copy of a result.
    pub(crate) fn landed(&mut self, worker: WorkerId, t: TaskId, out: &mut Actions) {
        let number = worker.0;
        let Some(w) = self.workers.get(number) else { return self.ignore() };
        let leaving = w.retiring.is_some();
        let moved = self.end_move(t, number);
        // Of a closed job: the worker drops it by itself.
        let Some(task) = self.find(t) else { return };
        let needed = task.is_needed() || !self.jobs[t.job.0].complete;
        match task.state {
            State::Stored if self.replicas.holds(task, number) => {}
            State::Stored if needed && (moved || !leaving) => {
                self.add_holder(t, number);
                self.leave_retiring(t, out);
            }
            // It outlived the loss of all other copies.
            State::Waiting | State::Ready | State::Released if needed && task.has(COMPUTED) => {
                self.completed(t, number, out);
            }
            // A free could hit what the order brings: that may be there before the free is.
            State::Assigned if task.worker == number => self.task_mut(t).flags |= COPIED,
            _ => out.of(worker).free.push(t),
        }
    }

    pub(crate) fn fetch_failed(&mut self, worker: WorkerId, t: TaskId, from: WorkerId, out: &mut Actions) {
        if !self.end_move(t, worker.0) {
            return self.ignore();
        }
        self.distrust(t, from, out);
        self.move_from_all(t, out);
    }
}
