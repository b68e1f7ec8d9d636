//! A job as its submitter follows it, whether the scheduler is in this process or elsewhere.

use crate::net::frame::Limits;
use crate::net::message::{FromClient, Hello, Role, Submit, ToClient};
use crate::net::{Address, Error, Reader, Sender, agent, codec, greet};
use crate::scheduler::{Hub, JobEvent};
use serde_bytes::ByteBuf;
use std::sync::Arc;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::mpsc;

/// A job's events, and the ways back.
pub struct Following {
    /// What happens, in order. Ends after `Done` or `Failed`, or when the scheduler is lost.
    pub events: mpsc::UnboundedReceiver<Result<JobEvent, Error>>,
    back: Back,
}

enum Back {
    Local { hub: Arc<Hub>, job: u32 },
    Remote { sender: Sender, id: String },
}

impl Following {
    /// Follows a job of a hub in this process.
    pub fn local(hub: &Arc<Hub>, job: u32) -> Following {
        let (send, events) = mpsc::unbounded_channel();
        hub.with(|state| state.subscribe(job, Box::new(move |event| send.send(Ok(event.clone())).is_ok())));
        Following { events, back: Back::Local { hub: Arc::clone(hub), job } }
    }

    /// A result has arrived and need not be kept.
    pub fn received(&self, task: u32) {
        match &self.back {
            Back::Local { hub, job } => hub.with(|state| state.received(*job, task)),
            Back::Remote { sender, id } => {
                // A lost connection shows on the receiving side.
                let _ = sender.send(&FromClient::Received { id: id.clone(), task });
            }
        }
    }

    /// Nobody wants the job any more.
    pub fn cancel(&self) {
        match &self.back {
            Back::Local { hub, job } => hub.with(|state| state.end(*job, false, "it was cancelled".into())),
            Back::Remote { sender, id } => {
                let _ = sender.send(&FromClient::Cancel { id: id.clone() });
            }
        }
    }
}

/// A connection to a scheduler.
pub struct Client {
    reader: Reader<OwnedReadHalf>,
    sender: Sender,
}

/// Bytes of a plan in one message.
const PLAN_BYTES: usize = 1 << 20;

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there, or the peer refuses.
    pub async fn connect(address: &Address) -> Result<Client, Error> {
        let hello = Hello { role: Role::Client, agent: agent(), auth: ByteBuf::new() };
        let (greeted, _) = greet::connect(address, &hello, Limits::with_payload(1 << 40)).await?;
        Ok(Client { reader: greeted.reader, sender: Sender::new(greeted.writer) })
    }

    /// Submits a job; returns whether it was there before. `plan` is its plan when it has no source document. With
    /// `attach`, events follow.
    ///
    /// # Errors
    /// When the scheduler refuses it, or is lost.
    pub async fn submit(&mut self, submit: Submit, plan: &[u8]) -> Result<bool, Error> {
        let is_plan = submit.source.is_none();
        self.sender.send(&FromClient::Submit(submit))?;
        if is_plan {
            for bytes in plan.chunks(PLAN_BYTES) {
                self.sender.send(&FromClient::Plan(ByteBuf::from(bytes)))?;
                self.sender.room().await;
            }
            self.sender.send(&FromClient::PlanEnd)?;
        }
        self.accepted().await
    }

    /// Comes back to a job; events follow.
    ///
    /// # Errors
    /// When there is none of this id, or the scheduler is lost.
    pub async fn attach(&mut self, id: &str) -> Result<(), Error> {
        self.sender.send(&FromClient::Attach { id: id.into() })?;
        self.accepted().await.map(drop)
    }

    async fn accepted(&mut self) -> Result<bool, Error> {
        match self.reader.frame().await?.message {
            ToClient::Accepted { known, .. } => Ok(known),
            ToClient::Failed { error, .. } => Err(Error::Refused(error)),
            other => Err(unexpected(&other)),
        }
    }

    /// Why a task is where it is.
    ///
    /// # Errors
    /// When there is no such task, or the scheduler is lost.
    pub async fn explain(&mut self, id: Option<String>, key: String) -> Result<String, Error> {
        self.sender.send(&FromClient::Explain { id, key })?;
        match self.reader.frame().await?.message {
            ToClient::Explained { text } => text.map_err(Error::Refused),
            other => Err(unexpected(&other)),
        }
    }

    /// The next event of a job that was submitted or attached to.
    ///
    /// # Errors
    /// When the scheduler is lost.
    pub async fn event(&mut self) -> Result<JobEvent, Error> {
        let frame = self.reader.frame::<ToClient>().await?;
        Ok(match frame.message {
            ToClient::Outputs { outputs, .. } => JobEvent::Outputs(outputs),
            ToClient::Progress { progress, .. } => JobEvent::Progress(progress),
            ToClient::Result { task, head, .. } => {
                JobEvent::Result { task, value: codec::decode(&head, &mut frame.payloads.into_iter())? }
            }
            ToClient::Done { progress, .. } => JobEvent::Done(progress),
            ToClient::Failed { refused, error, cause, progress, .. } => {
                JobEvent::Failed { refused, error, cause, progress }
            }
            other => return Err(unexpected(&other)),
        })
    }

    /// Follows the job that was submitted or attached to.
    pub fn follow(mut self, id: String) -> Following {
        let (send, events) = mpsc::unbounded_channel();
        let sender = self.sender.clone();
        tokio::spawn(async move {
            loop {
                let event = self.event().await;
                let last = !matches!(
                    event,
                    Ok(JobEvent::Outputs(_) | JobEvent::Progress(_) | JobEvent::Result { .. })
                );
                if send.send(event).is_err() || last {
                    return;
                }
            }
        });
        Following { events, back: Back::Remote { sender, id } }
    }
}

fn unexpected(message: &ToClient) -> Error {
    let text = format!("{message:?}");
    Error::Protocol(format!(
        "the scheduler sent something unexpected: {}",
        text.chars().take(80).collect::<String>()
    ))
}
