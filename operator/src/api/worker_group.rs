//! `DaskWorkerGroup`: workers of one shape that belong to a cluster.

use super::raw::{ContainerDefaults, Metadata, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Workers of one shape. Each is a pod that the operator names, watches and replaces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "kubernetes.dask.org",
    version = "v1",
    kind = "DaskWorkerGroup",
    plural = "daskworkergroups",
    shortname = "daskworkers",
    namespaced,
    status = "DaskWorkerGroupStatus",
    derive = "PartialEq",
    scale(
        spec_replicas_path = ".spec.worker.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.cluster"),
    printcolumn(name = "Desired", type_ = "integer", json_path = ".spec.worker.replicas"),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.readyReplicas"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct DaskWorkerGroupSpec {
    /// Name of the DaskCluster, in the same namespace, to which the workers belong.
    pub cluster: String,
    /// The workers.
    pub worker: WorkerSpec,
}

/// The workers of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkerSpec {
    /// Labels and annotations for the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// How many workers. `kubectl scale`, autoscalers and Dask's `KubeCluster.scale` write it, too; the last one wins.
    /// Default: 1.
    #[schemars(range(min = 0))]
    pub replicas: i32,
    /// The pods. What it leaves out is filled in: without containers, the engine's own.
    pub spec: PodSpec,
    /// How a changed spec reaches the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_strategy: Option<WorkerUpdateStrategy>,
    /// For the container named `worker`, else the first one; asked before the cluster's.
    #[serde(flatten)]
    pub container: ContainerDefaults,
}

impl Default for WorkerSpec {
    fn default() -> WorkerSpec {
        WorkerSpec {
            metadata: None,
            replicas: 1,
            spec: PodSpec::default(),
            update_strategy: None,
            container: ContainerDefaults::default(),
        }
    }
}

/// How a changed spec reaches a group's pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkerUpdateStrategy {
    /// Whether pods are replaced by the operator: with `RollingUpdate` some at a time, with `OnDelete` those that somebody
    /// deletes. Default: RollingUpdate.
    #[serde(rename = "type")]
    pub type_: UpdateStrategyType,
    /// How many workers may be missing at a time while pods are replaced: a number, or a percentage.
    /// Default: 25%.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<IntOrString>,
}

/// Whether pods are replaced by the operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UpdateStrategyType {
    /// Pods are retired and replaced, some at a time.
    #[default]
    RollingUpdate,
    /// Pods that are deleted come back with the new spec.
    OnDelete,
}

/// What is known of a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DaskWorkerGroupStatus {
    /// Generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Workers there are.
    pub replicas: i32,
    /// Workers that are ready.
    pub ready_replicas: i32,
    /// Workers of the current spec.
    pub updated_replicas: i32,
    /// Label selector of the pods, for the scale subresource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Available, Progressing, Degraded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}
