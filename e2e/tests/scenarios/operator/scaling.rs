//! Workers that come and go while they work, and lose nothing.

use super::{STOCK, asked, until_ready, until_workers};
use anyhow::{Context, ensure};
use e2e::dask::{Dask, DaskAutoscaler, DaskCluster, DaskJob, DaskWorkerGroup};
use e2e::operated;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

#[test]
fn a_native_job_that_is_scaled_computes_nothing_twice() {
    operated("scaled-job", async |s, _| {
        s.dask::<DaskJob>(
            "long",
            json!({
                "cluster": {"spec": {"worker": {"replicas": 3}}},
                "job": {"graph": {"inline": crate::engine::LONG}},
                // Its scheduler is asked afterwards.
                "deletionPolicy": {"onSuccess": "Keep"},
            }),
        )
        .await?;
        let progress = |line: &str| line.contains(" tasks, ");
        s.until::<Pod>("the runner", "long-runner", |p: Option<&Pod>| p.is_some()).await?;
        s.until_line("long-runner", progress).await?;
        s.scale::<DaskWorkerGroup>("long-default", 6).await?;
        until_ready(s, "long-default", 6).await?;
        s.scale::<DaskWorkerGroup>("long-default", 2).await?;
        until_workers(s, "long-default", 2).await?;
        let job = s.api::<DaskJob>().get("long").await?;
        ensure!(job.status()["jobStatus"] == "Running", "it was over before it was scaled: {}", job.status());

        let ended = |j: Option<&DaskJob>| j.is_some_and(|j| j.is("Complete") || j.is("Failed"));
        let job = s.until::<DaskJob>("the job's end", "long", ended).await?;
        ensure!(job.is("Complete"), "{}", job.status());
        let page = s.page("long-scheduler:8787", "/api/v1/jobs/long-1").await?;
        let page: Value = serde_json::from_str(&page)?;
        let runs = page["runs"].as_object().context("runs")?;
        let runs: u64 = runs.values().filter_map(Value::as_u64).sum();
        ensure!(page["tasks"] == runs, "each task ran once: {runs} of {}", page["tasks"]);
        let told = &job.status()["progress"];
        ensure!(told["done"] == told["tasks"] && told["tasks"] == page["tasks"], "{told}");
        Ok(())
    });
}

/// Holds results on three workers, and looks whether the same are there when one is left: each has a part that is
/// another one whenever it is computed.
const HOLD: &str = "
import uuid
from dask.distributed import Client, wait
client = Client()
client.wait_for_workers(3)
held = client.map(lambda i: (i, str(uuid.uuid4())), range(60), pure=False)
wait(held)
spread = client.run(lambda dask_worker: len(dask_worker.data))
before = client.gather(held)
print('held', len(before), 'by', len([n for n in spread.values() if n]), flush=True)
while len(client.scheduler_info(n_workers=-1)['workers']) > 1:
    client.run_on_scheduler(lambda dask_scheduler: None)
after = client.gather(held)
print('kept', sum(a == b for a, b in zip(before, after)), flush=True)
";

#[test]
fn a_stock_cluster_keeps_results_when_it_shrinks() {
    operated("stock-shrinks", async |s, _| {
        let container = |name: &str| json!({"name": name, "imagePullPolicy": "IfNotPresent"});
        s.dask::<DaskCluster>(
            "stock",
            json!({
                "engine": "Dask",
                "image": STOCK,
                "scheduler": {"spec": {"containers": [container("scheduler")]}},
                "worker": {"replicas": 3, "spec": {"containers": [container("worker")]}},
            }),
        )
        .await?;
        until_workers(s, "stock-default", 3).await?;
        let mut client = container("client");
        client["image"] = json!(STOCK);
        client["command"] = json!(["python", "-c", HOLD]);
        client["env"] = json!([{"name": "DASK_SCHEDULER_ADDRESS", "value": "tcp://stock-scheduler:8786"}]);
        // Stock Dask's clients do not wait for their scheduler.
        let ready = |c: Option<&DaskCluster>| c.is_some_and(|c| c.is("Available"));
        s.until::<DaskCluster>("the scheduler", "stock", ready).await?;
        let pod = json!({"metadata": {"name": "client"}, "spec": {"restartPolicy": "Never", "containers": [client]}});
        s.create::<Pod>(pod).await?;
        let held = s.until_line("client", |line| line.starts_with("held")).await?;
        ensure!(held == "held 60 by 3", "{held}");
        s.scale::<DaskCluster>("stock", 1).await?;
        let kept = s.until_line("client", |line| line.starts_with("kept")).await?;
        ensure!(kept == "kept 60", "{kept}");
        until_workers(s, "stock-default", 1).await?;
        Ok(())
    });
}

#[test]
fn an_autoscaler_scales_between_its_bounds() {
    operated("autoscaler", async |s, operator| {
        s.dask::<DaskCluster>("a", json!({"worker": {"replicas": 1}})).await?;
        until_ready(s, "a-default", 1).await?;
        s.dask::<DaskAutoscaler>("a", json!({"cluster": "a", "minimum": 2, "maximum": 3})).await?;
        // There is no work, so it is the fewest.
        until_ready(s, "a-default", 2).await?;
        let owned = |a: Option<&DaskAutoscaler>| a.is_some_and(|a| a.metadata.owner_references.is_some());
        s.until::<DaskAutoscaler>("its owner", "a", owned).await?;
        let cluster = s.api::<DaskCluster>().get("a").await?;
        ensure!(cluster.spec()["worker"]["replicas"] == 1, "it writes its group only: {}", cluster.spec());
        operator.restart()?;
        let known = |a: Option<&DaskAutoscaler>| {
            a.is_some_and(|a| a.is("Available") && a.status()["desiredReplicas"] == 2)
        };
        s.until::<DaskAutoscaler>("the target", "a", known).await?;
        ensure!(asked(s, "a-default").await? == 2, "a restart changes nothing back");
        Ok(())
    });
}
