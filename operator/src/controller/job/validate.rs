//! Whether a job can run at all.

use super::Seen;
use crate::api::{Engine, GraphSource};
use crate::controller::cluster::{Refusal, containers};
use crate::{fill, names};

/// Bytes that an inline graph may have; the whole object must fit into the API server's store.
const LARGEST_GRAPH: usize = 128 << 10;

/// Finds what makes a job impossible, its graph included: nothing is made for one that does not parse.
///
/// # Errors
/// With the field, its value and the fix.
pub(super) fn validate(seen: &Seen) -> Result<(), Refusal> {
    if let Some(message) = names::refusal(seen.name()) {
        return Err(Refusal { reason: "InvalidName", message });
    }
    let invalid = |message: String| Refusal { reason: "InvalidSpec", message };
    let spec = &seen.job.spec;
    for (field, pod) in [
        ("spec.cluster.spec.scheduler.spec", &spec.cluster.spec.scheduler.spec),
        ("spec.cluster.spec.worker.spec", &spec.cluster.spec.worker.spec),
    ] {
        containers(field, &pod.0).map_err(invalid)?;
    }
    match (&spec.job.spec, &spec.job.graph) {
        (Some(pod), None) => {
            containers("spec.job.spec", &pod.0).map_err(invalid)?;
            if pod.0.get("containers").and_then(|c| c.as_array()).is_none_or(Vec::is_empty) {
                return Err(invalid(
                    "spec.job.spec.containers is empty; write the container that runs the job".into(),
                ));
            }
            Ok(())
        }
        (None, Some(_)) if fill::engine(&spec.cluster.spec) == Engine::Dask => Err(invalid(
            "spec.job.graph runs on the native engine, and spec.cluster.spec.engine, or an image or arguments of its containers, \
             mean stock Dask; leave these out, set engine: Native, or run a pod by spec.job.spec"
                .into(),
        )),
        (None, Some(graph)) => check_graph(graph, seen),
        (None, None) => {
            Err(invalid("spec.job has neither spec nor graph; write a pod's spec, or a graph".into()))
        }
        (Some(_), Some(_)) => Err(invalid("spec.job has both spec and graph; leave one out".into())),
    }
}

fn check_graph(graph: &GraphSource, seen: &Seen) -> Result<(), Refusal> {
    let invalid = |message: String| Refusal { reason: "InvalidGraph", message };
    match graph {
        GraphSource { inline: Some(text), config_map_key_ref: None, volume: None } => {
            if text.len() > LARGEST_GRAPH {
                return Err(invalid(format!(
                    "spec.job.graph.inline has {} bytes, and {LARGEST_GRAPH} are allowed; put it into a ConfigMap and name that \
                     in spec.job.graph.configMapKeyRef",
                    text.len()
                )));
            }
            parse(text, "spec.job.graph.inline")
        }
        GraphSource { inline: None, config_map_key_ref: Some(key), volume: None } => match &seen.document {
            Some(Ok(text)) => parse(text, &format!("ConfigMap {}, key {}", key.name, key.key)),
            Some(Err(message)) => Err(Refusal { reason: "GraphNotFound", message: message.clone() }),
            None => Ok(()),
        },
        GraphSource { inline: None, config_map_key_ref: None, volume: Some(volume) } => {
            let leads_out = volume.path.is_empty() || volume.path.split('/').any(|part| part == "..");
            if leads_out {
                return Err(invalid(format!(
                    "spec.job.graph.volume.path is {:?}; write a path within the volume, without ..",
                    volume.path
                )));
            }
            Ok(())
        }
        _ => Err(invalid("spec.job.graph needs exactly one of inline, configMapKeyRef and volume".into())),
    }
}

fn parse(text: &str, place: &str) -> Result<(), Refusal> {
    match dask_plan::source::parse(text, place) {
        Ok(_) => Ok(()),
        Err(error) => Err(Refusal { reason: "InvalidGraph", message: error.to_string() }),
    }
}
