//! What people and programs read about a job.

use super::Seen;
use super::desired::name_is_taken;
use super::stage::{Stage, stage};
use crate::action::Answer;
use crate::api::{DaskJobStatus, JobProgress, RetryCluster, Time};
use crate::conditions::{Conditions, is_true};
use crate::controller::Failure;
use crate::controller::cluster::Refusal;
use crate::{names, trouble};

/// Seconds between two notes of progress, so that a long job is not a write a second.
const PROGRESS_EVERY: f64 = 4.0;

/// The status of a job that nothing is made for. One that was running goes on: its graph was good when it started.
pub(super) fn refused(seen: &Seen, refusal: &Refusal) -> DaskJobStatus {
    let old = seen.job.status.clone().unwrap_or_default();
    let mut conditions = Conditions::new(&old.conditions, seen.job.metadata.generation, &seen.now);
    // What may still come is waited for.
    let is_final = refusal.reason != "GraphNotFound";
    conditions.set("Suspended", false, "NotSuspended", "");
    conditions.set("Complete", false, refusal.reason, "");
    conditions.set("Failed", is_final, refusal.reason, if is_final { &refusal.message } else { "" });
    conditions.set("Available", false, refusal.reason, "nothing is made");
    conditions.set("Progressing", false, refusal.reason, "nothing is made");
    conditions.set("Degraded", true, refusal.reason, &refusal.message);
    DaskJobStatus {
        job_status: Some(if is_final { "Failed" } else { "JobCreated" }.into()),
        observed_generation: seen.job.metadata.generation,
        end_time: is_final.then(|| seen.now.clone()),
        conditions: conditions.finish(),
        ..old
    }
}

/// The status of a job after its children were seen to; nothing when it is not to be touched.
pub(super) fn status(seen: &Seen, failure: Option<&Failure>) -> Option<DaskJobStatus> {
    let stage = stage(seen);
    if matches!(stage, Stage::Foreign | Stage::Finished) {
        return None;
    }
    let old = seen.job.status.clone().unwrap_or_default();
    let mut new = DaskJobStatus {
        observed_generation: seen.job.metadata.generation,
        cluster_name: Some(seen.name().into()),
        ..old.clone()
    };
    let mut retrying = false;
    match &stage {
        Stage::Suspended => {
            new.job_status = Some("Suspended".into());
            new.start_time = None;
            // The attempt did not fail: it is made again under the same number.
            new.job_runner_pod_name = None;
            new.progress = None;
        }
        Stage::New => start(&mut new, seen, 1),
        Stage::Retrying { at, .. } => {
            let fresh = seen.job.spec.retry.unwrap_or_default().cluster == RetryCluster::New;
            if *at <= seen.now.0 && !(fresh && seen.cluster.is_some()) {
                start(&mut new, seen, seen.attempts() + 1);
            }
            retrying = true;
        }
        Stage::Starting => {
            new.job_status = Some("ClusterCreated".into());
            new.job_runner_pod_name = Some(names::runner(seen.name(), seen.attempts() - 1));
        }
        Stage::Running { since } => {
            new.job_status = Some("Running".into());
            new.start_time.get_or_insert(Time(*since));
            new.progress = progress(seen, old.progress.as_ref());
        }
        Stage::Ended { success, .. } => {
            new.job_status = Some(if *success { "Successful" } else { "Failed" }.into());
            new.end_time = Some(seen.now.clone());
            new.start_time.get_or_insert(seen.now.clone());
            if let Some(p) = new.progress.as_mut().filter(|_| *success) {
                *p = JobProgress {
                    done: p.tasks,
                    seconds_left: Some(0),
                    text: format!("{0}/{0}", p.tasks),
                    ..p.clone()
                };
            }
        }
        Stage::Foreign | Stage::Finished => {}
    }
    new.conditions = conditions(seen, &stage, retrying, failure);
    Some(new)
}

fn start(status: &mut DaskJobStatus, seen: &Seen, attempt: i32) {
    status.job_status = Some("ClusterCreated".into());
    status.attempts = Some(attempt);
    status.job_runner_pod_name = Some(names::runner(seen.name(), attempt - 1));
    status.start_time = None;
    status.progress = None;
}

fn progress(seen: &Seen, old: Option<&JobProgress>) -> Option<JobProgress> {
    let Some(Answer::Progress { done, tasks, seconds }) = seen.answer else { return old.cloned() };
    let left = (done > 0).then(|| seconds / done as f64 * (tasks - done) as f64);
    // Far from its end, a little progress is no news.
    if let Some(old) = old.filter(|o| o.tasks == tasks && o.done <= done && done < tasks)
        && seconds > 0.0
        && (done - old.done) as f64 / (done.max(1) as f64) * seconds < PROGRESS_EVERY
    {
        return Some(old.clone());
    }
    Some(JobProgress {
        done,
        tasks,
        seconds_left: left.map(|s| s.round() as i64),
        text: format!("{done}/{tasks}"),
    })
}

fn conditions(
    seen: &Seen,
    stage: &Stage,
    retrying: bool,
    failure: Option<&Failure>,
) -> Vec<crate::api::Condition> {
    let old = seen.job.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    let mut c = Conditions::new(old, seen.job.metadata.generation, &seen.now);
    let suspended = *stage == Stage::Suspended;
    c.set("Suspended", suspended, if suspended { "Suspended" } else { "NotSuspended" }, "");
    let cluster = seen.own_cluster().and_then(|c| c.status.clone()).unwrap_or_default();
    let available = is_true(&cluster.conditions, "Available");
    match (stage, available) {
        (Stage::Ended { .. }, _) => c.set("Available", false, "Finished", ""),
        (_, true) => c.set("Available", true, "ClusterReady", ""),
        (_, false) => c.set("Available", false, "ClusterNotReady", ""),
    }
    let (complete, failed, reason, message) = match stage {
        Stage::Ended { success, reason, message } => (*success, !*success, *reason, message.clone()),
        Stage::Retrying { why, .. } => (false, false, "Retrying", why.clone()),
        Stage::Running { .. } => (false, false, "Running", String::new()),
        Stage::Suspended => (false, false, "Suspended", String::new()),
        _ => (false, false, "Starting", String::new()),
    };
    c.set("Complete", complete, reason, if complete { &message } else { "" });
    c.set("Failed", failed, reason, if failed { &message } else { "" });
    let over = complete || failed || suspended;
    c.set("Progressing", !over, reason, if retrying { &message } else { "" });
    let taken = name_is_taken(seen).then(|| {
        format!(
            "a DaskCluster named {:?} that is not this job's is there; delete it, or give the job another metadata.name",
            seen.name()
        )
    });
    let trouble = trouble::of_pods(seen.runner());
    let degraded = cluster.conditions.iter().find(|c| c.type_ == "Degraded" && c.status == "True");
    match (failure, taken, trouble, degraded) {
        (Some(f), ..) => c.set("Degraded", true, f.reason, &f.message),
        (None, Some(message), ..) => c.set("Degraded", true, "ClusterNameTaken", message),
        (None, None, Some(t), _) if !complete => c.set("Degraded", true, &t.reason, t.message),
        (None, None, _, Some(d)) if !complete => c.set("Degraded", true, &d.reason, &d.message),
        _ => c.set("Degraded", false, "Healthy", ""),
    }
    c.finish()
}
