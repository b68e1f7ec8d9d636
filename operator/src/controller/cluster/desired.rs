//! What a cluster should have: a scheduler's Deployment and Service, and a default group of workers.

use super::Seen;
use crate::action::{Action, Answer, Ask, Kind, Plan, owner, tell};
use crate::api::{DaskCluster, Engine, IdleAction, SchedulerUpdateStrategy, WorkerSpec};
use crate::children::{annotation, controller_uid};
use crate::fill::{self, Role};
use crate::metadata::{self, Component, holds};
use crate::names::{self, GENERATION, HASH, PROPAGATED};
use crate::settings::Settings;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How often an idle scheduler is asked whether it still is.
pub(super) const IDLE_POLL: Duration = Duration::from_secs(5);

/// Name of a cluster.
pub(super) fn name(cluster: &DaskCluster) -> &str {
    cluster.metadata.name.as_deref().unwrap_or_default()
}

/// What is to be done about a cluster that is valid.
pub(super) fn desired(seen: &Seen, settings: &Settings) -> Plan {
    let mut plan = Plan::default();
    service(seen, &mut plan);
    deployment(seen, settings, &mut plan);
    group(seen, &mut plan);
    idle(seen, &mut plan);
    plan
}

fn component(cluster: &DaskCluster, is_pod: bool) -> Component<'_> {
    Component { cluster: name(cluster), name: "scheduler", group: None, is_pod }
}

/// Whether a child is this parent's. Another one's is waited for: it goes with its own parent.
fn is_ours(child: Option<&str>, cluster: &DaskCluster) -> bool {
    child == cluster.metadata.uid.as_deref()
}

// --- the Service --------------------------------------------------------------------------------------------

/// The Service as it should be.
pub fn service_body(cluster: &DaskCluster) -> Value {
    let scheduler = &cluster.spec.scheduler;
    let mut spec = scheduler.service.clone().unwrap_or_default().0;
    let port =
        |name: &str, port: u16| json!({"name": name, "protocol": "TCP", "port": port, "targetPort": name});
    let defaults = [
        ("type", json!("ClusterIP")),
        ("selector", json!(metadata::selector(name(cluster), "scheduler"))),
        ("ports", json!([port("tcp-comm", 8786), port("http-dashboard", 8787)])),
    ];
    for (key, value) in defaults {
        if spec.get(key).is_none_or(Value::is_null) {
            spec.insert(key.into(), value);
        }
    }
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": names::scheduler(name(cluster)),
            "namespace": cluster.metadata.namespace,
            "labels": metadata::labels(&cluster.metadata, scheduler.metadata.as_ref(), component(cluster, false)),
            "annotations": metadata::annotations(&cluster.metadata, scheduler.metadata.as_ref()),
            "ownerReferences": [owner(Kind::Cluster, &cluster.metadata)],
        },
        "spec": spec,
    })
}

fn service(seen: &Seen, plan: &mut Plan) {
    let mut body = service_body(&seen.cluster);
    let Some(service) = &seen.service else {
        plan.actions.push(Action::Create { kind: Kind::Service, body });
        return;
    };
    if !is_ours(controller_uid(&service.metadata), &seen.cluster)
        || service.metadata.deletion_timestamp.is_some()
    {
        return;
    }
    let (name, uid) =
        (names::scheduler(name(&seen.cluster)), service.metadata.uid.clone().unwrap_or_default());
    let spec = body["spec"].take();
    if !is_part(&spec, &service.spec) {
        plan.actions.push(Action::Merge {
            kind: Kind::Service,
            name: name.clone(),
            uid: uid.clone(),
            patch: json!({"spec": spec}),
        });
    }
    repair_metadata(Kind::Service, &service.metadata, &body, plan);
}

/// Whether everything that is wanted is there; lists must be equal in length. Defaults that the API server added do not count.
fn is_part(wanted: &Value, actual: &Value) -> bool {
    match (wanted, actual) {
        (Value::Object(wanted), Value::Object(actual)) => wanted
            .iter()
            .all(|(key, value)| value.is_null() || actual.get(key).is_some_and(|a| is_part(value, a))),
        (Value::Array(wanted), Value::Array(actual)) => {
            wanted.len() == actual.len() && wanted.iter().zip(actual).all(|(w, a)| is_part(w, a))
        }
        _ => wanted == actual,
    }
}

/// Puts labels and annotations back that somebody took away or changed.
pub(super) fn repair_metadata(
    kind: Kind,
    actual: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
    body: &Value,
    plan: &mut Plan,
) {
    let map = |key: &str| -> metadata::Map {
        serde_json::from_value(body["metadata"][key].clone()).unwrap_or_default()
    };
    let (labels, annotations) = (map("labels"), map("annotations"));
    if !holds(actual.labels.as_ref(), &labels) || !holds(actual.annotations.as_ref(), &annotations) {
        plan.actions.push(Action::Merge {
            kind,
            name: actual.name.clone().unwrap_or_default(),
            uid: actual.uid.clone().unwrap_or_default(),
            patch: json!({"metadata": {"labels": labels, "annotations": annotations}}),
        });
    }
}

