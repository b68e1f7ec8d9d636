//! numpy's order of elements: NaN last, complex numbers by real and then imaginary part.

use num_complex::{Complex32, Complex64};
use std::cmp::Ordering;

/// An element with numpy's order.
pub(super) trait Ordered: crate::Element {
    /// Where `numpy.sort` puts it.
    fn order(&self, other: &Self) -> Ordering;
    /// Whether it is NaN, or a part of it is.
    fn is_nan(&self) -> bool;
    /// Whether it comes after another: what [`Ordered::order`] says, without branches where that is possible.
    #[inline(always)]
    fn is_after(&self, other: &Self) -> bool {
        self.order(other).is_gt()
    }
}

macro_rules! whole {
    ($($t:ty),*) => { $(impl Ordered for $t {
        fn order(&self, other: &Self) -> Ordering {
            self.cmp(other)
        }
        fn is_nan(&self) -> bool {
            false
        }
    })* };
}
whole!(bool, i8, i16, i32, i64, u8, u16, u32, u64);

macro_rules! float {
    ($($t:ty, $complex:ty);*) => { $(
        impl Ordered for $t {
            fn order(&self, other: &Self) -> Ordering {
                self.partial_cmp(other).unwrap_or_else(|| self.is_nan().cmp(&other.is_nan()))
            }
            fn is_nan(&self) -> bool {
                <$t>::is_nan(*self)
            }
            #[inline(always)]
            fn is_after(&self, other: &Self) -> bool {
                (self > other) | (<$t>::is_nan(*self) & !<$t>::is_nan(*other))
            }
        }
        impl Ordered for $complex {
            /// Numbers without NaN first, then those whose imaginary part is NaN, then the real part, then both.
            fn order(&self, other: &Self) -> Ordering {
                let rank = |z: &Self| (z.re.is_nan(), z.im.is_nan());
                rank(self).cmp(&rank(other)).then(self.re.order(&other.re)).then(self.im.order(&other.im))
            }
            fn is_nan(&self) -> bool {
                self.re.is_nan() || self.im.is_nan()
            }
        }
    )* };
}
float!(f32, Complex32; f64, Complex64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_as_numpy() {
        const NAN: f64 = f64::NAN;
        let mut x = [NAN, 1.0, f64::INFINITY, -0.5];
        for (a, b) in x.iter().flat_map(|a| x.iter().map(move |b| (a, b))) {
            assert_eq!(a.is_after(b), a.order(b).is_gt(), "{a} {b}");
        }
        x.sort_by(Ordered::order);
        assert_eq!(x[..3], [-0.5, 1.0, f64::INFINITY]);
        // numpy.sort of these gives [1+1j, 1+2j, 1+nanj, nan+0j, nan+1j, nan+nanj].
        let of = [(NAN, 1.0), (1.0, NAN), (NAN, NAN), (1.0, 2.0), (NAN, 0.0), (1.0, 1.0)];
        let mut z = of.map(|(re, im)| Complex64::new(re, im));
        z.sort_by(Ordered::order);
        let sorted = [(1.0, 1.0), (1.0, 2.0), (1.0, NAN), (NAN, 0.0), (NAN, 1.0), (NAN, NAN)];
        assert_eq!(format!("{z:?}"), format!("{:?}", sorted.map(|(re, im)| Complex64::new(re, im))));
    }
}
