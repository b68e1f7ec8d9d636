//! How long it takes to lower, expand, order, write and load a plan of about a million tasks.
//! `cargo run --release -p dask-plan --example plan_speed`

use dask_plan::builder::{AxisChunks, Builder, ChunkSpec, Result};
use dask_plan::columns::{i64s, u32s};
use dask_plan::plan::{Block, Body, Output, Part, Sink, Template, VERSION};
use dask_plan::program::{Binary, Draw, Instr, Int, Op, Program, Reduction, Rng};
use dask_plan::{DType, Decoder, Limits, Scalar, encode, expand, normalize_chunks};
use std::time::Instant;

fn timed<T>(what: &str, f: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let out = f();
    println!("{what:<40} {:8.1} ms", start.elapsed().as_secs_f64() * 1e3);
    out
}

/// A sum over `x + x.T` in 680 × 680 blocks: 462,400 random blocks, as many leaves, and the tree.
fn layers() -> Result<Vec<Part>> {
    let mut b = Builder::new();
    let spec = ChunkSpec::Each(vec![AxisChunks::Size(1000), AxisChunks::Size(1000)]);
    let chunks = normalize_chunks(&spec, &[680_000, 680_000], DType::Float64)?;
    let x = b.random(Rng::Pcg64 { entropy: vec![1], spawned: 0 }, Draw::Random, DType::Float64, chunks)?;
    let t = b.transpose(x, None)?;
    let y = b.binary(Binary::Add, x, t)?;
    let total = b.reduce(Reduction::Sum, y, None, false, None)?;
    b.json("total", total, None)?;
    b.finish()
}

/// A million tasks with two inputs each, after as many as they need without.
fn blocks(n: u32) -> Part {
    let template = |inputs, args, op| Template {
        name: "t".into(),
        body: Body::Program(Program { inputs, args, body: vec![Instr { op, of: (0..inputs).collect() }] }),
        nbytes: 8,
        scratch: 0,
        annotations: Default::default(),
    };
    let full = Op::Full { dtype: DType::Float64, value: Scalar::Float(1.0), shape: vec![Int::Arg(0)] };
    Part {
        version: VERSION,
        names: vec!["x".into(), "y".into()],
        templates: vec![template(0, 1, full), template(2, 0, Op::Binary(Binary::Add))],
        blocks: vec![
            Block { count: 2, ndim: 1, index: u32s(0..2), args: i64s([3, 3]), ..Block::default() },
            Block {
                count: n,
                template: 1,
                name: 1,
                ndim: 1,
                index: u32s(0..n),
                inputs: u32s((0..n).flat_map(|i| [i, i + 1])),
                ..Block::default()
            },
        ],
        outputs: vec![Output {
            name: "y".into(),
            to: Sink::Keep,
            dtype: DType::Float64,
            chunks: vec![vec![3]],
            tasks: u32s([n]),
        }],
        last: true,
        ..Part::default()
    }
}

fn main() -> Result<()> {
    let parts = timed("lower", layers)?;
    let bytes = encode(&parts).unwrap_or_default();
    println!("{:<40} {:8} bytes", "layers as a file", bytes.len());
    let tasks = dask_plan::expand::count(&parts);
    match timed(&format!("expand and order {tasks} tasks"), || expand(parts, 100_000_000)) {
        Ok(parts) => drop(parts),
        Err(e) => println!("{e}"),
    }
    let bytes = encode(&[blocks(1_000_000)]).unwrap_or_default();
    println!("{:<40} {:8} bytes", "a million tasks as a file", bytes.len());
    for _ in 0..3 {
        let loaded = timed("load it, fed at once", || {
            let mut decoder = Decoder::new(Limits::default());
            decoder.feed(&bytes);
            decoder.next_part()
        });
        if let Ok(Some(part)) = loaded {
            let sum = timed("visit its tasks", || {
                part.blocks
                    .iter()
                    .flat_map(|b| b.tasks(&part.templates))
                    .map(|t| t.inputs.len())
                    .sum::<usize>()
            });
            println!("{:<40} {sum:8}", "inputs");
        }
    }
    Ok(())
}
