//! Looks at a cluster and its children.

use crate::action::{Answer, Key, Kind};
use crate::api::{DaskCluster, DaskWorkerGroup, Time};
use crate::cache::Id;
use crate::children::{Deployment, Pod, Service};
use crate::controller::Context;
use crate::names;
use std::sync::Arc;

/// A cluster as it is.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The time of the look.
    pub now: Time,
    /// The cluster.
    pub cluster: Arc<DaskCluster>,
    /// The scheduler's Deployment.
    pub deployment: Option<Arc<Deployment>>,
    /// The scheduler's Service.
    pub service: Option<Arc<Service>>,
    /// The default group.
    pub group: Option<Arc<DaskWorkerGroup>>,
    /// All groups that name the cluster.
    pub groups: Vec<Arc<DaskWorkerGroup>>,
    /// The scheduler's pods.
    pub schedulers: Vec<Arc<Pod>>,
    /// What the scheduler answered last.
    pub answer: Option<Answer>,
}

/// Looks at a cluster; nothing if it is gone.
pub(super) fn observe(ctx: &Context, id: &Id) -> Option<Seen> {
    let cluster = Arc::clone(ctx.caches.clusters.get(id)?.object.as_ref().ok()?);
    let scheduler = Id::new(&id.namespace, &names::scheduler(&id.name));
    let groups = ctx.groups_of(id);
    let default = names::default_group(&id.name);
    Some(Seen {
        now: ctx.now(),
        deployment: ctx.caches.deployments.get(&scheduler),
        service: ctx.caches.services.get(&scheduler),
        group: groups.iter().find(|g| g.metadata.name.as_deref() == Some(&*default)).cloned(),
        groups,
        schedulers: ctx.scheduler_pods(id),
        answer: ctx.calls.answer(&Key { kind: Kind::Cluster, id: id.clone() }),
        cluster,
    })
}
