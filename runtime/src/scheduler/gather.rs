//! Questions of clients: kept results, wherever they are, and what the cluster looks like.

use super::deliver::{Request, fetch};
use super::hub::Hub;
use super::job::Stage;
use super::state::State;
use crate::net::message::{Answer, Question, ToClient, WorkerState};
use crate::net::{Sender, codec};
use dask_array::{Chunk, Value};
use dask_core::{TaskId, WorkerId};
use serde_bytes::ByteBuf;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Results in one request to a worker.
const AT_ONCE: usize = 512;

/// Between looks for results that are being computed, or computed again.
const AGAIN: Duration = Duration::from_millis(20);

/// Sends a client kept results of a job, as they come and once they are there.
pub(super) async fn gather(hub: Arc<Hub>, sender: Sender, request: u32, id: String, tasks: Vec<u32>) {
    let mut open: HashSet<u32> = tasks.into_iter().collect();
    while !open.is_empty() {
        let requests = match hub.with(|state| state.locate(&id, &open)) {
            Ok(requests) => requests,
            Err(error) => {
                let (tasks, heads) = (vec![], vec![]);
                let _ = sender.send(&ToClient::Gathered { request, tasks, heads, error: Some(error) });
                return;
            }
        };
        let before = open.len();
        let mut lost = false;
        for from in requests {
            let take = |values: Vec<(TaskId, Value)>| {
                lost |= send(&sender, request, &values).is_err();
                values.iter().for_each(|(task, _)| {
                    open.remove(&task.local);
                });
            };
            let absent = fetch(&hub, &from, Some(&sender), take).await;
            hub.with(|state| state.absent(&from, absent));
        }
        if lost {
            return;
        }
        if open.len() == before {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

fn send(sender: &Sender, request: u32, values: &[(TaskId, Value)]) -> Result<(), crate::net::Error> {
    let mut payloads: Vec<Chunk> = vec![];
    let (mut tasks, mut heads) = (vec![], vec![]);
    for (task, value) in values {
        let (head, chunks) = codec::encode(value);
        tasks.push(task.local);
        heads.push(ByteBuf::from(head));
        payloads.extend(chunks);
    }
    sender.send_with(&ToClient::Gathered { request, tasks, heads, error: None }, &payloads)
}

impl State {
    /// Where results of a job are, those that are there: one request for each worker and so many results.
    ///
    /// # Errors
    /// When they will never be there.
    fn locate(&self, id: &str, tasks: &HashSet<u32>) -> Result<Vec<Request>, String> {
        let gone = || format!("the results of job {id:?} are gone");
        let number = self.job_number(id).ok_or_else(gone)?;
        let job = self.jobs.get(&number).ok_or_else(gone)?;
        if let Stage::Failed { error, .. } = &job.stage {
            return Err(error.clone());
        }
        let mut by_worker: BTreeMap<u32, Vec<TaskId>> = BTreeMap::new();
        for &local in tasks {
            if !job.keeps(local) {
                return Err(format!("the result of {} was released", job.table.key(local)));
            }
            let task = TaskId { job: job.id, local };
            if let Some(WorkerId(worker)) = self.core.holders(task).first() {
                by_worker.entry(*worker).or_default().push(task);
            }
        }
        let groups = by_worker.into_iter().flat_map(|(worker, mut tasks)| {
            tasks.sort_unstable();
            let groups: Vec<Vec<TaskId>> = tasks.chunks(AT_ONCE).map(<[TaskId]>::to_vec).collect();
            groups.into_iter().map(move |tasks| (worker, tasks))
        });
        Ok(groups.map(|(worker, tasks)| self.request(worker, tasks)).collect())
    }

    /// Answers a client's question.
    pub(super) fn answer(&self, question: Question) -> Answer {
        match question {
            Question::Workers => Answer::Workers(self.workers().into_iter().map(worker_state).collect()),
            Question::Holders(results) => {
                let holders = |(id, local): (String, u32)| {
                    let Some(number) = self.job_number(&id) else { return vec![] };
                    let holders = self.core.holders(TaskId { job: dask_core::JobId(number), local });
                    let worker = |w: WorkerId| self.crew.workers.get(&w.0).map(|w| w.view.address.clone());
                    holders.into_iter().filter_map(worker).collect()
                };
                Answer::Holders(results.into_iter().map(holders).collect())
            }
        }
    }
}

fn worker_state(worker: super::WorkerView) -> WorkerState {
    WorkerState {
        name: worker.name,
        address: worker.address,
        nthreads: worker.nthreads,
        memory_limit: worker.memory_limit,
        memory: worker.memory.process,
        managed: worker.memory.managed,
        ran: worker.ran,
        resources: worker.resources,
        versions: worker.versions,
    }
}
