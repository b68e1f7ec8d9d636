//! What people and programs read about an autoscaler.

use super::Seen;
use crate::action::Answer;
use crate::api::DaskAutoscalerStatus;
use crate::conditions::Conditions;
use crate::controller::Failure;
use crate::controller::cluster::Refusal;

/// The status of an autoscaler; `scaled` is the number that the group was just given.
pub(super) fn status(
    seen: &Seen,
    refusal: Option<&Refusal>,
    scaled: Option<i32>,
    failure: Option<&Failure>,
) -> DaskAutoscalerStatus {
    let old = seen.autoscaler.status.clone().unwrap_or_default();
    let generation = seen.autoscaler.metadata.generation;
    let mut c = Conditions::new(&old.conditions, generation, &seen.now);
    match (refusal, &seen.answer) {
        (Some(refusal), _) => {
            c.set("Available", false, refusal.reason, &refusal.message);
            c.set("Progressing", false, refusal.reason, "");
            c.set("Degraded", true, refusal.reason, &refusal.message);
            if refusal.reason == "Contended" {
                c.set("Contended", true, "TwoAutoscalers", &refusal.message);
            }
        }
        (None, Some(Answer::Target(_))) => {
            c.set("Available", true, "TargetKnown", "");
            c.set("Progressing", scaled.is_some(), if scaled.is_some() { "Scaling" } else { "Settled" }, "");
            match failure {
                Some(f) => c.set("Degraded", true, f.reason, &f.message),
                None => c.set("Degraded", false, "Healthy", ""),
            }
        }
        (None, answer) => {
            let why = match answer {
                Some(Answer::NoApi) => "the scheduler serves no /api/v1/adaptive_target",
                Some(Answer::Failed(why)) => why,
                _ => "the scheduler was not asked yet",
            };
            let is_known = matches!(answer, Some(Answer::NoApi));
            c.set("Available", false, "TargetUnknown", format!("{why}; the group stays as it is"));
            c.set("Progressing", false, "TargetUnknown", "");
            c.set("Degraded", is_known, if is_known { "NoSchedulerAPI" } else { "Healthy" }, "");
        }
    }
    DaskAutoscalerStatus {
        observed_generation: generation,
        desired_replicas: scaled.or(seen.group.as_ref().map(|g| g.spec.worker.replicas)),
        last_scale_time: if scaled.is_some() { Some(seen.now.clone()) } else { old.last_scale_time },
        conditions: c.finish(),
    }
}
