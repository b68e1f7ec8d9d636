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
pub(crate) struct Mapped {
    pub(crate) part: Part,
    pub(crate) live: Vec<Value>,
    /// The key of each row, and its task, unless it is known; rows that are equal share one.
    pub(crate) rows: Vec<(String, Option<u32>)>,
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

/// Tasks that call `function` with the items of `columns` in turn. `token` says all that the calls share; calls whose key is in
/// `known` are left out. `None` when an argument is not plain (a number, a string, bytes, None), so that it may hold a future.
///
/// # Errors
/// When an argument cannot be read.
pub(crate) fn tasks<'py>(
    function: &Bound<'py, PyAny>,
    columns: &[Vec<Bound<'py, PyAny>>],
    name: &str,
    token: &str,
    known: &Bound<'py, PyDict>,
) -> PyResult<Option<Mapped>> {
    let count = columns.iter().map(Vec::len).min().unwrap_or(0);
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
        let key = format!("{name}-{:016x}{:016x}", own.0, own.1);
        if !known.is_empty() && known.contains(&key)? {
            rows.push((key, None));
            continue;
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
        rows.push((key, Some(task)));
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
    Ok(Some(Mapped { part, live, rows }))
}
