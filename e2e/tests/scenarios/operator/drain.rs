//! Evictions, as a drain asks for them: workers hand over and go, one at a time.

use super::scaling::{hold, keeps_all, ran_each_task_once, start_client, start_long, stock};
use super::{STOCK, until_gone, until_workers};
use anyhow::Result;
use e2e::dask::DaskCluster;
use e2e::{Scenario, operated};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::api::{DeleteParams, EvictParams};
use serde_json::json;

/// Evicts pods as a drain does, each as soon as the budget allows.
async fn evict(s: &Scenario, budget: &str, pods: &[Pod]) -> Result<()> {
    let allows = |b: Option<&PodDisruptionBudget>| {
        b.and_then(|b| b.status.as_ref()).is_some_and(|status| status.disruptions_allowed > Some(0))
    };
    for pod in pods {
        loop {
            s.until::<PodDisruptionBudget>("leave to evict", budget, allows).await?;
            match s.api::<Pod>().evict(&pod.name_any(), &EvictParams::default()).await {
                Ok(_) => break,
                // Somebody was faster, or the budget's status is not of this moment.
                Err(kube::Error::Api(status)) if status.code == 429 => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

#[test]
fn a_native_job_that_is_drained_computes_nothing_twice() {
    operated("drained-job", async |s, _| {
        start_long(s).await?;
        let workers = until_workers(s, "long-default", 3).await?;
        evict(s, "long-default", &workers[..2]).await?;
        ran_each_task_once(s).await
    });
}

#[test]
fn a_stock_cluster_that_is_drained_by_a_users_own_budget_keeps_results() {
    operated("drained-stock", async |s, _| {
        s.dask::<DaskCluster>("stock", stock()).await?;
        let is_there = |b: Option<&PodDisruptionBudget>| b.is_some();
        let ours = s.until::<PodDisruptionBudget>("a budget", "stock-default", is_there).await?;
        start_client(s, STOCK, &hold(&["workers() & first"])).await?;
        let workers = until_workers(s, "stock-default", 3).await?;

        // Of two budgets, every eviction would fail.
        let selector = json!({"matchExpressions": [{"key": "dask.org/cluster-name", "operator": "In", "values": ["stock"]},
            {"key": "dask.org/component", "operator": "NotIn", "values": ["scheduler"]}]});
        let theirs =
            json!({"metadata": {"name": "theirs"}, "spec": {"maxUnavailable": 1, "selector": selector}});
        s.create::<PodDisruptionBudget>(theirs).await?;
        until_gone(s, &ours).await?;
        evict(s, "theirs", &workers).await?;
        keeps_all(s, "client", 1).await?;

        s.api::<PodDisruptionBudget>().delete("theirs", &DeleteParams::default()).await?;
        s.until::<PodDisruptionBudget>("a budget again", "stock-default", is_there).await?;
        Ok(())
    });
}
