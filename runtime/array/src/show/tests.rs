//! Compares with numpy: a committed table of cases, and thousands of random arrays where a Python with numpy is there.

use super::array;
use crate::chunk::Chunk;
use crate::io::npy;
use crate::python;
use dask_plan::DType;
use rand_core::{Rng, SeedableRng};
use serde_json::Value;

/// What numpy's summary shows: axes longer than `2 * edge` are cut to both ends.
fn summarise(x: &Chunk, threshold: usize, edge: usize) -> (Chunk, Option<Vec<u64>>) {
    if x.len() <= threshold {
        return (x.clone(), None);
    }
    let mut cut = x.clone();
    for axis in 0..x.ndim() {
        let n = cut.shape()[axis];
        if n > 2 * edge {
            let part = |start: usize, len: usize| {
                let ranges = cut
                    .shape()
                    .iter()
                    .enumerate()
                    .map(|(a, &n)| if a == axis { (start, len, 1) } else { (0, n, 1) });
                cut.slice(&ranges.collect::<Vec<_>>())
            };
            let (low, high) = (part(0, edge), part(n - edge, edge));
            cut = crate::with_dtype!(x.dtype(), T => {
                let both = [low.view::<T>(), high.view::<T>()];
                Chunk::from_array(&ndarray::concatenate(ndarray::Axis(axis), &both).unwrap().view())
            });
        }
    }
    (cut, Some(x.shape().iter().map(|&n| n as u64).collect()))
}

fn shown(x: &Chunk) -> String {
    let (cut, whole) = summarise(x, 1000, 3);
    array(&cut, whole.as_deref())
}

#[test]
fn table_of_cases() {
    let table: Vec<Value> = serde_json::from_str(include_str!("../../tests/files/printed.json")).unwrap();
    assert!(table.len() > 50);
    for case in table {
        let dtype = DType::parse(case["dtype"].as_str().unwrap()).unwrap();
        let shape: Vec<usize> = serde_json::from_value(case["shape"].clone()).unwrap();
        let x = match case["bytes"].as_str() {
            Some(hex) => {
                let byte = |i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
                let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
                Chunk::from_bytes(dtype, &shape, &bytes).unwrap()
            }
            // Large arrays are `arange(n).reshape(shape)`.
            None => {
                Chunk::from_slice(&shape, &(0..shape.iter().product::<usize>() as i64).collect::<Vec<_>>())
            }
        };
        assert_eq!(shown(&x), case["text"].as_str().unwrap(), "{dtype} {shape:?}");
    }
}

/// A number of one of the kinds that numpy's rules tell apart.
fn number(rng: &mut impl Rng, style: u32) -> f64 {
    let bits = rng.next_u64();
    let unit = (bits >> 11) as f64 / (1u64 << 53) as f64 - 0.5;
    match style {
        0 => f64::from_bits(bits),
        1 => unit,
        2 => ((bits % 20001) as f64 - 10000.0) / [1.0, 10.0, 100.0, 1000.0][(bits >> 60) as usize % 4],
        3 => unit * 10f64.powi((bits >> 32) as i32 % 30),
        4 => f64::from(f32::from_bits(bits as u32)),
        5 => [0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -2.5, 1e-5]
            [(bits >> 32) as usize % 8],
        6 => (bits % 1_000_000_000) as f64 * 1e-8,
        7 => 2f64.powi((bits >> 32) as i32 % 60),
        8 => 100.0 + unit,
        _ => (bits % 7) as f64 * 0.1,
    }
}

fn random_array(rng: &mut impl Rng) -> Chunk {
    let dtype = DType::ALL[rng.next_u32() as usize % DType::ALL.len()];
    let ndim = rng.next_u32() as usize % 7;
    let longest = [60, 40, 12, 9, 8, 5, 4][ndim];
    let mut shape: Vec<usize> = (0..ndim).map(|_| rng.next_u32() as usize % longest + 1).collect();
    if ndim > 0 && rng.next_u32().is_multiple_of(40) {
        shape[0] = 0;
    }
    if ndim == 1 && rng.next_u32().is_multiple_of(10) {
        shape[0] = 1500;
    }
    let (first, second) = (rng.next_u32() % 10, rng.next_u32() % 10);
    let mut next = || {
        let style = if rng.next_u32().is_multiple_of(6) { second } else { first };
        number(rng, style)
    };
    match dtype {
        DType::Bool => {
            Chunk::build(&shape, |out: &mut [bool]| out.iter_mut().for_each(|x| *x = next() > 0.0))
        }
        DType::Float32 => {
            Chunk::build(&shape, |out: &mut [f32]| out.iter_mut().for_each(|x| *x = next() as f32))
        }
        DType::Float64 => Chunk::build(&shape, |out: &mut [f64]| out.iter_mut().for_each(|x| *x = next())),
        DType::Complex64 => Chunk::build(&shape, |out: &mut [num_complex::Complex32]| {
            out.iter_mut().for_each(|z| *z = num_complex::Complex32::new(next() as f32, next() as f32));
        }),
        DType::Complex128 => Chunk::build(&shape, |out: &mut [num_complex::Complex64]| {
            out.iter_mut().for_each(|z| *z = num_complex::Complex64::new(next(), next()));
        }),
        integer => crate::with_dtype!(integer, T in [i8, i16, i32, i64, u8, u16, u32, u64] =>
            Chunk::build(&shape, |out: &mut [T]| out.iter_mut().for_each(|x| *x = next() as T)),
            else => unreachable!()),
    }
}

/// Needs numpy: runs where `DASK_RUNTIME_TEST_PYTHON` names an interpreter that has it.
#[test]
fn random_arrays_print_as_numpy_prints_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut arrays = vec![];
    for seed in 0..4000u64 {
        let x = random_array(&mut rand_pcg::Pcg64Mcg::seed_from_u64(seed));
        let shape: Vec<u64> = x.shape().iter().map(|&n| n as u64).collect();
        let file = [npy::header(x.dtype(), &shape), x.as_bytes().unwrap().to_vec()].concat();
        std::fs::write(dir.path().join(format!("{seed}.npy")), file).unwrap();
        arrays.push(x);
    }
    let Some(out) = python::run("print_arrays.py", &[dir.path().as_os_str()]) else { return };
    assert_eq!(out, "4000");
    for (seed, x) in arrays.iter().enumerate() {
        let expected = std::fs::read_to_string(dir.path().join(format!("{seed}.txt"))).unwrap();
        assert_eq!(shown(x), expected, "seed {seed}: {x:?}");
    }
}
