//! Python's objects that this crate recognises. `dask_runtime/_dask.py` names them, so that Dask is imported in one place.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// Dask's types of graph nodes.
pub(crate) struct Names {
    pub(crate) task: Py<PyType>,
    pub(crate) task_ref: Py<PyType>,
    pub(crate) graph_node: Py<PyType>,
    pub(crate) alias: Py<PyType>,
    pub(crate) data_node: Py<PyType>,
    pub(crate) list: Py<PyType>,
    pub(crate) ndarray: Py<PyType>,
    /// `_execute_subgraph`
    pub(crate) subgraph: Py<PyAny>,
    /// `_identity_cast`
    pub(crate) cast: Py<PyAny>,
    /// `load_store_chunk`, which writes into one of its inputs
    pub(crate) store: Py<PyAny>,
    pickling: PyOnceLock<Py<PyModule>>,
}

impl Names {
    /// `dask_runtime.pickling`, imported when it is needed.
    ///
    /// # Errors
    /// When it cannot be imported.
    pub(crate) fn pickling<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyModule>> {
        let module = self
            .pickling
            .get_or_try_init(py, || Ok::<_, PyErr>(py.import("dask_runtime.pickling")?.unbind()))?;
        Ok(module.bind(py))
    }
}

static NAMES: PyOnceLock<Names> = PyOnceLock::new();

/// Hands in the types that are recognised; called once, when the package is imported.
#[pyfunction]
#[pyo3(signature = (*, task, task_ref, graph_node, alias, data_node, list, ndarray, subgraph, cast, store))]
#[allow(clippy::too_many_arguments, reason = "they are named where it is called")]
pub(crate) fn register(
    py: Python<'_>,
    task: Py<PyType>,
    task_ref: Py<PyType>,
    graph_node: Py<PyType>,
    alias: Py<PyType>,
    data_node: Py<PyType>,
    list: Py<PyType>,
    ndarray: Py<PyType>,
    subgraph: Py<PyAny>,
    cast: Py<PyAny>,
    store: Py<PyAny>,
) {
    let _ = NAMES.set(
        py,
        Names {
            task,
            task_ref,
            graph_node,
            alias,
            data_node,
            list,
            ndarray,
            subgraph,
            cast,
            store,
            pickling: PyOnceLock::new(),
        },
    );
}

/// # Errors
/// When the package was not imported as a whole.
pub(crate) fn names(py: Python<'_>) -> PyResult<&Names> {
    NAMES.get(py).ok_or_else(|| {
        pyo3::exceptions::PyRuntimeError::new_err("import dask_runtime, not dask_runtime._engine alone")
    })
}
