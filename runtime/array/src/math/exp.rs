//! The exponential function and its relatives.
//!
//! `x = k ln 2 + r` with `|r| <= ln 2 / 2` and `e^x = 2^k e^r` (Cody and Waite 1980); `e^r` is a polynomial that
//! interpolates at Chebyshev nodes.

use super::level::{Level, mul_add};
use super::{LN2_HI, LN2_LO, poly};

/// Adding it leaves the nearest integer in the low bits.
pub(super) const TO_INT: f64 = 6755399441055744.0; // 1.5 * 2^52

/// `(e^r - 1 - r) / r^2` on `|r| <= ln 2 / 2`, to 2^-61.
const EXP: [f64; 11] = [
    0.5,
    0.1666666666666667,
    0.04166666666666667,
    0.008333333333326136,
    0.0013888888888883748,
    0.00019841269874820627,
    2.4801587325547743e-05,
    2.7557255400206422e-06,
    2.75572736431103e-07,
    2.5105217004720745e-08,
    2.0914686968086876e-09,
];

/// `e^r - 1` for a small `r`, to which `low` is added.
#[inline(always)]
fn expm1_small<L: Level>(r: f64, low: f64) -> f64 {
    r + mul_add::<L>(r * r, poly::<L, 11>(r, &EXP), low)
}

/// `2^k` for an integral `k` in `-1022..=1023`.
#[inline(always)]
fn pow2(k: f64) -> f64 {
    f64::from_bits((k + TO_INT).to_bits().wrapping_add(1023) << 52)
}

/// `y * 2^k` for an integral `k` in `-2044..=2046`, rounded once.
#[inline(always)]
fn scale(y: f64, k: f64) -> f64 {
    let half = (k * 0.5 + TO_INT) - TO_INT;
    y * pow2(half) * pow2(k - half)
}

#[inline(always)]
fn clamp(x: f64, low: f64, high: f64) -> f64 {
    // NaN passes through both.
    let x = if x > high { high } else { x };
    if x < low { low } else { x }
}

/// `(k, r)` with `x = k ln 2 + r`.
#[inline(always)]
fn reduce<L: Level>(x: f64) -> (f64, f64) {
    let k = mul_add::<L>(x, std::f64::consts::LOG2_E, TO_INT) - TO_INT;
    (k, mul_add::<L>(-k, LN2_LO, mul_add::<L>(-k, LN2_HI, x)))
}

/// `e^(x + low) * 2^shift` for a `low` that is small beside 1.
#[inline(always)]
pub(super) fn exp_scaled<L: Level>(x: f64, low: f64, shift: f64) -> f64 {
    let (k, r) = reduce::<L>(clamp(x, -750.0, 750.0));
    let sum = r + low;
    scale(1.0 + expm1_small::<L>(sum, low - (sum - r)), k + shift)
}

/// `e^x`.
#[inline(always)]
pub(crate) fn exp<L: Level>(x: f64) -> f64 {
    exp_scaled::<L>(x, 0.0, 0.0)
}

/// `2^x`.
#[inline(always)]
pub(crate) fn exp2<L: Level>(x: f64) -> f64 {
    let x = clamp(x, -1080.0, 1080.0);
    let k = (x + TO_INT) - TO_INT;
    let f = x - k;
    let r = f * std::f64::consts::LN_2;
    scale(1.0 + expm1_small::<L>(r, f * LN2_REST), k)
}

/// `ln 2` less its nearest float64.
const LN2_REST: f64 = 2.3190468138462996e-17;

/// `e^x - 1`.
#[inline(always)]
pub(crate) fn expm1<L: Level>(x: f64) -> f64 {
    let (k, r) = reduce::<L>(clamp(x, -50.0, 710.0));
    let p = expm1_small::<L>(r, 0.0);
    // Half of the result first, since 2^1024 is none.
    let half = pow2(k - 1.0);
    let y = 2.0 * mul_add::<L>(half, p, half - 0.5);
    // Halving would lose bits of a subnormal, and x is nearer than its own rounding.
    if x.abs() < 1e-17 { x } else { y }
}

/// Hyperbolic sine.
#[inline(always)]
pub(crate) fn sinh<L: Level>(x: f64) -> f64 {
    let a = x.abs();
    let e = expm1::<L>(if a > 22.0 { 22.0 } else { a });
    let small = 0.5 * (e + e / (e + 1.0));
    let y = if a > 22.0 { exp_scaled::<L>(a, 0.0, -1.0) } else { small };
    y.copysign(x)
}

/// Hyperbolic cosine.
#[inline(always)]
pub(crate) fn cosh<L: Level>(x: f64) -> f64 {
    let t = exp_scaled::<L>(x.abs(), 0.0, -1.0);
    t + 0.25 / t
}

/// Hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh<L: Level>(x: f64) -> f64 {
    let a = x.abs();
    let e = expm1::<L>(if a > 22.0 { 44.0 } else { 2.0 * a });
    (e / (e + 2.0)).copysign(x)
}
