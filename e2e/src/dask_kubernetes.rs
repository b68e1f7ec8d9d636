//! dask-kubernetes as it is released, in a Python environment of its own, on this machine: the operator that ours takes over
//! from, and its client.

use crate::{Scenario, cluster};
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tokio::task::spawn_blocking;

/// Seconds that a client may take.
const PATIENCE: &str = "170";

/// The operator. It is killed when this is dropped.
pub struct DaskKubernetes(Child);

impl DaskKubernetes {
    /// Starts it for a scenario's namespace.
    ///
    /// # Errors
    /// When its environment cannot be made, or it cannot be started.
    pub async fn start(s: &Scenario) -> Result<DaskKubernetes> {
        let log = cluster::root().join(format!("target/e2e/{}.dask-kubernetes.log", s.namespace));
        std::fs::create_dir_all(log.parent().context("a folder")?)?;
        let process = Command::new(python().await?)
            .args(["-m", "kopf", "run", "--standalone", "--namespace", &s.namespace])
            .args(["-m", "dask_kubernetes.operator.controller"])
            .env("KUBECONFIG", cluster::kubeconfig()?)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log)?)
            .spawn()?;
        Ok(DaskKubernetes(process))
    }
}

impl Drop for DaskKubernetes {
    fn drop(&mut self) {
        // It may have ended by itself, and then its work is missed elsewhere.
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Runs a program with dask-kubernetes; returns what it printed.
///
/// # Errors
/// When it fails, or takes too long.
pub async fn client(program: &str, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("timeout");
    command.arg(PATIENCE).arg(python().await?).args(["-c", program]).args(arguments);
    command.env("KUBECONFIG", cluster::kubeconfig()?);
    let output = spawn_blocking(move || command.output()).await??;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the client failed ({}): {said}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// The folder with its definitions of the custom resources.
///
/// # Errors
/// When its environment cannot be made.
pub async fn definitions() -> Result<PathBuf> {
    let folder = client("import dask_kubernetes; print(dask_kubernetes.__path__[0])", &[]).await?;
    Ok(PathBuf::from(folder.trim()).join("operator/deployment/helm/dask-kubernetes-operator/crds"))
}

/// Its Python.
async fn python() -> Result<PathBuf> {
    let mut venv = Command::new(cluster::root().join("scripts/venv"));
    venv.arg(cluster::root().join("e2e/dask-kubernetes.txt")).stderr(Stdio::inherit());
    let output = spawn_blocking(move || venv.output()).await??;
    ensure!(output.status.success(), "scripts/venv failed; what it said stands above");
    Ok(String::from_utf8(output.stdout)?.trim().into())
}
