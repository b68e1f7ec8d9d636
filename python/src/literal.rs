//! Literal arguments as bytes, for workers in other processes: plain ones by hand, for they are many and pickling costs more than
//! most calls; everything else pickled.
//!
//! A literal is one byte of kind and then: nothing (None, True, False, Ellipsis), `i64`, `f64`, length and UTF-8, length and
//! bytes, count and items (tuple), three literals (slice), or an object: how many parts, the length of each, and the parts,
//! each at a multiple of [`ALIGN`]; a seed of random numbers: `u128`, count and `u32`s; a type: its place among [`dtypes`];
//! or count and items (list), count and pairs (dict). Integers are little-endian.

use crate::dtypes;
use crate::seed::Seed;
use crate::value;
use dask_array::Chunk;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyEllipsis, PyFloat, PyInt, PyList, PySlice, PyString, PyTuple};

const NONE: u8 = 0;
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const ELLIPSIS: u8 = 3;
const INT: u8 = 4;
const FLOAT: u8 = 5;
const TEXT: u8 = 6;
const BYTES: u8 = 7;
const TUPLE: u8 = 8;
const SLICE: u8 = 9;
const OBJECT: u8 = 10;
const SEED: u8 = 11;
const TYPE: u8 = 12;
const LIST: u8 = 13;
const DICT: u8 = 14;

/// Where parts of objects stand: good for every dtype, where the bytes around them do.
const ALIGN: usize = 64;

/// Longer texts, bytes and containers are objects like others.
const SHORT: usize = 64;

/// Whether an object is cheap to write, and equal to what is read whoever else holds it.
pub(crate) fn is_plain(object: &Bound<'_, PyAny>) -> bool {
    plain(object, 0)
}

fn plain(object: &Bound<'_, PyAny>, depth: usize) -> bool {
    if object.is_none()
        || object.is_exact_instance_of::<PyBool>()
        || object.is_exact_instance_of::<PyFloat>()
        || object.is(PyEllipsis::get(object.py()))
    {
        return true;
    }
    if object.is_exact_instance_of::<PyInt>() {
        return object.extract::<i64>().is_ok();
    }
    if let Ok(text) = object.cast_exact::<PyString>() {
        // One that is no Unicode (a lone surrogate) is pickled.
        return text.len().is_ok_and(|n| n <= SHORT) && text.to_str().is_ok();
    }
    if let Ok(bytes) = object.cast_exact::<PyBytes>() {
        return bytes.as_bytes().len() <= SHORT;
    }
    if let Ok(tuple) = object.cast_exact::<PyTuple>() {
        return depth < 4 && tuple.len() <= SHORT && tuple.iter().all(|item| plain(&item, depth + 1));
    }
    if let Ok(slice) = object.cast_exact::<PySlice>() {
        let py = object.py();
        let part = |name| slice.getattr(name).is_ok_and(|part| plain(&part, depth + 1));
        return depth < 4
            && part(intern!(py, "start"))
            && part(intern!(py, "stop"))
            && part(intern!(py, "step"));
    }
    // A list is not: somebody may change it, and then all who hold it see that.
    false
}

/// Writes a literal.
///
/// # Errors
/// When it cannot be pickled.
pub(crate) fn write(object: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    if is_simple(object) {
        return write_simple(object, out);
    }
    // Here they are written for one who holds them alone. What they hold can be shared, else pickling is to see to it.
    if let Ok(list) = object.cast_exact::<PyList>()
        && list.len() <= SHORT
        && list.iter().all(|item| is_simple(&item))
    {
        out.push(LIST);
        out.extend((list.len() as u32).to_le_bytes());
        return list.iter().try_for_each(|item| write_simple(&item, out));
    }
    if let Ok(dict) = object.cast_exact::<PyDict>()
        && dict.len() <= SHORT
        && dict.iter().all(|(key, value)| is_simple(&key) && is_simple(&value))
    {
        out.push(DICT);
        out.extend((dict.len() as u32).to_le_bytes());
        return dict.iter().try_for_each(|(key, value)| {
            write_simple(&key, out)?;
            write_simple(&value, out)
        });
    }
    let Some(seed) = Seed::of(object) else { return write_object(object, out) };
    out.push(SEED);
    out.extend(seed.entropy.to_le_bytes());
    out.extend((seed.key.len() as u32).to_le_bytes());
    seed.key.iter().for_each(|k| out.extend(k.to_le_bytes()));
    Ok(())
}

/// Whether an object is plain or a type of [`dtypes`].
fn is_simple(object: &Bound<'_, PyAny>) -> bool {
    is_plain(object) || dtypes::place(object).is_some()
}

fn write_simple(object: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    match dtypes::place(object) {
        Some(at) => {
            out.extend([TYPE, at]);
            Ok(())
        }
        None => write_plain(object, out),
    }
}

