//! Fused programs against the same programs run one instruction at a time.

use crate::chunk::Chunk;
use crate::run::{Context, Error, Prepared};
use crate::value::Value;
use dask_plan::program::{Binary, Instr, Op, Program, Reduction, Unary};
use dask_plan::{DType, Scalar};
use proptest::prelude::*;

pub(crate) fn instr(op: Op, of: &[u32]) -> Instr {
    Instr { op, of: of.to_vec() }
}

pub(crate) fn run(inputs: Vec<Chunk>, body: Vec<Instr>) -> Result<Value, Error> {
    let program = Program { inputs: inputs.len() as u32, args: 0, body };
    let inputs = inputs.into_iter().map(Value::Array).collect();
    Prepared::new(program)?.run(inputs, &[], &Context::default())
}

fn bytes(value: &Value) -> (DType, Vec<usize>, Vec<u8>) {
    let chunk = value.array().expect("an array").to_contiguous();
    (chunk.dtype(), chunk.shape().to_vec(), chunk.as_bytes().expect("contiguous").to_vec())
}

/// A copy in C order that nobody else holds.
fn fresh(chunk: &Chunk) -> Chunk {
    let chunk = chunk.to_contiguous();
    Chunk::from_bytes(chunk.dtype(), chunk.shape(), chunk.as_bytes().expect("contiguous"))
        .expect("its own bytes")
}

/// Runs each instruction as a program of its own, over fresh arrays in C order.
fn one_by_one(inputs: &[Chunk], body: &[Instr]) -> Result<Value, Error> {
    let mut values: Vec<Chunk> = inputs.to_vec();
    for i in body {
        let operands: Vec<Chunk> = i.of.iter().map(|&v| fresh(&values[v as usize])).collect();
        let of: Vec<u32> = (0..operands.len() as u32).collect();
        match run(operands, vec![instr(i.op.clone(), &of)])? {
            Value::Array(chunk) => values.push(chunk),
            _ => panic!("these operators yield arrays"),
        }
    }
    Ok(values.pop().expect("a value").into())
}

const OPS: &[fn(u32, u32) -> Instr] = &[
    |a, b| instr(Op::Binary(Binary::Add), &[a, b]),
    |a, b| instr(Op::Binary(Binary::Multiply), &[a, b]),
    |a, b| instr(Op::Binary(Binary::Maximum), &[a, b]),
    |a, b| instr(Op::Binary(Binary::Less), &[a, b]),
    |a, b| instr(Op::Where, &[a, b, a]),
    |a, _| instr(Op::Unary(Unary::Sin), &[a]),
    |a, _| instr(Op::Unary(Unary::Absolute), &[a]),
    |a, _| instr(Op::Cast(DType::Float32), &[a]),
    |a, _| instr(Op::Cast(DType::Int16), &[a]),
    |a, _| instr(Op::Round { decimals: 1 }, &[a]),
    |a, b| instr(Op::Clip, &[a, b, a]),
    |a, _| instr(Op::Full { dtype: DType::Float64, value: Scalar::Float(f64::from(a)), shape: vec![] }, &[]),
    |a, _| instr(Op::Transpose { axes: vec![1, 0] }, &[a]),
    |a, _| instr(Op::Reduce { f: Reduction::Max, axes: vec![0], dtype: DType::Float64 }, &[a]),
];

