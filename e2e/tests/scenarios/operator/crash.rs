//! An operator that dies at any of its writes: the next one goes on from there, and makes nothing twice.

use super::{is_active, unplaced};
use anyhow::{Context, Result, ensure};
use e2e::dask::{Dask, DaskCluster, DaskJob, DaskWorkerGroup};
use e2e::gate::Shut;
use e2e::{Operator, Scenario, operated};
use futures::TryStreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;

const WORKERS: usize = 3;

/// The most pods that a cluster ever had at a time, by component, as a watch of the test's own saw it.
pub(super) struct Census {
    most: Arc<Mutex<HashMap<(String, String), usize>>>,
    watch: JoinHandle<()>,
}

impl Census {
    pub(super) fn begin(s: &Scenario) -> Census {
        let most: Arc<Mutex<HashMap<(String, String), usize>>> = Arc::default();
        let (kept, pods) = (Arc::clone(&most), s.api::<Pod>());
        let watch = tokio::spawn(async move {
            let mut there: HashMap<(String, String), HashSet<String>> = HashMap::new();
            let mut changes = Box::pin(
                watcher(pods, watcher::Config::default().labels("dask.org/cluster-name")).default_backoff(),
            );
            while let Ok(Some(event)) = changes.try_next().await {
                let (pod, is_there) = match event {
                    watcher::Event::Apply(p) | watcher::Event::InitApply(p) => {
                        let is_there = is_active(&p);
                        (p, is_there)
                    }
                    watcher::Event::Delete(p) => (p, false),
                    _ => continue,
                };
                let label = |key: &str| pod.labels().get(key).cloned().unwrap_or_default();
                let key = (label("dask.org/cluster-name"), label("dask.org/component"));
                let uids = there.entry(key.clone()).or_default();
                let uid = pod.uid().unwrap_or_default();
                if is_there {
                    uids.insert(uid)
                } else {
                    uids.remove(&uid)
                };
                let mut most = kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let most = most.entry(key).or_default();
                *most = (*most).max(uids.len());
            }
        });
        Census { most, watch }
    }

    pub(super) fn most(&self, cluster: &str, component: &str) -> usize {
        let most = self.most.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        most.get(&(cluster.to_string(), component.to_string())).copied().unwrap_or_default()
    }
}

