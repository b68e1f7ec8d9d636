//! Tasks that may run native: the functions that are recognised, by identity, and what they are called with.
//!
//! A recipe holds no Python object. It says what is called, not yet how it is computed: that depends on the dtypes and shapes
//! that a task gets, see [`crate::native`].

use crate::spec::{Argument, Function, Spec};
use crate::value;
use dask_array::Chunk;
use dask_plan::program::{Binary, Reduction, Unary};
use dask_plan::{DType, Scalar};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyComplex, PyDict, PyEllipsis, PyFloat, PyInt, PyList, PySlice, PyString, PyTuple, PyType,
};
use serde::Deserialize;

/// A function that is recognised. Names in the tables of `_dask.py` are these in snake case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Known {
    Unary(Unary),
    Binary(Binary),
    Reduce(Reduction),
    /// `where(condition, a, b)`
    Where,
    /// `transpose(x, axes)`
    Transpose,
    /// `getitem(x, index)`
    Getitem,
    /// `astype(x, astype_dtype)`
    Astype,
    /// `_concatenate2(arrays, axes)`
    Concatenate,
    /// `concatenate_shaped(arrays, shape)`
    ConcatenateShaped,
    /// `finalize(arrays)`, `concatenate3(arrays)`
    Assemble,
    /// `_broadcast_trick_inner(ones_like, shape)`
    Full,
    /// What `Full` is full of.
    Ones,
    Zeros,
    /// `_apply_random_func(PCG64, name, seed, size, args, kwargs)`
    Random,
    /// `_enforce_dtype(…, enforce_dtype, enforce_dtype_function)`
    EnforceDtype,
    /// `_matmul(a, b)`
    Matmul,
    /// `_chunk_sum(arrays, axis, dtype, keepdims)`
    ChunkSum,
    /// `functools.partial` and compositions are taken apart; these are their types.
    Partial,
    Compose,
}

/// What a literal says, without Python.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Constant {
    None,
    Ellipsis,
    /// A Python number: weak in promotion.
    Number(Number),
    Text(String),
    DType(DType),
    Tuple(Vec<Constant>),
    Slice(Option<i64>, Option<i64>, Option<i64>),
    Function(Known),
    /// `numpy.random.SeedSequence(entropy, spawn_key=(k,))`: its words, and which of the task's numbers is `k`.
    Seed(Vec<u32>, u32),
    Pcg64,
}

/// A Python number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number(pub(crate) Scalar);

impl Number {
    fn bits(&self) -> (u8, u64, u64) {
        match self.0 {
            Scalar::Bool(b) => (0, u64::from(b), 0),
            Scalar::Int(i) => (1, i as u64, 0),
            Scalar::UInt(u) => (2, u, 0),
            Scalar::Float(f) => (3, f.to_bits(), 0),
            Scalar::Complex(re, im) => (4, re.to_bits(), im.to_bits()),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.bits() == other.bits()
    }
}
impl Eq for Number {}
impl std::hash::Hash for Number {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.bits().hash(state);
    }
}

/// An argument of a step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ref {
    /// The task's input of this index; those beyond its inputs are its literal arrays.
    Input(usize),
    /// An earlier step's result.
    Step(usize),
    /// A literal.
    Constant(Constant),
    /// Several, as a list.
    List(Vec<Ref>),
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    pub(crate) function: Known,
    pub(crate) of: Vec<Ref>,
    pub(crate) keywords: Vec<(String, Ref)>,
}

/// Calls in order, the last of which is the task's result; see the module.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Recipe {
    pub(crate) calls: Vec<Call>,
    pub(crate) inputs: usize,
}

/// A recipe, and what tasks of the same recipe differ in.
pub(crate) struct Lowered {
    pub(crate) recipe: Recipe,
    pub(crate) literals: Vec<Chunk>,
    pub(crate) numbers: Vec<i64>,
}

static KNOWN: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

/// Hands in the functions that are recognised: a dict from each to its name, such as `{"unary": "exp"}` or `"where"`.
#[pyfunction]
pub(crate) fn recognise(py: Python<'_>, functions: Bound<'_, PyDict>) -> PyResult<()> {
    let _ = KNOWN.set(py, functions.unbind());
    // A name that is none shows at once.
    for (function, _) in KNOWN.get(py).map(|k| k.bind(py).iter()).into_iter().flatten() {
        known(&function)?;
    }
    Ok(())
}

