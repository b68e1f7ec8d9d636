//! The worker without its sockets.

use super::lane::Lane;
use super::shared::{After, Shared};
use super::task::{Batch, Ran, Taken};
use super::threads;
use crate::net::Address;
use crate::net::message::{Memory, Report};
use dask_array::Value;
use dask_core::TaskId;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Where an engine's reports and requests go.
pub trait Outlet: Send + Sync {
    /// Takes a report, and the values of its `small` results. Reports come in order. Must not wait.
    fn report(&self, report: Report, small: Vec<Value>);

    /// Acts on what was reported, on a compute thread that has nothing better to do.
    fn settle(&self);

    /// Asks a peer for results; [`Engine::landed`] or [`Engine::not_fetched`] answers. Must not wait.
    fn fetch(&self, from: u32, tasks: Vec<TaskId>);
}

/// How an engine runs.
#[derive(Clone)]
pub struct Settings {
    /// The number that the scheduler gave this worker.
    pub id: u32,
    /// Tasks that it runs at a time.
    pub threads: usize,
    /// Directories below which tasks read and write files.
    pub data_dirs: Vec<PathBuf>,
    /// Whose they are, for messages: `worker NAME`; empty in the command that the user typed.
    pub owner: String,
    /// How long an idle thread looks for work before it sleeps.
    pub spin: Duration,
    /// A wanted result up to this size goes to the scheduler with the report that its task is done.
    pub small_bytes: usize,
    /// What runs Python calls, if anything does.
    pub lane: Option<Arc<dyn Lane>>,
    /// Where the scheduler is, unless it is in this process.
    pub scheduler: Option<Address>,
    /// Where others reach this worker, unless it is alone.
    pub contact: Option<Address>,
}

/// After so long without work, memory kept for the next results goes back to the system.
const IDLE: Duration = Duration::from_secs(2);

/// What a thread has taken and not started, and what it ran and did not give back.
#[derive(Default)]
pub(super) struct InHand {
    pub(super) taken: VecDeque<Taken>,
    pub(super) ran: Vec<Ran>,
}

/// It where others can empty it.
pub(super) type Hand = Arc<Mutex<InHand>>;

/// See the module.
pub struct Engine {
    shared: Mutex<Shared>,
    wake: Condvar,
    outlet: Box<dyn Outlet>,
    settings: Settings,
    started: Instant,
    /// Held while a report is taken and handed over, so that reports keep their order.
    reporting: Mutex<()>,
    /// Nanoseconds since `started` at the last report.
    reported: AtomicU64,
    /// What each thread has in hand.
    hands: Mutex<Vec<Hand>>,
    /// Tasks that could start; a hint that needs no lock.
    pub(super) ready: AtomicUsize,
}

impl Engine {
    /// Starts the compute threads. They end after [`Engine::stop`].
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn start(settings: Settings, outlet: Box<dyn Outlet>) -> std::io::Result<Arc<Engine>> {
        let shared = Shared::new(&settings);
        let engine = Arc::new(Engine {
            shared: Mutex::new(shared),
            wake: Condvar::new(),
            outlet,
            settings,
            started: Instant::now(),
            reporting: Mutex::new(()),
            reported: AtomicU64::new(0),
            hands: Mutex::default(),
            ready: AtomicUsize::new(0),
        });
        for n in 0..engine.settings.threads {
            let engine = Arc::clone(&engine);
            std::thread::Builder::new().name(format!("compute-{n}")).spawn(move || run(&engine))?;
        }
        Ok(engine)
    }

    /// Takes orders in. The caller has checked them. Returns whether a report should go out at once.
    pub fn take(&self, batch: Batch) -> bool {
        let mut shared = self.lock();
        let after = shared.take(batch);
        self.release(shared, after)
    }

    /// A result came from a peer. Returns whether a report should go out at once.
    pub fn landed(&self, values: Vec<(TaskId, Value)>) -> bool {
        let mut shared = self.lock();
        let mut after = After::default();
        for (task, value) in values {
            after.urgent |= shared.landed(task, value, &mut after.dropped);
        }
        self.release(shared, after)
    }

    /// A peer did not give these results.
    pub fn not_fetched(&self, from: u32, tasks: impl IntoIterator<Item = TaskId>) {
        {
            let mut shared = self.lock();
            tasks.into_iter().for_each(|task| shared.not_fetched(task, from));
        }
        self.flush();
    }

    /// Unlocks, then does what has to be done without the lock.
    fn release(&self, shared: MutexGuard<'_, Shared>, after: After) -> bool {
        let ready = shared.ready();
        let sleepers = shared.sleepers;
        self.ready.store(ready, Ordering::Relaxed);
        drop(shared);
        for _ in 0..sleepers.min(ready) {
            self.wake.notify_one();
        }
        let mut fetch = after.fetch;
        fetch.sort_by_key(|(from, _)| *from);
        for group in fetch.chunk_by(|a, b| a.0 == b.0) {
            self.outlet.fetch(group[0].0, group.iter().map(|(_, task)| *task).collect());
        }
        after.urgent
    }

    /// A result, if this worker keeps it.
    pub fn get(&self, task: TaskId) -> Option<Value> {
        self.lock().get(task)
    }

    /// Hands over what is to be reported.
    pub fn flush(&self) {
        let _in_order = self.reporting.lock().unwrap_or_else(|e| e.into_inner());
        self.reported.store(self.now(), Ordering::Relaxed);
        let (report, small) = self.lock().report();
        if !report.is_empty() {
            self.outlet.report(report, small);
        }
    }

