//! numpy's `.npy` files, versions 1 to 3.

mod header;
mod writer;

pub use header::header;
pub use writer::Writer;

use super::flat::{self, Layout};
use super::path;
use super::region::Region;
use crate::chunk::Chunk;
use crate::run::{Context, Error};
use dask_plan::Described;
use std::fs::File;

/// Reads a region.
pub(super) fn read(name: &str, region: &Region, context: &Context) -> Result<Chunk, Error> {
    let (file, layout) = open(name, context)?;
    flat::read(&file, name, &layout, region, context)
}

/// Shape and dtype from the header, once the file is seen to have the bytes that it promises.
pub(super) fn describe(name: &str, context: &Context) -> Result<Described, Error> {
    let (file, layout) = open(name, context)?;
    flat::check_len(&file, name, &layout)?;
    Ok(Described { shape: layout.shape, dtype: layout.dtype, chunks: None })
}

fn open(name: &str, context: &Context) -> Result<(File, Layout), Error> {
    let at = path::existing(name, context)?;
    let file = flat::open(name, &at.path)?;
    let layout = header::read(&file).map_err(|e| super::error(name, e))?;
    Ok((file, layout))
}
