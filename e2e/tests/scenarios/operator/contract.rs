//! What clients of dask-kubernetes see while things happen: phases and statuses in their order, and nothing left behind.

use super::{STOCK, unplaced, until_workers};
use anyhow::{Context, ensure};
use e2e::dask::{Dask, DaskCluster, DaskJob, DaskWorkerGroup};
use e2e::operated;
use futures::TryStreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt;
use kube::api::{DeleteParams, WatchEvent, WatchParams};
use kube::runtime::wait::{await_condition, conditions};
use serde_json::json;

#[test]
fn a_job_tells_its_end_before_its_cluster_goes() {
    operated("job-order", async |s, _| {
        let container = json!({
            "name": "job", "image": STOCK, "imagePullPolicy": "IfNotPresent", "command": ["python", "-c", "print('ran')"],
        });
        let job = json!({"cluster": {"spec": unplaced(1)}, "job": {"spec": {"containers": [container]}}});
        let begin = s.api::<DaskJob>().list(&kube::api::ListParams::default()).await?;
        let version = begin.metadata.resource_version.context("a version")?;
        let mut changes = Box::pin(s.api::<DaskJob>().watch(&WatchParams::default(), &version).await?);
        s.dask::<DaskJob>("j", job).await?;
        let cluster =
            s.until::<DaskCluster>("the cluster", "j", |c: Option<&DaskCluster>| c.is_some()).await?;
        let uid = cluster.uid().context("a uid")?;
        let gone = await_condition(s.api::<DaskCluster>(), "j", conditions::is_deleted(&uid));
        s.patient("the end of the cluster", gone).await??;
        // The moment at which `KubeCluster` and others look.
        let job = s.api::<DaskJob>().get("j").await?;
        ensure!(job.status()["jobStatus"] == "Successful", "{}", job.status());

        let mut told: Vec<String> = Vec::new();
        let all = async {
            while let Some(event) = changes.try_next().await? {
                let (WatchEvent::Added(job) | WatchEvent::Modified(job)) = event else { continue };
                let status = job.status()["jobStatus"].as_str().unwrap_or_default().to_string();
                if !status.is_empty() && told.last() != Some(&status) {
                    told.push(status.clone());
                }
                if status == "Successful" {
                    break;
                }
            }
            anyhow::Ok(())
        };
        s.patient("all that was told", all).await??;
        // A job that is done at once may never be seen to run.
        told.retain(|status| status != "Running" && status != "JobCreated");
        ensure!(told == ["ClusterCreated", "Successful"], "{told:?}");
        let time = |key: &str| job.status()[key].as_str().unwrap_or_default().to_string();
        for key in ["startTime", "endTime"] {
            ensure!(
                time(key).len() == "2006-01-02T15:04:05Z".len() && time(key).ends_with('Z'),
                "{key} is {}",
                time(key)
            );
        }
        ensure!(time("startTime") <= time("endTime"), "{}", job.status());
        Ok(())
    });
}

#[test]
fn a_cluster_runs_at_once_and_goes_with_all_it_has() {
    operated("cluster-goes", async |s, _| {
        s.dask::<DaskCluster>("c", unplaced(2)).await?;
        let worker = json!({"cluster": "c", "worker": unplaced(1)["worker"]});
        s.dask::<DaskWorkerGroup>("more", worker).await?;
        // Clients wait for the Service's address, not for a scheduler, which never comes here.
        let running = |c: Option<&DaskCluster>| c.is_some_and(|c| c.status()["phase"] == "Running");
        let c = s.until::<DaskCluster>("phase Running", "c", running).await?;
        ensure!(!c.is("Available"), "no scheduler runs: {}", c.status());
        until_workers(s, "c-default", 2).await?;
        until_workers(s, "more", 1).await?;

        let owned = |g: Option<&DaskWorkerGroup>| {
            let owners = g.and_then(|g| g.metadata.owner_references.clone()).unwrap_or_default();
            owners.iter().any(|o| o.controller == Some(true) && o.kind == "DaskCluster" && o.name == "c")
        };
        s.until::<DaskWorkerGroup>("the group's owner", "more", owned).await?;
        let scale = s.api::<DaskWorkerGroup>().get_scale("more").await?;
        let status = scale.status.context("a status of the scale subresource")?;
        ensure!(status.replicas == 1, "{status:?}");
        // As an HPA finds the pods of the group.
        let selector = status.selector.context("a selector")?;
        let pods = s.until_pods("the group's pods", &selector, |pods| pods.len() == 1).await?;
        ensure!(pods[0].name_any().starts_with("more-worker-"), "{}", pods[0].name_any());

        s.api::<DaskCluster>().delete("c", &DeleteParams::background()).await?;
        let ours = "dask.org/cluster-name=c";
        s.until_all::<DaskWorkerGroup>("no group", ours, <[_]>::is_empty).await?;
        s.until_all::<Deployment>("no Deployment", ours, <[_]>::is_empty).await?;
        s.until_all::<Service>("no Service", ours, <[_]>::is_empty).await?;
        s.until_all::<Pod>("no pod", ours, <[_]>::is_empty).await?;
        Ok(())
    });
}
