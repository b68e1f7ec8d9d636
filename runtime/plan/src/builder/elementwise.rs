//! Elementwise operators: promotion, broadcasting, common chunks.

use super::node::{Map, Params};
use super::{Array, BuildError, Builder, Operand, Result, err};
use crate::dtype::{DType, Kind, Scalar};
use crate::infer;
use crate::program::{Binary, Op, Unary};

impl Builder {
    /// An elementwise function of one argument.
    ///
    /// # Errors
    /// When the dtype has no loop.
    pub fn unary(&mut self, f: Unary, x: impl Into<Operand>) -> Result<Array> {
        let x = self.operand(x.into())?;
        let d = self.dtype(x);
        let (_, out) = infer::unary(f, d).map_err(BuildError)?;
        match f {
            // What integers are already.
            Unary::Floor | Unary::Ceil | Unary::Trunc | Unary::Positive if out.kind() <= Kind::Signed => {
                Ok(x)
            }
            Unary::Positive | Unary::Conjugate | Unary::Real if out == d && d.kind() != Kind::Complex => {
                Ok(x)
            }
            Unary::NanToZero | Unary::NanToOne if d.kind() <= Kind::Signed => Ok(x),
            _ => self.elementwise(Op::Unary(f), &[x], out),
        }
    }

    /// An elementwise function of two arguments.
    ///
    /// # Errors
    /// When the dtypes have no loop, a Python integer does not fit, or the shapes do not broadcast.
    pub fn binary(&mut self, f: Binary, a: impl Into<Operand>, b: impl Into<Operand>) -> Result<Array> {
        let (a, b) = (a.into(), b.into());
        let (a, b) = match (a, b) {
            (Operand::Array(a), Operand::Scalar(s)) => (a, self.weak(f, a, s, true)?),
            (Operand::Scalar(s), Operand::Array(b)) => (self.weak(f, b, s, false)?, b),
            (a, b) => (self.operand(a)?, self.operand(b)?),
        };
        let (_, out) = infer::binary(f, self.dtype(a), self.dtype(b)).map_err(BuildError)?;
        if infer::is_comparison(f) {
            match (self.dtype(a).kind(), self.dtype(b).kind()) {
                (Kind::Signed, _) if self.dtype(b) == DType::UInt64 => return self.compare_signed(f, a, b),
                (_, Kind::Signed) if self.dtype(a) == DType::UInt64 => {
                    return self.compare_signed(infer::mirrored(f), b, a);
                }
                _ => {}
            }
        }
        self.elementwise(Op::Binary(f), &[a, b], out)
    }

    /// Compares signed integers with `uint64`, exactly as numpy's `qQ` loops: no dtype holds the values of both, so
    /// negative ones are told apart and the rest is compared as `uint64`.
    fn compare_signed(&mut self, f: Binary, signed: Array, unsigned: Array) -> Result<Array> {
        let compared = self.cast(signed, DType::UInt64)?;
        let compared = self.elementwise(Op::Binary(f), &[compared, unsigned], DType::Bool)?;
        if matches!(f, Binary::Less | Binary::LessEqual | Binary::NotEqual) {
            let negative = self.binary(Binary::Less, signed, Scalar::Int(0))?;
            self.elementwise(Op::Binary(Binary::BitwiseOr), &[negative, compared], DType::Bool)
        } else {
            let positive = self.binary(Binary::GreaterEqual, signed, Scalar::Int(0))?;
            self.elementwise(Op::Binary(Binary::BitwiseAnd), &[positive, compared], DType::Bool)
        }
    }

    /// A Python number beside an array.
    fn weak(&mut self, f: Binary, other: Array, s: Scalar, right: bool) -> Result<Array> {
        let other = self.dtype(other);
        let dtype = match f {
            Binary::Ldexp if right && s.kind() <= Kind::Signed => DType::Int64,
            Binary::LogicalAnd | Binary::LogicalOr | Binary::LogicalXor => s.default_dtype(),
            // Any integer may be compared with: what does not fit is compared as what it is.
            _ if infer::is_comparison(f) && infer::weak(other, s).is_err() => s.default_dtype(),
            _ => infer::weak(other, s).map_err(BuildError)?,
        };
        self.constant(s, dtype)
    }

    /// An operand as an array; a Python number by itself has its default dtype.
    fn operand(&mut self, x: Operand) -> Result<Array> {
        match x {
            Operand::Array(a) => Ok(a),
            Operand::Scalar(s) => self.constant(s, s.default_dtype()),
        }
    }

    /// Operands brought to one dtype (NEP 50: Python numbers are weak).
    fn promoted(&mut self, of: &[Operand]) -> Result<(Vec<Array>, DType)> {
        let strong = of.iter().filter_map(|o| match o {
            Operand::Array(a) => Some(self.dtype(*a)),
            Operand::Scalar(_) => None,
        });
        let strong = strong.reduce(DType::promote);
        let scalars = of.iter().filter_map(|o| match o {
            Operand::Scalar(s) => Some(*s),
            Operand::Array(_) => None,
        });
        let dtype = match strong {
            Some(d) => scalars.fold(d, |d, s| d.promote_weak(s.kind())),
            None => scalars.map(Scalar::default_dtype).reduce(DType::promote).unwrap_or(DType::Float64),
        };
        let arrays = of
            .iter()
            .map(|o| match *o {
                Operand::Array(a) => self.cast(a, dtype),
                Operand::Scalar(s) => {
                    infer::weak(dtype, s).map_err(BuildError)?;
                    self.constant(s, dtype)
                }
            })
            .collect::<Result<Vec<_>>>()?;
        Ok((arrays, dtype))
    }

