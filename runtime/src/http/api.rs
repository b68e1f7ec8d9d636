//! The scheduler's pages. `get_workers`, `retire_workers`, `adaptive_target` and `check_idle` have the form of
//! `distributed/http/scheduler/api.py`, so that Dask's operator and its users' scripts find what they expect.

use super::{MAX_DOCUMENT, health, metrics, problem};
use crate::scheduler::plan::is_plan;
use crate::scheduler::{Hub, JobView, Opened, WorkerView, check_id, server};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long `retire_workers` waits for workers to hand over what they hold.
const RETIRING: Duration = Duration::from_secs(60);

type Shared = State<Arc<Hub>>;

pub(super) fn routes(hub: &Arc<Hub>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route(
            "/metrics",
            get(|State(hub): Shared| async move { metrics::respond(metrics::scheduler(&hub)) }),
        )
        .route("/api/v1", get(|| async { "API V1" }))
        .route("/api/v1/get_workers", get(get_workers))
        .route("/api/v1/retire_workers", post(retire_workers))
        .route("/api/v1/adaptive_target", get(adaptive_target))
        .route("/api/v1/check_idle", get(check_idle))
        .route("/api/v1/jobs", get(jobs).post(submit))
        .route("/api/v1/jobs/{id}", get(job).delete(cancel))
        .route("/api/v1/tasks/{*key}", get(task))
        .layer(DefaultBodyLimit::max(MAX_DOCUMENT))
        .with_state(Arc::clone(hub))
}

// --- Dask's -----------------------------------------------------------------------------------------------

async fn get_workers(State(hub): Shared) -> Json<Value> {
    let workers = hub.with(|s| s.workers());
    let list: Vec<Value> = workers.iter().map(|w| json!({"name": w.name, "address": w.address})).collect();
    Json(json!({"num_workers": workers.len(), "workers": list}))
}

async fn adaptive_target(State(hub): Shared) -> Json<Value> {
    Json(json!({"workers": hub.with(|s| s.adaptive_target())}))
}

async fn check_idle(State(hub): Shared) -> Json<Value> {
    Json(json!({"idle_since": hub.with(|s| s.idle_since())}))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Retire {
    n: usize,
    workers: Vec<String>,
}

/// Retires `n` workers of the scheduler's choice, or those named by address or name; answers when they hold nothing that
/// is needed, with those that are retired.
async fn retire_workers(State(hub): Shared, body: String) -> Response {
    let retire: Retire = match serde_json::from_str(if body.trim().is_empty() { "{}" } else { &body }) {
        Ok(retire) => retire,
        Err(error) => {
            return problem(
                StatusCode::BAD_REQUEST,
                format!("the body is not {{\"n\": 1}} or {{\"workers\": [\"tcp://…\"]}}: {error}"),
            );
        }
    };
    let chosen: Vec<WorkerView> = hub.with(|s| {
        let chosen = if retire.n > 0 {
            s.workers_to_close(retire.n)
        } else {
            let named = |w: &WorkerView| retire.workers.iter().any(|r| *r == w.address || *r == w.name);
            s.workers().into_iter().filter(named).collect()
        };
        chosen.iter().for_each(|w| s.retire(w.id));
        chosen
    });
    let until = tokio::time::Instant::now() + RETIRING;
    let mut left = chosen.clone();
    while !left.is_empty() && tokio::time::Instant::now() < until {
        let present = hub.with(|s| s.workers());
        left.retain(|w| present.iter().any(|p| p.id == w.id));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let gone = chosen.iter().filter(|w| !left.iter().any(|l| l.id == w.id));
    let map: Map<String, Value> = gone.map(|w| (w.address.clone(), identity(w))).collect();
    Json(Value::Object(map)).into_response()
}

fn identity(w: &WorkerView) -> Value {
    json!({
        "type": "Worker",
        "id": w.name,
        "name": w.name,
        "nthreads": w.nthreads,
        "memory_limit": w.memory_limit,
        "status": if w.retiring { "closing_gracefully" } else { "running" },
    })
}

// --- ours -------------------------------------------------------------------------------------------------

fn view(job: &JobView) -> Value {
    let p = &job.progress;
    json!({
        "id": job.name,
        "state": job.state,
        "error": job.error,
        "tasks": p.tasks,
        "done": p.done,
        "seconds": p.nanos as f64 / 1e9,
        "bytes_peak": p.bytes_peak,
        "runs": p.runs,
        "outputs": job.outputs,
    })
}

async fn jobs(State(hub): Shared) -> Json<Value> {
    let jobs: Vec<Value> = hub.with(|s| s.views()).iter().map(view).collect();
    Json(json!({"jobs": jobs}))
}

async fn job(State(hub): Shared, Path(id): Path<String>) -> Response {
    match hub.with(|s| s.job_number(&id).and_then(|n| s.view(n))) {
        Some(job) => Json(view(&job)).into_response(),
        None => problem(StatusCode::NOT_FOUND, format!("there is no job {id:?}")),
    }
}

async fn cancel(State(hub): Shared, Path(id): Path<String>) -> Response {
    let found = hub.with(|s| s.job_number(&id).inspect(|n| s.end(*n, false, "it was cancelled".into())));
    match found {
        Some(_) => StatusCode::NO_CONTENT.into_response(),
        None => problem(StatusCode::NOT_FOUND, format!("there is no job {id:?}")),
    }
}

#[derive(Deserialize)]
struct Submission {
    /// Chosen by the client: the same again finds the first.
    id: Option<String>,
    #[serde(default)]
    priority: i32,
    #[serde(default = "max_tasks")]
    max_tasks: u64,
}

fn max_tasks() -> u64 {
    100_000_000
}

/// Submits the source document in the body; the job's page then tells how it goes, and `submit --attach` fetches results.
async fn submit(State(hub): Shared, Query(query): Query<Submission>, body: Bytes) -> Response {
    let id = query.id.unwrap_or_else(|| hub.with(|s| format!("http-{}", s.counts.jobs)));
    let file = "request body".to_string();
    let text = check_id(&id).and_then(|()| document(&body, &file));
    let text = match text {
        Ok(text) => text,
        Err(error) => return problem(StatusCode::BAD_REQUEST, error),
    };
    match hub.with(|s| s.open(&id, Some(&text), query.priority, false)) {
        Ok(Opened::New(number)) => {
            server::planned(Arc::clone(&hub), number, file, text, query.max_tasks);
            (StatusCode::CREATED, Json(json!({"id": id}))).into_response()
        }
        Ok(Opened::Known(_)) => Json(json!({"id": id})).into_response(),
        Err(error) => problem(StatusCode::CONFLICT, error),
    }
}

/// The text of a source document that has no mistake that can be found without its files.
fn document(body: &[u8], file: &str) -> Result<String, String> {
    if is_plan(body) {
        return Err(format!(
            "{file}: it is a plan, but source documents are taken here; plans are submitted by `dask-runtime submit`"
        ));
    }
    let text = std::str::from_utf8(body)
        .map_err(|e| format!("{file}: neither a plan nor text: byte {} is not UTF-8", e.valid_up_to()))?;
    dask_plan::source::parse(text, file).map_err(|e| e.to_string())?;
    Ok(text.into())
}

#[derive(Deserialize)]
struct Which {
    job: Option<String>,
}

async fn task(State(hub): Shared, Path(key): Path<String>, Query(which): Query<Which>) -> Response {
    match hub.with(|s| s.explain(which.job.as_deref(), &key)) {
        Ok(explanation) => Json(json!({"key": key, "explanation": explanation})).into_response(),
        Err(error) => problem(StatusCode::NOT_FOUND, error),
    }
}
