//! The functions that operators apply, by numpy's names.

use crate::dtype::Scalar;
use serde::{Deserialize, Serialize};

/// Elementwise functions of one argument, by numpy's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "numpy's names")]
pub enum Unary {
    Negative,
    Positive,
    Absolute,
    Fabs,
    Invert,
    LogicalNot,
    Sign,
    Rint,
    Floor,
    Ceil,
    Trunc,
    Sqrt,
    Cbrt,
    Square,
    Reciprocal,
    Exp,
    Exp2,
    Expm1,
    Log,
    Log2,
    Log10,
    Log1p,
    Sin,
    Cos,
    Tan,
    Arcsin,
    Arccos,
    Arctan,
    Sinh,
    Cosh,
    Tanh,
    Arcsinh,
    Arccosh,
    Arctanh,
    Deg2rad,
    Rad2deg,
    Isnan,
    Isinf,
    Isfinite,
    Signbit,
    Spacing,
    Conjugate,
    Real,
    Imag,
    Angle,
    BitwiseCount,
    NanToZero,
    NanToOne,
}

/// Elementwise functions of two arguments, by numpy's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "numpy's names")]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Fmod,
    Power,
    FloatPower,
    Maximum,
    Minimum,
    Fmax,
    Fmin,
    Arctan2,
    Hypot,
    Logaddexp,
    Logaddexp2,
    Copysign,
    Nextafter,
    Ldexp,
    Heaviside,
    Gcd,
    Lcm,
    BitwiseAnd,
    BitwiseOr,
    BitwiseXor,
    LeftShift,
    RightShift,
    LogicalAnd,
    LogicalOr,
    LogicalXor,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// Reductions that combine by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "numpy's names")]
pub enum Reduction {
    Sum,
    Prod,
    Min,
    Max,
    Any,
    All,
    CountNonzero,
    Nansum,
    Nanprod,
    Nanmin,
    Nanmax,
    /// Counts what is not NaN.
    Nancount,
}

/// Reductions that find a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "numpy's names")]
pub enum ArgReduction {
    Argmin,
    Argmax,
    Nanargmin,
    Nanargmax,
}

/// Running reductions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "numpy's names")]
pub enum Cumulative {
    Sum,
    Prod,
}

/// What lies beyond an array's edge, by the names of `numpy.pad`'s modes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Boundary {
    /// `mode="constant"`
    Constant(Scalar),
    /// The edge's value.
    Edge,
    /// Mirrored, the edge not repeated.
    Reflect,
    /// Mirrored, the edge repeated.
    Symmetric,
    /// Periodic.
    Wrap,
}
