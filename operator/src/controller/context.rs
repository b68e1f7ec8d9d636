//! What all controllers work with.

use super::Error;
use crate::action::{Ask, Key, Kind, Note};
use crate::api::{DaskAutoscaler, DaskCluster, DaskJob, DaskWorkerGroup, Time};
use crate::cache::{Broken, Cache, Custom, Id, OfCluster, Scope};
use crate::calls::Calls;
use crate::children::{
    ConfigMap, Deployment, DisruptionBudget, HorizontalPodAutoscaler, Pod, Service, label,
};
use crate::lease::Leadership;
use crate::metrics::Metrics;
use crate::names::{self, COMPONENT};
use crate::queue::Queue;
use crate::settings::Settings;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// Port of a scheduler's HTTP API.
const HTTP_PORT: u16 = 8787;

/// What is known of the API server.
#[derive(Default)]
pub struct Caches {
    /// DaskClusters.
    pub clusters: Cache<Custom<DaskCluster>>,
    /// DaskWorkerGroups.
    pub groups: Cache<Custom<DaskWorkerGroup>>,
    /// DaskJobs.
    pub jobs: Cache<Custom<DaskJob>>,
    /// DaskAutoscalers.
    pub autoscalers: Cache<Custom<DaskAutoscaler>>,
    /// Pods.
    pub pods: Cache<Pod>,
    /// Deployments.
    pub deployments: Cache<Deployment>,
    /// Services.
    pub services: Cache<Service>,
    /// ConfigMaps.
    pub config_maps: Cache<ConfigMap>,
    /// PodDisruptionBudgets, users' own ones too.
    pub budgets: Cache<DisruptionBudget>,
    /// HorizontalPodAutoscalers.
    pub hpas: Cache<HorizontalPodAutoscaler>,
}

impl Caches {
    /// Whether a custom resource is there.
    pub fn has(&self, key: &Key) -> bool {
        match key.kind {
            Kind::Cluster => self.clusters.get(&key.id).is_some(),
            Kind::Group => self.groups.get(&key.id).is_some(),
            Kind::Job => self.jobs.get(&key.id).is_some(),
            Kind::Autoscaler => self.autoscalers.get(&key.id).is_some(),
            _ => false,
        }
    }

    /// A custom resource that is there and not understood.
    pub fn broken(&self, key: &Key) -> Option<(ObjectMeta, Arc<Broken>)> {
        fn of<K>(cache: &Cache<Custom<K>>, id: &Id) -> Option<(ObjectMeta, Arc<Broken>)>
        where
            Custom<K>: OfCluster,
        {
            let custom = cache.get(id)?;
            Some((custom.metadata.clone(), Arc::clone(custom.object.as_ref().err()?)))
        }
        match key.kind {
            Kind::Cluster => of(&self.clusters, &key.id),
            Kind::Group => of(&self.groups, &key.id),
            Kind::Job => of(&self.jobs, &key.id),
            Kind::Autoscaler => of(&self.autoscalers, &key.id),
            _ => None,
        }
    }

    /// Whether everything in these scopes was listed.
    pub fn are_ready(&self, scopes: &[Scope]) -> bool {
        self.clusters.is_ready(scopes)
            && self.groups.is_ready(scopes)
            && self.jobs.is_ready(scopes)
            && self.autoscalers.is_ready(scopes)
            && self.pods.is_ready(scopes)
            && self.deployments.is_ready(scopes)
            && self.services.is_ready(scopes)
            && self.config_maps.is_ready(scopes)
            && self.budgets.is_ready(scopes)
            && self.hpas.is_ready(scopes)
    }

    /// The keys of all custom resources.
    pub fn keys(&self) -> Vec<Key> {
        fn of<K: OfCluster>(kind: Kind, cache: &Cache<K>) -> impl Iterator<Item = Key> {
            cache.all().into_iter().map(move |o| key_of(kind, o.meta()))
        }
        of(Kind::Cluster, &self.clusters)
            .chain(of(Kind::Group, &self.groups))
            .chain(of(Kind::Job, &self.jobs))
            .chain(of(Kind::Autoscaler, &self.autoscalers))
            .collect()
    }

    /// Takes in what the API server answered to a write.
    pub fn answer(&self, kind: Kind, mut object: Value) {
        // Larger than all the rest of a pod, and of no use here; what watches bring comes without them as well.
        object.get_mut("metadata").and_then(Value::as_object_mut).and_then(|m| m.remove("managedFields"));
        fn take<K: OfCluster + DeserializeOwned>(cache: &Cache<K>, object: Value) {
            serde_json::from_value(object).into_iter().for_each(|o| cache.answer(o));
        }
        match kind {
            Kind::Cluster => take(&self.clusters, object),
            Kind::Group => take(&self.groups, object),
            Kind::Job => take(&self.jobs, object),
            Kind::Autoscaler => take(&self.autoscalers, object),
            Kind::Pod => take(&self.pods, object),
            Kind::Deployment => take(&self.deployments, object),
            Kind::Service => take(&self.services, object),
            Kind::ConfigMap => take(&self.config_maps, object),
            Kind::DisruptionBudget => take(&self.budgets, object),
            Kind::HorizontalPodAutoscaler => take(&self.hpas, object),
        }
    }

