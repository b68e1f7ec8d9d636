//! Functions of floating numbers.

macro_rules! floats {
    ($($t:ident $bits:ident),*) => { $(
        /// Functions of this type.
        pub(super) mod $t {
            use crate::elementwise::Function;
            use crate::elementwise::kernel::{self, Kernel, Map1, Map2};
            use crate::math::{self, level::Level};
            use dask_plan::program::{Binary, Unary};

            /// A kernel for every level from a function without branches.
            macro_rules! map {
                (|$a:ident| -> $O:ty $body:block) => {{
                    #[derive(Clone, Copy)]
                    struct F;
                    impl Map1<$t, $O> for F {
                        #[inline(always)]
                        fn at<L: Level>($a: $t) -> $O $body
                    }
                    kernel::leveled1::<$t, $O, F>()
                }};
                (|$a:ident, $b:ident| -> $O:ty $body:block) => {{
                    #[derive(Clone, Copy)]
                    struct F;
                    impl Map2<$t, $O> for F {
                        #[inline(always)]
                        fn at<L: Level>($a: $t, $b: $t) -> $O $body
                    }
                    kernel::leveled2::<$t, $O, F>()
                }};
            }

            /// A function of one float.
            pub(in crate::elementwise) fn unary(f: Unary) -> Function {
                use Unary::*;
                let kernel = match f {
                    Positive | Conjugate | Real => return Function::Identity,
                    Negative => map!(|a| -> $t { -a }),
                    Absolute | Fabs => map!(|a| -> $t { a.abs() }),
                    LogicalNot => map!(|a| -> bool { a == 0.0 }),
                    Sign => map!(|a| -> $t {
                        let s = if a > 0.0 { 1.0 } else { 0.0 };
                        let s = if a < 0.0 { -1.0 } else { s };
                        if a.is_nan() { a } else { s }
                    }),
                    Rint => map!(|a| -> $t { a.round_ties_even() }),
                    Floor => map!(|a| -> $t { a.floor() }),
                    Ceil => map!(|a| -> $t { a.ceil() }),
                    Trunc => map!(|a| -> $t { a.trunc() }),
                    Sqrt => map!(|a| -> $t { a.sqrt() }),
                    Square => map!(|a| -> $t { a * a }),
                    Reciprocal => map!(|a| -> $t { 1.0 / a }),
                    Deg2rad => map!(|a| -> $t { a * (std::$t::consts::PI / 180.0) }),
                    Rad2deg => map!(|a| -> $t { a * (180.0 / std::$t::consts::PI) }),
                    Isnan => map!(|a| -> bool { a.is_nan() }),
                    Isinf => map!(|a| -> bool { a.abs() == $t::INFINITY }),
                    Isfinite => map!(|a| -> bool { a.abs() < $t::INFINITY }),
                    Signbit => map!(|a| -> bool { a.to_bits() >> ($bits::BITS - 1) == 1 }),
                    Spacing => kernel::unary(spacing),
                    Imag => kernel::unary(|_: $t| 0 as $t),
                    Angle => map!(|a| -> $t {
                        let angle = if a.is_sign_negative() { std::$t::consts::PI } else { 0.0 };
                        if a.is_nan() { a } else { angle }
                    }),
                    NanToZero => map!(|a| -> $t { if a.is_nan() { 0.0 } else { a } }),
                    NanToOne => map!(|a| -> $t { if a.is_nan() { 1.0 } else { a } }),
                    Cbrt => kernel::leveled1::<$t, $t, math::Cbrt>(),
                    Exp => kernel::leveled1::<$t, $t, math::Exp>(),
                    Exp2 => kernel::leveled1::<$t, $t, math::Exp2>(),
                    Expm1 => kernel::leveled1::<$t, $t, math::Expm1>(),
                    Log => kernel::leveled1::<$t, $t, math::Log>(),
                    Log2 => kernel::leveled1::<$t, $t, math::Log2>(),
                    Log10 => kernel::leveled1::<$t, $t, math::Log10>(),
                    Log1p => kernel::leveled1::<$t, $t, math::Log1p>(),
                    Sin => kernel::leveled1::<$t, $t, math::Sin>(),
                    Cos => kernel::leveled1::<$t, $t, math::Cos>(),
                    Tan => kernel::leveled1::<$t, $t, math::Tan>(),
                    Arcsin => kernel::leveled1::<$t, $t, math::Arcsin>(),
                    Arccos => kernel::leveled1::<$t, $t, math::Arccos>(),
                    Arctan => kernel::leveled1::<$t, $t, math::Arctan>(),
                    Sinh => kernel::leveled1::<$t, $t, math::Sinh>(),
                    Cosh => kernel::leveled1::<$t, $t, math::Cosh>(),
                    Tanh => kernel::leveled1::<$t, $t, math::Tanh>(),
                    Arcsinh => kernel::leveled1::<$t, $t, math::Arcsinh>(),
                    Arccosh => kernel::leveled1::<$t, $t, math::Arccosh>(),
                    Arctanh => kernel::leveled1::<$t, $t, math::Arctanh>(),
                    Invert | BitwiseCount => return Function::None,
                };
                kernel.into()
            }

            /// A function of two floats.
            pub(in crate::elementwise) fn binary(f: Binary) -> Option<Kernel> {
                use Binary::*;
                Some(match f {
                    Add => map!(|a, b| -> $t { a + b }),
                    Subtract => map!(|a, b| -> $t { a - b }),
                    Multiply => map!(|a, b| -> $t { a * b }),
                    Divide => map!(|a, b| -> $t { a / b }),
                    FloorDivide => kernel::binary(floor_divide),
                    Remainder => kernel::binary(remainder),
                    Fmod => kernel::binary(|a: $t, b: $t| a % b),
                    Power | FloatPower => kernel::leveled2::<$t, $t, math::Power>(),
                    Maximum => map!(|a, b| -> $t { if (a >= b) | a.is_nan() { a } else { b } }),
                    Minimum => map!(|a, b| -> $t { if (a <= b) | a.is_nan() { a } else { b } }),
                    Fmax => map!(|a, b| -> $t { if (a >= b) | b.is_nan() { a } else { b } }),
                    Fmin => map!(|a, b| -> $t { if (a <= b) | b.is_nan() { a } else { b } }),
                    Arctan2 => kernel::leveled2::<$t, $t, math::Arctan2>(),
                    Hypot => kernel::leveled2::<$t, $t, math::Hypot>(),
                    Logaddexp => kernel::leveled2::<$t, $t, math::Logaddexp>(),
                    Logaddexp2 => kernel::leveled2::<$t, $t, math::Logaddexp2>(),
                    Copysign => map!(|a, b| -> $t { a.copysign(b) }),
                    Nextafter => kernel::binary(next_after),
                    Ldexp => kernel::binary(|a: $t, e: i64| ldexp(a, e)),
                    Heaviside => map!(|a, h| -> $t {
                        let y = if a > 0.0 { 1.0 } else { 0.0 };
                        let y = if a == 0.0 { h } else { y };
                        if a.is_nan() { a } else { y }
                    }),
                    LogicalAnd => map!(|a, b| -> bool { (a != 0.0) & (b != 0.0) }),
                    LogicalOr => map!(|a, b| -> bool { (a != 0.0) | (b != 0.0) }),
                    LogicalXor => map!(|a, b| -> bool { (a != 0.0) ^ (b != 0.0) }),
                    Equal => map!(|a, b| -> bool { a == b }),
                    NotEqual => map!(|a, b| -> bool { a != b }),
                    Less => map!(|a, b| -> bool { a < b }),
                    LessEqual => map!(|a, b| -> bool { a <= b }),
                    Greater => map!(|a, b| -> bool { a > b }),
                    GreaterEqual => map!(|a, b| -> bool { a >= b }),
                    Gcd | Lcm | BitwiseAnd | BitwiseOr | BitwiseXor | LeftShift | RightShift => return None,
                })
            }

            /// Quotient and remainder of floor division, as Python's float does it: the remainder is exact and has the
            /// divisor's sign.
            fn floor_divide_remainder(a: $t, b: $t) -> ($t, $t) {
                let mut modulo = a % b;
                if b == 0.0 {
                    return (a / b, modulo);
                }
                let mut quotient = (a - modulo) / b;
                if modulo != 0.0 {
                    if (b < 0.0) != (modulo < 0.0) {
                        modulo += b;
                        quotient -= 1.0;
                    }
                } else {
                    modulo = (0.0 as $t).copysign(b);
                }
                if quotient != 0.0 {
                    let floor = quotient.floor();
                    quotient = if quotient - floor > 0.5 { floor + 1.0 } else { floor };
                } else {
                    quotient = (0.0 as $t).copysign(a / b);
                }
                (quotient, modulo)
            }

            fn floor_divide(a: $t, b: $t) -> $t {
                floor_divide_remainder(a, b).0
            }

            fn remainder(a: $t, b: $t) -> $t {
                floor_divide_remainder(a, b).1
            }

            fn next_after(a: $t, b: $t) -> $t {
                if a.is_nan() || b.is_nan() {
                    a + b
                } else if a == b {
                    b
                } else if b > a {
                    a.next_up()
                } else {
                    a.next_down()
                }
            }

            /// The distance to the next number away from zero.
            fn spacing(a: $t) -> $t {
                if a.is_infinite() {
                    $t::NAN
                } else if a < 0.0 {
                    a.next_down() - a
                } else {
                    a.next_up() - a
                }
            }

            /// `a * 2^e`, rounded once.
            fn ldexp(a: $t, e: i64) -> $t {
                // In three exact steps at most: only the last one can round, unless the result is zero anyway.
                const STEP: i64 = ($t::MAX_EXP - 1) as i64;
                let mut e = e.clamp(-6 * STEP, 6 * STEP);
                let power = |e: i64| $t::from_bits(((e + STEP) as $bits) << ($t::MANTISSA_DIGITS - 1));
                let mut a = a;
                while e > STEP {
                    a *= power(STEP);
                    e -= STEP;
                }
                // Steps down keep the digits that a subnormal would lose.
                const DOWN: i64 = STEP - 1 - $t::MANTISSA_DIGITS as i64;
                while e < 1 - STEP {
                    a *= power(-DOWN);
                    e += DOWN;
                }
                a * power(e)
            }
        }
    )* };
}

floats!(f32 u32, f64 u64);
