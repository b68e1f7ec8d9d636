//! Those who write the number of workers: the last one wins, and no resync and no restart changes it back.

use super::{asked, unplaced, until_workers};
use anyhow::{Result, ensure};
use e2e::dask::{Dask, DaskCluster, DaskWorkerGroup};
use e2e::{Operator, Scenario, operated};
use serde_json::json;

const GROUP: &str = "c-default";

/// A way to say how many workers there should be.
#[derive(Clone, Copy, Debug)]
enum Writer {
    /// The cluster's own field, as `kubectl apply` changes it.
    Field,
    /// `kubectl scale` of the cluster.
    ScaleCluster,
    /// `kubectl scale` of the group, and an HPA.
    ScaleGroup,
    /// `KubeCluster.scale`.
    MergePatch,
}

const WRITERS: [Writer; 4] = [Writer::Field, Writer::ScaleCluster, Writer::ScaleGroup, Writer::MergePatch];

async fn write(s: &Scenario, writer: Writer, n: u32) -> Result<()> {
    let patch = json!({"spec": {"worker": {"replicas": n}}});
    match writer {
        Writer::Field => s.merge::<DaskCluster>("c", patch).await.map(drop),
        Writer::ScaleCluster => s.scale::<DaskCluster>("c", n).await,
        Writer::ScaleGroup => s.scale::<DaskWorkerGroup>(GROUP, n).await,
        Writer::MergePatch => s.merge::<DaskWorkerGroup>(GROUP, patch).await.map(drop),
    }
}

/// Starts the operator again, and checks that it finds nothing to write about the cluster. It has looked at everything once it
/// has done what only it could do.
async fn a_restart_changes_nothing(s: &Scenario, operator: &mut Operator, mark: &str) -> Result<()> {
    operator.kill()?;
    operator.gate.reset(None);
    operator.run()?;
    s.dask::<DaskCluster>(mark, unplaced(0)).await?;
    let running = |c: Option<&DaskCluster>| c.is_some_and(|c| c.status()["phase"] == "Running");
    s.until::<DaskCluster>("a later cluster", mark, running).await?;
    let about = |w: &String| w.split('/').any(|part| ["c", GROUP, "c-scheduler"].contains(&part));
    let writes: Vec<String> = operator.gate.writes().into_iter().filter(about).collect();
    ensure!(writes.is_empty(), "it wrote after a restart: {writes:?}");
    Ok(())
}

#[test]
fn the_last_writer_of_replicas_wins() {
    operated("writers", async |s, operator| {
        s.dask::<DaskCluster>("c", unplaced(1)).await?;
        until_workers(s, GROUP, 1).await?;
        // Numbers that come once each: no write is one that changes nothing.
        let mut n = 1;
        for first in WRITERS {
            for second in WRITERS {
                for writer in [first, second] {
                    n = n % 7 + 1;
                    write(s, writer, n).await?;
                    until_workers(s, GROUP, n as usize).await?;
                }
                ensure!(asked(s, GROUP).await? == u64::from(n), "{second:?} after {first:?}");
            }
        }
        let settled = move |c: Option<&DaskCluster>| c.is_some_and(|c| c.status()["replicas"] == n);
        s.until::<DaskCluster>("the cluster's count", "c", settled).await?;
        a_restart_changes_nothing(s, operator, "mark0").await?;
        // A cluster that is applied again with another image has said nothing new about its workers.
        write(s, Writer::ScaleGroup, 2).await?;
        until_workers(s, GROUP, 2).await?;
        let image =
            json!({"spec": {"worker": {"spec": {"containers": [{"name": "worker", "image": "other"}]}}}});
        s.merge::<DaskCluster>("c", image).await?;
        let changed = |g: Option<&DaskWorkerGroup>| {
            g.is_some_and(|g| g.spec()["worker"]["spec"]["containers"][0]["image"] == "other")
        };
        s.until::<DaskWorkerGroup>("the image", GROUP, changed).await?;
        until_workers(s, GROUP, 2).await?;
        let settled = |c: Option<&DaskCluster>| c.is_some_and(|c| c.status()["replicas"] == 2);
        s.until::<DaskCluster>("the cluster's count", "c", settled).await?;
        a_restart_changes_nothing(s, operator, "mark1").await?;
        ensure!(asked(s, GROUP).await? == 2, "a changed image is no changed number");
        Ok(())
    });
}
