//! Parts of Kubernetes' own API inside ours. They are kept as the user wrote them and never typed, so that no field that is
//! newer than this operator is lost; only their schemas come from the typed API.

use k8s_openapi::api::core::v1 as core;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

macro_rules! raw {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $schema:ty) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                <$schema>::json_schema(generator)
            }
        }
    };
}

raw!(
    /// The spec of a pod.
    PodSpec, Map<String, Value>, core::PodSpec
);
raw!(
    /// The spec of a Service.
    ServiceSpec, Map<String, Value>, core::ServiceSpec
);
raw!(
    /// What a container needs and may use.
    Resources, Map<String, Value>, core::ResourceRequirements
);
raw!(
    /// Environment variables of a container.
    Env, Vec<Value>, Vec<core::EnvVar>
);
raw!(
    /// Secrets with which images are pulled.
    PullSecrets, Vec<Value>, Vec<core::LocalObjectReference>
);

/// Values for a pod's main container, where the pod's own spec is silent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerDefaults {
    /// Image of the main container, where the pod's spec names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// When the image is pulled, where the pod's spec does not say: Always, IfNotPresent or Never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<String>,
    /// Secrets with which images are pulled, where the pod's spec names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_secrets: Option<PullSecrets>,
    /// Resources of the main container, where the pod's spec names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Environment variables for the main container, where the pod's spec does not set them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<Env>,
}

/// Labels and annotations for children.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}
