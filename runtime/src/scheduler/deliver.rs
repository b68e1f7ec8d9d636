//! Results on their way to the submitter.
//!
//! Small results come with the report that their task is done. Larger ones stay on their worker until the submitter has
//! room: so many are fetched and sent at a time, and each is released when the submitter has it.

use super::crew::Link;
use super::hub::Hub;
use super::job::{JobEvent, Kept, Stage, Subscriber, Wanted};
use super::state::State;
use crate::ids::key;
use crate::net::{Address, Sender};
use crate::worker::Engine;
use crate::worker::fetch::{Brought, Source};
use dask_array::Value;
use dask_core::{Event, TaskId, WorkerId};
use std::collections::HashSet;
use std::sync::Arc;

/// Bytes that are fetched or sent and not yet acknowledged, per job.
const WINDOW: u64 = 128 << 20;

/// Results in one request.
const AT_ONCE: usize = 64;

/// Bytes of one result at most.
const LARGEST: u64 = 1 << 40;

/// Where results are, which are to be fetched now.
enum Holder {
    Local(Arc<Engine>),
    Remote(Result<Address, String>),
}

/// Results that are to be fetched from one worker.
pub(super) struct Request {
    worker: u32,
    holder: Holder,
    pub(super) tasks: Vec<TaskId>,
}

impl State {
    /// A wanted result is there.
    pub(super) fn ready(&mut self, task: TaskId, worker: u32, nbytes: u64) {
        let value = self.arrived(task);
        let failed = self.raised.contains(&key(task));
        let hold = self.settings.hold_bytes;
        let Some(job) = self.jobs.get_mut(&task.job.0) else { return };
        let Some(wanted) = job.wanted.get_mut(&task.local) else {
            // Nobody is sent it: written by the worker, or kept for later.
            if job.keeps(task.local) {
                if failed {
                    job.raised.insert(task.local);
                }
                if job.arrived.is_empty() {
                    self.telling.push(task.job.0);
                }
                job.arrived.push(Kept { task: task.local, nbytes, failed });
            } else {
                self.release(task.job, vec![task.local]);
            }
            return;
        };
        if matches!(wanted, Wanted::Held(_) | Wanted::Sent) {
            return;
        }
        if job.in_flight.contains_key(&task.local) {
            // Lost and computed again after it was sent: it only waits for the acknowledgement.
            *wanted = Wanted::OnWorker { worker, nbytes };
            return;
        }
        match value {
            Some(value) if job.subscriber.is_some() || job.held_bytes + nbytes <= hold => {
                let keep = job.held_bytes + nbytes <= hold;
                if keep {
                    job.held_bytes += nbytes;
                    *wanted = Wanted::Held(value.clone());
                } else {
                    *wanted = Wanted::Sent;
                }
                if job.subscriber.is_some() {
                    job.unsent -= 1;
                    job.tell(&JobEvent::Result { task: task.local, value });
                }
                self.release(task.job, vec![task.local]);
                self.finished(task.job.0);
            }
            _ => {
                *wanted = Wanted::OnWorker { worker, nbytes };
                job.fetch.push_back(task.local);
                self.pump(task.job.0);
            }
        }
    }

    /// Tells the end, when all results were sent.
    pub(super) fn finished(&mut self, number: u32) {
        let peak = self.crew.peak();
        if let Some(job) = self.jobs.get_mut(&number)
            && matches!(job.stage, Stage::Done)
            && job.delivered()
        {
            let progress = job.progress(peak);
            job.tell(&JobEvent::Done(progress));
        }
    }

