//! Functions that move elements.

use super::{Function, Run, function, method};
use crate::builder::{Array, Builder, Index, Nested};
use crate::formula::call::{Call, Read};
use crate::formula::error::FormulaError;
use crate::formula::eval::Evaluator;
use crate::formula::value::Value;

pub(super) const TABLE: &[Function] = &[
    method("transpose", "x, *axes", Run::Array(transpose)).or(&["permute_dims"]),
    method("swapaxes", "x, axis1, axis2", Run::Array(swapaxes)),
    function("moveaxis", "x, source, destination", Run::Array(moveaxis)),
    method("reshape", "x, *shape", Run::Array(reshape)),
    method("ravel", "x", Run::Array(ravel)),
    method("flatten", "x", Run::Array(ravel)),
    method("squeeze", "x, axis=None", Run::Array(squeeze)),
    function("expand_dims", "x, axis", Run::Array(expand_dims)),
    function("broadcast_to", "x, shape", Run::Array(broadcast_to)),
    function("flip", "x, axis=None", Run::Array(flip)),
    function("flipud", "x", Run::Array(|call| flip_axis(call, 0))),
    function("fliplr", "x", Run::Array(|call| flip_axis(call, 1))),
    function("roll", "x, shift, axis=None", Run::Array(roll)),
    method("repeat", "x, repeats, axis=None", Run::Array(repeat)),
    method("take", "x, indices, axis=None", Run::Array(take)),
    method("diagonal", "x, offset=0", Run::Array(diagonal)),
    function("tril", "x, k=0", Run::Array(|call| triangle(call, false))),
    function("triu", "x, k=0", Run::Array(|call| triangle(call, true))),
    function("concatenate", "arrays, axis=0", Run::Array(concatenate)).or(&["concat"]),
    function("stack", "arrays, axis=0", Run::Array(stack)),
    function("vstack", "arrays", Run::Array(|call| join(call, 2, |_| 0))),
    function("hstack", "arrays", Run::Array(|call| join(call, 1, |ndim| i64::from(ndim > 1)))),
    function("dstack", "arrays", Run::Array(|call| join(call, 3, |_| 2))),
    function("block", "arrays", Run::Array(block)),
    method("rechunk", "x, chunks=\"auto\"", Run::Array(rechunk)),
];

fn transpose(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (x, axes) = (call.array("x")?, call.axes("axes")?);
    Ok(call.builder().transpose(x, axes.as_deref())?)
}

fn swapaxes(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let x = call.array("x")?;
    let ndim = call.builder().shape(x).len();
    let (a, b) = (call.axis_of("axis1", ndim)?, call.axis_of("axis2", ndim)?);
    let mut axes: Vec<i64> = (0..ndim as i64).collect();
    axes.swap(a, b);
    Ok(call.builder().transpose(x, Some(&axes))?)
}

fn moveaxis(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let x = call.array("x")?;
    let ndim = call.builder().shape(x).len();
    let mut pairs = vec![];
    let (from, to) = (call.ints("source")?, call.ints("destination")?);
    if from.len() != to.len() {
        return call
            .wrong("destination", format!("names {} axes, but `source` names {}", to.len(), from.len()));
    }
    for (from, to) in from.into_iter().zip(to) {
        let pair = (call.normalize("destination", to, ndim)?, call.normalize("source", from, ndim)?);
        if pairs.iter().any(|p: &(usize, usize)| p.0 == pair.0 || p.1 == pair.1) {
            return call.wrong("source", "names an axis twice, or `destination` does");
        }
        pairs.push(pair);
    }
    // The others keep their order; the moved ones are inserted from the left.
    let mut axes: Vec<usize> = (0..ndim).filter(|a| pairs.iter().all(|p| p.1 != *a)).collect();
    pairs.sort_unstable();
    pairs.into_iter().for_each(|(to, from)| axes.insert(to, from));
    let axes: Vec<i64> = axes.into_iter().map(|a| a as i64).collect();
    Ok(call.builder().transpose(x, Some(&axes))?)
}

fn reshape(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let x = call.array("x")?;
    if call.is_none("shape") {
        return call.wrong("shape", "is missing; write `reshape(x, (2, 3))`");
    }
    let shape = call.ints("shape")?;
    Ok(call.builder().reshape(x, &shape)?)
}

fn ravel(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let x = call.array("x")?;
    Ok(call.builder().ravel(x)?)
}

fn squeeze(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (x, axes) = (call.array("x")?, call.axes("axis")?);
    Ok(call.builder().squeeze(x, axes.as_deref())?)
}

fn expand_dims(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (x, axes) = (call.array("x")?, call.ints("axis")?);
    Ok(call.builder().expand_dims(x, &axes)?)
}

