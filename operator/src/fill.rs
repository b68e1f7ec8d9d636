//! Fills in what users left out of pods' specs. A pure function of the custom resources and the operator's settings; what
//! a user wrote is never changed, fields that this operator does not know included.

use crate::api::{ContainerDefaults, DaskClusterSpec, Engine, PodSpec};
use crate::names;
use crate::settings::Settings;
use serde_json::{Map, Value, json};

/// Dask's setting of the scheduler's HTTP routes, as a variable.
const ROUTES: &str = "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES";

/// Dask's own default, and the API.
const ROUTES_WITH_API: &str = r#"["distributed.http.scheduler.prometheus","distributed.http.scheduler.info","distributed.http.scheduler.json","distributed.http.health","distributed.http.proxy","distributed.http.statics","distributed.http.scheduler.api"]"#;

/// Seconds for which a stock worker that is to end waits, so that the operator can have its results moved; and a little more
/// than that until it is killed.
const RETIRE_BEFORE_END: u32 = 30;
const GRACE: u32 = RETIRE_BEFORE_END + 30;

/// What a pod is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The scheduler.
    Scheduler,
    /// A worker.
    Worker,
}

impl Role {
    /// Name of the container that is meant, and of the component.
    pub fn name(self) -> &'static str {
        match self {
            Role::Scheduler => "scheduler",
            Role::Worker => "worker",
        }
    }

    fn args(self, engine: Engine) -> &'static [&'static str] {
        match (self, engine) {
            (Role::Scheduler, Engine::Native) => &["scheduler", "--host", "0.0.0.0"],
            (Role::Worker, Engine::Native) => &["worker", "--host", "0.0.0.0", "--http-port", "8787"],
            (Role::Scheduler, Engine::Dask) => &["dask", "scheduler"],
            (Role::Worker, Engine::Dask) => &[
                "dask",
                "worker",
                "--name",
                "$(DASK_WORKER_NAME)",
                "--dashboard",
                "--dashboard-address",
                "8788",
            ],
        }
    }

    fn ports(self, engine: Engine) -> Value {
        let port = |name: &str, port: u16| json!({"name": name, "containerPort": port, "protocol": "TCP"});
        match (self, engine) {
            (Role::Scheduler, _) => json!([port("tcp-comm", 8786), port("http-dashboard", 8787)]),
            (Role::Worker, Engine::Native) => json!([port("http-dashboard", 8787)]),
            (Role::Worker, Engine::Dask) => json!([port("http-dashboard", 8788)]),
        }
    }
}

/// The engine of a cluster: what it says, else Dask when a container of the user's names an image or what to run.
pub fn engine(spec: &DaskClusterSpec) -> Engine {
    let theirs = [&spec.scheduler.spec, &spec.worker.spec].into_iter().any(names_a_program);
    spec.engine.unwrap_or(if theirs { Engine::Dask } else { Engine::Native })
}

/// Whether a container of a pod names an image or what to run.
pub fn names_a_program(pod: &PodSpec) -> bool {
    let containers = pod.0.get("containers").and_then(Value::as_array);
    containers
        .into_iter()
        .flatten()
        .any(|c| ["image", "args", "command"].iter().any(|key| c.get(key).is_some_and(|v| !v.is_null())))
}

/// The spec of a scheduler's or worker's pod. `layers` are asked in their order.
pub fn pod(
    role: Role,
    spec: &PodSpec,
    cluster: &DaskClusterSpec,
    layers: &[&ContainerDefaults],
    env: &[(&str, &str)],
    settings: &Settings,
) -> Map<String, Value> {
    let engine = engine(cluster);
    let mut pod = spec.0.clone();
    let mut containers = match pod.get("containers") {
        Some(Value::Array(list)) if !list.is_empty() => list.clone(),
        _ => vec![json!({})],
    };
    let main = containers.iter().position(|c| c["name"] == role.name()).unwrap_or(0);
    if let Some(container) = containers.get_mut(main).and_then(Value::as_object_mut) {
        fill_container(container, role, engine, cluster.engine.is_some(), layers, settings);
    }
    for container in containers.iter_mut().filter_map(Value::as_object_mut) {
        for (name, value) in env {
            add_env(container, &json!({"name": name, "value": value}));
        }
    }
    pod.insert("containers".into(), containers.into());
    if let Some(secrets) = first(layers, |l| l.image_pull_secrets.as_ref()) {
        fill(&mut pod, "imagePullSecrets", || json!(secrets));
    }
    if role == Role::Worker {
        fill(&mut pod, "terminationGracePeriodSeconds", || json!(GRACE));
    }
    if engine == Engine::Native {
        fill(&mut pod, "automountServiceAccountToken", || json!(false));
        fill(&mut pod, "tolerations", leave_lost_nodes);
    }
    pod
}

