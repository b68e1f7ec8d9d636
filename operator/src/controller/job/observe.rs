//! Looks at a job, its cluster and its runners.

use crate::action::{Answer, Key, Kind};
use crate::api::{DaskCluster, DaskJob, Time};
use crate::cache::Id;
use crate::children::{ConfigMap, Pod, controller_uid, label};
use crate::controller::Context;
use crate::names::{self, COMPONENT};
use std::sync::Arc;

/// A job as it is.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The time of the look.
    pub now: Time,
    /// The job.
    pub job: Arc<DaskJob>,
    /// The cluster of its name, whoever's it is.
    pub cluster: Option<Arc<DaskCluster>>,
    /// Its runners, by name.
    pub runners: Vec<Arc<Pod>>,
    /// The ConfigMap with its inline graph.
    pub graph: Option<Arc<ConfigMap>>,
    /// What the ConfigMap that it names holds, or why that cannot be read.
    pub document: Option<Result<String, String>>,
    /// What the scheduler answered last.
    pub answer: Option<Answer>,
}

impl Seen {
    /// Its name.
    pub fn name(&self) -> &str {
        self.job.metadata.name.as_deref().unwrap_or_default()
    }

    /// The cluster, if it is this job's and stays.
    pub fn own_cluster(&self) -> Option<&Arc<DaskCluster>> {
        let ours = |c: &&Arc<DaskCluster>| controller_uid(&c.metadata) == self.job.metadata.uid.as_deref();
        self.cluster.as_ref().filter(ours).filter(|c| c.metadata.deletion_timestamp.is_none())
    }

    /// Runners that were started.
    pub fn attempts(&self) -> i32 {
        self.job.status.as_ref().and_then(|s| s.attempts).unwrap_or(0)
    }

    /// The runner of the current attempt.
    pub fn runner(&self) -> Option<&Arc<Pod>> {
        let name = names::runner(self.name(), self.attempts() - 1);
        self.runners.iter().find(|p| p.name() == name)
    }

    /// The id under which the current attempt's graph is submitted.
    pub fn submission(&self) -> String {
        format!("{}-{}", self.name(), self.attempts())
    }
}

/// Looks at a job; nothing if it is gone.
pub(super) fn observe(ctx: &Context, id: &Id) -> Option<Seen> {
    let job = Arc::clone(ctx.caches.jobs.get(id)?.object.as_ref().ok()?);
    let is_runner = |p: &Arc<Pod>| {
        label(&p.metadata, COMPONENT) == Some("job-runner")
            && controller_uid(&p.metadata) == job.metadata.uid.as_deref()
    };
    Some(Seen {
        now: ctx.now(),
        cluster: ctx.caches.clusters.get(id).and_then(|c| c.object.clone().ok()),
        runners: ctx.caches.pods.of_cluster(id).into_iter().filter(is_runner).collect(),
        graph: ctx.caches.config_maps.get(&Id::new(&id.namespace, &names::graph(&id.name))),
        document: None,
        answer: ctx.calls.answer(&Key { kind: Kind::Job, id: id.clone() }),
        job,
    })
}
