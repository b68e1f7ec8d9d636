//! Native operators on `ndarray` chunks: the chunk itself, programs over chunks, and the files chunks come from.
//! Nothing here knows about tasks, workers or schedulers.

pub mod assembly;
pub mod buffer;
pub mod chunk;
mod copy;
mod elementwise;
pub mod encode;
mod fuse;
pub mod io;
pub mod json;
mod math;
mod ops;
#[cfg(test)]
mod python;
mod random;
mod reduce;
pub mod run;
pub mod show;
pub mod value;

pub use chunk::{Chunk, Element};
pub use dask_plan::{DType, Scalar};
pub use run::{Context, Error, Prepared};
pub use value::{Foreign, Packed, Trouble, Unpacked, Value};
