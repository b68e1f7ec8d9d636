//! From a task's steps to its recipe.

use super::{Call, Constant, Known, Number, Recipe, Ref};
use crate::dtypes;
use crate::seed::Seed;
use crate::spec::{Argument, Function, Spec};
use crate::value;
use dask_array::{Chunk, with_dtype};
use dask_plan::{Kind, Scalar};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyComplex, PyDict, PyEllipsis, PyFloat, PyInt, PyList, PySlice, PyString, PyTuple, PyType,
};

/// A recipe, and what tasks of the same recipe differ in.
pub(crate) struct Lowered {
    pub(crate) recipe: Recipe,
    pub(crate) literals: Vec<Chunk>,
    pub(crate) numbers: Vec<i64>,
}

/// Functions by identity: a dict from each to its place in the list.
static KNOWN: PyOnceLock<(Py<PyDict>, Vec<Known>)> = PyOnceLock::new();

/// Hands in the functions that are recognised: a dict from each to its name, such as `"unary exp"` or `"where"`.
#[pyfunction]
pub(crate) fn recognise(py: Python<'_>, functions: Bound<'_, PyDict>) -> PyResult<()> {
    let (places, mut list) = (PyDict::new(py), vec![]);
    for (function, name) in functions.iter() {
        let name = name.extract::<String>()?;
        let parsed = match name.split_once(' ') {
            Some((kind, name)) => serde_json::from_value(serde_json::json!({ kind: name })),
            None => serde_json::from_value(serde_json::Value::String(name.clone())),
        };
        list.push(parsed.map_err(|e| pyo3::exceptions::PyValueError::new_err(format!("{name}: {e}")))?);
        places.set_item(function, list.len() - 1)?;
    }
    let _ = KNOWN.set(py, (places.unbind(), list));
    Ok(())
}

/// The function that an object is, if it is one that is recognised.
fn known(function: &Bound<'_, PyAny>) -> PyResult<Option<Known>> {
    let py = function.py();
    let Some((places, list)) = KNOWN.get(py) else { return Ok(None) };
    // What cannot be hashed is not in the table.
    let Ok(Some(place)) = places.bind(py).get_item(function) else { return Ok(None) };
    Ok(list.get(place.extract::<usize>()?).copied())
}

