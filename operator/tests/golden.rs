//! The children of manifests that were written for dask-kubernetes, compared with those that it makes (`golden/`, rendered by
//! its own builders for its sample manifests). Each difference that is wanted stands here.

#![allow(clippy::unwrap_used, reason = "a test ends where its own data is not as expected")]

use dask_operator::api::{DaskCluster, DaskJob, DaskWorkerGroup};
use dask_operator::controller::{cluster, job, worker_group};
use dask_operator::names::{GENERATION, HASH, PROPAGATED, SAFE_TO_EVICT, SLOT};
use dask_operator::settings::Settings;
use serde_json::{Map, Value, json};

/// The name that dask-kubernetes gave a worker in `golden/`.
const WORKER: &str = "simple-default-worker-0123456789";

fn golden(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

fn worker_container() -> Value {
    json!({
        "name": "worker",
        "image": "dask-kubernetes:dev",
        "imagePullPolicy": "IfNotPresent",
        "args": ["dask-worker", "--name", "$(DASK_WORKER_NAME)", "--dashboard", "--dashboard-address", "8788"],
        "ports": [{"name": "http-dashboard", "containerPort": 8788, "protocol": "TCP"}],
        "env": [{"name": "WORKER_ENV", "value": "hello-world"}],
    })
}

fn scheduler_container() -> Value {
    let probe = |delay: u32, period: u32| {
        json!({
            "httpGet": {"port": "http-dashboard", "path": "/health"},
            "initialDelaySeconds": delay,
            "periodSeconds": period,
        })
    };
    json!({
        "name": "scheduler",
        "image": "dask-kubernetes:dev",
        "imagePullPolicy": "IfNotPresent",
        "args": ["dask-scheduler"],
        "ports": [
            {"name": "tcp-comm", "containerPort": 8786, "protocol": "TCP"},
            {"name": "http-dashboard", "containerPort": 8787, "protocol": "TCP"},
        ],
        "readinessProbe": probe(5, 10),
        "livenessProbe": probe(15, 20),
        "env": [{"name": "SCHEDULER_ENV", "value": "hello-world"}],
    })
}

fn service(cluster: &str) -> Value {
    json!({
        "type": "ClusterIP",
        "selector": {"dask.org/cluster-name": cluster, "dask.org/component": "scheduler"},
        "ports": [
            {"name": "tcp-comm", "protocol": "TCP", "port": 8786, "targetPort": "tcp-comm"},
            {"name": "http-dashboard", "protocol": "TCP", "port": 8787, "targetPort": "http-dashboard"},
        ],
    })
}

/// Labels and annotations of one part of the sample.
fn sub(part: &str) -> Value {
    json!({
        "labels": {format!("{part}-sublabel"): "label-value"},
        "annotations": {format!("{part}-subannotation"): "annotation-value"},
    })
}

fn simple() -> DaskCluster {
    serde_json::from_value(json!({
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {
            "name": "simple",
            "namespace": "ns",
            "uid": "uid-cluster",
            "labels": {"test-label": "label-value"},
            "annotations": {
                "test-annotation": "annotation-value",
                // Some controller's own, which stay where they are.
                "kopf.zalando.org/last-handled-configuration": "{}",
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
            },
        },
        "spec": {
            "worker": {"metadata": sub("worker"), "replicas": 2, "spec": {"containers": [worker_container()]}},
            "scheduler": {
                "metadata": sub("scheduler"),
                "spec": {"containers": [scheduler_container()]},
                "service": service("simple"),
            },
        },
    }))
    .unwrap()
}

/// The default group as the API server has it: with a namespace and a uid.
fn default_group() -> DaskWorkerGroup {
    let mut body = cluster::group_body(&simple());
    body["metadata"]["uid"] = json!("uid-wg");
    serde_json::from_value(body).unwrap()
}

fn simple_job() -> DaskJob {
    serde_json::from_value(json!({
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskJob",
        "metadata": {
            "name": "simple-job",
            "namespace": "ns",
            "uid": "uid-job",
            "annotations": {"test-annotation": "annotation-value"},
        },
        "spec": {
            "job": {"spec": {"containers": [{
                "name": "job",
                "image": "dask-kubernetes:dev",
                "imagePullPolicy": "IfNotPresent",
                "args": ["python", "-c", "from dask.distributed import Client; client = Client(name='job')"],
            }]}},
            "cluster": {"spec": {
                "worker": {"replicas": 2, "spec": {"containers": [worker_container()]}},
                "scheduler": {"spec": {"containers": [scheduler_container()]}, "service": service("simple-job")},
            }},
        },
    }))
    .unwrap()
}

/// Takes keys out of an object, each of which must be in it.
fn take(object: &mut Value, keys: &[&str]) -> Map<String, Value> {
    let object = object.as_object_mut().unwrap();
    keys.iter()
        .map(|k| (k.to_string(), object.shift_remove(*k).unwrap_or_else(|| panic!("no {k}"))))
        .collect()
}

/// A worker's pod made of the Deployment for it in `golden/`: metadata of the Deployment, spec of its template.
fn pod_of(deployment: &Value) -> Value {
    let mut metadata = deployment["metadata"].clone();
    metadata["annotations"][SAFE_TO_EVICT] = json!("true");
    let mut spec = deployment["spec"]["template"]["spec"].clone();
    // Results are moved before a worker ends, whoever ends it.
    spec["terminationGracePeriodSeconds"] = json!(60);
    spec["containers"][0]["lifecycle"] = json!({"preStop": {"sleep": {"seconds": 30}}});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}

#[test]
fn the_scheduler_is_deployed_as_by_dask_kubernetes() {
    let mut ours = cluster::deployment_body(&simple(), &Settings::default());
    take(&mut ours["metadata"]["annotations"], &[HASH, GENERATION]);
    let mut theirs = golden(include_str!("golden/scheduler-deployment.yaml"));
    take(&mut theirs["spec"]["template"]["metadata"], &["name", "namespace", "ownerReferences"]);
    // Never two schedulers behind one Service, and no label wedges the Deployment when somebody edits it.
    theirs["spec"]["strategy"] = json!({"type": "Recreate"});
    theirs["spec"]["selector"] =
        json!({"matchLabels": {"dask.org/cluster-name": "simple", "dask.org/component": "scheduler"}});
    let env = &mut theirs["spec"]["template"]["spec"]["containers"][0]["env"];
    let routes = ours["spec"]["template"]["spec"]["containers"][0]["env"][1].clone();
    assert_eq!(routes["name"], "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES");
    let list: Vec<String> = serde_json::from_str(routes["value"].as_str().unwrap()).unwrap();
    assert!(list.iter().any(|r| r == "distributed.http.scheduler.api"), "{list:?}");
    env.as_array_mut().unwrap().push(routes);
    assert_eq!(ours, theirs);
}

#[test]
fn the_schedulers_api_stays_off_where_the_world_may_reach_it() {
    let env = |change: &dyn Fn(&mut Value)| {
        let mut cluster = serde_json::to_value(simple()).unwrap();
        change(&mut cluster);
        let cluster = serde_json::from_value(cluster).unwrap();
        let body = cluster::deployment_body(&cluster, &Settings::default());
        body["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap().len()
    };
    assert_eq!(env(&|_| ()), 2);
    assert_eq!(env(&|c| c["spec"]["scheduler"]["service"]["type"] = json!("LoadBalancer")), 1);
    assert_eq!(env(&|c| c["spec"]["scheduler"]["service"]["type"] = json!("NodePort")), 1);
    let opted_out = "kubernetes.dask.org/scheduler-api";
    assert_eq!(env(&|c| c["metadata"]["annotations"][opted_out] = json!("false")), 1);
}

#[test]
fn the_service_is_the_same() {
    let theirs = golden(include_str!("golden/scheduler-service.yaml"));
    assert_eq!(cluster::service_body(&simple()), theirs);
    let mut silent = simple();
    silent.spec.scheduler.service = None;
    assert_eq!(cluster::service_body(&silent), theirs, "what the user leaves out is filled in");
}

#[test]
fn the_default_group_is_the_same() {
    let mut ours = cluster::group_body(&simple());
    let owner = take(&mut ours["metadata"], &["ownerReferences", "namespace"]);
    assert_eq!(owner["ownerReferences"][0]["uid"], "uid-cluster", "dask-kubernetes adds it later");
    take(&mut ours["metadata"]["annotations"], &[PROPAGATED]);
    assert_eq!(ours, golden(include_str!("golden/default-workergroup.yaml")));
}

#[test]
fn a_worker_is_the_pod_of_their_deployment() {
    let (group, settings) = (default_group(), Settings::default());
    let mut ours = worker_group::worker_body(&group, &simple(), &settings, WORKER, (0, 0));
    take(&mut ours["metadata"]["annotations"], &[SLOT]);
    assert_eq!(ours, pod_of(&golden(include_str!("golden/worker-deployment.yaml"))));
}

#[test]
fn a_worker_of_another_group_keeps_the_name_that_its_user_gave_it() {
    let mut container = worker_container();
    container["args"] = json!(["dask-worker", "--dashboard", "--dashboard-address", "8788"]);
    container["env"] = json!([
        {"name": "WORKER_ENV", "value": "hello-world"},
        {"name": "DASK_WORKER_NAME", "value": "test-worker"},
    ]);
    let group: DaskWorkerGroup = serde_json::from_value(json!({
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskWorkerGroup",
        "metadata": {
            "name": "simple-additional",
            "namespace": "ns",
            "uid": "uid-wg2",
            "labels": {"test-label": "label-value"},
        },
        "spec": {"cluster": "simple", "worker": {"replicas": 2, "spec": {"containers": [container]}}},
    }))
    .unwrap();
    let name = "simple-additional-worker-0123456789";
    let mut ours = worker_group::worker_body(&group, &simple(), &Settings::default(), name, (0, 0));
    take(&mut ours["metadata"]["annotations"], &[SLOT]);
    assert_eq!(ours, pod_of(&golden(include_str!("golden/additional-worker-deployment.yaml"))));
}

#[test]
fn the_cluster_of_a_job_is_the_same() {
    let mut ours = job::cluster_body(&simple_job());
    assert_eq!(take(&mut ours["spec"], &["idleTimeout"])["idleTimeout"], 0, "its default, written out");
    assert_eq!(ours, golden(include_str!("golden/job-cluster.yaml")));
}

#[test]
fn the_runner_of_a_job_is_the_same() {
    let ours = job::runner_body(&simple_job(), 0, "simple-job-1", &Settings::default());
    assert_eq!(ours, golden(include_str!("golden/job-runner-pod.yaml")));
}
