//! What people and programs read about a cluster.

use super::desired::{Deployed, deployed, scaled_to_zero};
use super::{Refusal, Seen};
use crate::api::{DaskClusterStatus, DaskWorkerGroup, Engine};
use crate::children::{Service, annotation, controller_uid};
use crate::conditions::{Conditions, is_true};
use crate::controller::Failure;
use crate::metadata::selector_text;
use crate::names::{self, PROPAGATED};
use crate::settings::Settings;
use crate::{fill, trouble};
use serde_json::Value;

/// The status of a cluster that nothing is made for.
pub(super) fn refused(seen: &Seen, refusal: &Refusal) -> DaskClusterStatus {
    let old = seen.cluster.status.clone().unwrap_or_default();
    let mut conditions = Conditions::new(&old.conditions, seen.cluster.metadata.generation, &seen.now);
    conditions.set("Available", false, refusal.reason, &refusal.message);
    conditions.set("Progressing", false, refusal.reason, "nothing is made");
    conditions.set("Degraded", true, refusal.reason, &refusal.message);
    DaskClusterStatus {
        phase: Some("Error".into()),
        observed_generation: seen.cluster.metadata.generation,
        conditions: conditions.finish(),
        ..old
    }
}

/// The status of a cluster after its children were seen to.
pub(super) fn status(seen: &Seen, failure: Option<&Failure>, settings: &Settings) -> DaskClusterStatus {
    let old = seen.cluster.status.clone().unwrap_or_default();
    let generation = seen.cluster.metadata.generation;
    let (wanted, made, ready) = workers(seen);
    let scheduler_ready = seen.schedulers.iter().any(|p| p.is_ready() && !p.is_terminating());
    let trouble = trouble::of_pods(&seen.schedulers);
    let asleep = scaled_to_zero(seen);

    let mut conditions = Conditions::new(&old.conditions, generation, &seen.now);
    match (&trouble, scheduler_ready) {
        (_, true) => conditions.set("Available", true, "SchedulerReady", "the scheduler takes work"),
        (Some(t), false) => conditions.set("Available", false, &t.reason, &t.message),
        (None, false) => {
            conditions.set("Available", false, "SchedulerStarting", "the scheduler is not ready yet")
        }
    }
    let workers = format!("{ready} of {wanted} workers are ready");
    if asleep {
        conditions.set("Progressing", false, "ScaledToZero", "idle: workers come back when there is work");
    } else if ready == wanted && made == wanted && scheduler_ready {
        conditions.set("Progressing", false, "Settled", workers);
    } else {
        conditions.set("Progressing", true, "Starting", workers);
    }
    let degraded_group = seen.groups.iter().find_map(|g| {
        let conditions = &g.status.as_ref()?.conditions;
        conditions.iter().find(|c| c.type_ == "Degraded" && c.status == "True")
    });
    match (failure, trouble, degraded_group) {
        (Some(f), _, _) => conditions.set("Degraded", true, f.reason, &f.message),
        (None, Some(t), _) => conditions.set("Degraded", true, &t.reason, t.message),
        (None, None, Some(c)) => conditions.set("Degraded", true, &c.reason, &c.message),
        (None, None, None) => conditions.set("Degraded", false, "Healthy", ""),
    }
    if deployed(seen, settings) == Deployed::Outdated {
        let how = format!(
            "spec.scheduler has changed; `kubectl -n {} delete deployment {}` starts the scheduler anew with it, and loses what \
             it and the workers hold",
            seen.cluster.metadata.namespace.as_deref().unwrap_or_default(),
            names::scheduler(seen.cluster.metadata.name.as_deref().unwrap_or_default()),
        );
        conditions.set("SchedulerUpdatePending", true, "OnDelete", how);
    }
    let api_is_off = seen
        .groups
        .iter()
        .filter_map(|g| g.status.as_ref())
        .any(|s| is_true(&s.conditions, "NoSchedulerAPI"));
    if api_is_off && fill::engine(&seen.cluster.spec) == Engine::Dask {
        let message = "the scheduler serves no /api/v1: workers are let go without moving what they hold; add \
            distributed.http.scheduler.api to distributed.scheduler.http.routes";
        conditions.set("SchedulerAPI", false, "NotServed", message);
    }

    let default = seen.group.as_ref().and_then(|g| g.status.clone()).unwrap_or_default();
    let propagated = seen.group.as_ref().and_then(|g| annotation(&g.metadata, PROPAGATED)?.parse().ok());
    DaskClusterStatus {
        phase: Some(phase(seen, failure).into()),
        observed_generation: generation,
        replicas: default.replicas,
        ready_replicas: default.ready_replicas,
        selector: default.selector.or_else(|| {
            let group = names::default_group(seen.cluster.metadata.name.as_deref().unwrap_or_default());
            Some(selector_text(&[(names::WORKER_GROUP.to_string(), group)].into()))
        }),
        propagated_replicas: propagated.or(old.propagated_replicas),
        scaled_to_zero: asleep,
        conditions: conditions.finish(),
    }
}

/// Clients of the old operator wait for Running, which comes with the Service's address, not with the scheduler.
fn phase(seen: &Seen, failure: Option<&Failure>) -> &'static str {
    let ours =
        |s: &&std::sync::Arc<Service>| controller_uid(&s.metadata) == seen.cluster.metadata.uid.as_deref();
    let Some(service) = seen.service.as_ref().filter(ours) else {
        return if failure.is_some_and(|f| f.is_final) { "Error" } else { "Created" };
    };
    let is_balanced = service.spec.get("type").and_then(Value::as_str) == Some("LoadBalancer");
    let ingress = service.status.pointer("/loadBalancer/ingress").and_then(Value::as_array);
    if is_balanced && ingress.is_none_or(Vec::is_empty) { "Pending" } else { "Running" }
}

/// Wanted, present and ready workers of all groups.
fn workers(seen: &Seen) -> (i32, i32, i32) {
    let count = |group: &DaskWorkerGroup| {
        let status = group.status.clone().unwrap_or_default();
        (group.spec.worker.replicas, status.replicas, status.ready_replicas)
    };
    seen.groups.iter().map(|g| count(g)).fold((0, 0, 0), |a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2))
}
