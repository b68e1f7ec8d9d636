//! What it takes to load a plan of a million explicit tasks with two inputs into a scheduler: decoding, checking, adding to
//! the core; and the memory that the scheduler then needs for each task.
//!
//! ```text
//! cargo run --release -p dask-runtime --example load_plan
//! ```

use dask_plan::columns::u32s;
use dask_plan::plan::{Block, Body, Output, Part, Sink, Template, VERSION};
use dask_plan::program::{Binary, Instr, Op, Program};
use dask_plan::{DType, Decoder, Limits, Scalar, encode};
use dask_runtime::scheduler::{Hub, Opened, Settings};
use std::time::Instant;

const TASKS: u32 = 1_000_000;

fn plan() -> Part {
    let program = |inputs, op| {
        Body::Program(Program { inputs, args: 0, body: vec![Instr { op, of: (0..inputs).collect() }] })
    };
    let one = Op::Full { dtype: DType::Float64, value: Scalar::Float(1.0), shape: vec![] };
    let template = |name: &str, body| Template {
        name: name.into(),
        body,
        nbytes: 8,
        scratch: 0,
        annotations: Default::default(),
    };
    let pairs = (2..TASKS).flat_map(|t| [t - 2, t / 2]);
    Part {
        version: VERSION,
        names: vec!["one".into(), "add".into()],
        templates: vec![
            template("one", program(0, one)),
            template("add", program(2, Op::Binary(Binary::Add))),
        ],
        blocks: vec![
            Block { count: 2, ndim: 1, index: u32s(0..2), ..Block::default() },
            Block {
                count: TASKS - 2,
                template: 1,
                name: 1,
                ndim: 1,
                index: u32s(2..TASKS),
                inputs: u32s(pairs),
                ..Block::default()
            },
        ],
        outputs: vec![Output {
            name: "last".into(),
            to: Sink::Keep,
            dtype: DType::Float64,
            chunks: vec![],
            tasks: u32s([TASKS - 1]),
        }],
        last: true,
        ..Part::default()
    }
}

/// Resident memory of this process in bytes.
fn resident() -> f64 {
    let pages =
        std::fs::read_to_string("/proc/self/statm").ok().and_then(|s| s.split(' ').nth(1)?.parse().ok());
    pages.unwrap_or(f64::NAN) * 4096.0
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let bytes = encode(&[plan()]).expect("a plan that can be written");
    let hub = Hub::new(Settings::default(), tokio::runtime::Handle::current());
    let mut times = vec![];
    let mut per_task = 0.0;
    for run in 0..6 {
        let before = resident();
        let from = Instant::now();
        let mut decoder = Decoder::new(Limits::default());
        decoder.feed(&bytes);
        let part = decoder.next_part().expect("a valid plan").expect("a whole part");
        let decoded = from.elapsed();
        drop(decoder);
        let Ok(Opened::New(job)) = hub.with(|s| s.open(&format!("load-{run}"), None, 0, false)) else {
            panic!("a new job");
        };
        hub.with(|s| s.add_part(job, part));
        times.push((from.elapsed(), decoded));
        if run == 0 {
            per_task = (resident() - before) / f64::from(TASKS);
        }
        hub.with(|s| {
            s.end(job, false, "measured".into());
            s.forget(job);
        });
    }
    times.remove(0);
    times.sort();
    let (whole, decoded) = times[times.len() / 2];
    println!("plan of {TASKS} tasks: {:.1} bytes a task", bytes.len() as f64 / f64::from(TASKS));
    println!(
        "loading: {:.3} s, of which decoding and checking: {:.3} s",
        whole.as_secs_f64(),
        decoded.as_secs_f64()
    );
    println!("memory: {per_task:.0} bytes a task");
}
