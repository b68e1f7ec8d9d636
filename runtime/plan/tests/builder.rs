//! Shapes, dtypes and chunks against numpy's and dask.array's (read off numpy 2.4 and dask 2026.8), and what is refused.
#![allow(clippy::unwrap_used, clippy::type_complexity, reason = "helpers of tests and tables of cases")]

use dask_plan::builder::{Array, AxisChunks, Builder, ChunkSpec, Index, Result};
use dask_plan::program::{ArgReduction, Binary, Cumulative, Draw, Reduction, Rng, Unary};
use dask_plan::{DType, Scalar, normalize_chunks};

const UNKNOWN: u64 = u64::MAX;

fn random(b: &mut Builder, chunks: &[&[u64]]) -> Array {
    let chunks = chunks.iter().map(|c| c.to_vec()).collect();
    b.random(Rng::Pcg64 { entropy: vec![1], spawned: 0 }, Draw::Random, DType::Float64, chunks).unwrap()
}

fn slice(start: Option<i64>, stop: Option<i64>, step: Option<i64>) -> Index {
    Index::Slice { start, stop, step }
}

#[test]
fn chunk_sizes_are_dasks() {
    use AxisChunks::{Auto, Size, Sizes, Whole};
    // For each axis: first size, number of chunks, last size.
    type Wanted<'a> = &'a [(u64, usize, u64)];
    let cases: [(Vec<AxisChunks>, &[u64], DType, Wanted<'_>); 11] = [
        (vec![Size(5)], &[12], DType::Float64, &[(5, 3, 2)]),
        (vec![Size(4), Size(3)], &[9, 10], DType::Float64, &[(4, 3, 1), (3, 4, 1)]),
        (vec![Whole, Whole], &[5, 6], DType::Float64, &[(5, 1, 5), (6, 1, 6)]),
        (vec![Auto], &[1_000_000_000], DType::Float64, &[(16_777_216, 60, 10_144_256)]),
        (vec![Auto, Auto], &[20_000, 30_000], DType::Float64, &[(4096, 5, 3616), (4096, 8, 1328)]),
        (
            vec![Auto, Size(100)],
            &[10_000_000, 1000],
            DType::Float32,
            &[(335_544, 30, 269_224), (100, 10, 100)],
        ),
        (
            vec![Auto, Auto, Auto],
            &[100, 5000, 7000],
            DType::Float64,
            &[(100, 1, 100), (409, 13, 92), (409, 18, 47)],
        ),
        (vec![Sizes(vec![2, 3]), Whole], &[5, 7], DType::Int8, &[(2, 2, 3), (7, 1, 7)]),
        (vec![Auto, Auto], &[50, 100_000_000], DType::Complex128, &[(50, 1, 50), (167_772, 597, 7888)]),
        (vec![Size(100)], &[30], DType::Float64, &[(30, 1, 30)]),
        (vec![Size(3)], &[0], DType::Float64, &[(0, 1, 0)]),
    ];
    for (spec, shape, dtype, wanted) in cases {
        let got = normalize_chunks(&ChunkSpec::Each(spec.clone()), shape, dtype).unwrap();
        let got: Vec<_> = got.iter().map(|c| (c[0], c.len(), c[c.len() - 1])).collect();
        assert_eq!(got, wanted, "{spec:?} of {shape:?}");
    }
    for (spec, shape, message) in [
        (vec![Size(5)], &[3u64, 4][..], "1 axes, but the shape [3, 4] has 2"),
        (vec![Size(0)], &[3][..], "0 items along axis 0"),
        (vec![Sizes(vec![2, 2])], &[5][..], "add up to 4, but it has 5"),
        (vec![Size(1), Size(1)], &[1 << 40, 1 << 40][..], "more than 2^63 bytes"),
        (vec![Size(1)], &[1 << 40][..], "use larger chunks"),
        (vec![Size(1), Size(1)], &[1 << 20, 1 << 20][..], "more than can be numbered"),
    ] {
        let e = normalize_chunks(&ChunkSpec::Each(spec), shape, DType::Float64).unwrap_err();
        assert!(e.0.contains(message), "{e}");
    }
}

#[test]
fn chunks_of_results_are_dasks() {
    type Case<'a> = (&'a str, fn(&mut Builder, Array, Array, Array) -> Result<Array>, &'a [&'a [u64]]);
    let cases: [Case<'_>; 24] = [
        ("x + y", |b, x, y, _| b.binary(Binary::Add, x, y), &[&[4, 3, 2], &[3, 2, 7]]),
        (
            "x[1:7, ::2]",
            |b, x, _, _| b.index(x, &[slice(Some(1), Some(7), None), slice(None, None, Some(2))]),
            &[&[3, 3], &[3, 3]],
        ),
        ("x[::-1]", |b, x, _, _| b.index(x, &[slice(None, None, Some(-1))]), &[&[2, 3, 4], &[5, 7]]),
        (
            "x[:, -3:]",
            |b, x, _, _| b.index(x, &[slice(None, None, None), slice(Some(-3), None, None)]),
            &[&[4, 3, 2], &[3]],
        ),
        ("x[4]", |b, x, _, _| b.index(x, &[Index::Int(4)]), &[&[5, 7]]),
        (
            "x[:, None]",
            |b, x, _, _| b.index(x, &[slice(None, None, None), Index::NewAxis]),
            &[&[4, 3, 2], &[1], &[5, 7]],
        ),
        ("x[[0, 3, 5]]", |b, x, _, _| b.index(x, &[Index::Ints(vec![0, 3, 5])]), &[&[2, 1], &[5, 7]]),
        ("x.reshape(-1)", |b, x, _, _| b.reshape(x, &[-1]), &[&[48, 36, 24]]),
        ("x.reshape(9, 2, 6)", |b, x, _, _| b.reshape(x, &[9, 2, 6]), &[&[4, 3, 2], &[2], &[6]]),
        ("z.reshape(5, 42)", |b, _, _, z| b.reshape(z, &[5, 42]), &[&[2, 3], &[28, 14]]),
        ("z.reshape(30, 7)", |b, _, _, z| b.reshape(z, &[30, 7]), &[&[12, 18], &[7]]),
        ("x.T", |b, x, _, _| b.transpose(x, None), &[&[5, 7], &[4, 3, 2]]),
        ("x.sum(axis=0)", |b, x, _, _| b.reduce(Reduction::Sum, x, Some(&[0]), false, None), &[&[5, 7]]),
        (
            "x.std(axis=-1, keepdims=True)",
            |b, x, _, _| b.var(x, Some(&[-1]), true, 0.0, true, false, None),
            &[&[4, 3, 2], &[1]],
        ),
        ("concatenate([x, y])", |b, x, y, _| b.concatenate(&[x, y], Some(0)), &[&[4, 3, 2, 9], &[3, 2, 7]]),
        ("stack([x, x])", |b, x, _, _| b.stack(&[x, x], 0), &[&[1, 1], &[4, 3, 2], &[5, 7]]),
        (
            "roll(x, 2, axis=0), where the chunks stay",
            |b, x, _, _| b.roll(x, &[2], Some(&[0])),
            &[&[4, 3, 2], &[5, 7]],
        ),
        (
            "repeat(x, 3, axis=1), where the blocks stay",
            |b, x, _, _| b.repeat(x, 3, Some(1)),
            &[&[4, 3, 2], &[15, 21]],
        ),
        ("diagonal(x)", |b, x, _, _| b.diagonal(x, 0), &[&[4, 1, 2, 2]]),
        (
            "broadcast_to(x, (4, 9, 12))",
            |b, x, _, _| b.broadcast_to(x, &[4, 9, 12]),
            &[&[4], &[4, 3, 2], &[5, 7]],
        ),
        (
            "x @ y.T",
            |b, x, y, _| {
                let t = b.transpose(y, None)?;
                b.matmul(x, t)
            },
            &[&[4, 3, 2], &[9]],
        ),
        (
            "tensordot(z, z, ([1], [1]))",
            |b, _, _, z| b.tensordot(z, z, (&[1], &[1])),
            &[&[2, 3], &[7], &[2, 3], &[7]],
        ),
        ("topk(x, 2, axis=0)", |b, x, _, _| b.topk(x, 2, 0), &[&[2], &[5, 7]]),
        ("unique(x)", |b, x, _, _| b.unique(x), &[&[UNKNOWN]]),
    ];
    for (name, f, wanted) in cases {
        let mut b = Builder::new();
        let x = random(&mut b, &[&[4, 3, 2], &[5, 7]]);
        let y = random(&mut b, &[&[9], &[3, 9]]);
        let z = random(&mut b, &[&[2, 3], &[4, 2], &[7]]);
        let r = f(&mut b, x, y, z).unwrap();
        assert_eq!(b.chunks(r), wanted, "{name}");
    }
}

