//! Walks a syntax tree and calls the [`Builder`].

use super::ast::{Arguments, Expr, Infix, Kind, MAX_DEPTH, Prefix};
use super::call::{self, Argument};
use super::error::{FormulaError, fail};
use super::number::{self, Number};
use super::value::{self, Value};
use super::{functions, index};
use crate::builder::{Array, Builder, Operand};
use crate::dtype::{self, Scalar};
use crate::infer;
use crate::names::{did_you_mean, shorten};
use crate::program::{Binary, Unary};
use std::cell::Cell;
use std::collections::HashMap;

/// How much work the formulas of one document may make, in values that are looked at. Functions that call functions
/// multiply, and so do tuples that are joined with themselves.
const MAX_STEPS: u64 = 1_000_000;

/// What an operation on arrays costs of that.
const OPERATION: u64 = 10;

/// A function that the document defines.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Function {
    pub(crate) parameters: Vec<String>,
    pub(crate) body: Expr,
}

/// What a formula sees.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// Arrays by their names, or a function's parameters.
    pub(crate) names: &'a HashMap<String, Value>,
    /// The document's functions.
    pub(crate) functions: &'a HashMap<String, Function>,
    /// Work done so far.
    pub(crate) steps: &'a Cell<u64>,
}

/// The value of a formula.
///
/// # Errors
/// The column and what is wrong there.
pub(crate) fn evaluate(expr: &Expr, scope: Scope<'_>, builder: &mut Builder) -> Result<Value, FormulaError> {
    Evaluator { builder, scope, depth: 0 }.eval(expr)
}

pub(super) struct Evaluator<'b, 'a> {
    pub(super) builder: &'b mut Builder,
    pub(super) scope: Scope<'a>,
    /// How deep expressions and functions are nested here.
    pub(super) depth: u16,
}

impl Evaluator<'_, '_> {
    pub(super) fn eval(&mut self, expr: &Expr) -> Result<Value, FormulaError> {
        if self.depth >= MAX_DEPTH {
            return fail(
                expr.column,
                format!("expressions and functions are nested deeper than {MAX_DEPTH}"),
            );
        }
        self.spend(1).map_err(|e| e.or_at(expr.column))?;
        self.depth += 1;
        let result = self.eval_kind(expr).map_err(|e| e.or_at(expr.column));
        self.depth -= 1;
        result
    }

    fn eval_kind(&mut self, expr: &Expr) -> Result<Value, FormulaError> {
        match &expr.kind {
            Kind::Number(n) => Ok(Value::Number(*n)),
            Kind::Str(s) => Ok(Value::Str(s.clone())),
            Kind::None => Ok(Value::None),
            Kind::Name(name) => self.name(name),
            Kind::Prefix(op, x) => {
                let x = self.eval(x)?;
                self.prefix(*op, x)
            }
            Kind::Chain(first, rest) => {
                let mut left = self.eval(first)?;
                for (op, column, right) in rest {
                    let right = self.eval(right)?;
                    left = self.infix(*op, left, right).map_err(|e| e.or_at(*column))?;
                }
                Ok(left)
            }
            Kind::Attribute(x, name) => {
                let x = self.eval(x)?;
                self.attribute(&x, name)
            }
            Kind::Call(callee, arguments) => self.call(callee, arguments),
            Kind::Index(x, items) => {
                let x = self.eval(x)?;
                index::index(self, &x, items)
            }
            Kind::Tuple(xs) => Ok(Value::Tuple(xs.iter().map(|x| self.eval(x)).collect::<Result<_, _>>()?)),
            Kind::List(xs) => Ok(Value::List(xs.iter().map(|x| self.eval(x)).collect::<Result<_, _>>()?)),
        }
    }

    /// Counts an operation on arrays.
    pub(super) fn step(&self) -> Result<(), FormulaError> {
        self.spend(OPERATION)
    }

    fn spend(&self, work: u64) -> Result<(), FormulaError> {
        let steps = self.scope.steps.get().saturating_add(work);
        self.scope.steps.set(steps);
        if steps > MAX_STEPS {
            let most = MAX_STEPS / OPERATION;
            return Err(
                format!("the document's formulas make too many operations; {most} are allowed").into()
            );
        }
        Ok(())
    }

