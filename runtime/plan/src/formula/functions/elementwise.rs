//! Elementwise functions.

use super::{Function, Run, function, method};
use crate::builder::{Array, Operand};
use crate::dtype::{DType, Kind, Scalar};
use crate::formula::call::{Call, Read};
use crate::program::{Binary, Reduction, Unary};
use std::f64::consts::PI;

const fn unary(name: &'static str, f: Unary) -> Function {
    function(name, "x", Run::Unary(f))
}

const fn binary(name: &'static str, f: Binary) -> Function {
    function(name, "a, b", Run::Binary(f))
}

pub(super) const TABLE: &[Function] = &[
    unary("negative", Unary::Negative),
    unary("positive", Unary::Positive),
    unary("absolute", Unary::Absolute).or(&["abs"]),
    unary("fabs", Unary::Fabs),
    unary("invert", Unary::Invert).or(&["bitwise_not", "bitwise_invert"]),
    unary("logical_not", Unary::LogicalNot),
    unary("sign", Unary::Sign),
    unary("rint", Unary::Rint),
    unary("floor", Unary::Floor),
    unary("ceil", Unary::Ceil),
    unary("trunc", Unary::Trunc),
    unary("sqrt", Unary::Sqrt),
    unary("cbrt", Unary::Cbrt),
    unary("square", Unary::Square),
    unary("reciprocal", Unary::Reciprocal),
    unary("exp", Unary::Exp),
    unary("exp2", Unary::Exp2),
    unary("expm1", Unary::Expm1),
    unary("log", Unary::Log),
    unary("log2", Unary::Log2),
    unary("log10", Unary::Log10),
    unary("log1p", Unary::Log1p),
    unary("sin", Unary::Sin),
    unary("cos", Unary::Cos),
    unary("tan", Unary::Tan),
    unary("arcsin", Unary::Arcsin).or(&["asin"]),
    unary("arccos", Unary::Arccos).or(&["acos"]),
    unary("arctan", Unary::Arctan).or(&["atan"]),
    unary("sinh", Unary::Sinh),
    unary("cosh", Unary::Cosh),
    unary("tanh", Unary::Tanh),
    unary("arcsinh", Unary::Arcsinh).or(&["asinh"]),
    unary("arccosh", Unary::Arccosh).or(&["acosh"]),
    unary("arctanh", Unary::Arctanh).or(&["atanh"]),
    unary("deg2rad", Unary::Deg2rad).or(&["radians"]),
    unary("rad2deg", Unary::Rad2deg).or(&["degrees"]),
    unary("isnan", Unary::Isnan),
    unary("isinf", Unary::Isinf),
    unary("isfinite", Unary::Isfinite),
    unary("signbit", Unary::Signbit),
    unary("spacing", Unary::Spacing),
    method("conjugate", "x", Run::Unary(Unary::Conjugate)).or(&["conj"]),
    unary("real", Unary::Real),
    unary("imag", Unary::Imag),
    unary("angle", Unary::Angle),
    unary("bitwise_count", Unary::BitwiseCount),
    binary("add", Binary::Add),
    binary("subtract", Binary::Subtract),
    binary("multiply", Binary::Multiply),
    binary("divide", Binary::Divide).or(&["true_divide"]),
    binary("floor_divide", Binary::FloorDivide),
    binary("remainder", Binary::Remainder).or(&["mod"]),
    binary("fmod", Binary::Fmod),
    binary("power", Binary::Power).or(&["pow"]),
    binary("float_power", Binary::FloatPower),
    binary("maximum", Binary::Maximum),
    binary("minimum", Binary::Minimum),
    binary("fmax", Binary::Fmax),
    binary("fmin", Binary::Fmin),
    binary("arctan2", Binary::Arctan2).or(&["atan2"]),
    binary("hypot", Binary::Hypot),
    binary("logaddexp", Binary::Logaddexp),
    binary("logaddexp2", Binary::Logaddexp2),
    binary("copysign", Binary::Copysign),
    binary("nextafter", Binary::Nextafter),
    binary("ldexp", Binary::Ldexp),
    binary("heaviside", Binary::Heaviside),
    binary("gcd", Binary::Gcd),
    binary("lcm", Binary::Lcm),
    binary("bitwise_and", Binary::BitwiseAnd),
    binary("bitwise_or", Binary::BitwiseOr),
    binary("bitwise_xor", Binary::BitwiseXor),
    binary("left_shift", Binary::LeftShift).or(&["bitwise_left_shift"]),
    binary("right_shift", Binary::RightShift).or(&["bitwise_right_shift"]),
    binary("logical_and", Binary::LogicalAnd),
    binary("logical_or", Binary::LogicalOr),
    binary("logical_xor", Binary::LogicalXor),
    binary("equal", Binary::Equal),
    binary("not_equal", Binary::NotEqual),
    binary("less", Binary::Less),
    binary("less_equal", Binary::LessEqual),
    binary("greater", Binary::Greater),
    binary("greater_equal", Binary::GreaterEqual),
    function("where", "condition, x, y", Run::Array(where_)),
    method("clip", "x, min=None, max=None", Run::Array(clip)),
    method("round", "x, decimals=0", Run::Array(round)).or(&["around"]),
    method("astype", "x, dtype", Run::Array(astype)),
    function("isclose", "a, b, rtol=1e-05, atol=1e-08, equal_nan=False", Run::Array(isclose)),
    function("allclose", "a, b, rtol=1e-05, atol=1e-08, equal_nan=False", Run::Array(allclose)),
    function("nan_to_num", "x, nan=0.0, posinf=None, neginf=None", Run::Array(nan_to_num)),
    function("sinc", "x", Run::Array(sinc)),
];