fn fill_container(
    container: &mut Map<String, Value>,
    role: Role,
    engine: Engine,
    engine_is_explicit: bool,
    layers: &[&ContainerDefaults],
    settings: &Settings,
) {
    let own_image = is_set(container, "image");
    let own_command = is_set(container, "args") || is_set(container, "command");
    fill(container, "name", || json!(role.name()));
    fill(container, "image", || {
        let ours = match engine {
            Engine::Native => settings.native_image.as_str(),
            Engine::Dask => settings.dask_image.as_str(),
        };
        json!(first(layers, |l| l.image.as_deref()).unwrap_or(ours))
    });
    if let Some(policy) = first(layers, |l| l.image_pull_policy.as_deref()) {
        fill(container, "imagePullPolicy", || json!(policy));
    }
    if let Some(resources) = first(layers, |l| l.resources.as_ref()) {
        fill(container, "resources", || json!(resources));
    }
    layers.iter().filter_map(|l| l.env.as_ref()).flat_map(|env| &env.0).for_each(|e| add_env(container, e));
    // An image of the user's own runs what it was made to run, unless the engine is named.
    if !own_command && (!own_image || engine_is_explicit) {
        container.insert("args".into(), json!(role.args(engine)));
        let probe = || json!({"httpGet": {"path": "/health", "port": "http-dashboard"}, "periodSeconds": 2});
        if !is_set(container, "ports") && (role == Role::Scheduler || engine == Engine::Native) {
            fill(container, "readinessProbe", probe);
        }
        fill(container, "ports", || role.ports(engine));
        if engine == Engine::Native {
            fill(container, "securityContext", restricted);
        }
    }
    if role == Role::Worker && engine == Engine::Dask {
        fill(container, "lifecycle", || json!({"preStop": {"sleep": {"seconds": RETIRE_BEFORE_END}}}));
    }
}

/// Pods of a node that is lost come back elsewhere after a minute, and not after the five of Kubernetes: the scheduler gives
/// up a silent worker after as long.
fn leave_lost_nodes() -> Value {
    let lost = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
    let toleration =
        |key| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60});
    json!(lost.map(toleration))
}

/// What the restricted pod security standard asks of a container, and a root that cannot be written.
pub fn restricted() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": true,
        "runAsNonRoot": true,
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}

/// Switches the scheduler's HTTP API on, which stock Dask leaves off, where the user has not decided.
pub fn add_routes(pod: &mut Map<String, Value>) {
    let containers = pod.get_mut("containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
        add_env(container, &json!({"name": ROUTES, "value": ROUTES_WITH_API}));
    }
}

/// The spec of a job's runner, with the scheduler's address in every container.
pub fn runner(spec: &PodSpec, address: &str, restart: &str) -> Map<String, Value> {
    let mut pod = spec.0.clone();
    let containers = pod.get_mut("containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
        add_env(container, &json!({"name": "DASK_SCHEDULER_ADDRESS", "value": address}));
    }
    fill(&mut pod, "restartPolicy", || json!(restart));
    pod
}

/// The pod that submits the graph document at `path` to a cluster's scheduler, with the cluster's image if it names one.
pub fn submitter(
    path: &str,
    job_id: &str,
    cluster: &DaskClusterSpec,
    settings: &Settings,
) -> Map<String, Value> {
    let mut container = json!({
        "name": "runner",
        "image": cluster.container.image.as_ref().unwrap_or(&settings.native_image),
        "args": ["submit", path, "--job-id", job_id, "--connect-timeout", "600"],
        "securityContext": restricted(),
    });
    if let Some(policy) = &cluster.container.image_pull_policy {
        container["imagePullPolicy"] = json!(policy);
    }
    let mut pod = Map::new();
    pod.insert("containers".into(), json!([container]));
    pod.insert("automountServiceAccountToken".into(), json!(false));
    if let Some(secrets) = &cluster.container.image_pull_secrets {
        pod.insert("imagePullSecrets".into(), json!(secrets));
    }
    pod
}

/// Address in the variable of a container, after the user's own: theirs wins.
fn add_env(container: &mut Map<String, Value>, variable: &Value) {
    let env = container.entry("env").or_insert_with(|| json!([]));
    if env.is_null() {
        *env = json!([]);
    }
    if let Some(list) = env.as_array_mut()
        && !list.iter().any(|e| e["name"] == variable["name"])
    {
        list.push(variable.clone());
    }
}

