//! Mathematical functions, vectorised: the same on every machine with the same [`level`], whatever its C library.
//!
//! Each is a function of one element without branches, from which the compiler makes vector loops. `float32` is computed
//! in `float64` and rounded once. Errors stay below 2 ulp (see the tests); results depend on the element alone, never on
//! its place. With FMA the last bit may differ from the baseline.

pub(crate) mod complex;
mod exp;
mod inverse;
pub(crate) mod level;
mod log;
mod power;
mod power_table;
mod trig;

#[cfg(test)]
mod tests;

use crate::elementwise::kernel::{Map1, Map2};
use level::{Level, mul_add};

/// ln 2 in two parts (FDLIBM); products of the first with integers below 2^20 are exact.
const LN2_HI: f64 = 0.6931471803691238;
const LN2_LO: f64 = 1.9082149292705877e-10;

/// `c[0] + c[1] x + …`: odd and even powers apart, which halves the chain of dependent operations.
#[inline(always)]
fn poly<L: Level, const N: usize>(x: f64, c: &[f64; N]) -> f64 {
    let z = x * x;
    let (mut even, mut odd) = if N % 2 == 1 { (c[N - 1], c[N - 2]) } else { (c[N - 2], c[N - 1]) };
    for i in (0..N - 2).rev() {
        if i % 2 == 0 {
            even = mul_add::<L>(even, z, c[i]);
        } else {
            odd = mul_add::<L>(odd, z, c[i]);
        }
    }
    mul_add::<L>(odd, x, even)
}

/// A function of one `float64`.
pub(crate) trait Function1: Copy {
    /// The function.
    fn at<L: Level>(x: f64) -> f64;

    /// Whether [`Function1::rare`] takes over.
    #[inline(always)]
    fn is_rare(_: f64) -> bool {
        false
    }

    /// The function where `at` does not hold.
    fn rare(x: f64) -> f64 {
        Self::at::<level::Plain>(x)
    }
}

/// A function of two `float64`.
pub(crate) trait Function2: Copy {
    /// The function.
    fn at<L: Level>(x: f64, y: f64) -> f64;

    /// Whether it looks things up in a table.
    const LOOKS_UP: bool = false;

    /// Whether [`Function2::ordinary`] holds too.
    #[inline(always)]
    fn is_ordinary(_: f64, _: f64) -> bool {
        false
    }

    /// The function, to the bit, where that takes less work.
    #[inline(always)]
    fn ordinary<L: Level>(x: f64, y: f64) -> f64 {
        Self::at::<L>(x, y)
    }

    /// Whether [`Function2::rare`] takes over.
    #[inline(always)]
    fn is_rare(_: f64, _: f64) -> bool {
        false
    }

    /// The function where `at` does not hold.
    fn rare(x: f64, y: f64) -> f64 {
        Self::at::<level::Plain>(x, y)
    }
}

impl<F: Function1> Map1<f64, f64> for F {
    #[inline(always)]
    fn at<L: Level>(x: f64) -> f64 {
        F::at::<L>(x)
    }

    #[inline(always)]
    fn is_rare(x: f64) -> bool {
        F::is_rare(x)
    }

    fn rare(x: f64) -> f64 {
        F::rare(x)
    }
}

impl<F: Function1> Map1<f32, f32> for F {
    #[inline(always)]
    fn at<L: Level>(x: f32) -> f32 {
        F::at::<L>(f64::from(x)) as f32
    }

    #[inline(always)]
    fn is_rare(x: f32) -> bool {
        F::is_rare(f64::from(x))
    }

    fn rare(x: f32) -> f32 {
        F::rare(f64::from(x)) as f32
    }
}

impl<F: Function2> Map2<f64, f64> for F {
    const LOOKS_UP: bool = F::LOOKS_UP;

    #[inline(always)]
    fn at<L: Level>(x: f64, y: f64) -> f64 {
        F::at::<L>(x, y)
    }

    #[inline(always)]
    fn is_ordinary(x: f64, y: f64) -> bool {
        F::is_ordinary(x, y)
    }

    #[inline(always)]
    fn ordinary<L: Level>(x: f64, y: f64) -> f64 {
        F::ordinary::<L>(x, y)
    }

