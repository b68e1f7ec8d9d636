//! Children as the operator keeps them in memory: of ten thousand pods, only what decisions need.

use crate::api::GROUP;
use crate::cache::{ANY, OfCluster};
use crate::names::CLUSTER_NAME;
use k8s_openapi::api::{
    apps::v1 as apps, autoscaling::v2 as autoscaling, core::v1 as core, policy::v1 as policy,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, Time};
use kube::Resource;
use kube::core::{Selector, SelectorExt};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Resource)]
#[resource(inherit = core::Pod)]
pub struct Pod {
    /// Name, labels, annotations, owners.
    pub metadata: ObjectMeta,
    /// Where it runs, and what.
    #[serde(default)]
    pub spec: PodSpec,
    /// How it is.
    #[serde(default)]
    pub status: PodStatus,
}

/// What is kept of a pod's spec.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// The node it was bound to.
    pub node_name: Option<String>,
    /// Names and images of the containers.
    pub containers: Vec<Container>,
}

/// What is kept of a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: Option<String>,
}

/// What is kept of a pod's status.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// Pending, Running, Succeeded, Failed or Unknown.
    pub phase: Option<String>,
    /// Why, in a word.
    pub reason: Option<String>,
    /// Why, in a sentence.
    pub message: Option<String>,
    /// Its address.
    #[serde(rename = "podIP")]
    pub pod_ip: Option<String>,
    /// Ready, PodScheduled and so on.
    pub conditions: Vec<PodCondition>,
    /// States of the init containers.
    pub init_container_statuses: Vec<ContainerStatus>,
    /// States of the containers.
    pub container_statuses: Vec<ContainerStatus>,
}

/// A condition of a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodCondition {
    /// Such as Ready.
    #[serde(rename = "type")]
    pub type_: String,
    /// True, False or Unknown.
    pub status: String,
    /// Why, in a word.
    pub reason: Option<String>,
    /// Why, in a sentence.
    pub message: Option<String>,
}

/// The state of a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    /// Its name.
    pub name: String,
    /// How often it was started again.
    pub restart_count: i32,
    /// What it does.
    pub state: ContainerState,
    /// How it ended before it was started again.
    pub last_state: ContainerState,
}

/// What a container does: at most one of these.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerState {
    /// It waits to start.
    pub waiting: Option<Waiting>,
    /// It runs.
    pub running: Option<Running>,
    /// It has ended.
    pub terminated: Option<Terminated>,
}

/// Why a container waits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Waiting {
    /// In a word.
    pub reason: Option<String>,
    /// In a sentence.
    pub message: Option<String>,
}

/// A container that runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Running {
    /// Since when.
    pub started_at: Option<Time>,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terminated {
    /// Its exit code.
    pub exit_code: i32,
    /// Such as OOMKilled or Error.
    pub reason: Option<String>,
    /// In a sentence.
    pub message: Option<String>,
    /// When.
    pub finished_at: Option<Time>,
}

impl Pod {
    /// Its name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Its phase.
    pub fn phase(&self) -> &str {
        self.status.phase.as_deref().unwrap_or_default()
    }

    /// Whether its deletion was asked for.
    pub fn is_terminating(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// Whether it will not run again: it failed, it succeeded, or nobody knows of it.
    pub fn is_over(&self) -> bool {
        matches!(self.phase(), "Failed" | "Succeeded" | "Unknown")
    }

    /// Whether a Deployment of this name made it.
    pub fn is_of_deployment(&self, name: &str) -> bool {
        let owners = self.metadata.owner_references.as_deref().unwrap_or_default();
        let mut sets = owners.iter().filter(|o| o.controller == Some(true) && o.kind == "ReplicaSet");
        sets.any(|o| o.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('-')))
    }

    /// Whether it is ready to work.
    pub fn is_ready(&self) -> bool {
        self.condition("Ready").is_some_and(|c| c.status == "True")
    }

    /// A condition.
    pub fn condition(&self, name: &str) -> Option<&PodCondition> {
        self.status.conditions.iter().find(|c| c.type_ == name)
    }
}

/// A Deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Resource)]
#[resource(inherit = apps::Deployment)]
pub struct Deployment {
    /// Name, labels, annotations, owners, generation.
    pub metadata: ObjectMeta,
    /// How it is.
    #[serde(default)]
    pub status: DeploymentStatus,
}

