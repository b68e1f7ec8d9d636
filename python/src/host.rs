//! The commands of `python -m dask_runtime`: those of the binary, in a process that runs Python calls.

use crate::call::PythonLane;
use dask_runtime::cli::{self, Host};
use pyo3::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Runs a command to its end: its line, whose first word is the program's name. `versions` are those of what calls depend on.
/// Returns the exit status.
#[pyfunction]
pub(crate) fn command(py: Python<'_>, line: Vec<String>, versions: BTreeMap<String, String>) -> u8 {
    let host = Host { lane: Some(Arc::new(PythonLane::default())), versions };
    py.detach(|| cli::command(line.into_iter().map(Into::into), host))
}

/// The address of the worker whose task the caller is part of, if it is one of a cluster's.
#[pyfunction]
pub(crate) fn worker_address() -> Option<String> {
    crate::wait::computes_for()?.settings().contact.as_ref().map(ToString::to_string)
}

/// The address of the scheduler whose task the caller is part of, if it is one of a worker's.
#[pyfunction]
pub(crate) fn scheduler_address() -> Option<String> {
    crate::wait::computes_for()?.settings().scheduler.as_ref().map(ToString::to_string)
}