    /// See [`Outlet::settle`].
    pub(super) fn settle(&self) {
        self.outlet.settle();
    }

    /// What there is to say about memory. `limit` is 0 when there is none.
    pub fn memory(&self, limit: u64) -> Memory {
        let mut process = super::memory::resident();
        let over = |bytes: u64| limit > 0 && bytes as f64 > 0.80 * limit as f64;
        if over(process) && dask_array::buffer::release_pool() > 0 {
            process = super::memory::resident();
        }
        let mut shared = self.lock();
        let idle = shared.running == 0 && shared.ready() == 0 && shared.waiting() == 0;
        shared.idle_since = idle.then(|| shared.idle_since.unwrap_or_else(Instant::now));
        if shared.idle_since.is_some_and(|since| since.elapsed() > IDLE)
            && dask_array::buffer::release_pool() > 0
        {
            process = super::memory::resident();
        }
        let paused = over(process);
        let woken = shared.paused && !paused;
        shared.paused = paused;
        let memory = Memory {
            process,
            peak: super::memory::peak(),
            managed: shared.stored,
            paused,
            queued: (shared.ready() + shared.waiting() + shared.running) as u64,
        };
        if woken {
            self.release(shared, After::default());
        }
        memory
    }

    /// Numbers for the metrics.
    pub fn stats(&self) -> Stats {
        let shared = self.lock();
        Stats {
            ready: shared.ready() as u64,
            waiting: shared.waiting() as u64,
            executing: shared.running as u64,
            memory: shared.results() as u64,
            managed: shared.stored,
            ran: shared.ran,
        }
    }

    /// Gives up everything: queued tasks and results are dropped, running tasks stop soon, threads end.
    pub fn stop(&self) {
        let after = self.lock().shut();
        self.wake.notify_all();
        drop(after);
    }

    /// A hand for a new thread.
    pub(super) fn hand(&self) -> Hand {
        let hand = Hand::default();
        self.hands.lock().unwrap_or_else(|e| e.into_inner()).push(Arc::clone(&hand));
        hand
    }

    /// The thread of this hand ends.
    pub(super) fn let_hand_go(&self, hand: &Hand) {
        self.hands.lock().unwrap_or_else(|e| e.into_inner()).retain(|h| !Arc::ptr_eq(h, hand));
    }

    /// Takes back what threads have taken and not started, lest it waits behind a task that waits for it, and takes in what they
    /// have run and not given back, lest that task waits for it in vain. Called now and then, and before a task waits for
    /// another.
    pub fn empty_hands(&self) {
        let hands = self.hands.lock().unwrap_or_else(|e| e.into_inner()).clone();
        let (mut taken, mut ran, mut dropped) = (vec![], vec![], vec![]);
        for hand in hands {
            let mut hand = hand.lock().unwrap_or_else(|e| e.into_inner());
            taken.extend(hand.taken.drain(..));
            ran.append(&mut hand.ran);
        }
        if taken.is_empty() && ran.is_empty() {
            return;
        }
        let mut shared = self.lock();
        ran.into_iter().for_each(|r| shared.ran(r, &mut dropped));
        shared.untake(taken);
        self.release(shared, After::default());
    }

    /// Has another thread compute while the calling one, which is a compute thread of this engine, waits inside its task.
    ///
    /// Where the system gives no thread there is none; then what is waited for may wait as well.
    pub fn secede(engine: &Arc<Engine>) -> Seceded {
        engine.empty_hands();
        let own = Arc::clone(engine);
        let started =
            std::thread::Builder::new().name("compute-extra".into()).spawn(move || run(&own)).is_ok();
        if started {
            engine.resize(1);
        }
        Seceded { engine: started.then(|| Arc::clone(engine)) }
    }

    /// How this engine runs.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Counts the threads that wait inside their tasks, and says so.
    fn resize(&self, change: isize) {
        self.lock().resize(change);
        self.flush();
        self.settle();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub(super) fn sleep<'a>(&self, mut shared: MutexGuard<'a, Shared>) -> MutexGuard<'a, Shared> {
        shared.sleepers += 1;
        let mut shared = self.wake.wait(shared).unwrap_or_else(|e| e.into_inner());
        shared.sleepers -= 1;
        shared
    }

    pub(super) fn now(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    /// Nanoseconds since the last report.
    pub(super) fn unreported(&self) -> u64 {
        self.now().saturating_sub(self.reported.load(Ordering::Relaxed))
    }
}

/// Ends the extra thread when the one that seceded comes back.
pub struct Seceded {
    engine: Option<Arc<Engine>>,
}

impl Drop for Seceded {
    fn drop(&mut self) {
        if let Some(engine) = &self.engine {
            engine.lock().surplus += 1;
            engine.wake.notify_one();
            engine.resize(-1);
        }
    }
}

/// Runs a compute thread.
fn run(engine: &Arc<Engine>) {
    match &engine.settings.lane {
        Some(lane) => lane.thread(engine, &mut || threads::run(engine)),
        None => threads::run(engine),
    }
}

/// Numbers for the metrics.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// Tasks that could start.
    pub ready: u64,
    /// Tasks that wait for inputs from peers.
    pub waiting: u64,
    /// Tasks that run.
    pub executing: u64,
    /// Results kept.
    pub memory: u64,
    /// Their bytes.
    pub managed: u64,
    /// Tasks that ran since the start.
    pub ran: u64,
}
