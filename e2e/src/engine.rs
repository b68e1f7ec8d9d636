//! The engine on plain Deployments: what a user without the operator would write.

use crate::Scenario;
use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use serde_json::{Value, json};

/// The image of the engine, as `make images` builds it.
pub const IMAGE: &str = "ghcr.io/dask/dask-runtime:dev";

/// How an engine runs in the cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// Worker pods.
    pub workers: u32,
    /// Memory that a worker's container may use, as Kubernetes writes it.
    pub memory: &'static str,
    /// What the worker thinks it may use, as `--memory-limit` takes it; `None` leaves it to the control group.
    pub memory_limit: Option<&'static str>,
    /// A node for the scheduler and the job's runner; any when `None`.
    pub node: Option<String>,
    /// Seconds after which a silent worker is given up.
    pub worker_timeout: u32,
    /// Seconds that a worker has to hand its results over when it is told to end.
    pub grace: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options { workers: 3, memory: "1Gi", memory_limit: None, node: None, worker_timeout: 60, grace: 3 }
    }
}

/// An engine that runs in a scenario's namespace.
pub struct Engine<'a> {
    s: &'a Scenario,
    options: Options,
    /// The scheduler's Service.
    scheduler: String,
}

/// Starts an engine by Deployments `scheduler` and `worker` and a Service `scheduler`, and waits until its workers are ready.
///
/// # Errors
/// When the pods do not become ready.
pub async fn start<'a>(s: &'a Scenario, options: &Options) -> Result<Engine<'a>> {
    s.create::<Service>(service()).await?;
    s.create::<Deployment>(scheduler(options)).await?;
    s.create::<Deployment>(workers(options)).await?;
    for (name, replicas) in [("scheduler", 1), ("worker", options.workers as i32)] {
        let ready = move |d: Option<&Deployment>| {
            d.and_then(|d| d.status.as_ref()?.ready_replicas).is_some_and(|ready| ready == replicas)
        };
        s.until::<Deployment>("ready pods", name, ready).await?;
    }
    Ok(Engine { s, options: options.clone(), scheduler: "scheduler".into() })
}

impl<'a> Engine<'a> {
    /// The engine whose scheduler has this Service.
    pub fn of(s: &'a Scenario, scheduler: &str) -> Engine<'a> {
        Engine { s, options: Options::default(), scheduler: scheduler.into() }
    }

    /// Submits a document as a Job of this name, which is also the id of the engine's job.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn submit(&self, name: &str, document: &str) -> Result<String> {
        let graph = json!({"metadata": {"name": name}, "data": {"graph.yaml": document}});
        self.s.create::<ConfigMap>(graph).await?;
        self.s.create::<Job>(self.runner(name)).await?;
        Ok(name.to_string())
    }

    /// Waits for the first line of progress of a job that is not done by then.
    ///
    /// # Errors
    /// When there is none.
    pub async fn under_way(&self, job: &str) -> Result<()> {
        let pod = self.s.pod_of(job).await?;
        let line = self.s.until_line(&pod, |line| progress(line).is_some()).await?;
        let (done, tasks) = progress(&line).context("a line of progress")?;
        anyhow::ensure!(done < tasks, "the job was over before it could be disturbed: {line}");
        Ok(())
    }

