//! What a job should have: a cluster, and a runner for its current attempt.

use super::Seen;
use super::stage::{Stage, next_deadline, stage};
use crate::action::{Action, Ask, Kind, Plan, owner, tell};
use crate::api::{DaskCluster, DaskJob, DeletionAction, GraphSource, PodSpec, RetryCluster};
use crate::children::{Pod, controller_uid};
use crate::fill;
use crate::metadata::{self, Component};
use crate::names;
use crate::settings::Settings;
use serde_json::{Value, json};
use std::time::Duration;

/// How often the scheduler is asked how far a job is.
pub(super) const PROGRESS_POLL: Duration = Duration::from_secs(5);

/// Where the graph document is mounted.
const GRAPH_FOLDER: &str = "/graph";

/// What is to be done about a job that is valid.
pub(super) fn desired(seen: &Seen, settings: &Settings) -> Plan {
    let mut plan = Plan::default();
    match stage(seen) {
        Stage::Foreign | Stage::Ended { .. } => return plan,
        Stage::Finished => finished(seen, &mut plan),
        Stage::Suspended => {
            delete_cluster(seen, &mut plan);
            seen.runners.iter().for_each(|r| delete_runner(r, &mut plan));
        }
        Stage::New => {
            cluster(seen, &mut plan);
            graph(seen, &mut plan);
        }
        Stage::Starting => {
            cluster(seen, &mut plan);
            graph(seen, &mut plan);
            runner(seen, settings, &mut plan);
        }
        Stage::Running { .. } => {
            cluster(seen, &mut plan);
            if seen.job.spec.job.graph.is_some() {
                plan.ask = Some(Ask::Progress(seen.submission()));
                plan.look_again(PROGRESS_POLL);
            }
        }
        Stage::Retrying { at, .. } => {
            if seen.job.spec.retry.unwrap_or_default().cluster == RetryCluster::New {
                delete_cluster(seen, &mut plan);
            }
            let left = at.as_second() - seen.now.0.as_second();
            plan.look_again(Duration::from_secs(left.max(1).cast_unsigned()));
        }
    }
    if let Some(seconds) = next_deadline(seen) {
        plan.look_again(Duration::from_secs(seconds.cast_unsigned()));
    }
    plan
}

fn finished(seen: &Seen, plan: &mut Plan) {
    let Some(status) = &seen.job.status else { return };
    let policy = seen.job.spec.deletion_policy.unwrap_or_default();
    let succeeded = status.job_status.as_deref() == Some("Successful");
    match if succeeded { policy.on_success } else { policy.on_failure } {
        DeletionAction::DeleteCluster => delete_cluster(seen, plan),
        DeletionAction::DeleteWorkers => rest_workers(seen, plan),
        DeletionAction::Keep => {}
    }
    // A job that failed by a deadline or because of its restarts may still run.
    let runs = |r: &&std::sync::Arc<Pod>| !succeeded && !r.is_over();
    seen.runners.iter().filter(runs).for_each(|r| delete_runner(r, plan));
    let Some((ttl, end)) = seen.job.spec.ttl_seconds_after_finished.zip(status.end_time.as_ref()) else {
        return;
    };
    let left = end.0.as_second() + ttl - seen.now.0.as_second();
    if left > 0 {
        plan.look_again(Duration::from_secs(left.cast_unsigned()));
        return;
    }
    plan.actions.push(Action::Delete {
        kind: Kind::Job,
        name: seen.name().into(),
        uid: seen.job.metadata.uid.clone().unwrap_or_default(),
        grace: None,
    });
}

// --- the cluster ----------------------------------------------------------------------------------------------------

/// The job's cluster.
pub fn cluster_body(job: &DaskJob) -> Value {
    let name = job.metadata.name.as_deref().unwrap_or_default();
    let template = &job.spec.cluster;
    let mut spec = template.spec.clone();
    // A program of the user's own on a cluster that says nothing of what runs on it: its image has what the program needs.
    let pods = [&spec.scheduler.spec, &spec.worker.spec];
    let is_silent = spec.engine.is_none()
        && spec.container.image.is_none()
        && !pods.into_iter().any(fill::names_a_program);
    if let (true, Some(pod)) = (is_silent, &job.spec.job.spec)
        && let Some(image) = pod.0.get("containers").and_then(|c| c.get(0)).and_then(|c| c["image"].as_str())
    {
        spec.engine = Some(crate::api::Engine::Dask);
        spec.container.image = Some(image.into());
    }
    let mut labels = crate::children::or_empty(job.metadata.labels.as_ref()).clone();
    labels.extend(template.metadata.iter().flat_map(|m| m.labels.clone()));
    labels.insert(names::CLUSTER_NAME.into(), name.into());
    json!({
        "apiVersion": Kind::Cluster.api_version(),
        "kind": Kind::Cluster.name(),
        "metadata": {
            "name": name,
            "namespace": job.metadata.namespace,
            "labels": labels,
            "annotations": metadata::annotations(&job.metadata, template.metadata.as_ref()),
            "ownerReferences": [owner(Kind::Job, &job.metadata)],
        },
        "spec": spec,
    })
}

fn cluster(seen: &Seen, plan: &mut Plan) {
    if seen.cluster.is_none() {
        plan.actions.push(Action::Create { kind: Kind::Cluster, body: cluster_body(&seen.job) });
    }
}

fn delete_cluster(seen: &Seen, plan: &mut Plan) {
    if let Some(cluster) = seen.own_cluster() {
        plan.actions.push(Action::Delete {
            kind: Kind::Cluster,
            name: seen.name().into(),
            uid: cluster.metadata.uid.clone().unwrap_or_default(),
            grace: None,
        });
    }
}

