//! What the operator knows of the API server: one cache a kind, filled by a watch and by the answers to its own writes, so
//! that a decision sees what earlier ones did.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::runtime::watcher::Event;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Namespace and name of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl Id {
    /// The id of this name in this namespace.
    pub fn new(namespace: &str, name: &str) -> Id {
        Id { namespace: namespace.into(), name: name.into() }
    }

    fn of(meta: &ObjectMeta) -> Id {
        Id::new(meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// An object that belongs to a cluster.
pub trait OfCluster {
    /// Its metadata.
    fn meta(&self) -> &ObjectMeta;

    /// Name of the cluster, in the object's namespace; `ANY` when it may concern several.
    fn cluster(&self) -> Option<&str>;
}

/// Stands for the name of a cluster where an object may concern any of its namespace.
pub const ANY: &str = "";

/// A custom resource, which may have been stored by another version of its definition and not be understood.
#[derive(Clone, Debug)]
pub struct Custom<K> {
    /// Its metadata, which is always understood.
    pub metadata: ObjectMeta,
    /// The resource.
    pub object: Result<Arc<K>, Arc<Broken>>,
}

/// An object that is not understood.
#[derive(Debug)]
pub struct Broken {
    /// The field, its value, and what was expected.
    pub why: String,
    /// The object as it is stored.
    pub raw: Value,
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Custom<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Custom<K>, D::Error> {
        let mut raw = Value::deserialize(deserializer)?;
        // They are large, and only the API server needs them.
        raw["metadata"].as_object_mut().and_then(|m| m.remove("managedFields"));
        let metadata = ObjectMeta::deserialize(&raw["metadata"]).map_err(D::Error::custom)?;
        let object = match serde_path_to_error::deserialize(&raw) {
            Ok(object) => Ok(Arc::new(object)),
            Err(why) => Err(Arc::new(Broken { why: why.to_string(), raw })),
        };
        Ok(Custom { metadata, object })
    }
}

impl<K: Resource> Resource for Custom<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(of: &K::DynamicType) -> Cow<'_, str> {
        K::kind(of)
    }

    fn group(of: &K::DynamicType) -> Cow<'_, str> {
        K::group(of)
    }

    fn version(of: &K::DynamicType) -> Cow<'_, str> {
        K::version(of)
    }

    fn plural(of: &K::DynamicType) -> Cow<'_, str> {
        K::plural(of)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// The namespace that a watch is about; all of them when it is `None`.
pub type Scope = Option<Arc<str>>;

/// Objects of a kind, by name and by cluster.
pub struct Cache<K> {
    inner: RwLock<Inner<K>>,
}

struct Inner<K> {
    objects: HashMap<Id, Arc<K>>,
    /// Names of a cluster's objects.
    clusters: HashMap<Id, BTreeSet<Arc<str>>>,
    /// Objects of a list that has begun and not ended.
    listing: HashMap<Scope, Vec<K>>,
    /// Scopes of which a list is complete.
    listed: BTreeSet<Scope>,
    /// The newest version that the watch has told of. Kubernetes compares versions as numbers (KEP-5504).
    seen: u64,
}

impl<K> Default for Cache<K> {
    fn default() -> Cache<K> {
        let inner = Inner {
            objects: HashMap::new(),
            clusters: HashMap::new(),
            listing: HashMap::new(),
            listed: BTreeSet::new(),
            seen: 0,
        };
        Cache { inner: RwLock::new(inner) }
    }
}

fn version(meta: &ObjectMeta) -> u64 {
    meta.resource_version.as_deref().and_then(|v| v.parse().ok()).unwrap_or(0)
}

impl<K: OfCluster> Cache<K> {
    fn read(&self) -> RwLockReadGuard<'_, Inner<K>> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner<K>> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The object of an id.
    pub fn get(&self, id: &Id) -> Option<Arc<K>> {
        self.read().objects.get(id).cloned()
    }

