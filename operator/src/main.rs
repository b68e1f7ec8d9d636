//! `dask-operator crd` prints the CustomResourceDefinitions.

use dask_operator::crd;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match (args.next(), args.next()) {
        (Some(command), folder) if command == "crd" => match write(folder.map(PathBuf::from)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("usage: dask-operator crd [FOLDER]: prints the CustomResourceDefinitions, or writes them into a folder");
            ExitCode::from(2)
        }
    }
}

fn write(folder: Option<PathBuf>) -> Result<(), Box<dyn std::error::Error>> {
    for (file, definition) in crd::all() {
        let yaml = crd::yaml(&definition)?;
        match &folder {
            Some(folder) => std::fs::write(folder.join(file), yaml)?,
            None => println!("---\n{yaml}"),
        }
    }
    Ok(())
}
