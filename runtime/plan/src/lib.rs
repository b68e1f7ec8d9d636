//! Graph documents, version 1: the *source* that people write, the *plan* that machines run, and the planner
//! between them. Everything here is pure: no files, no clock, no threads.

pub mod builder;
pub mod check;
mod chunking;
pub mod columns;
pub mod decode;
pub mod described;
pub mod dtype;
pub mod expand;
pub mod formula;
pub mod infer;
mod lower;
pub mod names;
pub mod order;
pub mod path;
pub mod plan;
pub mod program;
pub mod source;
pub mod text;

pub use builder::{
    Array, AxisChunks, BuildError, Builder, ChunkSpec, Index, Nested, Operand, normalize_chunks,
};
pub use check::PlanError;
pub use chunking::{AutoWord, Chunks};
pub use decode::{Decoder, Limits, encode};
pub use described::Described;
pub use dtype::{DType, Kind, Scalar};
pub use expand::expand;
