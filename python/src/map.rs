//! One function over many rows of plain arguments: the tasks of `Client.map` without a graph between.

use crate::call::Live;
use crate::graph::Form;
use crate::ship::{PART, PART_BYTES, Shipping};
use crate::spec::{Argument, Function, Spec, Step};
use dask_array::Value;
use dask_plan::DType;
use dask_plan::columns::u32s;
use dask_plan::plan::{Annotations, Block, Body, Output, Part, Python as Call, Sink, Template, VERSION};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyString};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// The tasks of a map.
pub(crate) struct Mapped<'py> {
    pub(crate) parts: Vec<Part>,
    pub(crate) live: Vec<Value>,
    /// The key of each row.
    pub(crate) keys: Vec<Bound<'py, PyString>>,
    /// What each row is; rows that are equal share a task.
    pub(crate) rows: Vec<Row<'py>>,
}

/// What a row of a map is.
pub(crate) enum Row<'py> {
    /// A new task.
    Task(u32),
    /// The future of the same call, which is kept.
    Known(Bound<'py, PyAny>),
}

/// Tokens of equal arguments are equal; 128 bits, so that others are not. They are good for this process only.
struct Token(DefaultHasher, DefaultHasher);

impl Token {
    fn new(base: &str) -> Token {
        let (mut a, mut b) = (DefaultHasher::new(), DefaultHasher::new());
        (0u8, base).hash(&mut a);
        (1u8, base).hash(&mut b);
        Token(a, b)
    }

    fn add(&mut self, what: impl Hash) {
        what.hash(&mut self.0);
        what.hash(&mut self.1);
    }

    /// Takes in an argument; whether its type is one of the plain ones.
    fn argument(&mut self, object: &Bound<'_, PyAny>) -> PyResult<bool> {
        if object.is_exact_instance_of::<PyInt>() {
            match object.extract::<i64>() {
                Ok(i) => self.add((1u8, i)),
                Err(_) => self.add((2u8, object.str()?.to_string_lossy())),
            }
        } else if object.is_exact_instance_of::<PyFloat>() {
            self.add((3u8, object.extract::<f64>()?.to_bits()));
        } else if let Ok(text) = object.cast_exact::<PyString>() {
            self.add((4u8, text.to_string_lossy()));
        } else if object.is_exact_instance_of::<PyBool>() {
            self.add((5u8, object.is_truthy()?));
        } else if let Ok(bytes) = object.cast_exact::<PyBytes>() {
            self.add((6u8, bytes.as_bytes()));
        } else if object.is_none() {
            self.add(7u8);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn finish(self) -> (u64, u64) {
        (self.0.finish(), self.1.finish())
    }
}

/// Tasks that call `function` with the items of `columns` in turn. `token` says all that the calls share; calls whose future is
/// in `known` are left out. `None` when an argument is not plain (a number, a string, bytes, None), so that it may hold a future.
///
/// # Errors
/// When an argument cannot be read.
pub(crate) fn tasks<'py>(
    function: &Bound<'py, PyAny>,
    columns: &[Vec<Bound<'py, PyAny>>],
    name: &str,
    token: &str,
    form: Form,
    known: &Bound<'py, PyAny>,
    annotations: Annotations,
) -> PyResult<Option<Mapped<'py>>> {
    let count = columns.iter().map(Vec::len).min().unwrap_or(0);
    let references = known.getattr("references")?.cast_into::<PyDict>()?;
    let mut keys = Vec::with_capacity(count);
    let mut rows = Vec::with_capacity(count);
    let mut specs: Vec<Spec> = Vec::with_capacity(count);
    let mut seen: HashMap<(u64, u64), u32> = HashMap::with_capacity(count);
    let mut index = Vec::with_capacity(count);
    for row in 0..count {
        let mut own = Token::new(token);
        for column in columns {
            if !own.argument(&column[row])? {
                return Ok(None);
            }
        }
        let own = own.finish();
        let key = PyString::new(function.py(), &format!("{name}-{:016x}{:016x}", own.0, own.1));
        if !references.is_empty() && references.contains(&key)? {
            let future = known.call_method1("get", (&key,))?;
            if !future.is_none() {
                keys.push(key);
                rows.push(Row::Known(future));
                continue;
            }
        }
        let next = specs.len() as u32;
        let task = *seen.entry(own).or_insert(next);
        if task == next {
            let arguments = columns.iter().map(|c| Argument::Literal(c[row].clone().unbind())).collect();
            let function = Function::Object(function.clone().unbind());
            let steps = vec![Step { function, arguments, keywords: vec![], last: vec![] }];
            specs.push(Spec { steps, result: Argument::Step(0) });
            index.push(row as u32);
        }
        keys.push(key);
        rows.push(Row::Task(task));
    }
    let (parts, live) = parts(function.py(), name, specs, &index, form, annotations)?;
    Ok(Some(Mapped { parts, live, keys, rows }))
}

fn parts(
    py: Python<'_>,
    name: &str,
    specs: Vec<Spec>,
    index: &[u32],
    form: Form,
    annotations: Annotations,
) -> PyResult<(Vec<Part>, Vec<Value>)> {
    let size = if form == Form::Live { specs.len().max(1) } else { PART };
    let mut shipping = Shipping::new(specs.iter().filter(|_| form == Form::Sent));
    let mut parts = vec![];
    let mut first = 0;
    while first < specs.len() {
        let mut end = specs.len().min(first + size);
        let mut part = Part { version: VERSION, ..Part::default() };
        let mut bodies = vec![];
        if form == Form::Sent {
            let mut bytes = 0;
            for spec in &specs[first..end] {
                if bytes >= PART_BYTES {
                    break;
                }
                let (body, blob) = shipping.write(py, spec, &[], None)?;
                bytes += blob.len();
                bodies.push(body);
                part.blobs.push(blob.into());
            }
            end = first + bodies.len();
        }
        // The first part has the only template: all rows call the same function with as many arguments.
        if first == 0 {
            part.names.push(name.into());
            let call = bodies.first().map_or(vec![], |body| shipping.body(*body).to_vec());
            let body = Body::Python(Call { inputs: 1, call, tolerant: true });
            let annotations = annotations.clone();
            part.templates.push(Template { name: name.into(), body, nbytes: 0, scratch: 0, annotations });
        }
        if bodies.iter().any(|body| *body != 0) {
            return Err(PyRuntimeError::new_err("rows of a map that do not share a call"));
        }
        let (index, blobs) = (u32s(index[first..end].iter().copied()), u32s(first as u32..end as u32));
        let count = (end - first) as u32;
        part.blocks.push(Block { count, ndim: 1, index, blobs: blobs.clone(), ..Block::default() });
        part.outputs.push(Output {
            name: "result".into(),
            to: Sink::Keep,
            dtype: DType::UInt8,
            chunks: vec![],
            tasks: blobs,
        });
        parts.push(part);
        first = end;
    }
    match parts.last_mut() {
        Some(last) => last.last = true,
        None => parts.push(Part { version: VERSION, last: true, ..Part::default() }),
    }
    let live = |spec| Value::Foreign(Arc::new(Live::plain(spec)));
    let live = if form == Form::Live { specs.into_iter().map(live).collect() } else { vec![] };
    Ok((parts, live))
}
