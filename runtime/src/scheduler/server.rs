//! The scheduler's port: greets those who connect, and turns frames into news and news into frames.

use super::content::Content;
use super::crew::Link;
use super::gather;
use super::hub::Hub;
use super::job::{JobEvent, Subscriber};
use super::plan::{self, Intake};
use super::state::{Opened, State};
use crate::net::frame::{Limits, Reader};
use crate::net::greet::{self, Greeted, Stranger};
use crate::net::message::{
    Answer, FromClient, FromWorker, Report, Role, Submit, ToClient, Verdict, WorkerHello,
};
use crate::net::{Address, Error, Sender, agent, codec};
use crate::shared::Asker;
use dask_array::Value;
use serde_bytes::ByteBuf;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};

/// How often progress is told and old things are forgotten.
const TICK: Duration = Duration::from_millis(200);

/// Payloads that a worker may send with a report: its small results.
const REPORT_PAYLOAD: u64 = 1 << 30;

/// Serves a scheduler's port until the task is aborted.
pub async fn serve(hub: Arc<Hub>, listener: TcpListener) {
    tokio::spawn(tick(Arc::downgrade(&hub)));
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let hub = Arc::clone(&hub);
                tokio::spawn(async move { connection(hub, stream, from).await });
            }
            Err(error) => {
                // Out of file descriptors, most likely: others will be closed.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Tells progress and forgets old things, for as long as the hub lives.
pub async fn tick(hub: std::sync::Weak<Hub>) {
    let mut every = tokio::time::interval(TICK);
    loop {
        every.tick().await;
        let Some(hub) = hub.upgrade() else { return };
        hub.with(|state| state.tick());
    }
}

async fn connection(hub: Arc<Hub>, stream: TcpStream, from: std::net::SocketAddr) {
    let (hello, greeted) = match greet::accept(stream).await {
        Ok(accepted) => accepted,
        Err(stranger) => {
            hub.with(|state| {
                state.counts.strangers += 1;
                state.counts.distributed += u64::from(matches!(stranger, Stranger::Distributed));
            });
            tracing::warn!(%from, %stranger, "closed a connection");
            return;
        }
    };
    tracing::debug!(%from, agent = %hello.agent, "connected");
    let result = match hello.role {
        Role::Worker(mut worker) => {
            worker.address = reachable(&worker.address, from.ip());
            self::worker(&hub, worker, greeted).await
        }
        Role::Client => client(&hub, greeted).await,
        Role::Peer => refuse(greeted, "a scheduler keeps no results; ask a worker".into()).await,
    };
    if let Err(error @ Error::Protocol(_)) = result {
        hub.with(|state| state.counts.broken += 1);
        tracing::warn!(%from, %error, "closed a connection");
    }
}

async fn refuse(mut greeted: Greeted, reason: String) -> Result<(), Error> {
    greet::answer(&mut greeted.writer, &Verdict::Refused { reason }).await
}

// --- workers ----------------------------------------------------------------------------------------------

/// A worker's address for its peers. One that listens on all of its addresses is reached at the one it came from.
fn reachable(address: &str, from: IpAddr) -> String {
    match address.parse::<Address>() {
        Ok(Address { host, port }) if host.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified()) => {
            Address { host: from.to_canonical().to_string(), port }.to_string()
        }
        _ => address.to_string(),
    }
}

async fn worker(hub: &Arc<Hub>, hello: WorkerHello, greeted: Greeted) -> Result<(), Error> {
    let Greeted { mut reader, writer } = greeted;
    reader.limit(Limits::with_payload(REPORT_PAYLOAD));
    let name = hello.name.clone();
    // The welcome goes out through the same queue as the orders, and before them.
    let sender = Sender::new(writer);
    let joined = hub.with(|state| {
        state.join(hello, |id| {
            let welcome = Verdict::Welcome { agent: agent(), worker: Some(id) };
            sender
                .send_raw(&greet::opening(&welcome).map_err(|e| e.to_string())?)
                .map_err(|e| e.to_string())?;
            Ok(Link::Remote(sender.clone()))
        })
    });
    let id = match joined {
        Ok(id) => id,
        Err(reason) => {
            tracing::warn!(%name, %reason, "refused a worker");
            return sender.send_raw(&greet::opening(&Verdict::Refused { reason })?);
        }
    };
    tracing::info!(id, %name, "a worker joined");
    let result = listen(hub, id, &mut reader).await;
    hub.with(|state| state.lost(id));
    tracing::info!(id, %name, "a worker left");
    result
}

