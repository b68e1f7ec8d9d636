//! Graph documents, version 1: the *source* that people write, the *plan* that machines run, and the planner
//! between them. Everything here is pure: no files, no clock, no threads.

pub mod builder;
mod chunking;
pub mod dtype;
pub mod formula;
pub mod names;
pub mod plan;
pub mod program;
pub mod source;

pub use builder::{
    Array, AxisChunks, BuildError, Builder, ChunkSpec, Index, Nested, Operand, normalize_chunks,
};
pub use chunking::{AutoWord, Chunks};
pub use dtype::{DType, Kind, Scalar};
