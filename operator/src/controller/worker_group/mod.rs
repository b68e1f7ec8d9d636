//! DaskWorkerGroup: workers of one shape.

mod desired;
mod observe;
mod status;
#[cfg(test)]
mod tests;
mod validate;

pub use desired::{budget_body, worker_body};
pub use observe::{Member, Seen};

use crate::action::{Kind, Plan, warn};
use crate::cache::Id;
use crate::children::controller_uid;
use crate::controller::{Context, Error, Outcome};

/// Brings a group closer to what it should be.
///
/// # Errors
/// When the API server does not answer; the object is tried again later.
pub async fn reconcile(ctx: &Context, id: &Id) -> Result<Outcome, Error> {
    let Some(seen) = observe::observe(ctx, id) else { return Ok(Outcome::default()) };
    let group = seen.group.clone();
    let meta = &group.metadata;
    ctx.drop_kopf(Kind::Group, meta).await?;
    // A group whose cluster is gone goes after it.
    let is_orphan = seen.cluster.is_none() && controller_uid(meta).is_some();
    if meta.deletion_timestamp.is_some() || is_orphan {
        return Ok(Outcome::default());
    }
    if let Err(refusal) = validate::validate(&seen) {
        let plan = Plan { actions: vec![warn(refusal.reason, &refusal.message)], ..Plan::default() };
        ctx.carry_out(Kind::Group, meta, &plan).await?;
        let status = status::refused(&seen, &refusal);
        ctx.write_status(Kind::Group, meta, group.status.as_ref(), &status).await?;
        return Ok(Outcome::default());
    }
    let plan = desired::desired(&seen, &ctx.settings);
    let failure = ctx.carry_out(Kind::Group, meta, &plan).await?;
    if let Some(ask) = &plan.ask {
        let cluster = Id::new(&id.namespace, &group.spec.cluster);
        ctx.ask(Kind::Group, id, &cluster, ask, desired::RETIRE_POLL);
    }
    let Some(seen) = observe::observe(ctx, id) else { return Ok(Outcome::default()) };
    let status = status::status(&seen, failure.as_ref(), &ctx.settings);
    ctx.write_status(Kind::Group, meta, seen.group.status.as_ref(), &status).await?;
    Ok(Outcome { again: plan.again, failure })
}