/// Whether an object is one of Dask's functions that join nested lists of blocks.
///
/// # Errors
/// When it cannot be looked up.
pub(crate) fn joins(function: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(matches!(known(function)?, Some(Known::Assemble)))
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
                Function::Node(..) | Function::OwnNode(..) | Function::Own(_) => {
                    return self.stop("it is a graph node of another kind".into());
                }
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
            Argument::Own(_) => self.stop("it is a call of another process".into()),
        }
    }

    fn literal(&mut self, object: &Bound<'py, PyAny>) -> Option<Ref> {
        if let Ok(list) = object.cast_exact::<PyList>() {
            return list.iter().map(|item| self.literal(&item)).collect::<Option<_>>().map(Ref::List);
        }
        if let Ok(dict) = object.cast_exact::<PyDict>() {
            let pairs =
                dict.iter().map(|(k, v)| Some(Constant::Tuple(vec![self.constant(&k)?, self.constant(&v)?])));
            return pairs.collect::<Option<_>>().map(|pairs| Ref::Constant(Constant::Tuple(pairs)));
        }
        if let Some(constant) = self.constant(object) {
            return Some(Ref::Constant(constant));
        }
        if let Ok(tuple) = object.cast_exact::<PyTuple>() {
            return tuple.iter().map(|item| self.literal(&item)).collect::<Option<_>>().map(Ref::Tuple);
        }
        // An array in the graph: one more input, since it need not be the same in every task of the recipe.
        let Some(chunk) = value::chunk(object).or_else(|| value::scalar(object)) else {
            return self.stop(format!("it takes {}", value::describe(object)));
        };
        Some(self.array(chunk))
    }

    /// A literal array.
    fn array(&mut self, chunk: Chunk) -> Ref {
        self.literals.push(chunk);
        Ref::Input(self.inputs + self.literals.len() - 1)
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
                let given: Vec<Bound<'py, PyAny>> =
                    function.getattr(intern!(self.py, "args")).ok()?.extract().ok()?;
                let first = given.iter().map(|a| self.literal(a)).collect::<Option<Vec<_>>>()?;
                of.splice(0..0, first);
                let given =
                    function.getattr(intern!(self.py, "keywords")).ok()?.cast_into::<PyDict>().ok()?;
                for (name, value) in given.iter() {
                    let name = name.extract::<String>().ok()?;
                    if !keywords.iter().any(|(n, _)| *n == name) {
                        let value = self.literal(&value)?;
                        keywords.push((name, value));
                    }
                }
                return self.call(&function.getattr(intern!(self.py, "func")).ok()?, of, keywords);
            }
            Some(Known::Compose) => {
                let mut result =
                    self.call(&function.getattr(intern!(self.py, "first")).ok()?, of, keywords)?;
                for next in function.getattr(intern!(self.py, "funcs")).ok()?.try_iter().ok()? {
                    result = self.call(&next.ok()?, vec![result], vec![])?;
                }
                return Some(result);
            }
            _ => {}
        }
        let Some(known) = known(function).ok()? else {
            return self.stop(format!("it calls {}", name_of(function)));
        };
        self.known(known, of, keywords)
    }

    /// A call of a function that is recognised.
    fn known(&mut self, function: Known, mut of: Vec<Ref>, mut keywords: Vec<(String, Ref)>) -> Option<Ref> {
        match function {
            Known::Apply => {
                let [Ref::Constant(Constant::Function(function)), args, rest @ ..] = &mut of[..] else {
                    return self.stop("it applies a function that is not recognised".into());
                };
                let (function, args) = (*function, items(std::mem::replace(args, Ref::List(vec![])))?);
                match rest {
                    [] => {}
                    [Ref::Constant(Constant::Tuple(pairs))] => {
                        for pair in std::mem::take(pairs) {
                            let Constant::Tuple(pair) = pair else { return None };
                            let Ok([Constant::Text(name), value]) = <[_; 2]>::try_from(pair) else {
                                return None;
                            };
                            keywords.push((name, Ref::Constant(value)));
                        }
                    }
                    _ => return self.stop("it takes keywords that are no literals".into()),
                }
                self.known(function, args, keywords)
            }
            Known::Container | Known::Cast => match &keywords[..] {
                [(_, Ref::Constant(Constant::Function(Known::List)))] => Some(Ref::List(of)),
                [(_, Ref::Constant(Constant::Function(Known::Tuple)))] => Some(Ref::Tuple(of)),
                [(_, Ref::Constant(Constant::Function(Known::Dict)))] => {
                    let pairs = of.chunks_exact(2).map(|pair| match pair {
                        [Ref::Constant(k), Ref::Constant(v)] => {
                            Some(Constant::Tuple(vec![k.clone(), v.clone()]))
                        }
                        _ => None,
                    });
                    pairs.collect::<Option<_>>().map(|pairs| Ref::Constant(Constant::Tuple(pairs)))
                }
                _ => self.stop("it makes a container of another kind".into()),
            },
            Known::ShuffleSplit => {
                let [x, index] = <[Ref; 2]>::try_from(of).ok()?;
                let index = items(index)?.into_iter().nth(1)?;
                self.known(Known::Getitem, vec![x, index], keywords)
            }
            Known::ShuffleMerge => {
                let [arrays, sorter, axis] = <[Ref; 3]>::try_from(of).ok()?;
                let Ref::Input(sorter) = items(sorter)?.into_iter().nth(1)? else { return None };
                // Where each goes says also from where each comes.
                let literal = self.literals.get(sorter.checked_sub(self.inputs)?)?;
                let Some(from) = inverse(literal) else {
                    return self.stop("it orders by what is no permutation".into());
                };
                let from = self.array(from);
                self.push(Known::ShuffleMerge, vec![arrays, from, axis], keywords)
            }
            _ => self.push(function, of, keywords),
        }
    }

    fn push(&mut self, function: Known, of: Vec<Ref>, mut keywords: Vec<(String, Ref)>) -> Option<Ref> {
        keywords.sort_by(|a, b| a.0.cmp(&b.0));
        self.calls.push(Call { function, of, keywords });
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
            return Some(Constant::Slice(
                part(intern!(self.py, "start"))?,
                part(intern!(self.py, "stop"))?,
                part(intern!(self.py, "step"))?,
            ));
        }
        if object.is(PyEllipsis::get(self.py)) {
            return Some(Constant::Ellipsis);
        }
        if let Ok(function) = object.cast::<PyType>() {
            if let Some(place) = dtypes::place(object) {
                return Some(Constant::DType(dtypes::dtype(place)));
            }
            if let Some(constant) = generator(function) {
                return Some(constant);
            }
            return known(object).ok()?.map(Constant::Function);
        }
        if let Some(dtype) = value::dtype(object) {
            return Some(Constant::DType(dtype));
        }
        if let Some(function) = known(object).ok()? {
            return Some(Constant::Function(function));
        }
        if let Some(dtype) = value::empty(object) {
            return Some(Constant::Empty(dtype));
        }
        self.seed(object)
    }

    /// `SeedSequence(entropy, spawn_key=(k,))`.
    fn seed(&mut self, object: &Bound<'py, PyAny>) -> Option<Constant> {
        let Seed { mut entropy, key } = Seed::of(object)?;
        let [k] = key[..] else { return None };
        let mut words = vec![];
        while entropy > 0 || words.is_empty() {
            words.push(entropy as u32);
            entropy >>= 32;
        }
        self.numbers.push(i64::from(k));
        Some(Constant::Seed(words, self.numbers.len() as u32 - 1))
    }
}

