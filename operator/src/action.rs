//! What decisions are made of: writes to the API server, and questions to schedulers.

use crate::cache::Id;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};
use std::time::Duration;

/// Kinds of objects that the operator watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// DaskCluster.
    Cluster,
    /// DaskWorkerGroup.
    Group,
    /// DaskJob.
    Job,
    /// DaskAutoscaler.
    Autoscaler,
    /// Pod.
    Pod,
    /// Deployment.
    Deployment,
    /// Service.
    Service,
    /// ConfigMap.
    ConfigMap,
    /// PodDisruptionBudget.
    DisruptionBudget,
    /// HorizontalPodAutoscaler.
    HorizontalPodAutoscaler,
}

impl Kind {
    /// Its name, as in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Cluster => "DaskCluster",
            Kind::Group => "DaskWorkerGroup",
            Kind::Job => "DaskJob",
            Kind::Autoscaler => "DaskAutoscaler",
            Kind::Pod => "Pod",
            Kind::Deployment => "Deployment",
            Kind::Service => "Service",
            Kind::ConfigMap => "ConfigMap",
            Kind::DisruptionBudget => "PodDisruptionBudget",
            Kind::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
        }
    }

    /// Its API version, as in manifests.
    pub fn api_version(self) -> &'static str {
        match self {
            Kind::Cluster | Kind::Group | Kind::Job | Kind::Autoscaler => "kubernetes.dask.org/v1",
            Kind::Pod | Kind::Service | Kind::ConfigMap => "v1",
            Kind::Deployment => "apps/v1",
            Kind::DisruptionBudget => "policy/v1",
            Kind::HorizontalPodAutoscaler => "autoscaling/v2",
        }
    }

    /// Path of its objects in a namespace.
    pub fn path(self, namespace: &str) -> String {
        let group = match self.api_version() {
            "v1" => "api/v1".to_string(),
            version => format!("apis/{version}"),
        };
        format!("/{group}/namespaces/{namespace}/{}s", self.name().to_lowercase())
    }
}

/// A write. All of them carry what keeps them from doing harm when the operator's look was stale.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Creates an object; that it is there already means to look again.
    Create {
        /// Its kind.
        kind: Kind,
        /// The object, with its name and owner.
        body: Value,
    },
    /// Changes an object by a merge patch, if it has this uid.
    Merge {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// Its uid.
        uid: String,
        /// The patch.
        patch: Value,
    },
    /// Replaces parts of an object, if it has this uid: what stands at these pointers.
    Replace {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// Its uid.
        uid: String,
        /// JSON pointers and values.
        parts: Vec<(&'static str, Value)>,
    },
    /// Deletes an object, if it has this uid.
    Delete {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// Its uid.
        uid: String,
        /// Seconds that a pod has to end; its own when absent.
        grace: Option<u32>,
    },
    /// Tells people, at the object that is reconciled.
    Event(Note),
}

/// What people are told by an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Note {
    /// Whether something is wrong.
    pub warning: bool,
    /// In a word.
    pub reason: &'static str,
    /// In a sentence.
    pub message: String,
}

/// An event about something that is wrong.
pub fn warn(reason: &'static str, message: impl Into<String>) -> Action {
    Action::Event(Note { warning: true, reason, message: message.into() })
}

/// An event about something that goes its way.
pub fn tell(reason: &'static str, message: impl Into<String>) -> Action {
    Action::Event(Note { warning: false, reason, message: message.into() })
}

/// What is to be done about an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Writes, in their order.
    pub actions: Vec<Action>,
    /// A question to the cluster's scheduler.
    pub ask: Option<Ask>,
    /// When to look again, even if nothing happens.
    pub again: Option<Duration>,
}

impl Plan {
    /// Looks again after this time at the latest.
    pub fn look_again(&mut self, after: Duration) {
        self.again = Some(self.again.map_or(after, |a| a.min(after)));
    }
}

/// A question to a scheduler's HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Since when it has had nothing to do.
    Idle,
    /// How many workers it wants.
    Target,
    /// To retire workers: take their results elsewhere and let them go.
    Retire(Vec<Worker>),
    /// How far a job is.
    Progress(String),
}

/// A worker, as Kubernetes knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Uid of the pod: a later one may have its name.
    pub uid: String,
    /// Name of the pod.
    pub name: String,
    /// Address of the pod.
    pub ip: Option<String>,
}

/// What a scheduler answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Since when it has had nothing to do, in seconds since 1970; nothing when it works.
    Idle(Option<f64>),
    /// How many workers it wants.
    Target(i32),
    /// Uids of the workers that are gone: retired, or not known to it.
    Retired(Vec<String>),
    /// How far a job is: done and all tasks, seconds so far.
    Progress {
        /// Tasks done.
        done: i64,
        /// Tasks in all.
        tasks: i64,
        /// Seconds since it began.
        seconds: f64,
    },
    /// It has no such API.
    NoApi,
    /// It did not answer, or not so that it can be understood.
    Failed(String),
}

/// A name in a namespace, of a kind: what is reconciled.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The kind.
    pub kind: Kind,
    /// Where it is.
    pub id: Id,
}

impl Key {
    /// The key of an object.
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Key {
        Key { kind, id: Id::new(namespace, name) }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.id)
    }
}

/// The reference by which an object owns its children.
pub fn owner(kind: Kind, meta: &ObjectMeta) -> Value {
    json!({
        "apiVersion": kind.api_version(),
        "kind": kind.name(),
        "name": meta.name,
        "uid": meta.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api_server() {
        assert_eq!(Kind::Pod.path("a"), "/api/v1/namespaces/a/pods");
        assert_eq!(Kind::Deployment.path("a"), "/apis/apps/v1/namespaces/a/deployments");
        assert_eq!(Kind::Group.path("a"), "/apis/kubernetes.dask.org/v1/namespaces/a/daskworkergroups");
        assert_eq!(Kind::DisruptionBudget.path("a"), "/apis/policy/v1/namespaces/a/poddisruptionbudgets");
    }
}
