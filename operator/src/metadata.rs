//! Labels and annotations of children, in the order of the contract: the custom resource's, then those of its spec, then the
//! operator's own; the later wins.

use crate::api::Metadata;
use crate::children::or_empty;
use crate::names::{CLUSTER_NAME, COMPONENT, ISTIO, WORKER_GROUP, is_bookkeeping};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// Keys and values.
pub type Map = BTreeMap<String, String>;

/// What a child stands for.
#[derive(Clone, Copy, Debug)]
pub struct Component<'a> {
    /// Name of the cluster.
    pub cluster: &'a str,
    /// `scheduler`, `worker`, `job-runner` or `workergroup`.
    pub name: &'a str,
    /// Name of the worker group.
    pub group: Option<&'a str>,
    /// Whether it is, or makes, a pod.
    pub is_pod: bool,
}

/// The labels of a child.
pub fn labels(parent: &ObjectMeta, given: Option<&Metadata>, component: Component<'_>) -> Map {
    let mut all = or_empty(parent.labels.as_ref()).clone();
    all.extend(given.into_iter().flat_map(|m| m.labels.clone()));
    // A parent may be a child itself.
    all.remove(WORKER_GROUP);
    let own = [
        (CLUSTER_NAME, Some(component.cluster)),
        (COMPONENT, Some(component.name)),
        (WORKER_GROUP, component.group),
        (ISTIO, component.is_pod.then_some("false")),
    ];
    all.extend(own.into_iter().filter_map(|(key, value)| Some((key.to_string(), value?.to_string()))));
    all
}

/// The annotations of a child.
pub fn annotations(parent: &ObjectMeta, given: Option<&Metadata>) -> Map {
    let mut all = or_empty(parent.annotations.as_ref()).clone();
    all.extend(given.into_iter().flat_map(|m| m.annotations.clone()));
    all.retain(|key, _| !is_bookkeeping(key));
    all
}

/// Labels by which a component's pods are found.
pub fn selector(cluster: &str, component: &str) -> Map {
    [(CLUSTER_NAME, cluster), (COMPONENT, component)].map(|(k, v)| (k.to_string(), v.to_string())).into()
}

/// A selector as `kubectl get -l` takes it.
pub fn selector_text(labels: &Map) -> String {
    labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",")
}

/// Whether labels or annotations hold all that is wanted.
pub fn holds(actual: Option<&Map>, wanted: &Map) -> bool {
    let actual = or_empty(actual);
    wanted.iter().all(|(key, value)| actual.get(key) == Some(value))
}
