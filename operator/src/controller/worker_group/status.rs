//! What people and programs read about a group.

use super::Seen;
use super::desired::{template_hash, wanted};
use crate::action::Answer;
use crate::api::DaskWorkerGroupStatus;
use crate::conditions::Conditions;
use crate::controller::Failure;
use crate::controller::cluster::Refusal;
use crate::metadata::selector_text;
use crate::names::{COMPONENT, WORKER_GROUP};
use crate::settings::Settings;
use crate::trouble::{self, Trouble};

/// The status of a group that nothing is made for.
pub(super) fn refused(seen: &Seen, refusal: &Refusal) -> DaskWorkerGroupStatus {
    let mut status = counts(seen, None);
    let mut conditions = Conditions::new(&old(seen).conditions, seen.group.metadata.generation, &seen.now);
    conditions.set("Available", false, refusal.reason, &refusal.message);
    conditions.set("Progressing", false, refusal.reason, "no worker is made");
    conditions.set("Degraded", true, refusal.reason, &refusal.message);
    status.conditions = conditions.finish();
    status
}

fn old(seen: &Seen) -> DaskWorkerGroupStatus {
    seen.group.status.clone().unwrap_or_default()
}

fn counts(seen: &Seen, hash: Option<&str>) -> DaskWorkerGroupStatus {
    let present = || seen.members.iter().filter(|m| !m.is_over && !m.is_terminating());
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let name = seen.group.metadata.name.clone().unwrap_or_default();
    let selector = [(WORKER_GROUP.to_string(), name), (COMPONENT.to_string(), "worker".to_string())].into();
    DaskWorkerGroupStatus {
        observed_generation: seen.group.metadata.generation,
        replicas: count(present().count()),
        ready_replicas: count(present().filter(|m| m.is_ready).count()),
        updated_replicas: count(present().filter(|m| m.hash.as_deref() == hash).count()),
        selector: Some(selector_text(&selector)),
        conditions: Vec::new(),
    }
}

/// The status of a group after its workers were seen to.
pub(super) fn status(seen: &Seen, failure: Option<&Failure>, settings: &Settings) -> DaskWorkerGroupStatus {
    let hash = seen.cluster.as_ref().map(|c| template_hash(&seen.group, c, settings));
    let mut status = counts(seen, hash.as_deref());
    let wanted = i32::try_from(wanted(seen)).unwrap_or(i32::MAX);
    let retiring =
        seen.members.iter().filter(|m| m.retiring.is_some() && !m.is_terminating() && !m.is_over).count();
    let text = format!("{} of {wanted} workers are ready", status.ready_replicas);
    let leaving =
        if retiring > 0 { format!(", {retiring} hand over their results and leave") } else { String::new() };

    let mut conditions = Conditions::new(&old(seen).conditions, seen.group.metadata.generation, &seen.now);
    let is_full = status.ready_replicas >= wanted;
    conditions.set("Available", is_full, if is_full { "WorkersReady" } else { "WorkersMissing" }, &text);
    let is_settled = is_full && status.replicas == wanted && status.updated_replicas == wanted;
    let reason = match () {
        () if is_settled => "Settled",
        () if retiring > 0 => "Retiring",
        () => "Scaling",
    };
    conditions.set("Progressing", !is_settled, reason, format!("{text}{leaving}"));
    match (failure, trouble(seen)) {
        (Some(f), _) => conditions.set("Degraded", true, f.reason, &f.message),
        (None, Some(t)) => conditions.set("Degraded", true, &t.reason, t.message),
        (None, None) => conditions.set("Degraded", false, "Healthy", ""),
    }
    if seen.answer == Some(Answer::NoApi) {
        conditions.set(
            "NoSchedulerAPI",
            true,
            "NotServed",
            "the scheduler serves no /api/v1: workers leave without handing over",
        );
    }
    status.conditions = conditions.finish();
    status
}

fn trouble(seen: &Seen) -> Option<Trouble> {
    let present = seen.members.iter().filter(|m| !m.is_terminating());
    trouble::in_one(present.filter_map(|m| m.trouble.clone()), "workers")
}
