//! Workers that come and go while they work, and lose nothing.

use super::{STOCK, asked, is_active, is_ready, of_group, until_ready, until_workers};
use anyhow::{Context, Result, ensure};
use e2e::dask::{Dask, DaskAutoscaler, DaskCluster, DaskJob, DaskWorkerGroup};
use e2e::{Scenario, engine, operated};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Annotation of a worker that hands over and leaves.
const RETIRING: &str = "kubernetes.dask.org/retiring";

/// Starts the native job `long` on three workers, and waits until it is under way.
pub(super) async fn start_long(s: &Scenario) -> Result<()> {
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
    s.until::<Pod>("the runner", "long-runner", |p: Option<&Pod>| p.is_some()).await?;
    s.until_line("long-runner", |line| engine::progress(line).is_some()).await?;
    Ok(())
}

/// Waits for the end of the job `long`, which has not come yet, and checks that no task of it ran twice.
pub(super) async fn ran_each_task_once(s: &Scenario) -> Result<()> {
    let job = s.api::<DaskJob>().get("long").await?;
    ensure!(job.status()["jobStatus"] == "Running", "it was over before it was disturbed: {}", job.status());
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
}

#[test]
fn a_native_job_that_is_scaled_computes_nothing_twice() {
    operated("scaled-job", async |s, _| {
        start_long(s).await?;
        s.scale::<DaskWorkerGroup>("long-default", 6).await?;
        until_ready(s, "long-default", 6).await?;
        s.scale::<DaskWorkerGroup>("long-default", 2).await?;
        until_workers(s, "long-default", 2).await?;
        ran_each_task_once(s).await
    });
}

/// A program that holds results on three workers. As long as one of these conditions is true, which come one after another,
/// it waits, and then looks whether the same results are there: each has a part that is another one whenever it is computed.
pub(super) fn hold(conditions: &[&str]) -> String {
    let waits: String = conditions
        .iter()
        .map(|condition| {
            format!(
                "
while {condition}:
    pass
after = client.gather(held)
print('kept', sum(a == b for a, b in zip(before, after)), flush=True)
"
            )
        })
        .collect();
    format!(
        "
import uuid
from dask.distributed import Client, wait
client = Client()
client.wait_for_workers(3)
workers = lambda: set(client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.workers)))
first = workers()
held = client.map(lambda i: (i, str(uuid.uuid4())), range(60), pure=False)
wait(held)
spread = client.run(lambda dask_worker: len(dask_worker.data))
before = client.gather(held)
print('held', len(before), 'by', len([n for n in spread.values() if n]), flush=True)
{waits}"
    )
}

/// Starts a client in a pod that runs `program` on the cluster `stock`, and waits until it holds results.
pub(super) async fn start_client(s: &Scenario, image: &str, program: &str) -> Result<()> {
    let client = json!({
        "name": "client",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", program],
        "env": [{"name": "DASK_SCHEDULER_ADDRESS", "value": "tcp://stock-scheduler:8786"}],
    });
    // Stock Dask's clients do not wait for their scheduler.
    let ready = |pods: &[Pod]| pods.iter().any(is_ready);
    s.until_pods("the scheduler", "dask.org/cluster-name=stock,dask.org/component=scheduler", ready).await?;
    let pod =
        json!({"metadata": {"name": "client"}, "spec": {"restartPolicy": "Never", "containers": [client]}});
    s.create::<Pod>(pod).await?;
    let held = s.until_line("client", |line| line.starts_with("held")).await?;
    ensure!(held == "held 60 by 3", "{held}");
    Ok(())
}

/// A cluster of stock Dask with three workers.
pub(super) fn stock() -> Value {
    let container = |name: &str| json!({"name": name, "imagePullPolicy": "IfNotPresent"});
    json!({
        "engine": "Dask",
        "image": STOCK,
        "scheduler": {"spec": {"containers": [container("scheduler")]}},
        "worker": {"replicas": 3, "spec": {"containers": [container("worker")]}},
    })
}

/// Waits until the client has looked at what it holds for the n-th time, and checks that nothing is lost.
pub(super) async fn keeps_all(s: &Scenario, client: &str, n: usize) -> Result<()> {
    let mut looks = 0;
    let nth = |line: &str| {
        line.starts_with("kept") && {
            looks += 1;
            looks == n
        }
    };
    let kept = s.until_line(client, nth).await?;
    ensure!(kept == "kept 60", "{kept}");
    Ok(())
}

#[test]
fn a_stock_cluster_keeps_results_when_it_shrinks() {
    operated("stock-shrinks", async |s, _| {
        s.dask::<DaskCluster>("stock", stock()).await?;
        start_client(s, STOCK, &hold(&["len(workers()) > 1"])).await?;
        s.scale::<DaskCluster>("stock", 1).await?;
        keeps_all(s, "client", 1).await?;
        until_workers(s, "stock-default", 1).await?;
        Ok(())
    });
}

/// Whether a worker can be counted on: it is ready, and is not to leave.
fn is_available(pod: &Pod) -> bool {
    is_active(pod) && is_ready(pod) && !pod.annotations().contains_key(RETIRING)
}

#[test]
fn a_changed_worker_rolls_with_never_more_missing_than_allowed() {
    operated("rolled-workers", async |s, _| {
        s.dask::<DaskCluster>("c", json!({"worker": {"replicas": 3}})).await?;
        until_ready(s, "c-default", 3).await?;
        let old: BTreeSet<String> =
            until_workers(s, "c-default", 3).await?.iter().filter_map(ResourceExt::uid).collect();
        let changed = json!({"spec": {"worker": {"env": [{"name": "A", "value": "new"}]}}});
        s.merge::<DaskCluster>("c", changed).await?;
        let (mut fewest, mut retired) = (3, BTreeSet::new());
        let rolled = |pods: &[Pod]| {
            let available = pods.iter().filter(|p| is_available(p)).count();
            fewest = fewest.min(available);
            let retiring = pods.iter().filter(|p| p.annotations().contains_key(RETIRING));
            retired.extend(retiring.filter_map(ResourceExt::uid));
            available == 3 && pods.iter().all(|p| p.uid().is_some_and(|uid| !old.contains(&uid)))
        };
        s.until_pods("workers of the new spec", &of_group("c-default"), rolled).await?;
        // A quarter of three, and one at least.
        ensure!(fewest == 2, "{fewest} workers were there, of 3");
        ensure!(retired == old, "{retired:?} were retired, of {old:?}");
        let events = s.api::<Event>().list(&ListParams::default()).await?;
        let lost = events.iter().find(|e| e.reason.as_deref() == Some("NotRetired"));
        ensure!(lost.is_none(), "{lost:?}");
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
