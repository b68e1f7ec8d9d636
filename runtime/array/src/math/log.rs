//! The logarithm and its relatives.
//!
//! `x = 2^k (1 + f)` with `1 + f` between the roots of 1/2 and 2; `log(1 + f)` is a polynomial that interpolates at
//! Chebyshev nodes, which spares the division of FDLIBM's formula.

use super::level::{Level, mul_add};
use super::{LN2_HI, LN2_LO, poly};

/// `(log(1 + f) - f + f^2 / 2) / f^3` between the roots; the error of the logarithm is 2^-54 of `f`.
const LOG: [f64; 19] = [
    0.3333333333333333,
    -0.24999999999998568,
    0.2000000000000354,
    -0.16666666667377236,
    0.14285714285634302,
    -0.12499999897006592,
    0.11111111007355633,
    -0.10000006669452748,
    0.0909092121418565,
    -0.08333108433774085,
    0.07691735847890127,
    -0.07146954325914087,
    0.0668044689672369,
    -0.062131228310902606,
    0.05705721525908907,
    -0.05635987562345165,
    0.0636517212600505,
    -0.05962003995254453,
    0.0270518001673439,
];

/// `log(1 + f) - f`.
#[inline(always)]
fn log1p_rest<L: Level>(f: f64) -> f64 {
    f * f * mul_add::<L>(f, poly::<L, 19>(f, &LOG), -0.5)
}

/// `(k, f)` with `x = 2^k (1 + f)`, for a positive finite `x`.
#[inline(always)]
fn reduce(x: f64) -> (f64, f64) {
    const ROOT: u64 = 0x3fe6_a09e_667f_3bcd; // sqrt(1/2)
    let tiny = x < f64::MIN_POSITIVE;
    let bits = (if tiny { x * 18014398509481984.0 } else { x }).to_bits(); // 2^54
    let biased = bits.wrapping_add(0x3ff0_0000_0000_0000 - ROOT) >> 52;
    let m = f64::from_bits(bits.wrapping_sub(biased.wrapping_sub(1023) << 52));
    // 2^52 + biased, as bits.
    let k = f64::from_bits(0x4330_0000_0000_0000 | biased) - 4503599627371519.0;
    (if tiny { k - 54.0 } else { k }, m - 1.0)
}

/// `y` where `x` has a finite logarithm, else what C99 says.
#[inline(always)]
fn special(x: f64, y: f64) -> f64 {
    let y = if x < f64::INFINITY { y } else { x };
    let y = if x > 0.0 { y } else { f64::NAN };
    if x == 0.0 { f64::NEG_INFINITY } else { y }
}

/// `k ln 2 + log(1 + f)`.
#[inline(always)]
fn combine<L: Level>(k: f64, f: f64) -> f64 {
    let high = k * LN2_HI;
    let sum = high + f;
    let low = f - (sum - high);
    sum + (mul_add::<L>(k, LN2_LO, low) + log1p_rest::<L>(f))
}

/// Natural logarithm.
#[inline(always)]
pub(crate) fn log<L: Level>(x: f64) -> f64 {
    let (k, f) = reduce(x);
    special(x, combine::<L>(k, f))
}

/// Logarithm to base 2.
#[inline(always)]
pub(crate) fn log2<L: Level>(x: f64) -> f64 {
    const REST: f64 = 2.0355273740931033e-17; // of 1 / ln 2
    let (k, f) = reduce(x);
    let t = f + log1p_rest::<L>(f);
    special(x, k + mul_add::<L>(t, std::f64::consts::LOG2_E, t * REST))
}

/// Logarithm to base 10.
#[inline(always)]
pub(crate) fn log10<L: Level>(x: f64) -> f64 {
    const LOG10_2_HI: f64 = 0.30102999566361177;
    const LOG10_2_LO: f64 = 3.694239077158931e-13;
    const REST: f64 = 1.098319650216765e-17; // of 1 / ln 10
    let (k, f) = reduce(x);
    let t = f + log1p_rest::<L>(f);
    let low = mul_add::<L>(k, LOG10_2_LO, t * REST);
    special(x, mul_add::<L>(k, LOG10_2_HI, mul_add::<L>(t, std::f64::consts::LOG10_E, low)))
}

/// `log(1 + x)`.
#[inline(always)]
pub(crate) fn log1p<L: Level>(x: f64) -> f64 {
    let u = 1.0 + x;
    // What the sum lost: exact, whichever of the two is larger.
    let lost = if x < 1.0 { x - (u - 1.0) } else { 1.0 - (u - x) };
    let (k, f) = reduce(u);
    // f + lost * 2^-k, where 2^-k = (1 + f) / u.
    let near = k == 0.0;
    let f = if near { x } else { f };
    let y = combine::<L>(k, f);
    let corrected = if near { y } else { y + lost / u };
    let y = special(u, corrected);
    // Keeps the sign of zero, too.
    if x.abs() < 1e-17 { x } else { y }
}

/// Inverse hyperbolic sine.
#[inline(always)]
pub(crate) fn asinh<L: Level>(x: f64) -> f64 {
    const LARGE: f64 = 18014398509481984.0; // 2^54: the root is x itself
    let a = x.abs();
    let large = a > LARGE;
    let s = a * a;
    let t = if large { a } else { a + s / (1.0 + (1.0 + s).sqrt()) };
    let y = log1p::<L>(t) + if large { std::f64::consts::LN_2 } else { 0.0 };
    y.copysign(x)
}

/// Inverse hyperbolic cosine.
#[inline(always)]
pub(crate) fn acosh<L: Level>(x: f64) -> f64 {
    const LARGE: f64 = 18014398509481984.0; // 2^54: the root is x itself
    let large = x > LARGE;
    let t = x - 1.0;
    let argument = if large { x } else { t + (mul_add::<L>(t, t, 2.0 * t)).sqrt() };
    let y = log1p::<L>(argument) + if large { std::f64::consts::LN_2 } else { 0.0 };
    // Far below the domain, `t + |t|` rounds to -1.
    if x < 1.0 { f64::NAN } else { y }
}

/// Inverse hyperbolic tangent.
#[inline(always)]
pub(crate) fn atanh<L: Level>(x: f64) -> f64 {
    let a = x.abs();
    let y = 0.5 * log1p::<L>(2.0 * a / (1.0 - a));
    // The quotient of a subnormal may round twice.
    if a < 1e-17 { x } else { y.copysign(x) }
}

/// `log(e^a + e^b)`.
#[inline(always)]
pub(crate) fn logaddexp<L: Level>(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    let y = high + log1p::<L>(super::exp::exp::<L>(low - high));
    // Equal infinities; also spares rounding where both are equal.
    let y = if a == b { a + std::f64::consts::LN_2 } else { y };
    if a.is_nan() || b.is_nan() { f64::NAN } else { y }
}

/// `log2(2^a + 2^b)`.
#[inline(always)]
pub(crate) fn logaddexp2<L: Level>(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    let y = high + std::f64::consts::LOG2_E * log1p::<L>(super::exp::exp2::<L>(low - high));
    let y = if a == b { a + 1.0 } else { y };
    if a.is_nan() || b.is_nan() { f64::NAN } else { y }
}
