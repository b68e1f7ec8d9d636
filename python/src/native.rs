//! Runs recipes native.
//!
//! A program that fails is left to the Python call: numpy then raises its own exception. Where a program raises a flag for which
//! numpy may warn, the Python call runs as well, once for a recipe, so that numpy warns itself.

use crate::flags;
use crate::recipe::Recipe;
use crate::specialise::{Shaped, specialise};
use dask_array::{Chunk, Context, Prepared, Value};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A recipe and its programs, by what the inputs are; `None` where there is none.
pub(crate) struct Native {
    recipe: Recipe,
    programs: Mutex<HashMap<Vec<Shaped>, Option<Arc<Prepared>>>>,
    /// numpy had its chance to warn.
    warned: AtomicBool,
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
        let mut chunks = Vec::with_capacity(inputs.len() + literals.len());
        for input in inputs {
            chunks.push(match input {
                Value::Array(chunk) => chunk.clone(),
                Value::Foreign(foreign) => foreign.chunk()?,
                Value::Tuple(_) => return None,
            });
        }
        chunks.extend(literals.iter().cloned());
        let shaped: Vec<Shaped> = chunks.iter().map(|c| (c.dtype(), c.shape().to_vec())).collect();
        let program = self.program(shaped, numbers.len())?;
        let values = chunks.into_iter().map(Value::Array).collect();
        flags::clear();
        let result = program.run(values, numbers, context).ok()?;
        let warns = flags::raised() && !self.warned.swap(true, Ordering::Relaxed);
        (!warns).then_some(result)
    }

    fn program(&self, shaped: Vec<Shaped>, numbers: usize) -> Option<Arc<Prepared>> {
        let mut programs = self.programs.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(program) = programs.get(&shaped) {
            return program.clone();
        }
        if programs.len() >= KEPT {
            programs.clear();
        }
        let program =
            specialise(&self.recipe, &shaped, numbers).and_then(|p| Prepared::new(p).ok()).map(Arc::new);
        programs.insert(shaped, program.clone());
        program
    }
}
