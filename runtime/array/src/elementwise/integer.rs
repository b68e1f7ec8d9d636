//! Functions of integers. Arithmetic wraps; division by zero gives zero.

macro_rules! integers {
    ($($t:ident $signed:tt $unsigned:ident),*) => { $(
        /// Functions of this type.
        pub(super) mod $t {
            use crate::elementwise::Function;
            use crate::elementwise::kernel::{self, Kernel};
            use dask_plan::program::{Binary, Unary};

            const BITS: u64 = <$t>::BITS as u64;

            /// A function of one integer.
            pub(in crate::elementwise) fn unary(f: Unary) -> Function {
                use Unary::*;
                match f {
                    Positive | Floor | Ceil | Trunc | Conjugate | Real | NanToZero | NanToOne => Function::Identity,
                    Negative => kernel::unary(|a: $t| a.wrapping_neg()).into(),
                    Absolute => integers!(@absolute $signed $t),
                    Sign => kernel::unary(|a: $t| integers!(@sign $signed a)).into(),
                    Invert => kernel::unary(|a: $t| !a).into(),
                    Square => kernel::unary(|a: $t| a.wrapping_mul(a)).into(),
                    Reciprocal => kernel::unary(|a: $t| -> $t {
                        use crate::elementwise::cast::To;
                        (1.0 / a as f64).to()
                    }).into(),
                    Imag => kernel::unary(|_: $t| 0 as $t).into(),
                    LogicalNot => kernel::unary(|a: $t| a == 0).into(),
                    Isfinite => kernel::unary(|_: $t| true).into(),
                    Isnan | Isinf => kernel::unary(|_: $t| false).into(),
                    BitwiseCount => kernel::unary(|a: $t| integers!(@magnitude $signed a).count_ones() as u8).into(),
                    _ => Function::None,
                }
            }

            /// A function of two integers.
            pub(in crate::elementwise) fn binary(f: Binary) -> Option<Kernel> {
                use Binary::*;
                Some(match f {
                    Add => kernel::binary(|a: $t, b: $t| a.wrapping_add(b)),
                    Subtract => kernel::binary(|a: $t, b: $t| a.wrapping_sub(b)),
                    Multiply => kernel::binary(|a: $t, b: $t| a.wrapping_mul(b)),
                    FloorDivide => kernel::binary(|a: $t, b: $t| integers!(@floor_divide $signed a b)),
                    Remainder => kernel::binary(|a: $t, b: $t| integers!(@remainder $signed a b)),
                    Fmod => kernel::binary(|a: $t, b: $t| if b == 0 { 0 } else { a.wrapping_rem(b) }),
                    Power => kernel::binary(power),
                    Maximum | Fmax => kernel::binary(|a: $t, b: $t| a.max(b)),
                    Minimum | Fmin => kernel::binary(|a: $t, b: $t| a.min(b)),
                    Gcd => kernel::binary(|a: $t, b: $t| {
                        gcd(integers!(@magnitude $signed a), integers!(@magnitude $signed b)) as $t
                    }),
                    Lcm => kernel::binary(|a: $t, b: $t| {
                        let (a, b) = (integers!(@magnitude $signed a), integers!(@magnitude $signed b));
                        let gcd = gcd(a, b);
                        if gcd == 0 { 0 } else { (a / gcd).wrapping_mul(b) as $t }
                    }),
                    BitwiseAnd => kernel::binary(|a: $t, b: $t| a & b),
                    BitwiseOr => kernel::binary(|a: $t, b: $t| a | b),
                    BitwiseXor => kernel::binary(|a: $t, b: $t| a ^ b),
                    LeftShift => kernel::binary(|a: $t, b: $t| {
                        if (b as u64) < BITS { a.wrapping_shl(b as u32) } else { 0 }
                    }),
                    RightShift => kernel::binary(|a: $t, b: $t| {
                        if (b as u64) < BITS { a.wrapping_shr(b as u32) } else { integers!(@shifted_out $signed a) }
                    }),
                    LogicalAnd => kernel::binary(|a: $t, b: $t| (a != 0) & (b != 0)),
                    LogicalOr => kernel::binary(|a: $t, b: $t| (a != 0) | (b != 0)),
                    LogicalXor => kernel::binary(|a: $t, b: $t| (a != 0) ^ (b != 0)),
                    Equal => kernel::binary(|a: $t, b: $t| a == b),
                    NotEqual => kernel::binary(|a: $t, b: $t| a != b),
                    Less => kernel::binary(|a: $t, b: $t| a < b),
                    LessEqual => kernel::binary(|a: $t, b: $t| a <= b),
                    Greater => kernel::binary(|a: $t, b: $t| a > b),
                    GreaterEqual => kernel::binary(|a: $t, b: $t| a >= b),
                    _ => return None,
                })
            }

            /// By squaring. Exponents were checked to be at least zero.
            fn power(mut a: $t, b: $t) -> $t {
                let (mut b, mut out) = (b as u64, 1 as $t);
                while b > 0 {
                    if b & 1 == 1 {
                        out = out.wrapping_mul(a);
                    }
                    a = a.wrapping_mul(a);
                    b >>= 1;
                }
                out
            }

            fn gcd(mut a: $unsigned, mut b: $unsigned) -> $unsigned {
                while b != 0 {
                    (a, b) = (b, a % b);
                }
                a
            }
        }
    )* };
    (@absolute signed $t:ident) => { kernel::unary(|a: $t| a.wrapping_abs()).into() };
    (@absolute unsigned $t:ident) => { Function::Identity };
    (@sign signed $a:ident) => { $a.signum() };
    (@sign unsigned $a:ident) => { $a.min(1) };
    (@magnitude signed $a:ident) => { $a.unsigned_abs() };
    (@magnitude unsigned $a:ident) => { $a };
    (@shifted_out signed $a:ident) => { if $a < 0 { -1 } else { 0 } };
    (@shifted_out unsigned $a:ident) => {{ let _ = $a; 0 }};
    (@floor_divide signed $a:ident $b:ident) => {
        if $b == 0 {
            0
        } else {
            let q = $a.wrapping_div($b);
            if $a.wrapping_rem($b) != 0 && ($a < 0) != ($b < 0) { q - 1 } else { q }
        }
    };
    (@floor_divide unsigned $a:ident $b:ident) => { $a.checked_div($b).unwrap_or(0) };
    (@remainder signed $a:ident $b:ident) => {
        if $b == 0 {
            0
        } else {
            let r = $a.wrapping_rem($b);
            if r != 0 && (r < 0) != ($b < 0) { r + $b } else { r }
        }
    };
    (@remainder unsigned $a:ident $b:ident) => { $a.checked_rem($b).unwrap_or(0) };
}

integers!(
    i8 signed u8, i16 signed u16, i32 signed u32, i64 signed u64,
    u8 unsigned u8, u16 unsigned u16, u32 unsigned u32, u64 unsigned u64
);
