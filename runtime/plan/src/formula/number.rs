//! Python's numbers: what a formula computes before any array takes part.

use super::ast::{Infix, Prefix};
use crate::dtype::Scalar;
use num_complex::Complex64;
use std::cmp::Ordering;

/// A Python number. Integers that leave 128 bits are refused rather than rounded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// `True`, `False`
    Bool(bool),
    /// `int`
    Int(i128),
    /// `float`
    Float(f64),
    /// `complex`: real, imaginary
    Complex(f64, f64),
}

use Number::{Bool, Complex, Float, Int};

impl Number {
    /// The number as plans write it.
    ///
    /// # Errors
    /// If it is an integer beyond 64 bits.
    pub fn scalar(self) -> Result<Scalar, String> {
        Ok(match self {
            Bool(b) => Scalar::Bool(b),
            Int(i) => match (i64::try_from(i), u64::try_from(i)) {
                (Ok(i), _) => Scalar::Int(i),
                (_, Ok(u)) => Scalar::UInt(u),
                _ => return Err(format!("the integer {i} is out of bounds for int64 and uint64")),
            },
            Float(f) => Scalar::Float(f),
            Complex(re, im) => Scalar::Complex(re, im),
        })
    }

    /// Its value when it is an integer (or a bool, as in Python).
    pub fn int(self) -> Option<i128> {
        match self {
            Bool(b) => Some(i128::from(b)),
            Int(i) => Some(i),
            _ => None,
        }
    }

    /// Its value when it is real.
    pub fn real(self) -> Option<f64> {
        match self {
            Bool(b) => Some(f64::from(u8::from(b))),
            Int(i) => Some(i as f64),
            Float(f) => Some(f),
            Complex(..) => None,
        }
    }

    /// What Python calls its type.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Bool(_) => "bool",
            Int(_) => "int",
            Float(_) => "float",
            Complex(..) => "complex",
        }
    }

    fn complex(self) -> Complex64 {
        match self {
            Complex(re, im) => Complex64::new(re, im),
            n => Complex64::new(n.real().unwrap_or_default(), 0.0),
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Bool(true) => f.write_str("True"),
            Bool(false) => f.write_str("False"),
            Int(i) => write!(f, "{i}"),
            Float(x) => write!(f, "{x:?}"),
            Complex(re, im) => write!(f, "({re:?}{im:+?}j)"),
        }
    }
}

/// `-x`, `+x`, `~x` as Python computes them.
pub(super) fn prefix(op: Prefix, x: Number) -> Result<Number, String> {
    let big = || too_large(&format!("{}{x}", if op == Prefix::Minus { "-" } else { "~" }));
    match (op, x) {
        (Prefix::Plus, Bool(b)) => Ok(Int(i128::from(b))),
        (Prefix::Plus, x) => Ok(x),
        (Prefix::Minus, Bool(b)) => Ok(Int(-i128::from(b))),
        (Prefix::Minus, Int(i)) => i.checked_neg().map(Int).ok_or_else(big),
        (Prefix::Minus, Float(f)) => Ok(Float(-f)),
        (Prefix::Minus, Complex(re, im)) => Ok(Complex(-re, -im)),
        (Prefix::Invert, x) => match x.int() {
            Some(i) => Ok(Int(!i)),
            None => Err(format!("`~` takes an int, not the {} {x}", x.type_name())),
        },
    }
}

/// A binary operator as Python computes it.
pub(super) fn infix(op: Infix, a: Number, b: Number) -> Result<Number, String> {
    use Infix::*;
    let undefined = || {
        Err(format!(
            "`{}` is not defined for the {} {a} and the {} {b}",
            op.symbol(),
            a.type_name(),
            b.type_name()
        ))
    };
    match op {
        Equal => return Ok(Bool(compare(a, b) == Some(Ordering::Equal))),
        NotEqual => return Ok(Bool(compare(a, b) != Some(Ordering::Equal))),
        Less | LessEqual | Greater | GreaterEqual => {
            if matches!(a, Complex(..)) || matches!(b, Complex(..)) {
                return undefined();
            }
            let order = compare(a, b);
            return Ok(Bool(match op {
                Less => order == Some(Ordering::Less),
                Greater => order == Some(Ordering::Greater),
                LessEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
                _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            }));
        }
        Matmul => return undefined(),
        _ => {}
    }
    if let (Bool(a), Bool(b)) = (a, b) {
        match op {
            And => return Ok(Bool(a & b)),
            Or => return Ok(Bool(a | b)),
            Xor => return Ok(Bool(a ^ b)),
            _ => {}
        }
    }
    if let (Some(i), Some(j)) = (a.int(), b.int()) {
        return ints(op, i, j);
    }
    match (a.real(), b.real()) {
        (Some(x), Some(y)) => floats(op, x, y).unwrap_or_else(undefined),
        _ => complexes(op, a.complex(), b.complex()).unwrap_or_else(undefined),
    }
}

