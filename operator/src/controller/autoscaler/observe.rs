//! Looks at an autoscaler, its group and what the scheduler wants.

use crate::action::{Answer, Key, Kind};
use crate::api::{DaskAutoscaler, DaskWorkerGroup, Time};
use crate::cache::{ANY, Id};
use crate::children::HorizontalPodAutoscaler;
use crate::controller::Context;
use crate::names;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::sync::Arc;

/// An autoscaler as it is.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The time of the look.
    pub now: Time,
    /// The autoscaler.
    pub autoscaler: Arc<DaskAutoscaler>,
    /// The group that it scales.
    pub group: Option<Arc<DaskWorkerGroup>>,
    /// The cluster's other groups.
    pub others: Vec<Arc<DaskWorkerGroup>>,
    /// Who scales the same group: older autoscalers, and HorizontalPodAutoscalers, which cannot yield.
    pub rivals: Vec<String>,
    /// Whether the cluster is there.
    pub has_cluster: bool,
    /// Whether the cluster's workers were let go for want of work.
    pub asleep: bool,
    /// What the scheduler answered last.
    pub answer: Option<Answer>,
}

/// Name of the group that an autoscaler scales.
pub(super) fn group_name(autoscaler: &DaskAutoscaler) -> String {
    autoscaler.spec.worker_group.clone().unwrap_or_else(|| names::default_group(&autoscaler.spec.cluster))
}

fn rival(kind: &str, meta: &ObjectMeta) -> String {
    format!("{kind} {:?}", meta.name.as_deref().unwrap_or_default())
}

/// Looks at an autoscaler; nothing if it is gone.
pub(super) fn observe(ctx: &Context, id: &Id) -> Option<Seen> {
    let autoscaler = Arc::clone(ctx.caches.autoscalers.get(id)?.object.as_ref().ok()?);
    let cluster = Id::new(&id.namespace, &autoscaler.spec.cluster);
    let target = group_name(&autoscaler);
    let (group, others) = ctx
        .groups_of(&cluster)
        .into_iter()
        .partition::<Vec<_>, _>(|g| g.metadata.name.as_deref() == Some(&*target));
    let age =
        |a: &DaskAutoscaler| (a.metadata.creation_timestamp.clone().map(|t| t.0), a.metadata.name.clone());
    let rivals =
        ctx.caches.autoscalers.of_cluster(&cluster).into_iter().filter_map(|a| a.object.clone().ok());
    let older = |a: &Arc<DaskAutoscaler>| group_name(a) == target && age(a) < age(&autoscaler);
    let default = target == names::default_group(&autoscaler.spec.cluster);
    let is_rival = |h: &HorizontalPodAutoscaler| {
        let scaled = &h.spec.scale_target_ref;
        (scaled.kind == "DaskWorkerGroup" && scaled.name == target)
            || (default && scaled.kind == "DaskCluster" && scaled.name == autoscaler.spec.cluster)
    };
    let hpas = ctx.caches.hpas.of_cluster(&Id::new(&id.namespace, ANY));
    let hpas = hpas.iter().filter(|h| is_rival(h)).map(|h| rival("HorizontalPodAutoscaler", &h.metadata));
    let rivals = rivals.filter(older).map(|a| rival("DaskAutoscaler", &a.metadata)).chain(hpas).collect();
    let found = ctx.caches.clusters.get(&cluster).and_then(|c| c.object.clone().ok());
    Some(Seen {
        now: ctx.now(),
        group: group.into_iter().next(),
        others,
        rivals,
        has_cluster: found.is_some(),
        asleep: found.as_ref().and_then(|c| c.status.as_ref()).is_some_and(|s| s.scaled_to_zero),
        answer: ctx.calls.answer(&Key { kind: Kind::Autoscaler, id: id.clone() }),
        autoscaler,
    })
}
