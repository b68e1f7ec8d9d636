//! What cannot be: refused by the API server, or told by a condition and an event that name field, value and fix, and nothing
//! half made.

use super::unplaced;
use anyhow::{Context, Result, ensure};
use e2e::dask::{Dask, DaskAutoscaler, DaskCluster, DaskJob, DaskWorkerGroup};
use e2e::{Scenario, operated};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod, Service};
use kube::Resource;
use kube::api::{DeleteParams, ListParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::time::{Duration, Instant};

/// How soon people are told.
const SOON: Duration = Duration::from_secs(10);

/// Makes something that cannot be, and checks that all of these words are told about it.
async fn is_told<K>(s: &Scenario, name: &str, spec: Value, words: &[&str]) -> Result<()>
where
    K: Dask + Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    K: Clone + Debug + DeserializeOwned + Send + 'static,
{
    let kind = K::kind(&()).into_owned();
    let says = |text: &str| words.iter().all(|w| text.contains(w));
    let began = Instant::now();
    if let Err(error) = s.dask::<K>(name, spec).await {
        let text = format!("{error:#}");
        ensure!(text.contains("is invalid") && says(&text), "{kind} {name}: {words:?} are not in {text}");
        return Ok(());
    }
    let degraded = |o: Option<&K>| o.is_some_and(|o| o.is("Degraded"));
    let object = s.until::<K>("a condition that says what is wrong", name, degraded).await?;
    let told = object.condition("Degraded");
    let message = told["message"].as_str().context("a message")?;
    ensure!(says(message), "{kind} {name}: {words:?} are not in {message}");
    let is_event = |e: &Event| {
        e.involved_object.name.as_deref() == Some(name)
            && e.involved_object.kind.as_deref() == Some(&kind)
            && e.type_.as_deref() == Some("Warning")
            && e.reason.as_deref() == told["reason"].as_str()
            && e.message.as_deref().is_some_and(says)
    };
    s.until_all::<Event>("an event that says it", "", |events| events.iter().any(is_event)).await?;
    ensure!(began.elapsed() < SOON, "{kind} {name}: told after {:?}", began.elapsed());
    Ok(())
}

/// Whether there is nothing of a cluster or job.
async fn is_bare(s: &Scenario, name: &str) -> Result<()> {
    let params = ListParams::default().labels(&format!("dask.org/cluster-name={name}"));
    let made = [
        s.api::<Deployment>().list(&params).await?.items.len(),
        s.api::<Service>().list(&params).await?.items.len(),
        s.api::<Pod>().list(&params).await?.items.len(),
        s.api::<ConfigMap>().list(&params).await?.items.len(),
        s.api::<DaskWorkerGroup>().list(&params).await?.items.len(),
        s.api::<DaskCluster>().list(&params).await?.items.len(),
    ];
    ensure!(made == [0; 6], "{name} is half made: {made:?}");
    Ok(())
}

/// A native cluster whose pods no scheduler places.
fn native() -> Value {
    json!({"scheduler": {"spec": {"schedulerName": "none"}}, "worker": {"spec": {"schedulerName": "none"}}})
}

/// A job with an inline graph.
fn graph(text: &str) -> Value {
    json!({"cluster": {"spec": native()}, "job": {"graph": {"inline": text}}})
}

#[test]
fn what_cannot_be_is_told() {
    operated("bad-input", async |s, _| {
        let name = "a".repeat(54);
        is_told::<DaskCluster>(s, &name, unplaced(1), &["metadata.name", &name, "at most 53"]).await?;
        is_bare(s, &name).await?;
        is_told::<DaskCluster>(s, "dotted.name", unplaced(1), &["metadata.name", "dotted.name", "0-9"])
            .await?;

        let mut spec = unplaced(1);
        spec["worker"]["replicas"] = json!(-3);
        is_told::<DaskCluster>(
            s,
            "negative",
            spec,
            &["spec.worker.replicas", "-3", "greater than or equal to 0"],
        )
        .await?;
        is_bare(s, "negative").await?;

        let group = json!({"cluster": "nobody", "worker": unplaced(1)["worker"]});
        is_told::<DaskWorkerGroup>(s, "lonely", group, &["spec.cluster", "nobody", "create it"]).await?;
        is_told::<DaskAutoscaler>(
            s,
            "nobody",
            json!({"cluster": "nobody", "minimum": 1, "maximum": 2}),
            &["spec.cluster", "nobody", "create it"],
        )
        .await?;
        is_bare(s, "nobody").await
    });
}

#[test]
fn a_job_that_cannot_run_makes_nothing() {
    operated("bad-jobs", async |s, _| {
        let both = json!({
            "cluster": {"spec": unplaced(1)},
            "job": {"spec": {"containers": [{"name": "job", "image": "none"}]}, "graph": {"inline": "version: 1"}},
        });
        is_told::<DaskJob>(s, "both", both, &["spec", "graph"]).await?;
        is_bare(s, "both").await?;
        is_told::<DaskJob>(s, "neither", json!({"job": {}}), &["spec", "graph"]).await?;
        is_bare(s, "neither").await?;

        let broken = "version: 1\narrays:\n  x: {random: {seed: 1, shape: [8], chunks: [4]}}\n  y: x + z\noutputs:\n  y: print\n";
        is_told::<DaskJob>(s, "broken", graph(broken), &["spec.job.graph.inline", "z"]).await?;
        is_bare(s, "broken").await?;
        let job = s.api::<DaskJob>().get("broken").await?;
        ensure!(job.status()["jobStatus"] == "Failed" && job.is("Failed"), "{}", job.status());

        let large = format!("{broken}# {}\n", "x".repeat(128 << 10));
        is_told::<DaskJob>(s, "large", graph(&large), &["graph.inline", "configMapKeyRef"]).await?;
        is_bare(s, "large").await
    });
}

#[test]
fn a_graph_that_is_not_there_yet_is_waited_for() {
    operated("late-graph", async |s, _| {
        let job = json!({
            "cluster": {"spec": native()},
            "job": {"graph": {"configMapKeyRef": {"name": "graphs", "key": "late.yaml"}}},
        });
        is_told::<DaskJob>(s, "late", job, &["spec.job.graph.configMapKeyRef.name", "graphs", "create it"])
            .await?;
        is_bare(s, "late").await?;
        let text =
            "version: 1\narrays:\n  x: {random: {seed: 1, shape: [8], chunks: [4]}}\noutputs:\n  x: print\n";
        s.create::<ConfigMap>(json!({"metadata": {"name": "graphs"}, "data": {"late.yaml": text}})).await?;
        let begun = |j: Option<&DaskJob>| j.is_some_and(|j| j.status()["jobStatus"] == "ClusterCreated");
        s.until::<DaskJob>("the job's start", "late", begun).await?;
        Ok(())
    });
}

#[test]
fn of_two_autoscalers_the_later_yields() {
    operated("two-autoscalers", async |s, _| {
        s.dask::<DaskCluster>("shared", unplaced(1)).await?;
        let running = |c: Option<&DaskCluster>| c.is_some_and(|c| c.status()["phase"] == "Running");
        s.until::<DaskCluster>("the cluster", "shared", running).await?;
        s.dask::<DaskAutoscaler>("shared", json!({"cluster": "shared", "minimum": 1, "maximum": 2})).await?;
        // Which of two of the same second is the later one is decided by name.
        is_told::<DaskAutoscaler>(
            s,
            "shared-too",
            json!({"cluster": "shared", "minimum": 3, "maximum": 4}),
            &["shared", "shared-default", "delete one of the two"],
        )
        .await?;
        let later = s.api::<DaskAutoscaler>().get("shared-too").await?;
        ensure!(later.is("Contended"), "{}", later.status());
        let first = s.api::<DaskAutoscaler>().get("shared").await?;
        ensure!(!first.is("Contended"), "{}", first.status());
        ensure!(super::asked(s, "shared-default").await? == 1, "nobody has scaled the group");
        Ok(())
    });
}

#[test]
fn an_autoscaler_yields_to_one_of_kubernetes_own() {
    operated("beside-hpa", async |s, _| {
        s.dask::<DaskCluster>("shared", unplaced(1)).await?;
        s.dask::<DaskAutoscaler>("shared", json!({"cluster": "shared", "minimum": 1, "maximum": 2})).await?;
        let contended = |is: bool| {
            move |a: Option<&DaskAutoscaler>| {
                a.is_some_and(|a| a.is("Contended") == is && a.status()["conditions"].is_array())
            }
        };
        s.until::<DaskAutoscaler>("its status", "shared", contended(false)).await?;
        for (kind, name) in [("DaskWorkerGroup", "shared-default"), ("DaskCluster", "shared")] {
            let target = json!({"apiVersion": "kubernetes.dask.org/v1", "kind": kind, "name": name});
            let hpa =
                json!({"metadata": {"name": "theirs"}, "spec": {"scaleTargetRef": target, "maxReplicas": 3}});
            s.create::<HorizontalPodAutoscaler>(hpa).await?;
            let told = s.until::<DaskAutoscaler>("the condition", "shared", contended(true)).await?;
            let message = told.condition("Contended")["message"].as_str().context("a message")?;
            ensure!(message.contains("HorizontalPodAutoscaler \"theirs\""), "{message}");
            s.api::<HorizontalPodAutoscaler>().delete("theirs", &DeleteParams::default()).await?;
            s.until::<DaskAutoscaler>("its end", "shared", contended(false)).await?;
        }
        Ok(())
    });
}

#[test]
fn what_the_api_server_refuses_of_a_child_is_told() {
    operated("refused-child", async |s, _| {
        let mut spec = unplaced(1);
        spec["worker"]["spec"]["containers"][0]["resources"] =
            json!({"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}});
        s.dask::<DaskCluster>("greedy", spec).await?;
        let told = |g: Option<&DaskWorkerGroup>| g.is_some_and(|g| g.is("Degraded"));
        let group = s.until::<DaskWorkerGroup>("the refusal", "greedy-default", told).await?;
        let condition = group.condition("Degraded");
        ensure!(condition["reason"] == "InvalidSpec", "{condition}");
        let message = condition["message"].as_str().context("a message")?;
        ensure!(message.contains("requests") && message.contains("2Gi"), "{message}");
        let told = |c: Option<&DaskCluster>| c.is_some_and(|c| c.is("Degraded"));
        s.until::<DaskCluster>("the refusal, at the cluster", "greedy", told).await?;
        // And put right, it works.
        let right =
            json!({"spec": {"worker": {"spec": {"containers": [{"name": "worker", "image": "none"}]}}}});
        s.merge::<DaskCluster>("greedy", right).await?;
        super::until_workers(s, "greedy-default", 1).await?;
        Ok(())
    });
}

#[test]
fn what_is_not_understood_is_told_and_hinders_nobody_else() {
    operated("not-understood", async |s, operator| {
        let field = "spec.worker.updateStrategy.maxUnavailable";
        // The API server takes any integer there, and the operator those of 32 bits.
        let strategy = |most: u64| json!({"updateStrategy": {"maxUnavailable": most}});
        let odd = 99_999_999_999;
        let mut spec = unplaced(1);
        spec["worker"]["updateStrategy"] = strategy(odd)["updateStrategy"].take();
        is_told::<DaskCluster>(s, "odd", spec, &[field, "99999999999", "correct"]).await?;
        let stored = s.api::<DaskCluster>().get("odd").await?;
        ensure!(stored.status()["phase"] == "Error", "{}", stored.status());

        let running = |c: Option<&DaskCluster>| c.is_some_and(|c| c.status()["phase"] == "Running");
        s.dask::<DaskCluster>("beside", unplaced(2)).await?;
        super::until_workers(s, "beside-default", 2).await?;
        // It is in a list, and not only in a watch.
        operator.restart()?;
        s.dask::<DaskCluster>("later", unplaced(1)).await?;
        s.until::<DaskCluster>("a later cluster", "later", running).await?;
        is_bare(s, "odd").await?;

        // A child that is not understood is not made again and again.
        let group = |most: u64| {
            s.merge::<DaskWorkerGroup>("beside-default", json!({"spec": {"worker": strategy(most)}}))
        };
        let told = |c: Option<&DaskCluster>| {
            c.is_some_and(|c| {
                let message = c.condition("Degraded")["message"].as_str().unwrap_or_default();
                c.is("Degraded") && message.contains("beside-default")
            })
        };
        group(odd).await?;
        s.until::<DaskCluster>("word of the group, at the cluster", "beside", told).await?;
        group(1).await?;
        let healthy = |c: Option<&DaskCluster>| c.is_some_and(|c| !c.is("Degraded"));
        s.until::<DaskCluster>("health", "beside", healthy).await?;

        s.merge::<DaskCluster>("odd", json!({"spec": {"worker": strategy(1)}})).await?;
        s.until::<DaskCluster>("the cluster, put right", "odd", running).await?;
        super::until_workers(s, "odd-default", 1).await?;
        Ok(())
    });
}
