//! DaskCluster: a scheduler and its default group of workers.

mod desired;
mod observe;
mod status;
mod validate;

pub use desired::{deployment_body, group_body, service_body};
pub use observe::Seen;
pub use validate::{Refusal, containers};

use crate::action::{Kind, Plan, warn};
use crate::cache::Id;
use crate::controller::{Context, Error, Outcome};

/// Brings a cluster closer to what it should be.
///
/// # Errors
/// When the API server does not answer; the object is tried again later.
pub async fn reconcile(ctx: &Context, id: &Id) -> Result<Outcome, Error> {
    let Some(seen) = observe::observe(ctx, id) else { return Ok(Outcome::default()) };
    let meta = &seen.cluster.metadata;
    ctx.drop_kopf(Kind::Cluster, meta).await?;
    if meta.deletion_timestamp.is_some() {
        return Ok(Outcome::default());
    }
    if let Err(refusal) = validate::validate(&seen) {
        let plan = Plan { actions: vec![warn(refusal.reason, &refusal.message)], ..Plan::default() };
        ctx.carry_out(Kind::Cluster, meta, &plan).await?;
        let status = status::refused(&seen, &refusal);
        ctx.write_status(Kind::Cluster, meta, seen.cluster.status.as_ref(), &status).await?;
        return Ok(Outcome::default());
    }
    let plan = desired::desired(&seen, &ctx.settings);
    let failure = ctx.carry_out(Kind::Cluster, meta, &plan).await?;
    if let Some(ask) = &plan.ask {
        ctx.ask(Kind::Cluster, id, id, ask, desired::IDLE_POLL);
    }
    let Some(seen) = observe::observe(ctx, id) else { return Ok(Outcome::default()) };
    let status = status::status(&seen, failure.as_ref(), &ctx.settings);
    ctx.write_status(Kind::Cluster, meta, seen.cluster.status.as_ref(), &status).await?;
    Ok(Outcome { again: plan.again, failure })
}
