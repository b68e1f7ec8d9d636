//! Measures the operator against the real API server, for `make bench-operator`: it runs on one core, and pods name a
//! scheduler that is not there, so that nothing but the operator and the API server work. Prints a table.

use anyhow::{Context, Result, bail, ensure};
use e2e::{cluster, operator};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::PartialObjectMeta;
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::PathBuf;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ACCOUNT: &str = "bench-operator";
const WRITES: &str = "dask-operator-writes";
/// Requests of this program at a time.
const AT_ONCE: usize = 16;

#[tokio::main]
async fn main() -> Result<()> {
    let quick = std::env::args().any(|a| a == "--quick");
    let runs = if quick { 1 } else { 3 };
    let client = cluster::client().await?;
    let bench = Bench::prepare(client).await?;
    println!("| work | measured | gate | measured elsewhere |\n|---|---|---|---|");

    let times = repeat(runs, || bench.clusters(100, 3)).await?;
    row(
        "100 DaskClusters of 3 workers, to all children",
        seconds(median(times)),
        "10 s",
        "old operator 31 s, their pods 81 s",
    );
    let n = if quick { 100 } else { 1000 };
    let results = repeat(runs, || bench.jobs(n)).await?;
    let (times, writes): (Vec<f64>, Vec<f64>) = results.into_iter().unzip();
    let per_minute = n as f64 / median(times) * 60.0;
    row("DaskJobs of 1 worker accepted a minute", format!("{per_minute:.0}"), "1,000", "old operator 216");
    row("writes for each of them", format!("{:.1}", median(writes)), "12", "old operator 54 requests");
    let times = repeat(runs, || bench.one_cluster(1000)).await?;
    row(
        "one cluster of 1,000 workers, none twice",
        seconds(median(times)),
        "10 s",
        "old operator, 100 workers: 2.2 s, their pods 18 s",
    );
    let times = repeat(runs, || bench.beside(500)).await?;
    row("a new cluster while another scales by 500", seconds(median(times)), "2 s", "");
    let pods = if quick { 1_000 } else { 10_000 };
    let (memory, writes) = bench.memory(pods, if quick { 20 } else { 600 }).await?;
    row(
        "memory at its peak, with 10,000 pods",
        format!("{memory} MiB"),
        "256 MiB",
        "old operator, 100 clusters: 233 MiB",
    );
    row("writes in 10 minutes of rest", writes.to_string(), "0", "");

    if quick {
        println!("\nWith --quick: one run each, {n} jobs, {pods} pods and 20 s of rest.");
    }
    Ok(())
}

/// Prints a row: what was measured, the figure, its gate, and what is known beside it.
fn row(what: &str, figure: String, gate: &str, beside: &str) {
    println!("| {what} | {figure} | {gate} | {beside} |");
}