#[test]
fn dtypes_of_results_are_numpys() {
    let mut b = Builder::new();
    let ones = |b: &mut Builder, d| b.full(Scalar::Int(1), d, vec![vec![2]]).unwrap();
    let (u1, f4, flag) =
        (ones(&mut b, DType::UInt8), ones(&mut b, DType::Float32), ones(&mut b, DType::Bool));
    let dtype = |b: &mut Builder, a: Result<Array>| a.map(|a| b.dtype(a));
    let r = b.binary(Binary::Multiply, u1, Scalar::Float(2.0));
    assert_eq!(dtype(&mut b, r), Ok(DType::Float64));
    let r = b.binary(Binary::Multiply, f4, Scalar::Float(2.0));
    assert_eq!(dtype(&mut b, r), Ok(DType::Float32));
    let r = b.binary(Binary::Add, flag, Scalar::Int(1));
    assert_eq!(dtype(&mut b, r), Ok(DType::Int64));
    let r = b.binary(Binary::Less, u1, Scalar::Int(300));
    assert_eq!(dtype(&mut b, r), Ok(DType::Bool));
    let r = b.binary(Binary::Add, u1, Scalar::Int(300));
    assert!(r.unwrap_err().0.contains("300 is out of bounds for uint8"));
    let r = b.where_(flag, u1, Scalar::Float(1.5));
    assert_eq!(dtype(&mut b, r), Ok(DType::Float64));
    let r = b.where_(flag, Scalar::Int(1), Scalar::Int(2));
    assert_eq!(dtype(&mut b, r), Ok(DType::Int64));
    let bounds = (Some(Scalar::Int(-1).into()), Some(Scalar::Int(200).into()));
    let r = b.clip(u1, bounds.0, bounds.1);
    assert_eq!(dtype(&mut b, r), Ok(DType::UInt8));
    let r = b.mean(u1, None, false, None, false);
    assert_eq!(dtype(&mut b, r), Ok(DType::Float64));
    let r = b.mean(f4, None, false, None, true);
    assert_eq!(dtype(&mut b, r), Ok(DType::Float32));
    let r = b.cumulative(Cumulative::Prod, u1, None, None, false);
    assert_eq!(dtype(&mut b, r), Ok(DType::UInt64));
    let r = b.arg(ArgReduction::Argmax, f4, None, false);
    assert_eq!(dtype(&mut b, r), Ok(DType::Int64));
    let r = b.concatenate(&[u1, f4], Some(0));
    assert_eq!(dtype(&mut b, r), Ok(DType::Float32));
}

