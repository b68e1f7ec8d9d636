//! DaskAutoscaler: keeps a group as large as the scheduler wants it.

mod desired;
mod observe;
mod status;
mod validate;

pub use desired::decide;
pub use observe::Seen;

use crate::action::{Kind, Plan, warn};
use crate::cache::Id;
use crate::controller::{Context, Error, Outcome};

/// Brings the group of an autoscaler closer to the size that the scheduler wants.
///
/// # Errors
/// When the API server does not answer; the object is tried again later.
pub async fn reconcile(ctx: &Context, id: &Id) -> Result<Outcome, Error> {
    let Some(seen) = observe::observe(ctx, id) else { return Ok(Outcome::default()) };
    let meta = &seen.autoscaler.metadata;
    ctx.drop_kopf(Kind::Autoscaler, meta).await?;
    if meta.deletion_timestamp.is_some() {
        return Ok(Outcome::default());
    }
    let refusal = validate::validate(&seen).err();
    // The group's own number is what it is worth when there is work again.
    let scaled = if refusal.is_none() && !seen.asleep { decide(&seen) } else { None };
    let mut plan = Plan::default();
    match &refusal {
        Some(refusal) => plan.actions.push(warn(refusal.reason, &refusal.message)),
        None => desired::desired(&seen, scaled, &mut plan),
    }
    plan.look_again(desired::TARGET_POLL);
    let failure = ctx.carry_out(Kind::Autoscaler, meta, &plan).await?;
    if let Some(ask) = &plan.ask {
        let cluster = Id::new(&id.namespace, &seen.autoscaler.spec.cluster);
        ctx.ask(Kind::Autoscaler, id, &cluster, ask, desired::TARGET_POLL);
    }
    let scaled = scaled.filter(|_| failure.is_none());
    let status = status::status(&seen, refusal.as_ref(), scaled, failure.as_ref());
    ctx.write_status(Kind::Autoscaler, meta, seen.autoscaler.status.as_ref(), &status).await?;
    Ok(Outcome { again: plan.again, failure })
}
