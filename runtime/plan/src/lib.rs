//! Graph documents, version 1: the *source* that people write, the *plan* that machines run, and the planner
//! between them. Everything here is pure: no files, no clock, no threads.

pub mod described;
pub mod dtype;
pub mod plan;
pub mod program;

pub use described::Described;
pub use dtype::{DType, Kind, Scalar};