    /// A submitter comes, or comes back.
    pub(super) fn attach(&mut self, number: u32, subscriber: Subscriber) {
        let peak = self.crew.peak();
        let Some(job) = self.jobs.get_mut(&number) else { return };
        job.subscriber = Some(subscriber);
        job.told = (0, 0);
        let progress = job.progress(peak);
        if let Stage::Failed { refused, error, cause } = &job.stage {
            let (error, cause) = (error.clone(), cause.clone());
            let event = JobEvent::Failed { refused: *refused, error, cause, progress };
            job.tell(&event);
            return;
        }
        if !job.outputs.is_empty() {
            job.tell(&JobEvent::Outputs(job.outputs.clone()));
        }
        let gone = job.wanted.values().filter(|w| matches!(w, Wanted::Sent)).count();
        if gone > 0 {
            let error = format!(
                "{gone} results of job {:?} were delivered before and were too large to keep; submit it under another id",
                job.name
            );
            job.tell(&JobEvent::Failed { refused: false, error, cause: None, progress });
            job.subscriber = None;
            return;
        }
        let mut held: Vec<(u32, Value)> = vec![];
        job.fetch.clear();
        job.in_flight.clear();
        for (task, wanted) in &job.wanted {
            match wanted {
                Wanted::Held(value) => held.push((*task, value.clone())),
                Wanted::OnWorker { .. } => job.fetch.push_back(*task),
                Wanted::Pending | Wanted::Sent => {}
            }
        }
        held.sort_by_key(|(task, _)| *task);
        job.fetch.make_contiguous().sort_unstable();
        job.unsent = job.wanted.len() - held.len();
        for (task, value) in held {
            job.tell(&JobEvent::Result { task, value });
        }
        self.finished(number);
        self.pump(number);
    }

    /// The submitter has a result.
    pub fn received(&mut self, number: u32, task: u32) {
        let Some(job) = self.jobs.get_mut(&number) else { return };
        if job.in_flight.remove(&task).is_none() {
            return;
        }
        if let Some(wanted @ Wanted::OnWorker { .. }) = job.wanted.get_mut(&task) {
            *wanted = Wanted::Sent;
            let id = job.id;
            self.release(id, vec![task]);
        }
        self.pump(number);
    }

    /// Fetches results for the submitter, if there are any, and room, and nobody does so already.
    fn pump(&mut self, number: u32) {
        let Some(job) = self.jobs.get_mut(&number) else { return };
        if job.pumping
            || job.fetch.is_empty()
            || job.subscriber.is_none()
            || job.in_flight.values().sum::<u64>() >= WINDOW
        {
            return;
        }
        if let Some(hub) = self.hub.upgrade() {
            job.pumping = true;
            self.runtime.spawn(pump(hub, number));
        }
    }

    /// The next results to fetch, all from one worker; `None` ends the pumping.
    fn next_request(&mut self, number: u32) -> Option<Request> {
        let job = self.jobs.get_mut(&number)?;
        if job.subscriber.is_none() || job.in_flight.values().sum::<u64>() >= WINDOW {
            job.pumping = false;
            return None;
        }
        let (mut tasks, mut from, mut bytes) = (vec![], None, 0);
        while tasks.len() < AT_ONCE
            && bytes < WINDOW / 2
            && let Some(task) = job.fetch.front().copied()
        {
            // A result that was lost and computed again may stand in the queue twice.
            let known = job.in_flight.contains_key(&task) || tasks.iter().any(|t: &TaskId| t.local == task);
            if let Some(Wanted::OnWorker { worker, nbytes }) = job.wanted.get(&task).filter(|_| !known) {
                if from.is_some_and(|f| f != *worker) {
                    break;
                }
                from = Some(*worker);
                bytes += nbytes;
                tasks.push(TaskId { job: job.id, local: task });
            }
            job.fetch.pop_front();
        }
        let Some(worker) = from else {
            job.pumping = false;
            return None;
        };
        Some(self.request(worker, tasks))
    }

    pub(super) fn request(&self, worker: u32, tasks: Vec<TaskId>) -> Request {
        let holder = match self.crew.workers.get(&worker).map(|w| (&w.link, &w.view.address)) {
            Some((Link::Local(engine), _)) => Holder::Local(Arc::clone(engine)),
            Some((Link::Remote(_), address)) => Holder::Remote(address.parse()),
            None => Holder::Remote(Err("the worker is gone".into())),
        };
        Request { worker, holder, tasks }
    }

