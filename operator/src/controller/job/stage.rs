//! Where a job stands: derived from its status and its runner, and from nothing else.

use super::Seen;
use crate::api::DaskJobStatus;
use crate::children::Pod;
use k8s_openapi::jiff::Timestamp;

/// Value of `managedBy` that means this operator.
pub const OURS: &str = "kubernetes.dask.org/dask-operator";

/// Seconds before the first retry; twice as many before each one after it.
const FIRST_DELAY: i64 = 10;
/// Seconds of the longest delay.
const LONGEST_DELAY: i64 = 360;

/// Where a job stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Another controller runs it: it is not touched.
    Foreign,
    /// It has ended, and never changes again.
    Finished,
    /// It is to rest.
    Suspended,
    /// No attempt is recorded yet.
    New,
    /// The attempt's runner does not run yet, or is not there.
    Starting,
    /// The runner runs.
    Running {
        /// Since when.
        since: Timestamp,
    },
    /// The attempt failed, and another follows.
    Retrying {
        /// Why it failed.
        why: String,
        /// When the next one may start.
        at: Timestamp,
    },
    /// It has just ended.
    Ended {
        /// Whether it did what it should.
        success: bool,
        /// In a word.
        reason: &'static str,
        /// In a sentence.
        message: String,
    },
}

/// Whether a status is an end.
pub fn is_finished(status: Option<&DaskJobStatus>) -> bool {
    matches!(status.and_then(|s| s.job_status.as_deref()), Some("Successful" | "Failed"))
}

/// When the job was last allowed to run: when it was made, or when it was resumed.
fn allowed_since(seen: &Seen) -> Option<Timestamp> {
    let conditions = seen.job.status.iter().flat_map(|s| &s.conditions);
    let suspended = conditions.into_iter().find(|c| c.type_ == "Suspended" && c.status == "False");
    let made = seen.job.metadata.creation_timestamp.as_ref();
    suspended.map(|c| c.last_transition_time.0).or(made.map(|t| t.0))
}

/// Where a job stands.
pub fn stage(seen: &Seen) -> Stage {
    let (spec, status) = (&seen.job.spec, seen.job.status.as_ref());
    if spec.managed_by.as_deref().is_some_and(|m| m != OURS) {
        return Stage::Foreign;
    }
    if is_finished(status) {
        return Stage::Finished;
    }
    if spec.suspend == Some(true) {
        return Stage::Suspended;
    }
    if seen.attempts() == 0 {
        return Stage::New;
    }
    let ended = |reason, message: String| Stage::Ended { success: false, reason, message };
    let started = status.and_then(|s| s.start_time.as_ref()).map(|t| t.0);
    let over = |since: Option<Timestamp>, seconds: Option<i64>| {
        since.zip(seconds).is_some_and(|(t, s)| seen.now.0.as_second() - t.as_second() >= s)
    };
    let attempt = attempt(seen, started);
    // A runner that has succeeded has, however late.
    if let Stage::Ended { success: true, .. } = attempt {
        return attempt;
    }
    if over(started, spec.active_deadline_seconds) {
        let limit = spec.active_deadline_seconds.unwrap_or_default();
        return ended(
            "DeadlineExceeded",
            format!("it ran longer than spec.activeDeadlineSeconds, {limit} s"),
        );
    }
    if started.is_none() && over(allowed_since(seen), spec.pre_running_deadline_seconds) {
        let limit = spec.pre_running_deadline_seconds.unwrap_or_default();
        return ended(
            "PreRunningDeadlineExceeded",
            format!("it did not run within spec.preRunningDeadlineSeconds, {limit} s"),
        );
    }
    attempt
}