    /// What a job printed, without its id, its lines of progress and its summary.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub async fn output(&self, job: &str) -> Result<String> {
        Ok(output(&self.s.log(&self.s.pod_of(job).await?).await?, job))
    }

    /// The scheduler's page about a job.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn job(&self, id: &str) -> Result<Value> {
        let service = format!("{}:8787", self.scheduler);
        Ok(serde_json::from_str(&self.s.page(&service, &format!("/api/v1/jobs/{id}")).await?)?)
    }

    /// How often tasks of a job ran, and how many it has.
    ///
    /// # Errors
    /// When the scheduler does not answer as expected.
    pub async fn runs(&self, id: &str) -> Result<(u64, u64)> {
        let job = self.job(id).await?;
        let runs = job["runs"].as_object().with_context(|| format!("no runs in {job}"))?;
        let tasks = job["tasks"].as_u64().with_context(|| format!("no tasks in {job}"))?;
        Ok((runs.values().filter_map(Value::as_u64).sum(), tasks))
    }

    /// The pods of the workers, once there are as many as were asked for.
    ///
    /// # Errors
    /// When there are not.
    pub async fn worker_pods(&self) -> Result<Vec<Pod>> {
        self.s
            .until_pods("the workers", "app=worker", |pods| pods.len() == self.options.workers as usize)
            .await
    }

    fn runner(&self, name: &str) -> Value {
        let scheduler = format!("tcp://{}:8786", self.scheduler);
        let mut args = vec!["submit", "/graph/graph.yaml", "--scheduler", &scheduler, "--job-id", name];
        // A Service reaches its pods a moment after they are ready.
        args.extend(["--connect-timeout", "60"]);
        let mut container = container("runner", &args, "1Gi");
        container["volumeMounts"] = json!([{"name": "graph", "mountPath": "/graph", "readOnly": true}]);
        let mut pod = json!({
            "restartPolicy": "Never",
            "containers": [container],
            "volumes": [{"name": "graph", "configMap": {"name": name}}],
        });
        place(&mut pod, &self.options);
        json!({"metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": {"spec": pod}}})
    }
}

/// The outputs in what the submitter of a job has printed.
pub fn output(log: &str, job: &str) -> String {
    let id = format!("job {job}");
    let printed = |line: &&str| progress(line).is_none() && !summary(line) && *line != id;
    log.lines().filter(printed).map(|l| format!("{l}\n")).collect()
}

/// Done and all tasks of a line such as `12/219 tasks, 40/s, 5 s left`.
pub fn progress(line: &str) -> Option<(u64, u64)> {
    let (done, rest) = line.split_once('/')?;
    let (tasks, _) = rest.split_once(" tasks, ")?;
    Some((done.parse().ok()?, tasks.parse().ok()?))
}

/// Whether a line is such as `219 tasks in 0.303 s (724 tasks/s), peak memory 95.23 MiB`.
fn summary(line: &str) -> bool {
    line.split_once(" tasks in ")
        .or_else(|| line.split_once(" task in "))
        .is_some_and(|(n, rest)| n.parse::<u64>().is_ok() && rest.contains("peak memory"))
}

fn service() -> Value {
    json!({
        "metadata": {"name": "scheduler"},
        "spec": {
            "selector": {"app": "scheduler"},
            "ports": [{"name": "tcp-comm", "port": 8786}, {"name": "http", "port": 8787}],
        },
    })
}

/// A container of the engine, as strict as Kubernetes knows it.
fn container(name: &str, args: &[&str], memory: &str) -> Value {
    json!({
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": args,
        "resources": {"requests": {"memory": "64Mi"}, "limits": {"memory": memory}},
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    })
}

fn deployment(name: &str, replicas: u32, mut pod: Value) -> Value {
    pod["terminationGracePeriodSeconds"] = json!(5);
    json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
        },
    })
}

fn scheduler(options: &Options) -> Value {
    let timeout = options.worker_timeout.to_string();
    let args = ["scheduler", "--host", "0.0.0.0", "--worker-timeout", &timeout];
    let mut container = container("scheduler", &args, "1Gi");
    container["readinessProbe"] = json!({"httpGet": {"path": "/health", "port": 8787}, "periodSeconds": 1});
    let mut pod = json!({"containers": [container]});
    place(&mut pod, options);
    deployment("scheduler", 1, pod)
}

fn workers(options: &Options) -> Value {
    let grace = options.grace.to_string();
    let mut args = vec!["worker", "tcp://scheduler:8786", "--host", "0.0.0.0", "--http-port", "8787"];
    args.extend(["--threads", "1", "--grace", &grace]);
    if let Some(limit) = options.memory_limit {
        args.extend(["--memory-limit", limit]);
    }
    let mut container = container("worker", &args, options.memory);
    container["env"] =
        json!([{"name": "DASK_WORKER_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]);
    container["readinessProbe"] = json!({"httpGet": {"path": "/health", "port": 8787}, "periodSeconds": 1});
    let pod = json!({
        "containers": [container],
        "topologySpreadConstraints": [{
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "worker"}},
        }],
    });
    deployment("worker", options.workers, pod)
}

fn place(pod: &mut Value, options: &Options) {
    if let Some(node) = &options.node {
        pod["nodeSelector"] = json!({"kubernetes.io/hostname": node});
    }
}