async fn listen(hub: &Hub, id: u32, reader: &mut Reader<OwnedReadHalf>) -> Result<(), Error> {
    loop {
        let frame = match reader.frame::<FromWorker>().await {
            Err(Error::Closed) => return Ok(()),
            frame => frame?,
        };
        match frame.message {
            FromWorker::Report(report) => {
                report.check().map_err(Error::Protocol)?;
                let small = small(&report, frame.payloads)?;
                hub.post(id, report, small);
                hub.drive();
            }
            FromWorker::Memory(memory) => hub.with(|state| state.measured(id, memory)),
            FromWorker::Leaving => hub.with(|state| state.retire(id)),
        }
    }
}

fn small(report: &Report, payloads: Vec<dask_array::buffer::Buffer>) -> Result<Vec<Value>, Error> {
    let mut payloads = payloads.into_iter();
    report.heads.iter().map(|head| codec::decode(head, &mut payloads)).collect()
}

// --- clients ----------------------------------------------------------------------------------------------

/// A plan that is arriving.
struct Incoming {
    job: u32,
    content: Content,
    to: To,
}

/// What becomes of it.
enum To {
    /// It is run.
    Run(Intake),
    /// The job was there before: only if this is its plan does the submitter come back to it.
    Compare { id: String, attach: bool },
}

impl Incoming {
    /// It will not be complete.
    fn end(self, hub: &Hub, why: &str) {
        if let To::Run(_) = self.to {
            hub.with(|state| state.end(self.job, true, why.into()));
        }
    }
}

async fn client(hub: &Arc<Hub>, greeted: Greeted) -> Result<(), Error> {
    let Greeted { mut reader, mut writer } = greeted;
    reader.limit(Limits::CONTROL);
    greet::answer(&mut writer, &Verdict::Welcome { agent: agent(), worker: None }).await?;
    let sender = Sender::new(writer);
    let connection = hub.with(|state| state.connected(sender.clone()));
    let (mut incoming, mut bound) = (None, vec![]);
    let result = converse(hub, &mut reader, &sender, connection, &mut incoming, &mut bound).await;
    hub.with(|state| {
        state.disconnected(connection);
        bound.into_iter().for_each(|job| state.abandon(job));
    });
    if let Some(incoming) = incoming {
        incoming.end(hub, "the submitter went away before its plan was complete");
    }
    result
}

