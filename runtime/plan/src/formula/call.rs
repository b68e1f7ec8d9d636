//! Calls of functions in the table: arguments are bound to a signature as Python binds them, then read as what the
//! function takes.

use super::ast::{Expr, Kind, Prefix};
use super::error::{FormulaError, fail};
use super::eval::{Evaluator, plural};
use super::functions::{Entry, Run};
use super::number::{self, Number};
use super::value::{Value, parse_dtype};
use crate::builder::{Array, Builder, ChunkSpec, Operand};
use crate::chunking::Chunks;
use crate::dtype::DType;
use crate::names::{did_you_mean, shorten};
use crate::program::Binary;

/// An argument of a call.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub(super) name: Option<String>,
    pub(super) value: Value,
    pub(super) column: u32,
}

/// A parameter, as a signature states it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// `None` where the caller must give it.
    pub(super) default: Option<Value>,
    /// `*name`: takes all that are left, or one tuple of them.
    pub(super) rest: bool,
}

/// Reads `x, axis=None, keepdims=False`.
///
/// # Panics
/// If the text is no signature; the table's are all read by a test.
pub(super) fn signature(text: &'static str) -> Vec<Parameter> {
    text.split(", ")
        .filter(|p| !p.is_empty())
        .map(|parameter| {
            let (name, default) = match parameter.split_once('=') {
                Some((name, default)) => (name, Some(super::parse(default).expect("a default"))),
                None => (parameter, None),
            };
            let rest = name.starts_with('*');
            Parameter { name: name.trim_start_matches('*'), default: default.map(|d| constant(&d)), rest }
        })
        .collect()
}

fn constant(expr: &Expr) -> Value {
    match &expr.kind {
        Kind::Number(n) => Value::Number(*n),
        Kind::Str(s) => Value::Str(s.clone()),
        Kind::None => Value::None,
        Kind::Prefix(Prefix::Minus, x) => match constant(x) {
            Value::Number(n) => Value::Number(number::prefix(Prefix::Minus, n).expect("a small number")),
            other => panic!("-{other:?} as a default"),
        },
        other => panic!("{other:?} as a default"),
    }
}

/// Calls a function of the table. A method's receiver is its parameter `x`.
pub(super) fn run(
    eval: &mut Evaluator<'_, '_>,
    entry: &'static Entry,
    receiver: Option<Argument>,
    arguments: Vec<Argument>,
) -> Result<Value, FormulaError> {
    let bound = bind(entry, receiver, arguments)?;
    let mut call = Call { eval, entry, bound };
    let array = match entry.function.run {
        Run::Unary(f) => {
            let x = call.operand("x")?;
            call.builder().unary(f, x)?
        }
        Run::Binary(f) => {
            let (a, b) = (call.beside(f, "a", "b")?, call.beside(f, "b", "a")?);
            call.builder().binary(f, a, b)?
        }
        Run::Reduce(f) => {
            let (x, axes, keepdims) = (call.array("x")?, call.axes("axis")?, call.bool("keepdims")?);
            let dtype = if call.has("dtype") { call.dtype("dtype")? } else { None };
            call.builder().reduce(f, x, axes.as_deref(), keepdims, dtype)?
        }
        Run::Arg(f) => {
            let (x, axis, keepdims) = (call.array("x")?, call.axis("axis")?, call.bool("keepdims")?);
            call.builder().arg(f, x, axis, keepdims)?
        }
        Run::Array(f) => f(&mut call)?,
        Run::Value(f) => return f(&mut call),
    };
    Ok(Value::Array(array))
}

fn bind(
    entry: &'static Entry,
    receiver: Option<Argument>,
    arguments: Vec<Argument>,
) -> Result<Vec<Option<(Value, u32)>>, FormulaError> {
    let parameters = &entry.parameters;
    let shown = entry.shown();
    let mut bound: Vec<Option<(Value, u32)>> = vec![None; parameters.len()];
    let is_method = receiver.is_some();
    let own = parameters.iter().position(|p| p.name == "x");
    if let (Some(receiver), Some(slot)) = (receiver, own.and_then(|at| bound.get_mut(at))) {
        *slot = Some((receiver.value, receiver.column));
    }
    // Positional arguments fill the other parameters in order.
    let mut order = (0..parameters.len()).filter(|at| !(is_method && Some(*at) == own));
    let given = arguments.len();
    let mut rest: Option<(usize, Vec<Value>, u32)> = None;
    for argument in arguments {
        let Some(name) = argument.name else {
            if let Some((_, values, _)) = &mut rest {
                values.push(argument.value);
            } else if let Some(at) = order.next() {
                match parameters.get(at) {
                    Some(p) if p.rest => rest = Some((at, vec![argument.value], argument.column)),
                    _ => bound[at] = Some((argument.value, argument.column)),
                }
            } else {
                let takes = parameters.len() - usize::from(is_method);
                return fail(
                    argument.column,
                    format!("`{shown}` takes at most {}, not {given}", plural(takes, "argument")),
                );
            }
            continue;
        };
        let Some(at) = parameters.iter().position(|p| p.name == name) else {
            let known = parameters.iter().map(|p| p.name);
            let message =
                format!("`{shown}` has no parameter `{}`{}", shorten(&name), did_you_mean(&name, known));
            return fail(argument.column, message);
        };
        if bound[at].is_some() || rest.as_ref().is_some_and(|r| r.0 == at) {
            return fail(argument.column, format!("`{name}` of `{shown}` is given twice"));
        }
        bound[at] = Some((argument.value, argument.column));
    }
    if let Some((at, mut values, column)) = rest {
        // `x.reshape((2, 3))` is `x.reshape(2, 3)`.
        let value = match values.as_slice() {
            [Value::Tuple(_) | Value::List(_) | Value::None] => values.remove(0),
            _ => Value::Tuple(values),
        };
        bound[at] = Some((value, column));
    }
    for (slot, parameter) in bound.iter_mut().zip(parameters) {
        if slot.is_none() {
            match &parameter.default {
                Some(default) => *slot = Some((default.clone(), 0)),
                None if parameter.rest => *slot = Some((Value::None, 0)),
                None => return Err(format!("`{shown}` needs `{}`", parameter.name).into()),
            }
        }
    }
    Ok(bound)
}

