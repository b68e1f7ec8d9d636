//! What a task costs beside its own work: over TCP with two worker processes, embedded, and one task alone.
//!
//! ```text
//! cargo build --release -p dask-runtime --bins --examples
//! target/release/examples/bench_overhead [tasks] [repetitions]
//! ```
//!
//! Half of the tasks have no input, the others add them up in a binary tree. Every task is explicit in the plan and is
//! dispatched, run and acknowledged through the core. Time is from the client's first byte to its last completion.

use dask_plan::columns::u32s;
use dask_plan::dtype::Scalar;
use dask_plan::plan::{Block, Body, Output, Part, Sink, Template, VERSION};
use dask_plan::program::{Binary, Instr, Op, Program};
use dask_plan::{DType, encode};
use dask_runtime::client::{Client, Following};
use dask_runtime::embedded::{self, Embedded};
use dask_runtime::net::{Address, message::Submit};
use dask_runtime::scheduler::{JobEvent, Opened};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn program(inputs: u32, op: Op) -> Body {
    let body = vec![Instr { op, of: (0..inputs).collect() }];
    Body::Program(Program { inputs, args: 0, body })
}

/// `leaves` ones, added up in a binary tree.
fn plan(leaves: u32) -> Part {
    let one = Op::Full { dtype: DType::Float64, value: Scalar::Float(1.0), shape: vec![] };
    let template = |name: &str, body| Template {
        name: name.into(),
        body,
        nbytes: 8,
        scratch: 0,
        annotations: Default::default(),
    };
    let block = |template, count, inputs| Block {
        count,
        template,
        name: template,
        ndim: 1,
        index: u32s(0..count),
        inputs: u32s(inputs),
        ..Block::default()
    };
    let mut blocks = vec![block(0, leaves, 0..0)];
    let (mut from, mut to) = (0, leaves);
    while to - from > 1 {
        // An odd one is added to the next level's last.
        let pairs = (to - from) / 2;
        blocks.push(block(1, pairs, from..from + 2 * pairs));
        (from, to) = (from + 2 * pairs, to + pairs);
    }
    Part {
        version: VERSION,
        names: vec!["leaf".into(), "sum".into()],
        templates: vec![
            template("one", program(0, one)),
            template("add", program(2, Op::Binary(Binary::Add))),
        ],
        blocks,
        outputs: vec![Output {
            name: "total".into(),
            to: Sink::Json { path: None },
            dtype: DType::Float64,
            chunks: vec![],
            tasks: u32s([to - 1]),
        }],
        last: true,
        ..Part::default()
    }
}

/// Waits for the end; returns the total.
fn check(event: JobEvent, leaves: u32) -> bool {
    match event {
        JobEvent::Result { value, .. } => {
            let total = value.array().map(|c| c.item::<f64>());
            assert_eq!(total, Some(f64::from(leaves)), "the total");
            false
        }
        JobEvent::Done(_) => true,
        JobEvent::Failed { error, .. } => panic!("the job failed: {error}"),
        _ => false,
    }
}

async fn remote(client: &mut Client, id: String, bytes: &[u8], leaves: u32) -> Duration {
    let from = Instant::now();
    let submit = Submit { id, max_tasks: u64::MAX, attach: true, ..Submit::default() };
    client.submit(submit, bytes).await.expect("submitted");
    while !check(client.event().await.expect("an event"), leaves) {}
    from.elapsed()
}

async fn local(engine: &Embedded, id: String, part: Part, leaves: u32) -> Duration {
    let from = Instant::now();
    let Ok(Opened::New(job)) = engine.hub.with(|s| s.open(&id, None, 0, false)) else {
        panic!("job {id} is new")
    };
    let mut following = Following::local(&engine.hub, job);
    engine.hub.with(|s| s.add_part(job, part));
    loop {
        let event = following.events.recv().await.expect("an event").expect("an event");
        if check(event, leaves) {
            return from.elapsed();
        }
    }
}

/// A process that is ended when it is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a process of the binary beside this example; returns it and its first line.
fn start(args: &[&str]) -> (Process, String) {
    let me = std::env::current_exe().expect("a path");
    let binary = me.ancestors().nth(2).expect("target/<profile>").join("dask-runtime");
    let mut child = Command::new(&binary).args(args).stdout(Stdio::piped()).spawn().unwrap_or_else(|e| {
        panic!("{}: {e}; build it with `cargo build --release -p dask-runtime`", binary.display())
    });
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    (Process(child), line)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn report(name: &str, times: Vec<Duration>, tasks: usize) {
    let all: Vec<String> =
        times.iter().map(|t| format!("{:.2}", t.as_secs_f64() * 1e6 / tasks as f64)).collect();
    let mid = median(times).as_secs_f64() * 1e6 / tasks as f64;
    println!("{name:<44} {mid:>8.2} µs/task   ({})", all.join(" "));
}

fn main() {
    let mut args = std::env::args().skip(1).map(|a| a.parse::<u32>().expect("a number"));
    let tasks = args.next().unwrap_or(100_000);
    let repetitions = args.next().unwrap_or(5);
    let leaves = tasks.div_ceil(2);
    let part = plan(leaves);
    let count: u32 = part.blocks.iter().map(|b| b.count).sum();
    let bytes = encode(std::slice::from_ref(&part)).expect("a plan");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");

    runtime.block_on(async {
        let (threads, memory_limit) = embedded::defaults();
        let engine = Embedded::start(embedded::Options {
            threads,
            memory_limit,
            data_dirs: vec![],
            small_bytes: embedded::SMALL,
            lane: None,
        })
        .expect("an engine");
        let mut times = vec![];
        for n in 0..=repetitions {
            times.push(local(&engine, format!("many-{n}"), part.clone(), leaves).await);
        }
        report(&format!("embedded, {count} tasks, {threads} threads"), times.split_off(1), count as usize);
        let mut times = vec![];
        for n in 0..200 {
            times.push(local(&engine, format!("one-{n}"), plan(1), 1).await);
        }
        report("embedded, one task alone", vec![median(times)], 1);
    });

    let (_scheduler, line) = start(&["scheduler", "--port", "0", "--http-port", "0", "--log", "warn"]);
    let address = line.split_whitespace().find(|w| w.starts_with("tcp://")).expect("an address").to_string();
    let worker = |n: u32| {
        let name = format!("w{n}");
        start(&["worker", &address, "--name", &name, "--threads", "1", "--http-port", "0", "--log", "warn"])
    };
    let _workers = [worker(0), worker(1)];
    std::thread::sleep(Duration::from_millis(500));
    let address: Address = address.parse().expect("an address");
    runtime.block_on(async {
        let mut client = Client::connect(&address).await.expect("a connection");
        let mut times = vec![];
        for n in 0..=repetitions {
            times.push(remote(&mut client, format!("many-{n}"), &bytes, leaves).await);
        }
        report(&format!("TCP, {count} tasks, 2 workers"), times.split_off(1), count as usize);
        let one = encode(&[plan(1)]).expect("a plan");
        let mut times = vec![];
        for n in 0..300 {
            times.push(remote(&mut client, format!("one-{n}"), &one, 1).await);
        }
        report("TCP, one task, submit to result", vec![median(times)], 1);
    });
}