fn broadcast_to(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (x, shape) = (call.array("x")?, call.shape("shape")?);
    let dtype = call.builder().dtype(x);
    super::creation::check_size(&shape, dtype)?;
    Ok(call.builder().broadcast_to(x, &shape)?)
}

fn flip(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (x, axes) = (call.array("x")?, call.axes("axis")?);
    Ok(call.builder().flip(x, axes.as_deref())?)
}

fn flip_axis(call: &mut Call<'_, '_, '_>, axis: i64) -> Read<Array> {
    let x = call.array("x")?;
    Ok(call.builder().flip(x, Some(&[axis]))?)
}

fn roll(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (x, mut shifts, axes) = (call.array("x")?, call.ints("shift")?, call.axes("axis")?);
    // One shift serves all axes, as in numpy.
    if let (Some(axes), [shift]) = (&axes, shifts.as_slice()) {
        shifts = vec![*shift; axes.len()];
    }
    Ok(call.builder().roll(x, &shifts, axes.as_deref())?)
}

fn repeat(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (x, repeats, axis) = (call.array("x")?, call.count("repeats")?, call.axis("axis")?);
    let dtype = call.builder().dtype(x);
    let shape: Option<Vec<u64>> = call.builder().shape(x).into_iter().collect();
    if let Some(mut shape) = shape {
        shape.push(repeats);
        super::creation::check_size(&shape, dtype)?;
    }
    Ok(call.builder().repeat(x, repeats, axis)?)
}

fn take(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (mut x, axis) = (call.array("x")?, call.axis("axis")?);
    let axis = match axis {
        Some(axis) => {
            let ndim = call.builder().shape(x).len();
            call.normalize("axis", axis, ndim)?
        }
        None => {
            x = call.builder().ravel(x)?;
            0
        }
    };
    let mut items = vec![Index::Slice { start: None, stop: None, step: None }; axis];
    items.push(match call.value("indices") {
        Value::Array(indices) => Index::Array(indices),
        Value::Number(_) => Index::Int(call.int("indices")?),
        _ => Index::Ints(call.ints("indices")?),
    });
    Ok(call.builder().index(x, &items)?)
}

fn diagonal(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (x, k) = (call.array("x")?, call.int("offset")?);
    Ok(call.builder().diagonal(x, k)?)
}

fn triangle(call: &mut Call<'_, '_, '_>, upper: bool) -> Read<Array> {
    let (x, k) = (call.array("x")?, call.int("k")?);
    Ok(call.builder().triangle(x, upper, k)?)
}

fn concatenate(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (arrays, axis) = (call.arrays("arrays")?, call.axis("axis")?);
    Ok(call.builder().concatenate(&arrays, axis)?)
}

fn stack(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (arrays, axis) = (call.arrays("arrays")?, call.int("axis")?);
    Ok(call.builder().stack(&arrays, axis)?)
}

/// Joins arrays that have at least `least` axes each, or get them as `numpy.atleast_nd` gives them.
fn join(call: &mut Call<'_, '_, '_>, least: usize, axis: fn(usize) -> i64) -> Read<Array> {
    let mut arrays = call.arrays("arrays")?;
    for array in &mut arrays {
        *array = at_least(call.builder(), *array, least)?;
    }
    let first = arrays.first().copied();
    let ndim = first.map_or(0, |a| call.builder().shape(a).len());
    Ok(call.builder().concatenate(&arrays, Some(axis(ndim)))?)
}

/// Adds axes of length 1: before the others, but the third one (of `atleast_3d`) behind them.
fn at_least(build: &mut Builder, x: Array, least: usize) -> Read<Array> {
    let ndim = build.shape(x).len();
    let axes: &[i64] = match (least, ndim) {
        (1, 0) | (2, 1) => &[0],
        (2, 0) => &[0, 1],
        (3, 0) => &[0, 1, 2],
        (3, 1) => &[0, 2],
        (3, 2) => &[2],
        _ => return Ok(x),
    };
    Ok(build.expand_dims(x, axes)?)
}

fn block(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let value = call.value("arrays");
    let blocks = nested(call.eval, &value)?;
    Ok(call.builder().block(&blocks)?)
}

fn nested(eval: &mut Evaluator<'_, '_>, value: &Value) -> Result<Nested, FormulaError> {
    Ok(match value {
        Value::List(values) => {
            Nested::List(values.iter().map(|v| nested(eval, v)).collect::<Result<_, _>>()?)
        }
        other => Nested::Array(eval.array(other)?),
    })
}

fn rechunk(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let x = call.array("x")?;
    let shape = call.builder().shape(x);
    let spec = call.chunks("chunks", shape.len())?;
    let dtype = call.builder().dtype(x);
    if let Some(shape) = shape.into_iter().collect::<Option<Vec<u64>>>() {
        super::creation::check_grid(&spec, &shape, dtype)?;
    }
    Ok(call.builder().rechunk(x, &spec)?)
}
