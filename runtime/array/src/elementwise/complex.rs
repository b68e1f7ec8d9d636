//! Functions of complex numbers. They are ordered by the real part, then by the imaginary one.

macro_rules! complexes {
    ($($name:ident $t:ident $part:ident),*) => { $(
        /// Functions of this type.
        pub(super) mod $name {
            use crate::elementwise::Function;
            use crate::elementwise::cast::To;
            use crate::elementwise::kernel::{self, Kernel, Map2};
            use crate::math::{complex, level::Level};
            use dask_plan::program::{Binary, Unary};
            use num_complex::*;

            /// A kernel from a function in float64.
            macro_rules! wide {
                ($f:path) => { kernel::unary(|z: $t| -> $t { let z: Complex64 = z.to(); $f(z).to() }) };
            }

            /// A function of one complex number.
            pub(in crate::elementwise) fn unary(f: Unary) -> Function {
                use Unary::*;
                let kernel = match f {
                    Positive => return Function::Identity,
                    Negative => kernel::unary(|z: $t| -z),
                    Absolute => kernel::unary(|z: $t| complex::abs(z.to()) as $part),
                    LogicalNot => kernel::unary(|z: $t| !To::<bool>::to(z)),
                    Sign => kernel::unary(|z: $t| -> $t {
                        let wide: Complex64 = z.to();
                        let size = complex::abs(wide);
                        if size == 0.0 {
                            return $t::new(0.0, 0.0);
                        }
                        if size.is_infinite() {
                            // numpy scales infinite parts to one.
                            let unit = |x: f64| if x.is_infinite() { 1f64.copysign(x) } else { 0.0 };
                            if wide.re.is_infinite() && wide.im.is_infinite() {
                                return $t::new($part::NAN, $part::NAN);
                            }
                            return Complex64::new(unit(wide.re), unit(wide.im)).to();
                        }
                        Complex64::new(wide.re / size, wide.im / size).to()
                    }),
                    Rint => kernel::unary(|z: $t| $t::new(z.re.round_ties_even(), z.im.round_ties_even())),
                    Square => kernel::unary(|z: $t| $t::new(z.re * z.re - z.im * z.im, z.re * z.im + z.im * z.re)),
                    Reciprocal => kernel::unary(|z: $t| {
                        if z.im.abs() <= z.re.abs() {
                            let ratio = z.im / z.re;
                            let scale = z.re + z.im * ratio;
                            $t::new(1.0 / scale, -ratio / scale)
                        } else {
                            let ratio = z.re / z.im;
                            let scale = z.re * ratio + z.im;
                            $t::new(ratio / scale, -1.0 / scale)
                        }
                    }),
                    Conjugate => kernel::unary(|z: $t| z.conj()),
                    Real => kernel::unary(|z: $t| z.re),
                    Imag => kernel::unary(|z: $t| z.im),
                    Angle => kernel::unary(|z: $t| complex::angle(z.to()) as $part),
                    Isnan => kernel::unary(|z: $t| z.re.is_nan() || z.im.is_nan()),
                    Isinf => kernel::unary(|z: $t| z.re.is_infinite() || z.im.is_infinite()),
                    Isfinite => kernel::unary(|z: $t| z.re.is_finite() && z.im.is_finite()),
                    NanToZero => kernel::unary(|z: $t| {
                        if z.re.is_nan() || z.im.is_nan() { $t::new(0.0, 0.0) } else { z }
                    }),
                    NanToOne => kernel::unary(|z: $t| {
                        if z.re.is_nan() || z.im.is_nan() { $t::new(1.0, 0.0) } else { z }
                    }),
                    Sqrt => wide!(complex::sqrt),
                    Exp => wide!(complex::exp),
                    Exp2 => wide!(complex::exp2),
                    Expm1 => wide!(complex::expm1),
                    Log => wide!(complex::log),
                    Log2 => wide!(complex::log2),
                    Log10 => wide!(complex::log10),
                    Log1p => wide!(complex::log1p),
                    Sin => wide!(complex::sin),
                    Cos => wide!(complex::cos),
                    Tan => wide!(complex::tan),
                    Arcsin => wide!(complex::asin),
                    Arccos => wide!(complex::acos),
                    Arctan => wide!(complex::atan),
                    Sinh => wide!(complex::sinh),
                    Cosh => wide!(complex::cosh),
                    Tanh => wide!(complex::tanh),
                    Arcsinh => wide!(complex::asinh),
                    Arccosh => wide!(complex::acosh),
                    Arctanh => wide!(complex::atanh),
                    Fabs | Invert | Floor | Ceil | Trunc | Cbrt | Deg2rad | Rad2deg | Signbit | Spacing
                    | BitwiseCount => return Function::None,
                };
                kernel.into()
            }

            #[derive(Clone, Copy)]
            struct Sum;
            impl Map2<$t, $t> for Sum {
                #[inline(always)]
                fn at<L: Level>(a: $t, b: $t) -> $t {
                    $t::new(a.re + b.re, a.im + b.im)
                }
            }

            #[derive(Clone, Copy)]
            struct Product;
            impl Map2<$t, $t> for Product {
                #[inline(always)]
                fn at<L: Level>(a: $t, b: $t) -> $t {
                    $t::new(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re)
                }
            }

            /// A function of two complex numbers.
            pub(in crate::elementwise) fn binary(f: Binary) -> Option<Kernel> {
                use Binary::*;
                Some(match f {
                    Add => kernel::leveled2::<$t, $t, Sum>(),
                    Subtract => kernel::binary(|a: $t, b: $t| $t::new(a.re - b.re, a.im - b.im)),
                    Multiply => kernel::leveled2::<$t, $t, Product>(),
                    Divide => kernel::binary(divide),
                    Power | FloatPower => {
                        kernel::binary(|a: $t, b: $t| -> $t { complex::pow(a.to(), b.to()).to() })
                    }
                    Maximum => kernel::binary(|a: $t, b: $t| if at_least(a, b) || is_nan(a) { a } else { b }),
                    Minimum => kernel::binary(|a: $t, b: $t| if at_least(b, a) || is_nan(a) { a } else { b }),
                    Fmax => kernel::binary(|a: $t, b: $t| if at_least(a, b) || is_nan(b) { a } else { b }),
                    Fmin => kernel::binary(|a: $t, b: $t| if at_least(b, a) || is_nan(b) { a } else { b }),
                    LogicalAnd => kernel::binary(|a: $t, b: $t| To::<bool>::to(a) & To::<bool>::to(b)),
                    LogicalOr => kernel::binary(|a: $t, b: $t| To::<bool>::to(a) | To::<bool>::to(b)),
                    LogicalXor => kernel::binary(|a: $t, b: $t| To::<bool>::to(a) ^ To::<bool>::to(b)),
                    Equal => kernel::binary(|a: $t, b: $t| a == b),
                    NotEqual => kernel::binary(|a: $t, b: $t| a != b),
                    Less => kernel::binary(|a: $t, b: $t| above(b, a)),
                    LessEqual => kernel::binary(|a: $t, b: $t| at_least(b, a)),
                    Greater => kernel::binary(above),
                    GreaterEqual => kernel::binary(at_least),
                    _ => return None,
                })
            }

            fn is_nan(z: $t) -> bool {
                z.re.is_nan() || z.im.is_nan()
            }

            /// As numpy orders them: NaN in an imaginary part makes a number unordered.
            pub(crate) fn above(a: $t, b: $t) -> bool {
                (a.re > b.re && !a.im.is_nan() && !b.im.is_nan()) || (a.re == b.re && a.im > b.im)
            }

            /// As [`above`], or equal.
            pub(crate) fn at_least(a: $t, b: $t) -> bool {
                (a.re > b.re && !a.im.is_nan() && !b.im.is_nan()) || (a.re == b.re && a.im >= b.im)
            }

            /// Smith's method (1962), in the type itself as numpy does.
            fn divide(a: $t, b: $t) -> $t {
                if b.re.abs() >= b.im.abs() {
                    if b.re == 0.0 && b.im == 0.0 {
                        return $t::new(a.re / b.re.abs(), a.im / b.re.abs());
                    }
                    let ratio = b.im / b.re;
                    let scale = 1.0 / (b.re + b.im * ratio);
                    $t::new((a.re + a.im * ratio) * scale, (a.im - a.re * ratio) * scale)
                } else {
                    let ratio = b.re / b.im;
                    let scale = 1.0 / (b.im + b.re * ratio);
                    $t::new((a.re * ratio + a.im) * scale, (a.im * ratio - a.re) * scale)
                }
            }
        }
    )* };
}

complexes!(c64 Complex32 f32, c128 Complex64 f64);
