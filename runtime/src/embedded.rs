//! Scheduler and worker in one process: no port, nothing encoded, and the compute threads run the core themselves.

use crate::net::message::{Report, WorkerHello};
use crate::scheduler::{Hub, Link, Settings, server};
use crate::worker::{Engine, Outlet, engine, memory};
use dask_array::Value;
use dask_core::TaskId;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How the embedded engine runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Tasks that run at a time.
    pub threads: usize,
    /// Bytes that it may use; 0 for no limit.
    pub memory_limit: u64,
    /// Directories below which tasks read and write files.
    pub data_dirs: Vec<PathBuf>,
}

/// See the module.
pub struct Embedded {
    /// Where jobs are submitted.
    pub hub: Arc<Hub>,
    /// The worker.
    pub engine: Arc<Engine>,
}

/// How long a thread without work looks for some: about what a reply of the core takes.
const SPIN: Duration = Duration::from_micros(40);

/// How often memory is measured.
const MEMORY_EVERY: Duration = Duration::from_millis(200);

struct Local {
    hub: Weak<Hub>,
    worker: u32,
}

impl Outlet for Local {
    fn report(&self, report: Report, small: Vec<Value>) {
        if let Some(hub) = self.hub.upgrade() {
            hub.post(self.worker, report, small);
        }
    }

    fn settle(&self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.drive();
        }
    }

    fn fetch(&self, _from: u32, _tasks: Vec<TaskId>) {
        // There is no other worker, so no order names one.
    }
}

impl Embedded {
    /// Starts the engine; timers run on the current runtime.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn start(options: Options) -> Result<Embedded, String> {
        // Results go straight to the submitter: keeping a second reference would only hold memory.
        let settings = Settings { hold_bytes: 0, ..Settings::default() };
        let hub = Hub::new(settings, tokio::runtime::Handle::current());
        let hello = WorkerHello {
            name: "embedded".into(),
            address: "inproc://embedded".into(),
            nthreads: options.threads as u32,
            memory_limit: options.memory_limit,
            resources: BTreeMap::new(),
        };
        let mut started = None;
        let id = hub.with(|state| {
            state.join(hello, |id| {
                let settings = engine::Settings {
                    id,
                    threads: options.threads,
                    data_dirs: options.data_dirs,
                    spin: SPIN,
                };
                let outlet = Local { hub: Arc::downgrade(&hub), worker: id };
                let engine =
                    Engine::start(settings, Box::new(outlet)).map_err(|e| format!("no threads: {e}"))?;
                started = Some(Arc::clone(&engine));
                Ok(Link::Local(engine))
            })
        })?;
        let engine = started.ok_or("the engine did not start")?;
        tokio::spawn(server::tick(Arc::downgrade(&hub)));
        tokio::spawn(measure(Arc::downgrade(&hub), Arc::downgrade(&engine), id, options.memory_limit));
        Ok(Embedded { hub, engine })
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.engine.stop();
    }
}

async fn measure(hub: Weak<Hub>, engine: Weak<Engine>, id: u32, limit: u64) {
    let mut every = tokio::time::interval(MEMORY_EVERY);
    loop {
        every.tick().await;
        let (Some(hub), Some(engine)) = (hub.upgrade(), engine.upgrade()) else { return };
        let memory = engine.memory(limit);
        engine.flush();
        hub.with(|state| state.measured(id, memory));
    }
}

/// Threads and memory that this process may use.
pub fn defaults() -> (usize, u64) {
    (std::thread::available_parallelism().map_or(1, usize::from), memory::limit())
}