#[test]
fn equal_arrays_are_built_once() {
    let mut b = Builder::new();
    let x = random(&mut b, &[&[4], &[4]]);
    let first = b.unary(Unary::Exp, x).unwrap();
    assert_eq!(b.unary(Unary::Exp, x).unwrap(), first);
    let flipped = b.flip(x, None).unwrap();
    assert_eq!(b.flip(flipped, None).map(|a| b.chunks(a).to_vec()), Ok(b.chunks(x).to_vec()));
}

#[test]
fn mistakes_are_named_with_their_fix() {
    type Case<'a> = (fn(&mut Builder, Array, Array) -> Result<Array>, &'a str);
    // x has shape (9, 12); m has an unknown length.
    let cases: [Case<'_>; 17] = [
        (
            |b, x, _| {
                let y = b.index(x, &[slice(Some(1), None, None)])?;
                b.binary(Binary::Add, x, y)
            },
            "shapes (9, 12) and (8, 12) do not broadcast",
        ),
        (
            |b, x, m| {
                let y = b.index(x, &[Index::Int(0)])?;
                b.binary(Binary::Add, y, m)
            },
            "axis of unknown length",
        ),
        (|b, x, _| b.index(x, &[Index::Int(9)]), "index 9 is out of bounds for axis 0 with size 9"),
        (|b, x, _| b.index(x, &[Index::Ints(vec![0, -10])]), "index -10 is out of bounds"),
        (|b, x, _| b.index(x, &[slice(None, None, Some(0))]), "slice step cannot be zero"),
        (|b, x, _| b.index(x, &[Index::Int(0), Index::Int(0), Index::Int(0)]), "3 indices for an array of 2"),
        (|b, x, _| b.index(x, &[Index::Mask(vec![true])]), "a mask of 1 items for axis 0"),
        (|b, _, m| b.reshape(m, &[-1, 2]), "reshape needs known sizes"),
        (|b, _, m| b.index(m, &[Index::Int(0)]), "axis 0 has unknown length"),
        (|b, x, _| b.reshape(x, &[7, -1]), "cannot be reshaped to [7, -1]"),
        (|b, x, _| b.transpose(x, Some(&[0, 0])), "not a permutation"),
        (
            |b, x, _| b.reduce(Reduction::Sum, x, Some(&[2]), false, None),
            "axis 2 is out of bounds for an array of 2",
        ),
        (|b, x, _| b.reduce(Reduction::Sum, x, Some(&[0, -2]), false, None), "axis 0 is given twice"),
        (|b, x, _| b.squeeze(x, Some(&[0])), "axis 0 of shape (9, 12) does not have length 1"),
        (|b, x, _| b.matmul(x, x), "axis 1 of the first and axis 0 of the second differ"),
        (|b, x, _| b.binary(Binary::BitwiseAnd, x, Scalar::Int(1)), "bitwise_and is not defined for float64"),
        (
            |b, x, _| {
                b.map_overlap(x, &[1, 1], &[None, None], &mut |b, a| b.mean(a, None, false, None, false))
            },
            "sees one block at a time",
        ),
    ];
    for (f, message) in cases {
        let mut b = Builder::new();
        let x = random(&mut b, &[&[4, 3, 2], &[5, 7]]);
        let positive = b.binary(Binary::Greater, x, Scalar::Float(0.5)).unwrap();
        let m = b.index(x, &[Index::Array(positive)]).unwrap();
        let e = f(&mut b, x, m).unwrap_err();
        assert!(e.0.contains(message), "{:?} should say {message:?}", e.0);
    }
}

#[test]
fn unknown_sizes_reach_what_does_not_need_them() {
    let mut b = Builder::new();
    let x = random(&mut b, &[&[4, 3, 2], &[5, 7]]);
    let mask = b.binary(Binary::Greater, x, Scalar::Float(0.5)).unwrap();
    let some = b.index(x, &[Index::Array(mask)]).unwrap();
    // Whole rows a block, so that the order is numpy's.
    assert_eq!(b.chunks(some), [[UNKNOWN; 3]]);
    let double = b.binary(Binary::Multiply, some, Scalar::Int(2)).unwrap();
    let sum = b.binary(Binary::Add, double, some).unwrap();
    let mean = b.mean(sum, None, false, None, false).unwrap();
    assert_eq!(b.shape(mean), []);
    b.print("mean", mean).unwrap();
    b.print("some", some).unwrap();
    b.npy("some", some, "some.npy").unwrap();
    assert!(b.zarr("some", some, "some.zarr").unwrap_err().0.contains("a Zarr array needs known sizes"));
    assert_eq!(b.finish().unwrap()[0].outputs.len(), 3);
}
