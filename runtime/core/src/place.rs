//! Placement: ready tasks into queues, from queues to workers.

use crate::core::Core;
use crate::event::{Actions, Compute, Input, Priority, TaskId, WorkerId};
use crate::job::Job;
use crate::queue::Queue;
use crate::table::Table;
use crate::task::{CONDEMNED, NONE, State};
use crate::worker::{Assigned, LOOK_AHEAD};

/// Inputs of a task that placement looks at.
const MOST_INPUTS: usize = 64;
/// Tasks of a family that follow the first one to its worker.
const MOST_SIBLINGS: usize = 15;
/// Entries behind the head of a worker's queue that are tried when the head does not fit into its memory.
const DEEPEST: usize = 8;

/// How many tasks a worker gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fill {
    /// One for each thread.
    Threads,
    /// As many as hide the time that messages take.
    Room,
}

/// The first entry of a queue that is up to date.
pub(crate) fn head(queue: &mut Queue, jobs: &Table<Job>) -> Option<Priority> {
    loop {
        let p = queue.peek()?;
        if is_ready(jobs, p) {
            return Some(p);
        }
        queue.pop();
    }
}

pub(crate) fn is_ready(jobs: &Table<Job>, p: Priority) -> bool {
    jobs.get(p.job.0).is_some_and(|j| j.tasks[p.local as usize].state == State::Ready)
}

pub(crate) fn task_of(p: Priority) -> TaskId {
    TaskId { job: p.job, local: p.local }
}

impl Core {
    /// Queues a ready task: for the worker that holds most of its inputs, or for any.
    pub(crate) fn place(&mut self, t: TaskId) {
        let job = &self.jobs[t.job.0];
        let lane = job.class(t.local).lane;
        let p = job.priority(t.local);
        match self.placed_for.or_else(|| self.prefer(t)) {
            Some(number) => self.queue_for(number, p),
            None => self.lanes[lane as usize].queue.push(p),
        }
    }

    pub(crate) fn queue_for(&mut self, number: u32, p: Priority) {
        self.workers[number].queue.push(p);
        self.backlogged.insert(number);
        self.mark(number);
    }

    /// The worker that holds most of a task's input bytes; of equals, the one with less to do.
    ///
    /// An input that very many tasks need says nothing: it will be everywhere, and its tasks must not all queue for
    /// the one worker that has it now.
    fn prefer(&mut self, t: TaskId) -> Option<u32> {
        let job = &self.jobs[t.job.0];
        let inputs = job.inputs(t.local);
        if inputs.is_empty() || !self.lanes[job.class(t.local).lane as usize].is_local() {
            return None;
        }
        let python = self.lanes[job.class(t.local).lane as usize].demands.python;
        let many = 32 + 4 * self.workers.len() as u32;
        let mut best: Option<(u64, std::cmp::Reverse<u64>, u32)> = None;
        let mut tally: [(u32, u64); MOST_INPUTS] = [(NONE, 0); MOST_INPUTS];
        let mut found = 0;
        for e in inputs.take(MOST_INPUTS) {
            let input = job.resolve(job.edges[e].input);
            let Some(task) = self.find(input) else { continue };
            if task.needs > many {
                continue;
            }
            for holder in self.replicas.holders(task) {
                let nbytes = task.nbytes.max(1);
                match tally[..found].iter_mut().find(|(w, _)| *w == holder) {
                    Some((_, sum)) => *sum = sum.saturating_add(nbytes),
                    None if found < MOST_INPUTS => {
                        tally[found] = (holder, nbytes);
                        found += 1;
                    }
                    None => {}
                }
            }
        }
        for &(number, nbytes) in &tally[..found] {
            let worker = &self.workers[number];
            if worker.is_active() && (!python || worker.info.python) {
                let rated = (nbytes, std::cmp::Reverse(worker.load()), number);
                if best.is_none_or(|b| (b.0, b.1) < (rated.0, rated.1)) {
                    best = Some(rated);
                }
            }
        }
        best.map(|(_, _, number)| number)
    }

    /// Queues what waited for one worker anew, since that worker takes nothing now.
    pub(crate) fn empty_queue(&mut self, number: u32) {
        let queue = std::mem::take(&mut self.workers[number].queue);
        self.backlogged.remove(number);
        self.queue_anew(&queue);
    }

