//! Indexing of arrays, tuples and lists.

use super::ast::{Expr, Item};
use super::error::{FormulaError, fail};
use super::eval::Evaluator;
use super::number::Number;
use super::value::Value;
use crate::builder::Index;

/// `x[items]`.
pub(super) fn index(eval: &mut Evaluator<'_, '_>, x: &Value, items: &[Item]) -> Result<Value, FormulaError> {
    eval.step()?;
    match x {
        Value::Array(array) => {
            let mut indices = vec![];
            for item in items {
                match item {
                    Item::Ellipsis => indices.push(Index::Ellipsis),
                    Item::Slice(start, stop, step) => {
                        let [start, stop, step] = bounds(eval, [start, stop, step])?;
                        indices.push(Index::Slice { start, stop, step });
                    }
                    Item::Expr(expr) => {
                        let value = eval.eval(expr)?;
                        match value {
                            // numpy reads `x[(1, 2)]` as `x[1, 2]`.
                            Value::Tuple(values) if items.len() == 1 => {
                                for value in &values {
                                    indices.push(one(value).map_err(|e| e.or_at(expr.column))?);
                                }
                            }
                            value => indices.push(one(&value).map_err(|e| e.or_at(expr.column))?),
                        }
                    }
                }
            }
            Ok(Value::Array(eval.builder.index(*array, &indices)?))
        }
        Value::Tuple(values) | Value::List(values) => {
            let is_tuple = matches!(x, Value::Tuple(_));
            match items {
                [Item::Expr(expr)] => match eval.eval(expr)? {
                    Value::Number(Number::Int(i)) => {
                        let n = values.len() as i128;
                        let at = if i < 0 { i + n } else { i };
                        let found = usize::try_from(at).ok().and_then(|at| values.get(at));
                        found.cloned().ok_or_else(|| {
                            FormulaError::new(
                                expr.column,
                                format!("index {i} is out of bounds for {}", x.describe()),
                            )
                        })
                    }
                    other => fail(
                        expr.column,
                        format!("{} is indexed by an int, not by {}", x.describe(), other.describe()),
                    ),
                },
                [Item::Slice(start, stop, step)] => {
                    let [start, stop, step] = bounds(eval, [start, stop, step])?;
                    let taken = take(values, start, stop, step.unwrap_or(1))?;
                    Ok(if is_tuple { Value::Tuple(taken) } else { Value::List(taken) })
                }
                _ => Err(format!("{} has one axis", x.describe()).into()),
            }
        }
        other => Err(format!("{} cannot be indexed", other.describe()).into()),
    }
}

/// Start, stop and step of a slice.
fn bounds(eval: &mut Evaluator<'_, '_>, parts: [&Option<Expr>; 3]) -> Result<[Option<i64>; 3], FormulaError> {
    let mut values = [None; 3];
    for (value, bound) in values.iter_mut().zip(parts) {
        let Some(expr) = bound else { continue };
        *value = match eval.eval(expr)? {
            Value::None => None,
            Value::Number(Number::Int(i)) => {
                Some(i64::try_from(i).unwrap_or(if i < 0 { i64::MIN } else { i64::MAX }))
            }
            other => {
                return fail(expr.column, format!("a slice runs between ints, not {}", other.describe()));
            }
        };
    }
    if values[2] == Some(0) {
        return fail(parts[2].as_ref().map_or(0, |e| e.column), "the step of a slice is not 0");
    }
    Ok(values)
}

/// An index that is a value.
fn one(value: &Value) -> Result<Index, FormulaError> {
    Ok(match value {
        Value::None => Index::NewAxis,
        Value::Number(Number::Int(i)) => {
            Index::Int(i64::try_from(*i).map_err(|_| format!("index {i} is out of bounds"))?)
        }
        Value::Array(array) => Index::Array(*array),
        Value::List(values)
            if !values.is_empty() && values.iter().all(|v| matches!(v, Value::Number(Number::Bool(_)))) =>
        {
            Index::Mask(values.iter().map(|v| *v == Value::Number(Number::Bool(true))).collect())
        }
        Value::List(values) => Index::Ints(
            values
                .iter()
                .map(|v| match v {
                    Value::Number(Number::Int(i)) => {
                        i64::try_from(*i).map_err(|_| format!("index {i} is out of bounds"))
                    }
                    other => {
                        Err(format!("a list that indexes holds ints or bools, not {}", other.describe()))
                    }
                })
                .collect::<Result<_, _>>()?,
        ),
        other => return Err(format!("{} is not an index", other.describe()).into()),
    })
}

/// Python's slice of a sequence.
fn take(
    values: &[Value],
    start: Option<i64>,
    stop: Option<i64>,
    step: i64,
) -> Result<Vec<Value>, FormulaError> {
    let n = values.len() as i64;
    let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
    let clip = |i: i64| (if i < 0 { i.saturating_add(n) } else { i }).clamp(low, high);
    let mut at = start.map_or(if step > 0 { low } else { high }, clip);
    let end = stop.map_or(if step > 0 { high } else { low }, clip);
    let mut taken = vec![];
    while if step > 0 { at < end } else { at > end } {
        taken.extend(usize::try_from(at).ok().and_then(|i| values.get(i)).cloned());
        at = at.saturating_add(step);
    }
    Ok(taken)
}
