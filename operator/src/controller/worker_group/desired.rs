//! What a group should have: as many workers as it says, of the shape that it says; and how those that leave do so without
//! losing what they hold.

use super::{Member, Seen};
use crate::action::{Action, Answer, Ask, Kind, Plan, Worker, owner, tell, warn};
use crate::api::{DaskCluster, DaskWorkerGroup, Engine, UpdateStrategyType};
use crate::children::{annotation, controller_uid};
use crate::fill::{self, Role};
use crate::metadata::{self, Component, holds};
use crate::names::{self, DISRUPTION_BUDGET, HASH, RETIRING, SAFE_TO_EVICT, SLOT};
use crate::settings::Settings;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Workers that are made in one turn, so that other objects have theirs.
const BATCH: usize = 100;
/// How often a scheduler is asked again to retire workers.
pub(super) const RETIRE_POLL: Duration = Duration::from_secs(2);
/// Seconds after which a worker leaves when its scheduler has no API by which it can be asked.
const WITHOUT_API: i64 = 30;
/// Seconds that a retired worker of stock Dask has to end: it holds nothing any more, and its preStop hook would wait.
const RETIRED_GRACE: u32 = 1;
/// A worker that failed sooner than this many seconds after it was made is not replaced at once.
const SHORT_LIFE: i64 = 60;
/// Seconds of the longest wait before such a worker is replaced.
const LONGEST_WAIT: i64 = 300;

/// Workers that a group should have now.
pub(super) fn wanted(seen: &Seen) -> usize {
    let cluster = seen.cluster.as_ref();
    let asleep = cluster.and_then(|c| c.status.as_ref()).is_some_and(|s| s.scaled_to_zero);
    if asleep { 0 } else { usize::try_from(seen.group.spec.worker.replicas).unwrap_or(0) }
}

/// A worker's pod, for this name, slot and turn; the hash of the template is not among its annotations yet.
pub fn worker_body(
    group: &DaskWorkerGroup,
    cluster: &DaskCluster,
    settings: &Settings,
    name: &str,
    slot: (u32, u32),
) -> Value {
    let (meta, spec) = (&group.metadata, &group.spec);
    let mut annotations = metadata::annotations(meta, spec.worker.metadata.as_ref());
    annotations.entry(SAFE_TO_EVICT.into()).or_insert_with(|| "true".into());
    annotations.insert(SLOT.into(), format!("{}.{}", slot.0, slot.1));
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": meta.namespace,
            "labels": worker_labels(group),
            "annotations": annotations,
            "ownerReferences": [owner(Kind::Group, meta)],
        },
        "spec": worker_pod(group, cluster, settings, name),
    })
}

/// The labels of a group's workers.
pub(super) fn worker_labels(group: &DaskWorkerGroup) -> metadata::Map {
    let (meta, spec) = (&group.metadata, &group.spec);
    let component =
        Component { cluster: &spec.cluster, name: "worker", group: meta.name.as_deref(), is_pod: true };
    metadata::labels(meta, spec.worker.metadata.as_ref(), component)
}

fn worker_pod(group: &DaskWorkerGroup, cluster: &DaskCluster, settings: &Settings, name: &str) -> Value {
    let namespace = group.metadata.namespace.as_deref().unwrap_or_default();
    let address = names::scheduler_address(&group.spec.cluster, namespace, &settings.cluster_domain);
    let layers = [&group.spec.worker.container, &cluster.spec.container];
    let env = fill::worker_env(name, &address);
    Value::Object(fill::pod(Role::Worker, &group.spec.worker.spec, &cluster.spec, &layers, &env, settings))
}

/// Hash of what all workers of a group have in common: another one means that workers are to be replaced.
pub(super) fn template_hash(group: &DaskWorkerGroup, cluster: &DaskCluster, settings: &Settings) -> String {
    Template::new(group, cluster, settings).hash
}

