//! Inverse trigonometric functions.
//!
//! The arcsine's argument is halved above 1/2 as in FDLIBM; the arctangent's is turned by pi / 4 and pi / 2 as in Cephes
//! (Moshier). The polynomials interpolate at Chebyshev nodes.

use super::level::Level;
use super::poly;
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

/// `(asin(x) / x - 1) / x^2` in powers of `x^2`, on `x^2 <= 1/4`, to 2^-57.
const ASIN: [f64; 13] = [
    0.16666666666666669,
    0.07499999999998425,
    0.04464285714637338,
    0.030381944137085216,
    0.022372173002005596,
    0.017352391265909227,
    0.013971235301124539,
    0.011478952690257387,
    0.010324318288744113,
    0.00545087818772055,
    0.017419357964884856,
    -0.014881409392818066,
    0.02877844261259304,
];

/// `(atan(t) / t - 1) / t^2` in powers of `t^2`, on `|t| <= tan(pi / 8)`, to 2^-57.
const ATAN: [f64; 11] = [
    -0.3333333333333333,
    0.1999999999999548,
    -0.14285714284657894,
    0.11111111014561013,
    -0.09090904549884611,
    0.07692182535116648,
    -0.06664502215671447,
    0.058580687568615106,
    -0.05085030492810941,
    0.03921955253255129,
    -0.019162068915902573,
];

/// What `FRAC_PI_2` lacks.
const PIO2_REST: f64 = 6.123233995736766e-17;

/// tan(pi / 8)
const TAN_PIO8: f64 = 0.41421356237309503;

/// `(large, s, p)`: the arcsine of `s` is `s + p`, where `s` is `|x|`, or the root of `(1 - |x|) / 2` when `|x|` is large.
#[inline(always)]
fn asin_parts<L: Level>(a: f64) -> (bool, f64, f64) {
    let large = a > 0.5;
    let z = if large { 0.5 - 0.5 * a } else { a * a };
    let s = if large { z.sqrt() } else { a };
    (large, s, s * (z * poly::<L, 13>(z, &ASIN)))
}

/// Arcsine.
#[inline(always)]
pub(crate) fn asin<L: Level>(x: f64) -> f64 {
    let (large, s, p) = asin_parts::<L>(x.abs());
    let y = if large { FRAC_PI_2 - (2.0 * s + (2.0 * p - PIO2_REST)) } else { s + p };
    y.copysign(x)
}

/// Arccosine.
#[inline(always)]
pub(crate) fn acos<L: Level>(x: f64) -> f64 {
    let (large, s, p) = asin_parts::<L>(x.abs());
    let near = FRAC_PI_2 - (x - (PIO2_REST - p.copysign(x)));
    let far = if x < 0.0 { PI - 2.0 * (s + (p - PIO2_REST)) } else { 2.0 * (s + p) };
    if large { far } else { near }
}

/// The arctangent of `low / high` for `0 <= low <= high`, or half pi less it, as a multiple of pi / 4 and what is added
/// to it.
#[inline(always)]
fn atan_ratio<L: Level>(low: f64, high: f64, swapped: bool) -> (f64, f64) {
    let turned = low > TAN_PIO8 * high;
    let (numerator, denominator) = if turned { (low - high, low + high) } else { (low, high) };
    let t = numerator / denominator;
    let z = t * t;
    let p = t * (z * poly::<L, 11>(z, &ATAN));
    let (base, rest) = if turned { (FRAC_PI_4, 0.5 * PIO2_REST) } else { (0.0, 0.0) };
    let (base, rest) = if swapped { (FRAC_PI_2 - base, PIO2_REST - rest) } else { (base, rest) };
    let (t, p) = if swapped { (-t, -p) } else { (t, p) };
    (base, t + (p + rest))
}

/// Arctangent.
#[inline(always)]
pub(crate) fn atan<L: Level>(x: f64) -> f64 {
    let a = x.abs();
    let swapped = a > 1.0;
    let (low, high) = if swapped { (1.0, a) } else { (a, 1.0) };
    // 1 / inf is 0, but (1 - inf) / (1 + inf) is never taken: it is not turned.
    let (base, rest) = atan_ratio::<L>(low, high, swapped);
    (base + rest).copysign(x)
}

/// The angle of the point `(x, y)`.
#[inline(always)]
pub(crate) fn atan2<L: Level>(y: f64, x: f64) -> f64 {
    let (a, b) = (y.abs(), x.abs());
    let swapped = a > b;
    let (low, high) = if swapped { (b, a) } else { (a, b) };
    // Keeps the sum of two large numbers finite, and digits of subnormal ones.
    let scale = if high > 1e300 { 0.125 } else { 1.0 };
    let scale = if high < 1e-290 { 18014398509481984.0 } else { scale }; // 2^54
    let (low, high) = (low * scale, high * scale);
    let both_infinite = low == f64::INFINITY;
    let low = if both_infinite { 1.0 } else { low };
    let high = if both_infinite || high == 0.0 { 1.0 } else { high };
    let (base, rest) = atan_ratio::<L>(low, high, swapped);
    let left = x.is_sign_negative();
    let (base, rest) = if left { (PI - base, 2.0 * PIO2_REST - rest) } else { (base, rest) };
    let angle = base + rest;
    let angle = if x.is_nan() || y.is_nan() { f64::NAN } else { angle };
    angle.copysign(y)
}
