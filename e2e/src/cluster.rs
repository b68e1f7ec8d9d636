//! The Kubernetes that scenarios run on: `e2e/cluster/cluster` brings it up, or finds it up.

use anyhow::{Context, Result, ensure};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The folder of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Runs a command of `e2e/cluster/cluster`; what it says goes to the standard error. Returns its standard output.
///
/// # Errors
/// When it fails; what is missing and how to get it, it has said itself.
pub fn run(args: &[&str]) -> Result<String> {
    output(Command::new(root().join("e2e/cluster/cluster")).args(args))
}

/// Runs `kubectl` or `helm` in a namespace; what it says goes to the standard error. Returns its standard output.
///
/// # Errors
/// When it fails.
pub async fn tool(program: &str, namespace: &str, args: &[&str]) -> Result<String> {
    let program = program.to_string();
    let args: Vec<String> =
        [&["--namespace", namespace], args].concat().into_iter().map(Into::into).collect();
    let run = move || {
        let path = run(&["path", &program])?;
        output(Command::new(path.trim()).args(args).env("KUBECONFIG", kubeconfig()?))
    };
    tokio::task::spawn_blocking(run).await?
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot start {command:?}"))?;
    ensure!(output.status.success(), "{command:?} failed ({}); what it said stands above", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether the cluster is brought up from here, and not another's.
pub(crate) fn is_own() -> bool {
    std::env::var_os("E2E_KUBECONFIG").is_none()
}

/// Brings the cluster up, once in this process, with the images that are built. Returns the path of its kubeconfig. The one
/// that `E2E_KUBECONFIG` names is another's: it is neither brought up nor changed.
pub(crate) fn kubeconfig() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("E2E_KUBECONFIG") {
        return Ok(path.into());
    }
    static UP: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    let up = || -> Result<PathBuf> {
        run(&["up"])?;
        Ok(run(&["path", "kubeconfig"])?.trim().into())
    };
    UP.get_or_init(|| up().map_err(|e| format!("{e:#}"))).clone().map_err(anyhow::Error::msg)
}

/// A client of the cluster, which is brought up if it is not.
///
/// # Errors
/// When there is no cluster to be had: says what is missing.
pub async fn client() -> Result<Client> {
    client_by(config().await?).await
}

/// A client that has this token, and no other rights.
pub(crate) async fn client_of(token: &str) -> Result<Client> {
    client_by(config_of(token).await?).await
}

async fn client_by(config: Kubeconfig) -> Result<Client> {
    Ok(Client::try_from(Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?)?)
}

/// The configuration of a client that has this token, and no other rights.
///
/// # Errors
/// When there is no cluster to be had: says what is missing.
pub async fn config_of(token: &str) -> Result<Kubeconfig> {
    let mut config = config().await?;
    for user in &mut config.auth_infos {
        user.auth_info = Some(AuthInfo { token: Some(token.to_string().into()), ..AuthInfo::default() });
    }
    Ok(config)
}

async fn config() -> Result<Kubeconfig> {
    let path = tokio::task::spawn_blocking(kubeconfig).await??;
    Kubeconfig::read_from(&path).with_context(|| format!("{}", path.display()))
}

/// Ends a node as a power failure would.
///
/// # Errors
/// When the cluster's script fails.
pub async fn kill_node(name: &str) -> Result<()> {
    let name = name.to_string();
    tokio::task::spawn_blocking(move || run(&["kill-node", &name])).await??;
    Ok(())
}

/// Starts a node that was killed, and waits until it is ready.
///
/// # Errors
/// When the cluster's script fails.
pub async fn start_node(name: &str) -> Result<()> {
    let name = name.to_string();
    tokio::task::spawn_blocking(move || run(&["start-node", &name])).await??;
    Ok(())
}
