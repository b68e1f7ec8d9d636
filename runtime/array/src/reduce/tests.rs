//! Reductions against simple loops.

use crate::chunk::Chunk;
use crate::fuse::tests::{instr, run};
use crate::value::Value;
use dask_plan::DType;
use dask_plan::program::{ArgReduction, Binary, Cumulative, Int, Op, Reduction};
use num_complex::Complex64;
use proptest::prelude::*;

fn reduce(f: Reduction, axes: &[u32], dtype: DType, x: Chunk) -> Chunk {
    let op = Op::Reduce { f, axes: axes.to_vec(), dtype };
    match run(vec![x], vec![instr(op, &[0])]).unwrap() {
        Value::Array(chunk) => chunk,
        _ => panic!("an array"),
    }
}

fn numbers(n: usize, seed: u64) -> Vec<f64> {
    (0..n as u64)
        .map(|i| ((seed ^ i).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / (1u64 << 53) as f64 - 0.3)
        .collect()
}

/// Visits every element with its index along the axes that stay (flattened) and those that go.
fn visit(shape: &[usize], axes: &[u32], mut f: impl FnMut(usize, usize, usize)) {
    for i in 0..shape.iter().product() {
        let (mut rest, mut kept, mut gone, mut kept_step, mut gone_step) = (i, 0, 0, 1, 1);
        for (axis, &n) in shape.iter().enumerate().rev() {
            let at = rest % n;
            rest /= n;
            if axes.contains(&(axis as u32)) {
                gone += at * gone_step;
                gone_step *= n;
            } else {
                kept += at * kept_step;
                kept_step *= n;
            }
        }
        f(i, kept, gone);
    }
}

fn shape_and_axes() -> impl Strategy<Value = (Vec<usize>, Vec<u32>)> {
    prop_oneof![
        prop::collection::vec(1usize..9, 0..5),
        prop::collection::vec(50usize..200, 2..3),
        (1usize..4, 1usize..4, 1000usize..6000).prop_map(|(a, b, c)| vec![a, b, c]),
        (1000usize..6000, 1usize..4).prop_map(|(a, b)| vec![a, b]),
    ]
    .prop_flat_map(|shape| {
        let n = shape.len() as u32;
        (Just(shape), prop::sample::subsequence((0..n).collect::<Vec<_>>(), 0..=n as usize))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn reductions_agree_with_loops((shape, axes) in shape_and_axes(), seed in any::<u64>()) {
        let data = numbers(shape.iter().product(), seed);
        let x = Chunk::from_slice(&shape, &data);
        let kept: Vec<usize> = shape.iter().enumerate().map(|(a, &n)| if axes.contains(&(a as u32)) { 1 } else { n }).collect();
        let n: usize = kept.iter().product();
        let mut sum = vec![0.0; n];
        let mut size = vec![0.0; n];
        let mut max = vec![f64::NEG_INFINITY; n];
        let mut place = vec![0i64; n];
        let mut positive = vec![0i64; n];
        let mut wrapped = vec![0i32; n];
        visit(&shape, &axes, |i, k, g| {
            sum[k] += data[i];
            size[k] += data[i].abs();
            positive[k] += i64::from(data[i] != 0.0);
            wrapped[k] = wrapped[k].wrapping_add((data[i] * 3e9) as i32);
            if data[i] > max[k] {
                (max[k], place[k]) = (data[i], g as i64);
            }
        });
        let y = reduce(Reduction::Sum, &axes, DType::Float64, x.clone());
        prop_assert_eq!(y.shape(), &kept[..]);
        for ((a, b), size) in y.as_slice::<f64>().unwrap().iter().zip(&sum).zip(&size) {
            prop_assert!((a - b).abs() <= 1e-13 * size);
        }
        // Neither the layout of memory nor what is fused before changes a bit.
        let order: Vec<usize> = (0..shape.len()).rev().collect();
        let other = x.transpose(&order).to_contiguous().transpose(&order);
        let fused = run(
            vec![other, Chunk::scalar(1.0f64)],
            vec![
                instr(Op::Binary(Binary::Multiply), &[0, 1]),
                instr(Op::Reduce { f: Reduction::Sum, axes: axes.clone(), dtype: DType::Float64 }, &[2]),
            ],
        ).unwrap();
        prop_assert_eq!(fused, Value::Array(y));
        let y = reduce(Reduction::Max, &axes, DType::Float64, x.clone());
        prop_assert_eq!(y.as_slice::<f64>().unwrap(), &max[..]);
        let y = reduce(Reduction::CountNonzero, &axes, DType::Int64, x.clone());
        prop_assert_eq!(y.as_slice::<i64>().unwrap(), &positive[..]);
        let ints = Chunk::from_slice(&shape, &data.iter().map(|v| (v * 3e9) as i32).collect::<Vec<_>>());
        let y = reduce(Reduction::Sum, &axes, DType::Int32, ints);
        prop_assert_eq!(y.as_slice::<i32>().unwrap(), &wrapped[..]);
        let op = Op::Arg {
            f: ArgReduction::Argmax,
            axes: axes.clone(),
            offset: vec![Int::Lit(0); axes.len()],
            whole: axes.iter().map(|&a| shape[a as usize] as u64).collect(),
        };
        let Value::Tuple(pair) = run(vec![x.clone()], vec![instr(op, &[0])]).unwrap() else { panic!("a pair") };
        prop_assert_eq!(pair[0].array().unwrap().as_slice::<f64>().unwrap(), &max[..]);
        prop_assert_eq!(pair[1].array().unwrap().as_slice::<i64>().unwrap(), &place[..]);
        let moments = vec![
            instr(Op::Moments { axes: axes.clone(), dtype: DType::Float64, nan: false }, &[0]),
            instr(Op::MomentsFinish { ddof: 0.0, sqrt: false, dtype: DType::Float64 }, &[1]),
        ];
        let y = run(vec![x], moments).unwrap();
        let count = data.len() as f64 / n as f64;
        let mut squares = vec![0.0; n];
        visit(&shape, &axes, |i, k, _| squares[k] += (data[i] - sum[k] / count).powi(2));
        for (a, b) in y.array().unwrap().as_slice::<f64>().unwrap().iter().zip(&squares) {
            prop_assert!((a - b / count).abs() <= 1e-13 * (1.0 + b));
        }
    }
}

#[test]
fn nan_prevails_or_is_skipped() {
    let nan = f64::NAN;
    let x = Chunk::from_slice(&[2, 3], &[1.0, nan, 3.0, nan, nan, nan]);
    let of = |f, dtype| reduce(f, &[1], dtype, x.clone());
    let float = |f| of(f, DType::Float64).as_slice::<f64>().unwrap().to_vec();
    assert!(float(Reduction::Max).iter().all(|v| v.is_nan()));
    assert!(float(Reduction::Sum)[0].is_nan());
    assert_eq!(float(Reduction::Nansum), [4.0, 0.0]);
    assert_eq!(float(Reduction::Nanprod), [3.0, 1.0]);
    assert_eq!(float(Reduction::Nanmax)[0], 3.0);
    assert!(float(Reduction::Nanmin)[1].is_nan());
    assert_eq!(of(Reduction::Nancount, DType::Int64).as_slice::<i64>().unwrap(), [2, 0]);
    assert_eq!(of(Reduction::All, DType::Bool).as_slice::<bool>().unwrap(), [true, true]);
    let arg = |f| {
        let op = Op::Arg { f, axes: vec![1], offset: vec![Int::Lit(10)], whole: vec![20] };
        match run(vec![x.slice(&[(0, 1, 1), (0, 3, 1)])], vec![instr(op, &[0])]).unwrap() {
            Value::Tuple(pair) => pair[1].array().unwrap().item::<i64>(),
            _ => panic!("a pair"),
        }
    };
    assert_eq!(
        [arg(ArgReduction::Argmax), arg(ArgReduction::Nanargmax), arg(ArgReduction::Nanargmin)],
        [11, 12, 10]
    );
}

#[test]
fn reductions_of_nothing() {
    let x = Chunk::from_slice::<f64>(&[0, 2], &[]);
    assert_eq!(
        reduce(Reduction::Sum, &[0], DType::Float64, x.clone()).as_slice::<f64>().unwrap(),
        [0.0, 0.0]
    );
    assert_eq!(reduce(Reduction::Prod, &[0, 1], DType::Float64, x.clone()).item::<f64>(), 1.0);
    assert_eq!(reduce(Reduction::Max, &[1], DType::Float64, x.clone()).shape(), [0, 1]);
    let op = Op::Reduce { f: Reduction::Max, axes: vec![0], dtype: DType::Float64 };
    let error = run(vec![x], vec![instr(op, &[0])]).unwrap_err().to_string();
    assert!(error.contains("max") && error.contains("empty"), "{error}");
}

#[test]
fn small_integers_sum_in_the_result_s_dtype() {
    let x = Chunk::from_slice(&[300], &[100i8; 300]);
    assert_eq!(reduce(Reduction::Sum, &[0], DType::Int64, x.clone()).item::<i64>(), 30_000);
    assert_eq!(reduce(Reduction::Sum, &[0], DType::Int8, x).item::<i8>(), 30_000i64 as i8);
    // A float32 sum keeps the precision of float64 until its end.
    let x = Chunk::from_slice(&[1 << 20], &vec![0.1f32; 1 << 20]);
    let exact = (f64::from(0.1f32) * f64::from(1 << 20)) as f32;
    assert_eq!(reduce(Reduction::Sum, &[0], DType::Float32, x).item::<f32>(), exact);
}

#[test]
fn moments_of_blocks_merge_to_those_of_the_whole() {
    let data: Vec<Complex64> = numbers(4000, 7).chunks(2).map(|p| Complex64::new(1e3 + p[0], p[1])).collect();
    let mean = data.iter().sum::<Complex64>() / data.len() as f64;
    let variance = data.iter().map(|z| (z - mean).norm_sqr()).sum::<f64>() / (data.len() - 1) as f64;
    let blocks = [(0, 700), (700, 1), (701, 1299)];
    let inputs = blocks.iter().map(|&(at, n)| Chunk::from_slice(&[n], &data[at..at + n])).collect();
    let moments = |v| instr(Op::Moments { axes: vec![0], dtype: DType::Complex128, nan: false }, &[v]);
    let body = vec![
        moments(0),
        moments(1),
        moments(2),
        instr(Op::MomentsMerge, &[3, 4, 5]),
        instr(Op::MomentsFinish { ddof: 1.0, sqrt: false, dtype: DType::Float64 }, &[6]),
    ];
    let y = run(inputs, body).unwrap();
    assert!((y.array().unwrap().item::<f64>() - variance).abs() < 1e-12 * variance);
}

#[test]
fn places_merge_to_the_first_of_equals() {
    let arg = |v, offset| {
        let op = Op::Arg {
            f: ArgReduction::Argmin,
            axes: vec![0],
            offset: vec![Int::Lit(offset)],
            whole: vec![6],
        };
        instr(op, &[v])
    };
    let inputs = vec![Chunk::from_slice(&[3], &[5i16, 2, 2]), Chunk::from_slice(&[3], &[2i16, 7, 2])];
    let body = vec![arg(0, 0), arg(1, 3), instr(Op::ArgMerge { f: ArgReduction::Argmin }, &[3, 2])];
    let Value::Tuple(pair) = run(inputs, body).unwrap() else { panic!("a pair") };
    assert_eq!((pair[0].array().unwrap().item::<i16>(), pair[1].array().unwrap().item::<i64>()), (2, 1));
}

#[test]
fn running_sums_follow_an_axis() {
    let x = Chunk::from_slice(&[2, 3], &[1i32, 2, 3, 4, 5, 6]);
    let of = |f, axis, dtype, nan, x: &Chunk| {
        let op = Op::Cumulative { f, axis, dtype, nan };
        run(vec![x.clone()], vec![instr(op, &[0])]).unwrap().array().unwrap().clone()
    };
    assert_eq!(
        of(Cumulative::Sum, 1, DType::Int64, false, &x).as_slice::<i64>().unwrap(),
        [1, 3, 6, 4, 9, 15]
    );
    assert_eq!(
        of(Cumulative::Prod, 0, DType::Int64, false, &x).as_slice::<i64>().unwrap(),
        [1, 2, 3, 4, 10, 18]
    );
    let x = Chunk::from_slice(&[3], &[1.0, f64::NAN, 2.0]);
    assert_eq!(of(Cumulative::Sum, 0, DType::Float64, true, &x).as_slice::<f64>().unwrap(), [1.0, 1.0, 3.0]);
}
