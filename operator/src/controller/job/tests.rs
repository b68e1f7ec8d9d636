//! Decisions about jobs, without a cluster.

use super::Seen;
use super::desired::desired;
use super::stage::{Stage, stage};
use super::status::{refused, status};
use super::validate::validate;
use crate::action::{Action, Kind, Plan};
use crate::api::{DaskCluster, DaskJobStatus, Time};
use crate::children::Pod;
use crate::conditions::is_true;
use crate::settings::Settings;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

const NOW: i64 = 1_000_000;

fn time(seconds: i64) -> Time {
    Time(Timestamp::from_second(seconds).unwrap())
}

fn seen(spec: Value) -> Seen {
    let metadata =
        json!({"name": "j", "namespace": "ns", "uid": "job", "creationTimestamp": time(NOW - 100)});
    let body = json!({"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskJob", "metadata": metadata, "spec": spec});
    Seen {
        now: time(NOW),
        job: Arc::new(serde_json::from_value(body).unwrap()),
        cluster: None,
        runners: Vec::new(),
        graph: None,
        document: None,
        answer: None,
    }
}

fn stock() -> Value {
    json!({"spec": {"containers": [{"name": "job", "image": "mine", "args": ["python", "job.py"]}]}})
}

fn graph(text: &str) -> Value {
    json!({"job": {"graph": {"inline": text}}})
}

const GOOD: &str = "version: 1\narrays:\n  x: {zeros: {shape: [2], chunks: [1]}}\noutputs:\n  x: print\n";

fn cluster(owner: &str, phase: &str) -> Arc<DaskCluster> {
    Arc::new(serde_json::from_value(json!({
        "apiVersion": "kubernetes.dask.org/v1", "kind": "DaskCluster",
        "metadata": {"name": "j", "namespace": "ns", "uid": "cluster", "ownerReferences": [
            {"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskJob", "name": "j", "uid": owner, "controller": true}]},
        "spec": {}, "status": {"phase": phase, "replicas": 0, "readyReplicas": 0},
    })).unwrap())
}

fn runner(name: &str, status: Value) -> Arc<Pod> {
    let metadata = json!({"name": name, "namespace": "ns", "uid": name});
    Arc::new(serde_json::from_value(json!({"metadata": metadata, "status": status})).unwrap())
}

fn failed(name: &str, seconds: i64) -> Arc<Pod> {
    let terminated = json!({"exitCode": 3, "finishedAt": time(seconds)});
    runner(
        name,
        json!({"phase": "Failed", "containerStatuses": [{"name": "job", "state": {"terminated": terminated}}]}),
    )
}

fn with(seen: &mut Seen, status: DaskJobStatus) {
    let mut job = (*seen.job).clone();
    job.status = Some(status);
    seen.job = Arc::new(job);
}

/// Carries the status on as the controller does.
fn step(seen: &mut Seen) -> DaskJobStatus {
    let new = status(seen, None).unwrap();
    with(seen, new.clone());
    new
}

fn plan(seen: &Seen) -> Plan {
    desired(seen, &Settings::default())
}

fn kinds(plan: &Plan) -> Vec<(&'static str, Kind)> {
    plan.actions
        .iter()
        .filter_map(|a| match a {
            Action::Create { kind, .. } => Some(("create", *kind)),
            Action::Delete { kind, .. } => Some(("delete", *kind)),
            Action::Merge { kind, .. } => Some(("merge", *kind)),
            _ => None,
        })
        .collect()
}

#[test]
fn the_attempt_is_recorded_before_its_runner_is_made() {
    let mut seen = seen(graph(GOOD));
    assert_eq!(kinds(&plan(&seen)), [("create", Kind::Cluster), ("create", Kind::ConfigMap)]);
    let first = step(&mut seen);
    assert_eq!((first.attempts, first.job_status.as_deref()), (Some(1), Some("ClusterCreated")));
    seen.cluster = Some(cluster("job", "Created"));
    assert_eq!(kinds(&plan(&seen)), [("create", Kind::ConfigMap)], "the runner waits for the Service");
    seen.cluster = Some(cluster("job", "Running"));
    assert_eq!(kinds(&plan(&seen)), [("create", Kind::ConfigMap), ("create", Kind::Pod)]);
}

