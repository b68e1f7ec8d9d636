//! Counting, sorting, and functions over overlapping blocks.

use super::{Function, Run, function, method};
use crate::builder::{Array, BuildError};
use crate::formula::call::{Argument, Call, Read};
use crate::formula::error::FormulaError;
use crate::formula::eval::Evaluator;
use crate::formula::number::Number;
use crate::formula::value::Value;
use crate::program::Boundary;

/// The most bins of a histogram; each block counts into all of them.
const MAX_BINS: u64 = 10_000_000;

pub(super) const TABLE: &[Function] = &[
    function("histogram", "x, bins=10, range=None, weights=None, density=False", Run::Value(histogram)),
    function("bincount", "x, weights=None, minlength=0", Run::Array(bincount)),
    function("digitize", "x, bins, right=False", Run::Array(digitize)),
    method("topk", "x, k, axis=-1", Run::Array(topk)),
    function("unique", "x", Run::Array(unique)),
    method("map_overlap", "func, x, depth, boundary=None", Run::Array(map_overlap)),
];

/// A pair (counts, edges), as numpy's.
fn histogram(call: &mut Call<'_, '_, '_>) -> Read<Value> {
    let (x, weights, density) = (call.array("x")?, call.optional_array("weights")?, call.bool("density")?);
    let edges = match call.value("bins") {
        Value::Number(Number::Int(_)) => {
            let bins = call.count("bins")?;
            if !(1..=MAX_BINS).contains(&bins) {
                return call.wrong("bins", format!("there are 1 to {MAX_BINS} bins, not {bins}"));
            }
            let range = match call.value("range") {
                Value::Tuple(pair) | Value::List(pair) => real_numbers(call, "range", &pair)?,
                _ => vec![],
            };
            let [low, high] = *range else {
                return call.wrong(
                    "range",
                    "is needed with a number of bins: `range=(0, 1)`; the data are not known yet",
                );
            };
            if !(low.is_finite() && high.is_finite() && low <= high) {
                return call.wrong("range", format!("{low} to {high} is no range"));
            }
            // numpy widens a range of one point.
            let (low, high) = if low == high { (low - 0.5, high + 0.5) } else { (low, high) };
            let step = (high - low) / bins as f64;
            let mut edges: Vec<f64> = (0..bins).map(|i| i as f64 * step + low).collect();
            edges.push(high);
            edges
        }
        _ => sorted_edges(call, false)?,
    };
    let literal = crate::formula::Nest::List(
        edges.iter().map(|e| crate::formula::Nest::Number(Number::Float(*e))).collect(),
    );
    let build = call.builder();
    let counts = build.histogram(x, &edges, weights, density)?;
    let edges = super::creation::literal(build, literal.literal(None)?, None)?;
    Ok(Value::Tuple(vec![Value::Array(counts), Value::Array(edges)]))
}

fn real_numbers(call: &Call<'_, '_, '_>, name: &str, values: &[Value]) -> Read<Vec<f64>> {
    let one = |value: &Value| match value {
        Value::Number(n) => n.real(),
        _ => None,
    };
    match values.iter().map(one).collect() {
        Some(numbers) => Ok(numbers),
        None => call.wrong(name, "takes real numbers that are known when the graph is made"),
    }
}

/// Edges of bins as they are listed: rising, or for `digitize` falling too.
fn sorted_edges(call: &Call<'_, '_, '_>, falling: bool) -> Read<Vec<f64>> {
    let (Value::List(values) | Value::Tuple(values)) = call.value("bins") else {
        return call.wrong("bins", format!("takes a list of edges, not {}", call.value("bins").describe()));
    };
    let edges = real_numbers(call, "bins", &values)?;
    let rises = edges.is_sorted();
    if edges.iter().any(|e| e.is_nan()) || !(rises || falling && edges.is_sorted_by(|a, b| a >= b)) {
        return call.wrong("bins", "edges must rise");
    }
    if edges.len() < if falling { 1 } else { 2 } {
        return call.wrong("bins", "needs more edges");
    }
    Ok(edges)
}

fn bincount(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (x, weights, minlength) =
        (call.array("x")?, call.optional_array("weights")?, call.count("minlength")?);
    Ok(call.builder().bincount(x, weights, minlength)?)
}

fn digitize(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (x, edges, right) = (call.array("x")?, sorted_edges(call, true)?, call.bool("right")?);
    Ok(call.builder().digitize(x, &edges, right)?)
}

fn topk(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (x, k, axis) = (call.array("x")?, call.int("k")?, call.int("axis")?);
    Ok(call.builder().topk(x, k, axis)?)
}

fn unique(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let x = call.array("x")?;
    Ok(call.builder().unique(x)?)
}

/// Applies a function to blocks that see `depth` elements of their neighbours along each axis, which are cut off
/// again. Modes of the outer boundary are `numpy.pad`'s.
fn map_overlap(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let x = call.array("x")?;
    let ndim = call.builder().shape(x).len();
    let Value::Function(name) = call.value("func") else {
        return call.wrong("func", format!("takes a function's name, not {}", call.value("func").describe()));
    };
    let mut depth = call.shape("depth")?;
    if let ([one], Value::Number(_)) = (depth.as_slice(), call.value("depth")) {
        depth = vec![*one; ndim];
    }
    let boundary = match call.value("boundary") {
        Value::Tuple(axes) | Value::List(axes) => {
            axes.iter().map(|v| mode(call, v)).collect::<Read<Vec<_>>>()?
        }
        one => vec![mode(call, &one)?; ndim],
    };
    for (what, n) in [("depth", depth.len()), ("boundary", boundary.len())] {
        if n != ndim {
            return call.wrong(what, format!("has {n} entries for an array of {ndim} axes"));
        }
    }
    let Evaluator { builder, scope, depth: nesting } = &mut *call.eval;
    let (scope, nesting) = (*scope, *nesting);
    let mut failed: Option<FormulaError> = None;
    let result = builder.map_overlap(x, &depth, &boundary, &mut |builder, block| {
        let mut eval = Evaluator { builder, scope, depth: nesting };
        let argument = Argument { name: None, value: Value::Array(block), column: 0 };
        let value = eval.call_named(&name, vec![argument]).and_then(|value| eval.array(&value));
        value.map_err(|error| {
            let message = BuildError(error.message.clone());
            failed = Some(error);
            message
        })
    });
    result.map_err(|e| failed.unwrap_or_else(|| e.into()))
}

fn mode(call: &Call<'_, '_, '_>, value: &Value) -> Read<Option<Boundary>> {
    Ok(match value {
        Value::None => None,
        Value::Number(n) => match n.scalar() {
            Ok(scalar) => Some(Boundary::Constant(scalar)),
            Err(message) => return call.wrong("boundary", message),
        },
        Value::Str(mode) => match mode.as_str() {
            "none" => None,
            "edge" => Some(Boundary::Edge),
            "reflect" => Some(Boundary::Reflect),
            "symmetric" => Some(Boundary::Symmetric),
            "wrap" => Some(Boundary::Wrap),
            _ => {
                let known = ["none", "edge", "reflect", "symmetric", "wrap"];
                let near = crate::names::did_you_mean(mode, known);
                return call.wrong(
                    "boundary",
                    format!(
                        "{mode:?} is not a mode{near}; there are {}, or a number for the constant",
                        known.map(|k| format!("{k:?}")).join(", ")
                    ),
                );
            }
        },
        other => {
            return call.wrong("boundary", format!("takes a mode or a number, not {}", other.describe()));
        }
    })
}
