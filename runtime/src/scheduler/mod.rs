//! The scheduler's shell: it owns the core, tells it what happens, and carries out what it orders.
//!
//! [`Hub`] is the same in the scheduler's process and in the embedded engine. Connections decode and plan outside its lock;
//! inside it there are only the core, the jobs' tables and the encoding of batches. Whoever brings news runs the core, unless
//! somebody else does already: no thread has to be woken for it.

mod adapt;
mod clients;
mod content;
mod crew;
mod deliver;
mod gather;
mod hub;
mod job;
pub mod plan;
pub mod server;
mod state;
mod table;
mod view;

pub use crew::{Joining, Link, WorkerView};
pub use hub::{Hub, Settings};
pub use job::{JobEvent, Kept, Subscriber, check_id};
pub use state::{Opened, State};
pub use view::JobView;
