//! From operators to kernels: numpy's dtype rules, and operators that are made of others.

use crate::chunk::Chunk;
use crate::elementwise;
use crate::fuse::graph::{Graph, NodeId};
use crate::run::Error;
use dask_plan::infer;
use dask_plan::program::{Binary, Op, Unary};
use dask_plan::{DType, Kind};

/// Whether [`elementwise`](fn@elementwise) lowers an operator.
pub(crate) fn is_elementwise(op: &Op) -> bool {
    op.is_elementwise() || matches!(op, Op::Fold(_))
}

/// An operator's name in errors: `binary add`, `transpose`, …
pub(crate) fn name(op: &Op) -> String {
    let text = format!("{op:?}");
    let end = text.find([' ', '{']).unwrap_or(text.len()).min(40);
    text[..end].to_lowercase()
}

/// The node of an elementwise operator.
///
/// # Errors
/// [`Error::Operand`] when numpy has no loop for the dtypes or shapes do not broadcast; [`Error::Value`] for a
/// negative power of integers.
pub(crate) fn elementwise(graph: &mut Graph<'_>, op: &Op, operands: &[NodeId]) -> Result<NodeId, Error> {
    match (op, operands) {
        (Op::Unary(f), [x]) => unary(graph, *f, *x),
        (Op::Binary(f), [a, b]) => binary(graph, *f, *a, *b),
        (Op::Fold(f), [first, rest @ ..]) => rest.iter().try_fold(*first, |folded, &x| {
            if graph.shape(folded) != graph.shape(x) {
                let (a, b) = (graph.shape(folded), graph.shape(x));
                return Err(Error::Operand(format!("fold: shapes {a:?} and {b:?} differ")));
            }
            binary(graph, *f, folded, x)
        }),
        (Op::Where, [condition, a, b]) => {
            let condition = cast(graph, *condition, DType::Bool)?;
            let dtype = graph.dtype(*a).promote(graph.dtype(*b));
            let (a, b) = (cast(graph, *a, dtype)?, cast(graph, *b, dtype)?);
            graph.apply(|| "where".into(), elementwise::select(dtype), &[condition, a, b], dtype)
        }
        (Op::Clip, [x, low, high]) => {
            let dtype = graph.dtype(*x).promote(graph.dtype(*low)).promote(graph.dtype(*high));
            let x = cast(graph, *x, dtype)?;
            let x = binary(graph, Binary::Maximum, x, *low)?;
            binary(graph, Binary::Minimum, x, *high)
        }
        (Op::Round { decimals }, [x]) => round(graph, *x, *decimals),
        (Op::Cast(dtype), [x]) => cast(graph, *x, *dtype),
        _ => Err(Error::Operand(format!("{}: not for {} operands", name(op), operands.len()))),
    }
}

/// A node in another dtype.
///
/// # Errors
/// When the result would be too large.
pub(crate) fn cast(graph: &mut Graph<'_>, x: NodeId, dtype: DType) -> Result<NodeId, Error> {
    if graph.dtype(x) == dtype {
        return Ok(x);
    }
    graph.apply(|| "cast".into(), elementwise::cast(graph.dtype(x), dtype), &[x], dtype)
}

/// A function of one argument.
///
/// # Errors
/// As [`elementwise`](fn@elementwise).
pub(crate) fn unary(graph: &mut Graph<'_>, f: Unary, x: NodeId) -> Result<NodeId, Error> {
    let (inner, outer) = infer::unary(f, graph.dtype(x)).map_err(Error::Operand)?;
    let x = cast(graph, x, inner)?;
    match elementwise::unary(f, inner) {
        elementwise::Function::Kernel(kernel) => graph.apply(|| infer::numpy_name(&f), kernel, &[x], outer),
        elementwise::Function::Identity => Ok(x),
        elementwise::Function::None => Err(no_loop(&infer::numpy_name(&f), inner)),
    }
}

/// A function of two arguments.
///
/// # Errors
/// As [`elementwise`](fn@elementwise).
pub(crate) fn binary(graph: &mut Graph<'_>, f: Binary, a: NodeId, b: NodeId) -> Result<NodeId, Error> {
    let (inner, outer) = infer::binary(f, graph.dtype(a), graph.dtype(b)).map_err(Error::Operand)?;
    let kernel = elementwise::binary(f, inner).ok_or_else(|| no_loop(&infer::numpy_name(&f), inner))?;
    let a = cast(graph, a, inner)?;
    let b = cast(graph, b, if f == Binary::Ldexp { DType::Int64 } else { inner })?;
    if f == Binary::Power && inner.kind() == Kind::Signed {
        check_exponents(graph, b)?;
    }
    graph.apply(|| infer::numpy_name(&f), kernel, &[a, b], outer)
}

fn no_loop(name: &str, dtype: DType) -> Error {
    Error::Operand(format!("{name} has no kernel for {dtype}"))
}

/// numpy refuses negative exponents of integers whatever the base, so they are looked at before anything is computed.
fn check_exponents(graph: &mut Graph<'_>, exponents: NodeId) -> Result<(), Error> {
    let chunk = graph.peek(exponents)?;
    let negative = crate::with_dtype!(chunk.dtype(), T in [i8, i16, i32, i64] => chunk.view::<T>().iter().any(|&e| e < 0),
        else => false);
    if negative {
        return Err(Error::Value("Integers to negative integer powers are not allowed.".into()));
    }
    Ok(())
}

/// `numpy.round`: floats are scaled, rounded half to even and scaled back; integers go through float64.
fn round(graph: &mut Graph<'_>, x: NodeId, decimals: i32) -> Result<NodeId, Error> {
    let dtype = graph.dtype(x);
    match dtype.kind() {
        Kind::Bool => {
            return Err(Error::Operand("round is not defined for bool; use x.astype(int8) first".into()));
        }
        Kind::Signed | Kind::Unsigned => {
            if decimals >= 0 {
                return Ok(x);
            }
            let x = cast(graph, x, DType::Float64)?;
            let x = round(graph, x, decimals)?;
            return cast(graph, x, dtype);
        }
        Kind::Float | Kind::Complex => {}
    }
    if decimals == 0 {
        return unary(graph, Unary::Rint, x);
    }
    let scale = 10f64.powi(decimals.saturating_abs());
    // Both parts of a complex number are rounded: it is multiplied by a real number, which in numpy's complex
    // arithmetic could turn infinities into NaN.
    let scale = graph.leaf(match dtype {
        DType::Float32 => Chunk::scalar(scale as f32),
        DType::Complex64 => Chunk::scalar(num_complex::Complex32::new(scale as f32, 0.0)),
        DType::Complex128 => Chunk::scalar(num_complex::Complex64::new(scale, 0.0)),
        _ => Chunk::scalar(scale),
    });
    let (up, down) = elementwise::scale(dtype);
    let (before, after) = if decimals > 0 { (up, down) } else { (down, up) };
    let x = graph.apply(|| "round".into(), before, &[x, scale], dtype)?;
    let x = unary(graph, Unary::Rint, x)?;
    graph.apply(|| "round".into(), after, &[x, scale], dtype)
}