    pub(crate) fn queue_anew(&mut self, queue: &Queue) {
        for p in queue.iter() {
            if is_ready(&self.jobs, p) {
                self.place(task_of(p));
            }
        }
    }

    /// Gives workers that may take more what there is for them. Everything that an event changed ends up here.
    pub(crate) fn dispatch(&mut self, now: u64, out: &mut Actions) {
        loop {
            self.fail_doomed(out);
            let mut batch = std::mem::take(&mut self.batch);
            batch.clear();
            std::mem::swap(&mut batch, &mut self.dirty);
            for &number in &batch {
                if let Some(worker) = self.workers.get_mut(number) {
                    worker.dirty = false;
                    self.refresh(number);
                }
            }
            for fill in [Fill::Threads, Fill::Room] {
                for &number in &batch {
                    if self.workers.get(number).is_some() {
                        self.fill(number, fill, now, out);
                    }
                }
                self.serve_lanes(fill, now, out);
                if fill == Fill::Threads {
                    self.steal_queued(now, out);
                }
            }
            self.batch = batch;
            self.find_hopeless();
            if self.dirty.is_empty() && self.doomed.is_empty() {
                self.recall(now, out);
                self.advance_retirements(out);
                self.unstick(now, out);
            }
            if self.dirty.is_empty() && self.doomed.is_empty() {
                return;
            }
        }
    }

    /// Brings the sets that a worker may be in up to date.
    pub(crate) fn refresh(&mut self, number: u32) {
        let worker = &self.workers[number];
        let idle = worker.is_active() && worker.has_idle_thread();
        let open = worker.is_active() && !idle && worker.has_room();
        self.idle.put(number, idle);
        self.excess.put(number, worker.assigned.len() > worker.nthreads);
        for lane in &worker.lanes {
            let lane = &mut self.lanes[*lane as usize];
            lane.idle.put(number, idle);
            lane.open.put(number, open);
        }
    }

    /// Offers each lane's head to members that may take more.
    fn serve_lanes(&mut self, fill: Fill, now: u64, out: &mut Actions) {
        for at in 0..self.lanes.len() {
            while head(&mut self.lanes[at].queue, &self.jobs).is_some() {
                let lane = &self.lanes[at];
                let members = if fill == Fill::Threads { &lane.idle } else { &lane.open };
                let Some(&number) = members.as_slice().last() else { break };
                self.fill(number, fill, now, out);
                // Who leaves the head where it is will not be asked again before something changes for it.
                let lane = &mut self.lanes[at];
                if head(&mut lane.queue, &self.jobs).is_some() {
                    lane.idle.remove(number);
                    if fill == Fill::Room {
                        lane.open.remove(number);
                    }
                }
            }
        }
    }

    /// Gives a worker tasks from its own queue and its lanes, best first.
    fn fill(&mut self, number: u32, fill: Fill, now: u64, out: &mut Actions) {
        let mut some = false;
        loop {
            let worker = &self.workers[number];
            let may = match fill {
                Fill::Threads => worker.has_idle_thread(),
                Fill::Room => worker.has_room(),
            };
            if !may || !worker.is_active() {
                break;
            }
            let Some((t, need)) = self.pull(number) else { break };
            self.assign(t, number, need, now, out);
            some = true;
        }
        if some {
            self.refresh(number);
        }
    }

    /// Takes the best task that a worker can have out of its queue; with it come the bytes that it needs there.
    fn pull(&mut self, number: u32) -> Option<(TaskId, u64)> {
        const OWN: u32 = NONE;
        let mut refused: Vec<u32> = vec![];
        loop {
            let worker = &mut self.workers[number];
            let mut best = match head(&mut worker.queue, &self.jobs) {
                Some(p) if !refused.contains(&OWN) => Some((p, OWN)),
                Some(_) => None,
                None => {
                    self.backlogged.remove(number);
                    None
                }
            };
            for at in 0..self.workers[number].lanes.len() {
                let lane = self.workers[number].lanes[at];
                if !refused.contains(&lane)
                    && let Some(p) = head(&mut self.lanes[lane as usize].queue, &self.jobs)
                    && best.is_none_or(|(b, _)| p < b)
                    && self.has_resources(number, lane)
                {
                    best = Some((p, lane));
                }
            }
            let (p, source) = best?;
            let t = task_of(p);
            if let Some(need) = self.room_for(t, number) {
                if source == OWN {
                    self.workers[number].queue.pop();
                } else {
                    self.lanes[source as usize].queue.pop();
                    self.take_family(t, source, number);
                }
                return Some((t, need));
            }
            self.doom_if_too_large(t);
            if source == OWN
                && let Some(found) = self.pull_deeper(number)
            {
                return Some(found);
            }
            refused.push(source);
        }
    }

