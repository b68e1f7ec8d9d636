//! Fused execution: elementwise instructions grow expressions, which run over cache-sized tiles.
//!
//! - [`prepare`]: what can be known before the inputs are: equal and dead instructions, numbers of uses;
//! - [`lower`]: from operators to kernels;
//! - [`graph`]: expressions that are not evaluated yet;
//! - [`group`]: evaluates expressions of one shape;
//! - [`small`]: the short way for arrays of few elements;
//! - [`tiles`]: how an index space is cut;
//! - [`load`]: copies a tile of a strided array.

pub(crate) mod graph;
pub(crate) mod group;
mod load;
pub(crate) mod lower;
pub(crate) mod prepare;
mod small;
pub(crate) mod tiles;

#[cfg(test)]
pub(crate) mod tests;
