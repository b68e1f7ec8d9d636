//! The operator's process: watches first, then the election, then the work.

use crate::args::Run;
use crate::cache::Scope;
use crate::controller::{self, Context};
use crate::lease::{Election, Leadership};
use crate::metrics::Metrics;
use crate::settings::{Settings, domain_of};
use crate::{server, watch};
use anyhow::{Context as _, Result, bail};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Runs the operator until it is told to end.
///
/// # Errors
/// When there is no Kubernetes to be found, or the lease is lost.
pub async fn run(args: Run) -> Result<()> {
    let config = kube::Config::infer()
        .await
        .context("no Kubernetes is configured; set KUBECONFIG, or run in a pod")?;
    let namespace = args.lease_namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    let client = kube::Client::try_from(config)?;
    let listener = TcpListener::bind(&args.listen)
        .await
        .with_context(|| format!("--listen {}: cannot listen there", args.listen))?;
    let mut election =
        (!args.no_lease).then(|| Election::new(client.clone(), &namespace, &args.lease, identity()));
    let leadership = election.as_ref().map_or_else(Leadership::alone, Election::leadership);
    let ctx = Context::new(client, settings(&args), leadership, Metrics::new()?);
    let scopes = scopes(&args);
    tracing::info!(address = %listener.local_addr()?, settings = ?ctx.settings, "started");

    let pages = tokio::spawn({
        let (ctx, scopes) = (Arc::clone(&ctx), scopes.clone());
        async move { server::serve(listener, ctx, &scopes).await }
    });
    watch::start(&ctx, &scopes);
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let result = tokio::select! {
        _ = term.recv() => Ok(()),
        _ = int.recv() => Ok(()),
        result = lead(&ctx, &scopes, election.as_mut(), args.workers) => result,
        ended = pages => match ended {
            Ok(Err(error)) => Err(error).context("the HTTP server ended"),
            _ => bail!("the HTTP server ended"),
        },
    };
    if let Some(election) = &mut election {
        election.release().await;
    }
    tracing::info!("ended");
    result
}

async fn lead(
    ctx: &Arc<Context>,
    scopes: &[Scope],
    election: Option<&mut Election>,
    workers: u16,
) -> Result<()> {
    while !ctx.caches.are_ready(scopes) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let start = || {
        tracing::info!("this replica leads");
        (0..workers).for_each(|_| drop(tokio::spawn(controller::work(Arc::clone(ctx)))));
        tokio::spawn(watch::resync(Arc::clone(ctx)));
    };
    match election {
        None => {
            start();
            std::future::pending().await
        }
        Some(election) => {
            election.win().await;
            start();
            election.keep().await;
            // Another replica may lead. A fresh process is the surest way to forget what this one was about to do.
            bail!("the lease was lost")
        }
    }
}

fn settings(args: &Run) -> Settings {
    let default = Settings::default();
    let resolver = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    Settings {
        native_image: args.native_image.clone().unwrap_or(default.native_image),
        dask_image: args.dask_image.clone().unwrap_or(default.dask_image),
        cluster_domain: args
            .cluster_domain
            .clone()
            .or_else(|| domain_of(&resolver))
            .unwrap_or(default.cluster_domain),
    }
}

fn scopes(args: &Run) -> Vec<Scope> {
    let named: Vec<Scope> =
        args.namespaces.iter().filter(|n| !n.is_empty()).map(|n| Some(n.as_str().into())).collect();
    if named.is_empty() { vec![None] } else { named }
}

/// A name that no other replica has: the pod's, and the time.
fn identity() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "dask-operator".into());
    let now = k8s_openapi::jiff::Timestamp::now().as_microsecond();
    format!("{host}_{}_{now}", std::process::id())
}