    /// Looks behind the head of a worker's queue for something that needs less memory.
    fn pull_deeper(&mut self, number: u32) -> Option<(TaskId, u64)> {
        let mut passed = vec![];
        let mut found = None;
        while passed.len() < DEEPEST {
            let Some(p) = head(&mut self.workers[number].queue, &self.jobs) else { break };
            self.workers[number].queue.pop();
            if let Some(need) = self.room_for(task_of(p), number) {
                found = Some((task_of(p), need));
                break;
            }
            passed.push(p);
        }
        for p in passed {
            self.workers[number].queue.push(p);
        }
        found
    }

    /// Queues the tasks after `t` that feed the same task for the same worker, so that their results meet there.
    fn take_family(&mut self, t: TaskId, lane: u32, number: u32) {
        if !self.lanes[lane as usize].is_local() {
            return;
        }
        let Some(family) = self.jobs[t.job.0].dependents(t.local).next() else { return };
        for _ in 0..MOST_SIBLINGS {
            let Some(p) = head(&mut self.lanes[lane as usize].queue, &self.jobs) else { return };
            if p.job != t.job || self.jobs[p.job.0].dependents(p.local).next() != Some(family) {
                return;
            }
            self.lanes[lane as usize].queue.pop();
            self.workers[number].queue.push(p);
            self.backlogged.insert(number);
        }
    }

    pub(crate) fn has_resources(&self, number: u32, lane: u32) -> bool {
        let worker = &self.workers[number];
        let resources = &self.lanes[lane as usize].demands.resources;
        resources.iter().all(|(name, amount)| worker.resource(name).is_some_and(|r| r.free >= *amount))
    }

    /// Orders a worker to compute a ready task, which is out of its queue, and reserves what it needs.
    pub(crate) fn assign(&mut self, t: TaskId, number: u32, reserved: u64, now: u64, out: &mut Actions) {
        self.set_state(t, State::Assigned);
        let job = &mut self.jobs[t.job.0];
        let task = &mut job.tasks[t.local as usize];
        let class = &job.classes[task.class as usize];
        let nanos = if class.nanos == 0 { LOOK_AHEAD } else { class.nanos };
        let worker = &mut self.workers[number];
        task.worker = number;
        task.link = worker.assigned.len() as u32;
        if worker.assigned.is_empty() {
            worker.answered = now;
        }
        for (name, amount) in &self.lanes[class.lane as usize].demands.resources {
            if let Some(r) = worker.resources.iter_mut().find(|r| r.name == *name) {
                r.free -= amount;
            }
        }
        worker.asked_in_vain = false;
        worker.assigned.push(Assigned { task: t, reserved, nanos });
        worker.reserved = worker.reserved.saturating_add(reserved);
        worker.busy = worker.busy.saturating_add(nanos);
        let priority = Priority { rank: class.rank, job: t.job, local: t.local };
        let (class, condemned) = (task.class, task.has(CONDEMNED));
        let job = &self.jobs[t.job.0];
        let inputs = job.inputs(t.local);
        let orders = out.of(WorkerId(number));
        orders.compute.push(Compute { task: t, class, priority, inputs: inputs.len() as u32, condemned });
        for e in inputs {
            let input = job.resolve(job.edges[e].input);
            let from = self.source(input, number, t.local);
            orders.inputs.push(Input { task: input, from: WorkerId(from) });
        }
    }

    /// Where a worker gets a stored result: from itself, or from one of its holders in turn.
    fn source(&self, input: TaskId, number: u32, turn: u32) -> u32 {
        let task = self.task(input);
        if task.link == NONE || task.worker == number {
            return task.worker;
        }
        if self.replicas.holds(task, number) {
            return number;
        }
        let count = self.replicas.holders(task).count();
        self.replicas.holders(task).nth(turn as usize % count).unwrap_or(task.worker)
    }
}
