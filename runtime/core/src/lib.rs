//! Pure scheduler core: task and worker state, events in, actions out. No async, clock, randomness, sockets or files.

mod event;

pub use event::*;

/// The scheduler's state.
#[derive(Debug, Default)]
pub struct Core {
    ignored: u64,
}

impl Core {
    /// Messages that came too late or made no sense.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// The number that the next job must have.
    pub fn next_job(&self) -> JobId {
        JobId(0)
    }

    /// The number that the next worker must have.
    pub fn next_worker(&self) -> WorkerId {
        WorkerId(0)
    }

    /// Takes in what happened at `now` (nanoseconds on any steady clock), and adds what is to be done to `actions`.
    pub fn handle(&mut self, now: u64, event: Event, actions: &mut Actions) {
        let _ = (now, event, actions);
    }
}
