//! Functions of complex numbers, in float64.
//!
//! Products of real functions where these are stable (as FDLIBM's authors do), Kahan's formulas (1987) for the inverse
//! functions and their branch cuts. Signed zeros choose the side of a cut.

use super::power::{two_product, two_sum};
use super::{
    Arcsinh, Arctan2, Cos, Cosh, Exp, Expm1, Hypot, Log, Log1p, Sin, Sinh, Tan, level, scalar, scalar2,
};
use num_complex::Complex64;
use std::f64::consts::{FRAC_PI_2, LN_2, LOG2_E, LOG10_E};

type C = Complex64;

fn c(re: f64, im: f64) -> C {
    C::new(re, im)
}

/// `z i`
fn turn(z: C) -> C {
    c(-z.im, z.re)
}

/// `z / i`
fn turn_back(z: C) -> C {
    c(z.im, -z.re)
}

/// Absolute value.
pub(crate) fn abs(z: C) -> f64 {
    scalar2::<Hypot>(z.re, z.im)
}

/// Angle in `[-pi, pi]`.
pub(crate) fn angle(z: C) -> f64 {
    scalar2::<Arctan2>(z.im, z.re)
}

/// Square root with a real part that is not negative.
pub(crate) fn sqrt(z: C) -> C {
    if z.re == 0.0 && z.im == 0.0 {
        return c(0.0, z.im);
    }
    if z.im.is_infinite() {
        return c(f64::INFINITY, z.im);
    }
    if z.re == f64::INFINITY {
        return c(z.re, if z.im.is_nan() { z.im } else { 0f64.copysign(z.im) });
    }
    if z.re == f64::NEG_INFINITY {
        return c(if z.im.is_nan() { z.im } else { 0.0 }, f64::INFINITY.copysign(z.im));
    }
    // Scaled by a power of four, so that neither the sum overflows nor a part vanishes.
    let size = z.re.abs().max(z.im.abs());
    let (down, up) = if size > 1e300 {
        (0.0625, 4.0)
    } else if size < 1e-290 {
        (2f64.powi(108), 2f64.powi(-54))
    } else {
        (1.0, 1.0)
    };
    let z = c(z.re * down, z.im * down);
    let t = (0.5 * (z.re.abs() + abs(z))).sqrt();
    let other = z.im.abs() / (2.0 * t);
    let (re, im) = if z.re >= 0.0 { (t, other) } else { (other, t) };
    c(re * up, (im * up).copysign(z.im))
}

/// Exponential function.
pub(crate) fn exp(z: C) -> C {
    if z.im == 0.0 {
        return c(scalar::<Exp>(z.re), z.im);
    }
    if z.re.is_infinite() && !z.im.is_finite() {
        return if z.re < 0.0 { c(0.0, 0.0) } else { c(z.re, f64::NAN) };
    }
    let (sin, cos) = (scalar::<Sin>(z.im), scalar::<Cos>(z.im));
    if z.re > 700.0 && z.re < 1500.0 {
        // e^re alone may overflow where the product does not.
        let half = scalar::<Exp>(0.5 * z.re);
        return c(half * cos * half, half * sin * half);
    }
    let e = scalar::<Exp>(z.re);
    c(e * cos, e * sin)
}

/// `2^z`
pub(crate) fn exp2(z: C) -> C {
    exp(z * LN_2)
}

/// `e^z - 1`
pub(crate) fn expm1(z: C) -> C {
    let half = scalar::<Sin>(0.5 * z.im);
    let re = scalar::<Expm1>(z.re) * scalar::<Cos>(z.im) - 2.0 * half * half;
    c(re, scalar::<Exp>(z.re) * scalar::<Sin>(z.im))
}

/// `log |z|`, precise also near 1.
fn log_abs(z: C) -> f64 {
    let (a, b) = (z.re.abs().max(z.im.abs()), z.re.abs().min(z.im.abs()));
    if !(0.5..=2.0).contains(&a) {
        let half = if a > 1e300 { 0.5 } else { 1.0 };
        let size = scalar2::<Hypot>(a * half, b * half);
        return scalar::<Log>(size) + if half < 1.0 { LN_2 } else { 0.0 };
    }
    // |z|^2 - 1 = (a - 1) (a + 1) + b^2, where the terms may cancel.
    let (plus, plus_rest) = two_sum(a, 1.0);
    let (p, p_rest) = two_product::<level::Plain>(a - 1.0, plus);
    let (q, q_rest) = two_product::<level::Plain>(b, b);
    let (sum, rest) = two_sum(p, q);
    0.5 * scalar::<Log1p>(sum + (rest + p_rest + q_rest + (a - 1.0) * plus_rest))
}

/// Natural logarithm; cut along the negative real axis.
pub(crate) fn log(z: C) -> C {
    c(log_abs(z), angle(z))
}

