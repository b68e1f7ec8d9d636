//! What graphs are lowered to.

use dask_plan::builder::{Array, AxisChunks, Builder, ChunkSpec};
use dask_plan::program::{Binary, Draw, Reduction, Rng, Unary};
use dask_plan::text::Text;
use dask_plan::{DType, normalize_chunks};

fn random(b: &mut Builder, shape: &[u64], chunks: &[u64]) -> Array {
    let spec = ChunkSpec::Each(chunks.iter().map(|&c| AxisChunks::Size(c)).collect());
    let chunks = normalize_chunks(&spec, shape, DType::Float64).unwrap();
    b.random(Rng::Pcg64 { entropy: vec![42], spawned: 0 }, Draw::Random, DType::Float64, chunks).unwrap()
}

#[test]
fn dump() {
    let mut b = Builder::new();
    let x = random(&mut b, &[10000, 10000], &[1000, 1000]);
    let t = b.transpose(x, None).unwrap();
    let y = b.binary(Binary::Add, x, t).unwrap();
    let s = b.reduce(Reduction::Sum, y, None, false, None).unwrap();
    b.print("y", y).unwrap();
    b.print("total", s).unwrap();
    println!("{} tasks", b.tasks());
    let parts = b.finish().unwrap();
    println!("{}", Text(&parts));
    let parts = dask_plan::expand(parts, 1 << 30).unwrap();
    println!("{}", Text(&parts));
}

#[test]
fn dump2() {
    let mut b = Builder::new();
    let x = random(&mut b, &[10, 9], &[4, 3]);
    let m = b.mean(x, Some(&[0]), false, None, false).unwrap();
    let sd = b.var(x, Some(&[0]), false, 0.0, true, false, None).unwrap();
    let d = b.binary(Binary::Subtract, x, m).unwrap();
    let z = b.binary(Binary::Divide, d, sd).unwrap();
    let z = b.unary(Unary::Exp, z).unwrap();
    b.zarr("z", z, "z.zarr").unwrap();
    let r = b.roll(x, &[2, 1], Some(&[0, 1])).unwrap();
    b.json("r", r, None).unwrap();
    let parts = b.finish().unwrap();
    println!("{}", Text(&parts));
    dask_plan::expand(parts, 1 << 30).unwrap();
}
