//! What parts of a formula stand for while it is evaluated.

use super::number::Number;
use crate::builder::Array;
use crate::dtype::DType;

/// The value of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// An array under construction.
    Array(Array),
    /// A Python number, weak in promotion.
    Number(Number),
    Str(String),
    None,
    Tuple(Vec<Value>),
    List(Vec<Value>),
    DType(DType),
    /// A function by its name, as `map_overlap` takes it.
    Function(String),
}

impl Value {
    /// How many values it is made of.
    pub(super) fn size(&self) -> u64 {
        match self {
            Value::Tuple(values) | Value::List(values) => 1 + values.iter().map(Value::size).sum::<u64>(),
            _ => 1,
        }
    }

    /// For messages: what it is.
    pub(crate) fn describe(&self) -> String {
        match self {
            Value::Array(_) => "an array".into(),
            Value::Number(n) => format!("the {} {n}", n.type_name()),
            Value::Str(s) => format!("the string {:?}", crate::names::shorten(s)),
            Value::None => "None".into(),
            Value::Tuple(xs) => format!("a tuple of {}", xs.len()),
            Value::List(xs) => format!("a list of {}", xs.len()),
            Value::DType(d) => format!("the dtype {d}"),
            Value::Function(name) => format!("the function `{name}`"),
        }
    }
}

/// The constants that every formula knows.
pub(super) const CONSTANTS: &[(&str, Value)] = &[
    ("pi", Value::Number(Number::Float(std::f64::consts::PI))),
    ("e", Value::Number(Number::Float(std::f64::consts::E))),
    ("inf", Value::Number(Number::Float(f64::INFINITY))),
    ("nan", Value::Number(Number::Float(f64::NAN))),
    ("newaxis", Value::None),
];

/// A constant's value.
pub(super) fn constant(name: &str) -> Option<Value> {
    CONSTANTS.iter().find(|c| c.0 == name).map(|c| c.1.clone())
}

/// A dtype by a name that is long enough to stand without quotes: `float32`, `int`, not `f4`.
pub(super) fn dtype(name: &str) -> Option<DType> {
    let known = DType::ALL.iter().any(|d| d.name() == name)
        || matches!(name, "bool_" | "int" | "uint" | "float" | "complex" | "single" | "double");
    if known { DType::parse(name) } else { None }
}

/// A dtype by any of numpy's names.
///
/// # Errors
/// Names the dtypes that there are.
pub(crate) fn parse_dtype(name: &str) -> Result<DType, String> {
    DType::parse(name).ok_or_else(|| {
        let all: Vec<&str> = DType::ALL.iter().map(|d| d.name()).collect();
        format!(
            "no dtype is called `{}`{}; there are {}",
            crate::names::shorten(name),
            crate::names::did_you_mean(name, all.iter().copied()),
            all.join(", ")
        )
    })
}
