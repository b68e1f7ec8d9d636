//! Where news arrives and the core runs.

use super::state::State;
use crate::ids::IdMap;
use crate::net::message::Report;
use crate::worker::fetch::Source;
use dask_array::Value;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

/// How a scheduler behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bytes of results of a job that are kept after they were sent, for a submitter that comes back.
    pub hold_bytes: u64,
    /// How long a job that has ended is kept.
    pub keep: Duration,
    /// A worker that says nothing for so long is given up; zero waits for ever.
    pub worker_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            hold_bytes: 64 << 20,
            keep: Duration::from_secs(3600),
            worker_timeout: Duration::from_secs(60),
        }
    }
}

/// A worker's report: its number, what it says, its small results.
type News = (u32, Report, Vec<Value>);

/// See [`crate::scheduler`].
pub struct Hub {
    inbox: Mutex<Vec<News>>,
    state: Mutex<State>,
    /// Connections to workers from which results are fetched for submitters, while nobody uses them.
    pub(super) sources: Mutex<IdMap<u32, Source>>,
}

impl Hub {
    /// A scheduler without workers. Results that are fetched over TCP are fetched on `runtime`.
    pub fn new(settings: Settings, runtime: tokio::runtime::Handle) -> Arc<Hub> {
        Arc::new_cyclic(|hub| Hub {
            inbox: Mutex::default(),
            state: Mutex::new(State::new(settings, hub.clone(), runtime)),
            sources: Mutex::default(),
        })
    }

    /// Takes a worker's report. The caller has checked it, and calls [`Hub::drive`] soon.
    pub fn post(&self, worker: u32, report: Report, small: Vec<Value>) {
        self.inbox.lock().unwrap_or_else(|e| e.into_inner()).push((worker, report, small));
    }

    /// Acts on what was posted, unless another thread does already: that one then sees the news too.
    pub fn drive(&self) {
        loop {
            let news = std::mem::take(&mut *self.inbox.lock().unwrap_or_else(|e| e.into_inner()));
            if news.is_empty() {
                return;
            }
            match self.state.try_lock() {
                Ok(mut state) => state.hear(news),
                Err(TryLockError::Poisoned(e)) => e.into_inner().hear(news),
                Err(TryLockError::WouldBlock) => {
                    // Back to the front: reports of a worker keep their order.
                    self.inbox.lock().unwrap_or_else(|e| e.into_inner()).splice(0..0, news);
                    if let Ok(state) = self.state.try_lock() {
                        drop(state);
                        continue;
                    }
                    return;
                }
            }
        }
    }

    /// Looks at or changes the state, and carries out what follows from it.
    pub fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = f(&mut state);
        state.flush();
        drop(state);
        self.drive();
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }
}
