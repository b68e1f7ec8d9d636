//! Clusters without work: they are deleted, or their workers go until there is work again.

use super::{asked, until_workers};
use anyhow::{Context, Result, ensure};
use e2e::dask::{Dask, DaskCluster};
use e2e::engine::Engine;
use e2e::{Scenario, operated};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;
use kube::runtime::wait::{await_condition, conditions};
use serde_json::json;

const DOCUMENT: &str = "
version: 1
arrays:
  x: {random: {seed: 1, shape: [40, 40], chunks: [10, 10]}}
  n: (x < 2).sum()
outputs:
  n: print
";
const OUTPUT: &str = "n:\n1600\n";

async fn until_available(s: &Scenario, cluster: &str) -> Result<()> {
    let available = |c: Option<&DaskCluster>| c.is_some_and(|c| c.is("Available"));
    s.until::<DaskCluster>("a scheduler", cluster, available).await?;
    Ok(())
}

/// Waits until a cluster was deleted for want of work.
async fn until_deleted(s: &Scenario, cluster: &DaskCluster) -> Result<()> {
    let (name, uid) = (cluster.name_any(), cluster.uid().context("a uid")?);
    let gone = await_condition(s.api::<DaskCluster>(), &name, conditions::is_deleted(&uid));
    s.patient(&format!("the end of {name}"), gone).await??;
    let why = |e: &Event| e.involved_object.uid == Some(uid.clone()) && e.reason.as_deref() == Some("Idle");
    s.until_all::<Event>("an event that says why", "", |events| events.iter().any(why)).await?;
    Ok(())
}

#[test]
fn an_idle_cluster_is_deleted_and_a_busy_one_is_not() {
    operated("idle-delete", async |s, _| {
        // There are no workers, so the job waits, and it is work all the same.
        let busy = s.dask::<DaskCluster>("busy", json!({"worker": {"replicas": 0}})).await?;
        until_available(s, "busy").await?;
        let engine = Engine::of(s, "busy-scheduler");
        let job = engine.submit("waits", DOCUMENT).await?;
        s.until_line(&s.pod_of(&job).await?, |line| line == "job waits").await?;
        s.merge::<DaskCluster>("busy", json!({"spec": {"idleTimeout": 1}})).await?;

        // One that came later is asked later.
        let idle = json!({"idleTimeout": 1, "idleAction": "Delete", "worker": {"replicas": 1}});
        let idle = s.dask::<DaskCluster>("idle", idle).await?;
        until_deleted(s, &idle).await?;
        s.until_all::<Deployment>("nothing left", "dask.org/cluster-name=idle", <[_]>::is_empty).await?;
        s.until_pods("no pod left", "dask.org/cluster-name=idle", <[_]>::is_empty).await?;

        let now = s.api::<DaskCluster>().get("busy").await?;
        ensure!(now.uid() == busy.uid() && now.metadata.deletion_timestamp.is_none(), "it has work");
        s.scale::<DaskCluster>("busy", 1).await?;
        ensure!(s.ended(&job).await?, "the job failed");
        ensure!(engine.output(&job).await? == OUTPUT, "{}", engine.output(&job).await?);
        until_deleted(s, &busy).await
    });
}

/// Waits until a cluster says whether its workers were let go.
async fn until_asleep(s: &Scenario, cluster: &str, asleep: bool) -> Result<DaskCluster> {
    let reached =
        move |c: Option<&DaskCluster>| c.is_some_and(|c| (c.status()["scaledToZero"] == true) == asleep);
    s.until::<DaskCluster>(if asleep { "its rest" } else { "its waking" }, cluster, reached).await
}

#[test]
fn workers_go_when_there_is_no_work_and_come_back_with_it() {
    operated("idle-zero", async |s, operator| {
        let cluster = json!({"idleTimeout": 1, "idleAction": "ScaleToZero", "worker": {"replicas": 2}});
        s.dask::<DaskCluster>("rests", cluster).await?;
        until_available(s, "rests").await?;
        let scheduler = "dask.org/component=scheduler";
        let uids = |pods: &[Pod]| pods.iter().map(|p| p.uid()).collect::<Vec<_>>();
        let before = s.until_pods("the scheduler", scheduler, |pods| pods.len() == 1).await?;

        let resting = until_asleep(s, "rests", true).await?;
        ensure!(resting.condition("Progressing")["reason"] == "ScaledToZero", "{}", resting.status());
        ensure!(resting.spec()["worker"]["replicas"] == 2, "{}", resting.spec());
        until_workers(s, "rests-default", 0).await?;
        ensure!(asked(s, "rests-default").await? == 2, "the group's number is what it is worth with work");
        operator.restart()?;

        let engine = Engine::of(s, "rests-scheduler");
        let job = engine.submit("wakes", DOCUMENT).await?;
        until_asleep(s, "rests", false).await?;
        until_workers(s, "rests-default", 2).await?;
        ensure!(s.ended(&job).await?, "the job failed");
        ensure!(engine.output(&job).await? == OUTPUT, "{}", engine.output(&job).await?);

        until_asleep(s, "rests", true).await?;
        until_workers(s, "rests-default", 0).await?;
        let after = s.until_pods("the scheduler", scheduler, |pods| pods.len() == 1).await?;
        ensure!(uids(&after) == uids(&before), "the scheduler is the same all the time");
        Ok(())
    });
}
