//! The processes that run graphs: a scheduler and workers over TCP, or both in one process; and the commands that people
//! type. The library starts no process-wide machinery and writes nothing to the terminal, so that other programs can
//! host the same engine.

pub mod cli;
pub mod client;
pub mod embedded;
pub mod http;
mod ids;
pub mod net;
pub mod scheduler;
pub mod session;
pub mod shared;
pub mod worker;