fn is_set(object: &Map<String, Value>, key: &str) -> bool {
    object.get(key).is_some_and(|v| !v.is_null())
}

fn fill(object: &mut Map<String, Value>, key: &str, value: impl FnOnce() -> Value) {
    if !is_set(object, key) {
        object.insert(key.into(), value());
    }
}

fn first<'a, T: ?Sized>(
    layers: &[&'a ContainerDefaults],
    value: impl Fn(&'a ContainerDefaults) -> Option<&'a T>,
) -> Option<&'a T> {
    layers.iter().copied().find_map(value)
}

/// The variables of a worker, a user's own before them.
pub fn worker_env<'a>(name: &'a str, address: &'a str) -> [(&'static str, &'a str); 2] {
    [("DASK_WORKER_NAME", name), ("DASK_SCHEDULER_ADDRESS", address)]
}

/// Hash of a value, the same for the same text.
pub fn hash(value: &Value) -> String {
    names::hash(value.to_string().as_bytes())[..16].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(spec: Value) -> DaskClusterSpec {
        serde_json::from_value(spec).unwrap()
    }

    fn worker(spec: &DaskClusterSpec) -> Value {
        let layers = [&spec.worker.container, &spec.container];
        let env = worker_env("w", "tcp://s:8786");
        Value::Object(pod(Role::Worker, &spec.worker.spec, spec, &layers, &env, &Settings::default()))
    }

    #[test]
    fn an_empty_spec_becomes_a_native_pod() {
        let pod = worker(&cluster(json!({})));
        let container = &pod["containers"][0];
        assert_eq!(container["image"], Settings::default().native_image);
        assert_eq!(container["args"][0], "worker");
        assert_eq!(container["securityContext"]["runAsNonRoot"], true);
        assert_eq!(container["env"][1]["value"], "tcp://s:8786");
        assert!(container.get("lifecycle").is_none(), "the engine hands over when it is told to end");
    }

    #[test]
    fn what_the_user_wrote_stays() {
        let theirs = json!({
            "name": "w", "image": "mine", "args": ["dask-worker"], "future": {"field": 1},
            "env": [{"name": "DASK_WORKER_NAME", "value": "me"}],
        });
        let pod =
            worker(&cluster(json!({"worker": {"spec": {"containers": [theirs], "hostNetwork": true}}})));
        let container = &pod["containers"][0];
        assert_eq!(container["image"], "mine");
        assert_eq!(container["args"], json!(["dask-worker"]));
        assert_eq!(container["future"], json!({"field": 1}));
        assert_eq!(container["env"][0]["value"], "me");
        assert_eq!(container["env"].as_array().unwrap().len(), 2);
        assert!(container.get("securityContext").is_none(), "a stock Dask pod is left as it is");
        assert_eq!(pod["hostNetwork"], true);
    }

    #[test]
    fn the_group_is_asked_before_the_cluster_and_the_pod_before_both() {
        let spec = json!({
            "image": "of-cluster",
            "env": [{"name": "A", "value": "cluster"}, {"name": "B", "value": "cluster"}],
            "worker": {"image": "of-group", "env": [{"name": "A", "value": "group"}]},
        });
        let pod = worker(&cluster(spec));
        let container = &pod["containers"][0];
        assert_eq!(container["image"], "of-group");
        assert_eq!(container["env"][0], json!({"name": "A", "value": "group"}));
        assert_eq!(container["env"][1], json!({"name": "B", "value": "cluster"}));
    }

    #[test]
    fn an_image_of_ones_own_runs_what_it_was_made_for() {
        let mine = json!({"spec": {"containers": [{"name": "worker", "image": "mine"}]}});
        let pod = worker(&cluster(json!({"worker": mine})));
        assert!(pod["containers"][0].get("args").is_none());
        let pod = worker(&cluster(json!({"worker": mine, "engine": "Dask"})));
        assert_eq!(pod["containers"][0]["args"][1], "worker");
    }

    #[test]
    fn the_engine_is_the_one_of_the_users_images() {
        assert_eq!(engine(&cluster(json!({}))), Engine::Native);
        let theirs = json!({"scheduler": {"spec": {"containers": [{"args": ["dask-scheduler"]}]}}});
        assert_eq!(engine(&cluster(theirs)), Engine::Dask);
        assert_eq!(engine(&cluster(json!({"engine": "Dask"}))), Engine::Dask);
        let limits = json!({"worker": {"spec": {"containers": [{"name": "worker", "resources": {}}]}}});
        assert_eq!(engine(&cluster(limits)), Engine::Native);
    }
}
