//! Jobs from their start to their end, with runners that really run.

use super::{STOCK, TRANSPOSE_SUM, restrict, unplaced, until_gone, until_status};
use anyhow::{Result, ensure};
use e2e::dask::{Dask, DaskCluster, DaskJob};
use e2e::{Scenario, operated};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::{Value, json};

/// The smallest job that there is.
const MINIMAL: &str = "
cluster: {spec: {worker: {replicas: 3}}}
job:
  graph:
    inline: |
      version: 1
      arrays:
        x: {random: {seed: 42, shape: [10000, 10000], chunks: [1000, 1000]}}
        total: (x + x.T).sum()
      outputs:
        total: print
";

/// A job whose runner runs this program, on a cluster that does not matter.
fn program(code: &str) -> Value {
    let container = json!({"name": "job", "image": STOCK, "imagePullPolicy": "IfNotPresent", "command": ["python", "-c", code]});
    json!({
        "cluster": {"spec": unplaced(1)},
        "job": {"spec": {"terminationGracePeriodSeconds": 1, "containers": [container]}},
    })
}

/// A program that runs until somebody ends it.
const ENDLESS: &str = "import signal; signal.pause()";

#[test]
fn the_minimal_job_completes_where_pods_are_restricted() {
    operated("minimal-job", async |s, _| {
        restrict(s).await?;
        s.dask::<DaskJob>("transpose-sum", serde_yaml::from_str(MINIMAL)?).await?;
        s.kubectl(&["wait", "--for=condition=Complete", "--timeout=180s", "daskjob/transpose-sum"]).await?;
        let seen = s.kubectl(&["get", "djb", "transpose-sum"]).await?;
        let log = s.log("transpose-sum-runner").await?;
        ensure!(log.contains(TRANSPOSE_SUM), "{log}");
        let job = s.api::<DaskJob>().get("transpose-sum").await?;
        let status = job.status();
        ensure!(status["jobStatus"] == "Successful" && status["attempts"] == 1, "{status}");
        ensure!(status["clusterName"] == "transpose-sum", "{status}");
        ensure!(status["startTime"].is_string() && status["endTime"].is_string(), "{status}");
        ensure!(seen.contains("STATUS") && seen.contains("Successful"), "{seen}");
        if let Some(c) = s.api::<DaskCluster>().get_opt("transpose-sum").await? {
            until_gone(s, &c).await?;
        }
        ensure!(s.api::<Pod>().get_opt("transpose-sum-runner").await?.is_some(), "its log stays to be read");
        Ok(())
    });
}

#[test]
fn a_suspended_job_rests_and_goes_on() {
    operated("suspend", async |s, operator| {
        let mut spec = program(ENDLESS);
        spec["suspend"] = json!(true);
        s.dask::<DaskJob>("rests", spec).await?;
        until_status(s, "rests", "Suspended").await?;
        let made: Vec<String> =
            operator.gate.writes().into_iter().filter(|w| w.starts_with("POST")).collect();
        ensure!(made.is_empty(), "it makes nothing: {made:?}");

        let suspend = |on: bool| s.merge::<DaskJob>("rests", json!({"spec": {"suspend": on}}));
        suspend(false).await?;
        let job = until_status(s, "rests", "Running").await?;
        ensure!(job.status()["attempts"] == 1 && job.status()["startTime"].is_string(), "{}", job.status());
        let runner = s.api::<Pod>().get("rests-runner").await?;
        let its = s.api::<DaskCluster>().get("rests").await?;

        suspend(true).await?;
        let job = until_status(s, "rests", "Suspended").await?;
        ensure!(job.status()["startTime"].is_null() && job.is("Suspended"), "{}", job.status());
        until_gone(s, &runner).await?;
        until_gone(s, &its).await?;

        suspend(false).await?;
        let job = until_status(s, "rests", "Running").await?;
        ensure!(job.status()["attempts"] == 1, "a rest is no failed attempt: {}", job.status());
        ensure!(job.status()["jobRunnerPodName"] == "rests-runner", "{}", job.status());
        Ok(())
    });
}

/// A job that fails twice; whether the second attempt has the cluster of the first.
async fn fails_twice(s: &Scenario, policy: &str, is_kept: bool) -> Result<()> {
    let mut spec = program("raise SystemExit(1)");
    spec["backoffLimit"] = json!(1);
    spec["retry"] = json!({"cluster": policy});
    s.dask::<DaskJob>("fails", spec).await?;
    let first = s.until::<DaskCluster>("the cluster", "fails", |c: Option<&DaskCluster>| c.is_some()).await?;
    let second = |p: Option<&Pod>| p.is_some();
    s.until::<Pod>("the second runner", "fails-runner-1", second).await?;
    // It may be gone already: the second runner fails as fast as the first.
    if let Some(now) = s.api::<DaskCluster>().get_opt("fails").await? {
        ensure!((now.uid() == first.uid()) == is_kept, "the cluster of the second attempt");
    }
    let job = until_status(s, "fails", "Failed").await?;
    let failed = job.condition("Failed");
    ensure!(failed["reason"] == "BackoffLimitExceeded", "{failed}");
    ensure!(failed["message"].as_str().is_some_and(|m| m.contains("exit code 1")), "{failed}");
    let status = job.status();
    ensure!(status["jobRunnerPodName"] == "fails-runner-1" && status["attempts"] == 2, "{status}");
    let runner = s.api::<Pod>().get_opt("fails-runner").await?;
    ensure!(runner.is_some(), "the first runner's log stays to be read");
    if let Some(c) = s.api::<DaskCluster>().get_opt("fails").await? {
        until_gone(s, &c).await?;
    }
    Ok(())
}

