//! Decisions about clusters that the old operator made, without a cluster.

use super::Seen;
use super::desired::desired;
use crate::action::{Action, Kind, Plan};
use crate::api::Time;
use crate::names::PROPAGATED;
use crate::settings::Settings;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

fn child(name: &str) -> Value {
    json!({"name": name, "namespace": "ns", "uid": name, "generation": 1, "labels": {"dask.org/cluster-name": "c"},
        "ownerReferences": [{"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskCluster", "name": "c", "uid": "cluster",
            "controller": true}]})
}

/// A cluster of two workers, of which the user has made three since, by the group.
fn seen() -> Seen {
    let metadata = json!({"name": "c", "namespace": "ns", "uid": "cluster"});
    let cluster = json!({"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskCluster", "metadata": metadata,
        "spec": {"worker": {"replicas": 2}}});
    let group = json!({"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskWorkerGroup", "metadata": child("c-default"),
        "spec": {"cluster": "c", "worker": {"replicas": 3}}});
    Seen {
        now: Time(Timestamp::from_second(1_000_000).unwrap()),
        cluster: Arc::new(serde_json::from_value(cluster).unwrap()),
        deployment: Some(Arc::new(
            serde_json::from_value(json!({"metadata": child("c-scheduler")})).unwrap(),
        )),
        service: None,
        group: Some(Arc::new(serde_json::from_value(group).unwrap())),
        groups: Vec::new(),
        schedulers: Vec::new(),
        answer: None,
    }
}

fn plan(seen: &Seen) -> Plan {
    desired(seen, &Settings::default())
}

/// The one merge patch of a kind's annotations in a plan.
fn marks(plan: &Plan, wanted: Kind) -> Value {
    let mut found = plan.actions.iter().filter_map(|action| match action {
        Action::Merge { kind, patch, .. } if *kind == wanted => patch.pointer("/metadata/annotations"),
        _ => None,
    });
    found.next().cloned().unwrap_or_default()
}

#[test]
fn an_old_scheduler_stays_as_it_is_whoever_edits_it() {
    let mut seen = seen();
    let annotations = marks(&plan(&seen), Kind::Deployment);
    assert!(annotations.is_object());
    // Kubernetes counts the annotations themselves as a change.
    for generation in [1, 2, 7] {
        let mut metadata = child("c-scheduler");
        metadata["annotations"] = annotations.clone();
        metadata["generation"] = json!(generation);
        seen.deployment = Some(Arc::new(serde_json::from_value(json!({"metadata": metadata})).unwrap()));
        let plan = plan(&seen);
        let is_written = |a: &Action| matches!(a, Action::Replace { kind: Kind::Deployment, .. });
        assert!(!plan.actions.iter().any(is_written), "{:?}", plan.actions);
    }
}

#[test]
fn an_old_group_keeps_the_number_that_it_was_given_last() {
    let mut seen = seen();
    let number = |plan: &Plan| {
        plan.actions.iter().find_map(|action| match action {
            Action::Merge { kind: Kind::Group, patch, .. } => patch.pointer("/spec/worker/replicas").cloned(),
            _ => None,
        })
    };
    assert_eq!(number(&plan(&seen)), None);
    let mark = marks(&plan(&seen), Kind::Group);
    assert_eq!(mark, json!({PROPAGATED: "2"}));
    let mut group = (**seen.group.as_ref().unwrap()).clone();
    group.metadata.annotations = serde_json::from_value(mark).unwrap();
    seen.group = Some(Arc::new(group));
    let mut cluster = (*seen.cluster).clone();
    cluster.spec.worker.replicas = 5;
    seen.cluster = Arc::new(cluster);
    assert_eq!(number(&plan(&seen)), Some(json!(5)), "later changes are handed on");
}