/// numpy's generators of random numbers.
fn generator(kind: &Bound<'_, PyType>) -> Option<Constant> {
    static PCG64: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static RANDOM_STATE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = kind.py();
    if kind.is(PCG64.import(py, "numpy.random", "PCG64").ok()?) {
        Some(Constant::Pcg64)
    } else if kind.is(RANDOM_STATE.import(py, "numpy.random", "RandomState").ok()?) {
        Some(Constant::RandomState)
    } else {
        None
    }
}

/// What a list or a tuple holds.
fn items(of: Ref) -> Option<Vec<Ref>> {
    match of {
        Ref::List(items) | Ref::Tuple(items) => Some(items),
        Ref::Constant(Constant::Tuple(items)) => Some(items.into_iter().map(Ref::Constant).collect()),
        _ => None,
    }
}

/// The permutation that undoes another: `numpy.argsort` of it.
fn inverse(permutation: &Chunk) -> Option<Chunk> {
    if permutation.ndim() != 1 || !matches!(permutation.dtype().kind(), Kind::Signed | Kind::Unsigned) {
        return None;
    }
    let mut inverse = vec![-1i64; permutation.len()];
    let mut put = |from: usize, to: i64| -> Option<()> {
        let place = inverse.get_mut(usize::try_from(to).ok()?).filter(|place| **place < 0)?;
        *place = from as i64;
        Some(())
    };
    with_dtype!(permutation.dtype(), T in [i8, i16, i32, i64, u8, u16, u32, u64] => {
        for (from, &to) in permutation.view::<T>().iter().enumerate() {
            #[allow(clippy::unnecessary_cast, reason = "one of the types is the same")]
            put(from, to as i64)?;
        }
    }, else => return None);
    Some(Chunk::from_slice(&[inverse.len()], &inverse))
}

/// A function's name, for people.
fn name_of(function: &Bound<'_, PyAny>) -> String {
    let text = |name: &str| function.getattr(name).ok()?.extract::<String>().ok();
    match (text("__module__"), text("__qualname__")) {
        (Some(module), Some(name)) => format!("{module}.{name}"),
        _ => value::describe(function),
    }
}