    #[inline(always)]
    fn is_rare(x: f64, y: f64) -> bool {
        F::is_rare(x, y)
    }

    fn rare(x: f64, y: f64) -> f64 {
        F::rare(x, y)
    }
}

impl<F: Function2> Map2<f32, f32> for F {
    const LOOKS_UP: bool = F::LOOKS_UP;

    #[inline(always)]
    fn at<L: Level>(x: f32, y: f32) -> f32 {
        F::at::<L>(f64::from(x), f64::from(y)) as f32
    }

    #[inline(always)]
    fn is_rare(x: f32, y: f32) -> bool {
        F::is_rare(f64::from(x), f64::from(y))
    }

    fn rare(x: f32, y: f32) -> f32 {
        F::rare(f64::from(x), f64::from(y)) as f32
    }
}

macro_rules! functions {
    (one $($name:ident => $at:path $(, $is_rare:path, $rare:path)?;)*) => { $(
        /// The function of that name.
        #[derive(Clone, Copy)]
        pub(crate) struct $name;
        impl Function1 for $name {
            #[inline(always)]
            fn at<L: Level>(x: f64) -> f64 {
                use $at as at;
                at::<L>(x)
            }
            $(
                #[inline(always)]
                fn is_rare(x: f64) -> bool {
                    $is_rare(x)
                }

                fn rare(x: f64) -> f64 {
                    $rare(x)
                }
            )?
        }
    )* };
    (two $($name:ident => $at:path;)*) => { $(
        /// The function of that name.
        #[derive(Clone, Copy)]
        pub(crate) struct $name;
        impl Function2 for $name {
            #[inline(always)]
            fn at<L: Level>(x: f64, y: f64) -> f64 {
                use $at as at;
                at::<L>(x, y)
            }
        }
    )* };
}

functions!(one
    Exp => self::exp::exp;
    Exp2 => self::exp::exp2;
    Expm1 => self::exp::expm1;
    Sinh => self::exp::sinh;
    Cosh => self::exp::cosh;
    Tanh => self::exp::tanh;
    Log => self::log::log;
    Log2 => self::log::log2;
    Log10 => self::log::log10;
    Log1p => self::log::log1p;
    Arcsinh => self::log::asinh;
    Arccosh => self::log::acosh;
    Arctanh => self::log::atanh;
    Sin => self::trig::sin, trig::is_rare, trig::sin_rare;
    Cos => self::trig::cos, trig::is_rare, trig::cos_rare;
    Tan => self::trig::tan, trig::is_rare, trig::tan_rare;
    Arcsin => self::inverse::asin;
    Arccos => self::inverse::acos;
    Arctan => self::inverse::atan;
    Cbrt => self::power::cbrt;
);
functions!(two
    Hypot => self::power::hypot;
    Arctan2 => self::inverse::atan2;
    Logaddexp => self::log::logaddexp;
    Logaddexp2 => self::log::logaddexp2;
);

/// The power.
#[derive(Clone, Copy)]
pub(crate) struct Power;

impl Function2 for Power {
    const LOOKS_UP: bool = true;

    #[inline(always)]
    fn at<L: Level>(x: f64, y: f64) -> f64 {
        power::pow::<L>(x, y)
    }

    #[inline(always)]
    fn is_ordinary(x: f64, y: f64) -> bool {
        power::is_ordinary(x, y)
    }

    #[inline(always)]
    fn ordinary<L: Level>(x: f64, y: f64) -> f64 {
        power::pow_ordinary::<L>(x, y)
    }

    #[inline(always)]
    fn is_rare(x: f64, y: f64) -> bool {
        power::is_rare(x, y)
    }

    fn rare(x: f64, y: f64) -> f64 {
        power::pow_rare(x, y)
    }
}

/// A function's value anywhere.
pub(crate) fn scalar<F: Function1>(x: f64) -> f64 {
    if F::is_rare(x) { F::rare(x) } else { F::at::<level::Plain>(x) }
}

/// A function's value anywhere.
pub(crate) fn scalar2<F: Function2>(x: f64, y: f64) -> f64 {
    if F::is_rare(x, y) { F::rare(x, y) } else { F::at::<level::Plain>(x, y) }
}
