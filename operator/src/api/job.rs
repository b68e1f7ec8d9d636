//! `DaskJob`: a cluster, and one program that runs on it to its end.

use super::cluster::DaskClusterSpec;
use super::raw::{Metadata, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Runs a graph document or a pod's program on a cluster of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "kubernetes.dask.org",
    version = "v1",
    kind = "DaskJob",
    plural = "daskjobs",
    shortname = "djb",
    namespaced,
    status = "DaskJobStatus",
    derive = "PartialEq",
    printcolumn(name = "Status", type_ = "string", json_path = ".status.jobStatus"),
    printcolumn(name = "Done", type_ = "string", json_path = ".status.progress.text"),
    printcolumn(name = "Attempts", type_ = "integer", json_path = ".status.attempts"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", default)]
pub struct DaskJobSpec {
    /// The cluster, which is made for this job.
    pub cluster: ClusterTemplate,
    /// What runs on it.
    pub job: JobTemplate,
    /// Nothing runs while it is true; what runs is stopped. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// How often a failed runner is tried again. Default: the pod's own restart policy decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub backoff_limit: Option<i32>,
    /// Seconds after which a job that has not ended fails. Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub active_deadline_seconds: Option<i64>,
    /// Seconds after which a job whose runner does not run yet fails. Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub pre_running_deadline_seconds: Option<i64>,
    /// Seconds after its end after which the job is deleted. Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub ttl_seconds_after_finished: Option<i64>,
    /// Controller that runs this job. Another one's jobs are left alone. Default: kubernetes.dask.org/dask-operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
    /// How a failed job is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// What happens to the cluster when the job has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
}

/// The cluster of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ClusterTemplate {
    /// Labels and annotations for the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// Its spec.
    pub spec: DaskClusterSpec,
}

/// What a job runs: a pod, or a graph document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct JobTemplate {
    /// Labels and annotations for the runner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// The runner's pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<PodSpec>,
    /// The graph document that the runner submits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph: Option<GraphSource>,
}

/// Where a graph document is: exactly one of these.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GraphSource {
    /// The document itself, at most 128 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inline: Option<String>,
    /// A key of a ConfigMap in the same namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<ConfigMapKeyRef>,
    /// A file on a volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<GraphVolume>,
}

/// A key of a ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigMapKeyRef {
    /// Name of the ConfigMap.
    pub name: String,
    /// The key.
    pub key: String,
}

/// A file on a persistent volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GraphVolume {
    /// Name of the PersistentVolumeClaim.
    pub claim_name: String,
    /// Path of the document within the volume.
    pub path: String,
}

/// How a failed job is tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RetryPolicy {
    /// The cluster of the next attempt: a `New` one, or `Reuse` of the same. Default: New.
    pub cluster: RetryCluster,
}

/// The cluster of the next attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RetryCluster {
    /// A new one.
    #[default]
    New,
    /// The same.
    Reuse,
}

/// What happens to the cluster when the job has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DeletionPolicy {
    /// When it succeeded: `DeleteCluster`, `DeleteWorkers` (its scheduler stays) or `Keep`. Default: DeleteCluster.
    pub on_success: DeletionAction,
    /// When it failed: `DeleteCluster`, `DeleteWorkers` (its scheduler stays) or `Keep`. Default: DeleteCluster.
    pub on_failure: DeletionAction,
}

/// What happens to a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionAction {
    /// It is deleted.
    #[default]
    DeleteCluster,
    /// Its workers are deleted, its scheduler stays.
    DeleteWorkers,
    /// It stays.
    Keep,
}

/// What is known of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DaskJobStatus {
    /// JobCreated, ClusterCreated, Running, Successful, Failed or Suspended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_status: Option<String>,
    /// Generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Name of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// Name of the current runner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_runner_pod_name: Option<String>,
    /// When the runner began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When the job ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Time>,
    /// Runners that were started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<i32>,
    /// How far the graph is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<JobProgress>,
    /// Complete, Failed, Suspended, and what hinders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// How far a graph is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct JobProgress {
    /// Tasks done.
    pub done: i64,
    /// Tasks in all.
    pub tasks: i64,
    /// Seconds left, estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<i64>,
    /// Done and all, for people: `12/219`.
    pub text: String,
}
