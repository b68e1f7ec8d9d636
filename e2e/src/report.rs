//! What is left of a scenario that failed: one text file.

use crate::Scenario;
use crate::cluster::root;
use anyhow::Result;
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Node, Pod};
use kube::api::{Api, DynamicObject, ListParams, LogParams};
use kube::discovery::{ApiCapabilities, ApiResource, Discovery, Scope};
use kube::{Client, ResourceExt};
use std::fmt::Write;
use std::path::PathBuf;

/// Lines of each log.
const LINES: i64 = 500;

/// API group of the custom resources.
const GROUP: &str = "kubernetes.dask.org";

/// Writes the report of a scenario; returns its path.
pub(crate) async fn write(s: &Scenario, name: &str, error: &anyhow::Error) -> Result<PathBuf> {
    let mut text = format!("{name} failed: {error:#}\nnamespace {}, kept until the next run\n", s.namespace);
    // What cannot be read is said in its place: the rest is wanted all the more.
    for (title, part) in [
        ("nodes", nodes(&s.client).await),
        ("events", events(s).await),
        ("custom resources", custom(s).await),
        ("pods", pods(s).await),
        ("operator", operator(s)),
    ] {
        let part = part.unwrap_or_else(|e| format!("cannot be read: {e:#}\n"));
        write!(text, "\n== {title}\n\n{part}")?;
    }
    let folder = root().join("target/e2e");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{name}.txt"));
    std::fs::write(&path, text)?;
    Ok(path)
}

async fn nodes(client: &Client) -> Result<String> {
    let mut text = String::new();
    for node in Api::<Node>::all(client.clone()).list(&ListParams::default()).await? {
        let conditions = node.status.clone().and_then(|s| s.conditions).unwrap_or_default();
        let true_ones: Vec<_> = conditions.iter().filter(|c| c.status == "True").map(|c| &*c.type_).collect();
        writeln!(text, "{}: {}", node.name_any(), true_ones.join(", "))?;
    }
    Ok(text)
}

async fn events(s: &Scenario) -> Result<String> {
    let mut events = s.api::<Event>().list(&ListParams::default()).await?.items;
    events.sort_by_key(|e| e.metadata.creation_timestamp.clone().map(|t| t.0));
    let mut text = String::new();
    for e in events {
        let when = e.metadata.creation_timestamp.map(|t| t.0.to_string()).unwrap_or_default();
        let object = &e.involved_object;
        let (kind, name) = (object.kind.as_deref().unwrap_or("?"), object.name.as_deref().unwrap_or("?"));
        let (reason, message) = (e.reason.unwrap_or_default(), e.message.unwrap_or_default());
        writeln!(text, "{when} {kind}/{name} {reason} ×{}: {message}", e.count.unwrap_or(1))?;
    }
    Ok(text)
}

async fn custom(s: &Scenario) -> Result<String> {
    let mut text = String::new();
    let discovery = Discovery::new(s.client.clone()).filter(&[GROUP]).run().await?;
    let kinds: Vec<(ApiResource, ApiCapabilities)> =
        discovery.groups().flat_map(|g| g.recommended_resources()).collect();
    for (resource, _) in kinds.iter().filter(|(_, c)| c.scope == Scope::Namespaced) {
        let api = Api::<DynamicObject>::namespaced_with(s.client.clone(), &s.namespace, resource);
        for mut object in api.list(&ListParams::default()).await? {
            object.metadata.managed_fields = None;
            writeln!(text, "--- {}\n{}", resource.kind, serde_yaml::to_string(&object)?)?;
        }
    }
    Ok(text)
}

/// The log of the scenario's operator, if it had one.
fn operator(s: &Scenario) -> Result<String> {
    let log = s.operator_log();
    if !log.exists() {
        return Ok("none ran on this machine\n".into());
    }
    let text = std::fs::read_to_string(log)?;
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(10 * LINES as usize)..];
    Ok(last.join("\n"))
}

async fn pods(s: &Scenario) -> Result<String> {
    let mut text = String::new();
    for pod in s.api::<Pod>().list(&ListParams::default()).await? {
        let name = pod.name_any();
        let status = pod.status.unwrap_or_default();
        let node = pod.spec.and_then(|p| p.node_name).unwrap_or_else(|| "no node".into());
        writeln!(text, "--- {name}: {} on {node}", status.phase.unwrap_or_default())?;
        for c in status.conditions.unwrap_or_default().iter().filter(|c| c.status != "True") {
            let (reason, message) = (c.reason.as_deref(), c.message.as_deref());
            writeln!(text, "not {}: {} {}", c.type_, reason.unwrap_or(""), message.unwrap_or(""))?;
        }
        let init = status.init_container_statuses.unwrap_or_default();
        for c in init.iter().chain(status.container_statuses.iter().flatten()) {
            writeln!(text, "container {}: {}", c.name, states(c)?)?;
            for previous in [true, false] {
                if previous && c.restart_count == 0 {
                    continue;
                }
                let container = Some(c.name.clone());
                let which =
                    LogParams { container, previous, tail_lines: Some(LINES), ..LogParams::default() };
                let log = s.api::<Pod>().logs(&name, &which).await.unwrap_or_else(|e| format!("no log: {e}"));
                let title = if previous { "log before the last restart" } else { "log" };
                let indented: String = log.lines().map(|l| format!("    {l}\n")).collect();
                write!(text, "  {title}:\n{indented}")?;
            }
        }
    }
    Ok(text)
}

fn states(c: &ContainerStatus) -> Result<String> {
    let state = serde_json::to_string(&c.state)?;
    let last = c.last_state.as_ref().filter(|l| l.terminated.is_some());
    let last = last.map(serde_json::to_string).transpose()?;
    let last = last.map(|l| format!(", before that {l}")).unwrap_or_default();
    Ok(format!("{} restarts, {state}{last}", c.restart_count))
}
