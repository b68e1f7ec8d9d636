//! The custom resources as a client sees them: JSON, so that nothing here depends on how the operator reads them.

use crate::Scenario;
use anyhow::{Context, Result};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::Request;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt::Debug;

/// A custom resource.
pub trait Dask {
    /// What its user wants.
    fn spec(&self) -> &Value;
    /// What is known of it.
    fn status(&self) -> &Value;

    /// A condition, null when it is not there.
    fn condition(&self, type_: &str) -> &Value {
        let all = self.status()["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().find(|c| c["type"] == type_).unwrap_or(&Value::Null)
    }

    /// Whether a condition is true.
    fn is(&self, type_: &str) -> bool {
        self.condition(type_)["status"] == "True"
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $plural:literal),*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub struct $kind {
            /// Name, labels, owners.
            pub metadata: ObjectMeta,
            /// What its user wants.
            #[serde(default)]
            pub spec: Value,
            /// What is known of it.
            #[serde(default)]
            pub status: Value,
        }

        impl Dask for $kind {
            fn spec(&self) -> &Value {
                &self.spec
            }

            fn status(&self) -> &Value {
                &self.status
            }
        }

        impl Resource for $kind {
            type DynamicType = ();
            type Scope = NamespaceResourceScope;

            fn kind((): &()) -> Cow<'_, str> {
                stringify!($kind).into()
            }

            fn group((): &()) -> Cow<'_, str> {
                "kubernetes.dask.org".into()
            }

            fn version((): &()) -> Cow<'_, str> {
                "v1".into()
            }

            fn plural((): &()) -> Cow<'_, str> {
                $plural.into()
            }

            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    )*};
}

kinds! {
    /// A scheduler and its workers.
    DaskCluster "daskclusters",
    /// Workers of one shape.
    DaskWorkerGroup "daskworkergroups",
    /// A program on a cluster of its own.
    DaskJob "daskjobs",
    /// Keeps a group as large as the scheduler wants it.
    DaskAutoscaler "daskautoscalers"
}

impl Scenario {
    /// Makes a custom resource of this name and spec.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn dask<K>(&self, name: &str, spec: Value) -> Result<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned,
    {
        let body = json!({
            "apiVersion": "kubernetes.dask.org/v1",
            "kind": K::kind(&()),
            "metadata": {"name": name},
            "spec": spec,
        });
        let path = K::url_path(&(), Some(&self.namespace));
        let request = Request::new(path).create(&PostParams::default(), body.to_string().into_bytes())?;
        let made = self.client.request(request).await;
        made.with_context(|| format!("{} {name} was refused", K::kind(&())))
    }

    /// Changes an object by a merge patch.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn merge<K>(&self, name: &str, patch: Value) -> Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
        K::DynamicType: Default,
    {
        let changed = self.api::<K>().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        changed.with_context(|| format!("the change of {name} was refused"))
    }

    /// Changes a number of workers as `kubectl scale` does.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn scale<K>(&self, name: &str, replicas: u32) -> Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
        K::DynamicType: Default,
    {
        let patch = json!({"spec": {"replicas": replicas}});
        self.api::<K>().patch_scale(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }
}
