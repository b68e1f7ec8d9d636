//! Everything that the scheduler knows, under one lock.

use super::clients::Clients;
use super::content::Content;
use super::crew::{Crew, Joining, Link};
use super::hub::{Hub, Settings};
use super::job::{Job, JobEvent, Stage, Subscriber, Wanted, check_id};
use crate::ids::{IdMap, key};
use crate::net::message::{Failed, Memory, Report};
use crate::worker::Trouble;
use dask_array::Value;
use dask_core::{Actions, Core, Done, Event, Failure, JobId, Measured, TaskId, Tell, WorkerId, WorkerInfo};
use dask_plan::columns::U32s;
use dask_plan::plan::{Part, Sink};
use std::collections::{HashMap, HashSet};
use std::sync::Weak;
use std::time::{Duration, Instant};

/// See the module.
pub struct State {
    pub(super) core: Core,
    actions: Actions,
    pub(super) jobs: IdMap<u32, Job>,
    names: HashMap<String, u32>,
    pub(super) crew: Crew,
    pub(super) clients: Clients,
    /// Small results that came with the report that is being handled.
    arrived: IdMap<u64, Value>,
    /// Results in that report that are failures.
    pub(super) raised: HashSet<u64>,
    /// Events for the core that follow from what it told.
    follow: Vec<Event>,
    /// Jobs whose subscribers are to be told of kept results.
    pub(super) telling: Vec<u32>,
    pub(super) settings: Settings,
    pub(super) hub: Weak<Hub>,
    pub(super) runtime: tokio::runtime::Handle,
    started: Instant,
    /// Since when nothing runs, waits or is planned, in seconds since 1970.
    pub(super) idle_since: Option<f64>,
    /// Counts for the metrics.
    pub counts: Counts,
}

/// Counts for the metrics.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Clients connected.
    pub clients: u64,
    /// Clients that ever connected.
    pub clients_added: u64,
    /// Connections closed because the peer was no peer of ours.
    pub strangers: u64,
    /// Of those, peers that spoke Dask's protocol.
    pub distributed: u64,
    /// Connections closed because the peer broke the protocol.
    pub broken: u64,
    /// Jobs that were opened.
    pub jobs: u64,
    /// Of which failed.
    pub jobs_failed: u64,
    /// Source documents that are being planned.
    pub planning: u64,
}

/// What opening a job found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is new, and waits for its parts.
    New(u32),
    /// It was there before.
    Known(u32),
}

