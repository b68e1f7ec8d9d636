//! What folds need of an element type.

use crate::chunk::Element;
use num_complex::{Complex32, Complex64};

/// Arithmetic as numpy's reductions do it: integers wrap, bools are truth values, NaN prevails in extremes.
pub(crate) trait Number: Element {
    /// Neutral in sums.
    const ZERO: Self;
    /// Neutral in products.
    const ONE: Self;
    /// Not above any other.
    const LOWEST: Self;
    /// Not below any other.
    const HIGHEST: Self;
    /// Neutral in maxima that skip NaN: NaN, where there is one.
    const NO_MAXIMUM: Self;
    /// Neutral in minima that skip NaN.
    const NO_MINIMUM: Self;

    /// Sum.
    fn add(self, other: Self) -> Self;
    /// Product.
    fn multiply(self, other: Self) -> Self;
    /// Whether it is above; false beside NaN.
    fn above(self, other: Self) -> bool;
    /// Whether it is (or has a part that is) NaN.
    fn is_nan(self) -> bool;

    /// The larger one, or the first NaN.
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        if other.above(self) | (other.is_nan() & !self.is_nan()) { other } else { self }
    }

    /// The smaller one, or the first NaN.
    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        if self.above(other) | (other.is_nan() & !self.is_nan()) { other } else { self }
    }

    /// The larger one that is not NaN.
    #[inline(always)]
    fn skip_nan_max(self, other: Self) -> Self {
        if other.above(self) | self.is_nan() { other } else { self }
    }

    /// The smaller one that is not NaN.
    #[inline(always)]
    fn skip_nan_min(self, other: Self) -> Self {
        if self.above(other) | self.is_nan() { other } else { self }
    }
}

macro_rules! integers {
    ($($t:ident),*) => { $(impl Number for $t {
        const ZERO: $t = 0;
        const ONE: $t = 1;
        const LOWEST: $t = $t::MIN;
        const HIGHEST: $t = $t::MAX;
        const NO_MAXIMUM: $t = $t::MIN;
        const NO_MINIMUM: $t = $t::MAX;
        #[inline(always)]
        fn add(self, other: $t) -> $t {
            self.wrapping_add(other)
        }
        #[inline(always)]
        fn multiply(self, other: $t) -> $t {
            self.wrapping_mul(other)
        }
        #[inline(always)]
        fn above(self, other: $t) -> bool {
            self > other
        }
        #[inline(always)]
        fn is_nan(self) -> bool {
            false
        }
    })* };
}
integers!(i8, i16, i32, i64, u8, u16, u32, u64);

impl Number for bool {
    const ZERO: bool = false;
    const ONE: bool = true;
    const LOWEST: bool = false;
    const HIGHEST: bool = true;
    const NO_MAXIMUM: bool = false;
    const NO_MINIMUM: bool = true;
    #[inline(always)]
    fn add(self, other: bool) -> bool {
        self | other
    }
    #[inline(always)]
    fn multiply(self, other: bool) -> bool {
        self & other
    }
    #[inline(always)]
    fn above(self, other: bool) -> bool {
        self & !other
    }
    #[inline(always)]
    fn is_nan(self) -> bool {
        false
    }
}

macro_rules! floats {
    ($($t:ident),*) => { $(impl Number for $t {
        const ZERO: $t = 0.0;
        const ONE: $t = 1.0;
        const LOWEST: $t = $t::NEG_INFINITY;
        const HIGHEST: $t = $t::INFINITY;
        const NO_MAXIMUM: $t = $t::NAN;
        const NO_MINIMUM: $t = $t::NAN;
        #[inline(always)]
        fn add(self, other: $t) -> $t {
            self + other
        }
        #[inline(always)]
        fn multiply(self, other: $t) -> $t {
            self * other
        }
        #[inline(always)]
        fn above(self, other: $t) -> bool {
            self > other
        }
        #[inline(always)]
        fn is_nan(self) -> bool {
            self.is_nan()
        }
    })* };
}
floats!(f32, f64);

macro_rules! complexes {
    ($($t:ident $part:ident),*) => { $(impl Number for $t {
        const ZERO: $t = $t::new(0.0, 0.0);
        const ONE: $t = $t::new(1.0, 0.0);
        const LOWEST: $t = $t::new($part::NEG_INFINITY, $part::NEG_INFINITY);
        const HIGHEST: $t = $t::new($part::INFINITY, $part::INFINITY);
        const NO_MAXIMUM: $t = $t::new($part::NAN, $part::NAN);
        const NO_MINIMUM: $t = $t::new($part::NAN, $part::NAN);
        #[inline(always)]
        fn add(self, other: $t) -> $t {
            $t::new(self.re + other.re, self.im + other.im)
        }
        #[inline(always)]
        fn multiply(self, other: $t) -> $t {
            $t::new(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)
        }
        #[inline(always)]
        fn above(self, other: $t) -> bool {
            !self.is_nan() && !other.is_nan()
                && (self.re > other.re || (self.re == other.re && self.im > other.im))
        }
        #[inline(always)]
        fn is_nan(self) -> bool {
            self.re.is_nan() || self.im.is_nan()
        }
    })* };
}
complexes!(Complex32 f32, Complex64 f64);
