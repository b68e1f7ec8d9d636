//! One function over many rows of plain arguments: the tasks of `Client.map` without a graph between.

use crate::call::Live;
use crate::spec::{Argument, Function, Spec, Step};
use dask_array::Value;
use dask_plan::DType;
use dask_plan::columns::u32s;
use dask_plan::plan::{Block, Body, Output, Part, Python as Call, Sink, Template, VERSION};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyString};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// The tasks of a map.
pub(crate) struct Mapped<'py> {
    pub(crate) part: Part,
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
    known: &Bound<'py, PyAny>,
) -> PyResult<Option<Mapped<'py>>> {
    let count = columns.iter().map(Vec::len).min().unwrap_or(0);
    let references = known.getattr("references")?.cast_into::<PyDict>()?;
    let mut keys = Vec::with_capacity(count);
    let mut rows = Vec::with_capacity(count);
    let mut live: Vec<Value> = Vec::with_capacity(count);
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
        let next = live.len() as u32;
        let task = *seen.entry(own).or_insert(next);
        if task == next {
            let arguments = columns.iter().map(|c| Argument::Literal(c[row].clone().unbind())).collect();
            let function = Function::Object(function.clone().unbind());
            let steps = vec![Step { function, arguments, keywords: vec![], last: vec![] }];
            let spec = Spec { steps, result: Argument::Step(0) };
            live.push(Value::Foreign(Arc::new(Live { spec, kept: vec![], native: None })));
            index.push(row as u32);
        }
        keys.push(key);
        rows.push(Row::Task(task));
    }
    let tasks = live.len() as u32;
    let body = Body::Python(Call { inputs: 1, call: vec![], tolerant: true });
    let output = Output {
        name: "result".into(),
        to: Sink::Keep,
        dtype: DType::UInt8,
        chunks: vec![],
        tasks: u32s(0..tasks),
    };
    let block =
        Block { count: tasks, ndim: 1, index: u32s(index), blobs: u32s(0..tasks), ..Block::default() };
    let part = Part {
        version: VERSION,
        names: vec![name.into()],
        templates: vec![Template { name: name.into(), body, nbytes: 0, scratch: 0 }],
        blocks: if tasks == 0 { vec![] } else { vec![block] },
        outputs: if tasks == 0 { vec![] } else { vec![output] },
        last: true,
        ..Part::default()
    };
    Ok(Some(Mapped { part, live, keys, rows }))
}