/// A call with its arguments bound; functions of the table read them by name.
pub(super) struct Call<'c, 'b, 'a> {
    pub(super) eval: &'c mut Evaluator<'b, 'a>,
    entry: &'static Entry,
    bound: Vec<Option<(Value, u32)>>,
}

pub(super) type Read<T> = Result<T, FormulaError>;

impl Call<'_, '_, '_> {
    pub(super) fn builder(&mut self) -> &mut Builder {
        self.eval.builder
    }

    /// Whether the signature has this parameter.
    fn has(&self, name: &str) -> bool {
        self.entry.parameters.iter().any(|p| p.name == name)
    }

    /// An argument and its column.
    ///
    /// # Panics
    /// If the signature has no such parameter, which is a mistake in the table.
    fn argument(&self, name: &str) -> (Value, u32) {
        let at = self.entry.parameters.iter().position(|p| p.name == name);
        let found = at.and_then(|at| self.bound.get(at).cloned().flatten());
        found.unwrap_or_else(|| panic!("{} has no parameter {name}", self.entry.function.name))
    }

    pub(super) fn value(&self, name: &str) -> Value {
        self.argument(name).0
    }

    pub(super) fn is_none(&self, name: &str) -> bool {
        self.value(name) == Value::None
    }

    /// What is wrong with an argument, at its column.
    pub(super) fn wrong<T>(&self, name: &str, message: impl std::fmt::Display) -> Read<T> {
        fail(self.argument(name).1, format!("`{name}` of `{}`: {message}", self.entry.function.name))
    }

    fn at<T>(&self, name: &str, result: Read<T>) -> Read<T> {
        result.map_err(|e| {
            let message = format!("`{name}` of `{}`: {}", self.entry.function.name, e.message);
            FormulaError { message, ..e }.or_at(self.argument(name).1)
        })
    }

    pub(super) fn operand(&mut self, name: &str) -> Read<Operand> {
        let value = self.value(name);
        let result = self.eval.operand(&value);
        self.at(name, result)
    }

    fn beside(&mut self, f: Binary, name: &str, other: &str) -> Read<Operand> {
        let result = self.eval.beside(f, &self.value(name), &self.value(other));
        self.at(name, result)
    }

    pub(super) fn optional_operand(&mut self, name: &str) -> Read<Option<Operand>> {
        if self.is_none(name) { Ok(None) } else { self.operand(name).map(Some) }
    }

    pub(super) fn array(&mut self, name: &str) -> Read<Array> {
        let value = self.value(name);
        let result = self.eval.array(&value);
        self.at(name, result)
    }

    pub(super) fn optional_array(&mut self, name: &str) -> Read<Option<Array>> {
        if self.is_none(name) { Ok(None) } else { self.array(name).map(Some) }
    }

    /// A list or tuple of arrays; not empty.
    pub(super) fn arrays(&mut self, name: &str) -> Read<Vec<Array>> {
        match self.value(name) {
            Value::List(values) | Value::Tuple(values) if !values.is_empty() => {
                let result = values.iter().map(|v| self.eval.array(v)).collect();
                self.at(name, result)
            }
            Value::List(_) | Value::Tuple(_) => self.wrong(name, "needs at least one array"),
            other => self
                .wrong(name, format!("takes a list of arrays, such as `[x, y]`, not {}", other.describe())),
        }
    }

    pub(super) fn bool(&self, name: &str) -> Read<bool> {
        match self.value(name) {
            Value::Number(Number::Bool(b)) => Ok(b),
            other => self.wrong(name, format!("takes True or False, not {}", other.describe())),
        }
    }

    fn as_int(&self, name: &str, value: &Value) -> Read<i64> {
        match value {
            Value::Number(Number::Int(i)) => match i64::try_from(*i) {
                Ok(i) => Ok(i),
                Err(_) => self.wrong(name, format!("{i} does not fit in int64")),
            },
            other => self.wrong(name, format!("takes an int, not {}", other.describe())),
        }
    }

    pub(super) fn int(&self, name: &str) -> Read<i64> {
        self.as_int(name, &self.value(name))
    }

    /// An int that is not negative.
    pub(super) fn count(&self, name: &str) -> Read<u64> {
        let i = self.int(name)?;
        match u64::try_from(i) {
            Ok(n) => Ok(n),
            Err(_) => self.wrong(name, format!("is not negative, but {i} is")),
        }
    }

    pub(super) fn number(&self, name: &str) -> Read<Number> {
        match self.value(name) {
            Value::Number(n) => Ok(n),
            other => self.wrong(
                name,
                format!("takes a number that is known when the graph is made, not {}", other.describe()),
            ),
        }
    }

    pub(super) fn float(&self, name: &str) -> Read<f64> {
        match self.number(name)?.real() {
            Some(f) => Ok(f),
            None => self.wrong(name, "takes a real number"),
        }
    }

    /// An int or a tuple of ints.
    pub(super) fn ints(&self, name: &str) -> Read<Vec<i64>> {
        match self.value(name) {
            Value::Tuple(values) | Value::List(values) => {
                values.iter().map(|v| self.as_int(name, v)).collect()
            }
            Value::Number(Number::Int(_)) => Ok(vec![self.int(name)?]),
            other => self.wrong(name, format!("takes an int or a tuple of ints, not {}", other.describe())),
        }
    }

    /// Axes; `None` for all.
    pub(super) fn axes(&self, name: &str) -> Read<Option<Vec<i64>>> {
        if self.is_none(name) { Ok(None) } else { self.ints(name).map(Some) }
    }

    pub(super) fn axis(&self, name: &str) -> Read<Option<i64>> {
        if self.is_none(name) { Ok(None) } else { self.int(name).map(Some) }
    }

    /// An axis that is counted from 0, of an array with `ndim` of them.
    pub(super) fn axis_of(&self, name: &str, ndim: usize) -> Read<usize> {
        let axis = self.int(name)?;
        self.normalize(name, axis, ndim)
    }

    pub(super) fn normalize(&self, name: &str, axis: i64, ndim: usize) -> Read<usize> {
        let n = ndim as i64;
        if (-n..n).contains(&axis) {
            Ok(axis.rem_euclid(n) as usize)
        } else {
            self.wrong(
                name,
                format!(
                    "axis {axis} is out of bounds for an array of {}",
                    plural(ndim, "axis").replace("axiss", "axes")
                ),
            )
        }
    }

    /// Extents.
    pub(super) fn shape(&self, name: &str) -> Read<Vec<u64>> {
        let ints = self.ints(name)?;
        if ints.len() > super::literal::MAX_AXES {
            return self.wrong(name, format!("an array has at most {} axes", super::literal::MAX_AXES));
        }
        match ints.iter().find(|i| **i < 0) {
            Some(i) => self.wrong(name, format!("extents are not negative, but {i} is")),
            None => Ok(ints.into_iter().map(|i| i as u64).collect()),
        }
    }

    pub(super) fn dtype(&self, name: &str) -> Read<Option<DType>> {
        match self.value(name) {
            Value::None => Ok(None),
            Value::DType(dtype) => Ok(Some(dtype)),
            Value::Str(text) => match parse_dtype(&text) {
                Ok(dtype) => Ok(Some(dtype)),
                Err(message) => self.wrong(name, message),
            },
            other => self.wrong(name, format!("takes a dtype, such as `float32`, not {}", other.describe())),
        }
    }

    /// Chunk sizes as dask writes them: `100`, `(100, -1)`, `((50, 50), "auto")`, `"auto"`.
    pub(super) fn chunks(&self, name: &str, ndim: usize) -> Read<ChunkSpec> {
        match chunks(&self.value(name)).and_then(|chunks| chunks.spec(ndim)) {
            Ok(spec) => Ok(spec),
            Err(message) => self.wrong(name, message),
        }
    }
}

fn chunks(value: &Value) -> Result<Chunks, String> {
    match value {
        Value::Number(Number::Int(i)) => match i64::try_from(*i) {
            Ok(size @ -1..) => Ok(Chunks::Size(size)),
            _ => Err(format!("{i} is no chunk size; -1 stands for the whole axis")),
        },
        Value::None => Ok(Chunks::Size(-1)),
        Value::Str(word) if word == "auto" => Ok(Chunks::default()),
        Value::Tuple(values) | Value::List(values) => {
            Ok(Chunks::List(values.iter().map(chunks).collect::<Result<_, _>>()?))
        }
        other => Err(format!("takes sizes, -1 for a whole axis, or \"auto\", not {}", other.describe())),
    }
}