    /// The objects of a cluster, by name.
    pub fn of_cluster(&self, cluster: &Id) -> Vec<Arc<K>> {
        let inner = self.read();
        let names = inner.clusters.get(cluster);
        let id = |name: &Arc<str>| Id { namespace: Arc::clone(&cluster.namespace), name: Arc::clone(name) };
        names.into_iter().flatten().filter_map(|name| inner.objects.get(&id(name)).cloned()).collect()
    }

    /// All objects.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.read().objects.values().cloned().collect()
    }

    /// Whether these scopes were listed.
    pub fn is_ready(&self, scopes: &[Scope]) -> bool {
        let inner = self.read();
        scopes.iter().all(|s| inner.listed.contains(s))
    }

    /// Takes in what the watch of a scope says. Returns the objects that changed, a deleted one as it was last.
    pub fn event(&self, scope: &Scope, event: Event<K>) -> Vec<Arc<K>> {
        let mut inner = self.write();
        match event {
            Event::Apply(object) => {
                inner.seen = inner.seen.max(version(object.meta()));
                // An answer to a write may have come before it: it concerns others all the same.
                vec![inner.put(object)]
            }
            Event::Delete(object) => {
                inner.seen = inner.seen.max(version(object.meta()));
                inner.remove(&Id::of(object.meta()), object.meta().uid.as_deref());
                vec![Arc::new(object)]
            }
            Event::Init => {
                inner.listing.insert(scope.clone(), Vec::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                inner.seen = inner.seen.max(version(object.meta()));
                inner.listing.entry(scope.clone()).or_default().push(object);
                Vec::new()
            }
            Event::InitDone => {
                let listed = inner.listing.remove(scope).unwrap_or_default();
                let is_in = |id: &Id| scope.as_ref().is_none_or(|s| *s == id.namespace);
                let ids: Vec<Id> = inner.objects.keys().filter(|id| is_in(id)).cloned().collect();
                let mut before: HashMap<Id, Arc<K>> =
                    ids.into_iter().filter_map(|id| Some((id.clone(), inner.remove(&id, None)?))).collect();
                inner.listed.insert(scope.clone());
                let mut changed = Vec::new();
                for object in listed {
                    let id = Id::of(object.meta());
                    // An answer to a write may be newer than the list.
                    match before.remove(&id) {
                        Some(old) if version(old.meta()) > version(object.meta()) => inner.insert(id, old),
                        old => {
                            let new = Arc::new(object);
                            if old.is_none_or(|old| version(old.meta()) != version(new.meta())) {
                                changed.push(Arc::clone(&new));
                            }
                            inner.insert(id, new);
                        }
                    }
                }
                changed.extend(before.into_values());
                changed
            }
        }
    }

    /// Takes in the answer to a write, unless the watch knows better already.
    pub fn answer(&self, object: K) {
        let mut inner = self.write();
        let known = inner.objects.contains_key(&Id::of(object.meta()));
        // What is not there and is older than what the watch told of has been deleted since.
        if known || version(object.meta()) > inner.seen {
            inner.put(object);
        }
    }

    /// Takes in that an object is gone.
    pub fn gone(&self, id: &Id, uid: &str) {
        self.write().remove(id, Some(uid));
    }
}

impl<K: OfCluster> Inner<K> {
    /// Keeps an object if it is newer than the one that is kept. Returns the newer one.
    fn put(&mut self, object: K) -> Arc<K> {
        let id = Id::of(object.meta());
        if let Some(old) = self.objects.get(&id) {
            if version(old.meta()) >= version(object.meta()) {
                return Arc::clone(old);
            }
            self.remove(&id, None);
        }
        let object = Arc::new(object);
        self.insert(id, Arc::clone(&object));
        object
    }

    fn insert(&mut self, id: Id, object: Arc<K>) {
        if let Some(cluster) = object.cluster() {
            let cluster = Id { namespace: Arc::clone(&id.namespace), name: cluster.into() };
            self.clusters.entry(cluster).or_default().insert(Arc::clone(&id.name));
        }
        self.objects.insert(id, object);
    }

