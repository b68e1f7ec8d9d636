//! Random operators at random values: whatever they are, an answer or an error comes back, and an answer is a chunk
//! whose every element can be read.

use super::run;
use crate::chunk::Chunk;
use crate::run::{Context, Error};
use crate::value::Value;
use crate::{DType, Scalar, with_dtype};
use dask_plan::program::{Boundary, Draw, Int, Op, Range, Rng};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => 0..6i64,
        2 => -3..0i64,
        1 => select(vec![i64::MIN, i64::MAX, 1 << 40, 1 << 62, -(1 << 40)]),
    ]
}

/// A literal, or one of four arguments.
fn int() -> impl Strategy<Value = Int> {
    prop_oneof![4 => number().prop_map(Int::Lit), 1 => (0..4u32).prop_map(Int::Arg)]
}

fn ints() -> impl Strategy<Value = Vec<Int>> {
    vec(int(), 0..4)
}

fn pair() -> impl Strategy<Value = [Int; 2]> {
    (int(), int()).prop_map(|(a, b)| [a, b])
}

fn dtype() -> impl Strategy<Value = DType> {
    select(DType::ALL.to_vec())
}

fn scalar() -> impl Strategy<Value = Scalar> {
    let float = || select(vec![0.0, -1.5, 2.0, 1e300, f64::NAN, f64::INFINITY]);
    prop_oneof![
        any::<bool>().prop_map(Scalar::Bool),
        number().prop_map(Scalar::Int),
        any::<u64>().prop_map(Scalar::UInt),
        float().prop_map(Scalar::Float),
        (float(), float()).prop_map(|(re, im)| Scalar::Complex(re, im)),
    ]
}

fn axes() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![4 => vec(0..4u32, 0..4), 1 => vec(select(vec![0, 1, 70, u32::MAX]), 0..3)]
}

fn axis() -> impl Strategy<Value = u32> {
    prop_oneof![6 => 0..3u32, 1 => select(vec![64, u32::MAX])]
}

fn rng() -> impl Strategy<Value = Rng> {
    prop_oneof![
        (vec(any::<u32>(), 0..3), select(vec![0, 1, u64::MAX]))
            .prop_map(|(entropy, spawned)| Rng::Pcg64 { entropy, spawned }),
        (any::<u32>(), 0..3u64).prop_map(|(seed, spawned)| Rng::Mt19937 { seed, spawned }),
    ]
}

fn draw() -> impl Strategy<Value = Draw> {
    prop_oneof![
        Just(Draw::Random),
        Just(Draw::StandardNormal),
        (number(), number()).prop_map(|(low, high)| Draw::Integers { low, high }),
    ]
}

fn boundary() -> impl Strategy<Value = Boundary> {
    prop_oneof![
        scalar().prop_map(Boundary::Constant),
        select(vec![Boundary::Edge, Boundary::Reflect, Boundary::Symmetric, Boundary::Wrap]),
    ]
}

fn source() -> impl Strategy<Value = Op> {
    let bytes = || vec(0..3u8, 0..40);
    prop_oneof![
        (dtype(), vec(select(vec![0u64, 1, 2, 5, u64::MAX]), 0..3), bytes())
            .prop_map(|(dtype, shape, data)| Op::Literal { dtype, shape, data: data.into() }),
        (dtype(), scalar(), ints()).prop_map(|(dtype, value, shape)| Op::Full { dtype, value, shape }),
        (dtype(), ints()).prop_map(|(dtype, shape)| Op::FromBytes { dtype, shape }),
        (dtype(), scalar(), scalar(), int(), int())
            .prop_map(|(dtype, start, step, offset, len)| Op::Arange { dtype, start, step, offset, len }),
        (dtype(), (scalar(), scalar()), select(vec![0, 1, 2, 5, u64::MAX]), any::<bool>(), int(), int())
            .prop_map(|(dtype, (start, stop), num, endpoint, offset, len)| {
                Op::Linspace { dtype, start, stop, num, endpoint, offset, len }
            }),
        (dtype(), number(), int(), int(), pair()).prop_map(|(dtype, k, row, col, shape)| Op::Eye {
            dtype,
            k,
            row,
            col,
            shape
        }),
        // RandomState reaches a block by way of all before it, so blocks stay few here.
        (rng(), draw(), dtype(), -1..4i64, ints()).prop_map(|(rng, draw, dtype, block, shape)| Op::Random {
            rng,
            draw,
            dtype,
            block: Int::Lit(block),
            shape
        }),
    ]
}

fn movement() -> impl Strategy<Value = Op> {
    let range = (int(), int(), number()).prop_map(|(start, len, step)| Range { start, len, step });
    prop_oneof![
        axes().prop_map(|axes| Op::Transpose { axes }),
        ints().prop_map(|shape| Op::Reshape { shape }),
        vec(range, 0..4).prop_map(|ranges| Op::Slice { ranges }),
        axes().prop_map(|axes| Op::ExpandDims { axes }),
        axes().prop_map(|axes| Op::Squeeze { axes }),
        ints().prop_map(|shape| Op::BroadcastTo { shape }),
        axis().prop_map(|axis| Op::Take { axis }),
        proptest::option::of(axis()).prop_map(|axis| Op::Compress { axis }),
        vec(0..3u32, 0..4).prop_map(|grid| Op::Assemble { grid }),
        (vec(pair(), 0..4), boundary()).prop_map(|(widths, mode)| Op::Pad { widths, mode }),
        (select(vec![0, 1, 3, u64::MAX]), axis()).prop_map(|(repeats, axis)| Op::Repeat { repeats, axis }),
        number().prop_map(|k| Op::Diagonal { k }),
        (any::<bool>(), number(), int(), int()).prop_map(|(upper, k, row, col)| Op::Triangle {
            upper,
            k,
            row,
            col
        }),
    ]
}

