//! Decisions about groups, without a cluster.

use super::desired::{desired, worker_body};
use super::status::status;
use super::validate::validate;
use super::{Member, Seen};
use crate::action::{Action, Answer, Ask, Kind, Plan};
use crate::api::{DaskCluster, DaskWorkerGroup, Time};
use crate::conditions::is_true;
use crate::names::{HASH, RETIRING};
use crate::settings::Settings;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

const NOW: i64 = 1_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn cluster(spec: Value) -> Arc<DaskCluster> {
    let metadata = json!({"name": "c", "namespace": "ns", "uid": "cluster"});
    let body = json!({"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskCluster", "metadata": metadata, "spec": spec});
    Arc::new(serde_json::from_value(body).unwrap())
}

fn group(replicas: usize, worker: Value) -> Arc<DaskWorkerGroup> {
    let mut spec = json!({"cluster": "c", "worker": worker});
    spec["worker"]["replicas"] = json!(replicas);
    let metadata = json!({
        "name": "g", "namespace": "ns", "uid": "group", "labels": {"dask.org/cluster-name": "c"},
        "ownerReferences": [{"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskCluster", "name": "c", "uid": "cluster",
            "controller": true}],
    });
    let body = json!({"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskWorkerGroup", "metadata": metadata, "spec": spec});
    Arc::new(serde_json::from_value(body).unwrap())
}

fn seen(replicas: usize) -> Seen {
    Seen {
        now: Time(at(NOW)),
        group: group(replicas, json!({})),
        cluster: Some(cluster(json!({}))),
        members: Vec::new(),
        budget: None,
        other_budget: Some("theirs".into()),
        has_scheduler: true,
        answer: None,
    }
}

