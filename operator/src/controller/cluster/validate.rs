//! Whether a cluster can be made at all.

use super::Seen;
use crate::names;
use serde_json::Value;

/// Why nothing is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// In a word.
    pub reason: &'static str,
    /// Field, value and fix.
    pub message: String,
}

/// Finds what makes a cluster impossible.
///
/// # Errors
/// With the field, its value and the fix.
pub(super) fn validate(seen: &Seen) -> Result<(), Refusal> {
    let name = seen.cluster.metadata.name.as_deref().unwrap_or_default();
    if let Some(message) = names::refusal(name) {
        return Err(Refusal { reason: "InvalidName", message });
    }
    for (field, pod) in [
        ("spec.scheduler.spec", &seen.cluster.spec.scheduler.spec),
        ("spec.worker.spec", &seen.cluster.spec.worker.spec),
    ] {
        containers(field, &pod.0).map_err(|message| Refusal { reason: "InvalidSpec", message })?;
    }
    Ok(())
}

/// Finds containers that are none. All else about pods is the API server's to judge.
///
/// # Errors
/// With the field, its value and the fix.
pub fn containers(field: &str, pod: &serde_json::Map<String, Value>) -> Result<(), String> {
    match pod.get("containers") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(list)) => match list.iter().position(|c| !c.is_object()) {
            Some(i) => {
                Err(format!("{field}.containers[{i}] is {}; write an object with name and image", list[i]))
            }
            None => Ok(()),
        },
        Some(other) => Err(format!("{field}.containers is {other}; write a list of containers")),
    }
}
