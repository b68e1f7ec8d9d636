//! Values that are Python objects, and chunks as numpy arrays.

use crate::names::names;
use dask_array::{Chunk, Foreign, Value, with_dtype};
use numpy::{PyArray, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};
use dask_runtime::worker::Trouble;
use pyo3::exceptions::PyRuntimeError;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A live Python object.
pub(crate) struct Object {
    pub(crate) object: Py<PyAny>,
    nbytes: usize,
    /// It as a chunk, sharing its memory, when it is a plain array of a native dtype.
    chunk: Option<Chunk>,
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a Python object of {} bytes", self.nbytes)
    }
}

impl Foreign for Object {
    fn held_bytes(&self) -> usize {
        self.nbytes
    }

    fn describe(&self) -> String {
        Python::attach(|py| describe(self.object.bind(py)))
    }

    fn chunk(&self) -> Option<Chunk> {
        self.chunk.clone()
    }

    fn pack(&self) -> Result<Vec<Chunk>, String> {
        Err("Python objects do not leave their process yet".into())
    }

    fn any(&self) -> &dyn Any {
        self
    }
}

/// What an object is, for people; never runs user code that may fail loudly.
fn describe(object: &Bound<'_, PyAny>) -> String {
    let kind = object.get_type().name().map_or_else(|_| "object".into(), |n| n.to_string());
    let text = |name: &str| object.getattr(name).ok().and_then(|v| v.str().ok()).map(|s| s.to_string());
    match (text("dtype"), text("shape")) {
        (Some(dtype), Some(shape)) => format!("{kind} {dtype} {shape}"),
        _ => format!("a Python {kind}"),
    }
}

/// Bytes that small objects are taken to have.
const SMALL: usize = 64;

impl Object {
    pub(crate) fn value(object: &Bound<'_, PyAny>) -> Value {
        Value::Foreign(Arc::new(Object::new(object)))
    }

    fn new(object: &Bound<'_, PyAny>) -> Object {
        Object { nbytes: sizeof(object), object: object.clone().unbind(), chunk: None }
    }
}

/// Bytes that an object keeps alive: what containers and arrays say of themselves, without walking through them.
fn sizeof(object: &Bound<'_, PyAny>) -> usize {
    let py = object.py();
    if let Ok(names) = names(py)
        && object.is_instance(names.ndarray.bind(py)).unwrap_or(false)
        && let Ok(array) = object.cast::<PyUntypedArray>()
    {
        return array.len() * array.dtype().itemsize();
    }
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return bytes.as_bytes().len() + SMALL;
    }
    if let Ok(text) = object.cast::<PyString>() {
        return text.len().unwrap_or(0) + SMALL;
    }
    SMALL
}

/// The object of a value.
///
/// # Errors
/// When numpy cannot make an array.
pub(crate) fn object<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Value::Foreign(foreign) => match foreign.any().downcast_ref::<Object>() {
            Some(object) => Ok(object.object.bind(py).clone()),
            None => Err(PyRuntimeError::new_err("a value of another host")),
        },
        Value::Array(chunk) => array(py, chunk),
        Value::Tuple(values) => {
            let items = values.iter().map(|v| object(py, v)).collect::<PyResult<Vec<_>>>()?;
            Ok(PyTuple::new(py, items)?.into_any())
        }
    }
}

/// The object of a value that the engine keeps: a copy of an array, so that who receives it can edit it.
///
/// # Errors
/// When the copy cannot be made.
pub(crate) fn fresh<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    let object = object(py, value)?;
    if object.is_instance(names(py)?.ndarray.bind(py))? { object.call_method0("copy") } else { Ok(object) }
}

/// What a failure raises: the exception itself, else a RuntimeError with its words.
pub(crate) fn error(py: Python<'_>, trouble: &Trouble) -> PyErr {
    match trouble.cause.as_ref().map(|cause| object(py, cause)) {
        Some(Ok(cause)) => PyErr::from_value(cause),
        _ => PyRuntimeError::new_err(trouble.error.clone()),
    }
}

/// Keeps a chunk's memory alive for an array.
#[pyclass(frozen)]
struct Memory {
    _chunk: Chunk,
}

/// A chunk as a numpy array over the same memory. It is writable: the caller sees to it that nobody else reads it.
fn array<'py>(py: Python<'py>, chunk: &Chunk) -> PyResult<Bound<'py, PyAny>> {
    let chunk = chunk.to_contiguous();
    with_dtype!(chunk.dtype(), T => {
        let view = chunk.view::<T>();
        let owner = Bound::new(py, Memory { _chunk: chunk.clone() })?.into_any();
        // SAFETY: the memory lives as long as `owner`, which the array keeps.
        #[allow(unsafe_code)]
        let array = unsafe { PyArray::borrow_from_array(&view, owner) };
        Ok(array.into_any())
    })
}
