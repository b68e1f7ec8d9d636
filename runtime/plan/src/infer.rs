//! Which dtype an operator computes in and what it yields, as numpy 2 (NEP 50); how shapes broadcast.
//!
//! There is one difference: numpy has `float16` and computes `sqrt(int8)` in it. There is no `float16` here, so
//! where numpy says `float16`, it is `float32`. The values are at least as good.

use crate::dtype::{DType, Kind, Scalar};
use crate::program::{Binary, Reduction, Unary};
use DType::{Bool, Complex64, Complex128, Float32, Float64, Int8, Int64, UInt8, UInt64};

/// The name numpy has for a function.
pub fn numpy_name<T: serde::Serialize>(f: &T) -> String {
    match serde_json::to_value(f) {
        Ok(serde_json::Value::String(name)) => name,
        _ => "?".into(),
    }
}

/// The floating dtype that integers compute in: `float32` up to 16 bits, `float64` above.
fn floating(d: DType) -> DType {
    match d.kind() {
        Kind::Float | Kind::Complex => d,
        _ if d.itemsize() <= 2 => Float32,
        _ => Float64,
    }
}

/// The dtype of a complex number's parts; other dtypes are their own.
pub fn real(d: DType) -> DType {
    match d {
        Complex64 => Float32,
        Complex128 => Float64,
        _ => d,
    }
}

fn no_loop(name: &str, dtypes: &[DType], fix: &str) -> String {
    let dtypes: Vec<_> = dtypes.iter().map(|d| d.name()).collect();
    let fix = if fix.is_empty() { String::new() } else { format!("; {fix}") };
    format!("{name} is not defined for {}{fix}", dtypes.join(" and "))
}

/// The dtype that a function of one argument computes in, and that of its result.
///
/// # Errors
/// When numpy has no loop for the dtype.
pub fn unary(f: Unary, d: DType) -> Result<(DType, DType), String> {
    use Unary::*;
    let refuse = |fix: &str| Err(no_loop(&numpy_name(&f), &[d], fix));
    let complex = d.kind() == Kind::Complex;
    match f {
        Negative if d == Bool => refuse("use ~x or logical_not(x)"),
        Sign | Positive if d == Bool => refuse("convert with x.astype(int8) first"),
        Negative | Positive | Sign => Ok((d, d)),
        Absolute => Ok((d, real(d))),
        Invert if matches!(d.kind(), Kind::Float | Kind::Complex) => refuse("it takes integers and bool"),
        Invert => Ok((d, d)),
        Floor | Ceil | Trunc if complex => refuse("take x.real or x.imag"),
        Floor | Ceil | Trunc => Ok((d, d)),
        Square | Reciprocal | Conjugate => {
            let d = if d == Bool { Int8 } else { d };
            Ok((d, d))
        }
        Real | Imag => Ok((d, real(d))),
        // numpy computes arctan2(0, x) with an int64 zero beside a bool.
        Angle if d == Bool => Ok((Float64, Float64)),
        Angle => Ok((floating(d), real(floating(d)))),
        LogicalNot | Isnan | Isinf | Isfinite => Ok((d, Bool)),
        Signbit if complex => refuse("take x.real or x.imag"),
        Signbit => Ok((floating(d), Bool)),
        BitwiseCount if matches!(d.kind(), Kind::Float | Kind::Complex) => refuse("it takes integers"),
        BitwiseCount => Ok((if d == Bool { Int8 } else { d }, UInt8)),
        Fabs | Cbrt | Deg2rad | Rad2deg | Spacing if complex => refuse("it takes real numbers"),
        Fabs | Cbrt | Deg2rad | Rad2deg | Spacing | Rint | Sqrt | Exp | Exp2 | Expm1 | Log | Log2 | Log10
        | Log1p | Sin | Cos | Tan | Arcsin | Arccos | Arctan | Sinh | Cosh | Tanh | Arcsinh | Arccosh
        | Arctanh => Ok((floating(d), floating(d))),
        NanToZero | NanToOne => Ok((d, d)),
    }
}

