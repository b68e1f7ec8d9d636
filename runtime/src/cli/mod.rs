//! The commands that people type. Everything that writes to the terminal is here.

mod args;
mod follow;
mod graph;
mod input;
mod outputs;
mod progress;
mod run;
mod serve;
mod stop;
mod submit;

use crate::worker::Lane;
use args::{Args, Command, LogFormat};
use clap::Parser;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;

/// Why a command did not succeed: what it says, and the exit code.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The input is wrong; nothing ran.
    Input(String),
    /// It ran and failed.
    Failed(String),
    /// The user stopped it.
    Interrupted,
    /// It was told to end.
    Terminated,
}

type Result<T = ()> = std::result::Result<T, Failure>;

impl Failure {
    fn failed(error: impl ToString) -> Failure {
        Failure::Failed(error.to_string())
    }

    fn input(error: impl ToString) -> Failure {
        Failure::Input(error.to_string())
    }
}

/// What hosts the commands: the binary, or a Python process.
#[derive(Default)]
pub struct Host {
    /// What runs Python calls.
    pub lane: Option<Arc<dyn Lane>>,
    /// Versions of what Python calls depend on, by name.
    pub versions: BTreeMap<String, String>,
}

/// Runs the command of this process's command line in the binary.
pub fn main() -> ExitCode {
    ExitCode::from(command(std::env::args_os(), Host::default()))
}

/// Reads a command line, whose first word is the program's name, runs the command, and says how it ended: 0, 1 for a failure,
/// 2 for wrong input, 130 when it was interrupted, 143 after SIGTERM. Log lines and panics of the process go where the
/// command line says.
pub fn command(line: impl IntoIterator<Item = OsString>, host: Host) -> u8 {
    let args = match Args::try_parse_from(line) {
        Ok(args) => args,
        Err(error) => {
            // To a closed terminal nothing can be said.
            let _ = error.print();
            return error.exit_code() as u8;
        }
    };
    log(&args);
    let result = match args.command {
        Command::Run(options) => run::run(options),
        Command::Scheduler(options) => serve::scheduler(options),
        Command::Worker(options) => serve::worker(options, host),
        Command::Submit(options) => submit::submit(options),
        Command::Graph(command) => graph::graph(command),
        Command::Explain(options) => submit::explain(options),
    };
    match result {
        Ok(()) => 0,
        Err(Failure::Input(message)) => told(&message, 2),
        Err(Failure::Failed(message)) => told(&message, 1),
        Err(Failure::Interrupted) => told("interrupted", 130),
        Err(Failure::Terminated) => told("told to end by SIGTERM", 143),
    }
}

fn told(message: &str, code: u8) -> u8 {
    eprintln!("error: {message}");
    code
}

/// Servers say what happens; commands that end say only what is wrong.
fn log(args: &Args) {
    let quiet = !matches!(args.command, Command::Scheduler(_) | Command::Worker(_));
    let filter = match &args.log {
        Some(filter) => EnvFilter::new(filter),
        None => EnvFilter::new(if quiet { "error" } else { "info" }),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match args.log_format {
        LogFormat::Json => builder.json().init(),
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
    }
    // A panic in a task is that task's error; elsewhere it belongs into the log.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
}

/// Prints; a reader that has seen enough is no error.
fn print(f: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> Result {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match f(&mut out).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            let why = dask_array::io::explain("writing to it", &e);
            Err(Failure::Failed(format!("standard output: {why}")))
        }
        _ => Ok(()),
    }
}

/// Runs async code; `threads` of the runtime do nothing but I/O.
fn block_on<T>(threads: usize, future: impl Future<Output = Result<T>>) -> Result<T> {
    let mut builder = match threads {
        0 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if threads > 0 {
        builder.worker_threads(threads);
    }
    let runtime = builder.enable_all().build().map_err(Failure::failed)?;
    let result = runtime.block_on(future);
    // Whatever still runs must not keep the process.
    runtime.shutdown_background();
    result
}
