//! What Prometheus is told.

use crate::action::Kind;
use crate::controller::Context;
use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// Counts and times of this replica.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    reconciles: IntCounterVec,
    errors: IntCounterVec,
    seconds: HistogramVec,
    writes: IntCounterVec,
    queue: IntGauge,
    objects: IntGaugeVec,
    leads: IntGauge,
}

impl Metrics {
    /// Metrics that count from nothing.
    ///
    /// # Errors
    /// When two of them have one name.
    pub fn new() -> prometheus::Result<Metrics> {
        let registry = Registry::new();
        let counter =
            |name: &str, help: &str, label: &str| IntCounterVec::new(Opts::new(name, help), &[label]);
        let metrics = Metrics {
            reconciles: counter("dask_operator_reconciles_total", "Looks at objects.", "kind")?,
            errors: counter(
                "dask_operator_reconcile_errors_total",
                "Looks that failed and are tried again.",
                "kind",
            )?,
            seconds: HistogramVec::new(
                HistogramOpts::new("dask_operator_reconcile_seconds", "How long looks take.")
                    .buckets(vec![0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0]),
                &["kind"],
            )?,
            writes: counter("dask_operator_writes_total", "Requests that change something.", "verb")?,
            queue: IntGauge::new("dask_operator_queue_depth", "Objects that wait for a look.")?,
            objects: IntGaugeVec::new(
                Opts::new("dask_operator_objects", "Objects by kind and phase."),
                &["kind", "phase"],
            )?,
            leads: IntGauge::new("dask_operator_leader", "1 where this replica leads.")?,
            registry,
        };
        let r = &metrics.registry;
        r.register(Box::new(metrics.reconciles.clone()))?;
        r.register(Box::new(metrics.errors.clone()))?;
        r.register(Box::new(metrics.seconds.clone()))?;
        r.register(Box::new(metrics.writes.clone()))?;
        r.register(Box::new(metrics.queue.clone()))?;
        r.register(Box::new(metrics.objects.clone()))?;
        r.register(Box::new(metrics.leads.clone()))?;
        Ok(metrics)
    }

    /// Counts a look.
    pub fn reconciled(&self, kind: Kind, took: Duration, failed: bool) {
        self.reconciles.with_label_values(&[kind.name()]).inc();
        self.seconds.with_label_values(&[kind.name()]).observe(took.as_secs_f64());
        if failed {
            self.errors.with_label_values(&[kind.name()]).inc();
        }
    }

    /// Counts a write.
    pub fn wrote(&self, verb: &str) {
        self.writes.with_label_values(&[verb]).inc();
    }

    /// All of it, as Prometheus reads it.
    pub fn text(&self, ctx: &Context) -> String {
        self.queue.set(i64::try_from(ctx.queue.depth()).unwrap_or(i64::MAX));
        self.leads.set(i64::from(ctx.leadership.holds()));
        self.objects.reset();
        for ((kind, phase), n) in phases(ctx) {
            self.objects.with_label_values(&[kind, phase.as_str()]).set(n);
        }
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::warn!("metrics: {error}");
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

fn phases(ctx: &Context) -> BTreeMap<(&'static str, String), i64> {
    let mut counts: BTreeMap<(&'static str, String), i64> = BTreeMap::new();
    let mut count = |kind: Kind, phase: Option<String>| {
        *counts.entry((kind.name(), phase.unwrap_or_else(|| "Unknown".into()))).or_default() += 1;
    };
    for cluster in ctx.caches.clusters.all() {
        count(Kind::Cluster, cluster.object.as_ref().ok().and_then(|c| c.status.as_ref()?.phase.clone()));
    }
    for job in ctx.caches.jobs.all() {
        count(Kind::Job, job.object.as_ref().ok().and_then(|j| j.status.as_ref()?.job_status.clone()));
    }
    for pod in ctx.caches.pods.all() {
        count(Kind::Pod, pod.status.phase.clone());
    }
    counts
}
