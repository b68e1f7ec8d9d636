//! What a worker's threads share, under one lock: results, queued tasks, and what is to be reported.
//!
//! Everything here is short: no task runs, nothing is sent and nothing large is freed while the lock is held.

use super::Settings;
use super::lane::{Lane, Trouble};
use super::task::{self, Batch, Class, NO_BLOB, Ran, Taken, Task};
use crate::ids::{IdMap, key};
use crate::net::message::{self, Failed, Missing, Report, Tasks};
use dask_array::encode::from_bytes;
use dask_array::{Chunk, Context, Prepared, Value};
use dask_core::TaskId;
use dask_plan::plan::Body;
use std::collections::{BinaryHeap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Threads take tasks worth this many nanoseconds at a time: enough to pay for the lock.
const SLICE: u64 = 20_000;

/// Tasks taken at a time at most.
const MOST: usize = 32;

struct Job {
    classes: Vec<Option<Arc<Class>>>,
    values: IdMap<u32, Value>,
    context: Arc<Context>,
    cancelled: Arc<AtomicBool>,
}

struct Waiting {
    task: Task,
    missing: u32,
}

/// Who waits for an input that is on its way.
enum Waiter {
    Task(u64),
    /// The scheduler, which ordered a replica.
    Scheduler,
}

/// See the module.
#[derive(Default)]
pub(super) struct Shared {
    /// This worker's number.
    me: u32,
    threads: usize,
    data_dirs: Vec<PathBuf>,
    owner: String,
    lane: Option<Arc<dyn Lane>>,
    small_bytes: usize,
    jobs: IdMap<u32, Job>,
    ready: BinaryHeap<Task>,
    waiting: IdMap<u64, Waiting>,
    waiters: IdMap<u64, Vec<Waiter>>,
    report: Report,
    small: Vec<Value>,
    /// Bytes of all results kept.
    pub(super) stored: u64,
    /// Tasks that threads have taken.
    pub(super) running: usize,
    /// Threads that sleep.
    pub(super) sleepers: usize,
    pub(super) paused: bool,
    /// Since when there is nothing to do.
    pub(super) idle_since: Option<Instant>,
    pub(super) stop: bool,
    /// Threads that wait inside their tasks, in whose place others compute.
    pub(super) extra: usize,
    /// Threads that are to end, since others came back to their tasks.
    pub(super) surplus: usize,
    /// Tasks that ran, for the metrics.
    pub(super) ran: u64,
}

/// What the caller has to do once the lock is released.
#[derive(Default)]
pub(super) struct After {
    /// To ask peers for: worker and result.
    pub(super) fetch: Vec<(u32, TaskId)>,
    /// To drop.
    pub(super) dropped: Vec<Value>,
    /// The scheduler waits for what is to be reported.
    pub(super) urgent: bool,
}

impl Shared {
    pub(super) fn new(settings: &Settings) -> Shared {
        let Settings { id, threads, data_dirs, owner, lane, small_bytes, .. } = settings.clone();
        Shared { me: id, threads, data_dirs, owner, lane, small_bytes, ..Shared::default() }
    }

    /// Takes orders in.
    pub(super) fn take(&mut self, batch: Batch) -> After {
        let mut after = After::default();
        let batch = Arc::new(batch);
        let orders = &batch.orders;
        for task in orders.free.iter() {
            if let Some(value) = self.jobs.get_mut(&task.job.0).and_then(|j| j.values.remove(&task.local)) {
                self.stored -= value.held_bytes() as u64;
                after.dropped.push(value);
            }
        }
        orders.classes.iter().for_each(|c| self.add_class(c));
        self.add_tasks(&batch, &mut after);
        if let Some(recall) = &orders.recall {
            self.recall(recall);
            after.urgent = true;
        }
        for (i, task) in orders.fetch.iter().enumerate() {
            let from = orders.fetch_from[i];
            if self.holds(task) {
                self.report.landed.push(task);
                after.urgent = true;
            } else {
                self.await_input(task, from, Waiter::Scheduler, &mut after);
            }
        }
        orders.closed.iter().for_each(|job| self.close(*job, &mut after));
        after
    }

    fn job(&mut self, job: u32) -> &mut Job {
        let (data_dirs, owner) = (&self.data_dirs, &self.owner);
        self.jobs.entry(job).or_insert_with(|| {
            let cancelled = Arc::new(AtomicBool::new(false));
            let context = Arc::new(Context {
                data_dirs: data_dirs.clone(),
                owner: owner.clone(),
                cancelled: Arc::clone(&cancelled),
            });
            Job { classes: vec![], values: IdMap::default(), context, cancelled }
        })
    }

    fn add_class(&mut self, class: &message::Class) {
        let (args, body) = match &class.template.body {
            Body::Program(program) => {
                let prepared = Prepared::new(program.clone()).map(task::Body::Program);
                (program.args as usize, prepared.map_err(|e| e.to_string()))
            }
            Body::Python(python) => {
                let call = match &self.lane {
                    Some(lane) => lane.prepare(python),
                    None => Err("this worker does not run Python".into()),
                };
                (0, call.map(task::Body::Call))
            }
        };
        let body = body.map_err(|e| format!("template {:?}: {e}", class.template.name));
        let job = self.job(class.job);
        let index = class.class as usize;
        if job.classes.len() <= index {
            job.classes.resize_with(index + 1, || None);
        }
        job.classes[index] = Some(Arc::new(Class {
            body,
            rank: class.rank,
            args,
            context: Arc::clone(&job.context),
            nanos: AtomicU64::new(0),
        }));
    }

    fn add_tasks(&mut self, batch: &Arc<Batch>, after: &mut After) {
        let orders = &batch.orders;
        let (mut inputs, mut args, mut wanted, mut blob, mut condemned) = (0, 0, 0, 0, 0);
        let mut last: Option<(u32, u32, Arc<Class>)> = None;
        for (index, id) in orders.compute.iter().enumerate() {
            let (job, number) = (id.job.0, orders.class[index]);
            let class = match &last {
                Some((j, n, class)) if *j == job && *n == number => Arc::clone(class),
                _ => {
                    let known = self.jobs.get(&job).and_then(|j| j.classes.get(number as usize));
                    let Some(class) = known.cloned().flatten() else {
                        self.fail(
                            id,
                            format!("class {number} of the job was never sent to this worker"),
                            vec![],
                        );
                        after.urgent = true;
                        // Without the class the rest of the columns cannot be read.
                        return;
                    };
                    last = Some((job, number, Arc::clone(&class)));
                    class
                }
            };
            let count = orders.input_counts[index];
            let task_args = class.args;
            let mut task = Task {
                id,
                class,
                batch: Arc::clone(batch),
                index: index as u32,
                inputs: (inputs, count),
                args,
                blob: NO_BLOB,
                wanted: false,
                failure: None,
            };
            inputs += count;
            args += task_args as u32;
            if orders.wanted.get(wanted) == Some(&task.index) {
                task.wanted = true;
                wanted += 1;
            }
            if orders.condemned.get(condemned) == Some(&task.index) {
                task.failure = Some(failure(&batch.blobs[orders.failures[condemned] as usize]));
                condemned += 1;
            }
            if orders.blob_tasks.get(blob) == Some(&task.index) {
                task.blob = orders.blobs[blob];
                blob += 1;
            }
            if args as usize > orders.args.len() {
                self.fail(id, format!("{} arguments came, {args} were needed", orders.args.len()), vec![]);
                after.urgent = true;
                return;
            }
            self.queue(task, after);
        }
    }

    /// Queues a task: ready, or waiting for inputs from peers.
    fn queue(&mut self, task: Task, after: &mut After) {
        let mut absent: Vec<(TaskId, u32)> = vec![];
        for i in 0..task.inputs.1 {
            let at = (task.inputs.0 + i) as usize;
            let (input, from) = (task.batch.orders.inputs.at(at), task.batch.orders.from[at]);
            if from != self.me && !self.holds(input) && !absent.iter().any(|(seen, _)| *seen == input) {
                absent.push((input, from));
            }
        }
        if absent.is_empty() {
            self.ready.push(task);
            return;
        }
        let waiter = key(task.id);
        for (input, from) in &absent {
            self.await_input(*input, *from, Waiter::Task(waiter), after);
        }
        self.waiting.insert(waiter, Waiting { task, missing: absent.len() as u32 });
    }

    fn await_input(&mut self, input: TaskId, from: u32, waiter: Waiter, after: &mut After) {
        // It may be the first that comes here of another job.
        self.job(input.job.0);
        let waiters = self.waiters.entry(key(input)).or_default();
        if waiters.is_empty() {
            after.fetch.push((from, input));
        }
        waiters.push(waiter);
    }

    fn holds(&self, task: TaskId) -> bool {
        self.jobs.get(&task.job.0).is_some_and(|j| j.values.contains_key(&task.local))
    }

    /// A result, if this worker keeps it.
    pub(super) fn get(&self, task: TaskId) -> Option<Value> {
        self.jobs.get(&task.job.0)?.values.get(&task.local).cloned()
    }

    fn keep(&mut self, task: TaskId, value: Value, dropped: &mut Vec<Value>) -> bool {
        let Some(job) = self.jobs.get_mut(&task.job.0) else {
            dropped.push(value);
            return false;
        };
        self.stored += value.held_bytes() as u64;
        if let Some(old) = job.values.insert(task.local, value) {
            self.stored -= old.held_bytes() as u64;
            dropped.push(old);
        }
        true
    }

    /// Gives the tasks back that have not started.
    fn recall(&mut self, recall: &Tasks) {
        let asked: HashSet<u64> = recall.iter().map(key).collect();
        let mut returned = Tasks::default();
        self.ready.retain(|task| {
            let back = asked.contains(&key(task.id));
            if back {
                returned.push(task.id);
            }
            !back
        });
        for task in recall.iter() {
            if self.waiting.remove(&key(task)).is_some() {
                returned.push(task);
            }
        }
        self.report.returned.push(returned);
    }

    fn close(&mut self, job: u32, after: &mut After) {
        let Some(gone) = self.jobs.remove(&job) else { return };
        gone.cancelled.store(true, Ordering::Relaxed);
        for value in gone.values.into_values() {
            self.stored -= value.held_bytes() as u64;
            after.dropped.push(value);
        }
        self.ready.retain(|task| task.id.job.0 != job);
        self.waiting.retain(|_, waiting| waiting.task.id.job.0 != job);
    }

    /// A result came from a peer. Returns whether the scheduler waits for it.
    pub(super) fn landed(&mut self, task: TaskId, value: Value, dropped: &mut Vec<Value>) -> bool {
        let waiters = self.waiters.remove(&key(task)).unwrap_or_default();
        if !self.keep(task, value, dropped) {
            return false;
        }
        self.report.landed.push(task);
        let mut urgent = false;
        for waiter in waiters {
            match waiter {
                Waiter::Scheduler => urgent = true,
                Waiter::Task(waiter) => {
                    if let Some(waiting) = self.waiting.get_mut(&waiter) {
                        waiting.missing -= 1;
                        if waiting.missing == 0
                            && let Some(waiting) = self.waiting.remove(&waiter)
                        {
                            self.ready.push(waiting.task);
                        }
                    }
                }
            }
        }
        urgent
    }

    /// A peer did not give a result.
    pub(super) fn not_fetched(&mut self, input: TaskId, from: u32) {
        let pair = |t: TaskId| (t.job.0, t.local);
        for waiter in self.waiters.remove(&key(input)).unwrap_or_default() {
            match waiter {
                Waiter::Scheduler => {
                    self.report.unfetched.push(Missing { task: pair(input), input: pair(input), from });
                }
                Waiter::Task(waiter) => {
                    if let Some(waiting) = self.waiting.remove(&waiter) {
                        self.report.missing.push(Missing {
                            task: pair(waiting.task.id),
                            input: pair(input),
                            from,
                        });
                    }
                }
            }
        }
    }

    /// Takes tasks to run, with their inputs: as many as pay for the lock, and no more than this thread's share.
    pub(super) fn next(&mut self, out: &mut Vec<Taken>) {
        if self.paused {
            return;
        }
        let share = (self.ready.len() / self.threads.max(1)).clamp(1, MOST);
        let mut expected = 0;
        while out.len() < share
            && expected < SLICE
            && let Some(task) = self.ready.pop()
        {
            let nanos = task.expected().unwrap_or(SLICE);
            let other = out.first().is_some_and(|first| first.task.is_call() != task.is_call());
            if other || !out.is_empty() && expected + nanos > 2 * SLICE {
                self.ready.push(task);
                break;
            }
            expected += nanos;
            if let Some(inputs) = self.gather(&task) {
                self.running += 1;
                out.push(Taken { task, inputs });
            }
        }
    }

    /// Takes back tasks that a thread had taken and did not start.
    pub(super) fn untake(&mut self, taken: impl IntoIterator<Item = Taken>) {
        for Taken { task, .. } in taken {
            self.running -= 1;
            // Its job may be closed by now.
            if self.jobs.contains_key(&task.id.job.0) {
                self.ready.push(task);
            }
        }
    }

    fn gather(&mut self, task: &Task) -> Option<Vec<Value>> {
        let mut inputs = Vec::with_capacity(task.inputs.1 as usize + 1);
        for id in task.input_ids() {
            match self.get(id) {
                Some(value) => inputs.push(value),
                None => {
                    // Freed under us, which only a confused scheduler orders; it computes the input again.
                    let pair = |t: TaskId| (t.job.0, t.local);
                    let from = self.me;
                    self.report.missing.push(Missing { task: pair(task.id), input: pair(id), from });
                    return None;
                }
            }
        }
        if task.blob != NO_BLOB {
            inputs.push(task.batch.blobs[task.blob as usize].clone());
        }
        Some(inputs)
    }

    /// Keeps a task's result and notes it for the report.
    pub(super) fn ran(&mut self, ran: Ran, dropped: &mut Vec<Value>) {
        self.running -= 1;
        self.ran += 1;
        let Ran { task, result, nanos } = ran;
        task.class.learn(nanos);
        match result {
            Ok(value) => {
                let (nbytes, raised) = (value.held_bytes(), Trouble::of(&value).is_some());
                let small = (task.wanted && nbytes <= self.small_bytes).then(|| value.clone());
                if !self.keep(task.id, value, dropped) {
                    return;
                }
                if let Some(value) = small {
                    self.report.small.push(self.report.finished.len() as u32);
                    self.small.push(value);
                }
                if raised {
                    self.report.raised.push(self.report.finished.len() as u32);
                }
                self.report.finished.push(task.id);
                self.report.nbytes.push(nbytes as u64);
                self.report.nanos.push(nanos);
            }
            Err(error) if self.jobs.contains_key(&task.id.job.0) => {
                let inputs = task
                    .input_ids()
                    .filter_map(|t| Some(((t.job.0, t.local), self.get(t)?.describe())))
                    .collect();
                self.fail(task.id, error, inputs);
            }
            Err(_) => {}
        }
    }

    fn fail(&mut self, task: TaskId, trouble: impl Into<Trouble>, inputs: Vec<((u32, u32), String)>) {
        let Trouble { error, cause } = trouble.into();
        self.report.failed.push(Failed { task: (task.job.0, task.local), error, cause, inputs });
    }

    /// What is to be reported, which is then forgotten here.
    pub(super) fn report(&mut self) -> (Report, Vec<Value>) {
        (std::mem::take(&mut self.report), std::mem::take(&mut self.small))
    }

    /// How many tasks the next report names as finished; `None` when there is nothing to report.
    pub(super) fn pending(&self) -> Option<usize> {
        (!self.report.is_empty()).then(|| self.report.finished.len())
    }

    /// More or fewer threads wait inside their tasks.
    pub(super) fn resize(&mut self, change: isize) {
        self.extra = self.extra.saturating_add_signed(change);
        self.report.threads = Some((self.threads + self.extra) as u32);
    }

    /// Tasks that could start.
    pub(super) fn ready(&self) -> usize {
        if self.paused { 0 } else { self.ready.len() }
    }

    /// Tasks that wait for inputs from peers.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Results kept.
    pub(super) fn results(&self) -> usize {
        self.jobs.values().map(|j| j.values.len()).sum()
    }

    /// Gives up everything.
    pub(super) fn shut(&mut self) -> After {
        self.stop = true;
        let mut after = After::default();
        let jobs: Vec<u32> = self.jobs.keys().copied().collect();
        jobs.into_iter().for_each(|job| self.close(job, &mut after));
        after
    }
}

/// The failure that an order brought: as bytes, unless it comes from this process.
fn failure(blob: &Value) -> Value {
    match blob.array().and_then(Chunk::as_bytes).map(from_bytes) {
        Some(Ok(value)) if Trouble::of(&value).is_some() => value,
        Some(_) => Trouble::from("it failed, and why cannot be read".to_string()).into(),
        None => blob.clone(),
    }
}
