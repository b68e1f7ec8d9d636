//! Whether a group can have workers at all.

use super::Seen;
use crate::children::controller_uid;
use crate::controller::cluster::{Refusal, containers};
use crate::names;

/// Finds what makes a group impossible.
///
/// # Errors
/// With the field, its value and the fix.
pub(super) fn validate(seen: &Seen) -> Result<(), Refusal> {
    let (name, spec) = (seen.group.metadata.name.as_deref().unwrap_or_default(), &seen.group.spec);
    let Some(cluster) = &seen.cluster else {
        let namespace = seen.group.metadata.namespace.as_deref().unwrap_or_default();
        return Err(Refusal {
            reason: "ClusterNotFound",
            message: format!(
                "spec.cluster is {:?}, and namespace {namespace} has no DaskCluster of this name; create it, or name one that is there",
                spec.cluster
            ),
        });
    };
    if let Some(message) = names::refusal(&spec.cluster) {
        return Err(Refusal { reason: "InvalidName", message });
    }
    if name.len() > 63 {
        return Err(Refusal {
            reason: "InvalidName",
            message: format!(
                "metadata.name {name:?} has {} characters; a group's name is a label: use at most 63",
                name.len()
            ),
        });
    }
    let owner = controller_uid(&seen.group.metadata);
    if owner.is_some() && owner != cluster.metadata.uid.as_deref() {
        return Err(Refusal {
            reason: "OwnedByAnother",
            message: format!(
                "metadata.ownerReferences names another controller than DaskCluster {:?}; remove it, or wait until it is gone",
                spec.cluster
            ),
        });
    }
    containers("spec.worker.spec", &spec.worker.spec.0)
        .map_err(|message| Refusal { reason: "InvalidSpec", message })
}
