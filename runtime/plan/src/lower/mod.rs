//! Lowering: from arrays to layers of tasks.
//!
//! [`groups`] decides which arrays are made by tasks of their own and which inside the tasks of their consumers
//! (fusion), and which blocks are needed at all; [`layers`] writes the programs and layers.

mod groups;
mod layers;
mod program;
mod scratch;
mod view;

pub(crate) use groups::Groups;
pub(crate) use layers::lower;
