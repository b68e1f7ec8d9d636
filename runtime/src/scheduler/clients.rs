//! What the scheduler keeps for the clients that are connected: their shares of each other's results, and what they coordinate by.

use super::job::{JobEvent, Kept, Stage, Subscriber};
use super::state::State;
use crate::ids::IdMap;
use crate::net::Sender;
use crate::net::message::{Answer, Item, ToClient};
use crate::shared::{Asker, Effects, Outcome, Request, Shared};
use dask_core::TaskId;
use std::collections::HashMap;
use std::sync::Arc;

/// See the module.
#[derive(Default)]
pub(super) struct Clients {
    connected: IdMap<u32, Connected>,
    next: u32,
    shared: Shared<Arc<Item>>,
}

struct Connected {
    sender: Sender,
    /// How many shares it has of each result that it holds beside its own jobs' client: job, task.
    shares: HashMap<(u32, u32), u32>,
}

impl State {
    /// A client comes: the number of its connection.
    pub(super) fn connected(&mut self, sender: Sender) -> u32 {
        self.counts.clients += 1;
        self.counts.clients_added += 1;
        let number = self.clients.next;
        self.clients.next += 1;
        self.clients.connected.insert(number, Connected { sender, shares: HashMap::new() });
        number
    }

    /// A client went: it holds nothing any more.
    pub(super) fn disconnected(&mut self, connection: u32) {
        self.counts.clients -= 1;
        let effects = self.clients.shared.end(connection);
        self.follow_shared(effects);
        let Some(client) = self.clients.connected.remove(&connection) else { return };
        self.jobs.values_mut().for_each(|job| {
            job.sharers.remove(&connection);
        });
        for ((job, task), count) in client.shares {
            (0..count).for_each(|_| self.give_back(job, task));
        }
    }

    // --- results ------------------------------------------------------------------------------------------

    /// A client takes a share of each of these kept results of a job. Its `sharer` hears of those that are there already, and of
    /// the others unless it hears of the job anyway.
    ///
    /// # Errors
    /// When one is not kept.
    pub(super) fn hold(
        &mut self,
        connection: u32,
        id: &str,
        tasks: &[u32],
        sharer: Subscriber,
        hears: bool,
    ) -> Result<(), String> {
        let number = self.job_number(id).ok_or_else(|| gone(id))?;
        let job = self.jobs.get(&number).ok_or_else(|| gone(id))?;
        if let Some(task) = tasks.iter().find(|task| !job.keeps(**task)) {
            return Err(format!("the result of {} was released", job.table.key(*task)));
        }
        let there = |task: &u32| {
            let nbytes = self.core.stored(TaskId { job: job.id, local: *task })?;
            Some(Kept { task: *task, nbytes, failed: job.raised.contains(task) })
        };
        sharer(&JobEvent::Kept(tasks.iter().filter_map(there).collect()));
        if let Stage::Failed { refused, error, cause } = &job.stage {
            let progress = job.progress(self.crew.peak());
            let (error, cause) = (error.clone(), cause.clone());
            sharer(&JobEvent::Failed { refused: *refused, error, cause, progress });
        }
        tasks.iter().for_each(|task| self.share(connection, number, *task));
        if let Some(job) = self.jobs.get_mut(&number).filter(|_| !hears) {
            job.sharers.entry(connection).or_insert(sharer);
        }
        Ok(())
    }

    /// A client gives back shares of results; returns those of which it has none.
    pub(super) fn unhold(&mut self, connection: u32, number: u32, tasks: Vec<u32>) -> Vec<u32> {
        let mut none = vec![];
        for task in tasks {
            let client = self.clients.connected.get_mut(&connection);
            match client.and_then(|client| Some((client.shares.get_mut(&(number, task))?, task))) {
                Some((count, task)) => {
                    *count -= 1;
                    if *count == 0
                        && let Some(client) = self.clients.connected.get_mut(&connection)
                    {
                        client.shares.remove(&(number, task));
                    }
                    self.give_back(number, task);
                }
                None => none.push(task),
            }
        }
        none
    }

    /// A client has one share more of a result that is kept.
    fn share(&mut self, connection: u32, number: u32, task: u32) {
        if let Some(client) = self.clients.connected.get_mut(&connection)
            && let Some(job) = self.jobs.get_mut(&number)
        {
            *client.shares.entry((number, task)).or_default() += 1;
            *job.held.entry(task).or_default() += 1;
        }
    }

    /// There is one share less of a result.
    fn give_back(&mut self, number: u32, task: u32) {
        let Some(job) = self.jobs.get_mut(&number) else { return };
        let Some(left) = job.held.get_mut(&task) else { return };
        *left -= 1;
        if *left > 0 {
            return;
        }
        job.held.remove(&task);
        let (id, kept, over) = (job.id, job.kept.contains(&task), job.abandoned());
        if !kept {
            self.release(id, vec![task]);
        }
        if over {
            self.forget(number);
        }
    }

    // --- what is shared -----------------------------------------------------------------------------------

    /// A client asks something of what is shared; the answer may come later.
    pub(super) fn ask_shared(&mut self, asker: Asker, request: Request<Item>) {
        let Request { of, named, limit, operation } = request;
        let operation = operation.map(Arc::new);
        let mut taken = vec![];
        for (id, task) in operation.values().iter().flat_map(|item| &item.results) {
            let number = self.job_number(id);
            match number.and_then(|number| self.jobs.get_mut(&number)).filter(|job| job.keeps(*task)) {
                Some(job) => {
                    *job.held.entry(*task).or_default() += 1;
                    taken.push((job.id.0, *task));
                }
                None => {
                    taken.into_iter().for_each(|(job, task)| self.give_back(job, task));
                    return self.answer_shared(asker, Outcome::Refused(gone(id)));
                }
            }
        }
        let effects = self.clients.shared.ask(asker, Request { of, named, limit, operation });
        self.follow_shared(effects);
    }

    /// A client does not wait for an answer any more.
    pub(super) fn give_up(&mut self, asker: Asker) {
        let effects = self.clients.shared.give_up(asker);
        self.follow_shared(effects);
    }

    fn follow_shared(&mut self, effects: Effects<Arc<Item>>) {
        for (asker, outcome) in effects.answers {
            if let Outcome::Values(items) = &outcome {
                // Whoever gets futures has a share of each, until it has taken one of its own.
                for (id, task) in items.iter().flat_map(|item| &item.results) {
                    if let Some(number) = self.job_number(id) {
                        self.share(asker.connection, number, *task);
                    }
                }
            }
            self.answer_shared(asker, outcome.map(Arc::unwrap_or_clone));
        }
        for (id, task) in effects.dropped.iter().flat_map(|item| &item.results) {
            if let Some(number) = self.job_number(id) {
                self.give_back(number, *task);
            }
        }
    }

    fn answer_shared(&self, asker: Asker, outcome: Outcome<Item>) {
        if let Some(client) = self.clients.connected.get(&asker.connection) {
            let answer = Answer::Shared(outcome);
            // If it is gone, its connection tells.
            let _ = client.sender.send(&ToClient::Answer { request: asker.request, answer });
        }
    }
}

fn gone(id: &str) -> String {
    format!("the results of job {id:?} are gone")
}
