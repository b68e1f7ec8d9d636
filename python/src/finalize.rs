//! Results of arrays whose blocks come together where they are asked for, as Dask's `finalize` joins them, without a task that
//! waits for all of them.

use crate::recipe::joins;
use crate::spec::{Argument, Function, Spec, Step};
use crate::value;
use crate::wait::lock;
use dask_array::assembly::{Assembled, Assembly};
use dask_array::{Chunk, Value, with_dtype};
use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyList;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// A result in the making.
pub(crate) struct Final {
    /// What joins blocks that are no plain arrays, or do not fit one another.
    function: Py<PyAny>,
    assembly: Assembly,
    /// Blocks that are no plain arrays, or without elements.
    others: Mutex<HashMap<usize, Value>>,
}

/// Where a task's result belongs: a final result, and the number of the block in it.
pub(crate) type Place = (Arc<Final>, usize);

impl Final {
    /// The result of a task that does nothing but join its inputs, which are its blocks in C order. `None` of any other.
    ///
    /// # Errors
    /// When its function cannot be looked up.
    pub(crate) fn of(py: Python<'_>, spec: &Spec, inputs: usize) -> PyResult<Option<Final>> {
        let Some((last, lists)) = spec.steps.split_last() else { return Ok(None) };
        let (Function::Object(function), [list], []) =
            (&last.function, &last.arguments[..], &last.keywords[..])
        else {
            return Ok(None);
        };
        let yields = matches!(spec.result, Argument::Step(at) if at == lists.len());
        if !yields || !joins(function.bind(py))? {
            return Ok(None);
        }
        let assembly = grid(lists, list, inputs).map(Assembly::new);
        let new = |assembly| Final { function: function.clone_ref(py), assembly, others: Mutex::default() };
        Ok(assembly.map(new))
    }

    /// Blocks in the order in which their tasks are best run: those first that tell how the array is laid out.
    pub(crate) fn order(&self) -> Vec<usize> {
        let grid = self.assembly.grid();
        let mut first = vec![0];
        for axis in 1..grid.len() {
            first.push((grid[axis] - 1) * grid[axis + 1..].iter().product::<usize>());
        }
        first.dedup();
        let rest = (0..grid.iter().product()).filter(|at| !first.contains(at));
        first.iter().copied().chain(rest).collect()
    }

    /// Takes a block. Not to be called while the interpreter is held.
    pub(crate) fn put(&self, at: usize, value: Value) {
        let chunk = match &value {
            Value::Array(chunk) => Some(chunk.clone()),
            Value::Foreign(foreign) => foreign.chunk(),
            Value::Tuple(_) => None,
        };
        match chunk.filter(|chunk| chunk.ndim() > 0) {
            Some(chunk) => {
                // What holds the memory now is the chunk alone, which goes once it is copied.
                drop(value);
                self.assembly.put(at, chunk);
            }
            None => {
                lock(&self.others).insert(at, value);
            }
        }
    }

    /// The result, once every block came.
    ///
    /// # Errors
    /// What Dask's function raises.
    pub(crate) fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let mut others = HashMap::new();
        for (at, value) in std::mem::take(&mut *lock(&self.others)) {
            let object = value::object(py, &value)?;
            match empty(&object) {
                Some(chunk) => py.detach(|| self.assembly.put(at, chunk)),
                None => {
                    others.insert(at, object);
                }
            }
        }
        let parts = match self.assembly.finish() {
            Assembled::Whole(chunk) => return value::array(py, &chunk),
            Assembled::Parts(parts) => parts,
        };
        let missing = || PyRuntimeError::new_err("the engine brought no result");
        let mut level = Vec::with_capacity(parts.len());
        for (at, part) in parts.into_iter().enumerate() {
            level.push(match part {
                Some(chunk) => value::array(py, &chunk)?,
                None => others.remove(&at).ok_or_else(missing)?,
            });
        }
        for &len in self.assembly.grid().iter().rev() {
            let lists = level.chunks(len).map(|row| Ok(PyList::new(py, row)?.into_any()));
            level = lists.collect::<PyResult<_>>()?;
        }
        self.function.bind(py).call1((level.pop().ok_or_else(missing)?,))
    }
}

/// The lengths of nested lists of all inputs, each once, in their order; there are several.
fn grid(lists: &[Step], list: &Argument, inputs: usize) -> Option<Vec<usize>> {
    let (mut grid, mut level) = (vec![], vec![list]);
    while let Argument::Step(_) = level.first()? {
        let items = |argument: &&Argument| match argument {
            Argument::Step(at) => lists.get(*at).filter(|s| matches!(s.function, Function::List)),
            _ => None,
        };
        let rows: Vec<&Step> = level.iter().map(items).collect::<Option<_>>()?;
        let len = rows.first()?.arguments.len();
        if rows.iter().any(|row| row.arguments.len() != len) {
            return None;
        }
        grid.push(len);
        level = rows.into_iter().flat_map(|row| &row.arguments).collect();
    }
    let in_turn = level.iter().enumerate().all(|(at, a)| matches!(a, Argument::Input(i) if *i == at));
    (in_turn && inputs > 1 && level.len() == inputs && !grid.is_empty()).then_some(grid)
}

/// A plain array without elements.
fn empty(object: &Bound<'_, PyAny>) -> Option<Chunk> {
    let dtype = value::empty(object)?;
    let shape = object.cast::<PyUntypedArray>().ok()?.shape();
    Some(with_dtype!(dtype, T => Chunk::build(shape, |_: &mut [T]| {})))
}