fn seconds(s: f64) -> String {
    format!("{s:.1} s")
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

async fn repeat<T>(runs: usize, run: impl AsyncFn() -> Result<T>) -> Result<Vec<T>> {
    let mut results = Vec::new();
    for _ in 0..runs {
        results.push(run().await?);
    }
    Ok(results)
}

/// The operator under measurement. It ends with it.
struct Operator(Child);

impl Drop for Operator {
    fn drop(&mut self) {
        // It may have ended by itself, which the measurement has noticed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Operator {
    /// Its peak memory in MiB.
    fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).context("no VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? / 1024)
    }
}

struct Bench {
    client: Client,
    kubeconfig: PathBuf,
    binary: PathBuf,
}

impl Bench {
    /// An account with all rights for the operator, and a FlowSchema that counts its writes.
    async fn prepare(client: Client) -> Result<Bench> {
        let binary = operator::binary()?;
        operator::define(&client).await?;
        let force = PatchParams::apply("bench-operator").force();
        let account: Value =
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}});
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
        accounts.patch(ACCOUNT, &force, &Patch::Apply(account)).await?;
        let subject = json!({"kind": "ServiceAccount", "name": ACCOUNT, "namespace": "default"});
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": ACCOUNT},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [subject],
        });
        Api::<ClusterRoleBinding>::all(client.clone()).patch(ACCOUNT, &force, &Patch::Apply(binding)).await?;
        let schema = json!({
            "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "FlowSchema", "metadata": {"name": WRITES},
            "spec": {
                "matchingPrecedence": 100,
                "priorityLevelConfiguration": {"name": "workload-high"},
                "distinguisherMethod": {"type": "ByUser"},
                "rules": [{
                    "subjects": [{"kind": "ServiceAccount", "serviceAccount": {"name": ACCOUNT, "namespace": "default"}}],
                    "resourceRules": [{
                        "verbs": ["create", "update", "patch", "delete", "deletecollection"],
                        "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": true,
                    }],
                }],
            },
        });
        let flow = ApiResource::erase::<k8s_openapi::api::flowcontrol::v1::FlowSchema>(&());
        Api::<DynamicObject>::all_with(client.clone(), &flow)
            .patch(WRITES, &force, &Patch::Apply(schema))
            .await?;
        let config = cluster::config_of(&operator::token(&accounts, ACCOUNT).await?).await?;
        let folder = cluster::root().join("target/e2e");
        std::fs::create_dir_all(&folder)?;
        let kubeconfig = folder.join("bench-operator.kubeconfig");
        std::fs::write(&kubeconfig, serde_yaml::to_string(&config)?)?;
        Ok(Bench { client, kubeconfig, binary })
    }

    /// Starts the operator for one namespace, on the second core.
    async fn operator(&self, namespace: &str) -> Result<Operator> {
        let log = std::fs::File::create(cluster::root().join("target/e2e/bench-operator.log"))?;
        let child = Command::new("taskset")
            .args(["-c", "1"])
            .arg(&self.binary)
            .args(["run", "--no-lease", "--namespaces", namespace, "--listen", "127.0.0.1:8089"])
            .env("KUBECONFIG", &self.kubeconfig)
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start the operator")?;
        let mut operator = Operator(child);
        for _ in 0..200 {
            if let Some(status) = operator.0.try_wait()? {
                bail!("the operator ended ({status}); see target/e2e/bench-operator.log");
            }
            if ready().await {
                return Ok(operator);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the operator did not become ready; see target/e2e/bench-operator.log")
    }

    /// A namespace of its own for a run.
    async fn namespace(&self, name: &str) -> Result<Run<'_>> {
        let all: Api<Namespace> = Api::all(self.client.clone());
        if let Some(old) = all.get_opt(name).await? {
            all.delete(name, &DeleteParams::background()).await?;
            await_condition(all.clone(), name, conditions::is_deleted(&old.uid().unwrap_or_default()))
                .await?;
        }
        all.create(&PostParams::default(), &serde_json::from_value(json!({"metadata": {"name": name}}))?)
            .await?;
        let operator = self.operator(name).await?;
        Ok(Run { bench: self, namespace: name.into(), operator })
    }

    /// Writes that the operator's account has made so far, as the API server counts them.
    async fn writes(&self) -> Result<u64> {
        let text = self.client.request_text(http::Request::get("/metrics").body(Vec::new())?).await?;
        let ours = |l: &&str| {
            l.starts_with("apiserver_flowcontrol_dispatched_requests_total{")
                && l.contains(&format!("flow_schema=\"{WRITES}\""))
        };
        let counts = text.lines().filter(ours).filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(counts.sum::<f64>() as u64)
    }

    async fn clusters(&self, n: usize, workers: usize) -> Result<f64> {
        let run = self.namespace("bench-clusters").await?;
        let began = Instant::now();
        let all = run.seen("dask.org/component=worker", n * workers);
        let (_, last) = tokio::try_join!(
            run.create_all("DaskCluster", (0..n).map(|i| cluster(&format!("c{i}"), workers))),
            all
        )?;
        run.has("deployments.apps", n).await?;
        run.has("services", n).await?;
        run.has("daskworkergroups.kubernetes.dask.org", n).await?;
        run.end().await?;
        Ok((last - began).as_secs_f64())
    }

    async fn jobs(&self, n: usize) -> Result<(f64, f64)> {
        let run = self.namespace("bench-jobs").await?;
        let (before, began) = (self.writes().await?, Instant::now());
        let all = run.seen("dask.org/component=job-runner", n);
        let (_, last) =
            tokio::try_join!(run.create_all("DaskJob", (0..n).map(|i| job(&format!("j{i}")))), all)?;
        run.seen("dask.org/component=worker", n).await?;
        let jobs = run.api("DaskJob").list(&Default::default()).await?;
        let accepted =
            jobs.items.iter().filter(|j| j.data["status"]["jobStatus"] == "ClusterCreated").count();
        ensure!(accepted == n, "{accepted} of {n} jobs are ClusterCreated");
        // Statuses that follow belong to it.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let writes = self.writes().await? - before;
        run.end().await?;
        Ok(((last - began).as_secs_f64(), writes as f64 / n as f64))
    }

    async fn one_cluster(&self, workers: usize) -> Result<f64> {
        let run = self.namespace("bench-large").await?;
        let began = Instant::now();
        let all = run.seen("dask.org/component=worker", workers);
        let (_, last) = tokio::try_join!(run.create_all("DaskCluster", [cluster("large", workers)]), all)?;
        // Whatever is made twice, is made soon.
        tokio::time::sleep(Duration::from_secs(2)).await;
        run.has("pods", workers + 1).await.context("workers and the scheduler")?;
        run.end().await?;
        Ok((last - began).as_secs_f64())
    }

    async fn beside(&self, more: usize) -> Result<f64> {
        let run = self.namespace("bench-beside").await?;
        run.create_all("DaskCluster", [cluster("large", 1)]).await?;
        run.seen("dask.org/component=worker", 1).await?;
        let patch = json!({"spec": {"worker": {"replicas": 1 + more}}});
        run.api("DaskWorkerGroup")
            .patch("large-default", &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        run.seen("dask.org/component=worker", 50).await?;
        let began = Instant::now();
        let small = run.seen("dask.org/component=worker,dask.org/cluster-name=small", 3);
        let (_, last) = tokio::try_join!(run.create_all("DaskCluster", [cluster("small", 3)]), small)?;
        run.seen("dask.org/component=worker", 1 + more + 3).await?;
        run.end().await?;
        Ok((last - began).as_secs_f64())
    }

    async fn memory(&self, pods: usize, rest: u64) -> Result<(u64, u64)> {
        let run = self.namespace("bench-memory").await?;
        let clusters = (0..10).map(|i| cluster(&format!("m{i}"), pods / 10));
        run.create_all("DaskCluster", clusters).await?;
        run.seen("dask.org/component=worker", pods).await?;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let before = self.writes().await?;
        tokio::time::sleep(Duration::from_secs(rest)).await;
        let writes = self.writes().await? - before;
        let memory = run.operator.memory()?;
        run.end().await?;
        Ok((memory, writes))
    }
}

/// A run in a namespace, with an operator.
struct Run<'a> {
    bench: &'a Bench,
    namespace: String,
    operator: Operator,
}

