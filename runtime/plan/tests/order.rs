//! The static order keeps few blocks in memory, whatever the size of the array.
#![allow(clippy::unwrap_used, clippy::type_complexity, reason = "helpers of tests and tables of cases")]

use dask_plan::builder::{Array, AxisChunks, Builder, ChunkSpec, Index};
use dask_plan::expand;
use dask_plan::order::{Graph, peak};
use dask_plan::program::{Binary, Cumulative, Draw, Reduction, Rng};
use dask_plan::{DType, normalize_chunks};

const BLOCK: u64 = 8_000_000;

fn random(b: &mut Builder, shape: &[u64], chunks: &[u64]) -> Array {
    let spec = ChunkSpec::Each(chunks.iter().map(|&c| AxisChunks::Size(c)).collect());
    let chunks = normalize_chunks(&spec, shape, DType::Float64).unwrap();
    b.random(Rng::Pcg64 { entropy: vec![42], spawned: 0 }, Draw::Random, DType::Float64, chunks).unwrap()
}

/// Tasks, and the most blocks of 8 MB that are held when tasks run one at a time in static order.
fn run(build: impl FnOnce(&mut Builder) -> Array) -> (usize, f64) {
    let mut b = Builder::new();
    let out = build(&mut b);
    let out = b.reduce(Reduction::Sum, out, None, false, None).unwrap();
    b.json("out", out, None).unwrap();
    let counted = b.tasks();
    let parts = expand(b.finish().unwrap(), 100_000_000).unwrap();
    let (mut starts, mut inputs, mut bytes) = (vec![0u32], vec![], vec![]);
    for part in &parts {
        for block in &part.blocks {
            for task in block.tasks(&part.templates) {
                inputs.extend(task.inputs.iter());
                starts.push(inputs.len() as u32);
                bytes.push(part.templates[task.template as usize].nbytes);
            }
        }
    }
    let n = bytes.len();
    assert!(n as u128 <= counted, "{n} tasks, {counted} counted");
    let order: Vec<u32> = (0..n as u32).collect();
    let (held, _) = peak(Graph { starts: &starts, inputs: &inputs }, |t| bytes[t as usize], &order);
    (n, held as f64 / BLOCK as f64)
}

#[test]
fn transpose_sum_holds_a_pair_of_blocks() {
    let (tasks, blocks) = run(|b| {
        let x = random(b, &[60_000, 60_000], &[1000, 1000]);
        let t = b.transpose(x, None).unwrap();
        b.binary(Binary::Add, x, t).unwrap()
    });
    assert_eq!(tasks, 3600 + 3600 + 225 + 16 + 1);
    assert!(blocks < 4.0, "{blocks}");
}

#[test]
fn tree_reductions_hold_a_few_blocks() {
    let (_, blocks) = run(|b| random(b, &[100_000, 10_000], &[1000, 1000]));
    assert!(blocks < 2.0, "{blocks}");
    // Columns: every partial sum is a thousandth of a block.
    let (_, blocks) = run(|b| {
        let x = random(b, &[100_000, 10_000], &[1000, 1000]);
        let m = b.reduce(Reduction::Max, x, Some(&[0]), true, None).unwrap();
        b.unary(dask_plan::program::Unary::Exp, m).unwrap()
    });
    assert!(blocks < 2.0, "{blocks}");
}

#[test]
fn running_sums_hold_a_few_blocks() {
    let (_, blocks) = run(|b| {
        let x = random(b, &[100_000, 4000], &[1000, 1000]);
        b.cumulative(Cumulative::Sum, x, Some(0), None, false).unwrap()
    });
    assert!(blocks < 6.0, "{blocks}");
}

#[test]
fn rechunking_holds_the_blocks_that_overlap() {
    let (_, blocks) = run(|b| {
        let x = random(b, &[40_000, 10_000], &[1000, 1000]);
        let spec = ChunkSpec::Each(vec![AxisChunks::Size(1500), AxisChunks::Size(1500)]);
        b.rechunk(x, &spec).unwrap()
    });
    // Two rows of ten blocks at most, and what is made of them.
    assert!(blocks < 26.0, "{blocks}");
}

#[test]
fn overlap_holds_three_rows() {
    // Three rows of ten blocks, while the middle one is used, and what is read ahead.
    let (_, blocks) = run(|b| {
        let x = random(b, &[40_000, 10_000], &[1000, 1000]);
        b.map_overlap(x, &[1, 1], &[None, None], &mut |b, a| {
            let up = b.roll(a, &[1], Some(&[0]))?;
            b.binary(Binary::Add, a, up)
        })
        .unwrap()
    });
    assert!(blocks < 40.0, "{blocks}");
}

#[test]
fn a_product_holds_one_operand_and_a_row() {
    let (_, blocks) = run(|b| {
        let x = random(b, &[20_000, 4000], &[1000, 1000]);
        let y = random(b, &[4000, 4000], &[1000, 1000]);
        b.matmul(x, y).unwrap()
    });
    // All 16 blocks of the small operand, a row of the large one, a few products.
    assert!(blocks < 30.0, "{blocks}");
}

#[test]
fn unaligned_slices_hold_a_few_blocks() {
    let (_, blocks) = run(|b| {
        let x = random(b, &[100_000, 1000], &[1000, 1000]);
        let part = |start, stop| vec![Index::Slice { start, stop, step: None }];
        let late = b.index(x, &part(Some(1), None)).unwrap();
        let early = b.index(x, &part(None, Some(-1))).unwrap();
        b.binary(Binary::Subtract, late, early).unwrap()
    });
    assert!(blocks < 6.0, "{blocks}");
}
