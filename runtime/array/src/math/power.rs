//! Powers and roots.
//!
//! `x^y = e^(y log x)` with the logarithm to some 68 bits: a table gives `log(c)` for a `c` near `x`, a polynomial the
//! rest (Tang 1990; the layout follows Nagy's description of the method, 2018).

use super::exp::exp_scaled;
use super::level::{Level, mul_add};
use super::poly;
use super::power_table::LOGARITHMS;

/// The product of `a` and `b`, and what it lost.
#[inline(always)]
pub(super) fn two_product<L: Level>(a: f64, b: f64) -> (f64, f64) {
    let p = a * b;
    if L::FMA {
        return (p, a.mul_add(b, -p));
    }
    // Dekker 1971, with Veltkamp's split into halves of 26 bits.
    let split = |x: f64| {
        let t = 134217729.0 * x; // 2^27 + 1
        let high = t - (t - x);
        (high, x - high)
    };
    let ((ah, al), (bh, bl)) = (split(a), split(b));
    (p, ((ah * bh - p) + ah * bl + al * bh) + al * bl)
}

/// The sum of `a` and `b`, and what it lost (Knuth).
#[inline(always)]
pub(super) fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    let t = s - a;
    (s, (a - (s - t)) + (b - t))
}

/// `(log(1 + r) - r + r^2 / 2) / r^3`: the series, enough for `|r| <= 2^-7`.
const SERIES: [f64; 7] = [1.0 / 3.0, -1.0 / 4.0, 1.0 / 5.0, -1.0 / 6.0, 1.0 / 7.0, -1.0 / 8.0, 1.0 / 9.0];

/// The logarithm of a positive finite number as a sum of two; `TINY` when it may be subnormal.
#[inline(always)]
fn log_two<L: Level, const TINY: bool>(x: f64) -> (f64, f64) {
    const START: u64 = 0x3fe6_9555_0000_0000;
    const LN2_HI: f64 = 0.6931471805598903; // 42 bits after the point
    const LN2_LO: f64 = 5.497923018708371e-14;
    let tiny = TINY && x < f64::MIN_POSITIVE;
    let bits = (if tiny { x * 4503599627370496.0 } else { x }).to_bits(); // 2^52
    let biased = bits.wrapping_add(0x3ff0_0000_0000_0000 - START) >> 52;
    let z = f64::from_bits(bits.wrapping_sub(biased.wrapping_sub(1023) << 52));
    let k = f64::from_bits(0x4330_0000_0000_0000 | biased) - 4503599627371519.0; // 2^52 + 1023
    let k = if tiny { k - 52.0 } else { k };
    let [inverse, log, log_rest] = LOGARITHMS[(bits.wrapping_sub(START) >> 45) as usize % 128];
    // r = z / c - 1, as a sum of two.
    let (product, rest) = two_product::<L>(z, inverse);
    let (r, r_rest) = two_sum(product - 1.0, rest);
    // k ln 2 + log c is exact.
    let base = mul_add::<L>(k, LN2_HI, log);
    let (sum, lost) = two_sum(base, r);
    let low = mul_add::<L>(k, LN2_LO, log_rest) + lost + r_rest;
    // - r^2 / 2, exactly, and the rest of the series.
    let (square, square_rest) = two_product::<L>(r, -0.5 * r);
    let (high, lost) = two_sum(sum, square);
    let low = low + lost + (square_rest - r * r_rest) + r * r * r * poly::<L, 7>(r, &SERIES);
    let (high, low) = (high + low, low - ((high + low) - high));
    (high, low)
}

/// Whether C99 has a special rule, or the logarithm's product may overflow.
#[inline(always)]
pub(crate) fn is_rare(x: f64, y: f64) -> bool {
    // Without short cuts, which would keep the loop from being vectorised.
    !((x.abs() < f64::INFINITY) & (x != 0.0) & (y.abs() < 1e18))
}

/// `x^y` by the standard library, whose result is exact in the rare cases.
pub(crate) fn pow_rare(x: f64, y: f64) -> f64 {
    x.powf(y)
}

/// Whether the base is positive and normal, and the exponent moderate: most are, and take less work.
#[inline(always)]
pub(crate) fn is_ordinary(x: f64, y: f64) -> bool {
    (x.abs() < f64::INFINITY) & (x >= f64::MIN_POSITIVE) & (y.abs() < 1e18)
}

/// `x^y`, when it is ordinary.
#[inline(always)]
pub(crate) fn pow_ordinary<L: Level>(x: f64, y: f64) -> f64 {
    exp_times::<L>(y, log_two::<L, false>(x))
}