/// Logarithm to base 2.
pub(crate) fn log2(z: C) -> C {
    log(z) * LOG2_E
}

/// Logarithm to base 10.
pub(crate) fn log10(z: C) -> C {
    log(z) * LOG10_E
}

/// `log(1 + z)`
pub(crate) fn log1p(z: C) -> C {
    let im = scalar2::<Arctan2>(z.im, 1.0 + z.re);
    if z.re.abs() < 0.5 && z.im.abs() < 0.5 {
        let (p, p_rest) = two_product::<level::Plain>(z.re, z.re);
        let (q, q_rest) = two_product::<level::Plain>(z.im, z.im);
        let (s, s_rest) = two_sum(2.0 * z.re, p);
        let (s, t_rest) = two_sum(s, q);
        return c(0.5 * scalar::<Log1p>(s + (s_rest + t_rest + p_rest + q_rest)), im);
    }
    c(log_abs(c(1.0 + z.re, z.im)), im)
}

/// Hyperbolic sine.
pub(crate) fn sinh(z: C) -> C {
    if z.im == 0.0 {
        return c(scalar::<Sinh>(z.re), z.im);
    }
    if z.re.abs() > 700.0 && z.im.is_finite() && z.re.is_finite() {
        let e = exp(c(z.re.abs() - LN_2, z.im));
        return c(e.re.copysign(e.re * z.re.signum()), e.im);
    }
    if z.re.is_infinite() && !z.im.is_finite() {
        return c(z.re, f64::NAN);
    }
    let (sin, cos) = (scalar::<Sin>(z.im), scalar::<Cos>(z.im));
    if z.re == 0.0 && !z.im.is_finite() {
        return c(z.re, f64::NAN);
    }
    c(scalar::<Sinh>(z.re) * cos, scalar::<Cosh>(z.re) * sin)
}

/// Hyperbolic cosine.
pub(crate) fn cosh(z: C) -> C {
    if z.im == 0.0 {
        let im = if z.re.is_nan() { z.im } else { z.im * 1f64.copysign(z.re) };
        return c(scalar::<Cosh>(z.re), im);
    }
    if z.re.abs() > 700.0 && z.im.is_finite() && z.re.is_finite() {
        let e = exp(c(z.re.abs() - LN_2, z.im));
        return c(e.re, e.im * z.re.signum());
    }
    if z.re.is_infinite() && !z.im.is_finite() {
        return c(f64::INFINITY, f64::NAN);
    }
    if z.re == 0.0 && !z.im.is_finite() {
        return c(f64::NAN, 0.0);
    }
    let (sin, cos) = (scalar::<Sin>(z.im), scalar::<Cos>(z.im));
    c(scalar::<Cosh>(z.re) * cos, scalar::<Sinh>(z.re) * sin)
}

/// Hyperbolic tangent (Kahan).
pub(crate) fn tanh(z: C) -> C {
    if z.re.abs() > 22.0 {
        let im = if z.im.is_finite() {
            let e = scalar::<Exp>(-z.re.abs());
            4.0 * scalar::<Sin>(z.im) * scalar::<Cos>(z.im) * e * e
        } else {
            0.0
        };
        return c(1f64.copysign(z.re), im.copysign(if z.im.is_finite() { im } else { z.im }));
    }
    if z.re.is_nan() && z.im == 0.0 {
        return z;
    }
    if !z.im.is_finite() {
        return c(if z.re == 0.0 { z.re } else { f64::NAN }, f64::NAN);
    }
    let t = scalar::<Tan>(z.im);
    let beta = 1.0 + t * t;
    let s = scalar::<Sinh>(z.re);
    let rho = (1.0 + s * s).sqrt();
    if t.is_infinite() {
        return c(rho / s, 1.0 / t);
    }
    let d = 1.0 + beta * s * s;
    c(beta * rho * s / d, t / d)
}

/// Sine.
pub(crate) fn sin(z: C) -> C {
    turn_back(sinh(turn(z)))
}

/// Cosine.
pub(crate) fn cos(z: C) -> C {
    cosh(turn(z))
}

/// Tangent.
pub(crate) fn tan(z: C) -> C {
    turn_back(tanh(turn(z)))
}

/// Beyond it squares would overflow, and 1 does not count.
const LARGE: f64 = 1e150;

fn is_large(z: C) -> bool {
    z.re.abs() > LARGE || z.im.abs() > LARGE
}

/// Arcsine; cut along the real axis beyond -1 and 1.
pub(crate) fn asin(z: C) -> C {
    if is_large(z) {
        let re = scalar2::<Arctan2>(z.re, z.im.abs());
        return c(re, (log_abs(z) + LN_2).copysign(z.im));
    }
    let (minus, plus) = (sqrt(c(1.0 - z.re, -z.im)), sqrt(c(1.0 + z.re, z.im)));
    let re = scalar2::<Arctan2>(z.re, minus.re * plus.re - minus.im * plus.im);
    let im = scalar::<Arcsinh>(minus.re * plus.im - minus.im * plus.re);
    c(re, im.copysign(z.im))
}