/// Makes the workers that the plan creates, ready as soon as made.
fn grow(seen: &mut Seen, made: i64) {
    for action in plan(seen).actions {
        let Action::Create { kind: Kind::Pod, mut body } = action else { continue };
        let name = body["metadata"]["name"].as_str().unwrap().to_string();
        body["metadata"]["uid"] = json!(format!("uid-{name}"));
        body["metadata"]["creationTimestamp"] = json!(at(made).to_string());
        body["status"] = json!({"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]});
        let pod: crate::children::Pod = serde_json::from_value(body).unwrap();
        seen.members.push(Member::from(&pod));
    }
}

fn plan(seen: &Seen) -> Plan {
    desired(seen, &Settings::default())
}

fn created(plan: &Plan) -> usize {
    plan.actions.iter().filter(|a| matches!(a, Action::Create { kind: Kind::Pod, .. })).count()
}

fn deleted(plan: &Plan) -> Vec<&str> {
    plan.actions
        .iter()
        .filter_map(|a| if let Action::Delete { name, .. } = a { Some(name.as_str()) } else { None })
        .collect()
}

fn marked(plan: &Plan) -> Vec<&str> {
    let name = |a: &'_ Action| matches!(a, Action::Merge { patch, .. } if patch.pointer("/metadata/annotations").is_some_and(|a| a.get(RETIRING).is_some()));
    let names = plan.actions.iter().filter(|a| name(a));
    names
        .filter_map(|a| if let Action::Merge { name, .. } = a { Some(name.as_str()) } else { None })
        .collect()
}

fn asked(plan: &Plan) -> Vec<&str> {
    match &plan.ask {
        Some(Ask::Retire(workers)) => workers.iter().map(|w| w.name.as_str()).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_group_gets_the_workers_it_wants_and_no_more() {
    let mut seen = seen(3);
    assert_eq!(created(&plan(&seen)), 3);
    grow(&mut seen, NOW);
    assert_eq!(plan(&seen).actions, []);
    // The same look twice makes the same names: the API server refuses the second.
    let names: std::collections::BTreeSet<_> = seen.members.iter().map(|m| m.name.clone()).collect();
    seen.members.clear();
    grow(&mut seen, NOW);
    assert_eq!(names, seen.members.iter().map(|m| m.name.clone()).collect());
}

#[test]
fn many_workers_come_in_turns_so_that_others_have_theirs() {
    let seen = seen(250);
    let plan = plan(&seen);
    assert_eq!(created(&plan), 100);
    assert_eq!(plan.again, Some(std::time::Duration::ZERO));
}

#[test]
fn whoever_leaves_is_marked_then_asked_for_and_goes_when_the_scheduler_says_so() {
    let mut seen = seen(3);
    grow(&mut seen, NOW - 100);
    seen.group = group(1, json!({}));
    let first = plan(&seen);
    let chosen: Vec<String> = marked(&first).iter().map(ToString::to_string).collect();
    assert_eq!(chosen.len(), 2);
    assert_eq!(deleted(&first), [""; 0]);
    assert_eq!(asked(&first), chosen);

    for member in seen.members.iter_mut().filter(|m| chosen.contains(&m.name)) {
        member.retiring = Some(at(NOW));
    }
    // One is gone, the other one holds something still.
    // An earlier pod of the other one's name is of no account.
    seen.answer =
        Some(Answer::Retired(vec![format!("uid-{}", chosen[0]), "earlier".into(), chosen[1].clone()]));
    let second = plan(&seen);
    assert_eq!(deleted(&second), [chosen[0].as_str()]);
    assert_eq!(asked(&second), [chosen[1].as_str()]);
    assert_eq!(
        (created(&second), marked(&second).len()),
        (0, 0),
        "nobody else is chosen, nobody is replaced"
    );
}

#[test]
fn a_worker_that_nobody_can_retire_goes_after_the_time_out_with_an_event() {
    let mut seen = seen(1);
    grow(&mut seen, NOW - 1000);
    seen.group = group(0, json!({}));
    seen.answer = Some(Answer::Failed("connection refused".into()));
    seen.members[0].retiring = Some(at(NOW - 299));
    assert_eq!(deleted(&plan(&seen)).len(), 0);
    seen.members[0].retiring = Some(at(NOW - 300));
    let late = plan(&seen);
    assert_eq!(deleted(&late).len(), 1);
    let told = late
        .actions
        .iter()
        .find_map(|a| if let Action::Event(note) = a { Some(note) } else { None })
        .unwrap();
    assert!(told.warning && told.message.contains("connection refused"), "{}", told.message);
}

#[test]
fn workers_that_are_not_ready_go_first_and_at_once() {
    let mut seen = seen(3);
    grow(&mut seen, NOW - 100);
    seen.members[1].is_ready = false;
    seen.group = group(2, json!({}));
    let plan = plan(&seen);
    assert_eq!(deleted(&plan), [seen.members[1].name.as_str()]);
    assert!(marked(&plan).is_empty() && plan.ask.is_none());
}

#[test]
fn what_is_terminating_or_over_is_no_worker() {
    let mut seen = seen(3);
    grow(&mut seen, NOW - 100);
    seen.members[0].metadata.deletion_timestamp = Some(Time(at(NOW)));
    seen.members[1].is_over = true;
    let plan = plan(&seen);
    assert_eq!(created(&plan), 2);
    assert_eq!(deleted(&plan), [seen.members[1].name.as_str()]);
    let names: Vec<&str> = plan
        .actions
        .iter()
        .filter_map(|a| match a {
            Action::Create { body, .. } => body["metadata"]["name"].as_str(),
            _ => None,
        })
        .collect();
    assert!(!names.contains(&seen.members[0].name.as_str()), "its name is not free yet");
}

#[test]
fn who_fails_at_the_start_again_and_again_is_replaced_ever_later() {
    for (turn, ended, replaced) in
        [(0, NOW - 1, true), (3, NOW - 7, false), (3, NOW - 8, true), (20, NOW - 299, false)]
    {
        let mut seen = seen(1);
        grow(&mut seen, NOW - 400);
        let member = &mut seen.members[0];
        member.is_over = true;
        member.slot = Some((0, turn));
        member.ended = Some(at(ended));
        member.metadata.creation_timestamp = Some(Time(at(ended - 2)));
        member.trouble =
            Some(crate::trouble::Trouble { reason: "Error".into(), message: "it failed".into() });
        assert_eq!(created(&plan(&seen)), usize::from(replaced), "turn {turn}");
    }
}

#[test]
fn a_changed_spec_rolls_a_quarter_at_a_time_and_waits_for_the_new_ones() {
    let mut seen = seen(8);
    grow(&mut seen, NOW - 100);
    seen.group = group(8, json!({"image": "new"}));
    let first = plan(&seen);
    assert_eq!(marked(&first).len(), 2);
    assert_eq!(created(&first), 2, "their successors start at once");
    let chosen: Vec<String> = marked(&first).iter().map(ToString::to_string).collect();
    seen.members.iter_mut().filter(|m| chosen.contains(&m.name)).for_each(|m| m.retiring = Some(at(NOW)));
    grow(&mut seen, NOW);
    seen.members.iter_mut().filter(|m| m.made() == Some(at(NOW))).for_each(|m| m.is_ready = false);
    assert!(marked(&plan(&seen)).is_empty(), "two are missing already");
    seen.members.iter_mut().for_each(|m| m.is_ready = true);
    assert_eq!(marked(&plan(&seen)).len(), 2);

    let on_delete = json!({"image": "new", "updateStrategy": {"type": "OnDelete"}});
    seen.group = group(8, on_delete);
    assert!(marked(&plan(&seen)).is_empty());
}

#[test]
fn a_worker_whose_image_was_edited_is_replaced() {
    let mut seen = seen(2);
    grow(&mut seen, NOW - 100);
    let image = seen.members[1].images.values_mut().next().unwrap();
    *image = "edited".into();
    assert_eq!(marked(&plan(&seen)), [seen.members[1].name.as_str()]);
}

#[test]
fn old_workers_of_another_operator_stay_until_the_spec_changes() {
    let mut seen = seen(1);
    grow(&mut seen, NOW - 100);
    seen.members[0].kind = Kind::Deployment;
    seen.members[0].hash = None;
    let first = plan(&seen);
    let [Action::Merge { kind: Kind::Deployment, patch, .. }] = first.actions.as_slice() else {
        panic!("{first:?}")
    };
    assert!(patch["metadata"]["annotations"][HASH].is_string());
    seen.members[0].hash = Some("an older one".into());
    assert_eq!(marked(&plan(&seen)).len(), 1);
}

#[test]
fn a_group_has_a_budget_unless_evictions_could_not_keep_it() {
    let mut seen = seen(2);
    grow(&mut seen, NOW);
    seen.other_budget = None;
    let [Action::Create { kind: Kind::DisruptionBudget, body }] = &*plan(&seen).actions else {
        panic!("{:?}", plan(&seen))
    };
    seen.budget = Some(Arc::new(serde_json::from_value(body.clone()).unwrap()));
    assert_eq!(plan(&seen).actions, []);
    seen.other_budget = Some("theirs".into());
    assert_eq!(deleted(&plan(&seen)), ["g"]);
    seen.other_budget = None;
    seen.members[0].kind = Kind::Deployment;
    assert_eq!(deleted(&plan(&seen)), ["g"], "an old worker is counted twice");
}

#[test]
fn another_budget_covers_the_workers_if_its_selector_does() {
    let labels = super::desired::worker_labels(&group(1, json!({"metadata": {"labels": {"team": "a"}}})));
    for (selector, covers) in [
        (json!({"matchLabels": {"dask.org/cluster-name": "c"}}), true),
        (json!({"matchLabels": {"dask.org/cluster-name": "d"}}), false),
        (json!({"matchLabels": {"team": "a", "dask.org/component": "worker"}}), true),
        (json!({"matchLabels": {"dask.org/component": "scheduler"}}), false),
        (json!({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}), false),
        (json!({"matchExpressions": [{"key": "dask.org/workergroup-name", "operator": "Exists"}]}), true),
        // Policy v1: an empty one selects all pods, none selects none.
        (json!({}), true),
        (json!(null), false),
    ] {
        let budget = json!({"metadata": {}, "spec": {"selector": selector}});
        let budget: crate::children::DisruptionBudget = serde_json::from_value(budget).unwrap();
        assert_eq!(budget.covers(&labels), covers, "{selector}");
    }
}

#[test]
fn workers_are_none_while_the_cluster_sleeps() {
    let mut seen = seen(2);
    let mut asleep = (*cluster(json!({}))).clone();
    asleep.status = Some(crate::api::DaskClusterStatus { scaled_to_zero: true, ..Default::default() });
    seen.cluster = Some(Arc::new(asleep));
    assert_eq!(created(&plan(&seen)), 0);
}

#[test]
fn what_is_wrong_is_named_with_its_field_value_and_fix() {
    let mut seen = seen(1);
    seen.cluster = None;
    let refusal = validate(&seen).unwrap_err();
    assert_eq!(refusal.reason, "ClusterNotFound");
    assert!(refusal.message.contains("spec.cluster is \"c\"") && refusal.message.contains("create it"));
    seen.cluster = Some(cluster(json!({})));
    seen.group = group(1, json!({"spec": {"containers": ["text"]}}));
    let refusal = validate(&seen).unwrap_err();
    assert!(refusal.message.starts_with("spec.worker.spec.containers[0] is \"text\""), "{}", refusal.message);
}

#[test]
fn the_status_counts_and_says_what_hinders() {
    let mut seen = seen(2);
    grow(&mut seen, NOW);
    let good = status(&seen, None, &Settings::default());
    assert_eq!((good.replicas, good.ready_replicas, good.updated_replicas), (2, 2, 2));
    assert!(is_true(&good.conditions, "Available") && !is_true(&good.conditions, "Progressing"));
    seen.members[0].is_ready = false;
    seen.members[0].trouble =
        Some(crate::trouble::Trouble { reason: "ImagePullBackOff".into(), message: "m".into() });
    let bad = status(&seen, None, &Settings::default());
    let degraded = bad.conditions.iter().find(|c| c.type_ == "Degraded").unwrap();
    assert_eq!((degraded.status.as_str(), degraded.reason.as_str()), ("True", "ImagePullBackOff"));
    assert!(!is_true(&bad.conditions, "Available") && is_true(&bad.conditions, "Progressing"));
}

#[test]
fn a_worker_is_a_pod_of_its_group_with_a_name_of_its_own() {
    let seen = seen(1);
    let body =
        worker_body(&seen.group, seen.cluster.as_ref().unwrap(), &Settings::default(), "g-worker-1", (0, 0));
    assert_eq!(body["metadata"]["ownerReferences"][0]["kind"], "DaskWorkerGroup");
    assert_eq!(body["metadata"]["labels"]["dask.org/workergroup-name"], "g");
    let env = body["spec"]["containers"][0]["env"].as_array().unwrap();
    assert!(env.contains(&json!({"name": "DASK_WORKER_NAME", "value": "g-worker-1"})));
    assert!(env.contains(
        &json!({"name": "DASK_SCHEDULER_ADDRESS", "value": "tcp://c-scheduler.ns.svc.cluster.local:8786"})
    ));
}