impl State {
    pub(super) fn new(settings: Settings, hub: Weak<Hub>, runtime: tokio::runtime::Handle) -> State {
        State {
            core: Core::new(),
            actions: Actions::default(),
            jobs: IdMap::default(),
            names: HashMap::new(),
            crew: Crew::default(),
            clients: Clients::default(),
            arrived: IdMap::default(),
            raised: HashSet::new(),
            follow: vec![],
            telling: vec![],
            settings,
            hub,
            runtime,
            started: Instant::now(),
            idle_since: None,
            counts: Counts::default(),
        }
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    pub(super) fn event(&mut self, event: Event) {
        let now = self.now();
        self.core.handle(now, event, &mut self.actions);
    }

    /// Carries out what the core ordered, until it orders nothing more.
    pub(super) fn flush(&mut self) {
        while !self.actions.is_empty() || !self.follow.is_empty() {
            let tells = std::mem::take(&mut self.actions.tell);
            for tell in &tells {
                if let Tell::Condemned(failure) = tell {
                    self.condemn(failure);
                }
            }
            for orders in self.actions.orders() {
                self.crew.order(orders, &self.jobs);
            }
            self.actions.clear();
            for tell in tells {
                self.told(tell);
            }
            for event in std::mem::take(&mut self.follow) {
                self.event(event);
            }
        }
        for number in std::mem::take(&mut self.telling) {
            if let Some(job) = self.jobs.get_mut(&number) {
                job.tell_arrived();
            }
        }
    }

    // --- workers ------------------------------------------------------------------------------------------

    /// A worker joins; `link` makes the way to it from its number.
    ///
    /// # Errors
    /// When its name is taken, or the link cannot be made.
    pub fn join(
        &mut self,
        hello: Joining,
        link: impl FnOnce(u32) -> Result<Link, String>,
    ) -> Result<u32, String> {
        if let Some(other) = self.crew.named(&hello.name) {
            return Err(format!(
                "the name {:?} is taken by the worker at {}; give each worker a --name of its own, or wait until that one \
                 is gone",
                hello.name, other.view.address
            ));
        }
        let id = self.core.next_worker();
        let link = link(id.0)?;
        let info = WorkerInfo {
            id,
            name: hello.name.clone(),
            address: hello.address.clone(),
            nthreads: hello.nthreads.max(1),
            memory_limit: hello.memory_limit,
            resources: hello.resources.clone().into_iter().collect(),
            python: hello.python,
        };
        self.crew.add(id.0, hello, link);
        self.event(Event::WorkerJoined(info));
        Ok(id.0)
    }

    /// A worker's connection ended.
    pub fn lost(&mut self, worker: u32) {
        if self.crew.remove(worker).is_none() {
            return;
        }
        if let Some(hub) = self.hub.upgrade() {
            hub.sources.lock().unwrap_or_else(|e| e.into_inner()).remove(&worker);
        }
        self.event(Event::WorkerLost { worker: WorkerId(worker) });
    }

    /// A worker is to leave without loss.
    pub fn retire(&mut self, worker: u32) {
        if let Some(w) = self.crew.workers.get_mut(&worker)
            && !w.view.retiring
        {
            w.view.retiring = true;
            self.event(Event::Retire { worker: WorkerId(worker) });
        }
    }

    /// A worker measured its memory.
    pub fn measured(&mut self, worker: u32, memory: Memory) {
        if let Some(old) = self.crew.measured(worker, memory)
            && (old.paused != memory.paused || memory.paused)
        {
            let Memory { paused, process, managed: kept, queued: active, .. } = memory;
            let memory = Measured { paused, process, kept, active };
            self.event(Event::MemoryReport { worker: WorkerId(worker), memory });
        }
    }

    /// Takes reports in.
    pub(super) fn hear(&mut self, news: Vec<(u32, Report, Vec<Value>)>) {
        for (worker, report, small) in news {
            self.report(worker, report, small);
        }
        self.flush();
        self.arrived.clear();
        self.raised.clear();
    }

    fn report(&mut self, id: u32, report: Report, small: Vec<Value>) {
        let worker = WorkerId(id);
        let task = |(job, local)| TaskId { job: JobId(job), local };
        match self.crew.workers.get_mut(&id) {
            Some(w) => {
                w.seen = Instant::now();
                w.view.ran += report.finished.len() as u64;
            }
            None => return,
        }
        for (index, value) in report.small.iter().zip(small) {
            self.arrived.insert(key(report.finished.at(*index as usize)), value);
        }
        self.raised.extend(report.raised.iter().map(|i| key(report.finished.at(*i as usize))));
        if let Some(nthreads) = report.threads {
            self.event(Event::Threads { worker, nthreads });
        }
        if !report.landed.is_empty() {
            self.event(Event::ReplicaLanded { worker, tasks: report.landed.iter().collect() });
        }
        let mut at = 0;
        for run in report.finished.job.chunk_by(|a, b| a == b) {
            let job = JobId(run[0]);
            let tasks: Vec<Done> = (at..at + run.len())
                .map(|i| Done {
                    task: report.finished.local[i],
                    nbytes: report.nbytes[i],
                    nanos: report.nanos[i],
                })
                .collect();
            at += run.len();
            if let Some(job) = self.jobs.get_mut(&job.0).filter(|j| j.ended.is_none()) {
                tasks.iter().for_each(|done| job.table.ran(done.task, done.nanos));
            }
            self.event(Event::Finished { worker, job, tasks });
        }
        for mut failed in report.failed {
            let task = task(failed.task);
            if let (Some(cause), Some(job)) = (failed.cause.take(), self.jobs.get_mut(&task.job.0)) {
                job.causes.insert(task.local, cause);
            }
            let error = self.describe(failed);
            self.event(Event::Failed { worker, task, error, retryable: true });
        }
        for m in report.missing {
            self.event(Event::InputMissing {
                worker,
                task: task(m.task),
                input: task(m.input),
                from: WorkerId(m.from),
            });
        }
        for m in report.unfetched {
            self.event(Event::FetchFailed { worker, task: task(m.input), from: WorkerId(m.from) });
        }
        for returned in report.returned {
            self.event(Event::Returned { worker, tasks: returned.iter().collect() });
        }
    }

    /// A task's error, with its inputs by their keys.
    fn describe(&self, failed: Failed) -> String {
        let Failed { error, inputs, .. } = failed;
        if inputs.is_empty() {
            return error;
        }
        let inputs: Vec<String> = inputs
            .into_iter()
            .map(|((job, local), what)| match self.jobs.get(&job) {
                Some(job) => format!("{}: {what}", job.table.key(local)),
                None => what,
            })
            .collect();
        format!("{error}; its inputs were {}", inputs.join("; "))
    }

    // --- jobs ---------------------------------------------------------------------------------------------

    /// Opens a job, or finds the one of the same id. A job without a `document` gets its plan later; see
    /// [`State::made_from`] and [`State::same`]. An `internal` job is the scheduler's own, and nobody finds it by its name.
    ///
    /// # Errors
    /// When the id is none, or belongs to a job of something else.
    pub fn open(
        &mut self,
        name: &str,
        document: Option<&str>,
        priority: i32,
        internal: bool,
    ) -> Result<Opened, String> {
        let content = document.map(Content::document);
        if !internal {
            check_id(name)?;
        }
        if let Some(number) = self.names.get(name).copied().filter(|_| !internal) {
            return match &content {
                Some(content) => self.same(number, content).map(|()| Opened::Known(number)),
                None => Ok(Opened::Known(number)),
            };
        }
        let id = self.core.next_job();
        let mut job = Job::new(id, name.into(), priority, Instant::now());
        job.content = content;
        job.internal = internal;
        self.jobs.insert(id.0, job);
        if !internal {
            self.names.insert(name.into(), id.0);
        }
        self.counts.jobs += u64::from(!internal);
        // A job may be over before anybody asks again.
        self.idle_since = None;
        self.event(Event::JobOpened { job: id, priority });
        Ok(Opened::New(id.0))
    }

    /// A job's plan has arrived.
    pub(super) fn made_from(&mut self, number: u32, plan: Content) {
        if let Some(job) = self.jobs.get_mut(&number) {
            job.content = Some(plan);
        }
    }

    /// Whether a second submission of a job's id is the job's.
    ///
    /// # Errors
    /// Names the job, what differs and what to do.
    pub(super) fn same(&self, number: u32, submitted: &Content) -> Result<(), String> {
        let Some(job) = self.jobs.get(&number) else { return Ok(()) };
        let name = &job.name;
        let difference = match &job.content {
            Some(content) => content.difference(submitted),
            // It failed before it was complete, which whoever comes is told.
            None if job.ended.is_some() => None,
            None => Some("its plan is still arriving, so nothing can be compared with it".into()),
        };
        match difference {
            Some(difference) => Err(format!(
                "job {name:?} exists: {difference}; choose another --job-id, or attach to it with --attach {name}"
            )),
            None => Ok(()),
        }
    }

    /// The number of a job.
    pub fn job_number(&self, name: &str) -> Option<u32> {
        self.names.get(name).copied()
    }

    /// Adds a part to an open job. The part was checked against those before it and has no layers.
    pub fn add_part(&mut self, number: u32, part: Part) {
        self.add_live(number, part, vec![]);
    }

    /// As [`State::add_part`]; `live` are blobs that never were bytes, numbered on from those of the part. Workers in other
    /// processes cannot have them.
    pub fn add_live(&mut self, number: u32, part: Part, live: Vec<Value>) {
        if !self.jobs.get(&number).is_some_and(|j| matches!(j.stage, Stage::Open)) {
            return;
        }
        let last = part.last;
        let mut external = vec![];
        for input in &part.external {
            match self.names.get(&input.job) {
                Some(other) => external.push(TaskId { job: JobId(*other), local: input.task }),
                None => {
                    let error = format!("it needs results of job {:?}, which there is not", input.job);
                    return self.end(number, true, error);
                }
            }
        }
        for input in &external {
            let known = self.jobs.get(&number).is_some_and(|j| j.uses.contains(&input.job.0));
            if !known && let Some(other) = self.jobs.get_mut(&input.job.0) {
                other.users += 1;
                self.jobs.entry(number).and_modify(|j| j.uses.push(input.job.0));
            }
        }
        let Some(job) = self.jobs.get_mut(&number) else { return };
        let (mut batch, outputs) = job.table.add(part, live, job.priority);
        batch.external = external;
        for output in &outputs {
            let tasks = U32s::new(&output.tasks).iter();
            match output.to {
                Sink::Keep => {
                    job.kept_some = true;
                    job.kept.extend(tasks);
                }
                Sink::Zarr { .. } => {}
                Sink::Print { .. } | Sink::Npy { .. } | Sink::Json { .. } => {
                    for task in tasks {
                        job.unsent += usize::from(job.wanted.insert(task, Wanted::Pending).is_none());
                    }
                }
            }
        }
        if !outputs.is_empty() {
            job.tell(&JobEvent::Outputs(outputs.clone()));
            job.outputs.extend(outputs);
        }
        let id = job.id;
        self.event(Event::TasksAdded { job: id, batch });
        if last {
            self.complete(number);
        }
    }

    /// Nobody needs these kept results any more. A job that has ended and keeps nothing is forgotten.
    pub fn let_go(&mut self, number: u32, tasks: &[u32]) {
        let Some(job) = self.jobs.get_mut(&number) else { return };
        let gone = |task: &u32| job.kept.remove(task) && !job.held.contains_key(task);
        let tasks: Vec<u32> = tasks.iter().copied().filter(gone).collect();
        let (id, over) = (job.id, job.abandoned());
        if !tasks.is_empty() {
            self.release(id, tasks);
        }
        if over {
            self.forget(number);
        }
    }

    /// Whoever wanted a job has gone: nothing of it is computed or kept any more, but for what other jobs still take and
    /// other clients hold.
    pub fn abandon(&mut self, number: u32) {
        if !self.is_held(number) {
            self.end(number, false, "its client went away".into());
        }
        let kept: Vec<u32> = self.jobs.get(&number).map_or(vec![], |job| job.kept.iter().copied().collect());
        self.let_go(number, &kept);
    }

    /// Its client does not want a job any more. It goes on where other clients want results of it.
    pub fn cancel(&mut self, number: u32) {
        if self.is_held(number) {
            self.abandon(number);
        } else {
            self.end(number, false, "it was cancelled".into());
        }
    }

    fn is_held(&self, number: u32) -> bool {
        self.jobs.get(&number).is_some_and(|job| !job.held.is_empty())
    }

    /// A job has ended: it takes nothing from others any more.
    fn stop_using(&mut self, number: u32) {
        let uses = self.jobs.get_mut(&number).map(|j| std::mem::take(&mut j.uses)).unwrap_or_default();
        for other in uses {
            let Some(job) = self.jobs.get_mut(&other) else { continue };
            job.users -= 1;
            if job.abandoned() {
                self.forget(other);
            }
        }
    }

    /// Nothing follows.
    pub fn complete(&mut self, number: u32) {
        if let Some(job) = self.jobs.get_mut(&number).filter(|j| matches!(j.stage, Stage::Open)) {
            job.stage = Stage::Running;
            let id = job.id;
            self.event(Event::JobComplete { job: id });
        }
    }

    /// The submission is wrong, incomplete, or nobody wants it any more.
    pub fn end(&mut self, number: u32, refused: bool, error: String) {
        let Some(job) = self.jobs.get(&number).filter(|j| j.ended.is_none()) else { return };
        let id = job.id;
        self.fail(number, refused, error, None);
        self.event(Event::JobCancelled { job: id });
    }

    fn fail(&mut self, number: u32, refused: bool, error: String, task: Option<u32>) {
        let peak = self.crew.peak();
        let Some(job) = self.jobs.get_mut(&number).filter(|j| j.ended.is_none()) else { return };
        job.ended = Some(Instant::now());
        let cause = task.and_then(|t| job.causes.remove(&t));
        job.causes.clear();
        job.stage = Stage::Failed { refused, error: error.clone(), cause: cause.clone() };
        let progress = job.progress(peak);
        job.tell(&JobEvent::Failed { refused, error, cause, progress });
        job.table.shrink();
        job.wanted.clear();
        self.counts.jobs_failed += u64::from(!job.internal);
        self.stop_using(number);
    }

    /// A failure becomes its task's result.
    fn condemn(&mut self, failure: &Failure) {
        let error = self.explain_failure(failure);
        if let (Some(task), Some(job)) = (failure.task, self.jobs.get_mut(&failure.job.0)) {
            let cause = job.causes.remove(&task.local);
            job.condemned.insert(task.local, Trouble { error, cause }.into());
        }
    }

    fn told(&mut self, tell: Tell) {
        match tell {
            Tell::Ready { task, worker, nbytes } => self.ready(task, worker.0, nbytes),
            Tell::JobDone { job } => {
                if let Some(j) = self.jobs.get_mut(&job.0).filter(|j| j.ended.is_none()) {
                    j.stage = Stage::Done;
                    j.ended = Some(Instant::now());
                    self.finished(job.0);
                    self.stop_using(job.0);
                }
            }
            Tell::JobFailed(failure) => {
                let error = self.explain_failure(&failure);
                self.fail(failure.job.0, false, error, failure.task.map(|t| t.local));
            }
            // The order that follows from it brought the failure to a worker already.
            Tell::Condemned(_) => {}
            Tell::JobClosed { job } => {
                self.crew.close(job);
                if let Some(job) = self.jobs.get_mut(&job.0) {
                    job.table.shrink();
                }
            }
            Tell::WorkerRetired { worker } => self.crew.retired(worker.0),
            Tell::RetireBlocked { worker, results, nbytes } => {
                tracing::warn!(
                    worker = worker.0,
                    results,
                    nbytes,
                    "a worker that is to leave holds results for which no other worker has room"
                );
            }
        }
    }

    fn explain_failure(&self, failure: &Failure) -> String {
        let key =
            |t: &TaskId| self.jobs.get(&t.job.0).map_or_else(|| "a task".into(), |j| j.table.key(t.local));
        let Some(task) = &failure.task else { return failure.reason.to_string() };
        let mut text = format!("task {} ({}): {}", key(task), failure.class, failure.reason);
        let dependents: Vec<String> = failure.chain.iter().filter(|t| *t != task).map(key).collect();
        if !dependents.is_empty() {
            text += &format!("; needed by {}", dependents.join(", then "));
        }
        text
    }

    /// Tells core that these results need not be kept, once the core's own news are handled.
    pub(super) fn release(&mut self, job: JobId, tasks: Vec<u32>) {
        self.follow.push(Event::Released { job, tasks });
    }

    /// The small result that came with the report, if it did.
    pub(super) fn arrived(&mut self, task: TaskId) -> Option<Value> {
        self.arrived.remove(&key(task))
    }

    /// What time brings: progress to tell, jobs to forget, workers to give up.
    pub fn tick(&mut self) {
        let now = Instant::now();
        let peak = self.crew.peak();
        for job in self.jobs.values_mut() {
            if job.subscriber.is_none() || job.ended.is_some() && !job.delivering() {
                continue;
            }
            let progress = job.progress(peak);
            // While results wait for a subscriber, only telling it something shows whether it is still there.
            if (progress.tasks, progress.done) != job.told || job.delivering() {
                job.told = (progress.tasks, progress.done);
                job.tell(&JobEvent::Progress(progress));
            }
        }
        let delivering = self.jobs.values().any(Job::delivering);
        self.event(Event::Tick { delivering });
        let keep = self.settings.keep;
        let old: Vec<u32> = self
            .jobs
            .iter()
            .filter(|(_, j)| {
                j.kept.is_empty()
                    && j.held.is_empty()
                    && j.ended.is_some_and(|e| j.internal || now.duration_since(e) > keep)
            })
            .map(|(n, _)| *n)
            .collect();
        old.into_iter().for_each(|number| self.forget(number));
        let silence = self.settings.worker_timeout;
        if silence > Duration::ZERO {
            let silent: Vec<u32> = self
                .crew
                .workers
                .iter()
                .filter(|(_, w)| matches!(w.link, Link::Remote(_)) && now.duration_since(w.seen) > silence)
                .map(|(id, _)| *id)
                .collect();
            for id in silent {
                tracing::warn!(worker = id, ?silence, "gave up a worker that said nothing");
                self.lost(id);
            }
        }
    }

    /// Drops a job that has ended, with its results.
    pub fn forget(&mut self, number: u32) {
        self.stop_using(number);
        if let Some(job) = self.jobs.remove(&number) {
            if !job.internal {
                self.names.remove(&job.name);
            }
            self.event(Event::JobCancelled { job: job.id });
        }
    }

    /// Subscribes to a job. Takes the place of an earlier subscriber.
    pub fn subscribe(&mut self, number: u32, subscriber: Subscriber) {
        self.attach(number, subscriber);
    }
}