fn write_plain(object: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    if object.is_none() {
        out.push(NONE);
    } else if object.is_exact_instance_of::<PyBool>() {
        out.push(if object.is_truthy()? { TRUE } else { FALSE });
    } else if object.is(PyEllipsis::get(object.py())) {
        out.push(ELLIPSIS);
    } else if object.is_exact_instance_of::<PyInt>() {
        out.push(INT);
        out.extend(object.extract::<i64>()?.to_le_bytes());
    } else if object.is_exact_instance_of::<PyFloat>() {
        out.push(FLOAT);
        out.extend(object.extract::<f64>()?.to_le_bytes());
    } else if let Ok(text) = object.cast_exact::<PyString>() {
        sized(TEXT, text.to_str()?.as_bytes(), out);
    } else if let Ok(bytes) = object.cast_exact::<PyBytes>() {
        sized(BYTES, bytes.as_bytes(), out);
    } else if let Ok(tuple) = object.cast_exact::<PyTuple>() {
        out.push(TUPLE);
        out.extend((tuple.len() as u32).to_le_bytes());
        for item in tuple.iter() {
            write_plain(&item, out)?;
        }
    } else {
        out.push(SLICE);
        let py = object.py();
        for part in [intern!(py, "start"), intern!(py, "stop"), intern!(py, "step")] {
            write_plain(&object.getattr(part)?, out)?;
        }
    }
    Ok(())
}

fn sized(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}

/// Writes an object pickled.
///
/// # Errors
/// When it cannot be.
pub(crate) fn write_object(object: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    let parts = value::pickled(object)?;
    out.push(OBJECT);
    out.extend((parts.len() as u32).to_le_bytes());
    parts.iter().for_each(|p| out.extend((p.nbytes() as u64).to_le_bytes()));
    for part in parts {
        out.resize(out.len().next_multiple_of(ALIGN), 0);
        out.extend(part.as_bytes().unwrap_or_default());
    }
    Ok(())
}

/// Reads what was written, from a place on.
pub(crate) struct Reader<'a> {
    chunk: &'a Chunk,
    bytes: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Reader<'a> {
    /// Reads a one-dimensional uint8 chunk.
    pub(crate) fn new(chunk: &'a Chunk) -> Reader<'a> {
        Reader { chunk, bytes: chunk.as_bytes().unwrap_or_default(), at: 0 }
    }

    /// So many bytes.
    pub(crate) fn take(&mut self, len: usize) -> PyResult<&'a [u8]> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| PyRuntimeError::new_err("a task's arguments are cut off"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn word<const N: usize>(&mut self) -> PyResult<[u8; N]> {
        let mut word = [0; N];
        word.copy_from_slice(self.take(N)?);
        Ok(word)
    }

    /// A number of things.
    pub(crate) fn count(&mut self) -> PyResult<usize> {
        Ok(u32::from_le_bytes(self.word()?) as usize)
    }

    /// A number.
    pub(crate) fn int(&mut self) -> PyResult<i64> {
        Ok(i64::from_le_bytes(self.word()?))
    }

    /// A literal.
    ///
    /// # Errors
    /// When the bytes are none, or the object cannot be made.
    pub(crate) fn literal<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match self.take(1)?[0] {
            NONE => py.None().into_bound(py),
            TRUE => PyBool::new(py, true).to_owned().into_any(),
            FALSE => PyBool::new(py, false).to_owned().into_any(),
            ELLIPSIS => PyEllipsis::get(py).to_owned().into_any(),
            INT => self.int()?.into_pyobject(py)?.into_any(),
            FLOAT => PyFloat::new(py, f64::from_le_bytes(self.word()?)).into_any(),
            TEXT => {
                let len = self.count()?;
                PyString::new(py, &String::from_utf8_lossy(self.take(len)?)).into_any()
            }
            BYTES => {
                let len = self.count()?;
                PyBytes::new(py, self.take(len)?).into_any()
            }
            TUPLE => {
                let items = (0..self.count()?).map(|_| self.literal(py)).collect::<PyResult<Vec<_>>>()?;
                PyTuple::new(py, items)?.into_any()
            }
            SLICE => {
                let [start, stop, step] = [self.literal(py)?, self.literal(py)?, self.literal(py)?];
                py.get_type::<PySlice>().call1((start, stop, step))?
            }
            SEED => {
                let entropy = u128::from_le_bytes(self.word()?);
                let key = (0..self.count()?).map(|_| Ok(u32::from_le_bytes(self.word()?)));
                Seed { entropy, key: key.collect::<PyResult<_>>()? }.object(py)?
            }
            TYPE => {
                let [place] = self.word()?;
                let unknown = || PyRuntimeError::new_err(format!("an argument of the unknown type {place}"));
                dtypes::at(py, place)?.ok_or_else(unknown)?
            }
            LIST => {
                let items = (0..self.count()?).map(|_| self.literal(py)).collect::<PyResult<Vec<_>>>()?;
                PyList::new(py, items)?.into_any()
            }
            DICT => {
                let dict = PyDict::new(py);
                for _ in 0..self.count()? {
                    let key = self.literal(py)?;
                    dict.set_item(key, self.literal(py)?)?;
                }
                dict.into_any()
            }
            OBJECT => value::unpickled(py, &self.parts()?)?,
            kind => return Err(PyRuntimeError::new_err(format!("an argument of the unknown kind {kind}"))),
        })
    }

    /// The parts of an object, over the same memory.
    fn parts(&mut self) -> PyResult<Vec<Chunk>> {
        let count = self.count()?;
        let mut lens = vec![];
        for _ in 0..count {
            lens.push(self.int()? as usize);
        }
        lens.into_iter()
            .map(|len| {
                self.at = self.at.next_multiple_of(ALIGN).min(self.bytes.len());
                let from = self.at;
                let bytes = self.take(len)?;
                // Where the bytes around do not stand as they did when it was written, arrays in it would be crooked.
                let shared = len > 0 && bytes.as_ptr().addr() % ALIGN == 0;
                Ok(if shared {
                    self.chunk.slice(&[(from, len, 1)])
                } else {
                    Chunk::from_slice(&[len], bytes)
                })
            })
            .collect()
    }
}