/// What is to be done about a group that is valid.
pub(super) fn desired(seen: &Seen, settings: &Settings) -> Plan {
    let mut plan = Plan::default();
    let Some(cluster) = seen.cluster.as_deref() else { return plan };
    adopt(seen, cluster, &mut plan);
    if cluster.metadata.deletion_timestamp.is_some() {
        return plan;
    }
    let template = Template::new(&seen.group, cluster, settings);
    let wanted = wanted(seen);
    let (mut active, mut leaving): (Vec<&Member>, Vec<&Member>) =
        seen.members.iter().filter(|m| !m.is_over && !m.is_terminating()).partition(|m| m.retiring.is_none());

    inherit(&active, &template.hash, &mut plan);
    let surplus = surplus(&active, wanted, &template);
    let outdated = if surplus.is_empty() { outdated(seen, &active, wanted, &template) } else { Vec::new() };
    let chosen: BTreeSet<&str> = surplus.iter().chain(&outdated).map(|m| m.name.as_str()).collect();
    for member in surplus.iter().chain(&outdated) {
        if member.is_ready {
            mark(member, seen.now.0, &mut plan);
            leaving.push(member);
        } else {
            plan.actions.push(delete(member, None));
        }
    }
    active.retain(|m| !chosen.contains(m.name.as_str()));

    retire(seen, cluster, &leaving, &mut plan);
    let waiting = bury(seen, &mut plan);
    let missing = wanted.saturating_sub(active.len());
    create(seen, cluster, settings, &template.hash, missing, &waiting, &mut plan);
    active.iter().filter(|m| m.kind == Kind::Pod).for_each(|m| repair(seen, m, &mut plan));
    budget(seen, wanted, &mut plan);
    plan
}

// --- ownership --------------------------------------------------------------------------------------------------

/// Makes the cluster the owner of a group that names it.
fn adopt(seen: &Seen, cluster: &DaskCluster, plan: &mut Plan) {
    let meta = &seen.group.metadata;
    let labels: metadata::Map = [(names::CLUSTER_NAME.to_string(), seen.group.spec.cluster.clone())].into();
    let is_owned = controller_uid(meta).is_some();
    if is_owned && holds(meta.labels.as_ref(), &labels) {
        return;
    }
    let mut patch = json!({"metadata": {"labels": labels}});
    if !is_owned && cluster.metadata.deletion_timestamp.is_none() {
        let mut owners = json!(meta.owner_references.clone().unwrap_or_default());
        owners.as_array_mut().into_iter().for_each(|o| o.push(owner(Kind::Cluster, &cluster.metadata)));
        patch["metadata"]["ownerReferences"] = owners;
    }
    plan.actions.push(Action::Merge {
        kind: Kind::Group,
        name: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
        patch,
    });
}

/// Notes on the old operator's workers what the spec was when they were found: they stay until it changes.
fn inherit(active: &[&Member], hash: &str, plan: &mut Plan) {
    for member in active.iter().filter(|m| m.hash.is_none()) {
        let patch = json!({"metadata": {"annotations": {HASH: hash}}});
        plan.actions.push(Action::Merge {
            kind: member.kind,
            name: member.name.clone(),
            uid: member.uid.clone(),
            patch,
        });
    }
}

/// Puts labels back that somebody took from a worker.
fn repair(seen: &Seen, member: &Member, plan: &mut Plan) {
    let labels = worker_labels(&seen.group);
    if !holds(member.metadata.labels.as_ref(), &labels) {
        let patch = json!({"metadata": {"labels": labels}});
        plan.actions.push(Action::Merge {
            kind: Kind::Pod,
            name: member.name.clone(),
            uid: member.uid.clone(),
            patch,
        });
    }
}

// --- who leaves -----------------------------------------------------------------------------------------------------