    /// `numpy.where(condition, a, b)`.
    ///
    /// # Errors
    /// When a Python integer does not fit, or the shapes do not broadcast.
    pub fn where_(
        &mut self,
        condition: impl Into<Operand>,
        a: impl Into<Operand>,
        b: impl Into<Operand>,
    ) -> Result<Array> {
        let condition = self.operand(condition.into())?;
        let condition = self.cast(condition, DType::Bool)?;
        let (of, dtype) = self.promoted(&[a.into(), b.into()])?;
        self.elementwise(Op::Where, &[condition, of[0], of[1]], dtype)
    }

    /// `numpy.clip(x, low, high)`. Integer bounds beyond the dtype are those of the dtype.
    ///
    /// # Errors
    /// When there is no bound, or the shapes do not broadcast.
    pub fn clip(
        &mut self,
        x: impl Into<Operand>,
        low: Option<Operand>,
        high: Option<Operand>,
    ) -> Result<Array> {
        let x = x.into();
        let saturate = |o: Operand| match (x, o) {
            (Operand::Array(a), Operand::Scalar(s))
                if !infer::fits(s, self.dtype(a).promote_weak(s.kind())) =>
            {
                let (lowest, highest) = infer::bounds(self.dtype(a)).unwrap_or((0, 0));
                let below = matches!(s, Scalar::Int(i) if i128::from(i) < lowest);
                let bound = if below { lowest } else { highest };
                Operand::Scalar(i64::try_from(bound).map_or(Scalar::UInt(bound as u64), Scalar::Int))
            }
            _ => o,
        };
        let (low, high) = (low.map(saturate), high.map(saturate));
        match (low, high) {
            (None, None) => err!("clip needs a lower or an upper bound"),
            (Some(low), None) => self.binary(Binary::Maximum, x, low),
            (None, Some(high)) => self.binary(Binary::Minimum, x, high),
            (Some(low), Some(high)) => {
                let (of, dtype) = self.promoted(&[x, low, high])?;
                self.no_complex("clip", dtype)?;
                self.elementwise(Op::Clip, &of, dtype)
            }
        }
    }

    fn no_complex(&self, what: &str, dtype: DType) -> Result<()> {
        if dtype.kind() == Kind::Complex {
            return err!("{what} is not defined for {dtype}; take x.real or x.imag");
        }
        Ok(())
    }

    /// `numpy.round(x, decimals)`. Of bool it is `float32` (numpy has `float16`).
    ///
    /// # Errors
    /// Never for arrays.
    pub fn round(&mut self, x: impl Into<Operand>, decimals: i32) -> Result<Array> {
        let x = self.operand(x.into())?;
        let dtype = self.dtype(x);
        match dtype.kind() {
            Kind::Bool => self.cast(x, DType::Float32),
            Kind::Unsigned | Kind::Signed if decimals >= 0 => Ok(x),
            _ => self.elementwise(Op::Round { decimals }, &[x], dtype),
        }
    }

    /// `x.astype(dtype)`.
    ///
    /// # Errors
    /// Never.
    pub fn cast(&mut self, x: Array, dtype: DType) -> Result<Array> {
        if self.dtype(x) == dtype {
            return Ok(x);
        }
        self.elementwise(Op::Cast(dtype), &[x], dtype)
    }

    /// Applies an operator to broadcast operands, block by block.
    pub(crate) fn elementwise(&mut self, op: Op, of: &[Array], dtype: DType) -> Result<Array> {
        let chunks = self.common_chunks(of)?;
        let ndim = chunks.len();
        let mut inputs = Vec::with_capacity(of.len());
        for &a in of {
            let own = self.chunks(a);
            let lead = ndim - own.len();
            let broadcast: Vec<bool> =
                own.iter().enumerate().map(|(i, c)| *c == [1] && chunks[lead + i] != [1]).collect();
            let target = own
                .iter()
                .enumerate()
                .map(|(i, c)| if broadcast[i] { c.clone() } else { chunks[lead + i].clone() })
                .collect();
            let a = self.rechunk_to(a, target)?;
            let maps = broadcast
                .iter()
                .enumerate()
                .map(|(i, &b)| if b { Map::Const(0) } else { Map::Axis((lead + i) as u32) });
            inputs.push((a, maps.collect()));
        }
        let shape: Option<Vec<u64>> = chunks.iter().map(|c| super::extent(c)).collect();
        let bytes =
            shape.map(|s| s.iter().try_fold(dtype.itemsize() as u64, |n, &s| n.checked_mul(s.max(1))));
        if bytes.is_some_and(|b| b.is_none_or(|b| b > i64::MAX as u64)) {
            return err!("the broadcast result would take more than 2^63 bytes");
        }
        Ok(self.blocks(Some(op), inputs, Params::default(), dtype, chunks))
    }
}