fn computation() -> impl Strategy<Value = Op> {
    prop_oneof![
        Just(Op::MatMul),
        (axes(), axes()).prop_map(|(a, b)| Op::TensorDot { a, b }),
        any::<bool>().prop_map(|weighted| Op::Histogram { weighted }),
        (any::<bool>(), select(vec![0, 3, u64::MAX]))
            .prop_map(|(weighted, minlength)| Op::Bincount { weighted, minlength }),
        Just(Op::BincountMerge),
        (number(), axis()).prop_map(|(k, axis)| Op::TopK { k, axis }),
        Just(Op::Unique),
        any::<bool>().prop_map(|right| Op::Digitize { right }),
        Just(Op::Tuple),
        (0..3u32).prop_map(Op::Item),
    ]
}

/// Small arrays of any dtype, some of them views; values are small, so that some index, count or divide rightly.
fn array() -> impl Strategy<Value = Chunk> {
    let shape = prop_oneof![vec(0..5usize, 0..4), vec(1..4usize, 1..3)];
    let usual = select(vec![DType::Int64, DType::Float64, DType::Bool]);
    (shape, prop_oneof![dtype(), usual], vec(0..8u8, 64), any::<bool>(), any::<bool>()).prop_map(
        |(shape, dtype, noise, turned, odd)| {
            let n: usize = shape.iter().product();
            let noise: Vec<f64> = noise.iter().cycle().take(n).map(|&v| f64::from(v) - 1.0).collect();
            macro_rules! of {
                ($($t:ty),*) => {
                    with_dtype!(dtype, T in [$($t),*] => {
                        let data: Vec<T> = noise.iter().map(|&v| v as T).collect();
                        Chunk::from_slice(&shape, &data)
                    }, else => match dtype {
                        DType::Bool => Chunk::from_slice(&shape, &noise.iter().map(|v| *v > 1.0).collect::<Vec<_>>()),
                        DType::Complex64 => {
                            let of = |v: &f64| num_complex::Complex32::new(*v as f32, f32::NAN);
                            Chunk::from_slice(&shape, &noise.iter().map(of).collect::<Vec<_>>())
                        }
                        _ => {
                            let of = |v: &f64| num_complex::Complex64::new(*v, -v);
                            Chunk::from_slice(&shape, &noise.iter().map(of).collect::<Vec<_>>())
                        }
                    })
                };
            }
            let x = of!(i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);
            let x = if turned { x.transpose(&(0..x.ndim()).rev().collect::<Vec<_>>()) } else { x };
            if odd { x.flip(&(0..x.ndim()).collect::<Vec<_>>()) } else { x }
        },
    )
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        12 => array().prop_map(Value::Array),
        1 => vec(array().prop_map(Value::Array), 0..3).prop_map(Value::Tuple),
    ]
}

/// One value alone, or several that are alike, as operators over many blocks want them.
fn operands() -> impl Strategy<Value = Vec<Value>> {
    prop_oneof![vec(value(), 0..4), (value(), 1..4usize).prop_map(|(v, n)| vec![v; n])]
}

fn read(value: &Value) {
    match value {
        Value::Tuple(parts) => parts.iter().for_each(read),
        Value::Array(x) if x.nbytes() < 1 << 20 => {
            assert_eq!(x.to_contiguous().as_bytes().unwrap().len(), x.nbytes());
        }
        _ => {}
    }
}

fn check(op: &Op, operands: Vec<Value>, args: &[i64]) -> Result<(), TestCaseError> {
    match run(op, operands, args, &Context::default()) {
        Ok(value) => read(&value),
        Err(Error::Operand(text) | Error::Value(text)) => prop_assert!(text.len() > 10, "{text}"),
        Err(Error::TooLarge { bytes, .. }) => prop_assert!(bytes > 1 << 30, "{bytes}"),
        Err(other) => prop_assert!(false, "{other}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn no_source_panics(op in source(), args in vec(number(), 4)) {
        check(&op, vec![], &args)?;
    }

    #[test]
    fn no_bytes_panic(blob in vec(0..3u8, 0..40), dtype in dtype(), shape in ints(), args in vec(number(), 4)) {
        let blob = Chunk::from_slice(&[blob.len()], &blob);
        check(&Op::FromBytes { dtype, shape }, vec![blob.into()], &args)?;
    }

    #[test]
    fn no_movement_panics(op in movement(), operands in operands(), args in vec(number(), 4)) {
        check(&op, operands, &args)?;
    }

    #[test]
    fn no_computation_panics(op in computation(), operands in operands(), args in vec(number(), 4)) {
        check(&op, operands, &args)?;
    }
}