impl Drop for Census {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// Waits until all children of a cluster are there, and told of.
async fn is_whole(s: &Scenario, name: &str, workers: usize) -> Result<()> {
    let group = format!("{name}-default");
    super::until_workers(s, &group, workers).await?;
    let told = move |c: Option<&DaskCluster>| {
        c.is_some_and(|c| {
            let status = c.status();
            status["phase"] == "Running"
                && status["replicas"] == workers
                && status["observedGeneration"].as_i64() == c.metadata.generation
        })
    };
    s.until::<DaskCluster>("the cluster's status", name, told).await?;
    s.until::<Deployment>("the scheduler", &format!("{name}-scheduler"), |d: Option<&Deployment>| {
        d.is_some()
    })
    .await?;
    s.until::<Service>("the Service", &format!("{name}-scheduler"), |d: Option<&Service>| d.is_some())
        .await?;
    s.until::<PodDisruptionBudget>("the budget", &group, |d: Option<&PodDisruptionBudget>| d.is_some())
        .await?;
    Ok(())
}

/// Does something again and again, and each time the operator dies at a later write of it: before and after that. Ends when
/// there is no such write any more. Returns how often it died.
async fn at_each_write(
    operator: &mut Operator,
    mut doing: impl AsyncFnMut(usize) -> Result<()>,
) -> Result<usize> {
    let mut deaths = 0;
    for n in 1.. {
        let before = deaths;
        for (i, at) in [Shut::Before(n), Shut::After(n)].into_iter().enumerate() {
            operator.gate.reset(Some(at));
            let gate = Arc::clone(&operator.gate);
            let mut revived = false;
            {
                let mut doing = std::pin::pin!(doing(2 * (n - 1) + i));
                tokio::select! {
                    biased;
                    () = gate.shut() => {
                        operator.kill()?;
                        gate.reset(None);
                        operator.run()?;
                        revived = true;
                        doing.await
                    }
                    done = &mut doing => done,
                }
                .with_context(|| format!("the operator died {at:?}"))?;
            }
            // All was done before the write at which it hangs now.
            if !revived && gate.is_shut() {
                operator.restart()?;
                revived = true;
            }
            deaths += usize::from(revived);
        }
        if deaths == before {
            break;
        }
    }
    operator.gate.reset(None);
    Ok(deaths)
}

#[test]
fn an_operator_that_dies_at_any_write_makes_nothing_twice() {
    operated("crash-cluster", async |s, operator| {
        let census = Census::begin(s);
        let deaths = at_each_write(operator, async |round| {
            let name = format!("c{round}");
            s.dask::<DaskCluster>(&name, unplaced(WORKERS as u32)).await?;
            is_whole(s, &name, WORKERS).await?;
            let most = census.most(&name, "worker");
            ensure!(most == WORKERS, "{most} workers at a time, of {WORKERS}");
            Ok(())
        })
        .await?;
        // Deployment, Service, group, budget, workers: before and after each at least.
        ensure!(deaths >= 2 * (4 + WORKERS), "it died {deaths} times only");
        Ok(())
    });
}

#[test]
fn an_operator_that_dies_while_it_scales_makes_nothing_twice() {
    operated("crash-scale", async |s, operator| {
        let census = Census::begin(s);
        s.dask::<DaskCluster>("c", unplaced(1)).await?;
        super::until_workers(s, "c-default", 1).await?;
        let sizes = [4, 1];
        let deaths = at_each_write(operator, async |round| {
            let size = sizes[round % 2];
            s.scale::<DaskCluster>("c", size as u32).await?;
            super::until_workers(s, "c-default", size).await?;
            let told = move |c: Option<&DaskCluster>| c.is_some_and(|c| c.status()["replicas"] == size);
            s.until::<DaskCluster>("the cluster's status", "c", told).await?;
            ensure!(super::asked(s, "c-default").await? == size as u64, "the group's own number");
            Ok(())
        })
        .await?;
        let most = census.most("c", "worker");
        ensure!(most == 4, "{most} workers at a time, of 4");
        ensure!(deaths >= 6, "it died {deaths} times only");
        Ok(())
    });
}

#[test]
fn an_operator_that_dies_starts_each_job_once() {
    operated("crash-job", async |s, operator| {
        let census = Census::begin(s);
        let spec: Value = json!({
            "cluster": {"spec": unplaced(1)},
            "job": {"spec": {"schedulerName": "none", "containers": [{"name": "job", "image": "none"}]}},
        });
        let deaths = at_each_write(operator, async |round| {
            let name = format!("j{round}");
            s.dask::<DaskJob>(&name, spec.clone()).await?;
            let runner = format!("{name}-runner");
            s.until::<Pod>("the runner", &runner, |p: Option<&Pod>| p.is_some()).await?;
            super::until_workers(s, &format!("{name}-default"), 1).await?;
            let told = move |j: Option<&DaskJob>| {
                j.is_some_and(|j| {
                    let status = j.status();
                    status["jobStatus"] == "ClusterCreated"
                        && status["attempts"] == 1
                        && status["jobRunnerPodName"] == runner
                })
            };
            s.until::<DaskJob>("the job's status", &name, told).await?;
            let (runners, workers) = (census.most(&name, "job-runner"), census.most(&name, "worker"));
            ensure!(runners <= 1 && workers <= 1, "{runners} runners and {workers} workers at a time");
            Ok(())
        })
        .await?;
        // Status, cluster, Deployment, Service, group, worker, runner.
        ensure!(deaths >= 14, "it died {deaths} times only");
        let groups = s.api::<DaskWorkerGroup>().list(&kube::api::ListParams::default()).await?;
        let pods = s.until_pods("all workers", "dask.org/component=worker", |_| true).await?;
        ensure!(
            groups.items.len() == pods.len(),
            "one worker of each group: {} of {}",
            pods.len(),
            groups.items.len()
        );
        Ok(())
    });
}