// --- the Deployment -------------------------------------------------------------------------------------------

/// The scheduler's pod.
fn scheduler_pod(cluster: &DaskCluster, settings: &Settings) -> Map<String, Value> {
    let spec = &cluster.spec;
    let mut pod = fill::pod(Role::Scheduler, &spec.scheduler.spec, spec, &[&spec.container], &[], settings);
    // The API has no authentication: never by default where the world may reach it.
    let type_ = spec.scheduler.service.as_ref().and_then(|s| s.0.get("type")).and_then(Value::as_str);
    let is_inside = type_.is_none_or(|t| t == "ClusterIP");
    let opted_out = annotation(&cluster.metadata, names::SCHEDULER_API) == Some("false");
    if fill::engine(spec) == Engine::Dask && is_inside && !opted_out {
        fill::add_routes(&mut pod);
    }
    pod
}

/// The Deployment as it should be, with the hash of what its pods depend on.
pub fn deployment_body(cluster: &DaskCluster, settings: &Settings) -> Value {
    let given = cluster.spec.scheduler.metadata.as_ref();
    let labels = metadata::labels(&cluster.metadata, given, component(cluster, true));
    let annotations = metadata::annotations(&cluster.metadata, given);
    let template = json!({
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": scheduler_pod(cluster, settings),
    });
    let mut own = annotations.clone();
    own.insert(HASH.into(), fill::hash(&template));
    own.insert(GENERATION.into(), "1".into());
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": names::scheduler(name(cluster)),
            "namespace": cluster.metadata.namespace,
            "labels": labels,
            "annotations": own,
            "ownerReferences": [owner(Kind::Cluster, &cluster.metadata)],
        },
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            // No label that anybody may edit, or the Deployment could not be changed any more.
            "selector": {"matchLabels": metadata::selector(name(cluster), "scheduler")},
            "template": template,
        },
    })
}

/// How the scheduler's Deployment stands to what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deployed {
    /// As it should be, or not this cluster's to change.
    Current,
    /// The old operator's: it stays as it is until the spec changes.
    Inherited,
    /// The cluster's spec has changed since it was written.
    Outdated,
    /// Somebody edited it.
    Edited,
}

/// Compares the Deployment with what it should be.
pub(super) fn deployed(seen: &Seen, settings: &Settings) -> Deployed {
    let Some(deployment) = &seen.deployment else { return Deployed::Current };
    let meta = &deployment.metadata;
    if !is_ours(controller_uid(meta), &seen.cluster) || meta.deletion_timestamp.is_some() {
        return Deployed::Current;
    }
    let Some(hash) = annotation(meta, HASH) else { return Deployed::Inherited };
    let body = deployment_body(&seen.cluster, settings);
    if body["metadata"]["annotations"][HASH] != hash {
        Deployed::Outdated
    } else if annotation(meta, GENERATION) == Some(names::INHERITED) {
        Deployed::Current
    } else if annotation(meta, GENERATION) != meta.generation.map(|g| g.to_string()).as_deref() {
        Deployed::Edited
    } else {
        Deployed::Current
    }
}

fn deployment(seen: &Seen, settings: &Settings, plan: &mut Plan) {
    let mut body = deployment_body(&seen.cluster, settings);
    let Some(deployment) = &seen.deployment else {
        plan.actions.push(Action::Create { kind: Kind::Deployment, body });
        return;
    };
    let meta = &deployment.metadata;
    let (name, uid) = (names::scheduler(name(&seen.cluster)), meta.uid.clone().unwrap_or_default());
    let hash = body["metadata"]["annotations"][HASH].clone();
    let replace = |body: &mut Value| Action::Replace {
        kind: Kind::Deployment,
        name: name.clone(),
        uid: uid.clone(),
        parts: vec![
            ("/spec/replicas", json!(1)),
            ("/spec/template", body["spec"]["template"].take()),
            ("/metadata/annotations", body["metadata"]["annotations"].take()),
            ("/metadata/labels", body["metadata"]["labels"].take()),
        ],
    };
    match deployed(seen, settings) {
        Deployed::Current if !is_ours(controller_uid(meta), &seen.cluster) => {}
        Deployed::Current => {
            let annotations = body["metadata"]["annotations"].as_object_mut();
            annotations.into_iter().for_each(|a| a.retain(|key, _| key != GENERATION));
            repair_metadata(Kind::Deployment, meta, &body, plan);
        }
        Deployed::Inherited => plan.actions.push(Action::Merge {
            kind: Kind::Deployment,
            name,
            uid,
            patch: json!({"metadata": {"annotations": {HASH: hash, GENERATION: names::INHERITED}}}),
        }),
        Deployed::Edited => {
            plan.actions.push(replace(&mut body));
            plan.actions.push(tell(
                "Repaired",
                format!("Deployment {name} was edited by hand; it is as the cluster says again"),
            ));
        }
        Deployed::Outdated => {
            // A Deployment of the old operator selects on labels that the template must keep.
            if seen.cluster.spec.scheduler.update_strategy == Some(SchedulerUpdateStrategy::Recreate) {
                plan.actions.push(replace(&mut body));
                plan.actions
                    .push(tell("SchedulerUpdated", "the scheduler starts anew with its changed spec"));
            }
        }
    }
}

