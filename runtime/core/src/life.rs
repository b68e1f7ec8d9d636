//! A task's life: added, ready, computed, needed no more, needed again.

use crate::core::Core;
use crate::event::{Actions, Batch, Done, JobId, TaskId, Tell, WorkerId};
use crate::failure::Reason;
use crate::task::{COMPUTED, COPIED, FOREIGN, LET_GO, NONE, RECALLED, State, WANTED};

/// No result is larger: 16 TiB. A worker that says so is wrong, and must not upset the sums.
const MOST_BYTES: u64 = 1 << 44;
/// No task takes longer: 13 days.
const MOST_NANOS: u64 = 1 << 50;

impl Core {
    pub(crate) fn set_state(&mut self, t: TaskId, state: State) {
        let job = &mut self.jobs[t.job.0];
        self.counts[job.tasks[t.local as usize].state as usize] -= 1;
        self.counts[state as usize] += 1;
        job.set_state(t.local, state);
    }

    pub(crate) fn add_tasks(&mut self, id: JobId, mut batch: Batch, out: &mut Actions) {
        let Some(job) = self.jobs.get(id.0) else { return self.ignore() };
        if job.complete {
            return self.refuse(id, "tasks were added after the job had been declared complete".into(), out);
        }
        for class in std::mem::take(&mut batch.classes) {
            if let Err(e) = self.add_class(id, class) {
                return self.refuse(id, e, out);
            }
        }
        let job = &mut self.jobs[id.0];
        let before = job.counts[State::Waiting as usize];
        let added = job.add(&batch);
        // What was added up to an error is counted, since dropping the job counts it off again.
        self.counts[State::Waiting as usize] += u64::from(job.counts[State::Waiting as usize] - before);
        let added = match added {
            Ok(added) => added,
            Err(e) => return self.refuse(id, e, out),
        };
        if let Some(wrong) = batch.wanted.iter().find(|w| **w as usize >= job.tasks.len()) {
            let n = job.tasks.len();
            return self.refuse(id, format!("task {wrong} is wanted, but the job has {n} tasks"), out);
        }
        for (input, consumer) in added.external {
            self.depend_on_foreign(input, id, consumer);
        }
        for local in added.revive {
            self.revive(TaskId { job: id, local });
        }
        for local in batch.wanted {
            self.want(TaskId { job: id, local }, out);
        }
        for local in added.tasks {
            if self.jobs[id.0].tasks[local as usize].waiting == 0 {
                self.make_ready(TaskId { job: id, local });
            }
        }
    }

    fn want(&mut self, t: TaskId, out: &mut Actions) {
        let task = self.task_mut(t);
        task.flags |= WANTED;
        match task.state {
            State::Stored => {
                out.tell.push(Tell::Ready { task: t, worker: WorkerId(task.worker), nbytes: task.nbytes });
            }
            State::Released => self.revive(t),
            _ => {}
        }
    }

    fn depend_on_foreign(&mut self, input: TaskId, job: JobId, consumer: u32) {
        let consumer = TaskId { job, local: consumer };
        if self.find(input).is_none() || input.job >= job {
            self.doomed.push((consumer, Reason::InputGone { task: input }));
            return;
        }
        let other = &mut self.jobs[input.job.0];
        other.foreign.entry(input.local).or_default().push(consumer);
        let task = &mut other.tasks[input.local as usize];
        task.flags |= FOREIGN;
        task.needs += 1;
        match task.state {
            State::Stored => self.task_mut(consumer).waiting -= 1,
            State::Released => self.revive(input),
            _ => {}
        }
    }

    pub(crate) fn job_complete(&mut self, id: JobId, out: &mut Actions) {
        let Some(job) = self.jobs.get_mut(id.0) else { return self.ignore() };
        if job.complete {
            return self.ignore();
        }
        job.complete = true;
        job.tasks.shrink_to_fit();
        job.edges.shrink_to_fit();
        // Until now, tasks that need these results might have followed.
        if job.counts[State::Stored as usize] > 0 {
            let stored =
                job.tasks.iter().enumerate().filter(|(_, t)| t.state == State::Stored && !t.is_needed());
            self.unneeded.extend(stored.map(|(local, _)| TaskId { job: id, local: local as u32 }));
        }
        self.settling.push(id.0);
        self.let_go(out);
    }

    pub(crate) fn client_released(&mut self, id: JobId, tasks: &[u32], out: &mut Actions) {
        for &local in tasks {
            let t = TaskId { job: id, local };
            if self.find(t).is_none_or(|task| !task.has(WANTED)) {
                self.ignore();
                continue;
            }
            let task = self.task_mut(t);
            task.flags = (task.flags & !WANTED) | LET_GO;
            self.unneeded.push(t);
        }
        self.let_go(out);
    }

