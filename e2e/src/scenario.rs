//! A scenario: a namespace of its own, what it waits for, and what is left when it fails.

use crate::{cluster, report};
use anyhow::{Context, Result, anyhow, bail};
use futures::{AsyncBufReadExt, FutureExt, TryStreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod, ServiceAccount};
use kube::api::{Api, DeleteParams, ListParams, LogParams, PostParams};
use kube::runtime::wait::{Condition, await_condition, conditions};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// How long a scenario waits for one thing before it fails.
const PATIENCE: Duration = Duration::from_secs(180);

/// Whether a scenario leaves the nodes alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nodes {
    /// Others may run at the same time.
    Shared,
    /// It kills nodes, or changes something else that all share, so it runs alone.
    Killed,
}

/// Held for writing by a scenario that kills nodes, by the others for reading.
static NODES: RwLock<()> = RwLock::new(());

/// What a scenario works with.
pub struct Scenario {
    /// Client of the cluster.
    pub client: Client,
    /// Its namespace, which is its own.
    pub namespace: String,
}

/// Runs a scenario in a namespace of its own, which is deleted when it succeeds. When it fails, the namespace stays until
/// the next run, and a report stands in `target/e2e/NAME.txt`: events, pods, logs and custom resources.
///
/// # Panics
/// When the scenario fails, or no cluster can be had.
pub fn scenario(name: &str, nodes: Nodes, body: impl AsyncFnOnce(&Scenario) -> Result<()>) {
    let (mut shared, mut alone) = (None, None);
    match nodes {
        Nodes::Shared => shared = Some(NODES.read().unwrap_or_else(PoisonError::into_inner)),
        Nodes::Killed => alone = Some(NODES.write().unwrap_or_else(PoisonError::into_inner)),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let result = runtime.map_err(anyhow::Error::from).and_then(|r| r.block_on(run(name, nodes, body)));
    drop((shared, alone));
    if let Err(error) = result {
        panic!("{name}: {error:#}");
    }
}

async fn run(name: &str, nodes: Nodes, body: impl AsyncFnOnce(&Scenario) -> Result<()>) -> Result<()> {
    let client = cluster::client().await?;
    let s = Scenario { client, namespace: format!("e2e-{name}") };
    s.fresh_namespace().await.context("cannot make the namespace")?;
    let result = AssertUnwindSafe(body(&s)).catch_unwind().await.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        Err(anyhow!(
            said.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
        ))
    });
    let result = match result {
        Ok(()) => {
            s.namespaces().delete(&s.namespace, &DeleteParams::background()).await?;
            Ok(())
        }
        Err(error) => {
            let path = report::write(&s, name, &error).await.context("the report could not be written")?;
            Err(error.context(format!("failed; see {}", path.display())))
        }
    };
    if nodes == Nodes::Killed && cluster::is_own() {
        // However it ended, the next one finds all nodes.
        tokio::task::spawn_blocking(|| cluster::run(&["up"])).await??;
    }
    result
}

impl Scenario {
    /// Access to objects of a kind in the scenario's namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Where its operator's log goes.
    pub(crate) fn operator_log(&self) -> PathBuf {
        cluster::root().join(format!("target/e2e/{}.operator.log", self.namespace))
    }

