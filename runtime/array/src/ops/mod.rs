//! Every operator that is neither elementwise nor a reduction: one operator, or a small family, a file.

use crate::run::{Context, Error};
use crate::value::Value;
use dask_plan::program::Op;

/// Runs one operator on its operands. `args` are the task's own integers.
///
/// # Errors
/// [`Error::Operand`] for operands that the operator does not take, [`Error::TooLarge`] before an allocation that
/// cannot succeed, [`Error::Value`] for an element out of range.
pub(crate) fn run(op: &Op, operands: Vec<Value>, args: &[i64], context: &Context) -> Result<Value, Error> {
    context.check()?;
    let _ = (operands, args);
    Err(Error::Operand(format!("{op:?}: no operator of this crate's `ops` runs it")))
}
