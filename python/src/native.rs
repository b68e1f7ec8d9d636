//! Runs recipes native.
//!
//! A program that fails is left to the Python call: numpy then raises its own exception. Where a program raises a flag for which
//! numpy may warn, the Python call runs as well, once for a recipe, so that numpy warns itself.

use crate::flags;
use crate::recipe::Recipe;
use crate::record::{Fields, Record};
use crate::specialise::{Input, specialise};
use dask_array::{Chunk, Context, Prepared, Value};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A recipe and its programs, by what the inputs are; `None` where there is none.
pub(crate) struct Native {
    recipe: Recipe,
    programs: Mutex<HashMap<Vec<Input>, Option<Arc<Stage>>>>,
    /// numpy had its chance to warn.
    warned: AtomicBool,
}

/// A program, and what comes after it once its result is there.
struct Stage {
    program: Prepared,
    record: Option<Fields>,
    rest: Option<Native>,
}

/// Programs of a recipe that are kept.
const KEPT: usize = 256;

impl Native {
    pub(crate) fn new(recipe: Recipe) -> Native {
        Native { recipe, programs: Mutex::default(), warned: AtomicBool::new(false) }
    }

    /// Runs it; `None` when that is left to Python, and when it was cancelled.
    pub(crate) fn run(
        &self,
        inputs: &[Value],
        literals: &[Chunk],
        numbers: &[i64],
        context: &Context,
    ) -> Option<Value> {
        let (mut shaped, mut chunks) = (vec![], Vec::with_capacity(inputs.len() + literals.len()));
        for input in inputs {
            match input {
                Value::Foreign(foreign) if let Some(record) = foreign.any().downcast_ref::<Record>() => {
                    shaped.push(Input::Record(record.fields, record.parts.iter().map(shape).collect()));
                    chunks.extend(record.parts.iter().cloned());
                }
                Value::Array(_) | Value::Foreign(_) => {
                    let chunk = match input {
                        Value::Array(chunk) => chunk.clone(),
                        Value::Foreign(foreign) => foreign.chunk()?,
                        Value::Tuple(_) => return None,
                    };
                    shaped.push(Input::Array(shape(&chunk)));
                    chunks.push(chunk);
                }
                Value::Tuple(_) => return None,
            }
        }
        for literal in literals {
            shaped.push(Input::Array(shape(literal)));
            chunks.push(literal.clone());
        }
        flags::clear();
        let result = self.stage(shaped, chunks, numbers, context)?;
        let warns = flags::raised() && !self.warned.swap(true, Ordering::Relaxed);
        (!warns).then_some(result)
    }

    fn stage(
        &self,
        mut shaped: Vec<Input>,
        mut chunks: Vec<Chunk>,
        numbers: &[i64],
        context: &Context,
    ) -> Option<Value> {
        let stage = self.program(&shaped, numbers.len())?;
        let run = |chunks: Vec<Chunk>| {
            let values = chunks.into_iter().map(Value::Array).collect();
            stage.program.run(values, numbers, context).ok()
        };
        let Some(rest) = &stage.rest else {
            let result = run(chunks)?;
            return match (stage.record, result) {
                (None, result) => Some(result),
                (Some(fields), Value::Tuple(parts)) => {
                    let parts = arrays(parts)?;
                    Some(Value::Foreign(Arc::new(Record { fields, parts })))
                }
                (Some(_), _) => None,
            };
        };
        let Value::Tuple(results) = run(chunks.clone())? else { return None };
        for chunk in arrays(results)? {
            shaped.push(Input::Array(shape(&chunk)));
            chunks.push(chunk);
        }
        rest.stage(shaped, chunks, numbers, context)
    }

    fn program(&self, shaped: &[Input], numbers: usize) -> Option<Arc<Stage>> {
        let mut programs = self.programs.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(program) = programs.get(shaped) {
            return program.clone();
        }
        if programs.len() >= KEPT {
            programs.clear();
        }
        let stage = specialise(&self.recipe, shaped, numbers).and_then(|s| {
            let program = Prepared::new(s.program).ok()?;
            Some(Arc::new(Stage { program, record: s.record, rest: s.rest.map(Native::new) }))
        });
        programs.insert(shaped.to_vec(), stage.clone());
        stage
    }
}

fn shape(chunk: &Chunk) -> (dask_array::DType, Vec<usize>) {
    (chunk.dtype(), chunk.shape().to_vec())
}

fn arrays(values: Vec<Value>) -> Option<Vec<Chunk>> {
    values.into_iter().map(|value| if let Value::Array(chunk) = value { Some(chunk) } else { None }).collect()
}
