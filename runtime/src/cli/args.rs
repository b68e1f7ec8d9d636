//! The command line.

use crate::net::Address;
use crate::scheduler::check_id;
use crate::worker::memory::parse_bytes;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Runs task graphs over chunked data: in one process, or on a scheduler and its workers.
#[derive(Debug, Parser)]
#[command(name = "dask-runtime", version, about, max_term_width = 110)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
    /// How log lines look, on standard error.
    #[arg(long, global = true, value_enum, default_value = "text", env = "DASK_LOG_FORMAT")]
    pub(super) log_format: LogFormat,
    /// What is logged: a level (error, warn, info, debug), or such as `info,dask_runtime::net=debug`.
    /// Default: info for scheduler and worker, error otherwise.
    #[arg(long, global = true, env = "DASK_LOG")]
    pub(super) log: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Computes a graph in this process, with all cores.
    Run(Run),
    /// Starts a scheduler.
    Scheduler(Scheduler),
    /// Starts a worker.
    Worker(Worker),
    /// Submits a graph to a scheduler and waits for its results.
    Submit(Submit),
    /// Looks at a graph without computing it.
    #[command(subcommand)]
    Graph(Graph),
    /// Says why a task of a scheduler's jobs is where it is.
    Explain(Explain),
}

#[derive(Debug, ClapArgs)]
pub(super) struct Run {
    /// Graph document: a source document (YAML or JSON) or a plan (MessagePack).
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) threads: Threads,
    #[command(flatten)]
    pub(super) memory: MemoryLimit,
    #[command(flatten)]
    pub(super) data: DataDirs,
    #[command(flatten)]
    pub(super) limits: MaxTasks,
    #[command(flatten)]
    pub(super) report: Report,
    /// Serve /health, /metrics and /api/v1 over HTTP while the graph runs.
    #[arg(long)]
    pub(super) http: bool,
    /// Port for --http; 0 picks a free one.
    #[arg(long, default_value_t = 8787, env = "DASK_HTTP_PORT")]
    pub(super) http_port: u16,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Threads {
    /// Tasks that run at a time. Default: the number of cores.
    #[arg(long, env = "DASK_NUM_THREADS", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) threads: Option<u16>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Report {
    /// Print one JSON object with counts, times and outputs, and nothing else, on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct MemoryLimit {
    /// Memory that tasks and their results may take, such as 4GiB; 0 for no limit. Nothing is placed that would pass 0.80 of it.
    /// Default: the control group's limit, else the machine's memory.
    #[arg(long, value_parser = parse_bytes, env = "DASK_MEMORY_LIMIT")]
    pub(super) memory_limit: Option<u64>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct DataDirs {
    /// Directory below which files are read and written; may be given several times. Default: the working directory.
    #[arg(long = "data-dir", env = "DASK_DATA_DIR", value_delimiter = ':')]
    pub(super) data_dirs: Vec<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct MaxTasks {
    /// Refuse graphs of more tasks than this, counted before they are made.
    #[arg(long, default_value_t = 100_000_000, env = "DASK_MAX_TASKS")]
    pub(super) max_tasks: u64,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Listen {
    /// Address to listen on. 0.0.0.0 lets other machines in: there is no authentication yet.
    #[arg(long, default_value = "127.0.0.1", env = "DASK_HOST")]
    pub(super) host: String,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Scheduler {
    #[command(flatten)]
    pub(super) listen: Listen,
    /// Port for workers and clients; 0 picks a free one.
    #[arg(long, default_value_t = 8786, env = "DASK_SCHEDULER_PORT")]
    pub(super) port: u16,
    /// Port for /health, /metrics and /api/v1; 0 picks a free one.
    #[arg(long, default_value_t = 8787, env = "DASK_HTTP_PORT")]
    pub(super) http_port: u16,
    /// How long jobs that have ended are kept, with their results, in seconds.
    #[arg(long, default_value_t = 3600, env = "DASK_KEEP_JOBS")]
    pub(super) keep_jobs: u64,
    /// Bytes of results of a job that are kept after they were delivered, such as 64MiB.
    #[arg(long, value_parser = parse_bytes, default_value = "64MiB", env = "DASK_KEEP_RESULTS")]
    pub(super) keep_results: u64,
    /// Give up a worker that says nothing for so long, in seconds; 0 never does.
    #[arg(long, default_value_t = 60, env = "DASK_WORKER_TIMEOUT")]
    pub(super) worker_timeout: u64,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Worker {
    /// The scheduler, such as tcp://127.0.0.1:8786.
    #[arg(env = "DASK_SCHEDULER_ADDRESS", default_value = "tcp://127.0.0.1:8786")]
    pub(super) scheduler: Address,
    /// Name, unique among the scheduler's workers. Default: made from host name and process id.
    #[arg(long, env = "DASK_WORKER_NAME")]
    pub(super) name: Option<String>,
    #[command(flatten)]
    pub(super) threads: Threads,
    #[command(flatten)]
    pub(super) memory: MemoryLimit,
    #[command(flatten)]
    pub(super) data: DataDirs,
    #[command(flatten)]
    pub(super) listen: Listen,
    /// Port on which other workers fetch results; 0 picks a free one.
    #[arg(long, default_value_t = 0, env = "DASK_WORKER_PORT")]
    pub(super) port: u16,
    /// Address that others connect to, such as tcp://10.0.0.7:9000. Default: the one that the worker listens on; for 0.0.0.0,
    /// the one from which it reaches the scheduler.
    #[arg(long, env = "DASK_CONTACT_ADDRESS")]
    pub(super) contact_address: Option<Address>,
    /// Port for /health and /metrics; 0 picks a free one, so that several workers share a host.
    #[arg(long, default_value_t = 0, env = "DASK_HTTP_PORT")]
    pub(super) http_port: u16,
    /// An amount of a named resource that the worker has, such as GPU=2; may be given several times.
    #[arg(long = "resource", value_parser = resource, env = "DASK_RESOURCES", value_delimiter = ',')]
    pub(super) resources: Vec<(String, f64)>,
    /// Do not print where the worker listens.
    #[arg(long)]
    pub(super) quiet: bool,
    /// After SIGTERM, hand over results to other workers for at most so long, in seconds.
    #[arg(long, default_value_t = 30, env = "DASK_GRACE")]
    pub(super) grace: u64,
}

fn resource(text: &str) -> Result<(String, f64), String> {
    let (name, amount) = text.split_once('=').ok_or("write NAME=AMOUNT, such as GPU=2")?;
    match amount.parse::<f64>() {
        Ok(n) if n >= 0.0 && n.is_finite() => Ok((name.into(), n)),
        _ => Err(format!("the amount {amount:?} is not a number; write NAME=AMOUNT, such as GPU=2")),
    }
}

fn job_id(text: &str) -> Result<String, String> {
    check_id(text).map(|()| text.into())
}

#[derive(Debug, ClapArgs)]
pub(super) struct Submit {
    /// Graph document: a source document (YAML or JSON) or a plan (MessagePack).
    #[arg(required_unless_present = "attach")]
    pub(super) file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) to: To,
    /// Id of the job. A second submission of the same id comes back to the first. Default: a new one.
    #[arg(long, value_parser = job_id)]
    pub(super) job_id: Option<String>,
    /// Print the job's id and return at once.
    #[arg(long, conflicts_with = "attach")]
    pub(super) detach: bool,
    /// Come back to the job of this id for its progress and results.
    #[arg(long, value_name = "ID", conflicts_with_all = ["file", "job_id"])]
    pub(super) attach: Option<String>,
    /// Tasks of jobs with a higher priority run earlier.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub(super) priority: i32,
    #[command(flatten)]
    pub(super) data: DataDirs,
    #[command(flatten)]
    pub(super) limits: MaxTasks,
    #[command(flatten)]
    pub(super) report: Report,
}

#[derive(Debug, ClapArgs)]
pub(super) struct To {
    /// The scheduler, such as tcp://127.0.0.1:8786.
    #[arg(long, env = "DASK_SCHEDULER_ADDRESS", default_value = "tcp://127.0.0.1:8786")]
    pub(super) scheduler: Address,
    /// Try to reach the scheduler for so long, in seconds; 0 tries once.
    #[arg(long, default_value_t = 5, env = "DASK_CONNECT_TIMEOUT")]
    pub(super) connect_timeout: u32,
}

#[derive(Debug, Subcommand)]
pub(super) enum Graph {
    /// Checks a graph document completely, without computing it.
    Validate(GraphFile),
    /// Says what a graph does: tasks, templates, bytes, outputs.
    Info(GraphFile),
    /// Prints the JSON Schema of source documents.
    Schema,
    /// Writes the plan of a graph, every task explicit, in the order of execution.
    Expand {
        #[command(flatten)]
        graph: GraphFile,
        /// File for the plan (MessagePack). Without it, the tasks are listed as text.
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
}

#[derive(Debug, ClapArgs)]
pub(super) struct GraphFile {
    /// Graph document.
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) data: DataDirs,
    #[command(flatten)]
    pub(super) limits: MaxTasks,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Explain {
    /// The task's key: x, or "('x', 0, 1)".
    pub(super) key: String,
    #[command(flatten)]
    pub(super) to: To,
    /// Id of the job. Default: the newest job with such a key.
    #[arg(long)]
    pub(super) job: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn resources_are_amounts() {
        assert_eq!(resource("GPU=2"), Ok(("GPU".into(), 2.0)));
        assert!(resource("GPU").is_err() && resource("GPU=many").is_err() && resource("GPU=-1").is_err());
    }
}
