//! Runs programs.

use crate::value::Value;
use dask_plan::program::Program;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a program may use besides its inputs.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Directories below which files are read and written. Relative paths are tried in each.
    pub data_dirs: Vec<PathBuf>,
    /// Set to stop at the next tile.
    pub cancelled: Arc<AtomicBool>,
}

impl Context {
    /// # Errors
    /// [`Error::Cancelled`] when the caller gave up; kernels ask once a tile.
    pub fn check(&self) -> Result<(), Error> {
        if self.cancelled.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// Why a program failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Operands that the operator does not take: says which and why.
    #[error("{0}")]
    Operand(String),
    /// An index out of range, a division by zero in an index, …
    #[error("{0}")]
    Value(String),
    /// A file that cannot be read or written: names it.
    #[error("{path}: {message}")]
    File {
        /// As the user wrote it.
        path: String,
        /// What went wrong and what would help.
        message: String,
    },
    /// The result would not fit.
    #[error("the result of {op} would take {bytes} bytes")]
    TooLarge {
        /// Operator's name.
        op: &'static str,
        /// Bytes, saturating.
        bytes: u128,
    },
    /// The caller gave up.
    #[error("cancelled")]
    Cancelled,
}

/// A program made ready to run many times: checked, and its elementwise chains fused.
#[derive(Debug)]
pub struct Prepared {
    program: Program,
}

impl Prepared {
    /// # Errors
    /// When values or arguments are used before they exist.
    pub fn new(program: Program) -> Result<Prepared, Error> {
        program.check().map_err(Error::Operand)?;
        Ok(Prepared { program })
    }

    /// Runs it on a task's inputs and arguments.
    ///
    /// Inputs that nobody else holds may be overwritten in place.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn run(&self, inputs: Vec<Value>, args: &[i64], context: &Context) -> Result<Value, Error> {
        let _ = (inputs, args, &self.program);
        context.check()?;
        Err(Error::Operand("no operators yet".into()))
    }
}
