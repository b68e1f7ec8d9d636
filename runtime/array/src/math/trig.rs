//! Sine, cosine and tangent.
//!
//! The argument is reduced to `|r| <= pi / 4` with three parts of pi / 2 (Cody and Waite); large ones by Payne and
//! Hanek's method (1983) with 192 bits. The polynomials are FDLIBM's (Sun Microsystems, 1993).

use super::exp::TO_INT;
use super::level::{Level, mul_add};
use super::poly;

const SIN: [f64; 6] = [
    -0.16666666666666632,
    0.00833333333332249,
    -0.0001984126982985795,
    2.7557313707070068e-06,
    -2.5050760253406863e-08,
    1.58969099521155e-10,
];

const COS: [f64; 6] = [
    0.0416666666666666,
    -0.001388888888887411,
    2.480158728947673e-05,
    -2.7557314351390663e-07,
    2.087572321298175e-09,
    -1.1359647557788195e-11,
];

/// Above it, products with the first two parts of pi / 2 would not be exact.
const LARGE: f64 = 800_000.0;

/// Whether the fast reduction does not hold.
#[inline(always)]
pub(crate) fn is_rare(x: f64) -> bool {
    (x.abs() >= LARGE) | x.is_nan()
}

/// `(n mod 4 in the low bits, r, rest)` with `x = n pi / 2 + r + rest`.
#[inline(always)]
fn reduce<L: Level>(x: f64) -> (u64, f64, f64) {
    // 33 bits each, then 53; products of the first two with n are exact.
    const P1: f64 = 1.5707963267341256;
    const P2: f64 = 6.077100506303966e-11;
    const P3: f64 = 2.0222662487959506e-21;
    let shifted = mul_add::<L>(x, std::f64::consts::FRAC_2_PI, TO_INT);
    let n = shifted - TO_INT;
    let a = x - n * P1;
    let w = n * P2;
    let b = a - w;
    // What the last subtraction lost, whichever of the two is larger.
    let t = b - a;
    let lost = (a - (b - t)) - (w + t);
    let low = mul_add::<L>(-n, P3, lost);
    let r = b + low;
    (shifted.to_bits(), r, (b - r) + low)
}

#[inline(always)]
fn sin_small<L: Level>(r: f64, rest: f64) -> f64 {
    let z = r * r;
    let s = mul_add::<L>(r * z, poly::<L, 6>(z, &SIN), mul_add::<L>(-0.5 * z, rest, rest));
    r + s
}

#[inline(always)]
fn cos_small<L: Level>(r: f64, rest: f64) -> f64 {
    let z = r * r;
    let half = 0.5 * z;
    let w = 1.0 - half;
    w + (((1.0 - w) - half) + mul_add::<L>(z * z, poly::<L, 6>(z, &COS), -(r * rest)))
}

/// The sine of `n pi / 2 + r + rest`.
#[inline(always)]
fn quadrant<L: Level>(n: u64, r: f64, rest: f64) -> f64 {
    let y = if n & 1 == 0 { sin_small::<L>(r, rest) } else { cos_small::<L>(r, rest) };
    f64::from_bits(y.to_bits() ^ (n & 2) << 62)
}

#[inline(always)]
fn tan_quadrant<L: Level>(n: u64, r: f64, rest: f64) -> f64 {
    let (s, c) = (sin_small::<L>(r, rest), cos_small::<L>(r, rest));
    if n & 1 == 0 { s / c } else { -c / s }
}

/// Sine, when the argument is not rare.
#[inline(always)]
pub(crate) fn sin<L: Level>(x: f64) -> f64 {
    let (n, r, rest) = reduce::<L>(x);
    let y = quadrant::<L>(n, r, rest);
    // Keeps the sign of zero.
    if x == 0.0 { x } else { y }
}

/// Cosine, when the argument is not rare.
#[inline(always)]
pub(crate) fn cos<L: Level>(x: f64) -> f64 {
    let (n, r, rest) = reduce::<L>(x);
    quadrant::<L>(n.wrapping_add(1), r, rest)
}

/// Tangent, when the argument is not rare.
#[inline(always)]
pub(crate) fn tan<L: Level>(x: f64) -> f64 {
    let (n, r, rest) = reduce::<L>(x);
    let y = tan_quadrant::<L>(n, r, rest);
    if x == 0.0 { x } else { y }
}

