//! New arrays. The document's sources use the same functions.

use super::{Function, Run, function};
use crate::builder::{Array, AxisChunks, Builder, ChunkSpec, normalize_chunks};
use crate::dtype::{DType, Kind, Scalar};
use crate::formula::call::{Call, Read};
use crate::formula::literal::{Literal, Nest};
use crate::formula::number::Number;
use crate::formula::value::Value;

/// The most chunks along one axis: a plan lists their sizes.
const MAX_CHUNKS: u64 = 10_000_000;

/// dask's size of a chunk that is chosen automatically.
const AUTO_BYTES: u128 = 128 << 20;

pub(super) const TABLE: &[Function] = &[
    function("arange", "start, stop=None, step=1, dtype=None, chunks=\"auto\"", Run::Array(arange_)),
    function(
        "linspace",
        "start, stop, num=50, endpoint=True, dtype=None, chunks=\"auto\"",
        Run::Array(linspace_),
    ),
    function(
        "zeros",
        "shape, dtype=None, chunks=\"auto\"",
        Run::Array(|call| constant(call, Scalar::Int(0))),
    ),
    function("ones", "shape, dtype=None, chunks=\"auto\"", Run::Array(|call| constant(call, Scalar::Int(1)))),
    function("full", "shape, fill_value, dtype=None, chunks=\"auto\"", Run::Array(full_)),
    function("eye", "N, M=None, k=0, dtype=None, chunks=\"auto\"", Run::Array(eye_)),
    function("array", "object, dtype=None, chunks=-1", Run::Array(array_)).or(&["asarray"]),
    function("zeros_like", "x, dtype=None", Run::Array(|call| like(call, Some(Scalar::Int(0))))),
    function("ones_like", "x, dtype=None", Run::Array(|call| like(call, Some(Scalar::Int(1))))),
    function("full_like", "x, fill_value, dtype=None", Run::Array(|call| like(call, None))),
];

/// What the caller got wrong.
type Outcome<T> = Result<T, String>;

/// Refuses arrays whose bytes a 64-bit number does not count.
pub(crate) fn check_size(shape: &[u64], dtype: DType) -> Outcome<u64> {
    let bytes = shape.iter().try_fold(dtype.itemsize() as u64, |n, d| n.checked_mul(*d));
    bytes.filter(|b| *b <= i64::MAX as u64).ok_or_else(|| {
        format!(
            "shape {shape:?} times {} bytes an element ({dtype}) is more than any machine can address",
            dtype.itemsize()
        )
    })
}

/// Refuses chunks that are too many to list.
pub(crate) fn check_grid(spec: &ChunkSpec, shape: &[u64], dtype: DType) -> Outcome<()> {
    let bytes = u128::from(check_size(shape, dtype)?);
    let most = (bytes / AUTO_BYTES).min(u128::from(u64::MAX)) as u64;
    let axes: Vec<u64> = match spec {
        ChunkSpec::Auto => vec![most],
        ChunkSpec::Each(axes) => axes
            .iter()
            .zip(shape)
            .map(|(axis, n)| match axis {
                AxisChunks::Size(0) | AxisChunks::Whole => 1,
                AxisChunks::Size(size) => n.div_ceil(*size),
                AxisChunks::Sizes(sizes) => sizes.len() as u64,
                AxisChunks::Auto => most,
            })
            .collect(),
    };
    match axes.iter().find(|n| **n > MAX_CHUNKS) {
        Some(n) => {
            Err(format!("about {n} chunks along an axis of shape {shape:?} are too many; make them larger"))
        }
        None => Ok(()),
    }
}

/// Chunk sizes of a new array, after both checks.
pub(crate) fn grid(spec: &ChunkSpec, shape: &[u64], dtype: DType) -> Outcome<Vec<Vec<u64>>> {
    if shape.len() > crate::formula::literal::MAX_AXES {
        return Err(format!("{} axes are more than {}", shape.len(), crate::formula::literal::MAX_AXES));
    }
    check_grid(spec, shape, dtype)?;
    normalize_chunks(spec, shape, dtype).map_err(|e| e.0)
}

/// `numpy.arange(start, stop, step, dtype)`.
pub(crate) fn arange(
    build: &mut Builder,
    [start, stop, step]: [Number; 3],
    dtype: Option<DType>,
    chunks: &ChunkSpec,
) -> Outcome<Array> {
    let ints = (start.int(), stop.int(), step.int());
    let (len, natural) = if let (Some(start), Some(stop), Some(step)) = ints {
        if step == 0 {
            return Err("the step is not 0".into());
        }
        let span = stop.checked_sub(start).ok_or("the ends are too far apart")?;
        // Ceiling division; an empty range where the step leads away.
        let len = span / step + i128::from(span % step != 0 && (span < 0) == (step < 0));
        (u64::try_from(len.max(0)).map_err(|_| format!("{len} elements are too many"))?, DType::Int64)
    } else {
        let (Some(start), Some(stop), Some(step)) = (start.real(), stop.real(), step.real()) else {
            return Err("the ends and the step are real numbers".into());
        };
        let len = ((stop - start) / step).ceil();
        if !len.is_finite() || len >= 9e18 {
            return Err(format!("from {start} to {stop} by {step} are not finitely many elements"));
        }
        (len.max(0.0) as u64, DType::Float64)
    };
    let dtype = dtype.unwrap_or(natural);
    let chunks = grid(chunks, &[len], dtype)?;
    build.arange(start.scalar()?, step.scalar()?, dtype, chunks).map_err(|e| e.0)
}

