//! The controllers, one a kind, and what they share. Each looks at its object (`observe`), decides (`validate`, `desired`),
//! has it done (`Context::carry_out`) and tells what came of it (`status`).

pub mod autoscaler;
pub(crate) mod broken;
pub mod cluster;
pub mod job;
pub mod worker_group;

mod context;

pub use context::{Caches, Context, key_of};

use crate::action::{Key, Kind};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What a look came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// When to look again, even if nothing happens.
    pub again: Option<Duration>,
    /// What the API server refused.
    pub failure: Option<Failure>,
}

/// A write that the API server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In a word, for the condition.
    pub reason: &'static str,
    /// What was refused, why, and what to do.
    pub message: String,
    /// Whether the same write will be refused again, until somebody changes the object.
    pub is_final: bool,
}

/// Why a look was not finished. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server did not answer, or not as expected.
    #[error("{0}")]
    Kube(#[from] kube::Error),
    /// What was decided on has changed meanwhile.
    #[error("it has changed meanwhile: {0}")]
    Conflict(String),
    /// A child's name is another object's.
    #[error("there is another {kind} {name}")]
    NameTaken {
        /// Kind of both.
        kind: &'static str,
        /// Name of both.
        name: String,
        /// Whether the other one's deletion was asked for.
        is_going: bool,
    },
    /// Another replica of the operator may lead by now.
    #[error("this replica does not lead")]
    NotLeader,
}

/// Looks at one object.
async fn reconcile(ctx: &Context, key: &Key) -> Result<Outcome, Error> {
    if let Some((meta, broken)) = ctx.caches.broken(key) {
        return broken::reconcile(ctx, key.kind, &meta, &broken).await;
    }
    match key.kind {
        Kind::Cluster => cluster::reconcile(ctx, &key.id).await,
        Kind::Group => worker_group::reconcile(ctx, &key.id).await,
        Kind::Job => job::reconcile(ctx, &key.id).await,
        Kind::Autoscaler => autoscaler::reconcile(ctx, &key.id).await,
        _ => Ok(Outcome::default()),
    }
}

/// Looks at objects as they become due, one after another. Several of these run side by side.
pub async fn work(ctx: Arc<Context>) {
    loop {
        let key = ctx.queue.next().await;
        let began = Instant::now();
        let result = reconcile(&ctx, &key).await;
        let took = began.elapsed();
        ctx.metrics.reconciled(key.kind, took, result.is_err());
        match result {
            Ok(outcome) => {
                let failed = outcome.failure.is_some();
                if let Some(failure) = &outcome.failure {
                    tracing::warn!(object = %key, reason = failure.reason, "{}", failure.message);
                }
                tracing::debug!(object = %key, ?took, "reconciled");
                ctx.queue.done(&key, failed, outcome.again);
            }
            // A fresh look is due soon: the caches will have caught up.
            Err(Error::Conflict(what)) => {
                tracing::debug!(object = %key, "{what}");
                ctx.queue.done(&key, false, Some(Duration::from_millis(300)));
            }
            Err(Error::NotLeader) => {
                ctx.queue.done(&key, false, Some(Duration::from_secs(1)));
            }
            Err(error) => {
                let wait = ctx.queue.done(&key, true, None).unwrap_or_default();
                tracing::warn!(object = %key, "{error}; tried again in {} ms", wait.as_millis());
            }
        }
        if !ctx.caches.has(&key) {
            ctx.calls.forget(&key);
            ctx.queue.forget(&key);
        }
    }
}
