//! Values that are Python objects, and chunks as numpy arrays.

use crate::names::names;
use crate::record::Record;
use dask_array::buffer::Buffer;
use dask_array::{Chunk, DType, Foreign, Packed, Unpacked, Value, with_dtype};
use dask_runtime::worker::Trouble;
use numpy::{PyArray, PyArrayDescr, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};
use std::any::Any;
use std::fmt;
use std::ptr::NonNull;
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
        Python::attach(|py| pickled(self.object.bind(py))).map_err(|e| e.to_string())
    }

    fn any(&self) -> &dyn Any {
        self
    }
}

/// What an object is, for people; never runs user code that may fail loudly.
pub(crate) fn describe(object: &Bound<'_, PyAny>) -> String {
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

    pub(crate) fn new(object: &Bound<'_, PyAny>) -> Object {
        Object { nbytes: sizeof(object), object: object.clone().unbind(), chunk: chunk(object) }
    }
}

/// A plain numpy array of a native dtype as a chunk over the same memory, which it keeps alive.
pub(crate) fn chunk(object: &Bound<'_, PyAny>) -> Option<Chunk> {
    let py = object.py();
    if !object.get_type().is(names(py).ok()?.ndarray.bind(py)) {
        return None;
    }
    let array = object.cast::<PyUntypedArray>().ok()?;
    let dtype = dtype(array.dtype().as_any())?;
    let (shape, strides) = (array.shape(), array.strides());
    // The span of the elements, from the lowest address to the highest.
    let (mut low, mut high) = (0isize, 0isize);
    if shape.contains(&0) {
        return None;
    }
    for (&n, &stride) in shape.iter().zip(strides) {
        let reach = (n as isize - 1) * stride;
        if reach < 0 { low += reach } else { high += reach }
    }
    // SAFETY: the array is alive while its object is held.
    #[allow(unsafe_code)]
    let data = unsafe { (*array.as_array_ptr()).fields.data.cast::<u8>() };
    let start = NonNull::new(data.wrapping_offset(low))?;
    let len = (high - low) as usize + dtype.itemsize();
    let owner = Box::new(Owner { _object: object.clone().unbind() });
    // SAFETY: these are the array's own bytes, which `owner` keeps alive. That nobody writes to them while the engine holds
    // them is Dask's contract: a task's result is not changed once it is returned.
    #[allow(unsafe_code)]
    let buffer = unsafe { Buffer::foreign(start, len, owner) };
    Chunk::from_parts(dtype, shape.into(), strides.into(), -low as usize, Arc::new(buffer))
}

/// A numpy scalar of a native dtype, as a chunk without axes.
pub(crate) fn scalar(object: &Bound<'_, PyAny>) -> Option<Chunk> {
    let generic = object.py().import("numpy").ok()?.getattr("generic").ok()?;
    if !object.is_instance(&generic).ok()? {
        return None;
    }
    chunk(&object.call_method0("__array__").ok()?)
}

/// The dtype of a plain numpy array without elements.
pub(crate) fn empty(object: &Bound<'_, PyAny>) -> Option<DType> {
    if !object.get_type().is(names(object.py()).ok()?.ndarray.bind(object.py())) {
        return None;
    }
    let array = object.cast::<PyUntypedArray>().ok()?;
    array.shape().contains(&0).then(|| dtype(array.dtype().as_any()))?
}

/// Keeps a numpy array alive for a chunk.
struct Owner {
    _object: Py<PyAny>,
}