/// Workers that are too many: those that are not ready first, then those of an older spec, then the newest.
fn surplus<'a>(active: &[&'a Member], wanted: usize, template: &Template) -> Vec<&'a Member> {
    let mut order: Vec<&Member> = active.to_vec();
    order.sort_by_key(|m| (m.is_ready, template.is_of(m), std::cmp::Reverse(m.made()), m.name.clone()));
    order.truncate(active.len().saturating_sub(wanted));
    order
}

/// What all workers of a group have in common.
struct Template {
    hash: String,
    /// Images by container: the one thing that can be edited in a pod that runs, and matters.
    images: BTreeMap<String, String>,
}

impl Template {
    fn new(group: &DaskWorkerGroup, cluster: &DaskCluster, settings: &Settings) -> Template {
        let pod = worker_pod(group, cluster, settings, "{name}");
        let hash = fill::hash(&json!([pod, group.spec.worker.metadata]));
        let containers = pod["containers"].as_array();
        let text = |c: &Value, key: &str| c[key].as_str().map(str::to_string);
        let images =
            containers.into_iter().flatten().filter_map(|c| Some((text(c, "name")?, text(c, "image")?)));
        Template { images: images.collect(), hash }
    }

    /// Whether a worker was made from it, and is so still.
    fn is_of(&self, member: &Member) -> bool {
        let same =
            |(name, image): (&String, &String)| self.images.get(name).is_none_or(|wanted| wanted == image);
        member.hash.as_deref().is_none_or(|h| h == self.hash)
            && (member.hash.is_none() || member.images.iter().all(same))
    }
}

/// Workers of an older spec that may be replaced now.
fn outdated<'a>(seen: &Seen, active: &[&'a Member], wanted: usize, template: &Template) -> Vec<&'a Member> {
    let strategy = seen.group.spec.worker.update_strategy.clone().unwrap_or_default();
    if strategy.type_ == UpdateStrategyType::OnDelete {
        return Vec::new();
    }
    let (ready, idle): (Vec<&Member>, Vec<&Member>) =
        active.iter().copied().filter(|m| !template.is_of(m)).partition(|m| m.is_ready);
    let missing = wanted.saturating_sub(active.iter().filter(|m| m.is_ready).count());
    let budget = max_unavailable(strategy.max_unavailable.as_ref(), wanted).saturating_sub(missing);
    idle.into_iter().chain(ready.into_iter().take(budget)).collect()
}

/// Workers that may be missing while others are replaced; at least one, or nothing would ever change.
fn max_unavailable(given: Option<&IntOrString>, wanted: usize) -> usize {
    let percent = |text: &str| text.trim_end_matches('%').parse::<usize>().ok().map(|p| wanted * p / 100);
    let number = match given {
        Some(IntOrString::Int(n)) => usize::try_from(*n).ok(),
        Some(IntOrString::String(text)) => percent(text),
        None => percent("25%"),
    };
    number.unwrap_or(1).max(1)
}

/// Records that a worker is to leave, before anybody is told.
fn mark(member: &Member, now: Timestamp, plan: &mut Plan) {
    plan.actions.push(Action::Merge {
        kind: member.kind,
        name: member.name.clone(),
        uid: member.uid.clone(),
        patch: json!({"metadata": {"annotations": {RETIRING: now.to_string()}}}),
    });
}

fn delete(member: &Member, grace: Option<u32>) -> Action {
    Action::Delete { kind: member.kind, name: member.name.clone(), uid: member.uid.clone(), grace }
}

// --- how they leave -------------------------------------------------------------------------------------------------