/// The function that an object is, if it is one that is recognised.
fn known(function: &Bound<'_, PyAny>) -> PyResult<Option<Known>> {
    let py = function.py();
    let Some(table) = KNOWN.get(py) else { return Ok(None) };
    let Ok(name) = table.bind(py).get_item(function) else {
        // What cannot be hashed is not in the table.
        return Ok(None);
    };
    let Some(name) = name else { return Ok(None) };
    let name = name.extract::<String>()?;
    let parsed = match name.split_once(' ') {
        Some((kind, name)) => serde_json::from_value(serde_json::json!({ kind: name })),
        None => serde_json::from_value(serde_json::Value::String(name.clone())),
    };
    parsed.map(Some).map_err(|e| pyo3::exceptions::PyValueError::new_err(format!("{name}: {e}")))
}

struct Writer<'py> {
    py: Python<'py>,
    inputs: usize,
    calls: Vec<Call>,
    /// What each step of the task is here.
    steps: Vec<Ref>,
    literals: Vec<Chunk>,
    numbers: Vec<i64>,
    /// What is in the way, once something is.
    why: String,
}

/// The recipe of a task, if everything that it calls is recognised and every literal is understood.
///
/// # Errors
/// Says what is in the way, for people.
pub(crate) fn lower(py: Python<'_>, spec: &Spec, inputs: usize) -> Result<Lowered, String> {
    let mut writer = Writer {
        py,
        inputs,
        calls: vec![],
        steps: vec![],
        literals: vec![],
        numbers: vec![],
        why: "it calls nothing".into(),
    };
    writer.lower(spec).ok_or(writer.why)
}

impl<'py> Writer<'py> {
    fn lower(&mut self, spec: &Spec) -> Option<Lowered> {
        let Argument::Step(result) = spec.result else { return None };
        for step in &spec.steps {
            let of = step.arguments.iter().map(|a| self.argument(a)).collect::<Option<Vec<_>>>()?;
            let made = match &step.function {
                Function::List => Ref::List(of),
                Function::Node(..) => return self.stop("it is a graph node of another kind".into()),
                Function::Object(function) => {
                    let py = self.py;
                    let keywords = step
                        .keywords
                        .iter()
                        .map(|(name, a)| Some((name.extract::<String>(py).ok()?, self.argument(a)?)))
                        .collect::<Option<Vec<_>>>()?;
                    self.call(function.bind(py), of, keywords)?
                }
            };
            self.steps.push(made);
        }
        // The result is the last call's, so that a program's is too.
        let last = self.calls.len().checked_sub(1)?;
        if self.steps[result] != Ref::Step(last) {
            return self.stop("its result is not that of its last call".into());
        }
        let (calls, literals) = (std::mem::take(&mut self.calls), std::mem::take(&mut self.literals));
        let recipe = Recipe { calls, inputs: self.inputs + literals.len() };
        Some(Lowered { recipe, literals, numbers: std::mem::take(&mut self.numbers) })
    }

    /// Notes what is in the way.
    fn stop<T>(&mut self, why: String) -> Option<T> {
        self.why = why;
        None
    }

    fn argument(&mut self, argument: &Argument) -> Option<Ref> {
        match argument {
            Argument::Input(i) => Some(Ref::Input(*i)),
            Argument::Step(i) => Some(self.steps[*i].clone()),
            Argument::Literal(object) => self.literal(object.bind(self.py)),
        }
    }

    fn literal(&mut self, object: &Bound<'py, PyAny>) -> Option<Ref> {
        if let Some(constant) = self.constant(object) {
            return Some(Ref::Constant(constant));
        }
        if let Ok(list) = object.cast::<PyList>() {
            return list.iter().map(|item| self.literal(&item)).collect::<Option<_>>().map(Ref::List);
        }
        if let Ok(dict) = object.cast_exact::<PyDict>() {
            let pairs =
                dict.iter().map(|(k, v)| Some(Constant::Tuple(vec![self.constant(&k)?, self.constant(&v)?])));
            return pairs.collect::<Option<_>>().map(|pairs| Ref::Constant(Constant::Tuple(pairs)));
        }
        // An array in the graph: one more input, since it need not be the same in every task of the recipe.
        let Some(chunk) = value::chunk(object) else {
            return self.stop(format!("it takes {}", value::describe(object)));
        };
        self.literals.push(chunk);
        Some(Ref::Input(self.inputs + self.literals.len() - 1))
    }

