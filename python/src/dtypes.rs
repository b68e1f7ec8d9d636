//! Types that stand for dtypes in the arguments of calls, recognised by identity.

use dask_plan::DType;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// Where each is found, and its dtype. Their places are written: what is new comes last.
const TYPES: [(&str, &str, DType); 17] = [
    ("builtins", "bool", DType::Bool),
    ("builtins", "int", DType::Int64),
    ("builtins", "float", DType::Float64),
    ("builtins", "complex", DType::Complex128),
    ("numpy", "bool", DType::Bool),
    ("numpy", "int8", DType::Int8),
    ("numpy", "int16", DType::Int16),
    ("numpy", "int32", DType::Int32),
    ("numpy", "int64", DType::Int64),
    ("numpy", "uint8", DType::UInt8),
    ("numpy", "uint16", DType::UInt16),
    ("numpy", "uint32", DType::UInt32),
    ("numpy", "uint64", DType::UInt64),
    ("numpy", "float32", DType::Float32),
    ("numpy", "float64", DType::Float64),
    ("numpy", "complex64", DType::Complex64),
    ("numpy", "complex128", DType::Complex128),
];

/// A type's place among those that are known.
pub(crate) fn place(object: &Bound<'_, PyAny>) -> Option<u8> {
    if !object.is_exact_instance_of::<PyType>() {
        return None;
    }
    types(object.py()).ok()?.iter().position(|t| t.is(object)).map(|at| at as u8)
}

/// The dtype of the type at a place.
pub(crate) fn dtype(place: u8) -> DType {
    TYPES[usize::from(place)].2
}

/// The type at a place, if there is one.
///
/// # Errors
/// When numpy cannot be imported.
pub(crate) fn at<'py>(py: Python<'py>, place: u8) -> PyResult<Option<Bound<'py, PyAny>>> {
    Ok(types(py)?.get(usize::from(place)).map(|t| t.bind(py).clone()))
}

fn types(py: Python<'_>) -> PyResult<&[Py<PyAny>]> {
    static FOUND: PyOnceLock<Vec<Py<PyAny>>> = PyOnceLock::new();
    let find = |(module, name, _)| Ok::<_, PyErr>(py.import(module)?.getattr(name)?.unbind());
    FOUND.get_or_try_init(py, || TYPES.into_iter().map(find).collect()).map(Vec::as_slice)
}