// --- the default group ------------------------------------------------------------------------------------------

/// The default group as it is created.
pub fn group_body(cluster: &DaskCluster) -> Value {
    let worker = &cluster.spec.worker;
    let component = Component { cluster: name(cluster), name: "workergroup", group: None, is_pod: false };
    let labels = metadata::labels(&cluster.metadata, worker.metadata.as_ref(), component);
    let mut annotations = metadata::annotations(&cluster.metadata, worker.metadata.as_ref());
    annotations.insert(PROPAGATED.into(), worker.replicas.to_string());
    json!({
        "apiVersion": Kind::Group.api_version(),
        "kind": Kind::Group.name(),
        "metadata": {
            "name": names::default_group(name(cluster)),
            "namespace": cluster.metadata.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner(Kind::Cluster, &cluster.metadata)],
        },
        "spec": {"cluster": name(cluster), "worker": worker},
    })
}

fn group(seen: &Seen, plan: &mut Plan) {
    let mut body = group_body(&seen.cluster);
    let Some(group) = &seen.group else {
        plan.actions.push(Action::Create { kind: Kind::Group, body });
        return;
    };
    let meta = &group.metadata;
    if !is_ours(controller_uid(meta), &seen.cluster) || meta.deletion_timestamp.is_some() {
        return;
    }
    let (name, uid) = (meta.name.clone().unwrap_or_default(), meta.uid.clone().unwrap_or_default());
    let replicas = seen.cluster.spec.worker.replicas;
    let wanted = WorkerSpec { replicas: group.spec.worker.replicas, ..seen.cluster.spec.worker.clone() };
    if group.spec.worker != wanted {
        let parts = vec![("/spec/worker", json!(wanted))];
        plan.actions.push(Action::Replace { kind: Kind::Group, name: name.clone(), uid: uid.clone(), parts });
    }
    // The number and the mark that it was handed on go in one write: no moment has the one without the other.
    let propagated = annotation(meta, PROPAGATED);
    if propagated != Some(replicas.to_string().as_str()) {
        let mut patch = json!({"metadata": {"annotations": {PROPAGATED: replicas.to_string()}}});
        // Without a mark it is the old operator's, and has the number that it was given last.
        if propagated.is_some() {
            patch["spec"] = json!({"worker": {"replicas": replicas}});
        }
        plan.actions.push(Action::Merge { kind: Kind::Group, name, uid, patch });
    }
    let annotations = body["metadata"]["annotations"].as_object_mut();
    annotations.into_iter().for_each(|a| a.retain(|key, _| key != PROPAGATED));
    repair_metadata(Kind::Group, meta, &body, plan);
}

// --- idle ---------------------------------------------------------------------------------------------------------

fn idle(seen: &Seen, plan: &mut Plan) {
    let spec = &seen.cluster.spec;
    if spec.idle_timeout <= 0 {
        return;
    }
    let asleep = seen.cluster.status.as_ref().is_some_and(|s| s.scaled_to_zero);
    plan.ask = Some(if asleep { Ask::Target } else { Ask::Idle });
    plan.look_again(IDLE_POLL);
    let meta = &seen.cluster.metadata;
    let Some(Answer::Idle(Some(since))) = seen.answer else { return };
    if !asleep && is_idle_for(seen, since) && spec.idle_action.unwrap_or_default() == IdleAction::Delete {
        plan.actions.push(tell("Idle", format!("idle for {} s: it is deleted", spec.idle_timeout)));
        plan.actions.push(Action::Delete {
            kind: Kind::Cluster,
            name: name(&seen.cluster).into(),
            uid: meta.uid.clone().unwrap_or_default(),
            grace: None,
        });
    }
}

fn is_idle_for(seen: &Seen, since: f64) -> bool {
    let now = seen.now.0.as_millisecond() as f64 / 1000.0;
    // A scheduler that has just started has had no time for its workers to come.
    let made = seen.cluster.metadata.creation_timestamp.as_ref().map_or(0.0, |t| t.0.as_second() as f64);
    now - since.max(made) >= seen.cluster.spec.idle_timeout as f64
}

/// Whether the workers of the cluster are to be none, for want of work.
pub(super) fn scaled_to_zero(seen: &Seen) -> bool {
    let spec = &seen.cluster.spec;
    if spec.idle_timeout <= 0 || spec.idle_action != Some(IdleAction::ScaleToZero) {
        return false;
    }
    let asleep = seen.cluster.status.as_ref().is_some_and(|s| s.scaled_to_zero);
    match seen.answer {
        Some(Answer::Target(target)) if asleep => target <= 0,
        Some(Answer::Idle(Some(since))) if !asleep => is_idle_for(seen, since),
        _ => asleep,
    }
}