    fn call(
        &mut self,
        function: &Bound<'py, PyAny>,
        mut of: Vec<Ref>,
        mut keywords: Vec<(String, Ref)>,
    ) -> Option<Ref> {
        let kind = function.get_type();
        match known(kind.as_any()).ok()? {
            Some(Known::Partial) => {
                let given: Vec<Bound<'py, PyAny>> = function.getattr("args").ok()?.extract().ok()?;
                let first = given.iter().map(|a| self.literal(a)).collect::<Option<Vec<_>>>()?;
                of.splice(0..0, first);
                let given = function.getattr("keywords").ok()?.cast_into::<PyDict>().ok()?;
                for (name, value) in given.iter() {
                    let name = name.extract::<String>().ok()?;
                    if !keywords.iter().any(|(n, _)| *n == name) {
                        let value = self.literal(&value)?;
                        keywords.push((name, value));
                    }
                }
                return self.call(&function.getattr("func").ok()?, of, keywords);
            }
            Some(Known::Compose) => {
                let mut result = self.call(&function.getattr("first").ok()?, of, keywords)?;
                for next in function.getattr("funcs").ok()?.try_iter().ok()? {
                    result = self.call(&next.ok()?, vec![result], vec![])?;
                }
                return Some(result);
            }
            _ => {}
        }
        keywords.sort_by(|a, b| a.0.cmp(&b.0));
        let Some(known) = known(function).ok()? else {
            return self.stop(format!("it calls {}", name_of(function)));
        };
        self.calls.push(Call { function: known, of, keywords });
        Some(Ref::Step(self.calls.len() - 1))
    }

    fn constant(&mut self, object: &Bound<'py, PyAny>) -> Option<Constant> {
        if object.is_none() {
            return Some(Constant::None);
        }
        if object.is_exact_instance_of::<PyBool>() {
            return Some(Constant::Number(Number(Scalar::Bool(object.extract().ok()?))));
        }
        if object.is_exact_instance_of::<PyInt>() {
            let number = match object.extract::<i64>() {
                Ok(i) => Scalar::Int(i),
                Err(_) => Scalar::UInt(object.extract().ok()?),
            };
            return Some(Constant::Number(Number(number)));
        }
        if object.is_exact_instance_of::<PyFloat>() {
            return Some(Constant::Number(Number(Scalar::Float(object.extract().ok()?))));
        }
        if let Ok(complex) = object.cast_exact::<PyComplex>() {
            use pyo3::types::PyComplexMethods;
            return Some(Constant::Number(Number(Scalar::Complex(complex.real(), complex.imag()))));
        }
        if let Ok(text) = object.cast_exact::<PyString>() {
            return Some(Constant::Text(text.to_string_lossy().into_owned()));
        }
        if let Ok(tuple) = object.cast_exact::<PyTuple>() {
            return tuple.iter().map(|item| self.constant(&item)).collect::<Option<_>>().map(Constant::Tuple);
        }
        if let Ok(slice) = object.cast::<PySlice>() {
            let part = |name| {
                let part = slice.getattr(name).ok()?;
                if part.is_none() { Some(None) } else { part.extract::<i64>().ok().map(Some) }
            };
            return Some(Constant::Slice(part("start")?, part("stop")?, part("step")?));
        }
        if object.is(PyEllipsis::get(self.py)) {
            return Some(Constant::Ellipsis);
        }
        if let Ok(function) = object.cast::<PyType>() {
            let name = function.fully_qualified_name().ok()?.to_string_lossy().into_owned();
            return match name.as_str() {
                "numpy.random._pcg64.PCG64" => Some(Constant::Pcg64),
                "float" => Some(Constant::DType(DType::Float64)),
                "int" => Some(Constant::DType(DType::Int64)),
                "bool" => Some(Constant::DType(DType::Bool)),
                other => DType::parse(other.strip_prefix("numpy.")?).map(Constant::DType),
            };
        }
        if let Some(dtype) = value::dtype(object) {
            return Some(Constant::DType(dtype));
        }
        if let Some(function) = known(object).ok()? {
            return Some(Constant::Function(function));
        }
        self.seed(object)
    }

    /// `SeedSequence(entropy, spawn_key=(k,))` with the usual pool.
    fn seed(&mut self, object: &Bound<'py, PyAny>) -> Option<Constant> {
        if object.get_type().fully_qualified_name().ok()?.to_string_lossy()
            != "numpy.random.bit_generator.SeedSequence"
        {
            return None;
        }
        let key: Vec<u32> = object.getattr("spawn_key").ok()?.extract().ok()?;
        let [k] = key[..] else { return None };
        if object.getattr("pool_size").ok()?.extract::<u32>().ok()? != 4 {
            return None;
        }
        let entropy = object.getattr("entropy").ok()?;
        let mut entropy = entropy.extract::<u128>().ok()?;
        let mut words = vec![];
        while entropy > 0 || words.is_empty() {
            words.push(entropy as u32);
            entropy >>= 32;
        }
        self.numbers.push(i64::from(k));
        Some(Constant::Seed(words, self.numbers.len() as u32 - 1))
    }
}

/// A function's name, for people.
fn name_of(function: &Bound<'_, PyAny>) -> String {
    let text = |name: &str| function.getattr(name).ok()?.extract::<String>().ok();
    match (text("__module__"), text("__qualname__")) {
        (Some(module), Some(name)) => format!("{module}.{name}"),
        _ => value::describe(function),
    }
}
