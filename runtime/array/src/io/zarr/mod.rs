//! Zarr arrays, versions 2 and 3, on a local file system.
//!
//! Codecs and stores are those of the `zarrs` crate behind its storage traits, so another kind of store is one more
//! implementation of these. What is accepted is decided here ([`metadata`]), before `zarrs` sees it.

mod create;
mod metadata;
mod open;
mod store;

pub(super) use create::{check_create, create};

use super::region::Region;
use super::{error, io_error};
use crate::buffer::Buffer;
use crate::chunk::Chunk;
use crate::run::{Context, Error};
use dask_plan::{DType, Described};
use std::ptr::NonNull;
use zarrs::array::{ArrayBytes, ArrayError, ArraySubset, CodecError, CodecOptions};
use zarrs::storage::StorageError;

/// Most chunks along one axis: their extents are listed one by one for planning.
const MAX_CHUNKS: u64 = 10_000_000;

/// Shape, dtype and chunks from the metadata. Of a sharded array the chunks are the shards.
pub(super) fn describe(path: &str, context: &Context) -> Result<Described, Error> {
    let opened = open::open(path, context)?;
    let metadata = &opened.metadata;
    let mut chunks = vec![];
    for (axis, (&n, &c)) in metadata.shape.iter().zip(&metadata.chunks).enumerate() {
        if n.div_ceil(c) > MAX_CHUNKS {
            let message =
                format!("has {} chunks along axis {axis}; at most {MAX_CHUNKS} are handled", n.div_ceil(c));
            return Err(error(path, message));
        }
        let mut extents = vec![c; (n / c) as usize];
        if n % c > 0 || n == 0 {
            extents.push(n % c);
        }
        chunks.push(extents);
    }
    Ok(Described { shape: metadata.shape.clone(), dtype: metadata.dtype, chunks: Some(chunks) })
}

/// Reads a region. Missing chunks are fill values.
pub(super) fn read(path: &str, region: &Region, context: &Context) -> Result<Chunk, Error> {
    let opened = open::open(path, context)?;
    let metadata = &opened.metadata;
    region.check(&metadata.shape).map_err(|e| error(path, e))?;
    let shape = region.extents();
    if shape.contains(&0) {
        return Ok(crate::with_dtype!(metadata.dtype, T => Chunk::from_slice::<T>(&shape, &[])));
    }
    if crate::chunk::checked_nbytes(&shape, metadata.dtype).is_none() {
        return Err(error(path, format!("a region of shape {shape:?} is too large")));
    }
    let subset = ArraySubset::new_with_start_shape(region.start.clone(), region.shape.clone());
    let subset = subset.map_err(|e| error(path, e.to_string()))?;
    let bytes = opened.array.retrieve_array_subset_opt::<ArrayBytes<'static>>(&subset, &options());
    let bytes =
        bytes.map_err(|e| array_error(path, &format!("reading {:?} from {:?}", shape, region.start), &e))?;
    let bytes = bytes.into_fixed().map_err(|e| error(path, e.to_string()))?.into_owned();
    let found = bytes.len();
    adopt(metadata.dtype, &shape, bytes).ok_or_else(|| {
        error(
            path,
            format!("shape {shape:?} of {} decoded to {found} bytes: a chunk is damaged", metadata.dtype),
        )
    })
}

