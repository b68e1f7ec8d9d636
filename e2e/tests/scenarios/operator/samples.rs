//! The samples that users are shown, as they would apply them: each does what it says.

use super::{TRANSPOSE_SUM, until_ready};
use anyhow::{Context, Result, bail, ensure};
use e2e::dask::{Dask, DaskAutoscaler, DaskCluster, DaskJob};
use e2e::{Scenario, cluster, operated};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::ListParams;
use serde::Deserialize;
use serde_json::Value;

/// What the log of a job's runner holds: what Dask computes, to the digits that do not depend on the order of a sum.
fn result(job: &str) -> Result<&'static str> {
    Ok(match job {
        "transpose-sum" => TRANSPOSE_SUM,
        "dice" => "result:\n3.5001185\n",
        "to-zarr" => "of_x:\n0.49993668677240",
        "python" => "499500\n",
        "python-native" => "15999758.042\n6\n",
        other => bail!("what job {other} prints is not known here: write it beside the others"),
    })
}

/// Waits until an object of a sample is what it should be.
async fn check(s: &Scenario, object: &Value) -> Result<()> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let name = text("/metadata/name");
    let replicas = object.pointer("/spec/worker/replicas").and_then(Value::as_u64).unwrap_or_default();
    match text("/kind") {
        "DaskJob" => {
            let ended = |j: Option<&DaskJob>| j.is_some_and(|j| j.is("Complete") || j.is("Failed"));
            let job = s.until::<DaskJob>("the job's end", name, ended).await?;
            ensure!(job.status()["jobStatus"] == "Successful", "{}", job.status());
            let runner = job.status()["jobRunnerPodName"].as_str().context("a runner")?;
            let log = s.log(runner).await?;
            ensure!(log.contains(result(name)?), "{log}");
        }
        "DaskCluster" => {
            let available = |c: Option<&DaskCluster>| c.is_some_and(|c| c.is("Available"));
            s.until::<DaskCluster>("a scheduler", name, available).await?;
            until_ready(s, &format!("{name}-default"), replicas).await?;
            are_pulled_with(s, name, object["spec"].get("imagePullSecrets")).await?;
        }
        "DaskWorkerGroup" => until_ready(s, name, replicas).await?,
        "DaskAutoscaler" => {
            let available = |a: Option<&DaskAutoscaler>| a.is_some_and(|a| a.is("Available"));
            s.until::<DaskAutoscaler>("a target", name, available).await?;
        }
        "PersistentVolumeClaim" => {
            let bound = |c: Option<&PersistentVolumeClaim>| {
                c.and_then(|c| c.status.as_ref()?.phase.as_deref()) == Some("Bound")
            };
            s.until::<PersistentVolumeClaim>("a volume", name, bound).await?;
        }
        // Whoever uses them shows whether they are right.
        "ConfigMap" | "Secret" => {}
        other => bail!("what a {other} of a sample should be is not known here: write it beside the others"),
    }
    Ok(())
}

/// Checks that all pods of a cluster name these Secrets. The sample's registry is a placeholder: its image is on the nodes
/// already, and nothing is pulled.
async fn are_pulled_with(s: &Scenario, cluster: &str, secrets: Option<&Value>) -> Result<()> {
    let Some(secrets) = secrets else { return Ok(()) };
    let ours = ListParams::default().labels(&format!("dask.org/cluster-name={cluster}"));
    let pods = s.api::<Pod>().list(&ours).await?.items;
    ensure!(pods.len() > 1, "scheduler and workers, not only {}", pods.len());
    for pod in pods {
        let named = serde_json::to_value(pod.spec.and_then(|p| p.image_pull_secrets))?;
        ensure!(named == *secrets, "{named}");
    }
    Ok(())
}

#[test]
fn all_samples_do_what_they_say() {
    operated("samples", async |s, _| {
        let mut files = Vec::new();
        for file in std::fs::read_dir(cluster::root().join("manifests/samples/kubernetes"))? {
            files.push(file?.path().to_string_lossy().into_owned());
        }
        let args = files.iter().flat_map(|f| ["-f", f]);
        s.kubectl(&["apply"].into_iter().chain(args).collect::<Vec<_>>()).await?;
        for file in &files {
            let text = std::fs::read_to_string(file)?;
            for document in serde_yaml::Deserializer::from_str(&text) {
                check(s, &Value::deserialize(document)?).await.with_context(|| file.clone())?;
            }
        }
        Ok(())
    });
}
