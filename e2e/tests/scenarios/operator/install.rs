//! The operator as users install it: by Helm, in a pod, from its first release to its removal.

use super::{TRANSPOSE_SUM, is_active, restrict, until_ready, until_workers};
use anyhow::{Context, Result, ensure};
use e2e::dask::{Dask, DaskCluster, DaskJob};
use e2e::{Nodes, Scenario, cluster, operator, scenario};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::rbac::v1::{ClusterRole, Role};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

const RELEASE: &str = "e2e";
const OPERATOR: &str = "e2e-dask-operator";
const CHANGED: &str = "daskautoscalers.kubernetes.dask.org";

async fn helm(s: &Scenario, args: &[&str]) -> Result<String> {
    cluster::tool("helm", &s.namespace, args).await
}

/// A copy of the chart as a later version of it might be: a definition has one more field.
fn next_chart() -> Result<PathBuf> {
    let (chart, copy) =
        (cluster::root().join("charts/dask-operator"), cluster::root().join("target/e2e/next-chart"));
    if copy.exists() {
        std::fs::remove_dir_all(&copy)?;
    }
    // The definitions are behind a link.
    let copied = Command::new("cp").arg("-rL").args([&chart, &copy]).status()?;
    ensure!(copied.success(), "the chart cannot be copied");
    let file = copy.join("files/crds/daskautoscalers.yaml");
    let mut definition: Value = serde_yaml::from_str(&std::fs::read_to_string(&file)?)?;
    let spec = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    spec["properties"]["later"] = json!({"type": "string", "description": "A field of a later version."});
    std::fs::write(&file, serde_yaml::to_string(&definition)?)?;
    Ok(copy)
}

fn definitions(s: &Scenario) -> Api<CustomResourceDefinition> {
    Api::all(s.client.clone())
}

/// Whether the API server knows the field of the later version.
async fn has_later_field(s: &Scenario) -> Result<bool> {
    let definition = serde_json::to_value(definitions(s).get(CHANGED).await?)?;
    let spec = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    ensure!(spec["properties"]["cluster"].is_object(), "{spec}");
    Ok(spec["properties"]["later"].is_object())
}

async fn ours(s: &Scenario) -> Result<Vec<CustomResourceDefinition>> {
    let all = definitions(s).list(&ListParams::default()).await?;
    Ok(all.into_iter().filter(|d| d.spec.group == "kubernetes.dask.org").collect())
}

/// Names and uids of the definitions.
async fn defined(s: &Scenario) -> Result<BTreeSet<(String, Option<String>)>> {
    Ok(ours(s).await?.into_iter().map(|d| (d.name_any(), d.uid())).collect())
}

/// Checks, before the release is removed, that the definitions are not: other scenarios would lose all that they made.
async fn are_kept(s: &Scenario) -> Result<()> {
    for definition in ours(s).await? {
        let policy = definition.annotations().get("helm.sh/resource-policy");
        ensure!(policy.is_some_and(|p| p == "keep"), "{} would be removed", definition.name_any());
    }
    Ok(())
}

/// Makes the definitions nobody's again, so that releases of another name can take them.
async fn disown(s: &Scenario) -> Result<()> {
    let patch = json!({"metadata": {
        "annotations": {
            "helm.sh/resource-policy": null,
            "meta.helm.sh/release-name": null,
            "meta.helm.sh/release-namespace": null,
        },
        "labels": {"app.kubernetes.io/managed-by": null},
    }});
    for definition in ours(s).await? {
        let name = definition.name_any();
        definitions(s).patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    }
    Ok(())
}

/// The pods of cluster `simple` that run, with how often their containers started anew.
async fn running(s: &Scenario) -> Result<BTreeSet<(Option<String>, i32)>> {
    let ours = ListParams::default().labels("dask.org/cluster-name=simple");
    let restarts = |p: &Pod| {
        let containers = p.status.as_ref().and_then(|s| s.container_statuses.as_ref());
        containers.into_iter().flatten().map(|c| c.restart_count).sum()
    };
    let pods = s.api::<Pod>().list(&ours).await?.into_iter();
    Ok(pods.filter(is_active).map(|p| (p.uid(), restarts(&p))).collect())
}