/// A numpy dtype as the engine's, when it is a native one in the machine's byte order.
pub(crate) fn dtype(object: &Bound<'_, PyAny>) -> Option<DType> {
    let descr = object.cast::<PyArrayDescr>().ok()?;
    // Elements of one byte have no order.
    if descr.is_native_byteorder() == Some(false) {
        return None;
    }
    Some(match (descr.kind(), descr.itemsize()) {
        (b'b', 1) => DType::Bool,
        (b'i', 1) => DType::Int8,
        (b'i', 2) => DType::Int16,
        (b'i', 4) => DType::Int32,
        (b'i', 8) => DType::Int64,
        (b'u', 1) => DType::UInt8,
        (b'u', 2) => DType::UInt16,
        (b'u', 4) => DType::UInt32,
        (b'u', 8) => DType::UInt64,
        (b'f', 4) => DType::Float32,
        (b'f', 8) => DType::Float64,
        (b'c', 8) => DType::Complex64,
        (b'c', 16) => DType::Complex128,
        _ => return None,
    })
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
        Value::Foreign(foreign) if let Some(packed) = foreign.any().downcast_ref::<Packed>() => {
            let live = packed.live(|parts| Ok::<_, PyErr>(Arc::new(Object::new(&unpickled(py, &parts)?))))?;
            object(py, &Value::Foreign(live))
        }
        Value::Foreign(foreign) if let Some(Unpacked(why)) = foreign.any().downcast_ref() => {
            Err(PyTypeError::new_err(why.clone()))
        }
        Value::Foreign(foreign) => match foreign.any().downcast_ref::<Object>() {
            Some(object) => Ok(object.object.bind(py).clone()),
            None if let Some(record) = foreign.any().downcast_ref::<Record>() => record.object(py),
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
    copied(object(py, value)?)
}

/// A copy of an array; anything else is itself.
fn copied(object: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    let is_array = object.is_instance(names(object.py())?.ndarray.bind(object.py()))?;
    if is_array { object.call_method0("copy") } else { Ok(object) }
}

/// The object of a value that nobody keeps; a copy where it shares memory with something that somebody may keep.
///
/// # Errors
/// When the copy cannot be made.
pub(crate) fn own<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    // Asked before there is an object, which holds the chunk too. What has gaps is copied anyway.
    let alone = matches!(value, Value::Array(chunk) if chunk.is_alone() || !chunk.is_contiguous());
    let object = object(py, value)?;
    let shares = match value {
        Value::Array(_) => !alone,
        _ if object.is_instance(names(py)?.ndarray.bind(py))? => {
            let flags = object.getattr("flags")?;
            flags.getattr("writeable")?.is_truthy()? && !flags.getattr("owndata")?.is_truthy()?
        }
        _ => false,
    };
    if shares { copied(object) } else { Ok(object) }
}

/// An object's bytes, for another process; large buffers in it are not copied.
///
/// # Errors
/// When it cannot be pickled.
pub(crate) fn pickled(object: &Bound<'_, PyAny>) -> PyResult<Vec<Chunk>> {
    parts(&names(object.py())?.pickling(object.py())?.call_method1(intern!(object.py(), "dumps"), (object,))?)
}

/// An exception's bytes, for another process, with its traceback.
///
/// # Errors
/// When not even its words can be pickled.
pub(crate) fn pickled_exception(error: &Bound<'_, PyAny>) -> PyResult<Vec<Chunk>> {
    parts(&names(error.py())?.pickling(error.py())?.call_method1("portable", (error,))?)
}

fn parts(arrays: &Bound<'_, PyAny>) -> PyResult<Vec<Chunk>> {
    let part = |array: PyResult<Bound<'_, PyAny>>| {
        Ok(chunk(&array?).unwrap_or_else(|| Chunk::from_slice(&[0], &[0u8; 0])))
    };
    arrays.try_iter()?.map(part).collect()
}

/// The object of its bytes; what is large in it shares their memory.
///
/// # Errors
/// When it cannot be made here.
pub(crate) fn unpickled<'py>(py: Python<'py>, parts: &[Chunk]) -> PyResult<Bound<'py, PyAny>> {
    let arrays = parts.iter().map(|p| array(py, p)).collect::<PyResult<Vec<_>>>()?;
    names(py)?.pickling(py)?.call_method1("loads", (arrays,))
}

/// What a failure raises: the exception itself, else a RuntimeError with its words.
pub(crate) fn error(py: Python<'_>, trouble: &Trouble) -> PyErr {
    match trouble.cause.clone().map(|cause| object(py, &Value::Foreign(cause))) {
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
pub(crate) fn array<'py>(py: Python<'py>, chunk: &Chunk) -> PyResult<Bound<'py, PyAny>> {
    let chunk = chunk.to_contiguous();
    with_dtype!(chunk.dtype(), T => {
        let view = chunk.view::<T>();
        let owner = Bound::new(py, Memory { _chunk: chunk.clone() })?.into_any();
        // SAFETY: the memory lives as long as `owner`, which the array keeps.
        #[allow(unsafe_code)]
        let array = unsafe { PyArray::borrow_from_array(&view, owner) };
        // Native operators yield no array without axes where numpy would not yield a scalar.
        if chunk.ndim() == 0 { array.get_item(PyTuple::empty(py)) } else { Ok(array.into_any()) }
    })
}