    pub(crate) fn finished(
        &mut self,
        now: u64,
        worker: WorkerId,
        id: JobId,
        done: &[Done],
        out: &mut Actions,
    ) {
        let Some(w) = self.workers.get_mut(worker.0) else { return self.ignore() };
        w.answered = now;
        if self.jobs.get(id.0).is_none() {
            return self.ignore();
        }
        for d in done {
            let t = TaskId { job: id, local: d.task };
            if !self.is_assigned(t, worker) {
                self.ignore();
                if self.find(t).is_some_and(|task| !self.replicas.holds(task, worker.0)) {
                    out.of(worker).free.push(t);
                }
                continue;
            }
            self.unassign(t);
            self.workers[worker.0].computed += 1;
            let job = &mut self.jobs[id.0];
            let task = &mut job.tasks[d.task as usize];
            task.nbytes = d.nbytes.min(MOST_BYTES);
            job.classes[task.class as usize].learn(task.nbytes, d.nanos.clamp(1, MOST_NANOS));
            self.completed(t, worker.0, out);
        }
    }

    /// Whether a worker was ordered to compute the task and has not answered.
    pub(crate) fn is_assigned(&self, t: TaskId, worker: WorkerId) -> bool {
        self.find(t).is_some_and(|task| task.state == State::Assigned && task.worker == worker.0)
            && self.workers.get(worker.0).is_some()
    }

    /// Takes an order off a worker's books. The caller changes the task's state at once.
    pub(crate) fn unassign(&mut self, t: TaskId) {
        let job = &mut self.jobs[t.job.0];
        let task = &mut job.tasks[t.local as usize];
        task.flags &= !(RECALLED | COPIED);
        let (number, at) = (task.worker, task.link as usize);
        let lane = &self.lanes[job.classes[task.class as usize].lane as usize];
        let worker = &mut self.workers[number];
        worker.asked_in_vain = false;
        let order = worker.assigned.swap_remove(at);
        worker.reserved = worker.reserved.saturating_sub(order.reserved);
        worker.busy = worker.busy.saturating_sub(order.nanos);
        for (name, amount) in &lane.demands.resources {
            if let Some(r) = worker.resources.iter_mut().find(|r| r.name == *name) {
                r.free += amount;
            }
        }
        if let Some(moved) = worker.assigned.get(at).map(|a| a.task) {
            self.task_mut(moved).link = at as u32;
        }
        self.mark(number);
    }

    /// Takes an order off a worker's books that brought no result. The caller changes the task's state at once.
    pub(crate) fn take_back(&mut self, t: TaskId, out: &mut Actions) {
        let task = self.task(t);
        if task.has(COPIED) {
            out.of(WorkerId(task.worker)).free.push(t);
        }
        self.unassign(t);
    }

    /// A result is on a worker, computed there or copied there after all other copies were lost. Its size is in
    /// the task already.
    pub(crate) fn completed(&mut self, t: TaskId, number: u32, out: &mut Actions) {
        let was_active = self.task(t).state.is_active();
        self.set_state(t, State::Stored);
        let job = &mut self.jobs[t.job.0];
        let task = &mut job.tasks[t.local as usize];
        task.worker = number;
        task.link = NONE;
        task.flags |= COMPUTED;
        let (nbytes, mut edge, foreign) = (task.nbytes, task.dependents, task.has(FOREIGN));
        if task.has(WANTED) {
            out.tell.push(Tell::Ready { task: t, worker: WorkerId(number), nbytes });
        }
        let worker = &mut self.workers[number];
        worker.stored = worker.stored.saturating_add(nbytes);
        worker.held += 1;
        let retiring = worker.retiring.is_some();
        while edge != NONE {
            let e = job.edges[edge as usize];
            edge = e.next;
            let consumer = &mut job.tasks[e.consumer as usize];
            if consumer.state == State::Waiting {
                consumer.waiting -= 1;
                if consumer.waiting == 0 {
                    self.newly_ready.push(TaskId { job: t.job, local: e.consumer });
                }
            }
        }
        if foreign {
            self.tell_foreign(t);
        }
        // Dependents are listed latest first.
        while let Some(ready) = self.newly_ready.pop() {
            self.make_ready(ready);
        }
        if was_active {
            self.stop_needing_inputs(t, number, out);
        }
        if !self.task(t).is_needed() {
            self.unneeded.push(t);
        }
        self.may_have_ended(t.job);
        self.let_go(out);
        if retiring {
            self.move_off(t, number, out);
        }
    }

    /// Lowers the count of inputs that dependents in other jobs wait for.
    fn tell_foreign(&mut self, t: TaskId) {
        let consumers = self.jobs[t.job.0].foreign.get(&t.local).cloned().unwrap_or_default();
        for c in consumers {
            if self.find(c).is_some_and(|task| task.state == State::Waiting) {
                let task = self.task_mut(c);
                task.waiting -= 1;
                if task.waiting == 0 {
                    self.newly_ready.push(c);
                }
            }
        }
    }