/// What is kept of a Deployment's status.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentStatus {
    /// Pods that are ready.
    pub ready_replicas: i32,
    /// Available, Progressing, ReplicaFailure.
    pub conditions: Vec<PodCondition>,
}

/// A Service, whole: it has no generation, so what it should be is compared with what it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Resource)]
#[resource(inherit = core::Service)]
pub struct Service {
    /// Name, labels, annotations, owners.
    pub metadata: ObjectMeta,
    /// As the API server has it.
    #[serde(default)]
    pub spec: Value,
    /// With the addresses of its load balancer.
    #[serde(default)]
    pub status: Value,
}

/// A ConfigMap, of which only the metadata matters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Resource)]
#[resource(inherit = core::ConfigMap)]
pub struct ConfigMap {
    /// Name, labels, annotations, owners.
    pub metadata: ObjectMeta,
}

/// A PodDisruptionBudget, whoever made it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Resource)]
#[resource(inherit = policy::PodDisruptionBudget)]
pub struct DisruptionBudget {
    /// Name, labels, annotations, owners, generation.
    pub metadata: ObjectMeta,
    /// Which pods it is about.
    #[serde(default)]
    pub spec: DisruptionBudgetSpec,
}

/// What is kept of a budget's spec.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DisruptionBudgetSpec {
    /// Labels of the pods: none of them when it is absent, all of them when it is empty.
    pub selector: Option<LabelSelector>,
}

impl DisruptionBudget {
    /// Whether it covers pods with these labels.
    pub fn covers(&self, labels: &BTreeMap<String, String>) -> bool {
        let selector = self.spec.selector.clone().and_then(|s| Selector::try_from(s).ok());
        selector.is_some_and(|s| s.matches(labels))
    }
}

impl OfCluster for DisruptionBudget {
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn cluster(&self) -> Option<&str> {
        let owners = self.metadata.owner_references.as_deref().unwrap_or_default();
        let is_ours = owners.iter().any(|o| o.controller == Some(true) && o.kind == "DaskWorkerGroup");
        if is_ours { label(&self.metadata, CLUSTER_NAME) } else { Some(ANY) }
    }
}

/// A HorizontalPodAutoscaler.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Resource)]
#[resource(inherit = autoscaling::HorizontalPodAutoscaler)]
pub struct HorizontalPodAutoscaler {
    /// Name.
    pub metadata: ObjectMeta,
    /// What it scales.
    #[serde(default)]
    pub spec: HorizontalPodAutoscalerSpec,
}

/// What is kept of a HorizontalPodAutoscaler's spec.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HorizontalPodAutoscalerSpec {
    /// What it scales.
    pub scale_target_ref: ScaleTarget,
}

/// What a HorizontalPodAutoscaler scales.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScaleTarget {
    /// Such as `kubernetes.dask.org/v1`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl OfCluster for HorizontalPodAutoscaler {
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn cluster(&self) -> Option<&str> {
        let group = self.spec.scale_target_ref.api_version.split('/').next();
        (group == Some(GROUP)).then_some(ANY)
    }
}

macro_rules! of_cluster {
    ($($kind:ty),*) => {$(
        impl OfCluster for $kind {
            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn cluster(&self) -> Option<&str> {
                label(&self.metadata, CLUSTER_NAME)
            }
        }
    )*};
}

of_cluster!(Pod, Deployment, Service, ConfigMap);

/// Labels or annotations, none when there are none.
pub fn or_empty(map: Option<&BTreeMap<String, String>>) -> &BTreeMap<String, String> {
    static EMPTY: BTreeMap<String, String> = BTreeMap::new();
    map.unwrap_or(&EMPTY)
}

/// An annotation of an object.
pub fn annotation<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(key).map(String::as_str)
}

/// A label of an object.
pub fn label<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.labels.as_ref()?.get(key).map(String::as_str)
}

/// Uid of the controller that an object names.
pub fn controller_uid(meta: &ObjectMeta) -> Option<&str> {
    let owners = meta.owner_references.as_deref().unwrap_or_default();
    owners.iter().find(|o| o.controller == Some(true)).map(|o| o.uid.as_str())
}