    fn name(&mut self, name: &str) -> Result<Value, FormulaError> {
        if let Some(value) = self.scope.names.get(name) {
            self.spend(value.size())?;
            return Ok(value.clone());
        }
        if let Some(value) = value::constant(name).or_else(|| value::dtype(name).map(Value::DType)) {
            return Ok(value);
        }
        if self.scope.functions.contains_key(name) || functions::find(name).is_some() {
            return Ok(Value::Function(name.to_owned()));
        }
        let known = self.scope.names.keys().map(String::as_str).chain(value::CONSTANTS.iter().map(|c| c.0));
        Err(format!("nothing is called `{}`{}", shorten(name), did_you_mean(name, known)).into())
    }

    fn prefix(&mut self, op: Prefix, x: Value) -> Result<Value, FormulaError> {
        if let Value::Number(n) = x {
            return Ok(Value::Number(number::prefix(op, n)?));
        }
        self.step()?;
        let f = match op {
            Prefix::Plus => Unary::Positive,
            Prefix::Minus => Unary::Negative,
            Prefix::Invert => Unary::Invert,
        };
        let x = self.operand(&x)?;
        Ok(Value::Array(self.builder.unary(f, x)?))
    }

    fn infix(&mut self, op: Infix, a: Value, b: Value) -> Result<Value, FormulaError> {
        match (op, a, b) {
            (_, Value::Number(a), Value::Number(b)) => Ok(Value::Number(number::infix(op, a, b)?)),
            // As Python joins them, for shapes: `x.shape[1:] + (3,)`.
            (Infix::Add, Value::Tuple(mut a), Value::Tuple(b)) => {
                a.extend(b);
                Ok(Value::Tuple(a))
            }
            // Python would join or repeat lists and tuples, numpy calculates: neither is guessed.
            (_, a, b) if !matches!(a, Value::Array(_)) && !matches!(b, Value::Array(_)) => Err(format!(
                "`{}` between {} and {}; to calculate with a list, make it an array: `array([1, 2])`",
                op.symbol(),
                a.describe(),
                b.describe()
            )
            .into()),
            (_, a, b) => {
                self.step()?;
                let named = |e: FormulaError| {
                    FormulaError::new(e.column, format!("`{}`: {}", op.symbol(), e.message))
                };
                let Some(f) = binary(op) else {
                    let (a, b) = (self.operand(&a).map_err(named)?, self.operand(&b).map_err(named)?);
                    let (a, b) = (self.as_array(a)?, self.as_array(b)?);
                    return Ok(Value::Array(self.builder.matmul(a, b)?));
                };
                let (a, b) = (self.beside(f, &a, &b).map_err(named)?, self.beside(f, &b, &a).map_err(named)?);
                Ok(Value::Array(self.builder.binary(f, a, b)?))
            }
        }
    }

    fn attribute(&mut self, x: &Value, name: &str) -> Result<Value, FormulaError> {
        const ATTRIBUTES: &[&str] =
            &["T", "real", "imag", "shape", "ndim", "size", "dtype", "itemsize", "nbytes"];
        let Value::Array(array) = *x else {
            return Err(format!("{} has no attributes", x.describe()).into());
        };
        self.step()?;
        let int = |n: u64| Value::Number(Number::Int(i128::from(n)));
        Ok(match name {
            "T" => Value::Array(self.builder.transpose(array, None)?),
            "real" => Value::Array(self.builder.unary(Unary::Real, array)?),
            "imag" => Value::Array(self.builder.unary(Unary::Imag, array)?),
            "ndim" => int(self.builder.shape(array).len() as u64),
            "dtype" => Value::DType(self.builder.dtype(array)),
            "itemsize" => int(self.builder.dtype(array).itemsize() as u64),
            "shape" => Value::Tuple(self.known_shape(array, ".shape")?.into_iter().map(int).collect()),
            "size" | "nbytes" => {
                let each = if name == "size" { 1 } else { self.builder.dtype(array).itemsize() as u64 };
                let shape = self.known_shape(array, &format!(".{name}"))?;
                let size = shape.iter().try_fold(i128::from(each), |n, d| n.checked_mul(i128::from(*d)));
                Value::Number(Number::Int(
                    size.ok_or_else(|| format!("the .{name} of shape {shape:?} is too large"))?,
                ))
            }
            _ if functions::find(name).is_some_and(|f| f.function.method) => {
                return Err(format!("`.{name}` is a method; call it: `.{name}()`").into());
            }
            _ => {
                let known = ATTRIBUTES.iter().copied().chain(functions::methods());
                return Err(
                    format!("arrays have no `.{}`{}", shorten(name), did_you_mean(name, known)).into()
                );
            }
        })
    }

