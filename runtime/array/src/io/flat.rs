//! Files whose elements lie one after another behind an offset: `.npy` and raw binary.
//!
//! Regions are read in one of three ways. A region that fills at least half of the bytes between its first and last
//! element is *mapped*, and the chunk is a view of the mapping: nothing is copied. Any other region is copied into
//! pooled memory: long runs by positioned reads, short ones (columns of a C-ordered file) out of a mapping, because
//! a system call for each would cost more than the copy.
//!
//! Mapped files must not be changed in place while a graph reads them, as with numpy's `mmap_mode`; a file that
//! another process *truncates* after it was mapped ends the worker with SIGBUS, whose work then runs elsewhere.
//! Replacing a file by renaming another over it is safe.
#![allow(unsafe_code)] // Mapped files; each block says why it is sound.

use super::io_error;
use super::region::{Region, Runs};
use crate::buffer::Buffer;
use crate::chunk::{Chunk, c_strides};
use crate::run::{Context, Error};
use dask_plan::{DType, Kind};
use memmap2::{Advice, Mmap, MmapOptions};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;
use std::sync::Arc;

/// Regions below this are copied: a mapping costs as much.
const MAP_FROM: u64 = 64 << 10;

/// Runs below this are copied out of a mapping instead of being read one by one.
const READ_FROM: u64 = 4 << 10;

/// Where a file's elements are and what they look like.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    /// Bytes before the first element.
    pub(super) offset: u64,
    pub(super) dtype: DType,
    pub(super) shape: Vec<u64>,
    /// First axis fastest.
    pub(super) fortran: bool,
    pub(super) big_endian: bool,
}

impl Layout {
    /// Bytes that the file must have.
    ///
    /// # Errors
    /// When shape × itemsize overflows.
    pub(super) fn file_len(&self) -> Result<u64, String> {
        let n = self.shape.iter().try_fold(self.dtype.itemsize() as u64, |n, &d| n.checked_mul(d));
        // Extents beside a zero count too: an array of them could not be addressed.
        let extents = self.shape.iter().filter(|d| **d > 0).try_fold(16u64, |n, &d| n.checked_mul(d));
        n.zip(extents)
            .and_then(|(n, _)| n.checked_add(self.offset))
            .filter(|&n| n <= isize::MAX as u64 / 2)
            .ok_or_else(|| format!("shape {:?} of {} overflows what a file can hold", self.shape, self.dtype))
    }

    /// Whether memory can hold the file's bytes as they are.
    fn is_native(&self) -> bool {
        let swapped = self.big_endian != cfg!(target_endian = "big") && self.dtype.itemsize() > 1;
        // A bool must be 0 or 1, which no file promises.
        !swapped && self.dtype != DType::Bool
    }
}

/// Opens a regular file.
pub(super) fn open(path: &str, at: &std::path::Path) -> Result<File, Error> {
    let metadata = at.metadata().map_err(|e| io_error(path, "opening it", &e))?;
    if !metadata.is_file() {
        return Err(super::error(
            path,
            "is not a regular file (a Zarr array is a folder: use `zarr` to read it)",
        ));
    }
    File::open(at).map_err(|e| io_error(path, "opening it", &e))
}

/// Checks that a file has all the bytes that its layout asks for.
pub(super) fn check_len(file: &File, path: &str, layout: &Layout) -> Result<(), Error> {
    let expected = layout.file_len().map_err(|e| super::error(path, e))?;
    let actual = file.metadata().map_err(|e| io_error(path, "reading its size", &e))?.len();
    if actual < expected {
        return Err(super::error(
            path,
            format!(
                "is truncated: shape {:?} of {} from byte {} takes {expected} bytes, but the file has \
                 {actual}; write it again, or correct what is said of it",
                layout.shape, layout.dtype, layout.offset
            ),
        ));
    }
    Ok(())
}

/// Reads a region, in native byte order; of a Fortran-ordered file it is a transposed view.
pub(super) fn read(
    file: &File,
    path: &str,
    layout: &Layout,
    region: &Region,
    context: &Context,
) -> Result<Chunk, Error> {
    region.check(&layout.shape).map_err(|e| super::error(path, e))?;
    check_len(file, path, layout)?;
    if !layout.fortran {
        return read_c(file, path, layout, &layout.shape, region, context);
    }
    let whole: Vec<u64> = layout.shape.iter().rev().copied().collect();
    let chunk = read_c(file, path, layout, &whole, &region.reversed(), context)?;
    Ok(chunk.transpose(&(0..whole.len()).rev().collect::<Vec<_>>()))
}

