//! Speed of kernels on this machine: nanoseconds an element for functions in cache, and gigabytes a second for what memory
//! bounds, beside a copy's.
//!
//! `cargo run --release -p dask-array --example kernels`

use dask_array::{Chunk, Context, DType, Prepared, Value};
use dask_plan::infer::numpy_name;
use dask_plan::program::{Binary, Instr, Op, Program, Reduction, Unary};
use std::time::Instant;

/// Seconds of the fastest of several runs of `f`.
fn best(runs: usize, mut f: impl FnMut()) -> f64 {
    (0..runs)
        .map(|_| {
            let start = Instant::now();
            f();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

fn program(inputs: u32, body: &[(Op, &[u32])]) -> Prepared {
    let body = body.iter().map(|(op, of)| Instr { op: op.clone(), of: of.to_vec() }).collect();
    Prepared::new(Program { inputs, args: 0, body }).expect("a valid program")
}

fn run(program: &Prepared, inputs: &[&Chunk]) -> Value {
    let inputs = inputs.iter().map(|&c| Value::Array(c.clone())).collect();
    program.run(inputs, &[], &Context::default()).expect("a program that runs")
}

fn main() {
    let numbers = |n: usize, low: f64, high: f64| -> Vec<f64> {
        (0..n as u64)
            .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / (1u64 << 53) as f64)
            .map(|u| low + u * (high - low))
            .collect()
    };

    println!("functions of float64 in cache, ns/element");
    use Unary::*;
    let n = 64 << 10;
    for f in [
        Sqrt, Exp, Exp2, Expm1, Log, Log2, Log10, Log1p, Sin, Cos, Tan, Arcsin, Arccos, Arctan, Sinh, Cosh,
        Tanh, Arcsinh, Arccosh, Arctanh, Cbrt,
    ] {
        let (low, high) = match f {
            Arcsin | Arccos | Arctanh => (-0.99, 0.99),
            Arccosh => (1.0, 11.0),
            _ => (0.0, 10.0),
        };
        // Reduced, so that only one array is read and none is written.
        let x = Chunk::from_slice(&[n], &numbers(n, low, high));
        let alone =
            program(1, &[(Op::Reduce { f: Reduction::Max, axes: vec![0], dtype: DType::Float64 }, &[0])]);
        let both = program(
            1,
            &[
                (Op::Unary(f), &[0]),
                (Op::Reduce { f: Reduction::Max, axes: vec![0], dtype: DType::Float64 }, &[1]),
            ],
        );
        let time = |p: &Prepared| best(300, || drop(run(p, &[&x])));
        println!("  {:10} {:6.2}", numpy_name(&f), (time(&both) - time(&alone)) / n as f64 * 1e9);
    }
    let (a, b) =
        (Chunk::from_slice(&[n], &numbers(n, 0.1, 10.0)), Chunk::from_slice(&[n], &numbers(n, -3.0, 3.0)));
    for f in [Binary::Add, Binary::Power, Binary::Arctan2, Binary::Hypot] {
        let alone =
            program(1, &[(Op::Reduce { f: Reduction::Max, axes: vec![0], dtype: DType::Float64 }, &[0])]);
        let both = program(
            2,
            &[
                (Op::Binary(f), &[0, 1]),
                (Op::Reduce { f: Reduction::Max, axes: vec![0], dtype: DType::Float64 }, &[2]),
            ],
        );
        let time = best(300, || drop(run(&both, &[&a, &b]))) - best(300, || drop(run(&alone, &[&a])));
        println!("  {:10} {:6.2}", numpy_name(&f), time / n as f64 * 1e9);
    }

    println!("float64 in memory, GB/s of what is read and written");
    // More blocks than fit a cache, each met again only after all others.
    let (side, count) = (1000, 24);
    let blocks: Vec<Chunk> =
        (0..count).map(|_| Chunk::from_slice(&[side, side], &numbers(side * side, 0.0, 1.0))).collect();
    let bytes = (side * side * 8) as f64;
    let report = |name: &str, traffic: f64, f: &mut dyn FnMut(usize)| {
        let time = best(7, || (0..count).for_each(&mut *f));
        let gigabytes = traffic * bytes * count as f64 / 1e9;
        println!(
            "  {name:16} {:6.1}   {:6.3} ms a block of {side} x {side}",
            gigabytes / time,
            time / count as f64 * 1e3
        );
    };
    let mut target = vec![0.0; side * side];
    report("copy", 2.0, &mut |i| target.copy_from_slice(blocks[i].as_slice().expect("contiguous")));
    let transpose = Op::Transpose { axes: vec![1, 0] };
    let add = Op::Binary(Binary::Add);
    let sum = |axes: &[u32]| Op::Reduce { f: Reduction::Sum, axes: axes.to_vec(), dtype: DType::Float64 };
    let pair = |p: &Prepared, i: usize| drop(run(p, &[&blocks[i], &blocks[(i + count / 2) % count]]));
    let p = program(2, &[(add.clone(), &[0, 1])]);
    report("x + y", 3.0, &mut |i| pair(&p, i));
    let p = program(2, &[(transpose.clone(), &[1]), (add.clone(), &[0, 2])]);
    report("x + y.T", 3.0, &mut |i| pair(&p, i));
    let p = program(2, &[(transpose.clone(), &[1]), (add.clone(), &[0, 2]), (sum(&[0, 1]), &[3])]);
    report("(x + y.T).sum()", 2.0, &mut |i| pair(&p, i));
    for (name, axes) in [("x.sum()", &[0, 1][..]), ("x.sum(0)", &[0]), ("x.sum(1)", &[1])] {
        let p = program(1, &[(sum(axes), &[0])]);
        report(name, 1.0, &mut |i| drop(run(&p, &[&blocks[i]])));
    }
    let p = program(1, &[(transpose, &[0]), (sum(&[1]), &[1])]);
    report("x.T.sum(1)", 1.0, &mut |i| drop(run(&p, &[&blocks[i]])));
}