/// Arccosine; cut along the real axis beyond -1 and 1.
pub(crate) fn acos(z: C) -> C {
    if is_large(z) {
        let re = scalar2::<Arctan2>(z.im.abs(), z.re);
        return c(re, (log_abs(z) + LN_2).copysign(-z.im));
    }
    let (minus, plus) = (sqrt(c(1.0 - z.re, -z.im)), sqrt(c(1.0 + z.re, z.im)));
    let re = 2.0 * scalar2::<Arctan2>(minus.re, plus.re);
    let im = scalar::<Arcsinh>(plus.re * minus.im - plus.im * minus.re);
    c(re, im.copysign(-z.im))
}

/// Inverse hyperbolic sine; cut along the imaginary axis beyond -i and i.
pub(crate) fn asinh(z: C) -> C {
    turn_back(asin(turn(z)))
}

/// Inverse hyperbolic cosine; cut along the real axis below 1.
pub(crate) fn acosh(z: C) -> C {
    let w = acos(z);
    if w.re.is_nan() && w.im.is_nan() {
        return w;
    }
    // acosh(z) = +-i acos(z), with a real part that is not negative.
    if z.im.is_sign_negative() { c(w.im.abs(), -w.re.abs()) } else { c(w.im.abs(), w.re.abs()) }
}

/// Inverse hyperbolic tangent; cut along the real axis beyond -1 and 1.
pub(crate) fn atanh(z: C) -> C {
    let (x, y) = (z.re.abs(), z.im);
    if is_large(z) {
        let re = if z.re.is_infinite() || z.im.is_infinite() {
            0.0
        } else {
            let s = x.max(y.abs());
            (x / s) / s / ((x / s).powi(2) + (y / s).powi(2))
        };
        return c(re.copysign(z.re), FRAC_PI_2.copysign(z.im));
    }
    if z.re.is_nan() || z.im.is_nan() {
        return c(if z.re == 0.0 { z.re } else { f64::NAN }, f64::NAN);
    }
    let below = 1.0 - x;
    let re = if x == 1.0 && y == 0.0 {
        f64::INFINITY
    } else {
        let distance = below * below + y * y;
        if distance == 0.0 {
            // x is 1, and y so small that its square vanishes.
            LN_2 - 0.5 * scalar::<Log>(y.abs()) - 0.5 * LN_2
        } else {
            0.25 * scalar::<Log1p>(4.0 * x / distance)
        }
    };
    let im = 0.5 * scalar2::<Arctan2>(2.0 * y, below * (1.0 + x) - y * y);
    c(re.copysign(z.re), im)
}

/// Arctangent; cut along the imaginary axis beyond -i and i.
pub(crate) fn atan(z: C) -> C {
    turn_back(atanh(turn(z)))
}

/// Power, by numpy's rules: small integral exponents by multiplication, else `e^(b log a)`.
pub(crate) fn pow(a: C, b: C) -> C {
    if b.re == 0.0 && b.im == 0.0 {
        return c(1.0, 0.0);
    }
    if a.re == 0.0 && a.im == 0.0 {
        return if b.re > 0.0 { c(0.0, 0.0) } else { c(f64::NAN, f64::NAN) };
    }
    if b.im == 0.0 && b.re.abs() < 100.0 && b.re == b.re.trunc() {
        let mut n = b.re.abs() as u32;
        let (mut power, mut out) = (a, c(1.0, 0.0));
        let mut first = true;
        while n > 0 {
            if n & 1 == 1 {
                out = if first { power } else { out * power };
                first = false;
            }
            n >>= 1;
            if n > 0 {
                power *= power;
            }
        }
        return if b.re < 0.0 { divide(c(1.0, 0.0), out) } else { out };
    }
    exp(b * log(a))
}

/// Quotient by Smith's method (1962), as numpy divides.
#[inline(always)]
pub(crate) fn divide(a: C, b: C) -> C {
    if b.re.abs() >= b.im.abs() {
        if b.re == 0.0 && b.im == 0.0 {
            return c(a.re / b.re.abs(), a.im / b.re.abs());
        }
        let ratio = b.im / b.re;
        let scale = 1.0 / (b.re + b.im * ratio);
        c((a.re + a.im * ratio) * scale, (a.im - a.re * ratio) * scale)
    } else {
        let ratio = b.re / b.im;
        let scale = 1.0 / (b.im + b.re * ratio);
        c((a.re * ratio + a.im) * scale, (a.im * ratio - a.re) * scale)
    }
}