fn too_large(what: &str) -> String {
    format!("{what} does not fit in 128 bits; write a float, such as `2.0 ** 200`")
}

fn ints(op: Infix, a: i128, b: i128) -> Result<Number, String> {
    use Infix::*;
    let by_zero = || format!("{a} {} {b} divides by zero", op.symbol());
    let result = match op {
        Add => a.checked_add(b),
        Subtract => a.checked_sub(b),
        Multiply => a.checked_mul(b),
        Divide if b == 0 => return Err(by_zero()),
        Divide => return Ok(Float(a as f64 / b as f64)),
        FloorDivide | Remainder if b == 0 => return Err(by_zero()),
        FloorDivide => a.checked_div(b).map(|q| if (a % b != 0) && ((a < 0) != (b < 0)) { q - 1 } else { q }),
        Remainder => a.checked_rem(b).map(|r| if r != 0 && ((r < 0) != (b < 0)) { r + b } else { r }),
        Power if b < 0 => return floats(op, a as f64, b as f64).unwrap_or(Err(by_zero())),
        Power => match a {
            0 | 1 => Some(if b == 0 { 1 } else { a }),
            -1 => Some(if b % 2 == 0 { 1 } else { -1 }),
            _ => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        },
        And => Some(a & b),
        Or => Some(a | b),
        Xor => Some(a ^ b),
        LeftShift | RightShift if b < 0 => {
            return Err(format!("{a} {} {b}: the shift is negative", op.symbol()));
        }
        LeftShift if a == 0 => Some(0),
        LeftShift => u32::try_from(b).ok().filter(|b| *b < 127).and_then(|b| a.checked_mul(1 << b)),
        RightShift => Some(a >> b.min(127)),
        _ => None,
    };
    result.map(Int).ok_or_else(|| too_large(&format!("{a} {} {b}", op.symbol())))
}

/// `None` where Python has no such operator for floats.
fn floats(op: Infix, a: f64, b: f64) -> Option<Result<Number, String>> {
    use Infix::*;
    let by_zero = || Err(format!("{a:?} {} {b:?} divides by zero", op.symbol()));
    Some(match op {
        Add => Ok(Float(a + b)),
        Subtract => Ok(Float(a - b)),
        Multiply => Ok(Float(a * b)),
        Divide | FloorDivide | Remainder if b == 0.0 => by_zero(),
        Divide => Ok(Float(a / b)),
        FloorDivide => Ok(Float(divmod(a, b).0)),
        Remainder => Ok(Float(divmod(a, b).1)),
        Power if a == 0.0 && b < 0.0 => by_zero(),
        Power if a < 0.0 && a.is_finite() && b.is_finite() && b.fract() != 0.0 => {
            return complexes(op, Complex64::new(a, 0.0), Complex64::new(b, 0.0));
        }
        Power => {
            let result = a.powf(b);
            if result.is_infinite() && a.is_finite() && b.is_finite() {
                Err(format!("{a:?} ** {b:?} is too large for a float"))
            } else {
                Ok(Float(result))
            }
        }
        _ => return None,
    })
}

/// Python's `divmod` of floats: the remainder has the divisor's sign.
fn divmod(a: f64, b: f64) -> (f64, f64) {
    let mut rem = a % b;
    let mut div = (a - rem) / b;
    if rem == 0.0 {
        rem = 0.0_f64.copysign(b);
    } else if (b < 0.0) != (rem < 0.0) {
        rem += b;
        div -= 1.0;
    }
    let floor = div.floor();
    let div = match () {
        () if div == 0.0 => 0.0_f64.copysign(a / b),
        () if div - floor > 0.5 => floor + 1.0,
        () => floor,
    };
    (div, rem)
}

fn complexes(op: Infix, a: Complex64, b: Complex64) -> Option<Result<Number, String>> {
    use Infix::*;
    let zero = Complex64::new(0.0, 0.0);
    let result = match op {
        Add => a + b,
        Subtract => a - b,
        Multiply => a * b,
        Divide if b == zero => return Some(Err("a complex number is divided by zero".to_owned())),
        Divide => a / b,
        Power if b == zero => Complex64::new(1.0, 0.0),
        Power if a == zero && (b.im != 0.0 || b.re < 0.0) => {
            return Some(Err("0 ** a negative or complex power".to_owned()));
        }
        Power if a == zero => zero,
        Power if b.im == 0.0 && b.re.fract() == 0.0 && b.re.abs() <= 100.0 => a.powi(b.re as i32),
        Power => a.powc(b),
        _ => return None,
    };
    Some(Ok(Complex(result.re, result.im)))
}

