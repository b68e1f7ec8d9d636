//! Reductions. They take the tiles of a fused group as these are made; what they reduce is never an array.
//!
//! The order of summation follows the tiles, so the shape alone; see [`crate::fuse::tiles`].

mod arg;
mod cumulative;
mod fold;
mod moments;
mod number;
mod sum;
mod walk;

#[cfg(test)]
mod tests;

pub(crate) use walk::Sink;

use crate::chunk::Chunk;
use crate::fuse::graph::{Graph, NodeId};
use crate::fuse::lower;
use crate::run::Error;
use crate::value::Value;
use dask_plan::DType;
use dask_plan::program::{Op, Reduction, Unary};
use walk::Walk;

/// Runs a reduction of an expression; this is one use of it.
///
/// # Errors
/// [`Error::Operand`] for axes that do not exist and dtypes that the reduction does not take; [`Error::Value`] for the
/// extreme of nothing.
pub(crate) fn run(graph: &mut Graph<'_>, op: &Op, x: NodeId, args: &[i64]) -> Result<Value, Error> {
    match op {
        Op::Reduce { f, axes, dtype } => {
            let walk = walk(graph, x, axes, op)?;
            let node = prepare(graph, *f, x, *dtype)?;
            let chunk = feed(graph, x, node, fold::sink(*f, graph.dtype(node), walk)?)?;
            let node = graph.leaf(chunk);
            let node = lower::cast(graph, node, *dtype)?;
            graph.retain(node, 1);
            Ok(Value::Array(graph.take(node)?))
        }
        Op::Moments { axes, dtype, nan } => {
            let walk = walk(graph, x, axes, op)?;
            let node = lower::cast(graph, x, *dtype)?;
            let sink = moments::sink(graph.dtype(node), *nan, walk)?;
            let parts = feed_all(graph, x, node, sink)?;
            Ok(Value::Tuple(parts.into_iter().map(Value::Array).collect()))
        }
        Op::Arg { f, axes, offset, whole } => {
            let walk = walk(graph, x, axes, op)?;
            if offset.len() != axes.len() || whole.len() != axes.len() {
                return Err(Error::Operand(format!(
                    "{}: {} axes, but {} offsets and {} extents",
                    lower::name(op),
                    axes.len(),
                    offset.len(),
                    whole.len()
                )));
            }
            let place = arg::Place {
                block: axes.iter().map(|&a| graph.shape(x)[a as usize]).collect(),
                offset: offset.iter().map(|o| o.get(args)).collect(),
                whole: whole.clone(),
            };
            let sink = arg::sink(*f, graph.dtype(x), walk, place)?;
            let parts = feed_all(graph, x, x, sink)?;
            Ok(Value::Tuple(parts.into_iter().map(Value::Array).collect()))
        }
        Op::Cumulative { f, axis, dtype, nan } => {
            check_axes(graph, x, std::slice::from_ref(axis), op)?;
            let node = if *nan { lower::unary(graph, cumulative::neutral(*f), x)? } else { x };
            let node = lower::cast(graph, node, *dtype)?;
            graph.retain(node, 1);
            graph.release(x);
            let chunk = graph.take(node)?;
            Ok(Value::Array(cumulative::run(*f, *axis as usize, chunk)))
        }
        _ => Err(Error::Operand(format!("{}: not a reduction", lower::name(op)))),
    }
}

/// Runs an operator that merges or finishes partial reductions; hands the operands back when it is none.
///
/// # Errors
/// [`Error::Operand`] when the operands are not the parts it takes; [`Error::Value`] for the place of nothing but NaN.
pub(crate) fn merge(op: &Op, operands: Vec<Value>) -> Result<Result<Value, Vec<Value>>, Error> {
    Ok(Ok(match op {
        Op::MomentsMerge => moments::merge(&operands)?,
        Op::MomentsFinish { ddof, sqrt, dtype } => moments::finish(&operands, *ddof, *sqrt, *dtype)?,
        Op::ArgMerge { f } => arg::merge(*f, &operands)?,
        Op::ArgFinish { f } => arg::finish(*f, &operands)?,
        _ => return Ok(Err(operands)),
    }))
}

fn check_axes(graph: &Graph<'_>, x: NodeId, axes: &[u32], op: &Op) -> Result<(), Error> {
    let ndim = graph.shape(x).len();
    match axes.iter().find(|&&a| a as usize >= ndim) {
        Some(axis) => {
            Err(Error::Operand(format!("{}: axis {axis} of an array of {ndim} axes", lower::name(op))))
        }
        None if !axes.is_sorted_by(|a, b| a < b) => {
            Err(Error::Operand(format!("{}: axes {axes:?} are not sorted", lower::name(op))))
        }
        None => Ok(()),
    }
}

fn walk(graph: &Graph<'_>, x: NodeId, axes: &[u32], op: &Op) -> Result<Walk, Error> {
    check_axes(graph, x, axes, op)?;
    Ok(Walk::new(graph.shape(x), axes))
}

/// What is folded: `x` in the dtype of the result, or as truth values.
fn prepare(graph: &mut Graph<'_>, f: Reduction, x: NodeId, dtype: DType) -> Result<NodeId, Error> {
    use Reduction::*;
    match f {
        Sum | Prod | Min | Max | Nanmin | Nanmax => lower::cast(graph, x, dtype),
        Nansum | Nanprod => {
            let neutral = if f == Nansum { Unary::NanToZero } else { Unary::NanToOne };
            let x = lower::unary(graph, neutral, x)?;
            lower::cast(graph, x, dtype)
        }
        Any | All | CountNonzero => lower::cast(graph, x, DType::Bool),
        Nancount => {
            let nan = lower::unary(graph, Unary::Isnan, x)?;
            lower::unary(graph, Unary::LogicalNot, nan)
        }
    }
}

/// Feeds `node`, which was made from `x`, to a sink; uses `x` once.
fn feed_all(
    graph: &mut Graph<'_>,
    x: NodeId,
    node: NodeId,
    mut sink: Box<dyn Sink>,
) -> Result<Vec<Chunk>, Error> {
    graph.retain(node, 1);
    graph.release(x);
    graph.reduce(node, sink.as_mut())?;
    Ok(sink.finish())
}

fn feed(graph: &mut Graph<'_>, x: NodeId, node: NodeId, sink: Box<dyn Sink>) -> Result<Chunk, Error> {
    feed_all(graph, x, node, sink)?.pop().ok_or_else(|| Error::Operand("a reduction without a result".into()))
}
