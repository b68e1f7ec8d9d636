//! A worker: compute threads, the results that they keep, and the ways to the scheduler and to other workers.
//!
//! [`Engine`] is the worker's heart and knows no sockets: orders go in by [`Engine::take`], reports come out through its
//! [`Outlet`]. The embedded engine connects it to the scheduler in the same process; [`remote`] connects it to one over
//! TCP, with [`fetch`] and [`serve`] for what workers say to each other.

pub mod engine;
pub mod fetch;
pub mod lane;
pub mod memory;
pub mod remote;
pub mod serve;
mod shared;
mod task;
mod threads;

pub use engine::{Engine, Outlet, Settings};
pub use lane::{Call, Lane, Trouble};
pub use task::Batch;