    fn call(&mut self, callee: &Expr, arguments: &Arguments) -> Result<Value, FormulaError> {
        self.step()?;
        match &callee.kind {
            Kind::Name(name) => {
                let arguments = self.arguments(arguments)?;
                self.call_named(name, arguments).map_err(|e| e.or_at(callee.column))
            }
            Kind::Attribute(receiver, name) => {
                let column = receiver.column;
                let receiver = self.eval(receiver)?;
                self.method(receiver, column, name, arguments).map_err(|e| e.or_at(callee.column))
            }
            _ => {
                let callee = self.eval(callee)?;
                Err(format!("{} cannot be called", callee.describe()).into())
            }
        }
    }

    fn method(
        &mut self,
        receiver: Value,
        column: u32,
        name: &str,
        arguments: &Arguments,
    ) -> Result<Value, FormulaError> {
        if !matches!(receiver, Value::Array(_) | Value::Number(_) | Value::List(_)) {
            return Err(format!("{} has no methods", receiver.describe()).into());
        }
        let Some(entry) = functions::find(name).filter(|f| f.function.method) else {
            let mut message = format!("arrays have no method `{}`", shorten(name));
            if matches!(
                name,
                "T" | "real" | "imag" | "shape" | "ndim" | "size" | "dtype" | "itemsize" | "nbytes"
            ) {
                message = format!("`.{name}` is not a method; leave out the parentheses");
            } else if functions::find(name).is_some() {
                message += &format!("; write `{name}(x)`");
            } else {
                message += &did_you_mean(name, functions::methods());
            }
            return Err(message.into());
        };
        let arguments = self.arguments(arguments)?;
        call::run(self, entry, Some(Argument { name: None, value: receiver, column }), arguments)
    }

    fn arguments(&mut self, arguments: &Arguments) -> Result<Vec<Argument>, FormulaError> {
        let mut all = vec![];
        for x in &arguments.positional {
            all.push(Argument { name: None, value: self.eval(x)?, column: x.column });
        }
        for (name, column, x) in &arguments.named {
            all.push(Argument { name: Some(name.clone()), value: self.eval(x)?, column: *column });
        }
        Ok(all)
    }

    /// Calls a function of the document or of the table, or a dtype.
    pub(super) fn call_named(&mut self, name: &str, arguments: Vec<Argument>) -> Result<Value, FormulaError> {
        if let Some(value) = self.scope.names.get(name) {
            return Err(format!("`{}` is {}, not a function", shorten(name), value.describe()).into());
        }
        if let Some(function) = self.scope.functions.get(name) {
            return self.call_user(name, function, arguments);
        }
        if let Some(entry) = functions::find(name) {
            return call::run(self, entry, None, arguments);
        }
        if let Some(dtype) = value::dtype(name) {
            let Ok([Argument { name: None, value, .. }]) = <[Argument; 1]>::try_from(arguments) else {
                return Err(format!("`{name}` takes one argument: `{name}(x)`").into());
            };
            let array = self.array(&value)?;
            return Ok(Value::Array(self.builder.cast(array, dtype)?));
        }
        let known = self.scope.functions.keys().map(String::as_str).chain(functions::names());
        Err(format!("no function is called `{}`{}", shorten(name), did_you_mean(name, known)).into())
    }

    /// Evaluates the formula of a function with its parameters set.
    fn call_user(
        &mut self,
        name: &str,
        function: &Function,
        arguments: Vec<Argument>,
    ) -> Result<Value, FormulaError> {
        let mut names = HashMap::new();
        let signature = format!("{name}({})", function.parameters.join(", "));
        let given = arguments.len();
        for (at, argument) in arguments.into_iter().enumerate() {
            let parameter = match &argument.name {
                None => function.parameters.get(at),
                Some(named) => function.parameters.iter().find(|p| *p == named),
            };
            let Some(parameter) = parameter else {
                let message = match argument.name {
                    Some(named) => format!(
                        "`{signature}` has no parameter `{}`{}",
                        shorten(&named),
                        did_you_mean(&named, function.parameters.iter().map(String::as_str))
                    ),
                    None => format!(
                        "`{signature}` takes {}, not {given}",
                        plural(function.parameters.len(), "argument")
                    ),
                };
                return fail(argument.column, message);
            };
            if names.insert(parameter.clone(), argument.value).is_some() {
                return fail(argument.column, format!("`{parameter}` of `{signature}` is given twice"));
            }
        }
        if let Some(missing) = function.parameters.iter().find(|p| !names.contains_key(*p)) {
            return Err(format!("`{signature}` needs `{missing}`").into());
        }
        let scope = Scope { names: &names, ..self.scope };
        let mut inner = Evaluator { builder: self.builder, scope, depth: self.depth };
        inner.eval(&function.body).map_err(|mut e| {
            e.function.get_or_insert_with(|| name.to_owned());
            e
        })
    }

