//! How many workers a group should have, by what the scheduler wants.

use super::Seen;
use crate::action::{Action, Answer, Ask, Kind, Plan, owner, tell};
use crate::children::controller_uid;
use serde_json::json;
use std::time::Duration;

/// How often the scheduler is asked.
pub(super) const TARGET_POLL: Duration = Duration::from_secs(5);
/// Seconds of rest after a change.
const REST: i64 = 15;

/// The number of workers that the group should have now; nothing when it stays, or when nothing is known.
pub fn decide(seen: &Seen) -> Option<i32> {
    let (spec, group) = (&seen.autoscaler.spec, seen.group.as_ref()?);
    let current = group.spec.worker.replicas;
    let Some(Answer::Target(target)) = seen.answer else { return None };
    let others: i32 = seen.others.iter().filter_map(|g| g.status.as_ref()).map(|s| s.ready_replicas).sum();
    let most = spec.maximum.unwrap_or(i32::MAX);
    let wanted = target.saturating_sub(others).min(most).max(spec.minimum);
    let last = seen.autoscaler.status.as_ref().and_then(|s| s.last_scale_time.as_ref());
    let rests = last.is_some_and(|t| seen.now.0.as_second() - t.0.as_second() < REST);
    if wanted == current || (rests && current >= spec.minimum && current <= most) {
        return None;
    }
    // Down by a quarter at most: the need may come back before the workers have gone.
    let lowest = current - (current / 4).max(1);
    Some(if wanted < current && current <= most { wanted.max(lowest) } else { wanted })
}

/// What is to be done about an autoscaler that is valid; `scaled` is the number that its group is to have.
pub(super) fn desired(seen: &Seen, scaled: Option<i32>, plan: &mut Plan) {
    adopt(seen, plan);
    plan.ask = Some(Ask::Target);
    if let (Some(n), Some(group)) = (scaled, &seen.group) {
        let current = group.spec.worker.replicas;
        plan.actions.push(Action::Merge {
            kind: Kind::Group,
            name: group.metadata.name.clone().unwrap_or_default(),
            uid: group.metadata.uid.clone().unwrap_or_default(),
            patch: json!({"spec": {"worker": {"replicas": n}}}),
        });
        plan.actions.push(tell("Scaled", format!("from {current} to {n} workers")));
    }
}

/// The cluster owns its autoscaler, so that both go together.
fn adopt(seen: &Seen, plan: &mut Plan) {
    let meta = &seen.autoscaler.metadata;
    let Some(group) = &seen.group else { return };
    let cluster = group.metadata.owner_references.iter().flatten().find(|o| o.controller == Some(true));
    if let (None, Some(cluster)) = (controller_uid(meta), cluster) {
        let owned = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
            name: Some(cluster.name.clone()),
            uid: Some(cluster.uid.clone()),
            ..Default::default()
        };
        plan.actions.push(Action::Merge {
            kind: Kind::Autoscaler,
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            patch: json!({"metadata": {"ownerReferences": [owner(Kind::Cluster, &owned)]}}),
        });
    }
}
