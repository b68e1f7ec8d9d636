//! Every operator against numpy: `tests/make_operators.py` wrote the cases.

use super::run;
use crate::chunk::Chunk;
use crate::run::Context;
use crate::value::Value;
use crate::{DType, with_dtype};
use dask_plan::program::Op;
use num_complex::{Complex32, Complex64};
use serde_json::Value as Json;

/// As `values` in the script.
fn values(dtype: DType, shape: &[usize], seed: i64) -> Chunk {
    let n: usize = shape.iter().product();
    let v: Vec<i64> = (0..n as i64).map(|k| (k * 7919 + seed * 31) % 23 - 9).collect();
    macro_rules! all {
        ($of:expr) => {
            Chunk::from_slice(shape, &v.iter().map($of).collect::<Vec<_>>())
        };
    }
    match dtype {
        DType::Bool => all!(|&v| v > 0),
        DType::Float32 => all!(|&v| (v as f64 * 0.375) as f32),
        DType::Float64 => all!(|&v| v as f64 * 0.375),
        DType::Complex64 => all!(|&v| Complex32::new((v as f64 * 0.375) as f32, -v as f32)),
        DType::Complex128 => all!(|&v| Complex64::new(v as f64 * 0.375, -v as f64)),
        signed => with_dtype!(signed, T in [i8, i16, i32, i64] => all!(|&v| v as T),
            else => with_dtype!(signed, T in [u8, u16, u32, u64] => all!(|&v| (v + 9) as T),
                else => unreachable!("{signed}"))),
    }
}

fn shape(json: &Json) -> Vec<usize> {
    json.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
}

fn operand(json: &Json) -> Chunk {
    let dtype = DType::parse(json["dtype"].as_str().unwrap()).unwrap();
    let Some(list) = json["values"].as_array() else {
        return values(dtype, &shape(&json["shape"]), json["seed"].as_i64().unwrap());
    };
    let n = [list.len()];
    match dtype {
        DType::Bool => Chunk::from_slice(&n, &list.iter().map(|v| v.as_bool().unwrap()).collect::<Vec<_>>()),
        DType::Int64 => Chunk::from_slice(&n, &list.iter().map(|v| v.as_i64().unwrap()).collect::<Vec<_>>()),
        _ => Chunk::from_slice(&n, &list.iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>()),
    }
}

fn digest(x: &Chunk) -> u64 {
    let x = x.to_contiguous();
    x.as_bytes().unwrap().chunks(x.dtype().itemsize().min(8)).fold(0, |h: u64, item| {
        let mut bits = [0; 8];
        bits[..item.len()].copy_from_slice(item);
        h.wrapping_mul(31).wrapping_add(u64::from_le_bytes(bits)).wrapping_add(1)
    })
}

#[test]
fn every_operator_is_numpys() {
    let cases = include_str!("../../tests/operators.jsonl");
    for line in cases.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let op: Op = serde_json::from_value(case["op"].clone()).unwrap();
        let operands: Vec<Value> =
            case["operands"].as_array().unwrap().iter().map(|o| operand(o).into()).collect();
        // Strides must not matter: each operand comes as it is, and as a view of its transpose.
        let turned = operands.iter().map(|o| {
            let back: Vec<usize> = (0..o.array().unwrap().ndim()).rev().collect();
            Value::from(o.array().unwrap().transpose(&back).to_contiguous().transpose(&back))
        });
        for operands in [turned.collect(), operands] {
            let result =
                run(&op, operands, &[], &Context::default()).unwrap_or_else(|e| panic!("{line}: {e}"));
            let result = result.array().unwrap();
            assert_eq!(result.dtype().name(), case["dtype"].as_str().unwrap(), "{line}");
            assert_eq!(result.shape(), shape(&case["shape"]), "{line}");
            assert_eq!(digest(result), case["digest"].as_u64().unwrap(), "{line}");
        }
    }
}
