//! `DaskCluster`: a scheduler and its default group of workers.

use super::raw::{ContainerDefaults, Metadata, PodSpec, ServiceSpec};
use super::worker_group::WorkerSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A scheduler and its workers. `spec: {worker: {replicas: 3}}` is a whole cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "kubernetes.dask.org",
    version = "v1",
    kind = "DaskCluster",
    plural = "daskclusters",
    shortname = "dsk",
    namespaced,
    status = "DaskClusterStatus",
    derive = "PartialEq",
    scale(
        spec_replicas_path = ".spec.worker.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Workers", type_ = "integer", json_path = ".spec.worker.replicas"),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.readyReplicas"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", default)]
pub struct DaskClusterSpec {
    /// What runs in containers that name no image: `Native` is this project's engine, `Dask` is Dask's own scheduler and
    /// workers. Default: Dask when a container of the user's names an image or arguments, else Native.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// For the containers named `scheduler` and `worker`, else for the first ones, of all pods.
    #[serde(flatten)]
    pub container: ContainerDefaults,
    /// Seconds without work after which `idleAction` is taken; 0 never takes it. Default: 0.
    #[schemars(range(min = 0))]
    pub idle_timeout: i64,
    /// What happens to a cluster that has been idle for `idleTimeout`: `Delete` deletes it, `ScaleToZero` lets its workers
    /// go until there is work again. Default: Delete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_action: Option<IdleAction>,
    /// The scheduler.
    pub scheduler: SchedulerSpec,
    /// The default group of workers.
    pub worker: WorkerSpec,
    /// Seconds for which a worker that leaves may hand its results over. Default: 300.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub retire_timeout_seconds: Option<i64>,
}

/// What runs in containers that name no image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")] // It would take the place of the field's.
pub enum Engine {
    /// This project's engine.
    Native,
    /// Dask's own scheduler and workers.
    Dask,
}

/// What happens to an idle cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")] // It would take the place of the field's.
pub enum IdleAction {
    /// It is deleted.
    #[default]
    Delete,
    /// Its workers go, and come back when there is work.
    ScaleToZero,
}

/// The scheduler of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SchedulerSpec {
    /// Labels and annotations for Deployment, pod and Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// The pod. What it leaves out is filled in.
    pub spec: PodSpec,
    /// The Service through which the scheduler is reached. What it leaves out is filled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceSpec>,
    /// How a changed spec reaches the scheduler, which loses all results when it starts anew: `Recreate` at once, `OnDelete`
    /// when somebody deletes its Deployment. Default: OnDelete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_strategy: Option<SchedulerUpdateStrategy>,
}

/// How a changed spec reaches the scheduler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")] // It would take the place of the field's.
pub enum SchedulerUpdateStrategy {
    /// When somebody deletes its Deployment; until then a condition says that there is something to apply.
    #[default]
    OnDelete,
    /// At once.
    Recreate,
}

/// What is known of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DaskClusterStatus {
    /// Created, Pending, Running or Error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Workers of the default group.
    pub replicas: i32,
    /// Workers of the default group that are ready.
    pub ready_replicas: i32,
    /// Label selector of the default group's pods, for the scale subresource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// The number of workers in the cluster's spec that was last handed on to the default group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propagated_replicas: Option<i32>,
    /// Whether all workers were let go for want of work. They come back when there is some.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub scaled_to_zero: bool,
    /// Available, Progressing, Degraded, and others when there is something to say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}