fn where_(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (condition, x, y) = (call.operand("condition")?, call.operand("x")?, call.operand("y")?);
    Ok(call.builder().where_(condition, x, y)?)
}

fn clip(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (x, low, high) = (call.operand("x")?, call.optional_operand("min")?, call.optional_operand("max")?);
    Ok(call.builder().clip(x, low, high)?)
}

fn round(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (x, decimals) = (call.operand("x")?, call.int("decimals")?);
    match i32::try_from(decimals) {
        Ok(decimals) => Ok(call.builder().round(x, decimals)?),
        Err(_) => call.wrong("decimals", format!("{decimals} is out of bounds")),
    }
}

fn astype(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let x = call.array("x")?;
    match call.dtype("dtype")? {
        Some(dtype) => Ok(call.builder().cast(x, dtype)?),
        None => call.wrong("dtype", "takes a dtype, such as `float32`"),
    }
}

/// numpy's definition: `|a - b| <= atol + rtol * |b|` where `b` is finite, or equal.
fn isclose(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let (a, b) = (call.operand("a")?, call.operand("b")?);
    let (rtol, atol, equal_nan) = (call.float("rtol")?, call.float("atol")?, call.bool("equal_nan")?);
    let build = call.builder();
    // As floats, so that `|b|` of the lowest integer exists.
    let b = match b {
        Operand::Array(b) => Operand::Array(build.cast(b, build.dtype(b).promote_weak(Kind::Float))?),
        Operand::Scalar(Scalar::Int(i)) => Operand::Scalar(Scalar::Float(i as f64)),
        other => other,
    };
    let difference = build.binary(Binary::Subtract, a, b)?;
    let difference = build.unary(Unary::Absolute, difference)?;
    let size = build.unary(Unary::Absolute, b)?;
    let bound = build.binary(Binary::Multiply, size, Scalar::Float(rtol))?;
    let bound = build.binary(Binary::Add, bound, Scalar::Float(atol))?;
    let near = build.binary(Binary::LessEqual, difference, bound)?;
    let finite = build.unary(Unary::Isfinite, b)?;
    let near = build.binary(Binary::BitwiseAnd, near, finite)?;
    let equal = build.binary(Binary::Equal, a, b)?;
    let mut close = build.binary(Binary::BitwiseOr, near, equal)?;
    if equal_nan {
        let (a, b) = (build.unary(Unary::Isnan, a)?, build.unary(Unary::Isnan, b)?);
        let both = build.binary(Binary::BitwiseAnd, a, b)?;
        close = build.binary(Binary::BitwiseOr, close, both)?;
    }
    Ok(close)
}

fn allclose(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let close = isclose(call)?;
    Ok(call.builder().reduce(Reduction::All, close, None, false, None)?)
}

/// Infinities become the largest numbers of the dtype, unless others are given.
fn nan_to_num(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let x = call.array("x")?;
    let dtype = call.builder().dtype(x);
    let largest = match dtype {
        DType::Float32 => f64::from(f32::MAX),
        DType::Float64 => f64::MAX,
        _ if dtype.kind() == Kind::Complex => {
            return call
                .wrong("x", format!("{dtype} is not supported; treat `.real` and `.imag` on their own"));
        }
        _ => return Ok(x),
    };
    let nan = call.float("nan")?;
    let high = if call.is_none("posinf") { largest } else { call.float("posinf")? };
    let low = if call.is_none("neginf") { -largest } else { call.float("neginf")? };
    let build = call.builder();
    let missing = build.unary(Unary::Isnan, x)?;
    let mut result = build.where_(missing, Scalar::Float(nan), x)?;
    for (infinity, instead) in [(f64::INFINITY, high), (f64::NEG_INFINITY, low)] {
        let found = build.binary(Binary::Equal, x, Scalar::Float(infinity))?;
        result = build.where_(found, Scalar::Float(instead), result)?;
    }
    Ok(result)
}

/// `sin(πx) / πx`, with numpy's tiny number in place of 0.
fn sinc(call: &mut Call<'_, '_, '_>) -> Read<Array> {
    let x = call.operand("x")?;
    let build = call.builder();
    let x = build.binary(Binary::Multiply, x, Scalar::Float(PI))?;
    let tiny = match build.dtype(x) {
        DType::Float32 => f64::from(f32::EPSILON),
        DType::Float64 => f64::EPSILON,
        _ => 1e-20,
    };
    let nonzero = build.binary(Binary::NotEqual, x, Scalar::Int(0))?;
    let y = build.where_(nonzero, x, Scalar::Float(tiny))?;
    let sin = build.unary(Unary::Sin, y)?;
    Ok(build.binary(Binary::Divide, sin, y)?)
}
