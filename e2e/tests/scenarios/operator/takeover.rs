//! Clusters of dask-kubernetes under this operator, and its client.

use super::scaling::{hold, keeps_all};
use super::{until_gone, until_ready, until_status, until_workers};
use anyhow::{Result, ensure};
use e2e::dask::{Dask, DaskCluster, DaskJob, DaskWorkerGroup};
use e2e::dask_kubernetes::{DaskKubernetes, client, definitions};
use e2e::{Nodes, Operator, Scenario, cluster, operated, operator, scenario};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ListParams;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Dask of the release that dask-kubernetes' client here has.
const IMAGE: &str = "ghcr.io/dask/dask:2026.3.0";

const OLD_WORKERS: &str = "dask.org/workergroup-name=stock-default";
const SCHEDULER: &str = "dask.org/cluster-name=stock,dask.org/component=scheduler";

/// A job as people write it for dask-kubernetes. Its workers have no names: the scheduler knows them by address.
fn job(program: &str) -> Value {
    let container = |name: &str| json!({"name": name, "image": IMAGE, "imagePullPolicy": "IfNotPresent"});
    let (mut scheduler, mut worker, mut runner) =
        (container("scheduler"), container("worker"), container("runner"));
    scheduler["args"] = json!(["dask-scheduler"]);
    scheduler["ports"] = json!([
        {"name": "tcp-comm", "containerPort": 8786}, {"name": "http-dashboard", "containerPort": 8787}]);
    scheduler["readinessProbe"] = json!({"httpGet": {"port": "http-dashboard", "path": "/health"}});
    scheduler["env"] = json!([{"name": "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES",
        "value": "['distributed.http.health', 'distributed.http.scheduler.api']"}]);
    worker["args"] = json!(["dask-worker"]);
    runner["command"] = json!(["python", "-c", program]);
    runner["env"] = json!([{"name": "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "value": "120s"}]);
    let service = json!({
        "type": "ClusterIP",
        "selector": {"dask.org/cluster-name": "stock", "dask.org/component": "scheduler"},
        "ports": [
            {"name": "tcp-comm", "protocol": "TCP", "port": 8786, "targetPort": "tcp-comm"},
            {"name": "http-dashboard", "protocol": "TCP", "port": 8787, "targetPort": "http-dashboard"},
        ],
    });
    json!({
        "cluster": {"spec": {
            "scheduler": {"spec": {"containers": [scheduler]}, "service": service},
            "worker": {"replicas": 2, "spec": {"containers": [worker]}},
        }},
        "job": {"spec": {"containers": [runner]}},
    })
}

/// Whether kopf, on which dask-kubernetes is built, has left a mark on an object.
fn has_marks<K: Resource>(object: &K) -> bool {
    let kopf = |key: &String| key.contains("kopf.zalando.org");
    object.finalizers().iter().any(kopf) || object.annotations().keys().any(kopf)
}

async fn until_unmarked<K>(s: &Scenario, name: &str) -> Result<()>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + 'static,
    K::DynamicType: Default,
{
    s.until::<K>("it without kopf's marks", name, |o: Option<&K>| o.is_some_and(|o| !has_marks(o))).await?;
    Ok(())
}

/// The uids of the workers that the old operator made.
async fn old_workers(s: &Scenario) -> Result<Vec<String>> {
    let all = s.api::<Deployment>().list(&ListParams::default().labels(OLD_WORKERS)).await?;
    Ok(all.iter().filter_map(ResourceExt::uid).collect())
}

/// The pods with these labels, by uid, and how often each was restarted.
async fn restarts(s: &Scenario, labels: &str) -> Result<BTreeMap<String, i32>> {
    let pods = s.api::<Pod>().list(&ListParams::default().labels(labels)).await?;
    let restarts = |p: &Pod| -> i32 {
        let statuses = p.status.as_ref().and_then(|s| s.container_statuses.as_deref()).unwrap_or_default();
        statuses.iter().map(|c| c.restart_count).sum()
    };
    Ok(pods.iter().map(|p| (p.uid().unwrap_or_default(), restarts(p))).collect())
}

async fn take_over(s: &Scenario) -> Result<()> {
    let folder = definitions().await?.display().to_string();
    tokio::task::spawn_blocking(move || cluster::run(&["kubectl", "replace", "-f", &folder])).await??;
    let old = DaskKubernetes::start(s).await?;
    let program = hold(&["len(workers()) < 5", "len(workers()) > 1", "len(workers()) < 2"]);
    s.dask::<DaskJob>("stock", job(&program)).await?;
    s.until::<DaskWorkerGroup>("the group", "stock-default", |g: Option<&DaskWorkerGroup>| g.is_some())
        .await?;
    // As `KubeCluster.scale` does: the cluster's own number stays what it was.
    s.merge::<DaskWorkerGroup>("stock-default", json!({"spec": {"worker": {"replicas": 3}}})).await?;
    s.until::<Pod>("the runner", "stock-runner", |p: Option<&Pod>| p.is_some()).await?;
    let held = s.until_line("stock-runner", |line| line.starts_with("held")).await?;
    ensure!(held == "held 60 by 3", "{held}");
    let (workers, scheduler) = (old_workers(s).await?, restarts(s, SCHEDULER).await?);
    ensure!(workers.len() == 3 && scheduler.len() == 1, "{workers:?}, {scheduler:?}");
    ensure!(has_marks(&s.api::<DaskCluster>().get("stock").await?), "kopf has left its marks");
    drop(old);

    // With it come its definitions.
    // It comes with its own definitions, as an installation does.
    operator::define_anew(&s.client).await?;
    let operator = Operator::start(s).await?;
    until_ready(s, "stock-default", 3).await?;
    let known = |j: Option<&DaskJob>| j.is_some_and(|j| j.condition("Complete")["reason"] == "Running");
    s.until::<DaskJob>("the job that runs", "stock", known).await?;
    let known =
        |c: Option<&DaskCluster>| c.is_some_and(|c| c.is("Available") && c.status()["phase"] == "Running");
    let c = s.until::<DaskCluster>("the cluster", "stock", known).await?;
    until_unmarked::<DaskJob>(s, "stock").await?;
    until_unmarked::<DaskCluster>(s, "stock").await?;
    until_unmarked::<DaskWorkerGroup>(s, "stock-default").await?;
    until_unmarked::<Service>(s, "stock-scheduler").await?;
    until_unmarked::<Pod>(s, "stock-runner").await?;
    ensure!(old_workers(s).await? == workers, "the old workers work on");
    until_workers(s, "stock-default", 3).await?;

    s.scale::<DaskCluster>("stock", 5).await?;
    keeps_all(s, "stock-runner", 1).await?;
    let pods = until_workers(s, "stock-default", 5).await?;
    let is_ours = |p: &&Pod| p.owner_references().iter().any(|o| o.kind == "DaskWorkerGroup");
    ensure!(pods.iter().filter(is_ours).count() == 2, "two new ones beside the old ones");
    let budgets = s.api::<PodDisruptionBudget>().list(&ListParams::default()).await?;
    ensure!(budgets.items.is_empty(), "with old workers among them, a budget would forbid all evictions");

    s.scale::<DaskCluster>("stock", 1).await?;
    keeps_all(s, "stock-runner", 2).await?;
    until_workers(s, "stock-default", 1).await?;
    let left = old_workers(s).await?;
    ensure!(left.len() == 1 && workers.contains(&left[0]), "{left:?}");
    ensure!(restarts(s, SCHEDULER).await? == scheduler, "the scheduler is the same, and was not restarted");
    let events = s.api::<Event>().list(&ListParams::default()).await?;
    let lost = events.iter().find(|e| e.reason.as_deref() == Some("NotRetired"));
    ensure!(lost.is_none(), "{lost:?}");

    s.scale::<DaskCluster>("stock", 2).await?;
    keeps_all(s, "stock-runner", 3).await?;
    until_status(s, "stock", "Successful").await?;
    until_gone(s, &c).await?;
    let denied = operator.gate.denied();
    ensure!(denied.is_empty(), "the operator lacks rights: {denied:#?}");
    Ok(())
}

#[test]
fn a_job_of_dask_kubernetes_is_taken_over_while_it_runs() {
    // Definitions are everybody's.
    scenario("takeover", Nodes::Killed, async |s| {
        operator::define_anew(&s.client).await?;
        let result = take_over(s).await;
        operator::define_anew(&s.client).await?;
        result
    });
}

/// What users of `KubeCluster` do, from outside of Kubernetes.
const KUBE_CLUSTER: &str = "
import sys
from dask.distributed import Client
from dask_kubernetes.operator import KubeCluster
namespace, image = sys.argv[1:]
with KubeCluster(name='kube', namespace=namespace, image=image, n_workers=1, port_forward_cluster_ip=True, quiet=True) as cluster:
    with Client(cluster) as client:
        print(client.submit(sum, [1, 2, 3]).result())
        cluster.scale(2)
        client.wait_for_workers(2)
        cluster.add_worker_group('more', n_workers=1)
        client.wait_for_workers(3)
        cluster.adapt(minimum=3, maximum=3)
        client.wait_for_workers(4)
        print(client.submit(sum, [4, 5, 6]).result())
    print(len(cluster.get_logs()))
";

#[test]
fn a_kube_cluster_of_dask_kubernetes_works() {
    operated("kube-cluster", async |s, _| {
        let printed = client(KUBE_CLUSTER, &[&s.namespace, IMAGE]).await?;
        ensure!(printed == "6\n15\n5\n", "{printed}");
        ensure!(s.api::<DaskCluster>().get_opt("kube").await?.is_none(), "it is closed");
        s.until_pods("the end of its pods", "dask.org/cluster-name=kube", <[Pod]>::is_empty).await?;
        Ok(())
    });
}