/// An array that may be transposed, flipped, broadcast along either axis, or strided.
fn input(rows: usize, cols: usize, layout: u8, dtype: u8, seed: u64) -> Chunk {
    let shape = match layout % 6 {
        1 => [cols, rows],
        3 => [1, cols],
        4 => [rows, 1],
        5 => [rows * 2, cols * 3],
        _ => [rows, cols],
    };
    let n = shape[0] * shape[1];
    let at = |i: usize| {
        (seed.wrapping_add(i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64 / 1e4 - 800.0
    };
    let x = match dtype % 4 {
        0 => Chunk::from_slice(&shape, &(0..n).map(|i| at(i) as i32).collect::<Vec<_>>()),
        1 => Chunk::from_slice(&shape, &(0..n).map(|i| at(i) as f32).collect::<Vec<_>>()),
        2 => Chunk::from_slice(&shape, &(0..n).map(|i| at(i) > 0.0).collect::<Vec<_>>()),
        _ => Chunk::from_slice(&shape, &(0..n).map(at).collect::<Vec<_>>()),
    };
    match layout % 6 {
        1 => x.transpose(&[1, 0]),
        2 => x.flip(&[0, 1]),
        5 => x.slice(&[(1.min(rows * 2), rows, 2), (0, cols, 3)]),
        _ => x,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn fused_equals_one_by_one(
        (rows, cols) in prop_oneof![(0usize..6, 0usize..6), (60usize..140, 60usize..300), (1usize..3, 4000usize..9000)],
        layouts in prop::collection::vec((any::<u8>(), any::<u8>(), any::<u64>()), 1..4),
        ops in prop::collection::vec((0..OPS.len(), any::<u32>(), any::<u32>()), 1..9),
    ) {
        let inputs: Vec<Chunk> = layouts.iter().map(|&(l, d, s)| input(rows, cols, l, d, s)).collect();
        // Instructions that fail one by one (shapes after a transpose, a mean of nothing) are left out.
        let mut body: Vec<Instr> = Vec::new();
        let mut values: Vec<Chunk> = inputs.clone();
        for &(op, a, b) in &ops {
            let n = values.len() as u32;
            let i = OPS[op](a % n, b % n);
            let operands: Vec<Chunk> = i.of.iter().map(|&v| fresh(&values[v as usize])).collect();
            let of: Vec<u32> = (0..operands.len() as u32).collect();
            if let Ok(Value::Array(chunk)) = run(operands, vec![instr(i.op.clone(), &of)]) {
                values.push(chunk);
                body.push(i);
            }
        }
        prop_assume!(!body.is_empty());
        let expected = one_by_one(&inputs, &body).unwrap();
        let fused = run(inputs.iter().map(|c| if c.is_contiguous() { fresh(c) } else { c.clone() }).collect(), body.clone()).unwrap();
        prop_assert_eq!(bytes(&fused), bytes(&expected), "{:?}", body);
        // Inputs that others hold are not written to.
        let before: Vec<_> = inputs.iter().map(|c| bytes(&c.clone().into())).collect();
        run(inputs.clone(), body.clone()).unwrap();
        prop_assert_eq!(inputs.iter().map(|c| bytes(&c.clone().into())).collect::<Vec<_>>(), before);
    }
}

#[test]
fn a_transpose_is_added_without_being_copied() {
    let n = 300;
    let x = Chunk::from_slice(&[n, n], &(0..n * n).map(|i| i as f64).collect::<Vec<_>>());
    let body = vec![instr(Op::Transpose { axes: vec![1, 0] }, &[0]), instr(Op::Binary(Binary::Add), &[0, 1])];
    let y = run(vec![x], body).unwrap();
    let y = y.array().unwrap().as_slice::<f64>().unwrap();
    for (i, j) in [(0, 0), (1, 0), (7, 250), (299, 298)] {
        assert_eq!(y[i * n + j], ((i * n + j) + (j * n + i)) as f64);
    }
}

#[test]
fn the_result_lands_in_an_input_that_nobody_else_holds() {
    let x = Chunk::from_slice(&[70_000], &vec![1.5f64; 70_000]);
    let place = x.as_ptr();
    let body = vec![
        instr(Op::Unary(Unary::Exp), &[0]),
        instr(Op::Binary(Binary::Add), &[0, 1]),
        instr(Op::Unary(Unary::Negative), &[2]),
    ];
    let y = run(vec![x], body).unwrap();
    let y = y.array().unwrap();
    assert_eq!(y.as_ptr(), place);
    assert!(y.as_slice::<f64>().unwrap().iter().all(|&v| (v + 1.5 + 1.5f64.exp()).abs() < 1e-12));
}

#[test]
fn errors_name_operator_and_shapes() {
    let (a, b) = (Chunk::from_slice(&[3], &[1i64, 2, 3]), Chunk::from_slice(&[2], &[1i64, -2]));
    let error = |inputs: Vec<Chunk>, op: Op| {
        let of: Vec<u32> = (0..inputs.len() as u32).collect();
        run(inputs, vec![instr(op, &of)]).unwrap_err().to_string()
    };
    let e = error(vec![a.clone(), b.clone()], Op::Binary(Binary::Add));
    assert!(e.contains("add") && e.contains("[3]") && e.contains("[2]"), "{e}");
    let e = error(vec![b.clone(), b], Op::Binary(Binary::Power));
    assert_eq!(e, "Integers to negative integer powers are not allowed.");
    let e = error(vec![a.clone()], Op::Reduce { f: Reduction::Sum, axes: vec![1], dtype: DType::Int64 });
    assert!(e.contains("axis 1"), "{e}");
    let t = Chunk::from_slice(&[1], &[true]);
    let e = error(vec![t.clone(), t], Op::Binary(Binary::Subtract));
    assert!(e.contains("subtract"), "{e}");
    let _ = a;
}
