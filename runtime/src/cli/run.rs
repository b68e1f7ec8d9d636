//! `dask-runtime run`: a graph in this process.

use super::args::Run;
use super::outputs::writable;
use super::stop::Stop;
use super::{Failure, Result, block_on, follow, input};
use crate::client::Following;
use crate::embedded::{self, Embedded};
use crate::scheduler::Opened;
use crate::scheduler::plan::creates;
use dask_array::Context;
use dask_array::io::check_create;
use dask_plan::plan::{Part, Sink};
use std::path::PathBuf;
use std::time::Instant;

pub(super) fn run(options: Run) -> Result {
    let from = Instant::now();
    let data_dirs = input::data_dirs(&options.data)?;
    let parts = prepare(&options, &data_dirs)?;
    let (cores, memory) = embedded::defaults();
    let settings = embedded::Options {
        threads: options.threads.threads.map_or(cores, usize::from),
        memory_limit: options.memory.memory_limit.unwrap_or(memory),
        data_dirs: data_dirs.clone(),
        small_bytes: embedded::SMALL,
        lane: None,
    };
    block_on(0, async move {
        let mut stop = Stop::listen()?;
        let engine = Embedded::start(settings).map_err(Failure::failed)?;
        if options.http {
            let address = crate::http::scheduler(&engine.hub, "127.0.0.1", options.http_port)
                .await
                .map_err(Failure::input)?;
            eprintln!("serving http://{address}");
        }
        let opened = engine.hub.with(|state| state.open("run", None, 0, false)).map_err(Failure::failed)?;
        let (Opened::New(job) | Opened::Known(job)) = opened;
        let following = Following::local(&engine.hub, job);
        for part in parts {
            engine.hub.with(|state| state.add_part(job, part));
        }
        engine.hub.with(|state| state.complete(job));
        follow::follow(following, data_dirs, options.report.json, from, &mut stop).await
    })
}

/// The plan, once every mistake is found that can be found without computing.
fn prepare(options: &Run, data_dirs: &[PathBuf]) -> Result<Vec<Part>> {
    let input = input::read(&options.file)?;
    let parts = input::parts(&input, data_dirs, options.limits.max_tasks)?;
    let context = Context { data_dirs: data_dirs.to_vec(), ..Context::default() };
    for output in parts.iter().flat_map(|p| &p.outputs) {
        if let Sink::Npy { path } | Sink::Json { path: Some(path) } = &output.to {
            writable(path, &context).map_err(|e| input.output_error(&output.name, e))?;
        }
    }
    for (output, create) in creates(&parts) {
        check_create(&create, &context).map_err(|e| input.output_error(&output, e))?;
    }
    Ok(parts)
}
