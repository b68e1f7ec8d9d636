//! The operator against a real API server: some scenarios with pods that run, some with pods that no scheduler places, where
//! only what the operator writes matters.

mod bad_input;
mod contract;
mod crash;
mod drain;
mod failures;
mod idle;
mod install;
mod jobs;
mod repair;
mod samples;
mod scaling;
mod takeover;
mod writers;

use anyhow::{Context, Result, ensure};
use e2e::Scenario;
use e2e::dask::{Dask, DaskJob, DaskWorkerGroup};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Dask's own image, with Python and a client.
const STOCK: &str = "ghcr.io/dask/dask:latest";

/// What the sample of a job prints: what Dask computes for its seed and chunks.
const TRANSPOSE_SUM: &str = "total:\n99997316.50238866\n";

/// Has the API server refuse pods in the namespace that are not as strict as Kubernetes knows it.
async fn restrict(s: &Scenario) -> Result<()> {
    let restricted = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let namespaces = Api::<Namespace>::all(s.client.clone());
    namespaces.patch(&s.namespace, &PatchParams::default(), &Patch::Merge(restricted)).await?;
    Ok(())
}

/// A cluster whose pods no scheduler places.
fn unplaced(replicas: u32) -> Value {
    let pod = |name: &str| json!({"schedulerName": "none", "containers": [{"name": name, "image": "none"}]});
    json!({
        "scheduler": {"spec": pod("scheduler")},
        "worker": {"replicas": replicas, "spec": pod("worker")},
    })
}

/// Selects a group's workers.
fn of_group(group: &str) -> String {
    format!("dask.org/workergroup-name={group},dask.org/component=worker")
}

/// Whether a pod is a worker that counts: it does not go, and it has not ended.
fn is_active(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Failed" | "Succeeded"))
}

/// Whether a pod is ready.
fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True")
}

/// Waits until a group says of all of its spec that it has so many workers, and it is true.
async fn until_workers(s: &Scenario, group: &str, n: usize) -> Result<Vec<Pod>> {
    let told = move |g: Option<&DaskWorkerGroup>| {
        g.is_some_and(|g| {
            let status = g.status();
            status["replicas"] == n && status["observedGeneration"].as_i64() == g.metadata.generation
        })
    };
    s.until::<DaskWorkerGroup>(&format!("{n} workers"), group, told).await?;
    let there = |pods: &[Pod]| pods.iter().filter(|p| is_active(p)).count() == n;
    let pods = s.until_pods("the workers", &of_group(group), there).await?;
    Ok(pods.into_iter().filter(is_active).collect())
}

/// Waits until a group says that so many of its workers are ready.
async fn until_ready(s: &Scenario, group: &str, n: u64) -> Result<()> {
    let ready = move |g: Option<&DaskWorkerGroup>| g.is_some_and(|g| g.status()["readyReplicas"] == n);
    s.until::<DaskWorkerGroup>(&format!("{n} workers that are ready"), group, ready).await?;
    Ok(())
}

/// Waits until a job's status is this.
async fn until_status(s: &Scenario, job: &str, status: &'static str) -> Result<DaskJob> {
    let reached = move |j: Option<&DaskJob>| j.is_some_and(|j| j.status()["jobStatus"] == status);
    s.until::<DaskJob>(status, job, reached).await
}

/// Waits until an object is gone, or another one has its name.
async fn until_gone<K>(s: &Scenario, object: &K) -> Result<()>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + DeserializeOwned + Send + 'static,
    K::DynamicType: Default,
{
    let (name, uid) = (object.name_any(), object.uid().context("a uid")?);
    let gone = await_condition(s.api::<K>(), &name, conditions::is_deleted(&uid));
    s.patient(&format!("the end of {name}"), gone).await??;
    Ok(())
}

/// The number of workers that a group's spec asks for.
async fn asked(s: &Scenario, group: &str) -> Result<u64> {
    let group = s.api::<DaskWorkerGroup>().get(group).await?;
    let replicas = group.spec()["worker"]["replicas"].as_u64();
    ensure!(replicas.is_some(), "no replicas in {}", group.spec());
    Ok(replicas.unwrap_or_default())
}
