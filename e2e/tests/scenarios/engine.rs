//! The engine in pods, with plain Deployments: the same bytes as in one process, whatever happens to pods and nodes.

use anyhow::{Context, Result, ensure};
use e2e::engine::{self, Engine, Options};
use e2e::{Nodes, Scenario, cluster, scenario};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams};
use serde_json::json;
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Some twenty seconds of work on two cores, in tasks that need each other's results.
pub(crate) const LONG: &str = "
version: 1
arrays:
  x: {random: {seed: 1, shape: [5000, 5000], chunks: [250, 250]}}
  a: x @ x
  b: a @ x
  c: b @ x
  d: c @ x
  p: d @ x
  q: p @ x
  total: q.sum(axis=0)
outputs:
  total: print
";

/// What a document prints when one process computes it: the binary in the image, run here, once for each document.
pub(crate) fn in_one_process(document: &str) -> Result<String> {
    static DONE: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(output) = done.get(document) {
        return Ok(output.clone());
    }
    let folder = cluster::root().join("target/e2e");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(format!("graph-{}.yaml", std::process::id()));
    std::fs::write(&file, document)?;
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let binary = cluster::root().join(format!("dist/{arch}/dask-runtime"));
    let output = Command::new(&binary).arg("run").arg(&file).output();
    let output = output.with_context(|| format!("{}: `make dist` builds it", binary.display()))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::remove_file(&file)?;
    let output = String::from_utf8(output.stdout)?;
    done.insert(document.to_string(), output.clone());
    Ok(output)
}

/// The node of a pod.
pub(crate) fn on(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|s| s.node_name.as_deref()).unwrap_or_default()
}

#[test]
fn a_sample_gives_the_right_number() {
    scenario("sample", Nodes::Shared, async |s| {
        let engine = engine::start(s, &Options::default()).await?;
        let mut nodes: Vec<String> = engine.worker_pods().await?.iter().map(|p| on(p).to_string()).collect();
        nodes.sort();
        nodes.dedup();
        ensure!(nodes == s.nodes().await?, "workers on all nodes, not only {nodes:?}");
        let document = std::fs::read_to_string(cluster::root().join("manifests/samples/transpose-sum.yaml"))?;
        let job = engine.submit("transpose-sum", &document).await?;
        ensure!(s.ended(&job).await?, "the job failed");
        let output = engine.output(&job).await?;
        assert_eq!(output, in_one_process(&document)?);
        // What Dask computes for this seed and these chunks.
        ensure!(output.contains("total:\n99997316.50238866\n"), "{output}");
        let (runs, tasks) = engine.runs(&job).await?;
        ensure!(runs == tasks, "each task ran once: {runs} of {tasks}");
        Ok(())
    });
}

/// The end of a job that was disturbed: the same bytes, and something was computed again.
async fn same_bytes(s: &Scenario, engine: &Engine<'_>, job: &str) -> Result<()> {
    ensure!(s.ended(job).await?, "the job failed");
    assert_eq!(engine.output(job).await?, in_one_process(LONG)?);
    let (runs, tasks) = engine.runs(job).await?;
    ensure!(runs > tasks, "what was lost is computed again: {runs} runs of {tasks} tasks");
    Ok(())
}

#[test]
fn a_deleted_worker_pod_costs_only_what_it_held() {
    scenario("deleted-worker", Nodes::Shared, async |s| {
        // Without time to hand over what it holds, as when it is killed.
        let engine = engine::start(s, &Options { grace: 0, ..Options::default() }).await?;
        let job = engine.submit("long", LONG).await?;
        engine.under_way(&job).await?;
        let victim = engine.worker_pods().await?[0].name_any();
        s.api::<Pod>().delete(&victim, &DeleteParams::default().grace_period(0)).await?;
        same_bytes(s, &engine, &job).await
    });
}

#[test]
fn a_worker_pod_that_is_given_time_loses_nothing() {
    scenario("retired-worker", Nodes::Shared, async |s| {
        let engine = engine::start(s, &Options { grace: 60, ..Options::default() }).await?;
        let job = engine.submit("long", LONG).await?;
        engine.under_way(&job).await?;
        let victim = engine.worker_pods().await?[0].name_any();
        s.api::<Pod>().delete(&victim, &DeleteParams::default().grace_period(60)).await?;
        ensure!(s.ended(&job).await?, "the job failed");
        assert_eq!(engine.output(&job).await?, in_one_process(LONG)?);
        let (runs, tasks) = engine.runs(&job).await?;
        ensure!(runs == tasks, "nothing is computed again: {runs} runs of {tasks} tasks");
        Ok(())
    });
}

