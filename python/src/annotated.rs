//! What the tasks of a graph are annotated with.

use dask_plan::plan::Annotations;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Sets of annotations, and which of them tasks have: see `dask_runtime/annotated.py`, which writes it.
#[derive(Default)]
pub(crate) struct Annotated<'py> {
    sets: Vec<Annotations>,
    /// Key → set, of tasks that have another than the first.
    of: Option<Bound<'py, PyDict>>,
}

impl<'py> Annotated<'py> {
    /// The set of a key.
    ///
    /// # Errors
    /// When there is no such set.
    pub(crate) fn of(&self, key: &Bound<'py, PyAny>) -> PyResult<u32> {
        let Some(of) = &self.of else { return Ok(0) };
        let Some(set) = of.get_item(key)? else { return Ok(0) };
        let set: u32 = set.extract()?;
        if set as usize >= self.sets.len() {
            return Err(PyRuntimeError::new_err(format!("annotations {set} of {}", self.sets.len())));
        }
        Ok(set)
    }

    /// A set's annotations.
    pub(crate) fn set(&self, set: u32) -> Annotations {
        self.sets.get(set as usize).cloned().unwrap_or_default()
    }
}

/// Annotations as Python hands them in: a list of sets, and a dict of the keys that have another than the first.
impl<'py> FromPyObject<'_, 'py> for Annotated<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let (sets, of): (Vec<Bound<'py, PyDict>>, Bound<'py, PyDict>) = object.extract()?;
        let sets = sets.iter().map(annotations).collect::<PyResult<_>>()?;
        Ok(Annotated { sets, of: (!of.is_empty()).then_some(of) })
    }
}

fn annotations(set: &Bound<'_, PyDict>) -> PyResult<Annotations> {
    fn field<'py, T>(set: &Bound<'py, PyDict>, name: &str) -> PyResult<T>
    where
        T: Default + FromPyObjectOwned<'py, Error = PyErr>,
    {
        set.get_item(name)?.map_or_else(|| Ok(T::default()), |value| value.extract())
    }
    Ok(Annotations {
        priority: field(set, "priority")?,
        retries: field(set, "retries")?,
        workers: field(set, "workers")?,
        allow_other_workers: field(set, "allow_other_workers")?,
        resources: field(set, "resources")?,
    })
}