/// `numpy.linspace(start, stop, num, endpoint, dtype=dtype)`.
pub(crate) fn linspace(
    build: &mut Builder,
    [start, stop]: [Number; 2],
    num: u64,
    endpoint: bool,
    dtype: Option<DType>,
    chunks: &ChunkSpec,
) -> Outcome<Array> {
    let complex = [start, stop].iter().any(|n| matches!(n, Number::Complex(..)));
    let dtype = dtype.unwrap_or(if complex { DType::Complex128 } else { DType::Float64 });
    let chunks = grid(chunks, &[num], dtype)?;
    build.linspace(start.scalar()?, stop.scalar()?, num, endpoint, dtype, chunks).map_err(|e| e.0)
}

/// `numpy.full(shape, value, dtype)`.
pub(crate) fn full(
    build: &mut Builder,
    value: Number,
    shape: &[u64],
    dtype: Option<DType>,
    chunks: &ChunkSpec,
) -> Outcome<Array> {
    let scalar = value.scalar()?;
    let dtype = dtype.unwrap_or(scalar.default_dtype());
    if scalar.kind() == Kind::Complex && dtype.kind() < Kind::Complex {
        return Err(format!("{value} is no {dtype}"));
    }
    // numpy refuses integers that the dtype does not hold; floats are cut off.
    if value.int().is_some() && dtype.kind() <= Kind::Signed && dtype != DType::Bool {
        Nest::Number(value).literal(Some(dtype))?;
    }
    let chunks = grid(chunks, shape, dtype)?;
    build.full(scalar, dtype, chunks).map_err(|e| e.0)
}

/// `numpy.eye(n, m, k, dtype)`.
pub(crate) fn eye(
    build: &mut Builder,
    shape: [u64; 2],
    k: i64,
    dtype: Option<DType>,
    chunks: &ChunkSpec,
) -> Outcome<Array> {
    let dtype = dtype.unwrap_or(DType::Float64);
    let chunks = grid(chunks, &shape, dtype)?;
    build.eye(k, dtype, chunks).map_err(|e| e.0)
}

/// An array of given numbers, in one chunk unless told otherwise.
pub(crate) fn literal(build: &mut Builder, literal: Literal, chunks: Option<&ChunkSpec>) -> Outcome<Array> {
    let chunks = match chunks {
        Some(chunks) => grid(chunks, &literal.shape, literal.dtype)?,
        None => literal.shape.iter().map(|n| vec![*n]).collect(),
    };
    build.literal(literal.dtype, &literal.shape, literal.data, chunks).map_err(|e| e.0)
}

fn arange_(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (first, step, dtype) = (call.number("start")?, call.number("step")?, call.dtype("dtype")?);
    // `arange(10)` ends at 10.
    let (start, stop) =
        if call.is_none("stop") { (Number::Int(0), first) } else { (first, call.number("stop")?) };
    let chunks = call.chunks("chunks", 1)?;
    Ok(arange(call.builder(), [start, stop, step], dtype, &chunks)?)
}

fn linspace_(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let ends = [call.number("start")?, call.number("stop")?];
    let (num, endpoint, dtype) = (call.count("num")?, call.bool("endpoint")?, call.dtype("dtype")?);
    let chunks = call.chunks("chunks", 1)?;
    Ok(linspace(call.builder(), ends, num, endpoint, dtype, &chunks)?)
}

fn constant(call: &mut Call<'_, '_, '_>, value: Scalar) -> Read<Array> {
    let (shape, dtype) = (call.shape("shape")?, call.dtype("dtype")?.unwrap_or(DType::Float64));
    let chunks = call.chunks("chunks", shape.len())?;
    let chunks = grid(&chunks, &shape, dtype)?;
    Ok(call.builder().full(value, dtype, chunks)?)
}

fn full_(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (shape, value, dtype) = (call.shape("shape")?, call.number("fill_value")?, call.dtype("dtype")?);
    let chunks = call.chunks("chunks", shape.len())?;
    Ok(full(call.builder(), value, &shape, dtype, &chunks)?)
}

fn eye_(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let n = call.count("N")?;
    let m = if call.is_none("M") { n } else { call.count("M")? };
    let (k, dtype, chunks) = (call.int("k")?, call.dtype("dtype")?, call.chunks("chunks", 2)?);
    Ok(eye(call.builder(), [n, m], k, dtype, &chunks)?)
}

fn array_(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let dtype = call.dtype("dtype")?;
    if let Value::Array(x) = call.value("object") {
        return Ok(match dtype {
            Some(dtype) => call.builder().cast(x, dtype)?,
            None => x,
        });
    }
    let data = match Nest::of(&call.value("object")).and_then(|nest| nest.literal(dtype)) {
        Ok(data) => data,
        Err(message) => return call.wrong("object", message),
    };
    let chunks = call.chunks("chunks", data.shape.len())?;
    Ok(literal(call.builder(), data, Some(&chunks))?)
}

/// An array of one value with the shape and the chunks of another.
fn like(call: &mut Call<'_, '_, '_>, value: Option<Scalar>) -> Read<Array> {
    let (x, dtype) = (call.array("x")?, call.dtype("dtype")?);
    let value = match value {
        Some(value) => value,
        None => call.number("fill_value")?.scalar()?,
    };
    let dtype = dtype.unwrap_or(call.builder().dtype(x));
    call.eval.known_shape(x, "an array like another")?;
    let chunks = call.builder().chunks(x).to_vec();
    Ok(call.builder().full(value, dtype, chunks)?)
}