    /// Forgets an object, if it has this uid.
    fn remove(&mut self, id: &Id, uid: Option<&str>) -> Option<Arc<K>> {
        let object = Arc::clone(self.objects.get(id)?);
        if uid.is_some() && object.meta().uid.as_deref() != uid {
            return None;
        }
        if let Some(cluster) = object.cluster() {
            let cluster = Id { namespace: Arc::clone(&id.namespace), name: cluster.into() };
            if let Some(names) = self.clusters.get_mut(&cluster) {
                names.remove(&id.name);
                if names.is_empty() {
                    self.clusters.remove(&cluster);
                }
            }
        }
        self.objects.remove(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::children::Pod;
    use crate::names::CLUSTER_NAME;
    use serde_json::json;

    fn pod(name: &str, uid: &str, version: u64) -> Pod {
        Pod {
            metadata: ObjectMeta {
                name: Some(name.into()),
                namespace: Some("ns".into()),
                uid: Some(uid.into()),
                resource_version: Some(version.to_string()),
                labels: Some([(CLUSTER_NAME.to_string(), "c".to_string())].into()),
                ..ObjectMeta::default()
            },
            ..Pod::default()
        }
    }

    fn names(cache: &Cache<Pod>) -> Vec<String> {
        cache.of_cluster(&Id::new("ns", "c")).iter().map(|p| p.name().to_string()).collect()
    }

    #[test]
    fn what_is_not_understood_names_field_and_value() {
        let object = |most: i64| {
            json!({
                "apiVersion": "kubernetes.dask.org/v1",
                "kind": "DaskCluster",
                "metadata": {"name": "c", "uid": "u", "managedFields": [{"manager": "kubectl"}]},
                "spec": {"worker": {"updateStrategy": {"maxUnavailable": most}}},
            })
        };
        let read = |o: Value| serde_json::from_value::<Custom<crate::api::DaskCluster>>(o).unwrap();
        let right = read(object(2));
        assert!(right.object.unwrap().metadata.managed_fields.is_none());
        let wrong = read(object(99_999_999_999));
        assert_eq!(wrong.metadata.uid.as_deref(), Some("u"));
        let why = &wrong.object.unwrap_err().why;
        assert!(
            why.contains("spec.worker.updateStrategy.maxUnavailable") && why.contains("99999999999"),
            "{why}"
        );
    }

    #[test]
    fn a_list_replaces_what_was_known() {
        let cache = Cache::default();
        assert!(!cache.is_ready(&[None]));
        cache.event(&None, Event::Apply(pod("old", "1", 1)));
        cache.event(&None, Event::Init);
        cache.event(&None, Event::InitApply(pod("a", "2", 5)));
        assert_eq!(names(&cache), ["old"]);
        let changed = cache.event(&None, Event::InitDone);
        assert_eq!(changed.len(), 2);
        assert_eq!(names(&cache), ["a"]);
        assert!(cache.is_ready(&[None]));
    }

    #[test]
    fn own_writes_are_seen_before_the_watch_tells_of_them() {
        let cache = Cache::default();
        cache.event(&None, Event::Apply(pod("a", "1", 10)));
        cache.answer(pod("b", "2", 11));
        assert_eq!(
            cache.event(&None, Event::Apply(pod("b", "2", 11))).len(),
            1,
            "it concerns others, who have not seen it"
        );
        assert_eq!(names(&cache), ["a", "b"]);
        // The watch was faster, and the object is gone again.
        cache.event(&None, Event::Apply(pod("c", "3", 12)));
        cache.event(&None, Event::Delete(pod("c", "3", 13)));
        cache.answer(pod("c", "3", 12));
        assert_eq!(names(&cache), ["a", "b"]);
        // An older answer does not replace what is newer.
        cache.answer(pod("a", "1", 9));
        assert_eq!(cache.get(&Id::new("ns", "a")).unwrap().metadata.resource_version.as_deref(), Some("10"));
    }

    #[test]
    fn only_the_object_of_this_uid_is_forgotten() {
        let cache = Cache::default();
        cache.event(&None, Event::Apply(pod("a", "new", 3)));
        cache.event(&None, Event::Delete(pod("a", "old", 2)));
        assert_eq!(names(&cache), ["a"]);
        cache.gone(&Id::new("ns", "a"), "new");
        assert!(names(&cache).is_empty() && cache.all().is_empty());
    }
}
