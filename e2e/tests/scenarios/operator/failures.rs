//! Schedulers, nodes and operators that die while jobs run.

use super::crash::Census;
use super::{is_active, is_ready, of_group, until_ready, until_status, until_workers};
use crate::engine::{LONG, in_one_process, on};
use anyhow::{Context, Result, ensure};
use e2e::dask::{Dask, DaskCluster, DaskJob};
use e2e::{Nodes, Scenario, cluster, engine, operated, operated_on};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::{Value, json};

/// Waits until a runner is under way.
async fn under_way(s: &Scenario, runner: &str) -> Result<()> {
    s.until::<Pod>("the runner", runner, |p: Option<&Pod>| p.is_some()).await?;
    s.until_line(runner, |line| engine::progress(line).is_some()).await?;
    Ok(())
}

#[test]
fn a_job_that_loses_its_scheduler_is_tried_again_on_the_same_cluster() {
    operated("lost-scheduler", async |s, _| {
        s.dask::<DaskJob>(
            "j",
            json!({
                "cluster": {"spec": {"worker": {"replicas": 2}}},
                "job": {"graph": {"inline": LONG}},
                "backoffLimit": 1,
                "retry": {"cluster": "Reuse"},
                "deletionPolicy": {"onSuccess": "Keep"},
            }),
        )
        .await?;
        under_way(s, "j-runner").await?;
        let workers = until_workers(s, "j-default", 2).await?;
        let scheduler = "dask.org/cluster-name=j,dask.org/component=scheduler";
        let lost = s.until_pods("the scheduler", scheduler, |pods| !pods.is_empty()).await?.remove(0);
        s.api::<Pod>().delete(&lost.name_any(), &DeleteParams::default().grace_period(0)).await?;

        // Who waits for the job is told why it is tried again.
        let retries =
            |j: Option<&DaskJob>| j.is_some_and(|j| j.condition("Complete")["reason"] == "Retrying");
        let job = s.until::<DaskJob>("the end of the first attempt", "j", retries).await?;
        let why = job.condition("Progressing")["message"].as_str().context("a message")?;
        ensure!(why.contains("j-runner") && why.contains("exit code 1"), "{why}");
        let said = s.log("j-runner").await?;
        ensure!(said.contains("lost the scheduler"), "{said}");

        let job = until_status(s, "j", "Successful").await?;
        ensure!(job.status()["attempts"] == 2, "{}", job.status());
        let log = s.log("j-runner-1").await?;
        assert_eq!(engine::output(&log, "j-2"), in_one_process(LONG)?);
        // They have joined the new one: nobody was replaced.
        let now = until_workers(s, "j-default", 2).await?;
        let names = |pods: &[Pod]| pods.iter().map(ResourceExt::name_any).collect::<Vec<_>>();
        assert_eq!(names(&now), names(&workers));
        Ok(())
    });
}

/// Some ten seconds of work.
const SHORT: &str = "
version: 1
arrays:
  x: {random: {seed: 1, shape: [5000, 5000], chunks: [250, 250]}}
  a: x @ x
  b: a @ x
  c: b @ x
  total: c.sum(axis=0)
outputs:
  total: print
";

/// A job whose scheduler and runner stay on one node, and whose workers are on another one as long as that lives.
fn apart(stays: &str, dies: &str) -> Value {
    let selector = json!({"kubernetes.io/hostname": stays});
    let preferred = json!([{"weight": 100, "preference": {"matchExpressions": [
        {"key": "kubernetes.io/hostname", "operator": "In", "values": [dies]}]}}]);
    let runner = json!({
        "nodeSelector": selector,
        "containers": [{
            "name": "runner",
            "image": engine::IMAGE,
            "args": ["submit", "/graph/graph.yaml", "--connect-timeout", "60", "--job-id", "j"],
            "volumeMounts": [{"name": "graph", "mountPath": "/graph"}],
        }],
        "volumes": [{"name": "graph", "configMap": {"name": "graph"}}],
    });
    json!({
        "cluster": {"spec": {
            "engine": "Native",
            "scheduler": {"spec": {"nodeSelector": selector}},
            "worker": {
                "replicas": 2,
                "spec": {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}},
            },
        }},
        "job": {"spec": runner},
    })
}

#[test]
fn workers_of_a_killed_node_are_replaced_and_their_job_completes() {
    operated_on("lost-node", Nodes::Killed, async |s, _| {
        let nodes = s.nodes().await?;
        let (stays, dies) = (nodes.first().context("a node")?, nodes.last().context("a node")?);
        ensure!(stays != dies, "two nodes are needed");
        s.create::<ConfigMap>(json!({"metadata": {"name": "graph"}, "data": {"graph.yaml": SHORT}})).await?;
        s.dask::<DaskJob>("j", apart(stays, dies)).await?;
        under_way(s, "j-runner").await?;
        let workers = until_workers(s, "j-default", 2).await?;
        ensure!(workers.iter().all(|p| on(p) == dies), "all workers are on {dies}");
        cluster::kill_node(dies).await?;
        let job = s.api::<DaskJob>().get("j").await?;
        // There is no worker left but those that come.
        let result = until_status(s, "j", "Successful").await;
        cluster::start_node(dies).await?;
        result?;
        ensure!(job.status()["jobStatus"] == "Running", "it was over before the node died: {}", job.status());
        assert_eq!(engine::output(&s.log("j-runner").await?, "j"), in_one_process(SHORT)?);
        Ok(())
    });
}

#[test]
fn an_operator_that_is_killed_goes_on_where_it_was() {
    operated("killed-operator", async |s, operator| {
        let census = Census::begin(s);
        s.dask::<DaskCluster>("c", json!({"worker": {"replicas": 0}})).await?;
        for n in [4, 6, 2] {
            s.scale::<DaskCluster>("c", n).await?;
            // In the middle of it: somebody comes or goes.
            let begun = |pods: &[Pod]| pods.iter().any(|p| !is_ready(p) || !is_active(p));
            s.until_pods("the first of them", &of_group("c-default"), begun).await?;
            operator.restart()?;
            until_workers(s, "c-default", n as usize).await?;
            until_ready(s, "c-default", n.into()).await?;
        }
        let (workers, schedulers) = (census.most("c", "worker"), census.most("c", "scheduler"));
        ensure!((workers, schedulers) == (6, 1), "{workers} workers and {schedulers} schedulers at a time");
        Ok(())
    });
}
