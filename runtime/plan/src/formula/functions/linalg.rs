//! Products of matrices and vectors.

use super::{Function, Run, function, method};
use crate::builder::{Array, Index};
use crate::formula::call::{Call, Read};
use crate::formula::number::Number;
use crate::formula::value::Value;
use crate::program::{Binary, Reduction, Unary};

pub(super) const TABLE: &[Function] = &[
    method("dot", "x, b", Run::Array(dot)),
    function("matmul", "a, b", Run::Array(matmul)),
    function("tensordot", "a, b, axes=2", Run::Array(tensordot)),
    function("outer", "a, b", Run::Array(outer)),
    function("inner", "a, b", Run::Array(inner)),
    function("vdot", "a, b", Run::Array(vdot)),
    method("trace", "x, offset=0", Run::Array(trace)),
];

fn dot(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (a, b) = (call.array("x")?, call.array("b")?);
    Ok(call.builder().dot(a, b)?)
}

fn matmul(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (a, b) = (call.array("a")?, call.array("b")?);
    Ok(call.builder().matmul(a, b)?)
}

/// `axes` is a number of axes (the last of `a`, the first of `b`) or a pair of lists of axes.
fn tensordot(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (a, b) = (call.array("a")?, call.array("b")?);
    let (left, right) = match call.value("axes") {
        Value::Tuple(pair) | Value::List(pair) => {
            let [left, right] = pair.as_slice() else {
                return call.wrong("axes", "takes an int, or a pair such as `((1, 2), (0, 1))`");
            };
            (axes(call, left)?, axes(call, right)?)
        }
        _ => {
            let n = call.count("axes")? as i64;
            let ndim = call.builder().shape(a).len() as i64;
            if n > ndim || n > call.builder().shape(b).len() as i64 {
                return call.wrong("axes", format!("{n} is more than the operands have"));
            }
            ((ndim - n..ndim).collect(), (0..n).collect())
        }
    };
    if left.len() != right.len() {
        return call.wrong(
            "axes",
            format!("names {} axes of the left operand and {} of the right", left.len(), right.len()),
        );
    }
    Ok(call.builder().tensordot(a, b, (&left, &right))?)
}

fn axes(call: &Call<'_, '_, '_>, value: &Value) -> Read<Vec<i64>> {
    let one = |value: &Value| match value {
        Value::Number(Number::Int(i)) => {
            i64::try_from(*i).or_else(|_| call.wrong("axes", format!("{i} is out of bounds")))
        }
        other => call.wrong("axes", format!("takes ints, not {}", other.describe())),
    };
    match value {
        Value::Tuple(values) | Value::List(values) => values.iter().map(one).collect(),
        value => Ok(vec![one(value)?]),
    }
}

/// All products of two flattened arrays.
fn outer(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (a, b) = (call.array("a")?, call.array("b")?);
    let all = Index::Slice { start: None, stop: None, step: None };
    let build = call.builder();
    let (a, b) = (build.ravel(a)?, build.ravel(b)?);
    let column = build.index(a, &[all, Index::NewAxis])?;
    Ok(build.binary(Binary::Multiply, column, b)?)
}

/// Sums over the last axes of both.
fn inner(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (a, b) = (call.array("a")?, call.array("b")?);
    let build = call.builder();
    if build.shape(a).is_empty() || build.shape(b).is_empty() {
        return Ok(build.binary(Binary::Multiply, a, b)?);
    }
    Ok(build.tensordot(a, b, (&[-1], &[-1]))?)
}

fn vdot(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (a, b) = (call.array("a")?, call.array("b")?);
    let build = call.builder();
    let (a, b) = (build.ravel(a)?, build.ravel(b)?);
    let a = build.unary(Unary::Conjugate, a)?;
    Ok(build.dot(a, b)?)
}

fn trace(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (x, k) = (call.array("x")?, call.int("offset")?);
    let build = call.builder();
    let diagonal = build.diagonal(x, k)?;
    Ok(build.reduce(Reduction::Sum, diagonal, Some(&[-1]), false, None)?)
}
