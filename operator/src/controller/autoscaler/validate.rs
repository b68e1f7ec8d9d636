//! Whether an autoscaler can scale anything.

use super::Seen;
use super::observe::group_name;
use crate::controller::cluster::Refusal;

/// Finds what keeps an autoscaler from its work.
///
/// # Errors
/// With the field, its value and the fix.
pub(super) fn validate(seen: &Seen) -> Result<(), Refusal> {
    let (spec, group) = (&seen.autoscaler.spec, group_name(&seen.autoscaler));
    if let Some(maximum) = spec.maximum.filter(|m| *m < spec.minimum) {
        return Err(Refusal {
            reason: "InvalidSpec",
            message: format!(
                "spec.maximum is {maximum}, less than spec.minimum, {}; raise one or lower the other",
                spec.minimum
            ),
        });
    }
    if !seen.has_cluster {
        return Err(Refusal {
            reason: "ClusterNotFound",
            message: format!(
                "spec.cluster is {:?}, and there is no DaskCluster of this name; create it, or name another",
                spec.cluster
            ),
        });
    }
    if seen.group.is_none() {
        return Err(Refusal {
            reason: "GroupNotFound",
            message: format!(
                "cluster {:?} has no DaskWorkerGroup {group:?}; correct spec.workerGroup, or create it",
                spec.cluster
            ),
        });
    }
    if let Some(rival) = seen.rivals.first() {
        return Err(Refusal {
            reason: "Contended",
            message: format!("{rival} scales group {group:?} already; delete one of the two"),
        });
    }
    Ok(())
}
