//! Reductions and running reductions.

use super::{Function, Run, function, method};
use crate::builder::{Array, Index};
use crate::dtype::{DType, Kind};
use crate::formula::call::{Call, Read};
use crate::program::{ArgReduction, Binary, Cumulative, Reduction};

const SUM: &str = "x, axis=None, dtype=None, keepdims=False";
const MIN: &str = "x, axis=None, keepdims=False";
const VAR: &str = "x, axis=None, dtype=None, ddof=0, keepdims=False";
const CUM: &str = "x, axis=None, dtype=None";

pub(super) const TABLE: &[Function] = &[
    method("sum", SUM, Run::Reduce(Reduction::Sum)),
    method("prod", SUM, Run::Reduce(Reduction::Prod)),
    method("min", MIN, Run::Reduce(Reduction::Min)).or(&["amin"]),
    method("max", MIN, Run::Reduce(Reduction::Max)).or(&["amax"]),
    method("any", MIN, Run::Reduce(Reduction::Any)),
    method("all", MIN, Run::Reduce(Reduction::All)),
    function("count_nonzero", MIN, Run::Reduce(Reduction::CountNonzero)),
    function("nansum", SUM, Run::Reduce(Reduction::Nansum)),
    function("nanprod", SUM, Run::Reduce(Reduction::Nanprod)),
    function("nanmin", MIN, Run::Reduce(Reduction::Nanmin)),
    function("nanmax", MIN, Run::Reduce(Reduction::Nanmax)),
    method("mean", SUM, Run::Array(|call| mean(call, false))),
    function("nanmean", SUM, Run::Array(|call| mean(call, true))),
    method("var", VAR, Run::Array(|call| var(call, false, false))),
    method("std", VAR, Run::Array(|call| var(call, true, false))),
    function("nanvar", VAR, Run::Array(|call| var(call, false, true))),
    function("nanstd", VAR, Run::Array(|call| var(call, true, true))),
    function("average", "x, axis=None, weights=None, keepdims=False", Run::Array(average)),
    function("ptp", MIN, Run::Array(ptp)),
    method("argmin", MIN, Run::Arg(ArgReduction::Argmin)),
    method("argmax", MIN, Run::Arg(ArgReduction::Argmax)),
    function("nanargmin", MIN, Run::Arg(ArgReduction::Nanargmin)),
    function("nanargmax", MIN, Run::Arg(ArgReduction::Nanargmax)),
    method("cumsum", CUM, Run::Array(|call| cumulative(call, Cumulative::Sum, false))),
    method("cumprod", CUM, Run::Array(|call| cumulative(call, Cumulative::Prod, false))),
    function("nancumsum", CUM, Run::Array(|call| cumulative(call, Cumulative::Sum, true))),
    function("nancumprod", CUM, Run::Array(|call| cumulative(call, Cumulative::Prod, true))),
    function("diff", "x, n=1, axis=-1", Run::Array(diff)),
    function("ediff1d", "x", Run::Array(ediff1d)),
];

fn mean(call: &mut Call<'_, '_, '_>, nan: bool) -> Read<Array> {
    let (x, axes, keepdims, dtype) =
        (call.array("x")?, call.axes("axis")?, call.bool("keepdims")?, call.dtype("dtype")?);
    Ok(call.builder().mean(x, axes.as_deref(), keepdims, dtype, nan)?)
}

fn var(call: &mut Call<'_, '_, '_>, sqrt: bool, nan: bool) -> Read<Array> {
    let (x, axes, keepdims, dtype) =
        (call.array("x")?, call.axes("axis")?, call.bool("keepdims")?, call.dtype("dtype")?);
    let ddof = call.float("ddof")?;
    Ok(call.builder().var(x, axes.as_deref(), keepdims, ddof, sqrt, nan, dtype)?)
}

/// The mean, or `sum(x * w) / sum(w)` with weights of `x`'s shape, or of one axis.
fn average(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (x, axes, keepdims) = (call.array("x")?, call.axes("axis")?, call.bool("keepdims")?);
    let Some(mut weights) = call.optional_array("weights")? else {
        return Ok(call.builder().mean(x, axes.as_deref(), keepdims, None, false)?);
    };
    let shape = call.builder().shape(x);
    let weighed = call.builder().shape(weights);
    if weighed != shape {
        let [axis] = axes.as_deref().unwrap_or_default() else {
            return call.wrong("weights", "must have the shape of `x`, or one axis, which `axis` then names");
        };
        let axis = call.normalize("axis", *axis, shape.len())?;
        if weighed.len() != 1 || weighed.first() != shape.get(axis) {
            return call.wrong("weights", format!("must be as long as axis {axis} of `x`"));
        }
        let missing: Vec<i64> = (0..shape.len() as i64).filter(|a| *a != axis as i64).collect();
        weights = call.builder().expand_dims(weights, &missing)?;
    }
    let build = call.builder();
    let mut dtype = build.dtype(x).promote(build.dtype(weights));
    // Integers are divided as float64, whatever the weights are.
    if build.dtype(x).kind() <= Kind::Signed {
        dtype = dtype.promote(DType::Float64);
    }
    let (x, weights) = (build.cast(x, dtype)?, build.cast(weights, dtype)?);
    let product = build.binary(Binary::Multiply, x, weights)?;
    let total = build.reduce(Reduction::Sum, product, axes.as_deref(), keepdims, None)?;
    let scale = build.reduce(Reduction::Sum, weights, axes.as_deref(), keepdims, None)?;
    Ok(build.binary(Binary::Divide, total, scale)?)
}

/// Largest minus smallest.
fn ptp(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (x, axes, keepdims) = (call.array("x")?, call.axes("axis")?, call.bool("keepdims")?);
    let build = call.builder();
    let high = build.reduce(Reduction::Max, x, axes.as_deref(), keepdims, None)?;
    let low = build.reduce(Reduction::Min, x, axes.as_deref(), keepdims, None)?;
    Ok(build.binary(Binary::Subtract, high, low)?)
}

fn cumulative(call: &mut Call<'_, '_, '_>, f: Cumulative, nan: bool) -> Read<Array> {
    let (x, axis, dtype) = (call.array("x")?, call.axis("axis")?, call.dtype("dtype")?);
    Ok(call.builder().cumulative(f, x, axis, dtype, nan)?)
}

/// Differences of neighbours, `n` times; of bools, whether they differ.
fn diff(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (mut x, n) = (call.array("x")?, call.count("n")?);
    let ndim = call.builder().shape(x).len();
    if ndim == 0 {
        return call.wrong("x", "needs at least one axis");
    }
    if n > 1000 {
        return call.wrong("n", format!("{n} is more than 1000"));
    }
    let axis = call.axis_of("axis", ndim)?;
    for _ in 0..n {
        x = difference(call, x, axis)?;
    }
    Ok(x)
}

fn ediff1d(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let x = call.array("x")?;
    let flat = call.builder().ravel(x)?;
    difference(call, flat, 0)
}

fn difference(call: &mut Call<'_, '_, '_>, x: Array, axis: usize) -> Read<Array> {
    call.eval.step()?;
    let all = Index::Slice { start: None, stop: None, step: None };
    let mut later = vec![all; axis];
    let mut earlier = later.clone();
    later.push(Index::Slice { start: Some(1), stop: None, step: None });
    earlier.push(Index::Slice { start: None, stop: Some(-1), step: None });
    let build = call.builder();
    let (a, b) = (build.index(x, &later)?, build.index(x, &earlier)?);
    let f = if build.dtype(x) == DType::Bool { Binary::NotEqual } else { Binary::Subtract };
    Ok(build.binary(f, a, b)?)
}