/// The operator's log level, as its Deployment says.
async fn level(s: &Scenario) -> Result<Option<String>> {
    let deployment = s.api::<Deployment>().get(OPERATOR).await?;
    let pod = deployment.spec.template.spec.context("a pod's spec")?;
    let env = pod.containers.into_iter().flat_map(|c| c.env.unwrap_or_default());
    Ok(env.into_iter().find(|e| e.name == "DASK_OPERATOR_LOG").and_then(|e| e.value))
}

#[test]
fn a_release_comes_changes_and_goes_and_clusters_run_on() {
    scenario("helm", Nodes::Shared, async |s| {
        // Other scenarios need them, too: they are there before and after.
        operator::define(&s.client).await?;
        let before = defined(s).await?;
        restrict(s).await?;
        let chart = cluster::root().join("charts/dask-operator").to_string_lossy().into_owned();
        let only_here = format!("watchNamespaces={{{}}}", s.namespace);
        let wait = ["--wait", "--timeout", "3m"];
        helm(
            s,
            &[&["install", RELEASE, &chart, "--take-ownership", "--set", &only_here], &wait[..]].concat(),
        )
        .await?;
        helm(s, &["test", RELEASE]).await?;
        let sample = |file: &str| {
            cluster::root().join("manifests/samples/kubernetes").join(file).to_string_lossy().into_owned()
        };
        s.kubectl(&["apply", "-f", &sample("cluster.yaml")]).await?;
        until_ready(s, "simple-default", 3).await?;
        let pods = running(s).await?;
        ensure!(pods.len() == 4, "{pods:?}");

        // A later chart, another pod of the operator, and rights in the namespace only.
        let next = next_chart()?.to_string_lossy().into_owned();
        let values = "rbac.cluster=false,extraEnv[0].name=DASK_OPERATOR_LOG,extraEnv[0].value=debug";
        // The definitions are not the release's alone.
        let upgrade = ["upgrade", RELEASE, &next, "--force-conflicts", "--reuse-values", "--set", values];
        helm(s, &[&upgrade[..], &wait[..]].concat()).await?;
        ensure!(has_later_field(s).await?, "the definition was not upgraded");
        ensure!(level(s).await?.as_deref() == Some("debug"), "the operator was not upgraded");
        s.api::<Role>().get(OPERATOR).await?;
        let roles = Api::<ClusterRole>::all(s.client.clone());
        ensure!(roles.get_opt(OPERATOR).await?.is_none(), "rights in all namespaces are left");
        s.kubectl(&["apply", "-f", &sample("job.yaml")]).await?;
        let ended = |j: Option<&DaskJob>| j.is_some_and(|j| j.is("Complete") || j.is("Failed"));
        s.until::<DaskJob>("the job's end", "transpose-sum", ended).await?;
        let log = s.log("transpose-sum-runner").await?;
        ensure!(log.contains(TRANSPOSE_SUM), "{log}");
        ensure!(running(s).await? == pods, "the cluster's pods are others");

        helm(s, &[&["rollback", RELEASE, "1"], &wait[..]].concat()).await?;
        ensure!(!has_later_field(s).await?, "the definition was not rolled back");
        ensure!(level(s).await?.is_none(), "the operator was not rolled back");
        s.scale::<DaskCluster>("simple", 2).await?;
        until_workers(s, "simple-default", 2).await?;

        let pods = running(s).await?;
        ensure!(pods.len() == 3, "{pods:?}");
        are_kept(s).await?;
        helm(s, &[&["uninstall", RELEASE], &wait[..]].concat()).await?;
        ensure!(s.api::<Deployment>().get_opt(OPERATOR).await?.is_none(), "the operator is left");
        ensure!(defined(s).await? == before, "the definitions are others: {:?}", defined(s).await?);
        ensure!(running(s).await? == pods, "the cluster's pods are others");
        disown(s).await
    });
}
