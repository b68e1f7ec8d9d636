//! `dask-runtime submit` and `explain`: talks to a scheduler.

use super::args::{Explain, Submit, To};
use super::input::Input;
use super::outputs::writable;
use super::stop::Stop;
use super::{Failure, Result, block_on, follow, input, print};
use crate::client::Client;
use crate::net::{Error, message};
use dask_array::Context;
use dask_plan::source::Target;
use std::time::{Duration, Instant};

pub(super) fn submit(options: Submit) -> Result {
    let from = Instant::now();
    let data_dirs = input::data_dirs(&options.data)?;
    if let Some(id) = options.attach {
        return block_on(0, async move {
            let mut client = connect(&options.to).await?;
            let mut stop = Stop::listen()?;
            client.attach(&id).await.map_err(refused)?;
            follow::follow(client.follow(id), data_dirs, options.report.json, from, &mut stop).await
        });
    }
    let Some(file) = &options.file else { return Err(Failure::Input("no graph document given".into())) };
    let input = input::read(file)?;
    if let Input::Source { document, .. } = &input
        && !options.detach
    {
        let context = Context { data_dirs: data_dirs.clone(), ..Context::default() };
        for (name, target) in document.outputs.0.iter().flat_map(|(n, t)| t.0.iter().map(move |t| (n, t))) {
            if let Target::Npy(path) | Target::Json(Some(path)) = target {
                writable(path, &context).map_err(|e| input.output_error(name, e))?;
            }
        }
    }
    let (source, plan) = match input {
        Input::Source { file, text, .. } => (Some((file, text)), vec![]),
        Input::Plan { bytes, .. } => (None, bytes),
    };
    let id = options.job_id.unwrap_or_else(new_id);
    block_on(0, async move {
        let mut client = connect(&options.to).await?;
        let mut stop = Stop::listen()?;
        let submit = message::Submit {
            id: id.clone(),
            priority: options.priority,
            source,
            max_tasks: options.limits.max_tasks,
            attach: !options.detach,
            bound: false,
        };
        client.submit(submit, &plan).await.map_err(refused)?;
        if options.detach {
            return print(|out| writeln!(out, "{id}"));
        }
        eprintln!("job {id}");
        follow::follow(client.follow(id), data_dirs, options.report.json, from, &mut stop).await
    })
}

pub(super) fn explain(options: Explain) -> Result {
    block_on(0, async move {
        let mut client = connect(&options.to).await?;
        let text = client.explain(options.job, options.key).await.map_err(refused)?;
        print(|out| writeln!(out, "{text}"))
    })
}

/// Connects. A scheduler that nobody reaches may be about to start, so it is tried for a while.
async fn connect(to: &To) -> Result<Client> {
    let To { scheduler, connect_timeout } = to;
    let until = Instant::now() + Duration::from_secs((*connect_timeout).into());
    let mut wait = Duration::from_millis(100);
    loop {
        match Client::connect(scheduler).await {
            Ok(client) => return Ok(client),
            Err(Error::Io(_) | Error::Closed) if Instant::now() < until => {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(Duration::from_secs(1));
            }
            Err(e) => {
                return Err(Failure::Failed(format!(
                    "cannot reach the scheduler at {scheduler}: {e}; start one with `dask-runtime scheduler`, or name \
                     another with --scheduler"
                )));
            }
        }
    }
}

fn refused(error: Error) -> Failure {
    match error {
        Error::Refused(reason) => Failure::Input(reason),
        error => Failure::Failed(format!("lost the scheduler: {error}")),
    }
}

/// An id that no other submission has: time, process and what the system makes random for hash tables.
fn new_id() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let random = RandomState::new().build_hasher().finish();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{random:016x}", now.as_millis())
}