    /// What comes, unless it takes too long.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn patient<T>(&self, what: &str, coming: impl Future<Output = T>) -> Result<T> {
        patient(what, coming).await
    }

    fn namespaces(&self) -> Api<Namespace> {
        Api::all(self.client.clone())
    }

    /// Makes the namespace anew, and waits until pods can be made in it.
    async fn fresh_namespace(&self) -> Result<()> {
        let (all, name) = (self.namespaces(), &self.namespace);
        if let Some(old) = all.get_opt(name).await? {
            if old.metadata.deletion_timestamp.is_none() {
                all.delete(name, &DeleteParams::background()).await?;
            }
            let uid = old.uid().unwrap_or_default();
            let gone = await_condition(all.clone(), name, conditions::is_deleted(&uid));
            patient("the end of the last run's namespace", gone).await??;
        }
        let namespace = serde_json::from_value(serde_json::json!({"metadata": {"name": name}}))?;
        all.create(&PostParams::default(), &namespace).await?;
        let account = |a: Option<&ServiceAccount>| a.is_some();
        self.until("its service account", "default", account).await?;
        Ok(())
    }

    /// Runs kubectl in the namespace; returns what it prints.
    ///
    /// # Errors
    /// When it fails.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        cluster::tool("kubectl", &self.namespace, args).await
    }

    /// Makes an object.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn create<K>(&self, object: serde_json::Value) -> Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize,
        K::DynamicType: Default,
    {
        let object: K = serde_json::from_value(object)?;
        let kind = K::kind(&K::DynamicType::default()).into_owned();
        let created = self.api::<K>().create(&PostParams::default(), &object).await;
        created.with_context(|| format!("{kind} {} was refused", object.name_any()))
    }

    /// Waits, watching, until an object is as wanted.
    ///
    /// # Errors
    /// When that takes too long: says what was waited for.
    pub async fn until<K>(&self, what: &str, name: &str, condition: impl Condition<K>) -> Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + 'static,
        K::DynamicType: Default,
    {
        let reached = await_condition(self.api::<K>(), name, condition);
        let found = patient(&format!("{what} ({name})"), reached).await??;
        found.with_context(|| format!("{what}: {name} is gone"))
    }

    /// Waits, watching, until the pods that carry labels are as wanted.
    ///
    /// # Errors
    /// When that takes too long: says what was waited for.
    pub async fn until_pods(
        &self,
        what: &str,
        labels: &str,
        wanted: impl FnMut(&[Pod]) -> bool,
    ) -> Result<Vec<Pod>> {
        self.until_all::<Pod>(what, labels, wanted).await
    }

    /// Waits, watching, until the objects of a kind that carry labels are as wanted.
    ///
    /// # Errors
    /// When that takes too long: says what was waited for.
    pub async fn until_all<K>(
        &self,
        what: &str,
        labels: &str,
        mut wanted: impl FnMut(&[K]) -> bool,
    ) -> Result<Vec<K>>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + 'static,
        K::DynamicType: Default,
    {
        let config = watcher::Config::default().labels(labels);
        let mut changes = Box::pin(watcher(self.api::<K>(), config).default_backoff());
        let waiting = async {
            while changes.try_next().await?.is_some() {
                let all = self.api::<K>().list(&ListParams::default().labels(labels)).await?.items;
                if wanted(&all) {
                    return Ok(all);
                }
            }
            bail!("{what}: the watch ended")
        };
        patient(&format!("{what} ({labels})"), waiting).await?
    }

    /// Names of the nodes on which pods can run, sorted.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn nodes(&self) -> Result<Vec<String>> {
        let nodes = Api::<Node>::all(self.client.clone()).list(&ListParams::default()).await?;
        let taken = |n: &&Node| n.labels().contains_key("node-role.kubernetes.io/control-plane");
        let mut names: Vec<String> = nodes.iter().filter(|n| !taken(n)).map(ResourceExt::name_any).collect();
        names.sort();
        Ok(names)
    }

    /// Waits until a job has ended; returns whether it succeeded.
    ///
    /// # Errors
    /// When that takes too long.
    pub async fn ended(&self, job: &str) -> Result<bool> {
        let has = |job: Option<&Job>, kind: &str| {
            let conditions = job.and_then(|j| j.status.as_ref()?.conditions.as_ref());
            conditions.is_some_and(|c| c.iter().any(|c| c.type_ == kind && c.status == "True"))
        };
        let over = move |job: Option<&Job>| has(job, "Complete") || has(job, "Failed");
        let job = self.until::<Job>("the job's end", job, over).await?;
        Ok(has(Some(&job), "Complete"))
    }

    /// The pod of a job, once there is one.
    ///
    /// # Errors
    /// When none appears.
    pub async fn pod_of(&self, job: &str) -> Result<String> {
        let pods =
            self.until_pods("the job's pod", &format!("job-name={job}"), |pods| !pods.is_empty()).await?;
        Ok(pods[0].name_any())
    }

    /// What a pod printed so far.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub async fn log(&self, pod: &str) -> Result<String> {
        Ok(self.api::<Pod>().logs(pod, &LogParams::default()).await?)
    }

    /// Follows a pod's log until a line is as wanted; returns the line.
    ///
    /// # Errors
    /// When the log ends first, or it takes too long.
    pub async fn until_line(&self, pod: &str, mut wanted: impl FnMut(&str) -> bool) -> Result<String> {
        let started = |p: Option<&Pod>| {
            let phase = p.and_then(|p| p.status.as_ref()?.phase.as_deref());
            matches!(phase, Some("Running" | "Succeeded" | "Failed"))
        };
        self.until::<Pod>("the pod's start", pod, started).await?;
        let follow = LogParams { follow: true, ..LogParams::default() };
        let mut lines = self.api::<Pod>().log_stream(pod, &follow).await?.lines();
        let looking = async {
            while let Some(line) = lines.try_next().await? {
                if wanted(&line) {
                    return Ok(line);
                }
            }
            bail!("the log of {pod} ended without the line that was waited for")
        };
        patient(&format!("a line of {pod}"), looking).await?
    }

    /// A page of a service of the scenario, through the API server.
    ///
    /// # Errors
    /// When it does not answer with 200.
    pub async fn page(&self, service: &str, path: &str) -> Result<String> {
        let url = format!("/api/v1/namespaces/{}/services/{service}/proxy{path}", self.namespace);
        let request = http_get(&url)?;
        self.client.request_text(request).await.with_context(|| format!("{service}{path}"))
    }
}

/// What comes, unless it takes too long.
pub(crate) async fn patient<T>(what: &str, coming: impl Future<Output = T>) -> Result<T> {
    let come = tokio::time::timeout(PATIENCE, coming).await;
    come.with_context(|| format!("{what}: not within {} s", PATIENCE.as_secs()))
}

fn http_get(url: &str) -> Result<http::Request<Vec<u8>>> {
    Ok(http::Request::get(url).body(vec![])?)
}
