//! Functions of each element.

use super::{Abstract, Keywords, Writer, array, int};
use crate::recipe::{Constant, Number};
use dask_plan::program::{Binary, Op, Unary};
use dask_plan::{DType, Kind, infer};

/// An operand: value, dtype, shape.
type Operand = (u32, DType, Vec<usize>);

impl Writer {
    pub(super) fn unary(&mut self, f: Unary, of: &[Abstract], keywords: &Keywords<'_>) -> Option<Abstract> {
        keywords.none_left()?;
        let [x] = of else { return None };
        let (x, dtype, shape) = array(x)?;
        let (_, result) = infer::unary(f, dtype).ok()?;
        // numpy's loops for these dtypes work in half precision.
        if result != dtype && dtype.itemsize() == 1 && result.kind() == Kind::Float {
            return None;
        }
        Some(self.push(Op::Unary(f), vec![x], result, shape))
    }

    /// Two operands as arrays; a Python number takes the dtype that the array beside it gives it.
    fn operands(&mut self, a: &Abstract, b: &Abstract) -> Option<(Operand, Operand)> {
        let weak = |other: DType, n: &Number| infer::weak(other, n.0).ok();
        match (a, b) {
            (Abstract::Array(..), Abstract::Array(..)) => Some((array(a)?, array(b)?)),
            (Abstract::Array(_, d, _), Abstract::Constant(Constant::Number(n))) => {
                let dtype = weak(*d, n)?;
                Some((array(a)?, (self.scalar(n.0, dtype), dtype, vec![])))
            }
            (Abstract::Constant(Constant::Number(n)), Abstract::Array(_, d, _)) => {
                let dtype = weak(*d, n)?;
                Some(((self.scalar(n.0, dtype), dtype, vec![]), array(b)?))
            }
            _ => None,
        }
    }

    pub(super) fn binary(&mut self, f: Binary, a: &Abstract, b: &Abstract) -> Option<Abstract> {
        let ((a, da, sa), (b, db, sb)) = self.operands(a, b)?;
        let (common, result) = infer::binary(f, da, db).ok()?;
        let integers = matches!(common.kind(), Kind::Signed | Kind::Unsigned | Kind::Bool);
        // Integers divided by zero and raised to negative powers warn or raise in numpy.
        if integers && matches!(f, Binary::FloorDivide | Binary::Remainder | Binary::Fmod | Binary::Power)
            || da.itemsize() == 1 && db.itemsize() == 1 && result.kind() == Kind::Float
        {
            return None;
        }
        let shape = infer::broadcast(&sa, &sb)?;
        Some(self.push(Op::Binary(f), vec![a, b], result, shape))
    }

    /// `where`
    pub(super) fn choose(&mut self, of: &[Abstract], keywords: &Keywords<'_>) -> Option<Abstract> {
        keywords.none_left()?;
        let [Abstract::Array(c, DType::Bool, shape), a, b] = of else { return None };
        let ((a, da, sa), (b, db, sb)) = self.operands(a, b)?;
        if da != db {
            return None;
        }
        let both: Vec<usize> = infer::broadcast(&sa, &sb)?;
        let shape = infer::broadcast(shape, &both)?;
        Some(self.push(Op::Where, vec![*c, a, b], da, shape))
    }

    pub(super) fn clip(&mut self, of: &[Abstract], keywords: &Keywords<'_>) -> Option<Abstract> {
        keywords.none_left()?;
        let [x, low, high] = of else { return None };
        let (_, dtype, shape) = array(x)?;
        if dtype.kind() == Kind::Complex || ![low, high].iter().all(|b| matches!(b, Abstract::Constant(_))) {
            return None;
        }
        let ((x, ..), (low, a, _)) = self.operands(x, low)?;
        let (_, (high, b, _)) = self.operands(&of[0], high)?;
        // Bounds of another dtype widen the result.
        (a == dtype && b == dtype).then(|| self.push(Op::Clip, vec![x, low, high], dtype, shape))
    }

    pub(super) fn round(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        let decimals = match keywords.constant("decimals")? {
            Constant::None => 0,
            decimals => i32::try_from(int(&decimals)?).ok()?,
        };
        keywords.none_left()?;
        let [x] = of else { return None };
        let (x, dtype, shape) = array(x)?;
        if dtype.kind() != Kind::Float {
            return None;
        }
        Some(self.push(Op::Round { decimals }, vec![x], dtype, shape))
    }

    pub(super) fn astype(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        let dtype = match keywords.constant("astype_dtype")? {
            Constant::DType(dtype) => dtype,
            _ => return None,
        };
        let copy = keywords.constant("copy")?;
        keywords.none_left()?;
        let [x] = of else { return None };
        let (x, from, shape) = array(x)?;
        // A cast that warns (complex to real) or that numpy leaves undefined (NaN to an integer) stays numpy's.
        let safe = from.promote(dtype) == dtype || (from.kind() == dtype.kind());
        if !safe || copy != Constant::None && from == dtype {
            return None;
        }
        Some(self.push(Op::Cast(dtype), vec![x], dtype, shape))
    }

    /// An array in another dtype.
    pub(super) fn cast(&mut self, x: u32, from: DType, to: DType) -> u32 {
        if from == to { x } else { self.value(Op::Cast(to), vec![x]) }
    }
}
