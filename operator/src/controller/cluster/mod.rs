//! DaskCluster: a scheduler and its default group of workers.

mod desired;
mod observe;
mod status;
#[cfg(test)]
mod tests;
mod validate;

pub use desired::{deployment_body, group_body, service_body};
pub use observe::Seen;
pub use validate::{Refusal, containers};

use crate::action::{Action, Kind, Plan, warn};
use crate::cache::Id;
use crate::children::{Pod, controller_uid, label};
use crate::controller::{Context, Error, Outcome};
use crate::fill::Role;
use crate::names::COMPONENT;

/// Brings a cluster closer to what it should be.
///
/// # Errors
/// When the API server does not answer; the object is tried again later.
pub async fn reconcile(ctx: &Context, id: &Id) -> Result<Outcome, Error> {
    let Some(seen) = observe::observe(ctx, id) else {
        hurry(ctx, id).await?;
        return Ok(Outcome::default());
    };
    let meta = &seen.cluster.metadata;
    ctx.drop_kopf(Kind::Cluster, meta).await?;
    if let Some(service) =
        seen.service.as_ref().filter(|s| controller_uid(&s.metadata) == meta.uid.as_deref())
    {
        ctx.drop_kopf(Kind::Service, &service.metadata).await?;
    }
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

/// Lets workers end at once whose cluster is gone: nobody is left to whom they could hand over. Workers whose group is gone,
/// too, are deleted: Kubernetes' garbage collector comes to them later, and much later where the kinds are new to it.
async fn hurry(ctx: &Context, id: &Id) -> Result<(), Error> {
    if ctx.caches.clusters.get(id).is_some() {
        return Ok(());
    }
    let groups = ctx.caches.groups.of_cluster(id);
    let has_group = |p: &Pod| groups.iter().any(|g| g.metadata.uid.as_deref() == controller_uid(&p.metadata));
    let waits = |p: &Pod| match p.is_terminating() {
        true => p.metadata.deletion_grace_period_seconds.is_some_and(|s| s > 1),
        false => !has_group(p),
    };
    let is_worker = |p: &Pod| label(&p.metadata, COMPONENT) == Some(Role::Worker.name());
    let is_owned = |p: &Pod| controller_uid(&p.metadata).is_some();
    for pod in ctx.caches.pods.of_cluster(id).iter().filter(|p| is_worker(p) && is_owned(p) && waits(p)) {
        let (name, uid) = (pod.name().to_string(), pod.metadata.uid.clone().unwrap_or_default());
        let action = Action::Delete { kind: Kind::Pod, name, uid, grace: Some(1) };
        ctx.carry_out(Kind::Pod, &pod.metadata, &Plan { actions: vec![action], ..Plan::default() }).await?;
    }
    Ok(())
}
