//! Watches: what changes on the API server goes into the caches, and makes the objects due that it concerns.

use crate::action::{Key, Kind};
use crate::api::{DaskAutoscaler, DaskCluster, DaskJob, DaskWorkerGroup};
use crate::cache::{ANY, Cache, Custom, Id, OfCluster, Scope};
use crate::children::{
    ConfigMap, Deployment, DisruptionBudget, HorizontalPodAutoscaler, Pod, Service, label,
};
use crate::controller::{Caches, Context, key_of};
use crate::names::{CLUSTER_NAME, COMPONENT};
use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// After this time a watch starts anew with a list: what it missed is found.
const RELIST: Duration = Duration::from_secs(480);
/// How often all objects are looked at though nothing happened.
const RESYNC: Duration = Duration::from_secs(240);

/// Starts all watches.
pub fn start(ctx: &Arc<Context>, scopes: &[Scope]) {
    for scope in scopes {
        custom::<DaskCluster>(ctx, scope, Kind::Cluster, |c| &c.clusters);
        custom::<DaskWorkerGroup>(ctx, scope, Kind::Group, |c| &c.groups);
        custom::<DaskJob>(ctx, scope, Kind::Job, |c| &c.jobs);
        custom::<DaskAutoscaler>(ctx, scope, Kind::Autoscaler, |c| &c.autoscalers);
        let ours = || watcher::Config::default().labels(CLUSTER_NAME);
        others::<Pod>(ctx, scope, Kind::Pod, ours(), |c| &c.pods);
        others::<Deployment>(ctx, scope, Kind::Deployment, ours(), |c| &c.deployments);
        others::<Service>(ctx, scope, Kind::Service, ours(), |c| &c.services);
        others::<ConfigMap>(ctx, scope, Kind::ConfigMap, ours(), |c| &c.config_maps);
        // Users' own ones are about workers, too.
        let all = watcher::Config::default;
        others::<DisruptionBudget>(ctx, scope, Kind::DisruptionBudget, all(), |c| &c.budgets);
        others::<HorizontalPodAutoscaler>(ctx, scope, Kind::HorizontalPodAutoscaler, all(), |c| &c.hpas);
    }
}

/// Makes all objects due from time to time, until the process ends.
pub async fn resync(ctx: Arc<Context>) {
    loop {
        tokio::time::sleep(RESYNC).await;
        ctx.caches.keys().into_iter().for_each(|key| ctx.queue.add(key));
    }
}

fn api<K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>>(
    ctx: &Context,
    scope: &Scope,
) -> Api<K> {
    match scope {
        Some(namespace) => Api::namespaced(ctx.client.clone(), namespace),
        None => Api::all(ctx.client.clone()),
    }
}

fn custom<K>(ctx: &Arc<Context>, scope: &Scope, kind: Kind, cache: fn(&Caches) -> &Cache<Custom<K>>)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + Debug
        + Send
        + Sync
        + 'static,
    Custom<K>: OfCluster,
{
    run(ctx, scope, kind, api::<Custom<K>>(ctx, scope), watcher::Config::default(), cache, |c| c);
}

fn others<K>(
    ctx: &Arc<Context>,
    scope: &Scope,
    kind: Kind,
    config: watcher::Config,
    cache: fn(&Caches) -> &Cache<K>,
) where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + OfCluster
        + Clone
        + DeserializeOwned
        + Debug
        + Send
        + Sync
        + 'static,
{
    let strip = |mut object: K| {
        object.meta_mut().managed_fields = None;
        object
    };
    run(ctx, scope, kind, api::<K>(ctx, scope), config, cache, strip);
}

