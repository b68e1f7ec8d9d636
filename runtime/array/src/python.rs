//! For tests: runs the scripts in `tests/` with the Python that `DASK_RUNTIME_TEST_PYTHON` names.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// The script's output, trimmed; `None` where no Python was given.
///
/// # Panics
/// If the script fails.
pub(crate) fn run(script: &str, args: &[&OsStr]) -> Option<String> {
    let python = std::env::var_os("DASK_RUNTIME_TEST_PYTHON")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
    let out = Command::new(&python).arg(&script).args(args).output().expect("DASK_RUNTIME_TEST_PYTHON runs");
    let error = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{} failed:\n{error}", script.display());
    Some(String::from_utf8(out.stdout).expect("text").trim().to_string())
}