/// Sine of any argument.
pub(crate) fn sin_rare(x: f64) -> f64 {
    large(x).map_or(f64::NAN, |(n, r, rest)| quadrant::<super::level::Plain>(n, r, rest))
}

/// Cosine of any argument.
pub(crate) fn cos_rare(x: f64) -> f64 {
    large(x).map_or(f64::NAN, |(n, r, rest)| quadrant::<super::level::Plain>(n.wrapping_add(1), r, rest))
}

/// Tangent of any argument.
pub(crate) fn tan_rare(x: f64) -> f64 {
    large(x).map_or(f64::NAN, |(n, r, rest)| tan_quadrant::<super::level::Plain>(n, r, rest))
}

/// The binary digits of 2 / pi, after 64 zeros.
const TWO_OVER_PI: [u64; 20] = [
    0x0000000000000000,
    0xa2f9836e4e441529,
    0xfc2757d1f534ddc0,
    0xdb6295993c439041,
    0xfe5163abdebbc561,
    0xb7246e3a424dd2e0,
    0x06492eea09d1921c,
    0xfe1deb1cb129a73e,
    0xe88235f52ebb4484,
    0xe99c7026b45f7e41,
    0x3991d639835339f4,
    0x9c845f8bbdf9283b,
    0x1ff897ffde05980f,
    0xef2f118b5a0a6d1f,
    0x6d367ecf27cb09b7,
    0x4f463f669e5fea2d,
    0x7527bac7ebe5f17b,
    0x3d0739f78a5292ea,
    0x6bfb5fb11f8d5d08,
    0x56033046fc7b6bab,
];

/// [`reduce`] for `|x| >= 2^19`; `None` for infinities and NaN.
fn large(x: f64) -> Option<(u64, f64, f64)> {
    if !x.is_finite() {
        return None;
    }
    let bits = x.to_bits();
    // |x| = m * 2^e.
    let e = (bits >> 52 & 0x7ff) as i64 - 1075;
    let m = bits & ((1 << 52) - 1) | 1 << 52;
    // Digits of 2 / pi that only add multiples of four are left out; 192 that follow are enough.
    let first = (e - 2 + 64) as usize;
    let word = |i: usize| {
        let (at, shift) = ((first + 64 * i) / 64, first % 64);
        let low = TWO_OVER_PI.get(at + 1).copied().unwrap_or(0);
        if shift == 0 { TWO_OVER_PI[at] } else { TWO_OVER_PI[at] << shift | low >> (64 - shift) }
    };
    // m times these digits, modulo 2^192.
    let product = |w: u64| u128::from(m) * u128::from(w);
    let low = product(word(2));
    let middle = product(word(1)) + (low >> 64);
    let high = (m.wrapping_mul(word(0))).wrapping_add((middle >> 64) as u64);
    let (high, middle, low) = (high, middle as u64, low as u64);
    // Two bits of the quadrant, then the fraction of pi / 2.
    let n = high >> 62;
    let fraction = u128::from(high << 2 | middle >> 62) << 64 | u128::from(middle << 2 | low >> 62);
    let negative = fraction >> 127 == 1;
    let n = n + u64::from(negative);
    let fraction = if negative { fraction.wrapping_neg() } else { fraction };
    let zeros = fraction.leading_zeros().min(127);
    let digits = fraction << zeros;
    let unit = (-53 - zeros as i32, -106 - zeros as i32);
    let a = (digits >> 75) as f64 * 2f64.powi(unit.0);
    let b = (digits << 53 >> 75) as f64 * 2f64.powi(unit.1);
    const PIO2: f64 = std::f64::consts::FRAC_PI_2;
    const PIO2_REST: f64 = 6.123233995736766e-17;
    let r = a * PIO2;
    let rest = a.mul_add(PIO2, -r) + (a * PIO2_REST + b * PIO2);
    let (r, rest) = if negative { (-r, -rest) } else { (r, rest) };
    // sin(-x) = -sin(x): everything is mirrored.
    Some(if x < 0.0 { (n.wrapping_neg(), -r, -rest) } else { (n, r, rest) })
}
