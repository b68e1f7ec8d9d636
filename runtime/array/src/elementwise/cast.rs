//! `astype` between any two dtypes.
//!
//! Floating numbers that an integer dtype cannot hold give what numpy gives on x86-64: the processor's conversion to
//! 32 or 64 bits, cut to the width.

use super::kernel::{self, Kernel};
use dask_plan::DType;
use num_complex::{Complex32, Complex64};

/// Conversion of one element.
pub(super) trait To<B>: Copy {
    /// The converted element.
    fn to(self) -> B;
}

macro_rules! convert {
    (as $($a:ty => $($b:ty),*;)*) => { $($(impl To<$b> for $a {
        #[inline(always)]
        fn to(self) -> $b {
            self as $b
        }
    })*)* };
    (bool $($a:ty),*) => { $(
        impl To<bool> for $a {
            #[inline(always)]
            fn to(self) -> bool {
                self != 0 as $a
            }
        }
        impl To<$a> for bool {
            #[inline(always)]
            fn to(self) -> $a {
                u8::from(self) as $a
            }
        }
    )* };
    (complex $($a:ty),*) => { $(
        impl To<Complex32> for $a {
            #[inline(always)]
            fn to(self) -> Complex32 {
                Complex32::new(self.to(), 0.0)
            }
        }
        impl To<Complex64> for $a {
            #[inline(always)]
            fn to(self) -> Complex64 {
                Complex64::new(self.to(), 0.0)
            }
        }
        impl To<$a> for Complex32 {
            #[inline(always)]
            fn to(self) -> $a {
                self.re.to()
            }
        }
        impl To<$a> for Complex64 {
            #[inline(always)]
            fn to(self) -> $a {
                self.re.to()
            }
        }
    )* };
    (float $($a:ty),*) => { $(
        impl To<i64> for $a {
            #[inline(always)]
            fn to(self) -> i64 {
                const END: $a = (1u64 << 63) as $a;
                if (-END..END).contains(&self) { self as i64 } else { i64::MIN }
            }
        }
        impl To<i32> for $a {
            #[inline(always)]
            fn to(self) -> i32 {
                const END: f64 = (1u64 << 31) as f64;
                let x = self as f64;
                if x > -END - 1.0 && x < END { x as i32 } else { i32::MIN }
            }
        }
        impl To<u64> for $a {
            #[inline(always)]
            fn to(self) -> u64 {
                const HALF: $a = (1u64 << 63) as $a;
                let signed = |x: $a| -> i64 { x.to() };
                if self >= HALF { signed(self - HALF) as u64 ^ 1 << 63 } else { signed(self) as u64 }
            }
        }
        impl To<u32> for $a {
            #[inline(always)]
            fn to(self) -> u32 {
                const HALF: $a = (1u64 << 31) as $a;
                let signed = |x: $a| -> i32 { x.to() };
                if self >= HALF { signed(self - HALF) as u32 ^ 1 << 31 } else { signed(self) as u32 }
            }
        }
        convert!(float32bits $a => i8, i16, u8, u16);
    )* };
    (float32bits $a:ty => $($b:ty),*) => { $(impl To<$b> for $a {
        #[inline(always)]
        fn to(self) -> $b {
            let wide: i32 = self.to();
            wide as $b
        }
    })* };
}

convert!(as
    i8 => i8, i16, i32, i64, u8, u16, u32, u64, f32, f64;
    i16 => i8, i16, i32, i64, u8, u16, u32, u64, f32, f64;
    i32 => i8, i16, i32, i64, u8, u16, u32, u64, f32, f64;
    i64 => i8, i16, i32, i64, u8, u16, u32, u64, f32, f64;
    u8 => i8, i16, i32, i64, u8, u16, u32, u64, f32, f64;
    u16 => i8, i16, i32, i64, u8, u16, u32, u64, f32, f64;
    u32 => i8, i16, i32, i64, u8, u16, u32, u64, f32, f64;
    u64 => i8, i16, i32, i64, u8, u16, u32, u64, f32, f64;
    f32 => f32, f64;
    f64 => f32, f64;
);
convert!(float f32, f64);
convert!(bool i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);
convert!(complex i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);

impl To<bool> for bool {
    #[inline(always)]
    fn to(self) -> bool {
        self
    }
}

macro_rules! complex {
    ($($a:ident $part:ty),*) => { $(
        impl To<bool> for $a {
            #[inline(always)]
            fn to(self) -> bool {
                self.re != 0.0 || self.im != 0.0
            }
        }
        impl To<$a> for bool {
            #[inline(always)]
            fn to(self) -> $a {
                $a::new(self.to(), 0.0)
            }
        }
        impl To<Complex32> for $a {
            #[inline(always)]
            fn to(self) -> Complex32 {
                Complex32::new(self.re as f32, self.im as f32)
            }
        }
        impl To<Complex64> for $a {
            #[inline(always)]
            fn to(self) -> Complex64 {
                Complex64::new(self.re.into(), self.im.into())
            }
        }
    )* };
}
complex!(Complex32 f32, Complex64 f64);

/// The kernel that converts `from` to `to`.
pub(crate) fn cast(from: DType, to: DType) -> Kernel {
    crate::with_dtype!(from, A => crate::with_dtype!(to, B => kernel::unary(|a: A| -> B { To::<B>::to(a) })))
}

#[cfg(test)]
mod tests {
    use super::To;

    /// Read off numpy 2.4 on x86-64.
    #[test]
    fn floats_that_do_not_fit_are_cut_as_numpy_cuts_them() {
        let x =
            [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.5, 300.0, -300.0, 70000.0, 5e9, -5e9, 1e19, 3e9];
        assert_eq!(x.map(To::<i8>::to), [0, 0, 0, -1, 44, -44, 112, 0, 0, 0, 0]);
        assert_eq!(x.map(To::<u16>::to), [0, 0, 0, 65535, 300, 65236, 4464, 0, 0, 0, 0]);
        let min = i32::MIN;
        assert_eq!(x.map(To::<i32>::to), [min, min, min, -1, 300, -300, 70000, min, min, min, min]);
        let half = 1 << 31;
        assert_eq!(
            x.map(To::<u32>::to),
            [half, 0, half, 4294967295, 300, 4294966996, 70000, 0, half, 0, 3000000000]
        );
        let half = 1 << 63;
        assert_eq!(
            x.map(To::<u64>::to),
            [
                half,
                0,
                half,
                u64::MAX,
                300,
                18446744073709551316,
                70000,
                5000000000,
                18446744068709551616,
                10000000000000000000,
                3000000000
            ]
        );
    }
}
