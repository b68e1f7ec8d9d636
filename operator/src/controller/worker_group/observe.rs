//! Looks at a group, its cluster and its workers.

use super::desired::worker_labels;
use crate::action::{Answer, Key, Kind};
use crate::api::{DaskCluster, DaskWorkerGroup, Time};
use crate::cache::{ANY, Id};
use crate::children::{DisruptionBudget, Pod, annotation, controller_uid, label};
use crate::controller::Context;
use crate::names::{COMPONENT, HASH, RETIRING, SLOT, WORKER_GROUP};
use crate::trouble::{self, Trouble};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A group as it is.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The time of the look.
    pub now: Time,
    /// The group.
    pub group: Arc<DaskWorkerGroup>,
    /// Its cluster.
    pub cluster: Option<Arc<DaskCluster>>,
    /// Its workers, by name.
    pub members: Vec<Member>,
    /// The operator's disruption budget for them.
    pub budget: Option<Arc<DisruptionBudget>>,
    /// Name of a budget of somebody else's that covers them, too; two make every eviction fail.
    pub other_budget: Option<String>,
    /// Whether there is a scheduler that can be asked.
    pub has_scheduler: bool,
    /// What the scheduler answered last.
    pub answer: Option<Answer>,
}

/// A worker: a pod, or a Deployment of one pod that the old operator made.
#[derive(Clone, Debug)]
pub struct Member {
    /// What it is.
    pub kind: Kind,
    /// Its name, also to the scheduler.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// Address of the pod.
    pub ip: Option<String>,
    /// Whether it is ready.
    pub is_ready: bool,
    /// Whether it will not run again.
    pub is_over: bool,
    /// When it ended, if it is over.
    pub ended: Option<Timestamp>,
    /// Since when it is to leave.
    pub retiring: Option<Timestamp>,
    /// Hash of the template that it was made from; nothing on what the old operator made.
    pub hash: Option<String>,
    /// Images by container.
    pub images: BTreeMap<String, String>,
    /// Slot, and how many held it before.
    pub slot: Option<(u32, u32)>,
    /// What hinders it.
    pub trouble: Option<Trouble>,
}

impl Member {
    /// Whether its deletion was asked for.
    pub fn is_terminating(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// When it was made.
    pub fn made(&self) -> Option<Timestamp> {
        self.metadata.creation_timestamp.as_ref().map(|t| t.0)
    }
}

fn member(kind: Kind, meta: &ObjectMeta) -> Member {
    let slot = annotation(meta, SLOT).and_then(|s| s.split_once('.'));
    Member {
        kind,
        name: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
        metadata: meta.clone(),
        ip: None,
        is_ready: false,
        is_over: false,
        ended: None,
        // A mark that cannot be read is one all the same: as old as the worker.
        retiring: annotation(meta, RETIRING)
            .map(|t| t.parse().ok().or(meta.creation_timestamp.as_ref().map(|t| t.0)).unwrap_or_default()),
        hash: annotation(meta, HASH).map(str::to_string),
        images: BTreeMap::new(),
        slot: slot.and_then(|(slot, turn)| Some((slot.parse().ok()?, turn.parse().ok()?))),
        trouble: None,
    }
}

impl From<&Pod> for Member {
    fn from(pod: &Pod) -> Member {
        let images = pod.spec.containers.iter().filter_map(|c| Some((c.name.clone(), c.image.clone()?)));
        let ends = pod
            .status
            .container_statuses
            .iter()
            .filter_map(|c| c.state.terminated.as_ref()?.finished_at.as_ref());
        Member {
            ip: pod.status.pod_ip.clone(),
            images: images.collect(),
            is_ready: pod.is_ready(),
            is_over: pod.is_over(),
            ended: ends.map(|t| t.0).max(),
            trouble: trouble::of_pod(pod),
            ..member(Kind::Pod, &pod.metadata)
        }
    }
}

/// Looks at a group; nothing if it is gone.
pub(super) fn observe(ctx: &Context, id: &Id) -> Option<Seen> {
    let group = Arc::clone(ctx.caches.groups.get(id)?.object.as_ref().ok()?);
    let cluster_id = Id::new(&id.namespace, &group.spec.cluster);
    let uid = group.metadata.uid.as_deref();
    let is_ours = |meta: &ObjectMeta| controller_uid(meta) == uid && label(meta, COMPONENT) == Some("worker");
    let mut members: Vec<Member> = Vec::new();
    let pods = ctx.caches.pods.of_cluster(&cluster_id);
    members.extend(pods.iter().filter(|p| is_ours(&p.metadata)).map(|p| Member::from(&**p)));
    for old in ctx.caches.deployments.of_cluster(&cluster_id) {
        if is_ours(&old.metadata) && label(&old.metadata, WORKER_GROUP) == Some(&id.name) {
            let mut found = member(Kind::Deployment, &old.metadata);
            let is_its = |p: &&Arc<Pod>| p.is_of_deployment(&found.name) && !p.is_terminating();
            if let Some(pod) = pods.iter().find(is_its).map(|p| Member::from(&**p)) {
                // The scheduler may know it by its address only.
                found = Member { ip: pod.ip, is_ready: pod.is_ready, trouble: pod.trouble, ..found };
            }
            members.push(found);
        }
    }
    let labels = worker_labels(&group);
    let others = ctx.caches.budgets.of_cluster(&Id::new(&id.namespace, ANY));
    let other_budget = others.iter().find(|b| b.covers(&labels)).and_then(|b| b.metadata.name.clone());
    let cluster = ctx.caches.clusters.get(&cluster_id).and_then(|c| c.object.clone().ok());
    Some(Seen {
        now: ctx.now(),
        members,
        budget: ctx.caches.budgets.get(id).filter(|b| controller_uid(&b.metadata) == uid),
        other_budget,
        has_scheduler: ctx.scheduler_address(&cluster_id).is_some(),
        answer: ctx.calls.answer(&Key { kind: Kind::Group, id: id.clone() }),
        cluster,
        group,
    })
}