    /// Takes in that an object is gone.
    pub fn gone(&self, kind: Kind, id: &Id, uid: &str) {
        match kind {
            Kind::Cluster => self.clusters.gone(id, uid),
            Kind::Group => self.groups.gone(id, uid),
            Kind::Job => self.jobs.gone(id, uid),
            Kind::Autoscaler => self.autoscalers.gone(id, uid),
            Kind::Pod => self.pods.gone(id, uid),
            Kind::Deployment => self.deployments.gone(id, uid),
            Kind::Service => self.services.gone(id, uid),
            Kind::ConfigMap => self.config_maps.gone(id, uid),
            Kind::DisruptionBudget => self.budgets.gone(id, uid),
            Kind::HorizontalPodAutoscaler => self.hpas.gone(id, uid),
        }
    }
}

/// The key of an object.
pub fn key_of(kind: Kind, meta: &ObjectMeta) -> Key {
    Key::new(kind, meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
}

/// What all controllers work with.
pub struct Context {
    /// Client of the API server.
    pub client: kube::Client,
    /// What is known of it.
    pub caches: Caches,
    /// The administrator's settings.
    pub settings: Settings,
    /// What is to be looked at.
    pub queue: Arc<Queue>,
    /// Questions to schedulers.
    pub calls: Arc<Calls>,
    /// Whether this replica may write.
    pub leadership: Leadership,
    /// Counts and times.
    pub metrics: Metrics,
    /// Events that were written lately: the same one again is no news.
    pub told: Mutex<HashMap<(Key, Note), Instant>>,
}

impl Context {
    /// A context that knows nothing yet.
    pub fn new(
        client: kube::Client,
        settings: Settings,
        leadership: Leadership,
        metrics: Metrics,
    ) -> Arc<Context> {
        let queue = Arc::new(Queue::default());
        Arc::new(Context {
            client,
            caches: Caches::default(),
            settings,
            calls: Arc::new(Calls::new(Arc::clone(&queue))),
            queue,
            leadership,
            metrics,
            told: Mutex::default(),
        })
    }

    /// The time, in whole seconds as Kubernetes keeps it.
    pub fn now(&self) -> Time {
        let now = Timestamp::now();
        Time(Timestamp::from_second(now.as_second()).unwrap_or(now))
    }

    /// The groups that name a cluster.
    pub fn groups_of(&self, cluster: &Id) -> Vec<Arc<DaskWorkerGroup>> {
        self.caches.groups.of_cluster(cluster).into_iter().filter_map(|g| g.object.clone().ok()).collect()
    }

    /// The pods of a cluster's scheduler.
    pub fn scheduler_pods(&self, cluster: &Id) -> Vec<Arc<Pod>> {
        let is_scheduler = |p: &Arc<Pod>| label(&p.metadata, COMPONENT) == Some("scheduler");
        self.caches.pods.of_cluster(cluster).into_iter().filter(is_scheduler).collect()
    }

    /// Where a cluster's scheduler serves HTTP: a pod of its own Deployment that is ready, and never a name that somebody
    /// else may answer to.
    pub fn scheduler_address(&self, cluster: &Id) -> Option<SocketAddr> {
        let deployment = names::scheduler(&cluster.name);
        let pods = self.scheduler_pods(cluster);
        let answers = |p: &&Arc<Pod>| p.is_of_deployment(&deployment) && p.is_ready() && !p.is_terminating();
        let pod = pods.iter().find(answers)?;
        let ip: IpAddr = pod.status.pod_ip.as_deref()?.parse().ok()?;
        Some(SocketAddr::new(ip, HTTP_PORT))
    }

    /// Asks a cluster's scheduler, if there is one that is ready.
    pub fn ask(&self, kind: Kind, id: &Id, cluster: &Id, ask: &Ask, every: Duration) {
        if let Some(address) = self.scheduler_address(cluster) {
            self.calls.ask(&Key { kind, id: id.clone() }, address, ask, every);
        }
    }

    /// The text of a key of a ConfigMap in an object's namespace, or why there is none.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn config_map_key(
        &self,
        meta: &ObjectMeta,
        name: &str,
        key: &str,
    ) -> Result<Result<String, String>, Error> {
        use k8s_openapi::api::core::v1::ConfigMap;
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let api: kube::Api<ConfigMap> = kube::Api::namespaced(self.client.clone(), namespace);
        let field = "spec.job.graph.configMapKeyRef";
        let Some(map) = api.get_opt(name).await? else {
            return Ok(Err(format!(
                "{field}.name is {name:?}, and namespace {namespace} has no such ConfigMap; create it"
            )));
        };
        let data = map.data.unwrap_or_default();
        let keys = data.keys().cloned().collect::<Vec<_>>().join(", ");
        let missing = || {
            format!(
                "{field}.key is {key:?}, and ConfigMap {name} has only: {keys}; name one of these, or add it"
            )
        };
        Ok(data.get(key).cloned().ok_or_else(missing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_are_kept_without_what_nobody_reads() {
        let caches = Caches::default();
        let metadata = json!({"name": "p", "namespace": "n", "resourceVersion": "7", "managedFields": [{"manager": "m"}]});
        caches.answer(Kind::Pod, json!({"metadata": metadata}));
        let pod = caches.pods.get(&Id::new("n", "p")).expect("the pod is kept");
        assert!(pod.metadata.managed_fields.is_none() && pod.metadata.resource_version.is_some());
    }
}
