//! What small graphs are lowered to: plans as text, in `tests/plans`. `UPDATE_PLANS=1 cargo test` writes them anew; read
//! the difference before it is committed.
#![allow(clippy::unwrap_used, clippy::type_complexity, reason = "helpers of tests and tables of cases")]

use dask_plan::builder::{Array, AxisChunks, Builder, ChunkSpec, Index, Nested, Result};
use dask_plan::program::{Binary, Boundary, Cumulative, Draw, Reduction, Rng, Unary};
use dask_plan::text::Text;
use dask_plan::{DType, Scalar, normalize_chunks};

fn random(b: &mut Builder, shape: &[u64], chunks: &[u64]) -> Array {
    let spec = ChunkSpec::Each(chunks.iter().map(|&c| AxisChunks::Size(c)).collect());
    let chunks = normalize_chunks(&spec, shape, DType::Float64).unwrap();
    b.random(Rng::Pcg64 { entropy: vec![42], spawned: 0 }, Draw::Random, DType::Float64, chunks).unwrap()
}

/// Compares with the stored plan, and returns the number of tasks after expansion.
fn plan(name: &str, build: impl FnOnce(&mut Builder) -> Result<()>) -> u64 {
    let mut b = Builder::new();
    build(&mut b).unwrap();
    let counted = b.tasks();
    let parts = b.finish().unwrap();
    let text = Text(&parts).to_string();
    let path = format!("{}/tests/plans/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_PLANS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, stored, "{name} is lowered differently");
    let n = dask_plan::expand::count(&dask_plan::expand(parts, 1 << 20).unwrap());
    assert!(u128::from(n) <= counted, "{n} tasks, {counted} counted");
    n
}

#[test]
fn every_random_block_is_made_once_and_a_summary_asks_for_corners_only() {
    let tasks = plan("transpose_sum", |b| {
        let x = random(b, &[3000, 3000], &[1000, 1000]);
        let t = b.transpose(x, None)?;
        let y = b.binary(Binary::Add, x, t)?;
        let total = b.reduce(Reduction::Sum, y, None, false, None)?;
        b.print("y", y)?;
        b.print("total", total)
    });
    // Blocks, leaves, the tree; then cuts of corners, their sums, and the printed block.
    assert_eq!(tasks, 9 + 9 + 1 + 4 + 4 + 1);
}

#[test]
fn chains_are_one_task_a_block() {
    let tasks = plan("chain", |b| {
        let x = random(b, &[4, 10], &[2, 4]);
        let y = b.binary(Binary::Multiply, x, Scalar::Int(2))?;
        let y = b.unary(Unary::Exp, y)?;
        let part = [Index::Ellipsis, Index::Slice { start: Some(3), stop: None, step: Some(2) }];
        let y = b.index(y, &part)?;
        b.npy("y", y, "y.npy")
    });
    assert_eq!(tasks, 2 * 3);
}

#[test]
fn means_and_deviations_share_what_they_read() {
    let tasks = plan("normalise", |b| {
        let x = random(b, &[10, 9], &[4, 3]);
        let mean = b.mean(x, Some(&[0]), false, None, false)?;
        let std = b.var(x, Some(&[0]), false, 0.0, true, false, None)?;
        let z = b.binary(Binary::Subtract, x, mean)?;
        let z = b.binary(Binary::Divide, z, std)?;
        b.zarr("z", z, "z.zarr")
    });
    assert_eq!(tasks, 9 + 9 + 3 + 9 + 3 + 1 + 9);
}

#[test]
fn only_needed_blocks_are_made() {
    let tasks = plan("culled", |b| {
        let x = random(b, &[100, 100], &[10, 10]);
        let t = b.transpose(x, None)?;
        let y = b.binary(Binary::Add, x, t)?;
        let y = b.index(y, &[Index::Int(25), Index::Slice { start: None, stop: Some(20), step: None }])?;
        b.json("y", y, None)
    });
    // Blocks (2, 0), (2, 1) and (0, 2), (1, 2), found as the product (0, 1, 2) x (0, 1, 2) and culled when expanded.
    assert_eq!(tasks, 2 + 4);
}

#[test]
fn overlapping_blocks_have_programs_by_place() {
    plan("overlap", |b| {
        let x = random(b, &[9, 4], &[3, 4]);
        let y = b.map_overlap(x, &[1, 0], &[Some(Boundary::Reflect), None], &mut |b, a| {
            let up = b.roll(a, &[1], Some(&[0]))?;
            let down = b.roll(a, &[-1], Some(&[0]))?;
            let sum = b.binary(Binary::Add, up, down)?;
            b.binary(Binary::Add, sum, a)
        })?;
        let y = b.reduce(Reduction::Max, y, None, false, None)?;
        b.json("y", y, None)
    });
}

#[test]
fn products_and_running_sums() {
    plan("matmul", |b| {
        let x = random(b, &[4, 6], &[2, 3]);
        let t = b.transpose(x, None)?;
        let y = b.matmul(x, t)?;
        let y = b.cumulative(Cumulative::Sum, y, Some(0), None, false)?;
        b.keep("y", y)
    });
}

#[test]
fn blocks_of_several_arrays() {
    plan("block", |b| {
        let x = random(b, &[2, 2], &[2, 2]);
        let one = b.full(Scalar::Int(1), DType::Int64, vec![vec![2], vec![2]])?;
        let row = |l: [Array; 2]| Nested::List(l.map(Nested::Array).to_vec());
        let y = b.block(&Nested::List(vec![row([x, one]), row([one, x])]))?;
        b.print("y", y)
    });
}
