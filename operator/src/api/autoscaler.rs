//! `DaskAutoscaler`: keeps a group as large as the scheduler wants it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Scales a group of workers between two sizes, by what the cluster's scheduler asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "kubernetes.dask.org",
    version = "v1",
    kind = "DaskAutoscaler",
    plural = "daskautoscalers",
    namespaced,
    status = "DaskAutoscalerStatus",
    derive = "PartialEq",
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.cluster"),
    printcolumn(name = "Min", type_ = "integer", json_path = ".spec.minimum"),
    printcolumn(name = "Max", type_ = "integer", json_path = ".spec.maximum"),
    printcolumn(name = "Desired", type_ = "integer", json_path = ".status.desiredReplicas"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct DaskAutoscalerSpec {
    /// Name of the DaskCluster in the same namespace.
    pub cluster: String,
    /// Name of the DaskWorkerGroup that is scaled. Default: the cluster's default group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_group: Option<String>,
    /// The fewest workers. Default: 0.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub minimum: i32,
    /// The most workers. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub maximum: Option<i32>,
}

/// What is known of an autoscaler.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DaskAutoscalerStatus {
    /// Generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Workers that it wants the group to have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_replicas: Option<i32>,
    /// When it last changed the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_scale_time: Option<Time>,
    /// Available, Degraded, Contended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}
