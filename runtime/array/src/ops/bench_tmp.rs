use super::run;
use crate::chunk::Chunk;
use crate::run::Context;
use crate::value::Value;
use crate::{DType, Scalar};
use dask_plan::program::{Draw, Int, Op, Rng};

#[test]
#[ignore]
fn bench_tmp() {
    use std::time::Instant;
    let best = |name: &str, n: f64, f: &mut dyn FnMut()| {
        let mut b = f64::MAX;
        for _ in 0..9 {
            let t = Instant::now();
            f();
            b = b.min(t.elapsed().as_secs_f64());
        }
        println!("{name}: {:.3} ns/item, {:.3} ms", b * 1e9 / n, b * 1e3);
    };
    let n = 1 << 20;
    let lit = |i: i64| Int::Lit(i);
    let ctx = Context::default();
    let pcg = Rng::Pcg64 { entropy: vec![1], spawned: 0 };
    let mt = Rng::Mt19937 { seed: 1, spawned: 0 };
    let mut tile = vec![0.0; 4096];
    let mut s = crate::random::RandomStream::new(&pcg, 0, &ctx).unwrap();
    best("pcg tile", n as f64, &mut || (0..256).for_each(|_| s.fill(&mut tile)));
    for (name, rng, draw, dtype) in [
        ("pcg f64", &pcg, Draw::Random, DType::Float64),
        ("pcg f32", &pcg, Draw::Random, DType::Float32),
        ("pcg normal", &pcg, Draw::StandardNormal, DType::Float64),
        ("pcg int", &pcg, Draw::Integers { low: 0, high: 100 }, DType::Int64),
        ("pcg u8", &pcg, Draw::Integers { low: 0, high: 100 }, DType::UInt8),
        ("mt f64", &mt, Draw::Random, DType::Float64),
    ] {
        let op = Op::Random { rng: rng.clone(), draw, dtype, block: lit(0), shape: vec![lit(n)] };
        best(name, n as f64, &mut || drop(run(&op, vec![], &[], &ctx).unwrap()));
    }
    for dtype in [DType::Float64, DType::Float32, DType::UInt8] {
        for m in [1000i64, 1024] {
            let x = run(&Op::Full { dtype, value: Scalar::Int(1), shape: vec![lit(m), lit(m)] }, vec![], &[], &ctx).unwrap();
            let x = x.array().unwrap().to_contiguous();
            best(&format!("transpose copy {dtype} {m}"), (m * m) as f64, &mut || drop(x.transpose(&[1, 0]).to_contiguous()));
            best("  plain copy", (m * m) as f64, &mut || drop(crate::copy::contiguous(&x)));
        }
    }
    for dtype in [DType::Float64, DType::Float32, DType::Int64, DType::Int32, DType::Bool, DType::Complex128] {
        let m = 500;
        let x = run(&Op::Eye { dtype, k: 0, row: lit(0), col: lit(0), shape: [lit(m), lit(m)] }, vec![], &[], &ctx).unwrap();
        let x = x.array().unwrap();
        let t = x.transpose(&[1, 0]);
        best(&format!("matmul {dtype}"), (m * m * m) as f64, &mut || drop(run(&Op::MatMul, vec![x.clone().into(), x.clone().into()], &[], &ctx)));
        best("  a.T @ b", (m * m * m) as f64, &mut || drop(run(&Op::MatMul, vec![t.clone().into(), x.clone().into()], &[], &ctx)));
    }
    let x: Value = s_chunk(&pcg, n).into();
    let edges: Vec<f64> = (0..=100).map(|i| f64::from(i) / 100.0).collect();
    let edges: Value = Chunk::from_slice(&[101], &edges).into();
    best("histogram", n as f64, &mut || drop(run(&Op::Histogram { weighted: false }, vec![x.clone(), edges.clone()], &[], &ctx)));
    best("digitize", n as f64, &mut || drop(run(&Op::Digitize { right: false }, vec![x.clone(), edges.clone()], &[], &ctx)));
    best("topk", n as f64, &mut || drop(run(&Op::TopK { k: 10, axis: 0 }, vec![x.clone()], &[], &ctx)));
    best("unique", n as f64, &mut || drop(run(&Op::Unique, vec![x.clone()], &[], &ctx)));
}
fn s_chunk(pcg: &Rng, n: i64) -> Chunk {
    let op = Op::Random { rng: pcg.clone(), draw: Draw::Random, dtype: DType::Float64, block: Int::Lit(0), shape: vec![Int::Lit(n)] };
    run(&op, vec![], &[], &Context::default()).unwrap().array().unwrap().clone()
}