#[test]
fn a_failing_job_is_tried_again_on_a_new_cluster() {
    operated("retry-new", async |s, _| fails_twice(s, "New", false).await);
}

#[test]
fn a_failing_job_is_tried_again_on_the_same_cluster() {
    operated("retry-same", async |s, _| fails_twice(s, "Reuse", true).await);
}

#[test]
fn a_cluster_ends_as_the_jobs_policy_says() {
    operated("deletion-policy", async |s, _| {
        let job = |policy: &str, on: &str, code: &str| {
            let mut spec = program(code);
            spec["backoffLimit"] = json!(0);
            spec["deletionPolicy"] = json!({on: policy});
            spec
        };
        s.dask::<DaskJob>("kept", job("Keep", "onSuccess", "")).await?;
        s.dask::<DaskJob>("rested", job("DeleteWorkers", "onFailure", "raise SystemExit(1)")).await?;
        let mut gone = program("");
        gone["ttlSecondsAfterFinished"] = json!(3);
        let gone = s.dask::<DaskJob>("gone", gone).await?;

        until_status(s, "kept", "Successful").await?;
        until_status(s, "rested", "Failed").await?;
        super::until_workers(s, "rested-default", 0).await?;
        until_gone(s, &gone).await?;
        let kept = s.api::<DaskCluster>().get("kept").await?;
        ensure!(kept.metadata.deletion_timestamp.is_none(), "it is kept");
        ensure!(super::asked(s, "kept-default").await? == 1, "with its workers");
        s.api::<DaskCluster>().get("rested").await?;
        Ok(())
    });
}

#[test]
fn a_runner_that_somebody_deletes_is_a_failed_attempt() {
    operated("deleted-runner", async |s, _| {
        s.dask::<DaskJob>("ends", program(ENDLESS)).await?;
        until_status(s, "ends", "Running").await?;
        s.api::<Pod>().delete("ends-runner", &DeleteParams::default()).await?;
        let job = until_status(s, "ends", "Failed").await?;
        let failed = job.condition("Failed");
        ensure!(failed["message"].as_str().is_some_and(|m| !m.is_empty()), "{failed}");
        ensure!(job.status()["attempts"] == 1, "{}", job.status());
        Ok(())
    });
}

#[test]
fn a_name_can_be_used_again_at_once() {
    operated("reused-name", async |s, _| {
        s.dask::<DaskJob>("twice", program(ENDLESS)).await?;
        until_status(s, "twice", "Running").await?;
        s.api::<DaskJob>().delete("twice", &DeleteParams::background()).await?;
        // The first one's cluster and runner are still there.
        let second = s.dask::<DaskJob>("twice", program("print('second')")).await?;
        let job = until_status(s, "twice", "Successful").await?;
        ensure!(job.uid() == second.uid(), "it is the second one's status");
        ensure!(s.log("twice-runner").await? == "second\n", "it is the second one's runner");
        Ok(())
    });
}

#[test]
fn a_job_that_does_not_end_in_time_fails() {
    operated("deadline", async |s, _| {
        let mut long = program(ENDLESS);
        long["activeDeadlineSeconds"] = json!(2);
        s.dask::<DaskJob>("long", long).await?;
        let mut never = program(ENDLESS);
        never["job"]["spec"]["schedulerName"] = json!("none");
        never["preRunningDeadlineSeconds"] = json!(2);
        s.dask::<DaskJob>("never", never).await?;
        for (name, reason) in [("long", "DeadlineExceeded"), ("never", "PreRunningDeadlineExceeded")] {
            let job = until_status(s, name, "Failed").await?;
            ensure!(job.condition("Failed")["reason"] == reason, "{}", job.status());
            let runner = s.api::<Pod>().get_opt(&format!("{name}-runner")).await?;
            if let Some(runner) = runner {
                until_gone(s, &runner).await?;
            }
        }
        Ok(())
    });
}

#[test]
fn another_controllers_job_is_not_touched() {
    operated("managed-by", async |s, operator| {
        let mut spec = program(ENDLESS);
        spec["managedBy"] = json!("kueue.x-k8s.io/multikueue");
        let made = s.dask::<DaskJob>("theirs", spec.clone()).await?;
        // It has looked at theirs once it has done what came later, and once more after a restart.
        s.dask::<DaskJob>("ours", program("")).await?;
        until_status(s, "ours", "Successful").await?;
        operator.restart()?;
        spec["managedBy"] = json!("kubernetes.dask.org/dask-operator");
        s.dask::<DaskJob>("named", spec).await?;
        until_status(s, "named", "Running").await?;
        let theirs = s.api::<DaskJob>().get("theirs").await?;
        ensure!(theirs.status().is_null(), "{}", theirs.status());
        ensure!(theirs.resource_version() == made.resource_version(), "it was written to");
        let about: Vec<String> =
            operator.gate.writes().into_iter().filter(|w| w.contains("theirs")).collect();
        ensure!(about.is_empty(), "{about:?}");
        Ok(())
    });
}