impl Run<'_> {
    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let resource =
            ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk("kubernetes.dask.org", "v1", kind));
        Api::namespaced_with(self.bench.client.clone(), &self.namespace, &resource)
    }

    async fn create_all(&self, kind: &str, bodies: impl IntoIterator<Item = Value>) -> Result<()> {
        let api = self.api(kind);
        let create = |body: Value| {
            let api = &api;
            async move {
                let object: DynamicObject = serde_json::from_value(body)?;
                api.create(&PostParams::default(), &object).await?;
                anyhow::Ok(())
            }
        };
        stream::iter(bodies).map(create).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// When the `n`-th pod with these labels was seen.
    async fn seen(&self, labels: &str, n: usize) -> Result<Instant> {
        let pods: Api<PartialObjectMeta<Pod>> = Api::namespaced(self.bench.client.clone(), &self.namespace);
        let mut pods = pin!(watcher(pods, watcher::Config::default().labels(labels)).applied_objects());
        let mut uids = HashSet::new();
        let patience = tokio::time::sleep(Duration::from_secs(600));
        let mut patience = pin!(patience);
        while uids.len() < n {
            tokio::select! {
                pod = pods.next() => {
                    let pod = pod.context("the watch ended")??;
                    uids.insert(pod.uid());
                }
                () = &mut patience => bail!("{} of {n} pods with {labels}", uids.len()),
            }
        }
        Ok(Instant::now())
    }

    /// Checks how many objects of a resource there are.
    async fn has(&self, resource: &str, n: usize) -> Result<()> {
        let listed = cluster::tool("kubectl", &self.namespace, &["get", resource, "-o", "name"]).await?;
        let found = listed.lines().count();
        ensure!(found == n, "{found} {resource} instead of {n}");
        Ok(())
    }

    async fn end(self) -> Result<()> {
        drop(self.operator);
        let all: Api<Namespace> = Api::all(self.bench.client.clone());
        // What no kubelet knows of need not be waited for.
        let delete = ["delete", "pods", "--all", "--force", "--grace-period=0", "--wait=false"];
        cluster::tool("kubectl", &self.namespace, &delete).await?;
        let uid = all.get(&self.namespace).await?.uid().unwrap_or_default();
        all.delete(&self.namespace, &DeleteParams::background()).await?;
        await_condition(all, &self.namespace, conditions::is_deleted(&uid)).await?;
        Ok(())
    }
}

async fn ready() -> bool {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let Ok(mut stream) = tokio::net::TcpStream::connect("127.0.0.1:8089").await else { return false };
    let mut answer = String::new();
    let asked =
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    asked.is_ok() && stream.read_to_string(&mut answer).await.is_ok() && answer.starts_with("HTTP/1.1 200")
}

fn cluster(name: &str, workers: usize) -> Value {
    json!({
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {"name": name},
        "spec": {
            "scheduler": {"spec": {"schedulerName": "none"}},
            "worker": {"replicas": workers, "spec": {"schedulerName": "none"}},
        },
    })
}

fn job(name: &str) -> Value {
    json!({
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskJob",
        "metadata": {"name": name},
        "spec": {
            "cluster": {"spec": {"scheduler": {"spec": {"schedulerName": "none"}}, "worker": {"spec": {"schedulerName": "none"}}}},
            "job": {"spec": {"schedulerName": "none", "containers": [{"name": "job", "image": "ghcr.io/dask/dask:latest"}]}},
        },
    })
}