#[test]
fn a_runner_that_succeeds_ends_the_job_and_then_the_cluster_goes() {
    let mut seen = seen(json!({"job": stock()}));
    step(&mut seen);
    seen.cluster = Some(cluster("job", "Running"));
    let running = json!({"phase": "Running", "containerStatuses": [{"name": "job", "state": {"running": {"startedAt": time(NOW - 9)}}}]});
    seen.runners = vec![runner("j-runner", running)];
    let status = step(&mut seen);
    assert_eq!((status.job_status.as_deref(), status.start_time), (Some("Running"), Some(time(NOW - 9))));
    seen.runners = vec![runner("j-runner", json!({"phase": "Succeeded"}))];
    assert_eq!(kinds(&plan(&seen)), [], "clients read the status before the cluster goes");
    let status = step(&mut seen);
    assert_eq!(status.job_status.as_deref(), Some("Successful"));
    assert!(is_true(&status.conditions, "Complete") && status.end_time == Some(time(NOW)));
    assert_eq!(kinds(&plan(&seen)), [("delete", Kind::Cluster)]);
    assert_eq!(super::status::status(&seen, None), None, "a finished job never changes");
}

#[test]
fn the_end_follows_the_deletion_policy_and_the_time_to_live() {
    for (policy, expected) in [
        ("Keep", vec![]),
        ("DeleteWorkers", vec![("merge", Kind::Cluster)]),
        ("DeleteCluster", vec![("delete", Kind::Cluster)]),
    ] {
        let mut seen = seen(
            json!({"job": stock(), "deletionPolicy": {"onSuccess": policy}, "ttlSecondsAfterFinished": 60}),
        );
        with(
            &mut seen,
            DaskJobStatus {
                job_status: Some("Successful".into()),
                end_time: Some(time(NOW - 59)),
                ..Default::default()
            },
        );
        seen.cluster = Some(cluster("job", "Running"));
        let kept = plan(&seen);
        let expected: Vec<_> = expected.into_iter().filter(|e| e.0 != "merge").collect();
        // The cluster of the test has one worker by default.
        let found: Vec<_> = kinds(&kept).into_iter().filter(|k| k.0 != "merge").collect();
        assert_eq!(found, expected, "{policy}");
        assert_eq!(kinds(&kept).iter().any(|k| k.0 == "merge"), policy == "DeleteWorkers");
        assert_eq!(kept.again, Some(std::time::Duration::from_secs(1)));
        seen.now = time(NOW + 1);
        assert!(kinds(&plan(&seen)).contains(&("delete", Kind::Job)));
    }
}

#[test]
fn attempts_follow_one_another_with_a_growing_delay_until_the_limit() {
    let mut seen = seen(json!({"job": stock(), "backoffLimit": 1}));
    step(&mut seen);
    seen.cluster = Some(cluster("job", "Running"));
    seen.runners = vec![failed("j-runner", NOW - 3)];
    assert!(matches!(stage(&seen), Stage::Retrying { at, .. } if at == time(NOW + 7).0));
    assert_eq!(kinds(&plan(&seen)), [("delete", Kind::Cluster)], "the next attempt has a cluster of its own");
    seen.now = time(NOW + 7);
    assert_eq!(step(&mut seen).attempts, Some(1), "the old cluster is still there");
    seen.cluster = None;
    assert_eq!(step(&mut seen).attempts, Some(2));
    seen.cluster = Some(cluster("job", "Running"));
    let Some(Action::Create { body, .. }) =
        plan(&seen).actions.into_iter().rfind(|a| matches!(a, Action::Create { .. }))
    else {
        panic!()
    };
    assert_eq!(body["metadata"]["name"], "j-runner-1");
    assert_eq!(body["spec"]["restartPolicy"], "Never");
    seen.runners.push(failed("j-runner-1", NOW + 8));
    let last = step(&mut seen);
    assert_eq!(last.job_status.as_deref(), Some("Failed"));
    let condition = last.conditions.iter().find(|c| c.type_ == "Failed").unwrap();
    assert_eq!(condition.reason, "BackoffLimitExceeded");
    assert!(condition.message.contains("exit code 3"), "{}", condition.message);
}