/// The dtype that both operands of a function are converted to, and that of its result.
///
/// In [`Binary::Ldexp`] only the first operand is; the second stays an integer.
///
/// # Errors
/// When numpy has no loop for the dtypes.
pub fn binary(f: Binary, a: DType, b: DType) -> Result<(DType, DType), String> {
    use Binary::*;
    let refuse = |fix: &str| Err(no_loop(&numpy_name(&f), &[a, b], fix));
    let both = a.promote(b);
    let inexact = |d: DType| matches!(d.kind(), Kind::Float | Kind::Complex);
    let number = if both == Bool { Int8 } else { both };
    match f {
        Subtract if both == Bool => refuse("use ^ or logical_xor"),
        Add | Subtract | Multiply | Maximum | Minimum | Fmax | Fmin => Ok((both, both)),
        Divide => {
            let d = if inexact(both) { both } else { Float64 };
            Ok((d, d))
        }
        FloorDivide | Remainder | Fmod if both.kind() == Kind::Complex => {
            refuse("complex numbers have no order")
        }
        FloorDivide | Remainder | Fmod | Power => Ok((number, number)),
        FloatPower => {
            let d = if both.kind() == Kind::Complex { Complex128 } else { Float64 };
            Ok((d, d))
        }
        Arctan2 | Hypot | Logaddexp | Logaddexp2 | Copysign | Nextafter | Heaviside => {
            if both.kind() == Kind::Complex {
                return refuse("it takes real numbers");
            }
            let d = floating(a).promote(floating(b));
            Ok((d, d))
        }
        Ldexp => {
            if inexact(b) || b == UInt64 || a.kind() == Kind::Complex {
                return refuse("the exponent is an integer, at most int64");
            }
            Ok((floating(a), floating(a)))
        }
        Gcd | Lcm if inexact(both) || both == Bool => refuse("it takes integers"),
        Gcd | Lcm => Ok((both, both)),
        BitwiseAnd | BitwiseOr | BitwiseXor if inexact(both) => refuse("it takes integers and bool"),
        BitwiseAnd | BitwiseOr | BitwiseXor => Ok((both, both)),
        LeftShift | RightShift if inexact(both) => refuse("it takes integers"),
        LeftShift | RightShift => Ok((number, number)),
        LogicalAnd | LogicalOr | LogicalXor => Ok((both, Bool)),
        Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual => Ok((both, Bool)),
    }
}

