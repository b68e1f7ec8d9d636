//! What is installed and what is shown to users, as far as it can be judged without a cluster.
#![allow(clippy::unwrap_used)] // A test file: helpers fail their test.

use dask_operator::api::{DaskAutoscaler, DaskCluster, DaskJob, DaskWorkerGroup};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn documents(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text).map(|d| Value::deserialize(d).unwrap()).collect()
}

#[test]
fn chart_and_kustomization_give_the_operator_the_same_rights() {
    let chart: Value = serde_yaml::from_str(&read("charts/dask-operator/files/rules.yaml")).unwrap();
    let manifests = documents(&read("manifests/rbac.yaml"));
    let role = |d: &&Value| d["kind"] == "ClusterRole" && d["metadata"]["name"] == "dask-operator";
    assert_eq!(manifests.iter().find(role).unwrap()["rules"], chart);
    assert!(!chart.to_string().contains("secrets"));
    assert!(!chart.to_string().contains('*'));
}

/// Reads an object and writes it again: what is lost is no field of its kind.
fn keeps_all<K: DeserializeOwned + Serialize>(object: &Value, place: &str) {
    let typed: K = serde_json::from_value(object.clone()).unwrap_or_else(|e| panic!("{place}: {e}"));
    let kept = serde_json::to_value(typed).unwrap();
    assert_holds(&kept, object, place);
}

fn assert_holds(kept: &Value, written: &Value, place: &str) {
    match written {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| assert_holds(&kept[key], value, &format!("{place}.{key}")));
        }
        _ => assert_eq!(kept, written, "{place}"),
    }
}

#[test]
fn samples_have_no_field_that_is_not_there_and_their_graphs_parse() {
    let folder = root().join("manifests/samples/kubernetes");
    let mut graphs = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let place = path.display().to_string();
        for object in documents(&std::fs::read_to_string(&path).unwrap()) {
            match object["kind"].as_str().unwrap() {
                "DaskCluster" => keeps_all::<DaskCluster>(&object, &place),
                "DaskWorkerGroup" => keeps_all::<DaskWorkerGroup>(&object, &place),
                "DaskAutoscaler" => keeps_all::<DaskAutoscaler>(&object, &place),
                "DaskJob" => keeps_all::<DaskJob>(&object, &place),
                _ => {}
            }
            let inline = object.pointer("/spec/job/graph/inline");
            let data = object["data"].as_object().into_iter().flat_map(|d| d.values());
            for graph in inline.into_iter().chain(data).filter_map(Value::as_str) {
                dask_plan::source::parse(graph, &place).unwrap_or_else(|e| panic!("{e}"));
                graphs += 1;
            }
        }
    }
    assert!(graphs >= 3, "{graphs} graphs");
}

#[test]
fn the_readme_shows_the_sample() {
    let sample = read("manifests/samples/kubernetes/job.yaml");
    let manifest = &sample[sample.find("apiVersion").unwrap()..];
    assert!(read("README.md").contains(manifest), "README.md shows another job than the sample:\n{manifest}");
}