#[test]
fn a_killed_node_costs_only_what_its_workers_held() {
    scenario("killed-node", Nodes::Killed, async |s| {
        let nodes = s.nodes().await?;
        let (first, last) = (nodes.first().context("a node")?, nodes.last().context("a node")?);
        ensure!(first != last, "two nodes are needed");
        let options = Options { node: Some(first.clone()), worker_timeout: 10, ..Options::default() };
        let engine = engine::start(s, &options).await?;
        let workers = engine.worker_pods().await?;
        ensure!(workers.iter().any(|p| on(p) == last), "a worker on {last}");
        let job = engine.submit("long", LONG).await?;
        engine.under_way(&job).await?;
        cluster::kill_node(last).await?;
        let result = same_bytes(s, &engine, &job).await;
        cluster::start_node(last).await?;
        let ready = Api::<Node>::all(s.client.clone()).get(last).await?.status.and_then(|s| s.conditions);
        ensure!(
            ready.is_some_and(|c| c.iter().any(|c| c.type_ == "Ready" && c.status == "True")),
            "{last} is back"
        );
        result
    });
}

#[test]
fn a_job_whose_workers_run_out_of_memory_ends_with_the_reason() {
    scenario("out-of-memory", Nodes::Shared, async |s| {
        // The worker does not know how little it may use, so the kernel ends it.
        let options = Options { workers: 2, memory: "200Mi", memory_limit: Some("0"), ..Options::default() };
        let engine = engine::start(s, &options).await?;
        let document = "
version: 1
arrays:
  huge: {random: {seed: 1, shape: [100000000], chunks: [100000000]}}
  twice: huge[::-1].cumsum()
  total: twice.sum()
outputs:
  total: print
";
        let job = engine.submit("huge", document).await?;
        let killed = |pod: &Pod| {
            let states = pod.status.as_ref().and_then(|s| s.container_statuses.as_ref());
            states.is_some_and(|c| {
                c.iter()
                    .flat_map(|c| [&c.state, &c.last_state])
                    .flatten()
                    .any(|s| s.terminated.as_ref().and_then(|t| t.reason.as_deref()) == Some("OOMKilled"))
            })
        };
        s.until_pods("a worker that the kernel killed", "app=worker", |pods| pods.iter().any(killed)).await?;
        ensure!(!s.ended(&job).await?, "a job that fits in no worker cannot succeed");
        let output = engine.output(&job).await?;
        let named = output.contains("task 'random-") && output.contains("workers died while they ran it");
        ensure!(named, "the reason is named: {output}");
        Ok(())
    });
}

/// Scrapes the scheduler and a worker, as Prometheus would, and prints the families' names.
const SCRAPE: &str = "
import sys, urllib.request
from prometheus_client.parser import text_string_to_metric_families
for url in sys.argv[1:]:
    with urllib.request.urlopen(url) as page:
        families = list(text_string_to_metric_families(page.read().decode()))
    samples = sum(len(f.samples) for f in families)
    print(url, samples, *sorted(f.name for f in families))
";

#[test]
fn metrics_are_scraped_from_inside_the_cluster() {
    scenario("metrics", Nodes::Shared, async |s| {
        let engine = engine::start(s, &Options::default()).await?;
        let worker = &engine.worker_pods().await?[0];
        let address =
            worker.status.as_ref().and_then(|s| s.pod_ip.clone()).context("the worker's address")?;
        let urls = ["http://scheduler:8787/metrics".to_string(), format!("http://{address}:8787/metrics")];
        let command: Vec<&str> =
            ["python3", "-c", SCRAPE].into_iter().chain(urls.iter().map(String::as_str)).collect();
        let container = json!({
            "name": "scrape",
            "image": "ghcr.io/dask/dask:latest",
            "imagePullPolicy": "IfNotPresent",
            "command": command,
        });
        let pod = json!({
            "metadata": {"name": "scrape"},
            "spec": {"restartPolicy": "Never", "containers": [container]},
        });
        s.create::<Pod>(pod).await?;
        let over = |p: Option<&Pod>| {
            let phase = p.and_then(|p| p.status.as_ref()?.phase.as_deref());
            matches!(phase, Some("Succeeded" | "Failed"))
        };
        s.until::<Pod>("the scrape's end", "scrape", over).await?;
        let log = s.log("scrape").await?;
        let lines: Vec<&str> = log.lines().collect();
        ensure!(lines.len() == 2, "{log}");
        ensure!(lines[0].contains(" dask_scheduler_workers") && lines[1].contains(" dask_worker_"), "{log}");
        Ok(())
    });
}
