//! Metrics in Prometheus' text form. Names are Dask's where the meaning is the same.

use crate::scheduler::Hub;
use crate::worker::memory;
use crate::worker::remote::Status;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Counter, CounterVec, Encoder, Gauge, GaugeVec, Opts, Registry, TextEncoder};
use std::sync::atomic::Ordering;

/// Samples of one scrape. They are read from the state when they are asked for, so nothing is counted twice.
struct Samples(Registry);

type Result<T = ()> = prometheus::Result<T>;

impl Samples {
    fn add<M: Collector + Clone + 'static>(&self, metric: Result<M>, fill: impl FnOnce(&M)) -> Result {
        let metric = metric?;
        fill(&metric);
        self.0.register(Box::new(metric))
    }

    fn gauge(&self, name: &str, help: &str, value: f64) -> Result {
        self.add(Gauge::new(name, help), |gauge| gauge.set(value))
    }

    fn counter(&self, name: &str, help: &str, value: f64) -> Result {
        self.add(Counter::new(name, help), |counter| counter.inc_by(value))
    }

    fn gauges(&self, name: &str, help: &str, label: &str, values: &[(&str, f64)]) -> Result {
        self.add(GaugeVec::new(Opts::new(name, help), &[label]), |gauges| {
            values.iter().for_each(|(l, v)| gauges.with_label_values(&[*l]).set(*v));
        })
    }

    fn counters(&self, name: &str, help: &str, label: &str, values: &[(&str, f64)]) -> Result {
        self.add(CounterVec::new(Opts::new(name, help), &[label]), |counters| {
            values.iter().for_each(|(l, v)| counters.with_label_values(&[*l]).inc_by(*v));
        })
    }
}

/// The response to a scrape.
pub(super) fn respond(families: Result<Vec<MetricFamily>>) -> Response {
    let mut text = vec![];
    match families.and_then(|f| TextEncoder::new().encode(&f, &mut text)) {
        Ok(()) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

pub(super) fn scheduler(hub: &Hub) -> Result<Vec<MetricFamily>> {
    let (counts, workers, turnover, tasks, templates, desired, idle) = hub.with(|s| {
        (s.counts, s.workers(), s.turnover(), s.tasks(), s.templates(), s.adaptive_target(), s.idle_workers())
    });
    let s = Samples(Registry::new());
    s.gauge("dask_scheduler_clients", "Number of clients connected", counts.clients as f64)?;
    s.counter(
        "dask_scheduler_client_connections_added_total",
        "Total number of client connections added",
        counts.clients_added as f64,
    )?;
    s.counter(
        "dask_scheduler_client_connections_removed_total",
        "Total number of client connections removed",
        (counts.clients_added - counts.clients) as f64,
    )?;
    s.gauge(
        "dask_scheduler_desired_workers",
        "Number of workers scheduler needs for task graph",
        desired as f64,
    )?;
    let paused = workers.iter().filter(|w| w.memory.paused && !w.retiring).count();
    let retiring = workers.iter().filter(|w| w.retiring).count();
    let (idle, busy) = (idle as f64, workers.len() as f64 - idle as f64 - paused as f64 - retiring as f64);
    s.gauges(
        "dask_scheduler_workers",
        "Number of workers known by scheduler",
        "state",
        &[
            ("idle", idle),
            ("partially_saturated", busy.max(0.0)),
            ("paused", paused as f64),
            ("retiring", retiring as f64),
        ],
    )?;
    s.counter("dask_scheduler_workers_added_total", "Total number of workers added", turnover.0 as f64)?;
    s.counter("dask_scheduler_workers_removed_total", "Total number of workers removed", turnover.1 as f64)?;
    s.gauges(
        "dask_scheduler_tasks",
        "Number of tasks known by scheduler",
        "state",
        &[
            ("waiting", tasks.waiting as f64),
            ("queued", tasks.ready as f64),
            ("processing", tasks.assigned as f64),
            ("memory", tasks.stored as f64),
            ("released", tasks.released as f64),
        ],
    )?;
    let seconds: Vec<(&str, f64)> =
        templates.iter().map(|(name, _, seconds)| (name.as_str(), *seconds)).collect();
    s.counters(
        "dask_scheduler_tasks_compute_seconds_total",
        "Total amount of compute time spent in each prefix",
        "task_prefix_name",
        &seconds,
    )?;
    let runs: Vec<(&str, f64)> =
        templates.iter().map(|(name, runs, _)| (name.as_str(), *runs as f64)).collect();
    s.counters(
        "dask_runtime_tasks_computed_total",
        "How often tasks of each template were computed",
        "task_prefix_name",
        &runs,
    )?;
    s.counter("dask_runtime_jobs_total", "Jobs that were submitted", counts.jobs as f64)?;
    s.counter("dask_runtime_jobs_failed_total", "Jobs that failed", counts.jobs_failed as f64)?;
    s.counters(
        "dask_runtime_connections_refused_total",
        "Connections that were closed because the peer spoke something else",
        "reason",
        &[
            ("distributed", counts.distributed as f64),
            ("unknown", (counts.strangers - counts.distributed) as f64),
            ("broken", counts.broken as f64),
        ],
    )?;
    s.gauge("dask_runtime_process_bytes", "Memory of the process", memory::resident() as f64)?;
    Ok(s.0.gather())
}

pub(super) fn worker(status: &Status, memory_limit: u64) -> Result<Vec<MetricFamily>> {
    let stats = status.engine().map(|e| (e.stats(), e.settings().threads));
    let (now, threads) = stats.unwrap_or_default();
    let process = memory::resident();
    let managed = now.managed.min(process);
    let s = Samples(Registry::new());
    s.gauges(
        "dask_worker_tasks",
        "Number of tasks at worker.",
        "state",
        &[
            ("ready", now.ready as f64),
            ("waiting", now.waiting as f64),
            ("executing", now.executing as f64),
            ("memory", now.memory as f64),
        ],
    )?;
    s.gauge("dask_worker_threads", "Number of worker threads", threads as f64)?;
    s.gauges(
        "dask_worker_memory_bytes",
        "Memory breakdown",
        "type",
        &[("managed", managed as f64), ("unmanaged", (process - managed) as f64), ("spilled", 0.0)],
    )?;
    s.gauge("dask_runtime_worker_memory_limit_bytes", "Memory that the worker may use", memory_limit as f64)?;
    s.counter("dask_runtime_worker_tasks_computed_total", "Tasks that the worker computed", now.ran as f64)?;
    s.counter(
        "dask_worker_transfer_incoming_count_total",
        "Total number of data transfers from other workers since the worker was started",
        status.fetched.count.load(Ordering::Relaxed) as f64,
    )?;
    s.counter(
        "dask_runtime_worker_transfer_incoming_bytes_total",
        "Total size of data transfers from other workers since the worker was started",
        status.fetched.bytes.load(Ordering::Relaxed) as f64,
    )?;
    s.counter(
        "dask_worker_transfer_outgoing_bytes_total",
        "Total size of data transfers to other workers since the worker was started",
        status.served.bytes.load(Ordering::Relaxed) as f64,
    )?;
    s.counter(
        "dask_worker_transfer_outgoing_count_total",
        "Total number of data transfers to other workers since the worker was started",
        status.served.count.load(Ordering::Relaxed) as f64,
    )?;
    let connected = f64::from(u8::from(status.connected.load(Ordering::Relaxed)));
    s.gauge("dask_runtime_worker_connected", "Whether the worker is connected to its scheduler", connected)?;
    Ok(s.0.gather())
}
