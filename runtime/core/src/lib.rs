//! Pure scheduler core: task and worker state, events in, actions out. No async, clock, randomness, sockets or files.
//!
//! The shell feeds [`Core::handle`] with [`Event`]s and sends out the [`Actions`]. How the core decides:
//!
//! - **Order.** Tasks run by [`Priority`]: annotation, then job, then the planner's order, which keeps memory flat.
//! - **Placement.** A ready task queues on the scheduler: for the worker that holds most of its input bytes, or, when it
//!   has no such inputs, in its [lane](lane) for any worker. Workers get only as much ahead as hides the latency
//!   of messages (see [`worker`]), so sources are not computed before somebody can use them.
//! - **Balance.** A worker with a free thread takes tasks that queue for others, if moving the inputs pays, and at last
//!   asks for tasks back that queue on others.
//! - **Memory.** Nothing is placed where stored and expected bytes would pass 0.80 of the limit. When that stops
//!   everything, a job fails by name.
//! - **Loss.** A task keeps its edges until its job ends, so whatever was lost and is still needed is computed
//!   again, and nothing else.

mod check;
mod core;
mod end;
mod event;
mod explain;
mod failure;
mod job;
mod lane;
mod life;
mod lost;
mod memory;
mod place;
mod queue;
mod replica;
mod retire;
mod stats;
mod steal;
mod table;
mod task;
mod worker;

pub use core::Core;
pub use event::*;
pub use explain::{Explanation, Why};
pub use failure::{Failure, Reason};
pub use stats::{ClassStats, Counts, JobStats, WorkerStats};
pub use task::State;
