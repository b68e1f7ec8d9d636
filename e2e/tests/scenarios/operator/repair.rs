//! What somebody deletes comes back, what somebody edits is put back, and what the spec says anew reaches the pods.

use super::{is_active, of_group, unplaced, until_workers};
use anyhow::{Context, Result, ensure};
use e2e::dask::{Dask, DaskCluster, DaskWorkerGroup};
use e2e::{Scenario, operated};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::DeleteParams;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Debug;

const GROUP: &str = "c-default";
const SCHEDULER: &str = "c-scheduler";

/// Makes cluster `c`, and waits for all that belongs to it.
async fn cluster(s: &Scenario, workers: u32) -> Result<()> {
    s.dask::<DaskCluster>("c", unplaced(workers)).await?;
    until_workers(s, GROUP, workers as usize).await?;
    s.until::<Deployment>("the scheduler", SCHEDULER, |d: Option<&Deployment>| d.is_some()).await?;
    s.until::<Service>("the Service", SCHEDULER, |d: Option<&Service>| d.is_some()).await?;
    Ok(())
}

/// Deletes an object, and waits until there is another one of its name.
async fn comes_back<K>(s: &Scenario, name: &str) -> Result<()>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + 'static,
    K::DynamicType: Default,
{
    let uid = s.api::<K>().get(name).await?.uid();
    s.api::<K>().delete(name, &DeleteParams::background()).await?;
    let another =
        move |o: Option<&K>| o.is_some_and(|o| o.uid() != uid && o.meta().deletion_timestamp.is_none());
    s.until::<K>("another one", name, another).await?;
    Ok(())
}

/// Image of the scheduler in its Deployment.
fn image(deployment: &Deployment) -> Option<&str> {
    deployment.spec.template.spec.as_ref()?.containers.first()?.image.as_deref()
}

#[test]
fn what_somebody_deletes_comes_back() {
    operated("repair-deleted", async |s, _| {
        cluster(s, 2).await?;
        let worker = until_workers(s, GROUP, 2).await?[0].clone();
        s.api::<Pod>().delete(&worker.name_any(), &DeleteParams::default()).await?;
        let replaced = |pods: &[Pod]| {
            pods.iter().filter(|p| is_active(p)).count() == 2 && pods.iter().all(|p| p.uid() != worker.uid())
        };
        s.until_pods("another worker", &of_group(GROUP), replaced).await?;
        comes_back::<Deployment>(s, SCHEDULER).await?;
        comes_back::<Service>(s, SCHEDULER).await?;
        comes_back::<DaskWorkerGroup>(s, GROUP).await?;
        until_workers(s, GROUP, 2).await?;
        Ok(())
    });
}

#[test]
fn what_somebody_edits_is_put_back() {
    operated("repair-edited", async |s, _| {
        cluster(s, 1).await?;
        let edit = json!({"spec": {"replicas": 2, "template": {"spec": {"containers": [
            {"name": "scheduler", "image": "edited"}]}}}});
        s.merge::<Deployment>(SCHEDULER, edit).await?;
        let is_back = |d: Option<&Deployment>| {
            d.is_some_and(|d| image(d) == Some("none") && d.spec.replicas == Some(1))
        };
        s.until::<Deployment>("the Deployment as it was", SCHEDULER, is_back).await?;

        let edit = json!({
            "metadata": {"labels": {"dask.org/component": "edited"}},
            "spec": {"selector": {"dask.org/component": "edited"}, "ports": [{"name": "tcp-comm", "port": 1}]},
        });
        s.merge::<Service>(SCHEDULER, edit).await?;
        let is_back = |service: Option<&Service>| {
            service.is_some_and(|service| {
                let Some(spec) = &service.spec else { return false };
                let selected =
                    spec.selector.as_ref().and_then(|s| s.get("dask.org/component")).map(String::as_str);
                let ports: Vec<i32> = spec.ports.iter().flatten().map(|p| p.port).collect();
                let label = service.labels().get("dask.org/component").map(String::as_str);
                [selected, label] == [Some("scheduler"); 2] && ports == [8786, 8787]
            })
        };
        s.until::<Service>("the Service as it was", SCHEDULER, is_back).await?;

        let group =
            json!({"spec": {"worker": {"spec": {"containers": [{"name": "worker", "image": "edited"}]}}}});
        s.merge::<DaskWorkerGroup>(GROUP, group).await?;
        let is_back = |g: Option<&DaskWorkerGroup>| {
            g.is_some_and(|g| g.spec()["worker"]["spec"]["containers"][0]["image"] == "none")
        };
        s.until::<DaskWorkerGroup>("the group as the cluster says", GROUP, is_back).await?;
        Ok(())
    });
}