#[test]
fn suspension_uses_up_no_attempt() {
    let mut seen = seen(json!({"job": stock(), "suspend": true, "backoffLimit": 0}));
    assert_eq!(kinds(&plan(&seen)), []);
    assert_eq!(step(&mut seen).job_status.as_deref(), Some("Suspended"));
    let mut resumed = (*seen.job).clone();
    resumed.spec.suspend = None;
    seen.job = Arc::new(resumed.clone());
    assert_eq!(step(&mut seen).attempts, Some(1));
    seen.cluster = Some(cluster("job", "Running"));
    seen.runners = vec![runner("j-runner", json!({"phase": "Running"}))];
    step(&mut seen);
    let mut again = (*seen.job).clone();
    again.spec.suspend = Some(true);
    seen.job = Arc::new(again);
    assert_eq!(kinds(&plan(&seen)), [("delete", Kind::Cluster), ("delete", Kind::Pod)]);
    let status = step(&mut seen);
    assert_eq!((status.start_time, status.attempts), (None, Some(1)));
    // Resumed while the old runner still goes.
    let mut going = (*runner("j-runner", json!({"phase": "Running"}))).clone();
    going.metadata.deletion_timestamp = Some(time(NOW));
    seen.runners = vec![Arc::new(going)];
    let mut resumed = (*seen.job).clone();
    resumed.spec.suspend = Some(false);
    seen.job = Arc::new(resumed);
    assert_eq!(stage(&seen), Stage::Starting);
    seen.runners.clear();
    assert_eq!(stage(&seen), Stage::Starting, "it was not this attempt that failed");
}

#[test]
fn a_running_runner_that_is_deleted_is_a_failed_attempt() {
    let mut seen = seen(json!({"job": stock()}));
    step(&mut seen);
    seen.runners = vec![runner("j-runner", json!({"phase": "Running"}))];
    step(&mut seen);
    seen.runners.clear();
    assert!(
        matches!(stage(&seen), Stage::Ended { success: false, message, .. } if message.contains("deleted"))
    );
}

#[test]
fn deadlines_end_a_job() {
    let mut late = seen(json!({"job": stock(), "preRunningDeadlineSeconds": 100}));
    step(&mut late);
    assert_eq!(stage(&late), Stage::Starting, "the time runs from when it was first seen, or resumed");
    late.now = time(NOW + 100);
    assert!(matches!(stage(&late), Stage::Ended { reason: "PreRunningDeadlineExceeded", .. }));
    let mut long = seen(json!({"job": stock(), "activeDeadlineSeconds": 5}));
    with(
        &mut long,
        DaskJobStatus { attempts: Some(1), start_time: Some(time(NOW - 5)), ..Default::default() },
    );
    long.runners = vec![runner("j-runner", json!({"phase": "Running"}))];
    assert!(matches!(stage(&long), Stage::Ended { reason: "DeadlineExceeded", .. }));
    long.runners = vec![runner("j-runner", json!({"phase": "Succeeded"}))];
    assert!(matches!(stage(&long), Stage::Ended { success: true, .. }), "it was done");
}

#[test]
fn another_controllers_job_is_not_touched() {
    let seen = seen(json!({"job": stock(), "managedBy": "kueue.x-k8s.io/multikueue"}));
    assert_eq!(stage(&seen), Stage::Foreign);
    assert_eq!((plan(&seen), status(&seen, None)), (Plan::default(), None));
}

#[test]
fn a_name_that_is_anothers_is_waited_for() {
    let mut seen = seen(json!({"job": stock()}));
    seen.cluster = Some(cluster("another", "Running"));
    let status = step(&mut seen);
    assert_eq!(kinds(&plan(&seen)), []);
    let degraded = status.conditions.iter().find(|c| c.type_ == "Degraded").unwrap();
    assert_eq!(degraded.reason, "ClusterNameTaken");
}

#[test]
fn bad_jobs_are_refused_with_field_value_and_fix() {
    let large = format!("{GOOD}# {}", "x".repeat(140_000));
    for (spec, reason, says) in [
        (
            graph("version: 1\narrays:\n  x: 1 +\noutputs:\n  x: print\n"),
            "InvalidGraph",
            "spec.job.graph.inline",
        ),
        (graph(&large), "InvalidGraph", "configMapKeyRef"),
        (json!({"job": {}}), "InvalidSpec", "neither"),
        (
            json!({"job": {"graph": {"inline": GOOD}}, "cluster": {"spec": {"engine": "Dask"}}}),
            "InvalidSpec",
            "engine: Native",
        ),
        (json!({"job": {"spec": {"containers": []}}}), "InvalidSpec", "spec.job.spec.containers"),
        (
            json!({"job": {"graph": {"volume": {"claimName": "c", "path": "../x"}}}}),
            "InvalidGraph",
            "\"../x\"",
        ),
    ] {
        let seen = seen(spec);
        let refusal = validate(&seen).unwrap_err();
        assert_eq!(refusal.reason, reason);
        assert!(refusal.message.contains(says), "{}", refusal.message);
        let status = refused(&seen, &refusal);
        assert_eq!(status.job_status.as_deref(), Some("Failed"));
    }
    assert_eq!(validate(&seen(graph(GOOD))), Ok(()));
}
