//! `dask-operator`.

use clap::Parser;
use dask_operator::args::{Args, Command, LogFormat};
use dask_operator::{check, crd, fields, run};
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let args = Args::parse();
    let filter = match EnvFilter::try_new(&args.log) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("error: --log {:?}: {error}; write a level, such as info", args.log);
            return ExitCode::from(2);
        }
    };
    let colours = std::io::stderr().is_terminal();
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    match args.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    let result = match args.command {
        Command::Run(args) => wait_for(run::run(args)),
        Command::Crd { folder } => write(folder.as_deref()),
        Command::Fields => {
            print!("{}", fields::markdown());
            Ok(())
        }
        Command::Check { url } => wait_for(check::check(&url)).map(|page| println!("{}", page.trim_end())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn wait_for<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

fn write(folder: Option<&Path>) -> anyhow::Result<()> {
    for (file, definition) in crd::all() {
        let yaml = crd::yaml(&definition)?;
        match folder {
            Some(folder) => std::fs::write(folder.join(file), yaml)?,
            None => println!("---\n{yaml}"),
        }
    }
    Ok(())
}