#[test]
fn what_happened_while_nobody_watched_is_repaired() {
    operated("repair-missed", async |s, operator| {
        cluster(s, 2).await?;
        let worker = until_workers(s, GROUP, 2).await?.remove(0);
        operator.kill()?;
        s.api::<Pod>().delete(&worker.name_any(), &DeleteParams::default().grace_period(0)).await?;
        s.api::<Service>().delete(SCHEDULER, &DeleteParams::default()).await?;
        let edited = json!({"spec": {"template": {"spec": {"containers": [{"name": "scheduler", "image": "edited"}]}}}});
        s.merge::<Deployment>(SCHEDULER, edited).await?;
        let more = json!({"spec": {"worker": {"replicas": 3}}});
        s.merge::<DaskCluster>("c", more).await?;
        operator.run()?;
        until_workers(s, GROUP, 3).await?;
        s.until::<Service>("the Service", SCHEDULER, |service: Option<&Service>| service.is_some()).await?;
        let is_back = |d: Option<&Deployment>| d.is_some_and(|d| image(d) == Some("none"));
        s.until::<Deployment>("the Deployment as it was", SCHEDULER, is_back).await?;
        Ok(())
    });
}

#[test]
fn a_changed_worker_reaches_the_pods() {
    operated("changed-worker", async |s, _| {
        cluster(s, 3).await?;
        let old: BTreeSet<String> =
            until_workers(s, GROUP, 3).await?.iter().filter_map(ResourceExt::uid).collect();
        let changed =
            json!({"spec": {"worker": {"spec": {"containers": [{"name": "worker", "image": "new"}]}}}});
        s.merge::<DaskCluster>("c", changed).await?;
        let are_new = |pods: &[Pod]| {
            let image = |p: &Pod| p.spec.as_ref().and_then(|s| s.containers[0].image.clone());
            pods.len() == 3
                && pods.iter().all(|p| image(p).as_deref() == Some("new"))
                && pods.iter().all(|p| p.uid().is_some_and(|uid| !old.contains(&uid)))
        };
        s.until_pods("workers of the new image", &of_group(GROUP), are_new).await?;
        let settled = |g: Option<&DaskWorkerGroup>| g.is_some_and(|g| g.status()["updatedReplicas"] == 3);
        s.until::<DaskWorkerGroup>("the count of updated workers", GROUP, settled).await?;
        Ok(())
    });
}

#[test]
fn a_changed_scheduler_follows_its_strategy() {
    operated("changed-scheduler", async |s, _| {
        cluster(s, 0).await?;
        let of = |image: &str| json!({"spec": {"scheduler": {"spec": {"containers": [{"name": "scheduler", "image": image}]}}}});
        s.merge::<DaskCluster>("c", of("second")).await?;
        let pending = |c: Option<&DaskCluster>| c.is_some_and(|c| c.is("SchedulerUpdatePending"));
        let c = s.until::<DaskCluster>("word of the change", "c", pending).await?;
        let message = c.condition("SchedulerUpdatePending")["message"].as_str().context("a message")?;
        ensure!(message.contains("delete deployment c-scheduler"), "{message}");
        let deployment = s.api::<Deployment>().get(SCHEDULER).await?;
        ensure!(image(&deployment) == Some("none"), "it stays as it is");

        comes_back::<Deployment>(s, SCHEDULER).await?;
        ensure!(
            image(&s.api::<Deployment>().get(SCHEDULER).await?) == Some("second"),
            "it comes back changed"
        );
        let settled = |c: Option<&DaskCluster>| c.is_some_and(|c| !c.is("SchedulerUpdatePending"));
        s.until::<DaskCluster>("nothing to apply", "c", settled).await?;

        let mut recreate = of("third");
        recreate["spec"]["scheduler"]["updateStrategy"] = json!("Recreate");
        let uid = s.api::<Deployment>().get(SCHEDULER).await?.uid();
        s.merge::<DaskCluster>("c", recreate).await?;
        let rolled =
            move |d: Option<&Deployment>| d.is_some_and(|d| image(d) == Some("third") && d.uid() == uid);
        s.until::<Deployment>("the scheduler's roll", SCHEDULER, rolled).await?;
        Ok(())
    });
}
