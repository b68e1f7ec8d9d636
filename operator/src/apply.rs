//! The only place that writes: carries out what was decided, and takes in what the API server answers.

use crate::action::{Action, Key, Kind, Note, Plan};
use crate::cache::Id;
use crate::children::or_empty;
use crate::controller::{Context, Error, Failure, broken, key_of};
use crate::names::{GENERATION, KOPF_FINALIZER, is_kopf};
use futures::future::join_all;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Request;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::Instant;

/// Name under which the operator writes.
pub(crate) const MANAGER: &str = "dask-operator";
/// Writes of one object's look at a time.
const AT_ONCE: usize = 16;
/// For so long an event that was told is not told again.
const TOLD: Duration = Duration::from_secs(600);

impl Context {
    /// Carries out a plan. What the API server refuses for good is returned; the rest of the plan is carried out all the same.
    ///
    /// # Errors
    /// When the API server does not answer, or something has changed meanwhile: the object is looked at again.
    pub async fn carry_out(
        &self,
        kind: Kind,
        meta: &ObjectMeta,
        plan: &Plan,
    ) -> Result<Option<Failure>, Error> {
        let (mut failure, mut broken) = (None, None);
        let same = |a: &Action, b: &Action| std::mem::discriminant(a) == std::mem::discriminant(b);
        // What is of one kind goes side by side; what follows waits for it.
        for run in plan.actions.chunk_by(same) {
            if let Some(error) = broken {
                return Err(error);
            }
            for some in run.chunks(AT_ONCE) {
                let mut acts = Vec::with_capacity(some.len());
                for action in some {
                    acts.push(self.act(kind, meta, action));
                }
                for result in join_all(acts).await {
                    match result {
                        Ok(refused) => failure = failure.or(refused),
                        Err(error) => broken = broken.or(Some(error)),
                    }
                }
            }
        }
        broken.map_or(Ok(failure), Err)
    }

    async fn act(&self, kind: Kind, meta: &ObjectMeta, action: &Action) -> Result<Option<Failure>, Error> {
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let result = match action {
            Action::Create { kind, body } => {
                let name = body["metadata"]["name"].as_str().unwrap_or_default();
                // To whoever decided it looked as if it were not there.
                if self.caches.broken(&Key::new(*kind, namespace, name)).is_some() {
                    let message =
                        format!("{} {name} is not understood; its condition Degraded says why", kind.name());
                    return Ok(Some(Failure { reason: broken::REASON, message, is_final: false }));
                }
                self.create(*kind, namespace, body).await
            }
            Action::Merge { kind, name, uid, patch } => {
                let mut patch = patch.clone();
                patch["metadata"]["uid"] = json!(uid);
                self.merge(*kind, namespace, name, &patch, "").await
            }
            Action::Replace { kind, name, uid, parts } => {
                self.replace(*kind, namespace, name, uid, parts).await
            }
            Action::Delete { kind, name, uid, grace } => {
                self.delete(*kind, namespace, name, uid, *grace).await
            }
            Action::Event(note) => {
                self.tell(kind, meta, note).await;
                Ok(())
            }
        };
        match result {
            Ok(()) => Ok(None),
            Err(Error::Kube(kube::Error::Api(status))) if matches!(status.code, 403 | 422) => {
                Ok(Some(refusal(action, status.code, &status.message)))
            }
            Err(Error::NameTaken { kind, name, is_going }) => {
                let fix = if is_going {
                    "it goes, and is waited for"
                } else {
                    "delete it, or choose another metadata.name"
                };
                let message = format!("there is another {kind} {name} that is not this object's; {fix}");
                Ok(Some(Failure { reason: "NameTaken", message, is_final: false }))
            }
            Err(error) => Err(error),
        }
    }

    fn may_write(&self) -> Result<(), Error> {
        if self.leadership.holds() { Ok(()) } else { Err(Error::NotLeader) }
    }