async fn converse(
    hub: &Arc<Hub>,
    reader: &mut Reader<OwnedReadHalf>,
    sender: &Sender,
    connection: u32,
    incoming: &mut Option<Incoming>,
    bound: &mut Vec<u32>,
) -> Result<(), Error> {
    let mut numbers: HashMap<String, u32> = HashMap::new();
    loop {
        let frame = match reader.frame::<FromClient>().await {
            Err(Error::Closed) => return Ok(()),
            frame => frame?,
        };
        match frame.message {
            FromClient::Submit(submit) => {
                let id = submit.bound.then(|| submit.id.clone());
                submitted(hub, sender, submit, incoming, &mut numbers)?;
                bound.extend(id.and_then(|id| numbers.get(&id)));
            }
            FromClient::Plan(bytes) => {
                let Some(Incoming { job, content, to }) = incoming else { continue };
                content.feed(&bytes);
                if let To::Run(intake) = to {
                    let number = *job;
                    match intake.feed(&bytes) {
                        Ok(parts) => {
                            hub.with(|state| parts.into_iter().for_each(|part| state.add_part(number, part)))
                        }
                        Err(error) => {
                            *incoming = None;
                            hub.with(|state| state.end(number, true, error));
                        }
                    }
                }
            }
            FromClient::PlanEnd => match incoming.take() {
                Some(Incoming { job, content, to: To::Run(intake) }) => {
                    hub.with(|state| state.made_from(job, content));
                    complete(Arc::clone(hub), job, intake);
                }
                Some(Incoming { job, content, to: To::Compare { id, attach } }) => {
                    let same = hub.with(|state| {
                        state.same(job, &content)?;
                        accept(state, sender, job, &id, true, attach);
                        Ok::<_, String>(())
                    });
                    if let Err(error) = same {
                        refuse_job(sender, id, error)?;
                    }
                }
                None => {}
            },
            FromClient::Attach { id } => {
                let found = hub.with(|state| {
                    let number = state.job_number(&id)?;
                    accept(state, sender, number, &id, true, true);
                    Some(number)
                });
                match found {
                    Some(number) => {
                        numbers.insert(id, number);
                    }
                    None => {
                        let error = format!(
                            "there is no job {id:?}; it may have ended longer ago than jobs are kept"
                        );
                        refuse_job(sender, id, error)?;
                    }
                }
            }
            FromClient::Received { id, task } => {
                if let Some(number) = numbers.get(&id) {
                    hub.with(|state| state.received(*number, task));
                }
            }
            FromClient::Cancel { id } => hub.with(|state| {
                if let Some(number) = state.job_number(&id) {
                    state.cancel(number);
                }
            }),
            FromClient::Forget { id } => {
                if let Some(number) = numbers.remove(&id) {
                    bound.retain(|n| *n != number);
                    hub.with(|state| state.forget(number));
                }
            }
            FromClient::Release { id, tasks } => {
                let own = numbers.get(&id).copied();
                let forgotten = hub.with(|state| {
                    let Some(number) = own.or_else(|| state.job_number(&id)) else { return true };
                    let rest = state.unhold(connection, number, tasks);
                    if own.is_some() {
                        state.let_go(number, &rest);
                    }
                    state.job_number(&id).is_none()
                });
                if forgotten && let Some(number) = numbers.remove(&id) {
                    bound.retain(|n| *n != number);
                }
            }
            FromClient::Hold { request, id, tasks } => {
                let sharer = subscriber(id.clone(), sender.clone());
                let hears = numbers.contains_key(&id);
                let held = hub.with(|state| state.hold(connection, &id, &tasks, sharer, hears));
                let answer = held.map_or_else(Answer::Refused, |()| Answer::Held);
                sender.send(&ToClient::Answer { request, answer })?;
            }
            FromClient::Share { request, ask } => {
                hub.with(|state| state.ask_shared(Asker { connection, request }, ask));
            }
            FromClient::GiveUp { request } => hub.with(|state| state.give_up(Asker { connection, request })),
            FromClient::Gather { request, id, tasks } => {
                tokio::spawn(gather::gather(Arc::clone(hub), sender.clone(), request, id, tasks));
            }
            FromClient::Ask { request, question } => {
                let answer = hub.with(|state| state.answer(question));
                sender.send(&ToClient::Answer { request, answer })?;
            }
            FromClient::Explain { id, key } => {
                let text = hub.with(|state| state.explain(id.as_deref(), &key));
                sender.send(&ToClient::Explained { text })?;
            }
        }
    }
}

fn submitted(
    hub: &Arc<Hub>,
    sender: &Sender,
    submit: Submit,
    incoming: &mut Option<Incoming>,
    numbers: &mut HashMap<String, u32>,
) -> Result<(), Error> {
    let Submit { id, priority, source, max_tasks, attach, .. } = submit;
    if let Some(incoming) = incoming.take() {
        incoming.end(hub, "the submitter did not complete its plan");
    }
    let document = source.as_ref().map(|(_, text)| text.as_str());
    let opened = hub.with(|state| {
        let opened = state.open(&id, document, priority, false)?;
        match opened {
            Opened::New(number) => accept(state, sender, number, &id, false, attach),
            Opened::Known(number) if document.is_some() => accept(state, sender, number, &id, true, attach),
            // Whether it is the same shows when its plan has arrived.
            Opened::Known(_) => {}
        }
        Ok::<_, String>(opened)
    });
    match opened {
        Ok(Opened::Known(job)) => {
            numbers.insert(id.clone(), job);
            if source.is_none() {
                *incoming = Some(Incoming { job, content: Content::plan(), to: To::Compare { id, attach } });
            }
        }
        Ok(Opened::New(number)) => {
            numbers.insert(id, number);
            match source {
                Some((file, text)) => planned(Arc::clone(hub), number, file, text, max_tasks),
                None => {
                    let to = To::Run(Intake::new(max_tasks));
                    *incoming = Some(Incoming { job: number, content: Content::plan(), to });
                }
            }
        }
        Err(error) => return refuse_job(sender, id, error),
    }
    Ok(())
}