/// Exact, also between integers and floats. Unequal complex numbers have no order.
fn compare(a: Number, b: Number) -> Option<Ordering> {
    match (a, b) {
        (Complex(..), _) | (_, Complex(..)) => (a.complex() == b.complex()).then_some(Ordering::Equal),
        (Float(x), Float(y)) => x.partial_cmp(&y),
        (Float(x), y) => compare(y, Float(x)).map(Ordering::reverse),
        (x, Float(y)) => {
            let i = x.int()?;
            if y.is_nan() {
                None
            } else if y >= 2f64.powi(127) {
                Some(Ordering::Less)
            } else if y < -(2f64.powi(127)) {
                Some(Ordering::Greater)
            } else {
                // The integer part is exact in 128 bits; a fraction breaks the tie.
                let whole = y.floor();
                Some(i.cmp(&(whole as i128)).then(if y > whole { Ordering::Less } else { Ordering::Equal }))
            }
        }
        (x, y) => Some(x.int()?.cmp(&y.int()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formula::parser::parse;

    fn value(text: &str) -> Result<Number, String> {
        fn go(e: &super::super::ast::Expr) -> Result<Number, String> {
            use super::super::ast::Kind;
            match &e.kind {
                Kind::Number(n) => Ok(*n),
                Kind::Prefix(op, x) => prefix(*op, go(x)?),
                Kind::Chain(first, rest) => {
                    rest.iter().try_fold(go(first)?, |a, (op, _, b)| infix(*op, a, go(b)?))
                }
                other => Err(format!("{other:?}")),
            }
        }
        go(&parse(text).map_err(|e| e.message)?)
    }

    #[test]
    fn arithmetic_is_pythons() {
        // Each row was checked with Python 3.11.
        for (text, result) in [
            ("7 // 2", Int(3)),
            ("-7 // 2", Int(-4)),
            ("7 % -3", Int(-2)),
            ("-7 % 3", Int(2)),
            ("7.5 // -2", Float(-4.0)),
            ("7.5 % -2", Float(-0.5)),
            ("-0.5 % 1e300", Float(1e300)),
            ("1e-20 // -1", Float(-1.0)),
            ("6 / 3", Float(2.0)),
            ("2 ** 10", Int(1024)),
            ("2 ** -2", Float(0.25)),
            ("2 ** 0.5", Float(std::f64::consts::SQRT_2)),
            ("(-1) ** 10000000000000000001", Int(-1)),
            ("0 ** 0", Int(1)),
            ("True + True", Int(2)),
            ("True & False", Bool(false)),
            ("True & 3", Int(1)),
            ("~True", Int(-2)),
            ("-True", Int(-1)),
            ("1 << 100", Int(1 << 100)),
            ("-5 >> 1", Int(-3)),
            ("-5 >> 1000", Int(-1)),
            ("6 ^ 3", Int(5)),
            ("1 == 1.0", Bool(true)),
            ("9007199254740993 == 9007199254740992.0", Bool(false)),
            ("9007199254740993 > 9007199254740992.0", Bool(true)),
            ("1 < 1.5", Bool(true)),
            ("1.5 <= 1", Bool(false)),
            ("1j * 1j", Complex(-1.0, 0.0)),
            ("1j ** 2", Complex(-1.0, 0.0)),
            ("1 + 2j == 1 + 2j", Bool(true)),
        ] {
            assert_eq!(value(text), Ok(result), "{text}");
        }
        for (text, part) in [
            ("1 / 0", "divides by zero"),
            ("1.0 // 0", "divides by zero"),
            ("5 % 0", "divides by zero"),
            ("0 ** -1", "divides by zero"),
            ("0.0 ** -1", "divides by zero"),
            ("2 ** 200", "128 bits"),
            ("10 ** 10 ** 10", "128 bits"),
            ("1 << 1000000000000", "128 bits"),
            ("1 << -1", "negative"),
            ("10.0 ** 400", "too large"),
            ("1.5 & 1", "not defined"),
            ("1j < 2", "not defined"),
            ("~1.5", "takes an int"),
            ("1 @ 2", "not defined"),
        ] {
            let error = value(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
