//! The operator, as a process on this machine for one scenario's namespace, with the rights of a ServiceAccount there.

use crate::gate::Gate;
use crate::scenario::patient;
use crate::{Nodes, Scenario, cluster, engine, scenario};
use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, ResourceExt};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Name of its ServiceAccount, Role and RoleBinding.
const NAME: &str = "dask-operator";

/// An operator that looks after a scenario's namespace. It is killed when this is dropped.
pub struct Operator {
    /// Its way to the API server.
    pub gate: Arc<Gate>,
    namespace: String,
    kubeconfig: PathBuf,
    log: PathBuf,
    process: Option<Child>,
}

/// Runs a scenario with an operator. That the operator lacks a right fails it.
///
/// # Panics
/// When the scenario fails, or no cluster can be had.
pub fn operated(name: &str, body: impl AsyncFnOnce(&Scenario, &mut Operator) -> Result<()>) {
    operated_on(name, Nodes::Shared, body);
}

/// The same, and says whether it leaves the nodes alone.
///
/// # Panics
/// When the scenario fails, or no cluster can be had.
pub fn operated_on(name: &str, nodes: Nodes, body: impl AsyncFnOnce(&Scenario, &mut Operator) -> Result<()>) {
    scenario(name, nodes, async |s| {
        let mut operator = Operator::start(s).await?;
        body(s, &mut operator).await?;
        let denied = operator.gate.denied();
        ensure!(denied.is_empty(), "the operator lacks rights: {denied:#?}");
        operator.is_alone(s).await
    });
}

impl Operator {
    /// Starts an operator for the namespace of a scenario.
    ///
    /// # Errors
    /// When the definitions or its rights cannot be made, or it cannot be started.
    pub async fn start(s: &Scenario) -> Result<Operator> {
        define(&s.client).await?;
        let token = account(s).await?;
        let gate = Gate::open(&token).await?;
        let folder = cluster::root().join("target/e2e");
        std::fs::create_dir_all(&folder)?;
        let kubeconfig = folder.join(format!("{}.kubeconfig", s.namespace));
        std::fs::write(&kubeconfig, config(&gate.url(), &s.namespace).to_string())?;
        let log = s.operator_log();
        File::create(&log)?;
        let mut operator = Operator { gate, namespace: s.namespace.clone(), kubeconfig, log, process: None };
        operator.run()?;
        Ok(operator)
    }

    /// Checks that it made all Services of clusters: an operator that looks after all namespaces would do its work, and the
    /// scenario would prove nothing.
    async fn is_alone(&self, s: &Scenario) -> Result<()> {
        let ours = ListParams::default().labels("dask.org/cluster-name");
        for service in s.api::<Service>().list(&ours).await? {
            let is_made_here = self.gate.made(&service.uid().unwrap_or_default());
            ensure!(is_made_here, "another operator made Service {}: end it first", service.name_any());
        }
        Ok(())
    }

    /// Starts its process, which does not run.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&mut self) -> Result<()> {
        let log = File::options().append(true).open(&self.log)?;
        let binary = binary()?;
        let process = Command::new(&binary)
            .args(["run", "--no-lease", "--namespaces", &self.namespace, "--listen", "127.0.0.1:0"])
            .args(["--native-image", engine::IMAGE, "--cluster-domain", "cluster.local"])
            .args(["--log", "info,dask_operator=debug"])
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| binary.display().to_string())?;
        self.process = Some(process);
        Ok(())
    }

    /// Ends it as a power failure would.
    ///
    /// # Errors
    /// When it ended by itself before.
    pub fn kill(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let ended = process.try_wait()?;
        process.kill()?;
        process.wait()?;
        match ended {
            Some(status) => bail!("the operator ended by itself ({status}); see {}", self.log.display()),
            None => Ok(()),
        }
    }

    /// Kills it, and starts it again.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn restart(&mut self) -> Result<()> {
        self.kill()?;
        self.run()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself, which is told elsewhere.
            let _ = process.kill().and_then(|()| process.wait());
        }
        let _ = std::fs::remove_file(&self.kubeconfig);
    }
}

/// The operator's program, beside the one that runs; built when it is not there.
///
/// # Errors
/// When it cannot be built.
pub fn binary() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let folder = this.parent().context("the target directory")?;
    // Tests are a folder deeper.
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let binary = folder.join(NAME);
    if !binary.exists() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--locked", "-p", NAME, "--bin", NAME]).current_dir(cluster::root());
        if folder.ends_with("release") {
            build.arg("--release");
        }
        ensure!(build.status()?.success(), "the operator cannot be built");
    }
    Ok(binary)
}

/// Installs the definitions of the custom resources, or brings those that are there up to date, once in this process.
///
/// # Errors
/// When the API server refuses them.
pub async fn define(client: &Client) -> Result<()> {
    static DEFINED: OnceCell<()> = OnceCell::const_new();
    DEFINED.get_or_try_init(|| define_anew(client)).await.copied()
}

/// As [`define`], whether it was done before or not: others may have put theirs in place.
///
/// # Errors
/// When the API server refuses them.
pub async fn define_anew(client: &Client) -> Result<()> {
    let api = Api::<CustomResourceDefinition>::all(client.clone());
    for file in std::fs::read_dir(cluster::root().join("crds"))? {
        let definition: Value = serde_yaml::from_str(&std::fs::read_to_string(file?.path())?)?;
        // Beside them is a list of them for kustomize.
        let Some(name) = definition["metadata"]["name"].as_str() else { continue };
        api.patch(name, &PatchParams::apply("e2e").force(), &Patch::Apply(&definition)).await?;
        patient(name, await_condition(api.clone(), name, conditions::is_crd_established())).await??;
    }
    Ok(())
}

/// A token of a ServiceAccount, for two hours.
///
/// # Errors
/// When the API server makes none.
pub async fn token(accounts: &Api<ServiceAccount>, name: &str) -> Result<String> {
    let request = json!({"spec": {"audiences": [], "expirationSeconds": 7200}});
    let request: TokenRequest = serde_json::from_value(request)?;
    let made = accounts.create_token_request(name, &PostParams::default(), &request).await?;
    made.status.and_then(|s| s.token).context("no token was made")
}

/// Makes the operator's ServiceAccount with its rights in the namespace. Returns a token of it.
async fn account(s: &Scenario) -> Result<String> {
    s.create::<ServiceAccount>(json!({"metadata": {"name": NAME}})).await?;
    s.create::<Role>(json!({"metadata": {"name": NAME}, "rules": rules()?})).await?;
    s.create::<RoleBinding>(json!({
        "metadata": {"name": NAME},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": s.namespace}],
    }))
    .await?;
    token(&s.api(), NAME).await
}

/// What the operator may do, and nothing else: as it is installed.
fn rules() -> Result<Value> {
    let text = std::fs::read_to_string(cluster::root().join("manifests/rbac.yaml"))?;
    let documents = serde_yaml::Deserializer::from_str(&text).map(Value::deserialize);
    let documents = documents.collect::<Result<Vec<Value>, _>>()?;
    let role = documents.iter().find(|d| d["kind"] == "ClusterRole" && d["metadata"]["name"] == NAME);
    Ok(role.context("manifests/rbac.yaml has no such ClusterRole")?["rules"].clone())
}

fn config(server: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "e2e", "cluster": {"server": server}}],
        "users": [{"name": "e2e", "user": {}}],
        "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "e2e", "namespace": namespace}}],
        "current-context": "e2e",
    })
}
