//! numpy's seeds of random numbers, of which Dask's graphs hold one a block.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};

/// `numpy.random.SeedSequence(entropy, spawn_key=key)` with the usual pool, which has spawned no other yet.
pub(crate) struct Seed {
    pub(crate) entropy: u128,
    pub(crate) key: Vec<u32>,
}

impl Seed {
    /// What an object is, if it is such a seed.
    pub(crate) fn of(object: &Bound<'_, PyAny>) -> Option<Seed> {
        let py = object.py();
        if !object.get_type().is(kind(py).ok()?) {
            return None;
        }
        let whole = |name| object.getattr(name).ok()?.extract::<u32>().ok();
        if whole(intern!(py, "pool_size"))? != 4 || whole(intern!(py, "n_children_spawned"))? != 0 {
            return None;
        }
        let key = object.getattr(intern!(py, "spawn_key")).ok()?;
        let key = key.cast_exact::<PyTuple>().ok()?;
        let key = key.iter().map(|k| k.extract().ok()).collect::<Option<_>>()?;
        let entropy = object.getattr(intern!(py, "entropy")).ok()?.extract().ok()?;
        Some(Seed { entropy, key })
    }

    /// The object.
    ///
    /// # Errors
    /// When numpy cannot be imported.
    pub(crate) fn object<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let keywords = PyDict::new(py);
        keywords.set_item(intern!(py, "spawn_key"), PyTuple::new(py, &self.key)?)?;
        kind(py)?.call((self.entropy,), Some(&keywords))
    }
}

fn kind(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static KIND: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    KIND.import(py, "numpy.random", "SeedSequence")
}