fn rest_workers(seen: &Seen, plan: &mut Plan) {
    let Some(cluster) = seen.own_cluster().filter(|c| c.spec.worker.replicas != 0) else { return };
    plan.actions.push(Action::Merge {
        kind: Kind::Cluster,
        name: seen.name().into(),
        uid: cluster.metadata.uid.clone().unwrap_or_default(),
        patch: json!({"spec": {"worker": {"replicas": 0}}}),
    });
}

// --- the runner -----------------------------------------------------------------------------------------------------

/// The ConfigMap with a job's inline graph.
pub fn graph_body(job: &DaskJob, text: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names::graph(job.metadata.name.as_deref().unwrap_or_default()),
            "namespace": job.metadata.namespace,
            "labels": labels(job, false),
            "ownerReferences": [owner(Kind::Job, &job.metadata)],
        },
        "data": {"graph.yaml": text},
        "immutable": true,
    })
}

fn labels(job: &DaskJob, is_pod: bool) -> metadata::Map {
    let cluster = job.metadata.name.as_deref().unwrap_or_default();
    let component = Component { cluster, name: "job-runner", group: None, is_pod };
    metadata::labels(&job.metadata, job.spec.job.metadata.as_ref(), component)
}

fn graph(seen: &Seen, plan: &mut Plan) {
    let inline = seen.job.spec.job.graph.as_ref().and_then(|g| g.inline.as_deref());
    if let (Some(text), None) = (inline, &seen.graph) {
        plan.actions.push(Action::Create { kind: Kind::ConfigMap, body: graph_body(&seen.job, text) });
    }
}

/// The runner of the current attempt.
pub fn runner_body(job: &DaskJob, attempt: i32, submission: &str, settings: &Settings) -> Value {
    let name = job.metadata.name.as_deref().unwrap_or_default();
    let namespace = job.metadata.namespace.as_deref().unwrap_or_default();
    let address = names::scheduler_address(name, namespace, &settings.cluster_domain);
    // With a limit of attempts each is a pod of its own; and a graph that fails, fails again.
    let restart = match (&job.spec.job.graph, job.spec.backoff_limit) {
        (None, None) => "OnFailure",
        _ => "Never",
    };
    let pod = match &job.spec.job.graph {
        Some(graph) => graph_pod(job, graph, submission, settings),
        None => job.spec.job.spec.clone().unwrap_or_default(),
    };
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": names::runner(name, attempt),
            "namespace": namespace,
            "labels": labels(job, true),
            "annotations": metadata::annotations(&job.metadata, job.spec.job.metadata.as_ref()),
            "ownerReferences": [owner(Kind::Job, &job.metadata)],
        },
        "spec": fill::runner(&pod, &address, restart),
    })
}

fn graph_pod(job: &DaskJob, graph: &GraphSource, submission: &str, settings: &Settings) -> PodSpec {
    let name = job.metadata.name.as_deref().unwrap_or_default();
    let config_map = |name: &str, key: &str| json!({"name": "graph", "configMap": {"name": name, "items": [{"key": key, "path": "graph.yaml"}]}});
    let (volume, file) = match graph {
        GraphSource { config_map_key_ref: Some(key), .. } => (config_map(&key.name, &key.key), "graph.yaml"),
        GraphSource { volume: Some(volume), .. } => (
            json!({"name": "graph", "persistentVolumeClaim": {"claimName": volume.claim_name, "readOnly": true}}),
            volume.path.trim_start_matches('/'),
        ),
        _ => (config_map(&names::graph(name), "graph.yaml"), "graph.yaml"),
    };
    let path = format!("{GRAPH_FOLDER}/{file}");
    let mut pod = fill::submitter(&path, submission, &job.spec.cluster.spec, settings);
    if let Some(container) = pod.get_mut("containers").and_then(|c| c.get_mut(0)) {
        container["volumeMounts"] = json!([{"name": "graph", "mountPath": GRAPH_FOLDER, "readOnly": true}]);
    }
    pod.insert("volumes".into(), json!([volume]));
    PodSpec(pod)
}

fn runner(seen: &Seen, settings: &Settings, plan: &mut Plan) {
    if seen.runner().is_some() || !is_running(seen.own_cluster().map(|c| &**c)) {
        return;
    }
    let body = runner_body(&seen.job, seen.attempts() - 1, &seen.submission(), settings);
    if seen.attempts() > 1 {
        plan.actions.push(tell("Retrying", format!("attempt {}", seen.attempts())));
    }
    plan.actions.push(Action::Create { kind: Kind::Pod, body });
}

/// Whether a cluster has its Service, so that the scheduler's name is known.
fn is_running(cluster: Option<&DaskCluster>) -> bool {
    cluster.and_then(|c| c.status.as_ref()?.phase.as_deref()) == Some("Running")
}

fn delete_runner(runner: &Pod, plan: &mut Plan) {
    if !runner.is_terminating() {
        plan.actions.push(Action::Delete {
            kind: Kind::Pod,
            name: runner.name().into(),
            uid: runner.metadata.uid.clone().unwrap_or_default(),
            grace: None,
        });
    }
}

/// Whether the name of the job's cluster is taken by somebody else's.
pub(super) fn name_is_taken(seen: &Seen) -> bool {
    seen.cluster.as_ref().is_some_and(|c| controller_uid(&c.metadata) != seen.job.metadata.uid.as_deref())
}
