//! Creates arrays.

use super::metadata::{self, Metadata};
use super::{array_error, error, io_error, open};
use crate::io::path::{self, Resolved};
use crate::run::{Context, Error};
use dask_plan::DType;
use serde_json::{Value, json};
use zarrs::array::{ArrayError, ArrayMetadata};

/// Blosc's limit for a chunk, in bytes.
const MAX_CHUNK: u64 = (2 << 30) - 32;

/// Creates an array of version 3 without chunks: everything is 0.
///
/// An array that has this shape, dtype and chunks already is left as it is, since a task may run twice; its chunks
/// are about to be written one by one. Anything else in that place is refused.
pub(crate) fn create(
    path: &str,
    dtype: DType,
    shape: &[u64],
    chunks: &[u64],
    context: &Context,
) -> Result<(), Error> {
    let Some((at, json)) = place(path, dtype, shape, chunks, context)? else { return Ok(()) };
    std::fs::create_dir_all(&at.path).map_err(|e| io_error(path, "creating its folder", &e))?;
    let parsed = serde_json::from_value(json).map(ArrayMetadata::V3);
    let parsed = parsed.map_err(|e| error(path, format!("metadata cannot be made: {e}")))?;
    let array = open::array(&at, parsed).map_err(|e| error(path, e))?;
    array.store_metadata().map_err(|e| array_error(path, "writing its metadata", &ArrayError::from(e)))
}

/// Whether [`create`] would refuse, without writing anything.
pub(crate) fn check_create(
    path: &str,
    dtype: DType,
    shape: &[u64],
    chunks: &[u64],
    context: &Context,
) -> Result<(), Error> {
    place(path, dtype, shape, chunks, context).map(drop)
}

/// Where an array is to be made and its metadata; `None` when it is there already.
fn place(
    path: &str,
    dtype: DType,
    shape: &[u64],
    chunks: &[u64],
    context: &Context,
) -> Result<Option<(Resolved, Value)>, Error> {
    // An axis without elements still needs a chunk extent.
    let chunks: Vec<u64> =
        shape.iter().zip(chunks).map(|(&n, &c)| if n == 0 && c == 0 { 1 } else { c }).collect();
    let json = document(dtype, shape, &chunks);
    let wanted = metadata::version3(&json).map_err(|e| error(path, e))?;
    let chunk_bytes = chunks.iter().product::<u64>() * dtype.itemsize() as u64;
    if chunk_bytes > MAX_CHUNK {
        let message =
            format!("chunks of {chunk_bytes} bytes cannot be compressed; at most {MAX_CHUNK}: rechunk first");
        return Err(error(path, message));
    }
    let at = path::to_create(path, context)?;
    if at.path.symlink_metadata().is_err() || is_empty_dir(&at.path) {
        return Ok(Some((at, json)));
    }
    if !open::has_metadata(&at.path) {
        let what = if at.path.is_dir() { "a folder that is not a Zarr array" } else { "not a Zarr array" };
        return Err(error(path, format!("exists and is {what}: remove it, or choose another path")));
    }
    same(path, &open::open(path, context)?.metadata, &wanted).map(|()| None)
}

fn is_empty_dir(dir: &std::path::Path) -> bool {
    std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}

fn same(path: &str, found: &Metadata, wanted: &Metadata) -> Result<(), Error> {
    if found == wanted {
        return Ok(());
    }
    Err(error(
        path,
        format!(
            "exists with shape {:?}, chunks {:?} and dtype {}, but {:?}, {:?} and {} are to be written: remove it, or \
             choose another path",
            found.shape, found.chunks, found.dtype, wanted.shape, wanted.chunks, wanted.dtype
        ),
    ))
}

/// `zarr.json`. LZ4 in Blosc costs little time, and everything that reads version 3 reads it.
fn document(dtype: DType, shape: &[u64], chunks: &[u64]) -> Value {
    let fill = match dtype {
        DType::Bool => json!(false),
        DType::Complex64 | DType::Complex128 => json!([0.0, 0.0]),
        DType::Float32 | DType::Float64 => json!(0.0),
        _ => json!(0),
    };
    let itemsize = dtype.itemsize();
    let shuffle = if itemsize > 1 { "shuffle" } else { "noshuffle" };
    json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": dtype.name(),
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunks}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": fill,
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "blosc", "configuration":
                {"typesize": itemsize, "cname": "lz4", "clevel": 5, "shuffle": shuffle, "blocksize": 0}},
        ],
        "attributes": {},
    })
}
