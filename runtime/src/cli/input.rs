//! Reads graph documents.

use super::args::DataDirs;
use super::{Failure, Result};
use crate::scheduler::plan::{self, Intake};
use dask_array::Context;
use dask_plan::plan::Part;
use dask_plan::source::{self, Document};
use std::path::{Path, PathBuf};

/// A graph document as it was read.
pub(super) enum Input {
    /// As people write it.
    Source { file: String, text: String, document: Box<Document> },
    /// As machines write it.
    Plan { file: String, bytes: Vec<u8> },
}

impl Input {
    /// A mistake in an output that shows only where its file is to be.
    pub(super) fn output_error(&self, output: &str, error: impl ToString) -> Failure {
        let error = error.to_string();
        Failure::Input(match self {
            Input::Source { document, .. } => document.error(&["outputs", output], error).to_string(),
            Input::Plan { file, .. } => format!("{file}: outputs.{output}: {error}"),
        })
    }
}

/// Reads a file and finds every mistake that can be found without other files.
pub(super) fn read(path: &Path) -> Result<Input> {
    let bytes = std::fs::read(path)
        .map_err(|e| Failure::Input(format!("{}: it cannot be read: {e}", path.display())))?;
    let file = path.display().to_string();
    if plan::is_plan(&bytes) {
        return Ok(Input::Plan { file, bytes });
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        Failure::Input(format!(
            "{file}: neither a plan nor text: byte {} is not UTF-8",
            e.utf8_error().valid_up_to()
        ))
    })?;
    let document = Box::new(source::parse(&text, &file).map_err(Failure::input)?);
    Ok(Input::Source { file, text, document })
}

/// The plan of a document, explicit and in order. Files of a source document are described here.
pub(super) fn parts(input: &Input, dirs: &[PathBuf], max_tasks: u64) -> Result<Vec<Part>> {
    match input {
        Input::Plan { file, bytes } => {
            let wrong = |e: String| Failure::Input(format!("{file}: {e}"));
            let mut intake = Intake::new(max_tasks);
            let mut parts = intake.feed(bytes).map_err(wrong)?;
            parts.extend(intake.finish().map_err(wrong)?);
            Ok(parts)
        }
        Input::Source { document, .. } => {
            let context = Context { data_dirs: dirs.to_vec(), ..Context::default() };
            let mut described = vec![];
            for (array, file) in source::files(document) {
                let found = dask_array::io::describe(&file, &context)
                    .map_err(|e| Failure::input(document.error(&["arrays", &array], e.to_string())))?;
                described.push((file, found));
            }
            plan::planned(document, described, max_tasks).map_err(Failure::Input)
        }
    }
}

/// The directories below which files are read and written, which must exist.
pub(super) fn data_dirs(given: &DataDirs) -> Result<Vec<PathBuf>> {
    let dirs = match &given.data_dirs[..] {
        [] => vec![std::env::current_dir().map_err(Failure::input)?],
        dirs => dirs.to_vec(),
    };
    dirs.into_iter()
        .map(|dir| {
            dir.canonicalize().map_err(|e| Failure::Input(format!("--data-dir {}: {e}", dir.display())))
        })
        .collect()
}
