//! The custom resources, `kubernetes.dask.org/v1`: one file a kind.
#![allow(clippy::duplicated_attributes, reason = "columns of `kubectl get` have types, several the same")]

mod autoscaler;
mod cluster;
mod job;
mod raw;
mod worker_group;

pub use autoscaler::{DaskAutoscaler, DaskAutoscalerSpec, DaskAutoscalerStatus};
pub use cluster::{
    DaskCluster, DaskClusterSpec, DaskClusterStatus, Engine, IdleAction, SchedulerSpec,
    SchedulerUpdateStrategy,
};
pub use job::{
    ClusterTemplate, ConfigMapKeyRef, DaskJob, DaskJobSpec, DaskJobStatus, DeletionAction, DeletionPolicy,
    GraphSource, GraphVolume, JobProgress, JobTemplate, RetryCluster, RetryPolicy,
};
pub use raw::{ContainerDefaults, Env, Metadata, PodSpec, PullSecrets, Resources, ServiceSpec};
pub use worker_group::{
    DaskWorkerGroup, DaskWorkerGroupSpec, DaskWorkerGroupStatus, UpdateStrategyType, WorkerSpec,
    WorkerUpdateStrategy,
};

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// API group of all kinds.
pub const GROUP: &str = "kubernetes.dask.org";

use crate::cache::{Custom, OfCluster};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

macro_rules! of_cluster {
    ($kind:ty, $object:ident, $cluster:expr) => {
        impl OfCluster for Custom<$kind> {
            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn cluster(&self) -> Option<&str> {
                let $object = self.object.as_ref().ok()?;
                $cluster
            }
        }
    };
}

of_cluster!(DaskCluster, o, o.metadata.name.as_deref());
of_cluster!(DaskJob, o, o.metadata.name.as_deref());
of_cluster!(DaskWorkerGroup, o, Some(o.spec.cluster.as_str()));
of_cluster!(DaskAutoscaler, o, Some(o.spec.cluster.as_str()));
