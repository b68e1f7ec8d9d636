//! What tells a process to end.

use super::{Failure, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, and SIGTERM, which a pod gets when it is deleted.
pub(super) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// Listens from now on for what would end the process otherwise; as the first process of a container it would not even
    /// end.
    pub(super) fn listen() -> Result<Stop> {
        let on = |kind| signal(kind).map_err(Failure::failed);
        Ok(Stop { interrupt: on(SignalKind::interrupt())?, terminate: on(SignalKind::terminate())? })
    }

    /// Waits for either; returns how the process ends then.
    pub(super) async fn asked(&mut self) -> Failure {
        tokio::select! {
            _ = self.interrupt.recv() => Failure::Interrupted,
            _ = self.terminate.recv() => Failure::Terminated,
        }
    }
}
