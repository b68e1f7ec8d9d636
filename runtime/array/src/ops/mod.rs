//! Every operator that is neither elementwise nor a reduction: one operator, or a small family, a file.

mod assemble;
mod count;
mod linalg;
pub(crate) mod operand;
mod order;
mod pad;
mod sort;
mod source;
mod take;
mod view;

use crate::run::{Context, Error};
use crate::value::Value;
use crate::{io, random};
use dask_plan::program::Op;

/// Runs one operator on its operands. `args` are the task's own integers.
///
/// # Errors
/// [`Error::Operand`] for operands that the operator does not take, [`Error::TooLarge`] before an allocation that
/// cannot succeed, [`Error::Value`] for an element out of range.
pub(crate) fn run(op: &Op, operands: Vec<Value>, args: &[i64], context: &Context) -> Result<Value, Error> {
    context.check()?;
    match op {
        Op::Literal { .. } | Op::Full { .. } | Op::Arange { .. } | Op::Linspace { .. } | Op::Eye { .. }
            if !operands.is_empty() =>
        {
            let what = format!("got {} operands; a source takes none", operands.len());
            Err(operand::operand("source", what))
        }
        Op::Literal { dtype, shape, data } => source::literal(*dtype, shape, data),
        Op::Full { dtype, value, shape } => source::full(*dtype, *value, shape, args),
        Op::FromBytes { dtype, shape } => source::from_bytes(*dtype, shape, operands, args),
        Op::Arange { dtype, start, step, offset, len } => {
            source::arange(*dtype, *start, *step, (*offset, *len), args)
        }
        Op::Linspace { dtype, start, stop, num, endpoint, offset, len } => {
            let (dtype, start, stop, num) = (*dtype, *start, *stop, *num);
            let (endpoint, offset, len) = (*endpoint, *offset, *len);
            source::linspace(&source::Linspace { dtype, start, stop, num, endpoint, offset, len }, args)
        }
        Op::Eye { dtype, k, row, col, shape } => source::eye(*dtype, *k, (*row, *col), *shape, args),
        Op::Random { rng, draw, dtype, block, shape } => {
            let key = match operands.is_empty() {
                true => None,
                false => Some(operand::array("random", operands)?),
            };
            random::run((rng, *draw, *dtype), key.as_ref(), *block, shape, args, context).map(Value::from)
        }

        Op::Transpose { axes } => view::transpose(axes, operands),
        Op::Reshape { shape } => view::reshape(shape, operands, args),
        Op::Slice { ranges } => view::slice(ranges, operands, args),
        Op::ExpandDims { axes } => view::expand_dims(axes, operands),
        Op::Squeeze { axes } => view::squeeze(axes, operands),
        Op::BroadcastTo { shape } => view::broadcast_to(shape, operands, args),
        Op::Diagonal { k } => view::diagonal(*k, operands),
        Op::Triangle { upper, k, row, col } => view::triangle((*upper, *k), (*row, *col), operands, args),
        Op::Take { axis } => take::take(*axis, operands),
        Op::Compress { axis } => take::compress(*axis, operands),
        Op::Repeat { repeats, axis } => take::repeat(*repeats, *axis, operands),
        Op::Assemble { grid } => assemble::assemble(grid, operands, context),
        Op::Pad { widths, mode } => pad::pad(widths, *mode, operands, args),

        Op::MatMul => linalg::matmul(operands, context),
        Op::TensorDot { a, b } => linalg::tensordot((a, b), operands, context),

        Op::Histogram { weighted } => count::histogram(*weighted, operands, context),
        Op::Bincount { weighted, minlength } => count::bincount(*weighted, *minlength, operands, context),
        Op::BincountMerge => count::bincount_merge(operands),
        Op::Digitize { right } => count::digitize(*right, operands),
        Op::TopK { k, axis } => sort::topk(*k, *axis, operands, context),
        Op::Unique => sort::unique(operands, context),

        Op::Tuple => Ok(Value::Tuple(operands)),
        Op::Item(at) => view::item(*at, operands),

        Op::Read { .. }
        | Op::Create { .. }
        | Op::Write { .. }
        | Op::Describe { .. }
        | Op::CheckCreate { .. } => io::run(op, operands, args, context),
        Op::Unary(_)
        | Op::Binary(_)
        | Op::Where
        | Op::Clip
        | Op::Round { .. }
        | Op::Cast(_)
        | Op::Fold(_)
        | Op::Reduce { .. }
        | Op::Moments { .. }
        | Op::MomentsMerge
        | Op::MomentsFinish { .. }
        | Op::Arg { .. }
        | Op::ArgMerge { .. }
        | Op::ArgFinish { .. }
        | Op::Cumulative { .. } => {
            Err(Error::Operand(format!("{op:?} is elementwise or a reduction, which are run elsewhere")))
        }
    }
}

#[cfg(test)]
mod numpy;
#[cfg(test)]
mod tests;
