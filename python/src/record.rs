//! Several arrays that Dask passes between tasks as one object.

use dask_array::{Chunk, Foreign};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict, PyEllipsis};
use serde::{Deserialize, Serialize};
use std::any::Any;

/// What the arrays are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Fields {
    /// Count and sum: Dask's dict of `n` and `total`.
    Mean,
    /// Count, mean and sum of squared deviations: Dask has a dict of `n`, `total` and `M`.
    Moments,
    /// Value and index: Dask's structured array of `vals` and `arg`.
    Place,
}

/// The arrays, by [`Fields`].
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) fields: Fields,
    pub(crate) parts: Vec<Chunk>,
}

impl Foreign for Record {
    fn held_bytes(&self) -> usize {
        self.parts.iter().map(Chunk::held_bytes).sum()
    }

    fn describe(&self) -> String {
        format!("{:?} of shape {:?}", self.fields, self.parts.first().map(Chunk::shape))
    }

    fn pack(&self) -> Result<Vec<Chunk>, String> {
        Python::attach(|py| crate::value::pickled(&self.object(py)?)).map_err(|e| e.to_string())
    }

    fn any(&self) -> &dyn Any {
        self
    }
}

impl Record {
    /// What Dask's functions take it for.
    ///
    /// # Errors
    /// When numpy cannot make it.
    pub(crate) fn object<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let arrays = self.parts.iter().map(|p| crate::value::array(py, p)).collect::<PyResult<Vec<_>>>()?;
        match (self.fields, &arrays[..]) {
            (Fields::Mean, [n, total]) => Ok([("n", n), ("total", total)].into_py_dict(py)?.into_any()),
            (Fields::Moments, [count, mean, squares]) => {
                let total = mean.mul(count)?.call_method1("astype", (mean.getattr("dtype")?,))?;
                let n = count.call_method1("astype", ("int64",))?;
                let squares = squares.get_item((PyEllipsis::get(py), py.None()))?;
                Ok([("total", total), ("n", n), ("M", squares)].into_py_dict(py)?.into_any())
            }
            (Fields::Place, [values, indices]) => {
                let dtype = [("vals", values.getattr("dtype")?), ("arg", indices.getattr("dtype")?)];
                let keywords = PyDict::new(py);
                keywords.set_item("dtype", dtype.to_vec())?;
                let record =
                    py.import("numpy")?.call_method("empty", (values.getattr("shape")?,), Some(&keywords))?;
                record.set_item("vals", values)?;
                record.set_item("arg", indices)?;
                Ok(record)
            }
            _ => {
                Err(PyRuntimeError::new_err(format!("a record {:?} of {} parts", self.fields, arrays.len())))
            }
        }
    }
}
