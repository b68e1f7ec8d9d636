//! Floating-point and complex elements of an array: numpy's `FloatingFormat` and `ComplexFloatingFormat`.

use super::decimal::{Decimal, Real, exponent, positional};
use num_complex::Complex;

/// Digits after the decimal point at most.
const PRECISION: usize = 8;

/// A common form of all numbers of an array.
#[derive(Debug)]
pub(super) struct FloatFormat {
    /// Digits of the exponent, in scientific notation.
    scientific: Option<usize>,
    /// Digits after the point, in scientific notation.
    precision: usize,
    /// Characters before the point.
    pad_left: usize,
    /// Characters after the point.
    pad_right: usize,
    /// Whether positive numbers get a sign.
    plus: bool,
}

impl FloatFormat {
    /// The form that suits these values. `plus` writes the sign of positive numbers.
    pub(super) fn new<T: Real>(values: impl Iterator<Item = T> + Clone, plus: bool) -> FloatFormat {
        let finite = values.clone().filter(|x| x.is_finite());
        let sign = |x: T| usize::from(plus || x.is_negative());
        let mut format = FloatFormat { scientific: None, precision: 0, pad_left: 0, pad_right: 0, plus };
        if needs_exponent(finite.clone()) {
            let mut exponent_digits = 2;
            for x in finite {
                let d = Decimal::scientific(x.abs(), PRECISION);
                format.precision = format.precision.max(d.digits.len() - 1);
                exponent_digits = exponent_digits.max(d.exponent.unsigned_abs().to_string().len());
                format.pad_left = format.pad_left.max(1 + sign(x));
            }
            format.scientific = Some(exponent_digits);
            // `e`, its sign and digits stand to the right of the point too.
            format.pad_right = exponent_digits + 2 + format.precision;
        } else {
            for x in finite {
                let (whole, fraction) = positional(x.abs(), Some(PRECISION));
                format.pad_left = format.pad_left.max(whole.len() + sign(x));
                format.pad_right = format.pad_right.max(fraction.len());
            }
        }
        let mut others = values.filter(|x| !x.is_finite()).peekable();
        if others.peek().is_some() {
            let signed = plus || others.any(|x| x.is_negative() && !x.is_nan());
            let room = (3 + usize::from(signed)).saturating_sub(format.pad_right + 1);
            format.pad_left = format.pad_left.max(room);
        }
        format
    }

    /// One number.
    pub(super) fn format<T: Real>(&self, x: T) -> String {
        let sign = match (x.is_negative() && !x.is_nan(), self.plus) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        if !x.is_finite() {
            let word = format!("{sign}{}", if x.is_nan() { "nan" } else { "inf" });
            return format!("{word:>0$}", self.pad_left + self.pad_right + 1);
        }
        if let Some(exponent_digits) = self.scientific {
            let d = Decimal::with_digits(x.abs(), self.precision);
            let (whole, fraction) = d.digits.split_at(1);
            let whole = format!("{sign}{whole}");
            return format!(
                "{whole:>0$}.{fraction}{1}",
                self.pad_left,
                exponent(d.exponent, exponent_digits)
            );
        }
        let (whole, fraction) = positional(x.abs(), Some(PRECISION));
        let whole = format!("{sign}{whole}");
        format!("{whole:>0$}.{fraction:<1$}", self.pad_left, self.pad_right)
    }
}

/// Whether the numbers differ too much, or are too large or small, to be written without exponents.
fn needs_exponent<T: Real>(finite: impl Iterator<Item = T>) -> bool {
    let mut range: Option<(T, T)> = None;
    for x in finite.map(T::abs).filter(|x| *x != T::default()) {
        range =
            Some(range.map_or((x, x), |(low, high)| {
                (if x < low { x } else { low }, if x > high { x } else { high })
            }));
    }
    range.is_some_and(|(low, high)| high >= T::ARRAY_CUTOFF || low < T::SMALL || high / low > T::RATIO)
}

/// A common form of all complex numbers of an array: one for the real parts, one for the imaginary parts.
#[derive(Debug)]
pub(super) struct ComplexFormat {
    re: FloatFormat,
    im: FloatFormat,
}

impl ComplexFormat {
    /// The form that suits these values.
    pub(super) fn new<T: Real>(values: &[Complex<T>]) -> ComplexFormat {
        ComplexFormat {
            re: FloatFormat::new(values.iter().map(|z| z.re), false),
            im: FloatFormat::new(values.iter().map(|z| z.im), true),
        }
    }

    /// One number.
    pub(super) fn format<T: Real>(&self, z: &Complex<T>) -> String {
        let im = self.im.format(z.im);
        let (number, padding) = im.split_at(im.trim_end().len());
        format!("{}{number}j{padding}", self.re.format(z.re))
    }
}
