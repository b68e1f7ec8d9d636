//! Objects that are not understood: another version of the definition stored them, or the API server takes values that the
//! types do not. People are told, and nothing else is done: others that do not depend on them go on.

use super::{Context, Error, Outcome, job};
use crate::action::{Kind, Plan, warn};
use crate::api::{Condition, Time};
use crate::cache::Broken;
use crate::conditions::Conditions;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

/// In a word, for conditions and events.
pub(crate) const REASON: &str = "InvalidSpec";

/// Tells people that an object is not understood.
pub(super) async fn reconcile(
    ctx: &Context,
    kind: Kind,
    meta: &ObjectMeta,
    broken: &Broken,
) -> Result<Outcome, Error> {
    if is_left(&broken.raw) {
        return Ok(Outcome::default());
    }
    ctx.drop_kopf(kind, meta).await?;
    if meta.deletion_timestamp.is_some() {
        return Ok(Outcome::default());
    }
    let message = format!(
        "it is not understood and left alone: {}; correct the field, or install an operator that knows it",
        broken.why
    );
    let plan = Plan { actions: vec![warn(REASON, &message)], ..Plan::default() };
    ctx.carry_out(kind, meta, &plan).await?;
    let status = status(kind, &broken.raw["status"], meta.generation, &ctx.now(), &message);
    match ctx.write_status(kind, meta, Some(&broken.raw["status"]), &status).await {
        // What the API server itself would not take any more keeps the status that it has; the event says all.
        Err(Error::Kube(kube::Error::Api(refusal))) if refusal.code == 422 => {
            tracing::debug!("the status of {} {:?} is refused: {refusal}", kind.name(), meta.name);
        }
        result => result?,
    }
    Ok(Outcome::default())
}

/// Whether it is a job that nobody may write to: another controller's, or one that has ended.
fn is_left(raw: &Value) -> bool {
    let text = |pointer: &str| raw.pointer(pointer).and_then(Value::as_str);
    text("/spec/managedBy").is_some_and(|m| m != job::OURS)
        || matches!(text("/status/jobStatus"), Some("Successful" | "Failed"))
}

/// The status as it is, with other conditions.
fn status(kind: Kind, old: &Value, generation: Option<i64>, now: &Time, message: &str) -> Value {
    let conditions: Vec<Condition> = serde_json::from_value(old["conditions"].clone()).unwrap_or_default();
    let mut conditions = Conditions::new(&conditions, generation, now);
    conditions.set("Available", false, REASON, message);
    conditions.set("Progressing", false, REASON, "nothing is done");
    conditions.set("Degraded", true, REASON, message);
    let mut status = old.as_object().cloned().unwrap_or_default();
    if kind == Kind::Cluster {
        status.insert("phase".into(), json!("Error"));
    }
    status.insert("observedGeneration".into(), json!(generation));
    status.insert("conditions".into(), json!(conditions.finish()));
    Value::Object(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::jiff::Timestamp;

    fn at(second: i64) -> Time {
        Time(Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn all_else_in_the_status_stays_and_a_second_look_writes_nothing() {
        let old = json!({"phase": "Running", "readyReplicas": 3, "conditions": [{"type": "Odd"}]});
        let first = status(Kind::Cluster, &old, Some(2), &at(10), "why");
        assert_eq!((&first["phase"], &first["readyReplicas"]), (&json!("Error"), &json!(3)));
        assert_eq!(first["conditions"].as_array().map(Vec::len), Some(3));
        assert_eq!(status(Kind::Cluster, &first, Some(2), &at(20), "why"), first);
        assert_eq!(status(Kind::Group, &Value::Null, Some(1), &at(10), "why").get("phase"), None);
    }

    #[test]
    fn jobs_that_nobody_may_write_to_are_left() {
        assert!(is_left(&json!({"spec": {"managedBy": "another"}})));
        assert!(!is_left(&json!({"spec": {"managedBy": job::OURS}})));
        assert!(is_left(&json!({"status": {"jobStatus": "Failed"}})));
        assert!(!is_left(&json!({"status": {"jobStatus": "Running"}})));
    }
}
