//! Conditions: what is known of an object, one a question.

use crate::api::{Condition, Time};

/// Longest message that the API server takes.
const LONGEST: usize = 32_768;

/// Conditions of an object's status under way.
#[derive(Clone, Debug)]
pub struct Conditions {
    old: Vec<Condition>,
    new: Vec<Condition>,
    generation: Option<i64>,
    now: Time,
}

impl Conditions {
    /// Starts from the conditions that stand in the status.
    pub fn new(old: &[Condition], generation: Option<i64>, now: &Time) -> Conditions {
        Conditions { old: old.to_vec(), new: Vec::new(), generation, now: now.clone() }
    }

    /// Answers a question. The time of the last change stays when the answer is the same.
    pub fn set(&mut self, type_: &str, holds: bool, reason: &str, message: impl Into<String>) {
        let status = if holds { "True" } else { "False" };
        let old = self.old.iter().find(|c| c.type_ == type_);
        let since = old.filter(|c| c.status == status).map(|c| c.last_transition_time.clone());
        let mut message: String = message.into();
        if message.len() > LONGEST {
            message = message.chars().take(LONGEST / 4).collect();
        }
        self.new.push(Condition {
            type_: type_.into(),
            status: status.into(),
            reason: reason.into(),
            message,
            observed_generation: self.generation,
            last_transition_time: since.unwrap_or_else(|| self.now.clone()),
        });
    }

    /// All answers; questions that were not asked are dropped.
    pub fn finish(self) -> Vec<Condition> {
        self.new
    }
}

/// Whether a condition is there and true.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    conditions.iter().any(|c| c.type_ == type_ && c.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::jiff::Timestamp;

    #[test]
    fn the_time_changes_with_the_answer_only() {
        let at = |seconds| Time(Timestamp::from_second(seconds).unwrap());
        let mut first = Conditions::new(&[], Some(1), &at(10));
        first.set("Available", false, "Starting", "0 of 3");
        let first = first.finish();
        let mut second = Conditions::new(&first, Some(2), &at(20));
        second.set("Available", false, "Starting", "1 of 3");
        let second = second.finish();
        assert_eq!(second[0].last_transition_time, at(10));
        assert_eq!(second[0].observed_generation, Some(2));
        let mut third = Conditions::new(&second, Some(2), &at(30));
        third.set("Available", true, "Running", "3 of 3");
        let third = third.finish();
        assert_eq!(third[0].last_transition_time, at(30));
        assert!(is_true(&third, "Available") && !is_true(&third, "Degraded"));
    }
}