fn retire(seen: &Seen, cluster: &DaskCluster, leaving: &[&Member], plan: &mut Plan) {
    let timeout = cluster.spec.retire_timeout_seconds.unwrap_or(300);
    let gone: BTreeSet<&str> = match &seen.answer {
        Some(Answer::Retired(uids)) => uids.iter().map(String::as_str).collect(),
        _ => BTreeSet::new(),
    };
    let mut asked = Vec::new();
    for member in leaving {
        let since = member.retiring.unwrap_or(seen.now.0);
        let waited = seen.now.0.as_second() - since.as_second();
        // An answer from before it was chosen says nothing about it.
        if member.retiring.is_some() && gone.contains(member.uid.as_str()) {
            // An engine's worker has ended. Should its container have been started again since, it has time to hand over anew.
            let grace = (fill::engine(&cluster.spec) == Engine::Dask).then_some(RETIRED_GRACE);
            plan.actions.push(delete(member, grace));
        } else if !member.is_ready && !seen.has_scheduler && member.ip.is_none() {
            plan.actions.push(delete(member, None));
        } else if seen.answer == Some(Answer::NoApi) && waited >= WITHOUT_API.min(timeout) {
            plan.actions.push(warn(
                "NotRetired",
                format!(
                    "worker {} leaves without its results being moved: the scheduler serves no /api/v1",
                    member.name
                ),
            ));
            plan.actions.push(delete(member, None));
        } else if waited >= timeout {
            let why = match &seen.answer {
                Some(Answer::Failed(why)) => why.as_str(),
                _ if !seen.has_scheduler => "there is no scheduler that is ready",
                _ => "the scheduler has not let it go",
            };
            plan.actions.push(warn(
                "NotRetired",
                format!(
                    "worker {} was not retired within spec.retireTimeoutSeconds, {timeout} s: {why}; it is deleted, and what only \
                     it holds is computed again",
                    member.name
                ),
            ));
            plan.actions.push(delete(member, None));
        } else {
            asked.push(*member);
        }
    }
    // Stock workers that somebody else deletes wait in their preStop hook for this; the engine's hand over by themselves.
    if fill::engine(&cluster.spec) == Engine::Dask && seen.answer != Some(Answer::NoApi) {
        let ending = seen.members.iter().filter(|m| {
            m.kind == Kind::Pod && m.is_terminating() && !m.is_over && m.retiring.is_none() && m.is_ready
        });
        for member in ending {
            if gone.contains(member.uid.as_str()) {
                plan.actions.push(delete(member, Some(RETIRED_GRACE)));
                // Marked, so that this is done once.
                mark(member, seen.now.0, plan);
            } else {
                asked.push(member);
            }
        }
    }
    if !asked.is_empty() {
        let workers =
            asked.iter().map(|m| Worker { uid: m.uid.clone(), name: m.name.clone(), ip: m.ip.clone() });
        plan.ask = Some(Ask::Retire(workers.collect()));
        plan.look_again(RETIRE_POLL);
    }
}

// --- who comes -----------------------------------------------------------------------------------------------------

/// Deletes what is over. Returns the slots that wait, and until when: whoever fails soon after the start is not replaced
/// at once again and again.
fn bury(seen: &Seen, plan: &mut Plan) -> BTreeMap<u32, Timestamp> {
    let mut waiting = BTreeMap::new();
    for member in seen.members.iter().filter(|m| m.is_over && !m.is_terminating()) {
        let (ended, made) = (member.ended.unwrap_or(seen.now.0), member.made().unwrap_or(seen.now.0));
        let failed_soon = member.trouble.is_some() && ended.as_second() - made.as_second() < SHORT_LIFE;
        if let Some((slot, turn)) = member.slot.filter(|_| failed_soon) {
            let wait = (1i64 << turn.min(16)).min(LONGEST_WAIT);
            if let Ok(until) = Timestamp::from_second(ended.as_second() + wait)
                && until > seen.now.0
            {
                waiting.insert(slot, until);
                let left = until.as_second() - seen.now.0.as_second();
                plan.look_again(Duration::from_secs(left.max(1).cast_unsigned()));
                continue;
            }
        }
        if let Some(t) = &member.trouble {
            plan.actions.push(warn("WorkerFailed", format!("{}; it is replaced", t.message)));
        }
        plan.actions.push(delete(member, None));
    }
    waiting
}