/// The shape that two shapes broadcast to.
pub fn broadcast<Shape: FromIterator<usize>>(a: &[usize], b: &[usize]) -> Option<Shape> {
    let n = a.len().max(b.len());
    let at = |s: &[usize], i: usize| (i + s.len()).checked_sub(n).map_or(1, |j| s[j]);
    (0..n)
        .map(|i| match (at(a, i), at(b, i)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

/// Whether it compares.
pub fn is_comparison(f: Binary) -> bool {
    use Binary::*;
    matches!(f, Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual)
}

/// The comparison that says the same of its operands in the other order.
pub fn mirrored(f: Binary) -> Binary {
    match f {
        Binary::Less => Binary::Greater,
        Binary::LessEqual => Binary::GreaterEqual,
        Binary::Greater => Binary::Less,
        Binary::GreaterEqual => Binary::LessEqual,
        other => other,
    }
}

/// The dtype that a Python number takes beside an array (NEP 50: its kind counts, its value must fit).
///
/// # Errors
/// When an integer does not fit the array's dtype, as numpy's `OverflowError`.
pub fn weak(other: DType, value: Scalar) -> Result<DType, String> {
    let d = other.promote_weak(value.kind());
    if fits(value, d) { Ok(d) } else { Err(out_of_bounds(value, d)) }
}

/// The message for a Python integer that a dtype cannot hold.
pub fn out_of_bounds(value: Scalar, d: DType) -> String {
    let value = match value {
        Scalar::Int(i) => i.to_string(),
        Scalar::UInt(u) => u.to_string(),
        other => format!("{other:?}"),
    };
    format!("Python integer {value} is out of bounds for {d}; convert the array first, as in x.astype(int64)")
}

/// Whether an integer's value exists in an integer dtype; other kinds always fit.
pub fn fits(value: Scalar, d: DType) -> bool {
    let value = match value {
        Scalar::Int(i) => i128::from(i),
        Scalar::UInt(u) => i128::from(u),
        _ => return true,
    };
    match bounds(d) {
        Some((low, high)) => (low..=high).contains(&value),
        None => true,
    }
}

/// Lowest and highest value of an integer dtype.
pub fn bounds(d: DType) -> Option<(i128, i128)> {
    let bits = 8 * d.itemsize() as u32;
    match d.kind() {
        Kind::Signed => Some((-(1 << (bits - 1)), (1 << (bits - 1)) - 1)),
        Kind::Unsigned => Some((0, (1 << bits) - 1)),
        Kind::Bool => Some((0, 1)),
        _ => None,
    }
}

/// The accumulator of sums and products: small integers count in 64 bits.
pub fn accumulator(d: DType) -> DType {
    match d.kind() {
        Kind::Bool | Kind::Signed => Int64,
        Kind::Unsigned => UInt64,
        _ => d,
    }
}

/// The dtype of a reduction's result.
///
/// # Errors
/// When an explicit dtype is given to a reduction that has none.
pub fn reduction(f: Reduction, d: DType, dtype: Option<DType>) -> Result<DType, String> {
    use Reduction::*;
    let own = match f {
        Sum | Prod | Nansum | Nanprod => return Ok(dtype.unwrap_or(accumulator(d))),
        Min | Max | Nanmin | Nanmax => d,
        Any | All => Bool,
        CountNonzero | Nancount => Int64,
    };
    match dtype {
        Some(_) => Err(format!("{} takes no dtype", numpy_name(&f))),
        None => Ok(own),
    }
}

/// The dtype of a mean.
pub fn mean(d: DType) -> DType {
    match d.kind() {
        Kind::Float | Kind::Complex => d,
        _ => Float64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    /// Tables that `numpy.txt` lists by the variants' names.
    const TABLE: &str = include_str!("infer/numpy.txt");

    fn dtype(code: char) -> Option<DType> {
        match code {
            '-' => None,
            'e' => Some(Float32),
            c => "?bhilBHILfdFD".find(c).map(|i| DType::ALL[i]),
        }
    }

    fn snake(name: &str) -> String {
        let mut out = String::new();
        for c in name.chars() {
            if c.is_uppercase() && !out.is_empty() {
                out.push('_');
            }
            out.extend(c.to_lowercase());
        }
        out
    }

    fn parse<T: serde::de::DeserializeOwned>(name: &str) -> Option<T> {
        serde_json::from_value(serde_json::Value::String(snake(name))).ok()
    }

    #[test]
    fn dtypes_are_numpys() {
        let (mut unaries, mut binaries) = (0, 0);
        for line in TABLE.lines().filter(|l| !l.starts_with('#')) {
            let (name, rest) = line.split_once(' ').unwrap();
            if rest.contains(' ') {
                let f: Binary = parse(name).unwrap();
                for (group, a) in rest.split(' ').zip(DType::ALL) {
                    for (code, b) in group.chars().zip(DType::ALL) {
                        assert_eq!(binary(f, a, b).ok().map(|r| r.1), dtype(code), "{name}({a}, {b})");
                        binaries += 1;
                    }
                }
            } else {
                let f: Unary = parse(name).unwrap();
                for (code, d) in rest.chars().zip(DType::ALL) {
                    assert_eq!(unary(f, d).ok().map(|r| r.1), dtype(code), "{name}({d})");
                    unaries += 1;
                }
            }
        }
        assert_eq!((unaries, binaries), (46 * 13, 37 * 169));
    }

    #[test]
    fn shapes_broadcast_as_numpys() {
        let of = |a: &[usize], b: &[usize]| broadcast::<Vec<_>>(a, b);
        assert_eq!(of(&[4, 1, 3], &[2, 1]), Some(vec![4, 2, 3]));
        assert_eq!(of(&[], &[0, 5]), Some(vec![0, 5]));
        assert_eq!(of(&[1], &[0]), Some(vec![0]));
        assert_eq!(of(&[2], &[0]), None);
        assert_eq!(of(&[2, 3], &[3, 2]), None);
    }

    #[test]
    fn python_numbers_must_fit() {
        assert_eq!(weak(UInt8, Scalar::Int(255)), Ok(UInt8));
        assert!(weak(UInt8, Scalar::Int(300)).unwrap_err().contains("300 is out of bounds for uint8"));
        assert!(weak(UInt64, Scalar::Int(-1)).is_err());
        assert_eq!(weak(Bool, Scalar::Int(300)), Ok(Int64));
        assert_eq!(weak(UInt8, Scalar::Float(1e300)), Ok(Float64));
        assert_eq!(weak(Float32, Scalar::Int(10i64.pow(18))), Ok(Float32));
        assert_eq!(weak(Int8, Scalar::Bool(true)), Ok(Int8));
    }

    #[test]
    fn reductions_follow_numpy() {
        assert_eq!(reduction(Reduction::Sum, DType::UInt16, None), Ok(UInt64));
        assert_eq!(reduction(Reduction::Prod, Bool, None), Ok(Int64));
        assert_eq!(reduction(Reduction::Sum, Float32, None), Ok(Float32));
        assert_eq!(reduction(Reduction::Nanmax, UInt8, None), Ok(UInt8));
        assert!(reduction(Reduction::Any, UInt8, Some(Int8)).is_err());
        assert_eq!(mean(UInt8), Float64);
        assert_eq!(mean(Complex64), Complex64);
    }
}