    async fn send(
        &self,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Value, Error> {
        self.may_write()?;
        let request = request.map_err(kube::Error::BuildRequest)?;
        let verb = request.method().as_str().to_lowercase();
        self.metrics.wrote(&verb);
        Ok(self.client.request::<Value>(request).await?)
    }

    async fn create(&self, kind: Kind, namespace: &str, body: &Value) -> Result<(), Error> {
        let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
        let request = Request::new(kind.path(namespace)).create(&params, body.to_string().into_bytes());
        match self.send(request).await {
            Ok(object) => {
                self.caches.answer(kind, object);
                Ok(())
            }
            Err(error) if is_code(&error, 409) => Err(self.find(kind, namespace, body).await?),
            // The namespace goes, and with it all that is in it.
            Err(error) if is_code(&error, 404) || is_ending(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Looks at the object that has a name already under which one was to be made: this owner's own, which a stale look has
    /// missed, or another one, which has to go first.
    async fn find(&self, kind: Kind, namespace: &str, body: &Value) -> Result<Error, Error> {
        let name = body["metadata"]["name"].as_str().unwrap_or_default();
        let Some(object) = self.get(kind, namespace, name).await? else {
            return Ok(Error::Conflict(format!("{} {name} was there a moment ago", kind.name())));
        };
        let owner = |o: &Value| {
            let owners = o["metadata"]["ownerReferences"].as_array();
            owners.into_iter().flatten().find(|o| o["controller"] == true).map(|o| o["uid"].clone())
        };
        if owner(&object) == owner(body) {
            self.caches.answer(kind, object);
            return Ok(Error::Conflict(format!("{} {name} is there already", kind.name())));
        }
        let is_going = object["metadata"]["deletionTimestamp"].is_string();
        Ok(Error::NameTaken { kind: kind.name(), name: name.into(), is_going })
    }

    async fn get(&self, kind: Kind, namespace: &str, name: &str) -> Result<Option<Value>, Error> {
        let request = Request::new(kind.path(namespace)).get(name, &kube::api::GetParams::default());
        match self.client.request::<Value>(request.map_err(kube::Error::BuildRequest)?).await {
            Ok(object) => Ok(Some(object)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A merge patch, of the object or a part of it such as `/status`.
    async fn merge(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        patch: &Value,
        part: &str,
    ) -> Result<(), Error> {
        let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
        let request = Request::new(kind.path(namespace));
        let request = match part {
            "" => request.patch(name, &params, &Patch::Merge(patch)),
            part => request.patch_subresource(part, name, &params, &Patch::Merge(patch)),
        };
        match self.send(request).await {
            Ok(object) => {
                self.caches.answer(kind, object);
                Ok(())
            }
            Err(error) if is_code(&error, 404) => {
                Err(Error::Conflict(format!("{} {name} is gone", kind.name())))
            }
            Err(error) if is_code(&error, 409) || is_about_uid(&error) => {
                Err(Error::Conflict(format!("{} {name} is another one", kind.name())))
            }
            Err(error) => Err(error),
        }
    }

    /// A merge patch of the object that is reconciled, or of a part of it.
    async fn merge_self(
        &self,
        kind: Kind,
        meta: &ObjectMeta,
        patch: &Value,
        part: &str,
    ) -> Result<(), Error> {
        let id = key_of(kind, meta).id;
        self.merge(kind, &id.namespace, &id.name, patch, part).await
    }

    /// Writes parts of an object as it is at this moment anew. Other than an apply it takes away what is not wanted any
    /// more, whoever wrote it.
    async fn replace(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        uid: &str,
        parts: &[(&str, Value)],
    ) -> Result<(), Error> {
        let Some(mut object) = self.get(kind, namespace, name).await? else {
            return Err(Error::Conflict(format!("{} {name} is gone", kind.name())));
        };
        if object["metadata"]["uid"] != uid {
            return Err(Error::Conflict(format!("{} {name} is another one", kind.name())));
        }
        parts.iter().for_each(|(pointer, value)| put(&mut object, pointer, value.clone()));
        let expected = object["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
        if kind == Kind::Deployment {
            keep_selected(&mut object);
            object["metadata"]["annotations"][GENERATION] = json!(expected.to_string());
        }
        let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
        let request =
            Request::new(kind.path(namespace)).replace(name, &params, object.to_string().into_bytes());
        let object = match self.send(request).await {
            Ok(object) => object,
            Err(error) if is_code(&error, 409) || is_code(&error, 404) => {
                return Err(Error::Conflict(format!("{} {name} changed meanwhile", kind.name())));
            }
            Err(error) => return Err(error),
        };
        let generation = object["metadata"]["generation"].as_i64().unwrap_or(0);
        self.caches.answer(kind, object);
        if kind == Kind::Deployment && generation != expected {
            let annotations = json!({GENERATION: generation.to_string()});
            let patch = json!({"metadata": {"uid": uid, "annotations": annotations}});
            self.merge(kind, namespace, name, &patch, "").await?;
        }
        Ok(())
    }

    async fn delete(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        uid: &str,
        grace: Option<u32>,
    ) -> Result<(), Error> {
        let preconditions = Some(Preconditions { uid: Some(uid.into()), resource_version: None });
        let params =
            DeleteParams { grace_period_seconds: grace, preconditions, ..DeleteParams::background() };
        let request = Request::new(kind.path(namespace)).delete(name, &params);
        match self.send(request).await {
            Ok(object) => {
                // Either the object as it is from now on, or a word that it is gone.
                if object["metadata"]["deletionTimestamp"].is_string() {
                    self.caches.answer(kind, object);
                } else {
                    self.caches.gone(kind, &Id::new(namespace, name), uid);
                }
                Ok(())
            }
            Err(error) if is_code(&error, 404) || is_code(&error, 409) => {
                self.caches.gone(kind, &Id::new(namespace, name), uid);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Writes a status, if it says anything new.
    ///
    /// # Errors
    /// When the API server does not answer, or the object has changed meanwhile.
    pub async fn write_status<S: Serialize + PartialEq>(
        &self,
        kind: Kind,
        meta: &ObjectMeta,
        old: Option<&S>,
        new: &S,
    ) -> Result<(), Error> {
        if old == Some(new) {
            return Ok(());
        }
        let to_map = |s: &S| match serde_json::to_value(s) {
            Ok(Value::Object(map)) => map,
            _ => Map::new(),
        };
        let mut status = to_map(new);
        for key in old.map(to_map).unwrap_or_default().keys() {
            status.entry(key.clone()).or_insert(Value::Null);
        }
        let patch = json!({"metadata": {"uid": meta.uid}, "status": status});
        self.merge_self(kind, meta, &patch, "status").await
    }

    /// Takes away what the old operator left on an object, without which the object could not be deleted.
    ///
    /// # Errors
    /// When the API server does not answer, or the object has changed meanwhile.
    pub async fn drop_kopf(&self, kind: Kind, meta: &ObjectMeta) -> Result<(), Error> {
        let finalizers = meta.finalizers.as_deref().unwrap_or_default();
        let annotations: Map<String, Value> = or_empty(meta.annotations.as_ref())
            .keys()
            .filter(|key| is_kopf(key))
            .map(|k| (k.clone(), Value::Null))
            .collect();
        if !finalizers.iter().any(|f| f == KOPF_FINALIZER) && annotations.is_empty() {
            return Ok(());
        }
        let kept: Vec<&String> = finalizers.iter().filter(|f| *f != KOPF_FINALIZER).collect();
        let patch = json!({"metadata": {
            "uid": meta.uid,
            // The list is replaced whole, so it must be the one that was seen.
            "resourceVersion": meta.resource_version,
            "finalizers": kept,
            "annotations": annotations,
        }});
        self.merge_self(kind, meta, &patch, "").await
    }

    /// Writes an event about an object, unless the same was written lately. That an event is lost, hurts nothing.
    async fn tell(&self, kind: Kind, meta: &ObjectMeta, note: &Note) {
        let key = key_of(kind, meta);
        {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.retain(|_, at| at.elapsed() < TOLD);
            if told.insert((key.clone(), note.clone()), Instant::now()).is_some() {
                return;
            }
        }
        tracing::info!(object = %key, reason = note.reason, "{}", note.message);
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let now = self.now();
        let message: String = note.message.chars().take(1000).collect();
        let body = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": format!("{}.", meta.name.as_deref().unwrap_or_default()), "namespace": namespace},
            "involvedObject": {
                "apiVersion": kind.api_version(),
                "kind": kind.name(),
                "namespace": namespace,
                "name": meta.name,
                "uid": meta.uid,
                "resourceVersion": meta.resource_version,
            },
            "type": if note.warning { "Warning" } else { "Normal" },
            "reason": note.reason,
            "message": message,
            "source": {"component": MANAGER},
            "reportingComponent": MANAGER,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        });
        let path = format!("/api/v1/namespaces/{namespace}/events");
        let request = Request::new(path).create(&PostParams::default(), body.to_string().into_bytes());
        if let Err(error) = self.send(request).await {
            tracing::debug!(object = %key, "the event was not written: {error}");
        }
    }
}

/// Puts a value at a JSON pointer; labels and annotations are added to those that are there.
fn put(object: &mut Value, pointer: &str, value: Value) {
    let mut place = &mut *object;
    for key in pointer.split('/').skip(1) {
        place = &mut place[key];
    }
    match (place, value) {
        (Value::Object(there), Value::Object(new)) if pointer.starts_with("/metadata/") => there.extend(new),
        (place, value) => *place = value,
    }
}

/// Keeps in a Deployment's template the labels that its selector asks for: the old operator selects on all of them.
fn keep_selected(deployment: &mut Value) {
    let selected = deployment["spec"]["selector"]["matchLabels"].as_object().cloned().unwrap_or_default();
    let labels = &mut deployment["spec"]["template"]["metadata"]["labels"];
    if let Some(labels) = labels.as_object_mut() {
        labels.extend(selected);
    }
}

fn is_code(error: &Error, code: u16) -> bool {
    matches!(error, Error::Kube(kube::Error::Api(status)) if status.code == code)
}

fn is_ending(error: &Error) -> bool {
    matches!(error, Error::Kube(kube::Error::Api(s)) if s.code == 403 && s.message.contains("because it is being terminated"))
}

fn is_about_uid(error: &Error) -> bool {
    matches!(error, Error::Kube(kube::Error::Api(s)) if s.code == 422 && s.message.contains("metadata.uid"))
}

fn refusal(action: &Action, code: u16, why: &str) -> Failure {
    let what = match action {
        Action::Create { kind, body } => {
            format!("{} {}", kind.name(), body["metadata"]["name"].as_str().unwrap_or_default())
        }
        Action::Merge { kind, name, .. }
        | Action::Replace { kind, name, .. }
        | Action::Delete { kind, name, .. } => {
            format!("{} {name}", kind.name())
        }
        Action::Event(_) => "an event".into(),
    };
    let (reason, advice, is_final) = if code == 422 {
        ("InvalidSpec", "correct the spec", true)
    } else if why.contains("exceeded quota") {
        ("QuotaExceeded", "ask for less, or raise the namespace's ResourceQuota", false)
    } else if why.contains("violates PodSecurity") {
        ("PodSecurity", "set the securityContext that the namespace's pod security standard asks for", false)
    } else {
        ("Forbidden", "see the operator's role, and the admission policies of the namespace", false)
    };
    Failure { reason, message: format!("{what} is refused: {why}; {advice}"), is_final }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_added_and_the_rest_is_replaced() {
        let mut object = json!({
            "metadata": {"labels": {"theirs": "1", "ours": "old"}},
            "spec": {"selector": {"matchLabels": {"old": "x"}}, "template": {"metadata": {"labels": {"a": "b"}}}},
        });
        put(&mut object, "/metadata/labels", json!({"ours": "new"}));
        put(&mut object, "/metadata/annotations", json!({"n": "1"}));
        put(&mut object, "/spec/template", json!({"metadata": {"labels": {"c": "d"}}}));
        keep_selected(&mut object);
        assert_eq!(
            object["metadata"],
            json!({"labels": {"theirs": "1", "ours": "new"}, "annotations": {"n": "1"}})
        );
        assert_eq!(object["spec"]["template"]["metadata"]["labels"], json!({"c": "d", "old": "x"}));
    }

    #[test]
    fn refusals_say_what_to_do() {
        let create = Action::Create { kind: Kind::Pod, body: json!({"metadata": {"name": "p"}}) };
        let quota = refusal(&create, 403, "pods \"p\" is forbidden: exceeded quota: q");
        assert_eq!((quota.reason, quota.is_final), ("QuotaExceeded", false));
        assert!(quota.message.starts_with("Pod p is refused") && quota.message.contains("ResourceQuota"));
        assert!(refusal(&create, 422, "spec.containers[0].image: Required value").is_final);
    }
}