/// Writes a block that covers whole chunks of the array, each of them atomically.
pub(super) fn write(path: &str, region: &Region, block: &Chunk, context: &Context) -> Result<(), Error> {
    let opened = open::open(path, context)?;
    let metadata = &opened.metadata;
    if block.dtype() != metadata.dtype {
        let message = format!("holds {}, but the block to write is {}", metadata.dtype, block.dtype());
        return Err(error(path, message));
    }
    region.check(&metadata.shape).map_err(|e| error(path, e))?;
    let mut grid: Vec<(u64, u64)> = vec![];
    let axes = region.start.iter().zip(&region.shape).zip(metadata.chunks.iter().zip(&metadata.shape));
    for (axis, ((&start, &len), (&chunk, &whole))) in axes.enumerate() {
        let end = start + len;
        if !start.is_multiple_of(chunk) || !(end.is_multiple_of(chunk) || end == whole) {
            return Err(error(
                path,
                format!(
                    "elements {start} to {end} along axis {axis} are not whole chunks of {chunk}, so tasks would write \
                     the same chunk: rechunk the output to its chunks"
                ),
            ));
        }
        grid.push((start / chunk, len.div_ceil(chunk)));
    }
    let count = grid.iter().map(|g| g.1).product::<u64>();
    for k in 0..count {
        context.check()?;
        let mut rest = k;
        let mut index = vec![0; grid.len()];
        for (i, &(first, n)) in index.iter_mut().zip(&grid).rev() {
            *i = first + rest % n;
            rest /= n;
        }
        let piece = cut(block, region, &index, &metadata.chunks);
        let bytes = ArrayBytes::new_flen(piece.as_bytes().unwrap_or_default());
        let stored = opened.array.store_chunk_opt(&index, bytes, &options());
        stored.map_err(|e| array_error(path, &format!("writing chunk {index:?}"), &e))?;
    }
    Ok(())
}

/// The chunk at `index` of the store's grid out of a block, contiguous, and padded with zeroes at the array's end.
fn cut(block: &Chunk, region: &Region, index: &[u64], chunks: &[u64]) -> Chunk {
    let full: Vec<usize> = chunks.iter().map(|&c| c as usize).collect();
    let ranges: Vec<(usize, usize, isize)> = (0..full.len())
        .map(|axis| {
            let start = (index[axis] * chunks[axis] - region.start[axis]) as usize;
            (start, full[axis].min(block.shape()[axis] - start), 1)
        })
        .collect();
    let piece = block.slice(&ranges);
    if piece.shape() == full {
        return piece.to_contiguous();
    }
    crate::with_dtype!(block.dtype(), T => Chunk::build(&full, |out: &mut [T]| {
        out.fill(T::default());
        if let Ok(mut out) = ndarray::ArrayViewMutD::from_shape(full.as_slice(), out) {
            let part = |axis: ndarray::AxisDescription| ndarray::Slice::from(0..piece.shape()[axis.axis.index()]);
            out.slice_each_axis_mut(part).assign(&piece.view::<T>());
        }
    }))
}

/// One thread: tasks run side by side already.
fn options() -> CodecOptions {
    CodecOptions::default().with_concurrent_target(1)
}

/// A chunk over memory that `zarrs` decoded into, without a copy where it can be used as it is.
#[allow(unsafe_code)] // Shares a vector's memory; the block says why it is sound.
fn adopt(dtype: DType, shape: &[usize], mut bytes: Vec<u8>) -> Option<Chunk> {
    if dtype == DType::Bool {
        bytes.iter_mut().for_each(|b| *b = u8::from(*b != 0));
    }
    let aligned = (bytes.as_ptr() as usize).is_multiple_of(dtype.itemsize());
    if !aligned {
        return Chunk::from_bytes(dtype, shape, &bytes);
    }
    let len = bytes.len();
    let ptr = NonNull::new(bytes.as_mut_ptr())?;
    // SAFETY: a vector's memory stays where it is when the vector moves, and nobody writes to it any more.
    let buffer = unsafe { Buffer::foreign(ptr, len, Box::new(bytes)) };
    Chunk::from_buffer(dtype, shape, buffer)
}

/// What `zarrs` said, with the operating system's error and its remedy where there is one.
fn array_error(path: &str, doing: &str, e: &ArrayError) -> Error {
    match e {
        ArrayError::StorageError(StorageError::IOError(e))
        | ArrayError::CodecError(CodecError::StorageError(StorageError::IOError(e)))
        | ArrayError::CodecError(CodecError::IOError(e)) => io_error(path, doing, e),
        other => error(path, format!("{doing} failed: {other}; if it is damaged, write the array again")),
    }
}
