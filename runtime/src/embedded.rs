//! Scheduler and worker in one process: no port, nothing encoded, and the compute threads run the core themselves.

use crate::net::message::{Report, WorkerHello};
use crate::scheduler::{Hub, Link, Settings, server};
use crate::worker::{Engine, Lane, Outlet, engine, memory};
use dask_array::Value;
use dask_core::TaskId;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How the embedded engine runs.
#[derive(Clone)]
pub struct Options {
    /// Tasks that run at a time.
    pub threads: usize,
    /// Bytes that it may use; 0 for no limit.
    pub memory_limit: u64,
    /// Directories below which tasks read and write files.
    pub data_dirs: Vec<PathBuf>,
    /// A wanted result up to this size goes to its subscriber at once; a larger one when it has room.
    pub small_bytes: usize,
    /// What runs Python calls, where the process has Python.
    pub lane: Option<Arc<dyn Lane>>,
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

/// Results that a subscriber can always take.
pub const SMALL: usize = 64 << 10;

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
            python: options.lane.is_some(),
            versions: BTreeMap::new(),
        };
        let mut started = None;
        let id = hub.with(|state| {
            state.join(hello, |id| {
                let settings = engine::Settings {
                    id,
                    threads: options.threads,
                    data_dirs: options.data_dirs,
                    owner: String::new(),
                    spin: SPIN,
                    small_bytes: options.small_bytes,
                    lane: options.lane,
                    scheduler: None,
                    contact: None,
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
        engine.empty_hands();
        let memory = engine.memory(limit);
        engine.flush();
        hub.with(|state| state.measured(id, memory));
    }
}

/// Threads and memory that this process may use.
pub fn defaults() -> (usize, u64) {
    (std::thread::available_parallelism().map_or(1, usize::from), memory::limit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Following;
    use crate::scheduler::{JobEvent, Opened};
    use dask_plan::DType;
    use dask_plan::columns::u32s;
    use dask_plan::dtype::Scalar;
    use dask_plan::plan::{Block, Body, Output, Part, Sink, Template, VERSION};
    use dask_plan::program::{Binary, Instr, Int, Op, Program};

    /// `leaves` arrays of ones, each of `len`, added pairwise to one.
    fn sum(leaves: u32, len: i64) -> Part {
        let template = |name: &str, inputs: u32, op: Op| Template {
            name: name.into(),
            body: Body::Program(Program {
                inputs,
                args: 0,
                body: vec![Instr { op, of: (0..inputs).collect() }],
            }),
            nbytes: 0,
            scratch: 0,
            annotations: Default::default(),
        };
        let ones = Op::Full { dtype: DType::Int64, value: Scalar::Int(1), shape: vec![Int::Lit(len)] };
        let mut blocks = vec![Block { count: leaves, ndim: 1, index: u32s(0..leaves), ..Block::default() }];
        let (mut from, mut to) = (0, leaves);
        while to - from > 1 {
            let count = (to - from) / 2;
            let (index, inputs) = (u32s(0..count), u32s(from..from + 2 * count));
            blocks.push(Block { count, template: 1, name: 1, ndim: 1, index, inputs, ..Block::default() });
            (from, to) = (from + 2 * count, to + count);
        }
        let (to, dtype, chunks) = (Sink::Json { path: None }, DType::Int64, vec![vec![len as u64]]);
        let tasks = u32s([blocks.iter().map(|b| b.count).sum::<u32>() - 1]);
        Part {
            version: VERSION,
            names: vec!["ones".into(), "sum".into()],
            templates: vec![template("ones", 0, ones), template("add", 2, Op::Binary(Binary::Add))],
            blocks,
            outputs: vec![Output { name: "total".into(), to, dtype, chunks, tasks }],
            last: true,
            ..Part::default()
        }
    }

    fn submit(engine: &Embedded, id: &str, part: Part) -> Following {
        let Ok(Opened::New(job)) = engine.hub.with(|s| s.open(id, None, 0, false)) else {
            panic!("{id} is new")
        };
        let following = Following::local(&engine.hub, job);
        engine.hub.with(|s| s.add_part(job, part));
        following
    }

    async fn end(mut following: Following) -> (Vec<Value>, JobEvent) {
        let mut values = vec![];
        loop {
            match following.events.recv().await.unwrap().unwrap() {
                JobEvent::Result { task, value } => {
                    values.push(value);
                    following.received(task);
                }
                event @ (JobEvent::Done(_) | JobEvent::Failed { .. }) => return (values, event),
                _ => {}
            }
        }
    }

    fn engine() -> Embedded {
        Embedded::start(Options {
            threads: 3,
            memory_limit: 0,
            data_dirs: vec![],
            small_bytes: SMALL,
            lane: None,
        })
        .unwrap()
    }

    #[tokio::test]
    async fn many_small_tasks_are_all_counted_once() {
        let engine = engine();
        for (id, leaves, len) in [("a", 1, 1), ("b", 2, 1), ("c", 20_001, 1), ("large", 5, 100_000)] {
            let (values, event) = end(submit(&engine, id, sum(leaves, len))).await;
            let JobEvent::Done(progress) = event else { panic!("{event:?}") };
            assert_eq!(progress.runs.values().sum::<u64>(), u64::from(2 * leaves - 1));
            assert_eq!(
                (progress.done, progress.tasks),
                (u64::from(2 * leaves - 1), u64::from(2 * leaves - 1))
            );
            let total = values[0].array().unwrap().to_contiguous();
            assert!(
                values.len() == 1 && total.as_slice::<i64>().unwrap().iter().all(|n| *n == i64::from(leaves))
            );
        }
        // Everything was given up when its job was over.
        let stats = engine.engine.stats();
        assert_eq!((stats.memory, stats.managed, stats.ready), (0, 0, 0));
    }

    #[tokio::test]
    async fn a_failing_job_leaves_others_alone() {
        let engine = engine();
        let good = submit(&engine, "good", sum(5000, 1));
        let mut part = sum(2, 3);
        part.templates[1].body = Body::Program(Program {
            inputs: 2,
            args: 0,
            body: vec![Instr { op: Op::Reshape { shape: vec![Int::Lit(4)] }, of: vec![0] }],
        });
        let (_, event) = end(submit(&engine, "bad", part)).await;
        let JobEvent::Failed { refused: false, error, .. } = event else { panic!("{event:?}") };
        assert!(
            error.contains("('sum', 0)") && error.contains("('ones', 1): int64 [3], 24 bytes"),
            "{error}"
        );
        assert!(matches!(end(good).await.1, JobEvent::Done(_)));
    }

    #[tokio::test]
    async fn a_job_that_is_cancelled_says_so() {
        let engine = engine();
        let following = submit(&engine, "a", sum(200_000, 1));
        following.cancel();
        let (_, event) = end(following).await;
        assert!(matches!(event, JobEvent::Failed { refused: false, .. } | JobEvent::Done(_)));
        let (_, event) = end(submit(&engine, "b", sum(100, 1))).await;
        assert!(matches!(event, JobEvent::Done(_)), "{event:?}");
    }
}
