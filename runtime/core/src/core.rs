//! The core's state, and the table of events.

use crate::event::{Actions, Class, Event, JobId, TaskId, WorkerId, WorkerInfo};
use crate::failure::Reason;
use crate::job::{ClassState, Job};
use crate::lane::{Demands, Lane};
use crate::replica::Replicas;
use crate::retire::Move;
use crate::table::{Set, Table};
use crate::task::Task;
use crate::worker::Worker;
use std::collections::HashMap;

/// The scheduler's state.
#[derive(Debug, Default)]
pub struct Core {
    pub(crate) jobs: Table<Job>,
    pub(crate) workers: Table<Worker>,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) replicas: Replicas,
    /// Tasks of all jobs by state.
    pub(crate) counts: [u64; 5],
    /// Workers with a free thread.
    pub(crate) idle: Set,
    /// Workers for which ready tasks queue on the scheduler.
    pub(crate) backlogged: Set,
    /// Workers with more tasks than threads.
    pub(crate) excess: Set,
    /// Workers that were asked to give tasks back.
    pub(crate) recalling: Set,
    /// Workers that are to leave.
    pub(crate) retiring: Set,
    /// Results on their way off a retiring worker.
    pub(crate) moves: HashMap<TaskId, Move>,
    /// Workers that changed since they were last looked at.
    pub(crate) dirty: Vec<u32>,
    /// Tasks that fail their jobs before this event is done with.
    pub(crate) doomed: Vec<(TaskId, Reason)>,
    /// Results that may not be needed any more.
    pub(crate) unneeded: Vec<TaskId>,
    /// Jobs that may be done.
    pub(crate) settling: Vec<u32>,
    /// Some worker with Python was ever there.
    pub(crate) seen_python: bool,
    /// The worker for which ready tasks are queued, whatever holds their inputs; while they move there only.
    pub(crate) placed_for: Option<u32>,
    /// Where to start looking next, so that every worker has its turn.
    pub(crate) turn: usize,
    /// Changes with everything that may lead to free memory, so that workers are measured anew before a job fails.
    pub(crate) era: u64,
    /// Jobs that cannot go on for want of memory may fail while this event is handled.
    pub(crate) judging: bool,
    /// Kept for their buffers.
    pub(crate) batch: Vec<u32>,
    pub(crate) newly_ready: Vec<TaskId>,
    ignored: u64,
}

impl Core {
    /// A scheduler without jobs and workers.
    pub fn new() -> Core {
        Core::default()
    }

    /// Messages that came too late or made no sense.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// The number that the next job must have.
    pub fn next_job(&self) -> JobId {
        JobId(self.jobs.next())
    }

    /// The number that the next worker must have.
    pub fn next_worker(&self) -> WorkerId {
        WorkerId(self.workers.next())
    }

    /// Takes in what happened at `now` (nanoseconds on any steady clock), and adds what is to be done to `out`.
    pub fn handle(&mut self, now: u64, event: Event, out: &mut Actions) {
        if !matches!(event, Event::MemoryReport { .. } | Event::Tick { .. }) {
            self.era += 1;
        }
        self.judging = matches!(event, Event::Tick { delivering: false });
        match event {
            Event::WorkerJoined(info) => self.worker_joined(now, info),
            Event::WorkerLost { worker } => self.worker_lost(worker, out),
            Event::Retire { worker } => self.retire(worker, out),
            Event::MemoryReport { worker, memory } => self.memory_report(worker, memory, out),
            Event::Tick { .. } => self.find_unprovided(now),
            Event::Threads { worker, nthreads } => self.threads(worker, nthreads),
            Event::JobOpened { job, priority } => {
                if job == self.next_job() {
                    self.jobs.push(Job::new(job, priority));
                } else {
                    self.ignore();
                }
            }
            Event::TasksAdded { job, batch } => self.add_tasks(job, batch, out),
            Event::JobComplete { job } => self.job_complete(job, out),
            Event::JobCancelled { job } => {
                if self.jobs.get(job.0).is_some() {
                    self.drop_job(job, out);
                }
            }
            Event::Released { job, tasks } => self.client_released(job, &tasks, out),
            Event::Finished { worker, job, tasks } => self.finished(now, worker, job, &tasks, out),
            Event::Failed { worker, task, error, retryable } => {
                self.task_failed(now, worker, task, error, retryable, out);
            }
            Event::InputMissing { worker, task, input, from } => {
                self.input_missing(now, worker, task, input, from, out);
            }
            Event::ReplicaLanded { worker, tasks } => {
                for t in tasks {
                    self.landed(worker, t, out);
                }
            }
            Event::ReplicaDropped { worker, tasks } => {
                for t in tasks {
                    self.dropped(worker, t, out);
                }
            }
            Event::FetchFailed { worker, task, from } => self.fetch_failed(worker, task, from, out),
            Event::Returned { worker, tasks } => self.returned(now, worker, &tasks, out),
        }
        loop {
            self.let_go(out);
            self.dispatch(now, out);
            self.settle(out);
            if self.dirty.is_empty() && self.doomed.is_empty() {
                return;
            }
        }
    }