/// Tells a client that its job is there, and sends it the job's events if it wants them.
fn accept(state: &mut State, sender: &Sender, job: u32, id: &str, known: bool, attach: bool) {
    // If it is gone, its connection tells.
    let _ = sender.send(&ToClient::Accepted { id: id.into(), known });
    if attach {
        state.subscribe(job, subscriber(id.into(), sender.clone()));
    }
}

fn refuse_job(sender: &Sender, id: String, error: String) -> Result<(), Error> {
    sender.send(&ToClient::Failed { id, refused: true, error, cause: None, progress: Default::default() })
}

/// Plans a source document and starts it, on a task of its own.
pub fn planned(hub: Arc<Hub>, job: u32, file: String, text: String, max_tasks: u64) {
    tokio::spawn(async move {
        hub.with(|state| state.counts.planning += 1);
        let parts = plan::source(&hub, file, text, max_tasks).await;
        hub.with(|state| {
            state.counts.planning -= 1;
            match parts {
                Ok(parts) => start(state, job, parts),
                Err(error) => state.end(job, true, error),
            }
        });
    });
}

/// Starts what was kept back of a plan.
fn complete(hub: Arc<Hub>, job: u32, intake: Intake) {
    if intake.started() {
        return;
    }
    tokio::spawn(async move {
        let parts = match tokio::task::spawn_blocking(|| intake.finish()).await {
            Ok(parts) => parts,
            Err(error) => Err(error.to_string()),
        };
        hub.with(|state| match parts {
            Ok(parts) => start(state, job, parts),
            Err(error) => state.end(job, true, error),
        });
    });
}

fn start(state: &mut State, job: u32, parts: Vec<dask_plan::plan::Part>) {
    parts.into_iter().for_each(|part| state.add_part(job, part));
    state.complete(job);
}

/// Sends a job's events to a client.
fn subscriber(id: String, sender: Sender) -> Subscriber {
    Box::new(move |event| {
        let id = id.clone();
        let sent = match event.clone() {
            JobEvent::Outputs(outputs) => sender.send(&ToClient::Outputs { id, outputs }),
            JobEvent::Kept(kept) => {
                let failed = kept.iter().enumerate().filter(|(_, k)| k.failed).map(|(i, _)| i as u32);
                let failed = failed.collect();
                let (tasks, nbytes) = kept.iter().map(|k| (k.task, k.nbytes)).unzip();
                sender.send(&ToClient::Kept { id, tasks, nbytes, failed })
            }
            JobEvent::Progress(progress) => sender.send(&ToClient::Progress { id, progress }),
            JobEvent::Result { task, value } => {
                let (head, payloads) = codec::encode(&value);
                sender.send_with(&ToClient::Result { id, task, head: ByteBuf::from(head) }, &payloads)
            }
            JobEvent::Done(progress) => sender.send(&ToClient::Done { id, progress }),
            JobEvent::Failed { refused, error, cause, progress } => {
                sender.send(&ToClient::Failed { id, refused, error, cause, progress })
            }
        };
        sent.is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn a_worker_on_all_addresses_is_reached_at_the_one_it_came_from() {
        let from = "::ffff:10.1.2.3".parse().unwrap();
        assert_eq!(reachable("tcp://0.0.0.0:40123", from), "tcp://10.1.2.3:40123");
        assert_eq!(reachable("tcp://[::]:40123", from), "tcp://10.1.2.3:40123");
        assert_eq!(reachable("tcp://worker-0.workers:9000", from), "tcp://worker-0.workers:9000");
        assert_eq!(reachable("tcp://10.0.0.7:9000", from), "tcp://10.0.0.7:9000");
    }
}