    /// An operand of an elementwise operator.
    pub(super) fn operand(&mut self, value: &Value) -> Result<Operand, FormulaError> {
        match value {
            Value::Array(array) => Ok(Operand::Array(*array)),
            Value::Number(n) => Ok(Operand::Scalar(n.scalar()?)),
            other => Ok(Operand::Array(self.array(other)?)),
        }
    }

    /// An operand of a function of two arguments, beside the other one.
    ///
    /// Any integer may be compared with, as in numpy: one beyond 64 bits lies beyond all integers of an array, as an
    /// infinity does, and floats compare with it as with the float that is nearest to it.
    pub(super) fn beside(&mut self, f: Binary, x: &Value, other: &Value) -> Result<Operand, FormulaError> {
        if let (Value::Number(n @ Number::Int(i)), Value::Array(other)) = (x, other)
            && infer::is_comparison(f)
            && n.scalar().is_err()
        {
            match self.builder.dtype(*other).kind() {
                dtype::Kind::Bool => {}
                dtype::Kind::Unsigned | dtype::Kind::Signed => {
                    let beyond = if *i > 0 { f64::INFINITY } else { f64::NEG_INFINITY };
                    return Ok(Operand::Scalar(Scalar::Float(beyond)));
                }
                dtype::Kind::Float | dtype::Kind::Complex => {
                    return Ok(Operand::Scalar(Scalar::Float(*i as f64)));
                }
            }
        }
        self.operand(x)
    }

    /// An array: itself, or what `numpy.asarray` makes of numbers and lists.
    pub(super) fn array(&mut self, value: &Value) -> Result<Array, FormulaError> {
        match value {
            Value::Array(array) => Ok(*array),
            other => {
                let literal = super::Nest::of(other)?.literal(None)?;
                Ok(functions::creation::literal(self.builder, literal, None)?)
            }
        }
    }

    fn as_array(&mut self, operand: Operand) -> Result<Array, FormulaError> {
        match operand {
            Operand::Array(array) => Ok(array),
            Operand::Scalar(_) => {
                Err("`@` takes arrays of at least one axis; a number is multiplied with `*`"
                    .to_owned()
                    .into())
            }
        }
    }

    /// The extents of an array, all of them known.
    pub(super) fn known_shape(&self, array: Array, what: &str) -> Result<Vec<u64>, FormulaError> {
        let shape = self.builder.shape(array);
        shape.into_iter().collect::<Option<Vec<u64>>>().ok_or_else(|| {
            format!("{what} needs sizes that are only known when the graph runs (after a boolean index or `unique`)").into()
        })
    }
}

/// `1 argument`, `2 arguments`.
pub(super) fn plural(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The elementwise function behind an operator; `@` has none.
fn binary(op: Infix) -> Option<Binary> {
    Some(match op {
        Infix::Add => Binary::Add,
        Infix::Subtract => Binary::Subtract,
        Infix::Multiply => Binary::Multiply,
        Infix::Divide => Binary::Divide,
        Infix::FloorDivide => Binary::FloorDivide,
        Infix::Remainder => Binary::Remainder,
        Infix::Power => Binary::Power,
        Infix::And => Binary::BitwiseAnd,
        Infix::Or => Binary::BitwiseOr,
        Infix::Xor => Binary::BitwiseXor,
        Infix::LeftShift => Binary::LeftShift,
        Infix::RightShift => Binary::RightShift,
        Infix::Equal => Binary::Equal,
        Infix::NotEqual => Binary::NotEqual,
        Infix::Less => Binary::Less,
        Infix::LessEqual => Binary::LessEqual,
        Infix::Greater => Binary::Greater,
        Infix::GreaterEqual => Binary::GreaterEqual,
        Infix::Matmul => return None,
    })
}
