//! DaskJob: a cluster, and one program that runs on it to its end.

mod desired;
mod observe;
mod stage;
mod status;
#[cfg(test)]
mod tests;
mod validate;

pub use desired::{cluster_body, graph_body, runner_body};
pub use observe::Seen;
pub use stage::{OURS, Stage, is_finished, stage};

use crate::action::{Kind, Plan, warn};
use crate::cache::Id;
use crate::controller::{Context, Error, Outcome};
use std::time::Duration;

/// How often a ConfigMap that is not there is looked for.
const GRAPH_POLL: Duration = Duration::from_secs(10);

/// Brings a job closer to its end.
///
/// # Errors
/// When the API server does not answer; the object is tried again later.
pub async fn reconcile(ctx: &Context, id: &Id) -> Result<Outcome, Error> {
    let Some(mut seen) = observe::observe(ctx, id) else { return Ok(Outcome::default()) };
    let job = seen.job.clone();
    let meta = &job.metadata;
    let at = stage(&seen);
    if at == Stage::Foreign {
        return Ok(Outcome::default());
    }
    ctx.drop_kopf(Kind::Job, meta).await?;
    for runner in &seen.runners {
        ctx.drop_kopf(Kind::Pod, &runner.metadata).await?;
    }
    if meta.deletion_timestamp.is_some() {
        return Ok(Outcome::default());
    }
    // What runs has been judged.
    if matches!(at, Stage::New | Stage::Starting) {
        let key = job.spec.job.graph.as_ref().and_then(|g| g.config_map_key_ref.as_ref());
        if let Some(key) = key.filter(|_| at == Stage::New) {
            seen.document = Some(ctx.config_map_key(meta, &key.name, &key.key).await?);
        }
        if let Err(refusal) = validate::validate(&seen) {
            let plan = Plan { actions: vec![warn(refusal.reason, &refusal.message)], ..Plan::default() };
            ctx.carry_out(Kind::Job, meta, &plan).await?;
            let status = status::refused(&seen, &refusal);
            let again = (!is_finished(Some(&status))).then_some(GRAPH_POLL);
            ctx.write_status(Kind::Job, meta, job.status.as_ref(), &status).await?;
            return Ok(Outcome { again, failure: None });
        }
    }
    let plan = desired::desired(&seen, &ctx.settings);
    let failure = ctx.carry_out(Kind::Job, meta, &plan).await?;
    if let Some(ask) = &plan.ask {
        ctx.ask(Kind::Job, id, id, ask, desired::PROGRESS_POLL);
    }
    let Some(seen) = observe::observe(ctx, id) else { return Ok(Outcome::default()) };
    if let Some(status) = status::status(&seen, failure.as_ref()) {
        ctx.write_status(Kind::Job, meta, seen.job.status.as_ref(), &status).await?;
    }
    Ok(Outcome { again: plan.again, failure })
}
