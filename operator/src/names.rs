//! Names, labels and annotations: the contract with users' tools, and this operator's own marks.

use crate::api::GROUP;
use sha2::{Digest, Sha256};

/// Label: name of the cluster. Every child has it, and only what has it is watched.
pub const CLUSTER_NAME: &str = "dask.org/cluster-name";
/// Label: `scheduler`, `worker`, `job-runner` or `workergroup`.
pub const COMPONENT: &str = "dask.org/component";
/// Label: name of the worker group.
pub const WORKER_GROUP: &str = "dask.org/workergroup-name";
/// Label that keeps Istio's proxy out of pods, through which workers cannot reach each other.
pub const ISTIO: &str = "sidecar.istio.io/inject";

/// Annotation: hash of the object as it was wanted when it was last written.
pub const HASH: &str = "kubernetes.dask.org/spec-hash";
/// Annotation: the object's generation after it was last written. Another one means that somebody edited it.
pub const GENERATION: &str = "kubernetes.dask.org/spec-generation";
/// In place of the generation on the old operator's Deployments: an edit is not put back, as no template of this operator is
/// the one that runs, and the scheduler would start anew and lose all results.
pub const INHERITED: &str = "inherited";
/// Annotation of a worker: when it was decided that it leaves. Written before the scheduler is told.
pub const RETIRING: &str = "kubernetes.dask.org/retiring";
/// Annotation of a worker: its slot in the group and how many held the slot before, as `3.0`.
pub const SLOT: &str = "kubernetes.dask.org/slot";
/// Annotation of a default group: the cluster's `spec.worker.replicas` that was last handed on to it.
pub const PROPAGATED: &str = "kubernetes.dask.org/propagated-replicas";
/// Annotation of a cluster: `"false"` keeps the scheduler's HTTP API off on stock Dask.
pub const SCHEDULER_API: &str = "kubernetes.dask.org/scheduler-api";
/// Annotation of a group: `"false"` makes no PodDisruptionBudget.
pub const DISRUPTION_BUDGET: &str = "kubernetes.dask.org/disruption-budget";
/// Annotation of pods: nodes with them may be drained by the cluster autoscaler.
pub const SAFE_TO_EVICT: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict";
/// Finalizer of the operator written in Python.
pub const KOPF_FINALIZER: &str = "kopf.zalando.org/KopfFinalizerMarker";

/// Name of a cluster's scheduler: its Deployment and its Service.
pub fn scheduler(cluster: &str) -> String {
    format!("{cluster}-scheduler")
}

/// Name of a cluster's default group.
pub fn default_group(cluster: &str) -> String {
    format!("{cluster}-default")
}

/// Name of the runner of a job's attempt; the first is 0.
pub fn runner(job: &str, attempt: i32) -> String {
    if attempt == 0 { format!("{job}-runner") } else { format!("{job}-runner-{attempt}") }
}

/// Name of the ConfigMap with a job's inline graph.
pub fn graph(job: &str) -> String {
    format!("{job}-graph")
}

/// Name of the worker that is the `turn`-th in a slot of a group. The same slot and turn give the same name, so that a worker
/// that was made already, by a stale look or by an operator that died since, is refused by the API server.
pub fn worker(group: &str, group_uid: &str, slot: u32, turn: u32) -> String {
    format!("{group}-worker-{}", &hash(format!("{group_uid}/{slot}/{turn}").as_bytes())[..10])
}

/// Address of a cluster's scheduler.
pub fn scheduler_address(cluster: &str, namespace: &str, domain: &str) -> String {
    format!("tcp://{}.{namespace}.svc.{domain}:8786", scheduler(cluster))
}

/// Hex digits of the SHA-256 of some bytes.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Why a cluster or job cannot have this name, if so: names of children are made from it, and they name Services.
pub fn refusal(name: &str) -> Option<String> {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    let fits = bytes.len() <= 53
        && bytes.first().is_some_and(|b| letter(*b))
        && bytes.last().is_some_and(|b| letter(*b))
        && bytes.iter().all(|b| letter(*b) || *b == b'-');
    (!fits).then(|| {
        format!(
            "metadata.name {name:?} cannot name a cluster: it has {} characters; use at most 53 of a-z, 0-9 and -, first and last \
             no -, under another name",
            name.chars().count()
        )
    })
}

/// Whether an annotation or label is some controller's own and not handed on to children.
pub fn is_bookkeeping(key: &str) -> bool {
    let prefix = key.split('/').next().unwrap_or_default();
    prefix == "kubectl.kubernetes.io" || prefix == GROUP || is_kopf(key)
}

/// Whether an annotation is of kopf, the framework of the operator written in Python.
pub fn is_kopf(key: &str) -> bool {
    key.split('/').next().is_some_and(|prefix| prefix.split('.').any(|part| part == "kopf"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_names_are_stable_and_differ() {
        let name = worker("simple-default", "uid", 3, 0);
        assert_eq!(name, worker("simple-default", "uid", 3, 0));
        assert_eq!(name.len(), "simple-default-worker-".len() + 10);
        assert_ne!(name, worker("simple-default", "uid", 3, 1));
        assert_ne!(name, worker("simple-default", "uid", 4, 0));
        assert_ne!(name, worker("simple-default", "other", 3, 0));
    }

    #[test]
    fn names_of_clusters_follow_the_contract() {
        for good in ["a", "simple", "a-b-0", &"a".repeat(53)] {
            assert_eq!(refusal(good), None, "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", &"a".repeat(54)] {
            assert!(refusal(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn bookkeeping_stays_with_its_object() {
        for key in ["kopf.zalando.org/last-handled", "kubectl.kubernetes.io/last-applied-configuration", HASH]
        {
            assert!(is_bookkeeping(key), "{key}");
        }
        for key in ["test-annotation", "example.com/a", "prometheus.io/scrape", SAFE_TO_EVICT] {
            assert!(!is_bookkeeping(key), "{key}");
        }
    }
}
