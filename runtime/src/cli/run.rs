//! `dask-runtime run`: a graph in this process.

use super::args::Run;
use super::outputs::Outputs;
use super::stop::Stop;
use super::{Failure, Result, block_on, follow, input};
use crate::client::Following;
use crate::embedded::{self, Embedded};
use crate::scheduler::Opened;
use std::time::Instant;

pub(super) fn run(options: Run) -> Result {
    let from = Instant::now();
    let data_dirs = input::data_dirs(&options.data)?;
    let parts = input::parts(input::read(&options.file)?, &data_dirs, options.limits.max_tasks)?;
    let outputs = Outputs::new(data_dirs.clone());
    parts.iter().try_for_each(|part| outputs.check(&part.outputs))?;
    let (cores, memory) = embedded::defaults();
    let settings = embedded::Options {
        threads: options.threads.threads.map_or(cores, usize::from),
        memory_limit: options.memory.memory_limit.unwrap_or(memory),
        data_dirs: data_dirs.clone(),
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
