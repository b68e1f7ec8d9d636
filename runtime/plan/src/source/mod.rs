//! Source documents: graphs as people write them, in YAML or JSON.
//!
//! [`parse`] reads a document and finds every mistake that can be found without its files. [`files`] lists those
//! that must be described first, [`build`] makes the plan. [`write`] writes a document so that readers of YAML 1.1
//! and 1.2 see the same, [`schema`] is its JSON Schema.

mod build;
mod document;
mod error;
mod guard;
mod resolve;
mod scalars;
mod sources;
mod write;

pub use crate::described::Described;
pub use build::{build, files};
pub use document::{Definition, Document, Entries, Target, Targets, parse};
pub use error::SourceError;
pub use scalars::{Shape, Values};
pub use sources::{
    ArangeSource, ByteOrder, DataSource, EyeSource, FileSource, FillSource, FullSource, Generator,
    IntegersSource, LinspaceSource, Order, RandomSource, RawSource, Source,
};
pub use write::write;

/// The version of source documents that this build reads and writes.
pub const VERSION: u64 = 1;

/// The JSON Schema of source documents.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Document)
}
