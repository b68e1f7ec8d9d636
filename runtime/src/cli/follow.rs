//! Follows a job to its end.

use super::outputs::Outputs;
use super::progress::Display;
use super::stop::Stop;
use super::{Failure, Result, print};
use crate::client::Following;
use crate::net::message::Progress;
use crate::scheduler::JobEvent;
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;

/// Shows progress, takes results, writes outputs and the summary. Ctrl-C and SIGTERM cancel the job.
pub(super) async fn follow(
    mut following: Following,
    data_dirs: Vec<PathBuf>,
    as_json: bool,
    from: Instant,
    stop: &mut Stop,
) -> Result {
    let mut display = Display::new(as_json);
    let mut outputs = Outputs::new(data_dirs);
    let result = tokio::select! {
        result = gather(&mut following, &mut outputs, &mut display) => result,
        failure = stop.asked() => Err(failure),
    };
    let progress = match result {
        Ok(progress) => progress,
        Err(failure) => {
            display.clear();
            // Nobody will take the rest.
            following.cancel();
            if !matches!(failure, Failure::Input(_)) {
                outputs.incomplete().iter().for_each(|line| eprintln!("{line}"));
            }
            return Err(failure);
        }
    };
    let seconds = from.elapsed().as_secs_f64();
    display.clear();
    let (outputs, texts) = outputs.finish(as_json)?;
    print(|out| texts.iter().try_for_each(|text| writeln!(out, "{text}")))?;
    display.end(&progress, seconds);
    if as_json {
        let summary = json!({
            "tasks": progress.tasks,
            "seconds": seconds,
            "tasks_per_second": progress.tasks as f64 / seconds.max(1e-9),
            "bytes_peak": progress.bytes_peak,
            "outputs": outputs,
            "runs": progress.runs,
        });
        print(|out| writeln!(out, "{summary}"))?;
    }
    Ok(())
}

async fn gather(following: &mut Following, outputs: &mut Outputs, display: &mut Display) -> Result<Progress> {
    loop {
        match following.events.recv().await {
            Some(Ok(JobEvent::Outputs(more))) => outputs.add(more)?,
            Some(Ok(JobEvent::Progress(progress))) => display.update(&progress),
            Some(Ok(JobEvent::Result { task, value })) => {
                outputs.take(task, &value)?;
                drop(value);
                following.received(task);
            }
            Some(Ok(JobEvent::Done(progress))) => return Ok(progress),
            // Documents keep nothing.
            Some(Ok(JobEvent::Kept { .. })) => {}
            Some(Ok(JobEvent::Failed { refused: true, error, .. })) => return Err(Failure::Input(error)),
            Some(Ok(JobEvent::Failed { refused: false, error, .. })) => return Err(Failure::Failed(error)),
            Some(Err(error)) => return Err(Failure::Failed(format!("lost the scheduler: {error}"))),
            None => return Err(Failure::Failed("lost the scheduler".into())),
        }
    }
}