    pub(crate) fn ignore(&mut self) {
        self.ignored += 1;
    }

    pub(crate) fn find(&self, t: TaskId) -> Option<&Task> {
        self.jobs.get(t.job.0)?.tasks.get(t.local as usize)
    }

    pub(crate) fn task(&self, t: TaskId) -> &Task {
        &self.jobs[t.job.0].tasks[t.local as usize]
    }

    pub(crate) fn task_mut(&mut self, t: TaskId) -> &mut Task {
        &mut self.jobs[t.job.0].tasks[t.local as usize]
    }

    /// Has a worker looked at before this event is done with.
    pub(crate) fn mark(&mut self, worker: u32) {
        if let Some(w) = self.workers.get_mut(worker)
            && !w.dirty
        {
            w.dirty = true;
            self.dirty.push(worker);
        }
    }

    fn worker_joined(&mut self, now: u64, info: WorkerInfo) {
        if info.id != self.next_worker() {
            return self.ignore();
        }
        self.seen_python |= info.python;
        let number = info.id.0;
        self.workers.push(Worker::new(info, now));
        for lane in 0..self.lanes.len() as u32 {
            self.join_lane(lane);
        }
        self.mark(number);
    }

    fn threads(&mut self, worker: WorkerId, nthreads: u32) {
        let Some(w) = self.workers.get_mut(worker.0) else { return self.ignore() };
        w.nthreads = nthreads.max(1) as usize;
        self.mark(worker.0);
    }

    /// Finds anew who may take from a lane, after workers came or went.
    pub(crate) fn join_lane(&mut self, number: u32) {
        let lane = &mut self.lanes[number as usize];
        if !lane.live {
            return;
        }
        let names_any = lane.demands.workers.is_empty();
        let others =
            lane.demands.allow_other_workers && !self.workers.iter().any(|(_, w)| lane.demands.names(w));
        lane.largest = 0;
        let mut changed = vec![];
        for n in self.workers.numbers() {
            let worker = &mut self.workers[n];
            let fits = lane.demands.can_run(worker) && (names_any || others || lane.demands.names(worker));
            if fits {
                lane.largest = lane.largest.max(worker.capacity);
            }
            if fits != lane.members.contains(n) {
                lane.members.put(n, fits);
                if fits {
                    worker.lanes.push(number);
                } else {
                    worker.lanes.retain(|l| *l != number);
                    lane.idle.remove(n);
                    lane.open.remove(n);
                }
                changed.push(n);
            }
        }
        for n in changed {
            self.mark(n);
        }
    }

    /// The lane for these demands, with one more user.
    fn lane_for(&mut self, demands: Demands) -> u32 {
        if let Some(at) = self.lanes.iter().position(|l| l.live && l.demands == demands) {
            self.lanes[at].users += 1;
            return at as u32;
        }
        let lane = Lane { demands, live: true, users: 1, ..Lane::default() };
        let at = match self.lanes.iter().position(|l| !l.live) {
            Some(at) => {
                self.lanes[at] = lane;
                at
            }
            None => {
                self.lanes.push(lane);
                self.lanes.len() - 1
            }
        };
        self.join_lane(at as u32);
        at as u32
    }

    /// Gives up one use of a lane. The common lanes stay, since the next job will want them.
    pub(crate) fn leave_lane(&mut self, number: u32) {
        let lane = &mut self.lanes[number as usize];
        lane.users -= 1;
        if lane.users == 0 && !lane.is_local() {
            *lane = Lane::default();
            for n in self.workers.numbers() {
                self.workers[n].lanes.retain(|l| *l != number);
            }
        }
    }

    /// Adds a class to a job.
    ///
    /// # Errors
    /// Names what is wrong with it.
    pub(crate) fn add_class(&mut self, job: JobId, class: Class) -> Result<(), String> {
        let lane = self.lane_for(Demands::of(&class)?);
        let job = &mut self.jobs[job.0];
        let rank = job.priority.saturating_add(class.priority).saturating_neg();
        let nbytes = class.nbytes;
        job.classes.push(ClassState {
            class,
            lane,
            rank,
            nbytes,
            nanos: 0,
            counts: [0; 5],
            computed: 0,
            total_nanos: 0,
        });
        Ok(())
    }
}
