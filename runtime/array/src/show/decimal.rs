//! Decimal digits of floating-point numbers, as numpy's Dragon4 chooses them.
//!
//! Rust prints shortest and correctly rounded digits; this chooses between them. (numpy's own description:
//! `numpy.format_float_positional` and `numpy.format_float_scientific` with `unique=True`.)

use std::fmt::{Display, LowerExp};
use std::str::FromStr;

/// `f32` and `f64`.
pub(super) trait Real:
    Copy + Default + Display + LowerExp + FromStr + PartialOrd + std::ops::Div<Output = Self> + Into<f64>
{
    /// From where arrays are printed with exponents: 10 to the power of `min(8, finfo(dtype).precision)`.
    const ARRAY_CUTOFF: Self;
    /// From where scalars are printed with exponents.
    const SCALAR_CUTOFF: f64;
    /// 0.0001, rounded to this type.
    const SMALL: Self;
    /// 1000.
    const RATIO: Self;
    /// Its absolute value.
    fn abs(self) -> Self;
    /// Whether the sign bit is set.
    fn is_negative(self) -> bool;
    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// Not a number.
    fn is_nan(self) -> bool;
}

macro_rules! real {
    ($t:ty, $array:expr, $scalar:expr) => {
        impl Real for $t {
            const ARRAY_CUTOFF: $t = $array;
            const SCALAR_CUTOFF: f64 = $scalar;
            const SMALL: $t = 0.0001;
            const RATIO: $t = 1000.0;
            fn abs(self) -> $t {
                <$t>::abs(self)
            }
            fn is_negative(self) -> bool {
                self.is_sign_negative()
            }
            fn is_finite(self) -> bool {
                <$t>::is_finite(self)
            }
            fn is_nan(self) -> bool {
                <$t>::is_nan(self)
            }
        }
    };
}
real!(f32, 1e6, 1e6);
real!(f64, 1e8, 1e16);

/// `0.d₀d₁d₂… × 10^(exponent + 1)`: `digits` are ASCII, the first stands before the decimal point.
#[derive(Debug, PartialEq)]
pub(super) struct Decimal {
    pub(super) digits: String,
    pub(super) exponent: i32,
}

impl Decimal {
    /// Reads what `{:e}` writes.
    fn parse(text: &str) -> Decimal {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        Decimal { digits: mantissa.replace('.', ""), exponent: exponent.parse().unwrap_or(0) }
    }

    /// The fewest digits that identify the finite number `x >= 0` within its type; of these the nearest to it.
    fn shortest<T: Real>(x: T) -> Decimal {
        let short = Decimal::parse(&format!("{x:e}"));
        // Where two shortest candidates are equally near, Rust rounds up and numpy to even.
        let exact = format!("{x:.*e}", short.digits.len() - 1);
        if exact.parse::<T>().is_ok_and(|y| y == x) { Decimal::parse(&exact) } else { short }
    }

    /// The same for scientific notation with at most `max` digits after the point, trailing zeroes trimmed.
    pub(super) fn scientific<T: Real>(x: T, max: usize) -> Decimal {
        let short = Decimal::shortest(x);
        if short.digits.len() - 1 <= max { short } else { Decimal::rounded(x, max).trimmed() }
    }

    /// Exactly `n` digits after the point: those of the shortest form when it has so many, else those of the number
    /// itself, rounded.
    pub(super) fn with_digits<T: Real>(x: T, n: usize) -> Decimal {
        let short = Decimal::shortest(x);
        if short.digits.len() - 1 == n { short } else { Decimal::rounded(x, n) }
    }

    fn rounded<T: Real>(x: T, n: usize) -> Decimal {
        Decimal::parse(&format!("{x:.n$e}"))
    }

    fn trimmed(mut self) -> Decimal {
        let kept = self.digits.trim_end_matches('0').len().max(1);
        self.digits.truncate(kept);
        self
    }
}

/// The finite number `x >= 0` without exponent: what stands before and after the decimal point. Shortest digits, but
/// at most `max` after the point; trailing zeroes trimmed.
pub(super) fn positional<T: Real>(x: T, max: Option<usize>) -> (String, String) {
    let Decimal { digits, exponent } = Decimal::shortest(x);
    let after = (digits.len() as i32 - 1 - exponent).max(0) as usize;
    if let Some(max) = max.filter(|&m| after > m) {
        let text = format!("{x:.max$}");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        return (whole.to_string(), fraction.trim_end_matches('0').to_string());
    }
    if exponent < 0 {
        let zeroes = "0".repeat((-exponent - 1) as usize);
        return ("0".into(), zeroes + &digits);
    }
    let before = exponent as usize + 1;
    if digits.len() <= before {
        let zeroes = "0".repeat(before - digits.len());
        return (digits + &zeroes, String::new());
    }
    let (whole, fraction) = digits.split_at(before);
    (whole.to_string(), fraction.to_string())
}

/// Exponents have a sign and at least two digits.
pub(super) fn exponent(e: i32, digits: usize) -> String {
    let sign = if e < 0 { '-' } else { '+' };
    format!("e{sign}{:0digits$}", e.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_between_shortest_forms_go_to_even() {
        assert_eq!(positional((1u64 << 50) as f64 + 0.25, None).1, "2");
        assert_eq!(positional((1u64 << 49) as f64 + 0.125, None).1, "1");
    }

    #[test]
    fn rounds_the_number_and_not_its_shortest_form() {
        assert_eq!(positional(0.000_123_456_79_f32, Some(8)), ("0".into(), "00012346".into()));
        assert_eq!(positional(9.999_999_999_f64, Some(8)), ("10".into(), String::new()));
        assert_eq!(
            Decimal::scientific(9.999_999_999_99e5_f64, 8),
            Decimal { digits: "1".into(), exponent: 6 }
        );
        assert_eq!(Decimal::with_digits(0.1_f32, 8).digits, "100000001");
    }

    #[test]
    fn smallest_and_largest() {
        assert_eq!(Decimal::shortest(5e-324_f64), Decimal { digits: "5".into(), exponent: -324 });
        assert_eq!(positional(0.0_f64, Some(8)), ("0".into(), String::new()));
        assert_eq!(positional(1e15_f64, None), ("1000000000000000".into(), String::new()));
    }
}