/// Seconds until a deadline that is to come.
pub(super) fn next_deadline(seen: &Seen) -> Option<i64> {
    let spec = &seen.job.spec;
    let started = seen.job.status.as_ref().and_then(|s| s.start_time.as_ref()).map(|t| t.0);
    let left = |since: Timestamp, seconds: i64| (since.as_second() + seconds - seen.now.0.as_second()).max(1);
    match started {
        Some(since) => spec.active_deadline_seconds.map(|s| left(since, s)),
        None => spec.pre_running_deadline_seconds.and_then(|s| Some(left(allowed_since(seen)?, s))),
    }
}

fn attempt(seen: &Seen, started: Option<Timestamp>) -> Stage {
    let Some(runner) = seen.runner() else {
        // It was there: somebody deleted it.
        return match started {
            Some(_) => failed(seen, "its runner was deleted".into(), seen.now.0),
            None => Stage::Starting,
        };
    };
    // It goes since before the job was resumed; the next one comes when its name is free.
    if runner.is_terminating() && started.is_none() {
        return Stage::Starting;
    }
    let at = ended_at(runner).unwrap_or(seen.now.0);
    match runner.phase() {
        "Succeeded" => Stage::Ended {
            success: true,
            reason: "Succeeded",
            message: format!("runner {} succeeded", runner.name()),
        },
        "Failed" => failed(seen, why_failed(runner), at),
        "Running" if too_many_restarts(seen, runner) => Stage::Ended {
            success: false,
            reason: "BackoffLimitExceeded",
            message: format!(
                "runner {} was restarted more often than spec.backoffLimit allows",
                runner.name()
            ),
        },
        "Running" => Stage::Running { since: started_at(runner).or(started).unwrap_or(seen.now.0) },
        _ => Stage::Starting,
    }
}

fn too_many_restarts(seen: &Seen, runner: &Pod) -> bool {
    let restarts: i32 = runner.status.container_statuses.iter().map(|c| c.restart_count).sum();
    seen.job.spec.backoff_limit.is_some_and(|limit| restarts > limit)
}

fn failed(seen: &Seen, why: String, at: Timestamp) -> Stage {
    let attempts = seen.attempts();
    let limit = seen.job.spec.backoff_limit.unwrap_or(0);
    if attempts > limit {
        let reason = if limit > 0 { "BackoffLimitExceeded" } else { "RunnerFailed" };
        let times = if limit > 0 { format!(" ({attempts} attempts)") } else { String::new() };
        return Stage::Ended { success: false, reason, message: format!("{why}{times}") };
    }
    let doublings = u32::try_from(attempts - 1).unwrap_or(0).min(16);
    let delay = FIRST_DELAY.saturating_mul(1 << doublings).min(LONGEST_DELAY);
    Stage::Retrying { why, at: Timestamp::from_second(at.as_second() + delay).unwrap_or(at) }
}

fn why_failed(runner: &Pod) -> String {
    let ended =
        runner.status.container_statuses.iter().filter_map(|c| Some((c, c.state.terminated.as_ref()?)));
    let culprit = ended.into_iter().find(|(_, t)| t.exit_code != 0);
    match culprit {
        Some((c, t)) => format!(
            "runner {}, container {} ended with exit code {}{}; see `kubectl logs {}`",
            runner.name(),
            c.name,
            t.exit_code,
            t.reason.as_deref().map(|r| format!(" ({r})")).unwrap_or_default(),
            runner.name(),
        ),
        None => format!(
            "runner {} failed: {}",
            runner.name(),
            runner
                .status
                .message
                .as_deref()
                .or(runner.status.reason.as_deref())
                .unwrap_or("no reason is known")
        ),
    }
}

fn started_at(runner: &Pod) -> Option<Timestamp> {
    let running =
        runner.status.container_statuses.iter().filter_map(|c| c.state.running.as_ref()?.started_at.as_ref());
    running.map(|t| t.0).min()
}

fn ended_at(runner: &Pod) -> Option<Timestamp> {
    let ended = runner
        .status
        .container_statuses
        .iter()
        .filter_map(|c| c.state.terminated.as_ref()?.finished_at.as_ref());
    ended.map(|t| t.0).max()
}