    /// The task is not active any more: its inputs have one dependent less that needs them. Where memory is
    /// short, the copies that `number` made of them go at once.
    fn stop_needing_inputs(&mut self, t: TaskId, number: u32, out: &mut Actions) {
        let short = self.workers.get(number).is_some_and(|w| w.stored > w.capacity / 4 * 3);
        for e in self.jobs[t.job.0].inputs(t.local) {
            let input = self.jobs[t.job.0].resolve(self.jobs[t.job.0].edges[e].input);
            let Some(job) = self.jobs.get_mut(input.job.0) else { continue };
            let task = &mut job.tasks[input.local as usize];
            task.needs -= 1;
            if !task.is_needed() {
                self.unneeded.push(input);
            } else if short && task.link != NONE && self.replicas.holds(task, number) && task.worker != number
            {
                self.drop_holder(input, number, out);
                out.of(WorkerId(number)).free.push(input);
            }
            if input.job != t.job {
                self.settling.push(input.job.0);
            }
        }
    }

    /// Releases what is on the list of unneeded results and is indeed not needed, and so on down: what is there is freed,
    /// and what has not started does not start.
    pub(crate) fn let_go(&mut self, out: &mut Actions) {
        while let Some(t) = self.unneeded.pop() {
            let Some(job) = self.jobs.get(t.job.0) else { continue };
            let task = &job.tasks[t.local as usize];
            if !task.is_abandoned() {
                continue;
            }
            match task.state {
                State::Stored if job.complete || task.has(LET_GO) => self.release(t, out),
                State::Waiting | State::Ready => self.abandon(t, out),
                State::Assigned if !task.has(RECALLED) => self.ask_back(task.worker, vec![t], out),
                _ => {}
            }
        }
    }

    /// A task that is on no worker is not computed, and needs no inputs any more.
    fn abandon(&mut self, t: TaskId, out: &mut Actions) {
        self.set_state(t, State::Released);
        self.stop_needing_inputs(t, NONE, out);
        self.may_have_ended(t.job);
    }

    /// Frees a stored result everywhere.
    fn release(&mut self, t: TaskId, out: &mut Actions) {
        loop {
            let number = self.task(t).worker;
            out.of(WorkerId(number)).free.push(t);
            if !self.drop_holder(t, number, out) {
                break;
            }
        }
        self.set_state(t, State::Released);
        self.may_have_ended(t.job);
    }

    /// Has [`Core::settle`] look at a job if it may have ended.
    fn may_have_ended(&mut self, id: JobId) {
        if self.jobs[id.0].unfinished() == 0 && self.settling.last() != Some(&id.0) {
            self.settling.push(id.0);
        }
    }

    /// A waiting task has all its inputs.
    pub(crate) fn make_ready(&mut self, t: TaskId) {
        self.set_state(t, State::Ready);
        self.place(t);
    }

    /// A task was released (or lost) and is needed: it, and whatever it needs in turn, is computed again.
    pub(crate) fn revive(&mut self, t: TaskId) {
        let mut stack = vec![t];
        while let Some(t) = stack.pop() {
            if self.task(t).state != State::Released {
                continue;
            }
            self.set_state(t, State::Waiting);
            let mut waiting = 0;
            for e in self.jobs[t.job.0].inputs(t.local) {
                let input = self.jobs[t.job.0].resolve(self.jobs[t.job.0].edges[e].input);
                let Some(job) = self.jobs.get_mut(input.job.0) else {
                    self.doomed.push((t, Reason::InputGone { task: input }));
                    waiting += 1;
                    continue;
                };
                let task = &mut job.tasks[input.local as usize];
                task.needs += 1;
                waiting += u32::from(task.state != State::Stored);
                if task.state == State::Released {
                    stack.push(input);
                }
            }
            self.task_mut(t).waiting = waiting;
            if waiting == 0 {
                self.make_ready(t);
            }
        }
    }

    /// A task that was assigned has to run elsewhere, or again, if anybody still needs it. It is off its worker's books.
    pub(crate) fn requeue(&mut self, t: TaskId, out: &mut Actions) {
        if self.task(t).is_abandoned() {
            return self.abandon(t, out);
        }
        self.set_state(t, State::Waiting);
        let mut waiting = 0;
        for e in self.jobs[t.job.0].inputs(t.local) {
            let input = self.jobs[t.job.0].resolve(self.jobs[t.job.0].edges[e].input);
            let Some(task) = self.find(input) else {
                self.doomed.push((t, Reason::InputGone { task: input }));
                waiting += 1;
                continue;
            };
            waiting += u32::from(task.state != State::Stored);
            if task.state == State::Released {
                self.revive(input);
            }
        }
        self.task_mut(t).waiting = waiting;
        if waiting == 0 {
            self.make_ready(t);
        }
    }
}
