//! Scalars, as `print(x[()])` shows them.

use super::decimal::{Decimal, Real, exponent, positional};
use crate::chunk::Chunk;
use dask_plan::DType;
use num_complex::{Complex, Complex32, Complex64};

/// The text of a 0-d chunk.
pub(super) fn scalar(chunk: &Chunk) -> String {
    match chunk.dtype() {
        DType::Bool => if chunk.item::<bool>() { "True" } else { "False" }.into(),
        DType::Float32 => real(chunk.item::<f32>(), true),
        DType::Float64 => real(chunk.item::<f64>(), true),
        DType::Complex64 => complex(chunk.item::<Complex32>()),
        DType::Complex128 => complex(chunk.item::<Complex64>()),
        integer => {
            crate::with_dtype!(integer, T in [i8, i16, i32, i64, u8, u16, u32, u64] =>
                chunk.item::<T>().to_string(), else => String::new())
        }
    }
}

/// Shortest digits; `point` keeps one zero after the point.
fn real<T: Real>(x: T, point: bool) -> String {
    if x.is_nan() {
        return "nan".into();
    }
    let sign = if x.is_negative() { "-" } else { "" };
    if !x.is_finite() {
        return format!("{sign}inf");
    }
    let size: f64 = x.abs().into();
    if size == 0.0 || (1e-4..T::SCALAR_CUTOFF).contains(&size) {
        let (whole, fraction) = positional(x.abs(), None);
        return match (fraction.is_empty(), point) {
            (true, true) => format!("{sign}{whole}.0"),
            (true, false) => format!("{sign}{whole}"),
            (false, _) => format!("{sign}{whole}.{fraction}"),
        };
    }
    let d = Decimal::scientific(x.abs(), usize::MAX);
    let (whole, fraction) = d.digits.split_at(1);
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{dot}{fraction}{}", exponent(d.exponent, 2))
}

/// `(re±imj)`, or `imj` when the real part is +0.
fn complex<T: Real>(z: Complex<T>) -> String {
    let im = real(z.im, false);
    if z.re == T::default() && !z.re.is_negative() {
        return format!("{im}j");
    }
    let plus = if im.starts_with('-') { "" } else { "+" };
    format!("({}{plus}{im}j)", real(z.re, false))
}
