//! Why pods do not run, and what to do about it.

use crate::children::{ContainerStatus, Pod};
use std::sync::Arc;

/// What hinders a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    /// In a word, as Kubernetes has it.
    pub reason: String,
    /// What happened, to which pod, and what to do.
    pub message: String,
}

/// What hinders a pod, if anything does.
pub fn of_pod(pod: &Pod) -> Option<Trouble> {
    let name = pod.name();
    if let Some(c) = pod.condition("PodScheduled").filter(|c| c.status == "False") {
        let reason = c.reason.as_deref().unwrap_or("Unschedulable");
        // A gate is somebody's wish, not a trouble.
        if reason != "SchedulingGated" {
            let why = c.message.as_deref().unwrap_or("no node takes it");
            return Some(trouble(
                reason,
                format!("pod {name}: {why}"),
                "ask for less, or add nodes that fit its resources, node selector and tolerations",
            ));
        }
    }
    let statuses = pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
    if let Some(found) = statuses.into_iter().find_map(|c| of_container(name, c)) {
        return Some(found);
    }
    if pod.phase() == "Failed" {
        let reason = pod.status.reason.as_deref().unwrap_or("Failed");
        let why = pod.status.message.as_deref().unwrap_or("it failed");
        return Some(trouble(reason, format!("pod {name}: {why}"), "see its log and events"));
    }
    None
}

fn of_container(pod: &str, c: &ContainerStatus) -> Option<Trouble> {
    let place = format!("pod {pod}, container {}", c.name);
    let ended = c.state.terminated.as_ref().or(c.last_state.terminated.as_ref());
    let killed = ended.filter(|t| t.reason.as_deref() == Some("OOMKilled"));
    if killed.is_some() && c.state.running.is_none() {
        return Some(trouble(
            "OOMKilled",
            format!(
                "{place}: it took more memory than its limit and was killed ({} restarts)",
                c.restart_count
            ),
            "raise resources.limits.memory, or make chunks smaller",
        ));
    }
    let waiting = c.state.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    let why = waiting.message.as_deref().unwrap_or_default();
    let advice = match reason {
        // These two take turns, and are one trouble.
        "ImagePullBackOff" | "ErrImagePull" => {
            let why = why.split_once("ErrImagePull: ").map_or(why, |(_, rest)| rest);
            let advice = "check the image's name and tag, and imagePullSecrets for a private registry";
            return Some(trouble("ImagePullBackOff", format!("{place}: {why}"), advice));
        }
        "InvalidImageName" | "ErrImageNeverPull" => "check the image's name, and imagePullPolicy",
        "CrashLoopBackOff" => {
            let exit = ended.map_or(String::new(), |t| format!(", exit code {}", t.exit_code));
            return Some(trouble(
                reason,
                format!("{place}: it ended {} times{exit}", c.restart_count),
                &format!("see `kubectl logs {pod} -c {} --previous`", c.name),
            ));
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            "check the Secrets, ConfigMaps, volumes and command that the container names"
        }
        _ => return None,
    };
    Some(trouble(reason, format!("{place}: {why}"), advice))
}

fn trouble(reason: &str, what: String, advice: &str) -> Trouble {
    let what = what.trim_end_matches([':', ' ', '.']);
    Trouble { reason: reason.into(), message: format!("{what}; {advice}") }
}

/// The troubles of some pods in one: the first, and how many more there are.
pub fn of_pods<'a>(pods: impl IntoIterator<Item = &'a Arc<Pod>>) -> Option<Trouble> {
    in_one(pods.into_iter().filter_map(|p| of_pod(p)), "pods")
}

/// Several troubles in one: the first, and how many more `things` have some.
pub fn in_one(troubles: impl Iterator<Item = Trouble>, things: &str) -> Option<Trouble> {
    let mut all: Vec<Trouble> = troubles.collect();
    all.sort();
    let more = all.len().saturating_sub(1);
    let mut first = all.into_iter().next()?;
    if more > 0 {
        first.message = format!("{}; {more} more {things} have troubles", first.message);
    }
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(status: serde_json::Value) -> Option<Trouble> {
        let pod = json!({"metadata": {"name": "p"}, "status": status});
        of_pod(&serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn each_trouble_is_named_with_what_to_do() {
        let waits = |reason: &str| {
            json!({"phase": "Pending", "containerStatuses": [
                {"name": "worker", "restartCount": 3, "state": {"waiting": {"reason": reason, "message": "why"}},
                 "lastState": {"terminated": {"exitCode": 1}}}]})
        };
        for (status, reason, advice) in [
            (waits("ImagePullBackOff"), "ImagePullBackOff", "imagePullSecrets"),
            (
                waits("CrashLoopBackOff"),
                "CrashLoopBackOff",
                "exit code 1; see `kubectl logs p -c worker --previous`",
            ),
            (waits("CreateContainerConfigError"), "CreateContainerConfigError", "ConfigMaps"),
            (
                json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                    "message": "0/2 nodes are available: 2 Insufficient memory."}]}),
                "Unschedulable",
                "Insufficient memory; ask for less",
            ),
            (
                json!({"containerStatuses": [{"name": "worker", "restartCount": 1,
                    "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]}),
                "OOMKilled",
                "raise resources.limits.memory",
            ),
        ] {
            let found = of(status).unwrap();
            assert_eq!(found.reason, reason);
            assert!(found.message.contains(advice), "{}", found.message);
        }
        assert_eq!(of(waits("ErrImagePull")), of(waits("ImagePullBackOff")));
        assert_eq!(of(waits("ContainerCreating")), None);
        assert_eq!(of(json!({"phase": "Running"})), None);
    }
}
