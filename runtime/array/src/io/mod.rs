//! Files that blocks come from and go to: `.npy`, Zarr and raw binary, below the data directories only.

mod descr;
mod flat;
pub mod npy;
mod path;
mod raw;
mod region;
mod whole;
mod zarr;

pub use whole::replace;

use crate::chunk::Chunk;
use crate::run::{Context, Error};
use crate::value::Value;
use dask_plan::program::{FileRef, Format, Op};
use dask_plan::{DType, Described};
use region::Region;
use serde_json::json;

/// Where a file may be created: below a data directory, without links that lead out.
///
/// # Errors
/// [`Error::File`] when that is outside the data directories.
pub fn output_path(path: &str, context: &Context) -> Result<std::path::PathBuf, Error> {
    path::to_create(path, context).map(|resolved| resolved.path)
}

/// Runs an operator on files: [`Op::Read`], [`Op::Create`], [`Op::Write`], [`Op::Describe`] or [`Op::CheckCreate`].
///
/// # Errors
/// [`Error::File`] names the file and what would help; [`Error::Operand`] for operands that do not fit.
pub(crate) fn run(op: &Op, operands: Vec<Value>, args: &[i64], context: &Context) -> Result<Value, Error> {
    context.check()?;
    let done = Value::Tuple(vec![]);
    match op {
        Op::Read { file, dtype, start, shape } => {
            let region = Region::of(start, shape, args).map_err(|e| file_error(file, e))?;
            read(file, *dtype, &region, context).map(Value::Array)
        }
        Op::Create { file, dtype, shape, chunks } => match file.format {
            Format::Zarr => zarr::create(&file.path, *dtype, shape, chunks, context).map(|()| done),
            _ => Err(file_error(file, "only Zarr arrays are created block by block")),
        },
        Op::CheckCreate { .. } => Ok(answer(check_create(op, context).map(|()| json!(null)))),
        Op::Write { file, start } => {
            let Some(Value::Array(block)) = operands.into_iter().next() else {
                return Err(Error::Operand(format!(
                    "writing {} needs an array as its first operand",
                    file.path
                )));
            };
            let shape: Vec<u64> = block.shape().iter().map(|&n| n as u64).collect();
            let start: Vec<i64> = start.iter().map(|s| s.get(args)).collect();
            let region = Region::new(&start, shape).map_err(|e| file_error(file, e))?;
            match file.format {
                Format::Zarr => zarr::write(&file.path, &region, &block, context).map(|()| done),
                _ => Err(file_error(file, "only Zarr arrays are written block by block")),
            }
        }
        Op::Describe { file } => Ok(answer(describe(file, context).map(|found| json!(found)))),
        _ => Err(Error::Operand("not an operator on files".into())),
    }
}

/// An answer as the bytes of JSON: what was asked for, or why there is none.
fn answer(found: Result<serde_json::Value, Error>) -> Value {
    let json = match found {
        Ok(found) => json!({"Ok": found}),
        Err(error) => json!({"Err": error.to_string()}),
    };
    let json = json.to_string().into_bytes();
    Chunk::from_slice(&[json.len()], &json).into()
}

/// Whether an [`Op::Create`] or [`Op::CheckCreate`] would find room for its array; writes nothing.
///
/// # Errors
/// [`Error::File`] when something else is in its place, or the place is outside the data directories.
pub fn check_create(op: &Op, context: &Context) -> Result<(), Error> {
    match op {
        Op::Create { file, dtype, shape, chunks } | Op::CheckCreate { file, dtype, shape, chunks } => {
            zarr::check_create(&file.path, *dtype, shape, chunks, context)
        }
        _ => Err(Error::Operand("creates nothing".into())),
    }
}

/// Reads a file's metadata: shape, dtype and natural chunks of the array in it.
///
/// # Errors
/// [`Error::File`] when the file is missing, lies outside the data directories, or holds what no native operator
/// reads.
pub fn describe(file: &FileRef, context: &Context) -> Result<Described, Error> {
    match &file.format {
        Format::Npy => npy::describe(&file.path, context),
        Format::Zarr => zarr::describe(&file.path, context),
        Format::Raw { .. } => raw::describe(file, context),
    }
}

fn read(file: &FileRef, dtype: DType, region: &Region, context: &Context) -> Result<Chunk, Error> {
    let chunk = match &file.format {
        Format::Npy => npy::read(&file.path, region, context),
        Format::Zarr => zarr::read(&file.path, region, context),
        Format::Raw { .. } => raw::read(file, region, context),
    }?;
    if chunk.dtype() != dtype {
        let message = format!(
            "holds {}, but {dtype} was planned: the file changed since the graph was made; submit it again",
            chunk.dtype()
        );
        return Err(file_error(file, message));
    }
    Ok(chunk)
}

fn file_error(file: &FileRef, message: impl Into<String>) -> Error {
    error(&file.path, message)
}

/// An error about a file, by the path as the user wrote it.
fn error(path: &str, message: impl Into<String>) -> Error {
    Error::File { path: path.to_string(), message: message.into() }
}

fn io_error(path: &str, doing: &str, e: &std::io::Error) -> Error {
    error(path, explain(doing, e))
}

/// What the operating system said about a file, with a remedy where there is one.
pub fn explain(doing: &str, e: &std::io::Error) -> String {
    use std::io::ErrorKind::*;
    match e.kind() {
        StorageFull | QuotaExceeded => {
            format!("the disk is full, or a quota is used up ({doing}): free space, or write elsewhere")
        }
        PermissionDenied => {
            format!("permission denied ({doing}): give access to the user that dask-runtime runs as")
        }
        ReadOnlyFilesystem => format!("the file system is read only ({doing}): write elsewhere"),
        _ => format!("{doing} failed: {e}"),
    }
}

#[cfg(test)]
mod tests;
