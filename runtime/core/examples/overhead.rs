//! What a task costs the scheduler core: nanoseconds for its whole life (added, placed, computed, released), and
//! bytes. Workers are simulated: what that costs, some 10 ns a task, is counted too. Time is the thread's processor time where
//! the system tells it, since other programs' turns are no concern of ours.
//!
//! `cargo run --release -p dask-core --example overhead`

use dask_core::*;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Tasks measured of each kind, in as many runs as that takes.
const TASKS: u32 = 3_000_000;
/// What a task takes on a worker, in nanoseconds.
const NANOS: u64 = 1_000;

/// Processor time of this thread (Linux), or else time since the first call.
fn clock() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = stat.and_then(|s| s.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

fn independent(n: u32) -> Vec<Block> {
    vec![Block { class: 0, count: n, inputs: Inputs::Fixed { each: 0, ids: vec![] } }]
}

/// Half of the tasks are leaves, the others add two; each as soon as it can, so that few results are kept.
fn tree(n: u32) -> Vec<Block> {
    let mut blocks: Vec<Block> = vec![];
    let mut stack: Vec<(u32, u32)> = vec![];
    for local in 0..n {
        let pair = match stack[..] {
            [.., (a, ha), (b, hb)] if ha == hb => Some((a, b, ha)),
            _ => None,
        };
        let (class, inputs, height) = match pair {
            Some((a, b, h)) => {
                stack.truncate(stack.len() - 2);
                (1, vec![a, b], h + 1)
            }
            None => (0, vec![], 0),
        };
        stack.push((local, height));
        match blocks.last_mut() {
            Some(Block { class: c, count, inputs: Inputs::Fixed { ids, .. } }) if *c == class => {
                *count += 1;
                ids.extend(inputs);
            }
            _ => {
                let each = inputs.len() as u32;
                blocks.push(Block { class, count: 1, inputs: Inputs::Fixed { each, ids: inputs } });
            }
        }
    }
    blocks
}

/// The leaves first, then level by level: nothing of the order helps.
fn levels(n: u32) -> Vec<Block> {
    let leaves = n / 2;
    let ids = (0..2 * (n - leaves)).map(|i| i.min(n - 2)).collect::<Vec<_>>();
    let mut inputs = ids;
    for (at, input) in inputs.iter_mut().enumerate() {
        *input = (*input).min(leaves + at as u32 / 2).min(leaves + (at as u32 / 2).saturating_sub(1));
    }
    vec![
        Block { class: 0, count: leaves, inputs: Inputs::Fixed { each: 0, ids: vec![] } },
        Block { class: 1, count: n - leaves, inputs: Inputs::Fixed { each: 2, ids: inputs } },
    ]
}

struct Cost {
    load: Duration,
    bytes: usize,
    orders: usize,
}

fn run(blocks: Vec<Block>, n: u32, workers: u32) -> Cost {
    let mut core = Core::new();
    let mut actions = Actions::default();
    for i in 0..workers {
        let info = WorkerInfo {
            id: WorkerId(i),
            name: i.to_string(),
            address: i.to_string(),
            nthreads: 1,
            memory_limit: 16 << 30,
            ..WorkerInfo::default()
        };
        core.handle(0, Event::WorkerJoined(info), &mut actions);
    }
    let job = core.next_job();
    core.handle(0, Event::JobOpened { job, priority: 0 }, &mut actions);
    let class = |name: &str| Class { name: name.into(), nbytes: 8, ..Class::default() };
    let classes = vec![class("leaf"), class("add")];
    let batch = Batch { classes, blocks, wanted: vec![n - 1], external: vec![] };
    let start = clock();
    let mut now = 0;
    core.handle(now, Event::TasksAdded { job, batch }, &mut actions);
    core.handle(now, Event::JobComplete { job }, &mut actions);
    let load = clock() - start;
    let mut bytes = core.nbytes();
    let mut orders = 0;
    let mut open = true;
    let mut events = vec![];
    while open {
        // Every worker computes all that it has, and answers in one message.
        for o in actions.orders() {
            if !o.recall.is_empty() {
                events.push(Event::Returned { worker: o.worker, tasks: vec![] });
            }
            if !o.compute.is_empty() {
                let done = |c: &Compute| Done { task: c.task.local, nbytes: 8, nanos: NANOS };
                let tasks: Vec<Done> = o.compute.iter().map(done).collect();
                orders += tasks.len();
                events.push(Event::Finished { worker: o.worker, job, tasks });
            }
        }
        for tell in &actions.tell {
            match tell {
                Tell::Ready { task, .. } => events.push(Event::Released { job, tasks: vec![task.local] }),
                Tell::JobClosed { .. } => open = false,
                Tell::JobFailed(f) => panic!("{f:?}"),
                _ => {}
            }
        }
        actions.clear();
        assert!(!open || !events.is_empty(), "nothing happens: {:?}", core.counts());
        for event in events.drain(..) {
            now += 1_000;
            core.handle(now, event, &mut actions);
        }
        bytes = bytes.max(core.nbytes());
    }
    Cost { load, bytes, orders }
}

fn main() {
    println!(
        "{:<14} {:>9} {:>8} {:>12} {:>12} {:>11} {:>12}",
        "graph", "tasks", "workers", "load ns/task", "life ns/task", "bytes/task", "orders/task"
    );
    type Make = fn(u32) -> Vec<Block>;
    for (name, make) in
        [("independent", independent as Make), ("binary tree", tree as Make), ("levels", levels as Make)]
    {
        for workers in [2, 100, 1000] {
            for n in [10_000, 100_000, 1_000_000] {
                let graphs: Vec<_> = (0..TASKS / n).map(|_| make(n)).collect();
                let start = clock();
                let costs: Vec<Cost> = graphs.into_iter().map(|blocks| run(blocks, n, workers)).collect();
                let total = clock() - start;
                let load = costs.iter().map(|c| c.load).sum();
                let per = |d: Duration| d.as_nanos() as f64 / f64::from(TASKS);
                let c = &costs[0];
                println!(
                    "{name:<14} {n:>9} {workers:>8} {:>12.0} {:>12.0} {:>11.1} {:>12.3}",
                    per(load),
                    per(total),
                    c.bytes as f64 / f64::from(n),
                    c.orders as f64 / f64::from(n)
                );
            }
        }
    }
}
