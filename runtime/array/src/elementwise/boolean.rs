//! Functions of bools.

use super::Function;
use super::kernel::{self, Kernel};
use dask_plan::program::{Binary, Unary};

/// A function of one bool.
pub(super) fn unary(f: Unary) -> Function {
    use Unary::*;
    match f {
        Absolute | Floor | Ceil | Trunc | Real | NanToZero | NanToOne => Function::Identity,
        Invert | LogicalNot => kernel::unary(|a: bool| !a).into(),
        Isfinite => kernel::unary(|_: bool| true).into(),
        Isnan | Isinf | Imag => kernel::unary(|_: bool| false).into(),
        _ => Function::None,
    }
}

/// A function of two bools.
pub(super) fn binary(f: Binary) -> Option<Kernel> {
    use Binary::*;
    Some(match f {
        Add | Maximum | Fmax | BitwiseOr | LogicalOr => kernel::binary(|a: bool, b: bool| a | b),
        Multiply | Minimum | Fmin | BitwiseAnd | LogicalAnd => kernel::binary(|a: bool, b: bool| a & b),
        BitwiseXor | LogicalXor | NotEqual => kernel::binary(|a: bool, b: bool| a ^ b),
        Equal => kernel::binary(|a: bool, b: bool| a == b),
        Less => kernel::binary(|a: bool, b: bool| !a & b),
        LessEqual => kernel::binary(|a: bool, b: bool| !a | b),
        Greater => kernel::binary(|a: bool, b: bool| a & !b),
        GreaterEqual => kernel::binary(|a: bool, b: bool| a | !b),
        _ => return None,
    })
}