    /// Results were fetched, or not.
    fn fetched(&mut self, number: u32, request: &Request, brought: Brought) {
        let Some(job) = self.jobs.get_mut(&number) else { return };
        for (task, value) in brought.values {
            // Lost and computed again meanwhile: it will be fetched from where it is now.
            if !matches!(job.wanted.get(&task.local), Some(Wanted::OnWorker { worker, .. }) if *worker == request.worker)
                || job.subscriber.is_none()
            {
                continue;
            }
            job.in_flight.insert(task.local, value.held_bytes() as u64);
            job.unsent -= 1;
            job.tell(&JobEvent::Result { task: task.local, value });
        }
        for task in &brought.absent {
            if let Some(wanted @ Wanted::OnWorker { .. }) = job.wanted.get_mut(&task.local) {
                *wanted = Wanted::Pending;
            }
        }
        self.absent(request, brought.absent);
        self.finished(number);
    }

    /// A worker did not give these results.
    pub(super) fn absent(&mut self, request: &Request, tasks: Vec<TaskId>) {
        if !tasks.is_empty() {
            self.event(Event::ReplicaDropped { worker: WorkerId(request.worker), tasks });
        }
    }
}

/// Fetches and sends until there is nothing, or no room.
async fn pump(hub: Arc<Hub>, number: u32) {
    loop {
        let Some(request) = hub.with(|state| state.next_request(number)) else { return };
        let mut brought = Brought::default();
        let take = |some: Vec<(TaskId, Value)>| brought.values.extend(some);
        brought.absent = fetch(&hub, &request, None, take).await;
        hub.with(|state| state.fetched(number, &request, brought));
    }
}

/// Fetches results and hands them to `take` as they come, no faster than `pace` has room. Returns those that did not come.
pub(super) async fn fetch(
    hub: &Hub,
    request: &Request,
    pace: Option<&Sender>,
    mut take: impl FnMut(Vec<(TaskId, Value)>),
) -> Vec<TaskId> {
    let address = match &request.holder {
        Holder::Local(engine) => {
            let found = request.tasks.iter().map(|task| (*task, engine.get(*task)));
            let (there, absent): (Vec<_>, Vec<_>) = found.partition(|(_, value)| value.is_some());
            take(there.into_iter().filter_map(|(task, value)| Some((task, value?))).collect());
            return absent.into_iter().map(|(task, _)| task).collect();
        }
        Holder::Remote(address) => address,
    };
    let mut open: HashSet<TaskId> = request.tasks.iter().copied().collect();
    let idle = hub.sources.lock().unwrap_or_else(|e| e.into_inner()).remove(&request.worker);
    let source = match (idle, address) {
        (Some(source), _) => Ok(source),
        (None, Ok(address)) => Source::connect(address, LARGEST).await.map_err(|e| e.to_string()),
        (None, Err(error)) => Err(error.clone()),
    };
    let result = match source {
        Ok(source) => {
            ask(source, &request.tasks, pace, &mut open, &mut take).await.map_err(|e| e.to_string())
        }
        Err(error) => Err(error),
    };
    match result {
        Ok(source) => {
            hub.sources.lock().unwrap_or_else(|e| e.into_inner()).insert(request.worker, source);
        }
        Err(error) => {
            tracing::warn!(worker = request.worker, %error, "cannot fetch results for a client");
        }
    }
    request.tasks.iter().filter(|task| open.contains(task)).copied().collect()
}

/// Leaves in `open` what did not come.
async fn ask(
    mut source: Source,
    tasks: &[TaskId],
    pace: Option<&Sender>,
    open: &mut HashSet<TaskId>,
    take: &mut impl FnMut(Vec<(TaskId, Value)>),
) -> Result<Source, crate::net::Error> {
    source.ask(tasks)?;
    let mut left = tasks.len();
    while left > 0 {
        let some = source.answer().await?;
        let count = some.values.len() + some.absent.len();
        if count == 0 {
            return Err(crate::net::Error::Protocol("an answer without results".into()));
        }
        left = left.saturating_sub(count);
        some.values.iter().for_each(|(task, _)| {
            open.remove(task);
        });
        take(some.values);
        if let Some(pace) = pace {
            pace.room().await;
        }
    }
    Ok(source)
}
