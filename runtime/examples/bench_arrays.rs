//! `x + x.T` and its sum, x of 10,000 × 10,000 float64 in chunks of 1,000 × 1,000, on the embedded engine with a thread a
//! core: with x in memory, computed before the clock starts, and with x random.
//!
//! ```text
//! cargo run --release -p dask-runtime --example bench_arrays -- [--quick]
//! ```

use dask_plan::DType;
use dask_plan::columns::{i64s, u32s};
use dask_plan::plan::{Block, Body, Output, Part, Sink, Template, VERSION};
use dask_plan::program::{Binary, Draw, Instr, Int, Op, Program, Reduction, Rng};
use dask_runtime::client::Following;
use dask_runtime::embedded::{self, Embedded};
use dask_runtime::scheduler::{JobEvent, Opened};
use std::time::{Duration, Instant};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CHUNK: usize = 1_000;
const BLOCKS: u32 = 10;
const TASKS: u32 = BLOCKS * BLOCKS;

fn template(name: &str, inputs: u32, args: u32, body: Vec<(Op, Vec<u32>)>, nbytes: u64) -> Template {
    let body = body.into_iter().map(|(op, of)| Instr { op, of }).collect();
    Template {
        name: name.into(),
        body: Body::Program(Program { inputs, args, body }),
        nbytes,
        scratch: 0,
        annotations: Default::default(),
    }
}

fn grid_index() -> Vec<u8> {
    u32s((0..TASKS).flat_map(|t| [t / BLOCKS, t % BLOCKS]))
}

fn output(name: &str, to: Sink, tasks: impl IntoIterator<Item = u32>) -> Output {
    Output { name: name.into(), to, dtype: DType::Float64, chunks: vec![], tasks: u32s(tasks) }
}

/// Tasks 0..100: the blocks of x.
fn random(keep: bool) -> Part {
    let rng = Rng::Pcg64 { entropy: vec![42], spawned: 0 };
    let shape = vec![Int::from(CHUNK); 2];
    let op = Op::Random { rng, draw: Draw::Random, dtype: DType::Float64, block: Int::Arg(0), shape };
    let block = Block {
        count: TASKS,
        ndim: 2,
        index: grid_index(),
        args: i64s((0..TASKS).map(i64::from)),
        ..Block::default()
    };
    Part {
        version: VERSION,
        names: vec!["x".into(), "y".into(), "total".into()],
        templates: vec![template("random", 0, 1, vec![(op, vec![])], (CHUNK * CHUNK * 8) as u64)],
        blocks: vec![block],
        outputs: if keep { vec![output("x", Sink::Keep, 0..TASKS)] } else { vec![] },
        ..Part::default()
    }
}

/// Tasks 100..200: blocks of `x + x.T`, or their sums; then the total.
fn transpose_sum(sum: bool) -> Part {
    let mut body = vec![(Op::Transpose { axes: vec![1, 0] }, vec![1]), (Op::Binary(Binary::Add), vec![0, 2])];
    let reduce = Op::Reduce { f: Reduction::Sum, axes: vec![0, 1], dtype: DType::Float64 };
    let nbytes = if sum { 8 } else { CHUNK * CHUNK * 8 } as u64;
    if sum {
        body.push((reduce.clone(), vec![3]));
    }
    let blocks = Block {
        count: TASKS,
        template: 1,
        name: 1,
        ndim: 2,
        index: grid_index(),
        inputs: u32s((0..TASKS).flat_map(|t| [t, t % BLOCKS * BLOCKS + t / BLOCKS])),
        ..Block::default()
    };
    let mut part = Part {
        version: VERSION,
        templates: vec![template("add", 2, 0, body, nbytes)],
        blocks: vec![blocks],
        last: true,
        ..Part::default()
    };
    if sum {
        let join = Op::Assemble { grid: vec![BLOCKS; 2] };
        let body = vec![(join, (0..TASKS).collect()), (reduce, vec![TASKS])];
        part.templates.push(template("total", TASKS, 0, body, 8));
        let total =
            Block { count: 1, template: 2, name: 2, inputs: u32s(TASKS..2 * TASKS), ..Block::default() };
        part.blocks.push(total);
        part.outputs = vec![output("total", Sink::Json { path: None }, [2 * TASKS])];
    } else {
        part.outputs = vec![output("y", Sink::Keep, TASKS..2 * TASKS)];
    }
    part
}

/// Runs the second part, after the first if x is to be in memory; returns the time of what is measured and the total.
async fn measure(engine: &Embedded, run: usize, in_memory: bool, sum: bool) -> (Duration, f64) {
    let Ok(Opened::New(job)) =
        engine.hub.with(|s| s.open(&format!("{in_memory}-{sum}-{run}"), None, 0, false))
    else {
        panic!("a new job");
    };
    let mut following = Following::local(&engine.hub, job);
    let mut from = Instant::now();
    engine.hub.with(|s| s.add_part(job, random(in_memory)));
    if in_memory {
        while engine.hub.with(|s| s.view(job)).is_some_and(|v| v.progress.done < u64::from(TASKS)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        from = Instant::now();
    }
    engine.hub.with(|s| s.add_part(job, transpose_sum(sum)));
    let mut total = f64::NAN;
    let time = loop {
        match following.events.recv().await.expect("an event").expect("an event") {
            JobEvent::Result { value, .. } => total = value.array().expect("an array").view::<f64>().sum(),
            JobEvent::Done(_) => break from.elapsed(),
            JobEvent::Failed { error, .. } => panic!("{error}"),
            _ => {}
        }
    };
    engine.hub.with(|s| s.forget(job));
    (time, total)
}

#[tokio::main]
async fn main() {
    let runs = if std::env::args().any(|a| a == "--quick") { 1 } else { 7 };
    let (threads, memory_limit) = embedded::defaults();
    let options = embedded::Options {
        threads,
        memory_limit,
        data_dirs: vec![],
        small_bytes: embedded::SMALL,
        lane: None,
    };
    let engine = Embedded::start(options).expect("the engine starts");
    let mut totals = vec![];
    for (name, in_memory, sum) in [("add", true, false), ("sum", true, true), ("random_sum", false, true)] {
        let mut times = vec![];
        // The first run touches fresh memory and is not counted.
        for run in 0..=runs {
            let (time, total) = measure(&engine, run, in_memory, sum).await;
            times.push(time);
            if sum {
                totals.push(total);
            }
        }
        times.remove(0);
        times.sort();
        println!("{name}: {:.4} s", times[times.len() / 2].as_secs_f64());
    }
    assert!(
        totals.iter().all(|t| t.to_bits() == totals[0].to_bits()),
        "every run gives the same bits: {totals:?}"
    );
    println!("total: {}", totals[0]);
}
