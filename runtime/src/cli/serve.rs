//! `dask-runtime scheduler` and `worker`: processes that stay.

use super::args::{Scheduler, Worker};
use super::stop::Stop;
use super::{Failure, Host, Result, block_on, input, print};
use crate::embedded;
use crate::net::Address;
use crate::scheduler::{Hub, Settings, server};
use crate::worker::remote::{self, Options, Status};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Threads that do the I/O of a process.
const IO_THREADS: usize = 2;

pub(super) fn scheduler(options: Scheduler) -> Result {
    block_on(IO_THREADS, async move {
        let settings = Settings {
            hold_bytes: options.keep_results,
            keep: Duration::from_secs(options.keep_jobs),
            worker_timeout: Duration::from_secs(options.worker_timeout),
        };
        let listener = listen(&options.listen.host, options.port, "--port").await?;
        let hub = Hub::new(settings, tokio::runtime::Handle::current());
        let http = crate::http::scheduler(&hub, &options.listen.host, options.http_port)
            .await
            .map_err(Failure::input)?;
        let address = Address::from(listener.local_addr().map_err(Failure::failed)?);
        print(|out| writeln!(out, "scheduler listening on {address} http://{http}"))?;
        let serving = tokio::spawn(server::serve(hub, listener));
        Stop::listen()?.asked().await;
        serving.abort();
        Ok(())
    })
}

pub(super) fn worker(options: Worker, host: Host) -> Result {
    let data_dirs = input::data_dirs(&options.data)?;
    block_on(IO_THREADS, async move {
        let (cores, memory) = embedded::defaults();
        let listener = listen(&options.listen.host, options.port, "--port").await?;
        let name = options.name.unwrap_or_else(default_name);
        let status = Arc::new(Status::default());
        let memory_limit = options.memory.memory_limit.unwrap_or(memory);
        let http = crate::http::worker(&status, memory_limit, &options.listen.host, options.http_port).await;
        let http = http.map_err(Failure::input)?;
        let address = Address::from(listener.local_addr().map_err(Failure::failed)?);
        if !options.quiet {
            print(|out| writeln!(out, "worker {name} listening on {address} http://{http}"))?;
        }
        let options = Options {
            scheduler: options.scheduler,
            name,
            threads: options.threads.threads.map_or(cores, usize::from),
            memory_limit,
            resources: options.resources.into_iter().collect(),
            data_dirs,
            contact: options.contact_address,
            grace: Duration::from_secs(options.grace),
            lane: host.lane,
            versions: host.versions,
        };
        let (leave, leaving) = watch::channel(false);
        tokio::spawn(async move {
            if let Ok(mut stop) = Stop::listen() {
                stop.asked().await;
                let _ = leave.send(true);
            }
            // The channel must outlive the worker.
            std::future::pending::<()>().await;
        });
        remote::run(options, listener, status, leaving).await.map_err(Failure::failed)
    })
}

async fn listen(host: &str, port: u16, option: &str) -> Result<TcpListener> {
    TcpListener::bind((host, port)).await.map_err(|e| {
        Failure::Input(format!(
            "cannot listen on {host}:{port}: {e}; choose another {option}, or {option} 0 for a free one"
        ))
    })
}

fn default_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}-{}", if host.trim().is_empty() { "worker" } else { host.trim() }, std::process::id())
}