fn read_c(
    file: &File,
    path: &str,
    layout: &Layout,
    whole: &[u64],
    region: &Region,
    context: &Context,
) -> Result<Chunk, Error> {
    let itemsize = layout.dtype.itemsize() as u64;
    let shape = region.extents();
    let nbytes = region.shape.iter().product::<u64>() * itemsize;
    if nbytes == 0 {
        return Ok(crate::with_dtype!(layout.dtype, T => Chunk::from_slice::<T>(&shape, &[])));
    }
    let strides: Vec<u64> =
        c_strides(&whole.iter().map(|&n| n as usize).collect::<Vec<_>>(), itemsize as usize)
            .iter()
            .map(|&s| s as u64)
            .collect();
    let first = layout.offset + region.start.iter().zip(&strides).map(|(a, b)| a * b).sum::<u64>();
    let span = itemsize + region.shape.iter().zip(&strides).map(|(n, s)| (n - 1) * s).sum::<u64>();

    if layout.is_native() && nbytes >= MAP_FROM && nbytes >= span / 2 {
        let map = map(file, path, first, span)?;
        // Only a hint: without it the kernel reads ahead less.
        let _ = map.advise(Advice::WillNeed);
        let strides = strides.iter().map(|&s| s as isize).collect();
        // Misaligned files are copied below.
        if let Some(chunk) =
            Chunk::from_parts(layout.dtype, shape.as_slice().into(), strides, 0, Arc::new(foreign(map)))
        {
            return Ok(chunk);
        }
    }
    let runs = Runs::new(whole, region);
    let run = (runs.len * itemsize) as usize;
    let mut buffer = Buffer::new(nbytes as usize);
    let offsets = runs.starts.map(|s| layout.offset + s * itemsize);
    if run as u64 >= READ_FROM || nbytes == span {
        for (out, at) in buffer.bytes_mut().chunks_exact_mut(run).zip(offsets) {
            context.check()?;
            file.read_exact_at(out, at).map_err(|e| io_error(path, "reading it", &e))?;
        }
    } else {
        let map = map(file, path, first, span)?;
        for (i, (out, at)) in buffer.bytes_mut().chunks_exact_mut(run).zip(offsets).enumerate() {
            if i % 4096 == 0 {
                context.check()?;
            }
            let at = (at - first) as usize;
            out.copy_from_slice(&map[at..at + run]);
        }
    }
    make_native(buffer.bytes_mut(), layout);
    Chunk::from_buffer(layout.dtype, &shape, buffer)
        .ok_or_else(|| super::error(path, format!("a region of shape {shape:?} is too large")))
}

fn map(file: &File, path: &str, first: u64, span: u64) -> Result<Mmap, Error> {
    // SAFETY: the mapping is only read. Files below the data directories must not change while a graph reads them
    // (documented above and for users); the length was checked.
    let map = unsafe { MmapOptions::new().offset(first).len(span as usize).map(file) };
    map.map_err(|e| io_error(path, "mapping it", &e))
}

fn foreign(map: Mmap) -> Buffer {
    let len = map.len();
    match NonNull::new(map.as_ptr().cast_mut()) {
        // SAFETY: the mapping stays where it is for as long as the owner lives, and is mapped read only.
        Some(ptr) => unsafe { Buffer::foreign(ptr, len, Box::new(map)) },
        None => Buffer::new(0),
    }
}

/// Swaps bytes where the file's order is not ours, and makes every bool 0 or 1, as numpy reads them.
pub(super) fn make_native(bytes: &mut [u8], layout: &Layout) {
    if layout.dtype == DType::Bool {
        bytes.iter_mut().for_each(|b| *b = u8::from(*b != 0));
    }
    if layout.big_endian == cfg!(target_endian = "big") {
        return;
    }
    let component = match layout.dtype.kind() {
        Kind::Complex => layout.dtype.itemsize() / 2,
        _ => layout.dtype.itemsize(),
    };
    match component {
        2 => swap::<2>(bytes),
        4 => swap::<4>(bytes),
        8 => swap::<8>(bytes),
        _ => {}
    }
}

fn swap<const N: usize>(bytes: &mut [u8]) {
    for element in bytes.as_chunks_mut::<N>().0 {
        element.reverse();
    }
}