/// `e^(y (log + rest))`
#[inline(always)]
fn exp_times<L: Level>(y: f64, (log, rest): (f64, f64)) -> f64 {
    let (high, lost) = two_product::<L>(y, log);
    let low = mul_add::<L>(y, rest, lost);
    // Beyond it the result is infinite or zero, and the low part may be NaN.
    let low = if high.abs() < 1000.0 { low } else { 0.0 };
    exp_scaled::<L>(high, low, 0.0)
}

/// `x^y`, when it is not rare.
#[inline(always)]
pub(crate) fn pow<L: Level>(x: f64, y: f64) -> f64 {
    let power = exp_times::<L>(y, log_two::<L, true>(x.abs()));
    // A negative base takes integers only; the sign is that of odd ones.
    let integral = y.round_ties_even() == y;
    let half = y * 0.5;
    let odd = integral && half.round_ties_even() != half;
    let negative = x < 0.0;
    let power = if negative && odd { -power } else { power };
    let power = if negative && !integral { f64::NAN } else { power };
    let power = if y == 0.0 { 1.0 } else { power };
    if x == 1.0 { 1.0 } else { power }
}

/// `m^(-1/3)` on `1 <= m <= 2`, to 2^-17.
const INVERSE_CUBE_ROOT: [f64; 6] = [
    1.7776471684890054,
    -1.5540274077106597,
    1.2271496200207155,
    -0.5865141615889806,
    0.15224956438221762,
    -0.016511679091286462,
];

/// Cube root: Newton's method for the inverse cube root, then one step for the root itself.
#[inline(always)]
pub(crate) fn cbrt<L: Level>(x: f64) -> f64 {
    let a = x.abs();
    let tiny = a < f64::MIN_POSITIVE;
    let bits = (if tiny { a * 18014398509481984.0 } else { a }).to_bits(); // 2^54
    // a = 2^(3 q + i) m.
    let m = f64::from_bits(bits & ((1 << 52) - 1) | 0x3ff0_0000_0000_0000);
    let e = f64::from_bits(0x4330_0000_0000_0000 | bits >> 52) - 4503599627371519.0;
    let q = (e * (1.0 / 3.0) - 1.0 / 3.0 + super::exp::TO_INT) - super::exp::TO_INT;
    let i = e - 3.0 * q;
    let (root, root_rest) = if i == 0.0 {
        (1.0, 0.0)
    } else if i == 1.0 {
        (1.2599210498948732, -2.589933375300507e-17)
    } else {
        (1.5874010519681996, -1.0869008194197823e-16)
    };
    let mut r = poly::<L, 6>(m, &INVERSE_CUBE_ROOT);
    for _ in 0..2 {
        r += r * mul_add::<L>(-m * r, r * r, 1.0) * (1.0 / 3.0);
    }
    let y = m * r * r;
    let (square, rest) = two_product::<L>(y, y);
    let (cube, cube_rest) = two_product::<L>(square, y);
    let off = (cube - m) + (cube_rest + rest * y);
    let correction = -off * (r * r) * (1.0 / 3.0);
    let y = mul_add::<L>(y, root, mul_add::<L>(y, root_rest, correction * root));
    let q = if tiny { q - 18.0 } else { q };
    let scale = f64::from_bits((q + super::exp::TO_INT).to_bits().wrapping_add(1023) << 52);
    let y = (y * scale).copysign(x);
    if a > 0.0 && a < f64::INFINITY { y } else { x }
}

/// `sqrt(x^2 + y^2)` without overflow, the lost digits of the squares put back.
#[inline(always)]
pub(crate) fn hypot<L: Level>(x: f64, y: f64) -> f64 {
    const UP: f64 = f64::from_bits((1023 + 600) << 52);
    const DOWN: f64 = f64::from_bits((1023 - 600) << 52);
    let (a, b) = (x.abs(), y.abs());
    let (high, low) = if a < b { (b, a) } else { (a, b) };
    let (down, up) = if high > 1e150 {
        (DOWN, UP)
    } else if low < 1e-150 {
        (UP, DOWN)
    } else {
        (1.0, 1.0)
    };
    // Where the smaller one does not count, scaling it up could overflow the larger.
    let alone = low <= high * 1e-17;
    let (h, l) = (high * down, low * down);
    let (hh, hh_rest) = two_product::<L>(h, h);
    let (ll, ll_rest) = two_product::<L>(l, l);
    let (sum, lost) = two_sum(hh, ll);
    let root = (sum + (lost + hh_rest + ll_rest)).sqrt() * up;
    let y = if alone { high } else { root };
    let y = if a.is_nan() || b.is_nan() { f64::NAN } else { y };
    if high == f64::INFINITY || low == f64::INFINITY { f64::INFINITY } else { y }
}