fn run<W, K>(
    ctx: &Arc<Context>,
    scope: &Scope,
    kind: Kind,
    api: Api<W>,
    config: watcher::Config,
    cache: fn(&Caches) -> &Cache<K>,
    into: impl Fn(W) -> K + Send + Sync + 'static,
) where
    W: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    K: OfCluster + Send + Sync + 'static,
{
    let (ctx, scope) = (Arc::clone(ctx), scope.clone());
    tokio::spawn(async move {
        loop {
            let mut stream = watch(api.clone(), config.clone()).default_backoff().boxed();
            let until = tokio::time::sleep(RELIST);
            tokio::pin!(until);
            loop {
                let item = tokio::select! {
                    item = stream.next() => item,
                    () = &mut until => None,
                };
                let event = match item {
                    None => break,
                    Some(Ok(event)) => event,
                    Some(Err(error)) => {
                        complain(kind, &error);
                        continue;
                    }
                };
                let event = match event {
                    Event::Apply(o) => Event::Apply(into(o)),
                    Event::Delete(o) => Event::Delete(into(o)),
                    Event::InitApply(o) => Event::InitApply(into(o)),
                    Event::Init => Event::Init,
                    Event::InitDone => Event::InitDone,
                };
                for changed in cache(&ctx.caches).event(&scope, event) {
                    concerned(&ctx, kind, changed.meta(), changed.cluster());
                }
            }
        }
    });
}

fn complain(kind: Kind, error: &watcher::Error) {
    let advice = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.code == 404 => {
            "; is its definition installed? `kubectl apply --server-side -k manifests/crds`"
        }
        watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.code == 403 => {
            "; see the operator's role"
        }
        _ => "",
    };
    tracing::warn!(kind = kind.name(), "watch: {error}{advice}; tried again");
}

/// Makes the objects due that a change of this one concerns.
fn concerned(ctx: &Context, kind: Kind, meta: &ObjectMeta, cluster: Option<&str>) {
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let add = |kind: Kind, name: &str| ctx.queue.add(Key::new(kind, namespace, name));
    if matches!(kind, Kind::Cluster | Kind::Group | Kind::Job | Kind::Autoscaler) {
        ctx.queue.add_generation(key_of(kind, meta), meta.generation);
    }
    for owner in meta.owner_references.iter().flatten() {
        match owner.kind.as_str() {
            "DaskCluster" => add(Kind::Cluster, &owner.name),
            "DaskWorkerGroup" => add(Kind::Group, &owner.name),
            "DaskJob" => add(Kind::Job, &owner.name),
            _ => {}
        }
    }
    match kind {
        Kind::Cluster => {
            let id = Id::new(namespace, meta.name.as_deref().unwrap_or_default());
            for group in ctx.caches.groups.of_cluster(&id) {
                ctx.queue.add(key_of(Kind::Group, &group.metadata));
            }
        }
        Kind::Group => cluster.into_iter().for_each(|c| add(Kind::Cluster, c)),
        // It belongs to a ReplicaSet.
        Kind::Pod if label(meta, COMPONENT) == Some("scheduler") => {
            if let Some(name) = cluster {
                add(Kind::Cluster, name);
                for group in ctx.caches.groups.of_cluster(&Id::new(namespace, name)) {
                    ctx.queue.add(key_of(Kind::Group, &group.metadata));
                }
            }
        }
        Kind::DisruptionBudget if cluster == Some(ANY) => due_in(ctx, namespace, Kind::Group),
        Kind::HorizontalPodAutoscaler if cluster == Some(ANY) => due_in(ctx, namespace, Kind::Autoscaler),
        // Its cluster may be gone, and nobody else care for it.
        Kind::Pod if meta.deletion_timestamp.is_some() => {
            cluster.into_iter().for_each(|c| add(Kind::Cluster, c))
        }
        _ => {}
    }
}

/// Makes all objects of a kind in a namespace due.
fn due_in(ctx: &Context, namespace: &str, kind: Kind) {
    let keys = ctx.caches.keys().into_iter();
    keys.filter(|k| k.kind == kind && &*k.id.namespace == namespace).for_each(|k| ctx.queue.add(k));
}