fn create(
    seen: &Seen,
    cluster: &DaskCluster,
    settings: &Settings,
    hash: &str,
    missing: usize,
    waiting: &BTreeMap<u32, Timestamp>,
    plan: &mut Plan,
) {
    if missing == 0 {
        return;
    }
    let meta = &seen.group.metadata;
    let (group, uid) = (meta.name.as_deref().unwrap_or_default(), meta.uid.as_deref().unwrap_or_default());
    let held = |m: &&Member| !m.is_over && !m.is_terminating();
    let taken: BTreeSet<u32> = seen.members.iter().filter(held).filter_map(|m| Some(m.slot?.0)).collect();
    let mut turns: BTreeMap<u32, u32> = BTreeMap::new();
    for (slot, turn) in seen.members.iter().filter_map(|m| m.slot) {
        let next = turns.entry(slot).or_default();
        *next = (*next).max(turn + 1);
    }
    // A slot that waits counts as made: its worker is to come.
    let missing = missing.saturating_sub(waiting.keys().filter(|slot| !taken.contains(slot)).count());
    let free = (0..).filter(|slot| !taken.contains(slot) && !waiting.contains_key(slot));
    for slot in free.take(missing.min(BATCH)) {
        let turn = turns.get(&slot).copied().unwrap_or(0);
        let name = names::worker(group, uid, slot, turn);
        let mut body = worker_body(&seen.group, cluster, settings, &name, (slot, turn));
        body["metadata"]["annotations"][HASH] = json!(hash);
        plan.actions.push(Action::Create { kind: Kind::Pod, body });
    }
    if missing > BATCH {
        plan.look_again(Duration::ZERO);
    }
}

// --- disruption ------------------------------------------------------------------------------------------------------

/// The budget by which evictions take one worker at a time.
pub fn budget_body(group: &DaskWorkerGroup) -> Value {
    let meta = &group.metadata;
    let name = meta.name.as_deref().unwrap_or_default();
    let component =
        Component { cluster: &group.spec.cluster, name: "worker", group: Some(name), is_pod: false };
    json!({
        "apiVersion": Kind::DisruptionBudget.api_version(),
        "kind": Kind::DisruptionBudget.name(),
        "metadata": {
            "name": name,
            "namespace": meta.namespace,
            "labels": metadata::labels(meta, None, component),
            "annotations": {HASH: "1"},
            "ownerReferences": [owner(Kind::Group, meta)],
        },
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": {names::WORKER_GROUP: name, names::COMPONENT: "worker"}},
        },
    })
}

fn budget(seen: &Seen, wanted: usize, plan: &mut Plan) {
    let why_none = match &seen.other_budget {
        _ if annotation(&seen.group.metadata, DISRUPTION_BUDGET) == Some("false") => {
            Some(format!("{DISRUPTION_BUDGET} is \"false\""))
        }
        Some(other) => {
            Some(format!("PodDisruptionBudget {other} covers the workers, and two make every eviction fail"))
        }
        // Kubernetes adds up what pods' controllers want: the group and each of these count, and too many would be missing.
        None if seen.members.iter().any(|m| m.kind == Kind::Deployment) => {
            Some("some workers are still Deployments of the old operator".into())
        }
        None => None,
    };
    match (&seen.budget, why_none) {
        (None, None) if wanted > 1 => {
            plan.actions
                .push(Action::Create { kind: Kind::DisruptionBudget, body: budget_body(&seen.group) });
        }
        (Some(budget), Some(why)) => {
            let uid = budget.metadata.uid.clone().unwrap_or_default();
            let name = budget.metadata.name.clone().unwrap_or_default();
            plan.actions.push(Action::Delete { kind: Kind::DisruptionBudget, name, uid, grace: None });
            plan.actions.push(tell("BudgetRemoved", why));
        }
        _ => {}
    }
}
