//! Calls on their way to workers in other processes.
//!
//! What calls have in common is a body: steps, functions, shared objects, and the recipe by which it may run native. It is written
//! once for all tasks that share it, and made once in each worker. What they differ in, mostly plain numbers, is a task's blob:
//!
//! ```text
//! u32  count of numbers, i64 × count      what the recipe's tasks differ in
//! u32  count of arrays, each a literal    the recipe's literal arrays
//! u32  count of literals, each a literal  the task's own
//! ```

use crate::literal::{self, Reader, is_plain};
use crate::native::Native;
use crate::quick::QuickMap;
use crate::recipe::{Lowered, Recipe};
use crate::spec::{Argument, Function, Spec, Step};
use dask_array::{Chunk, Value};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// What tasks share, as it is sent.
#[derive(Serialize, Deserialize)]
struct Body {
    steps: Vec<BodyStep>,
    result: Place,
    /// Inputs that a client keeps.
    kept: Vec<u32>,
    recipe: Option<Recipe>,
    /// Functions and other objects: a pickled list, as a literal.
    objects: ByteBuf,
}

#[derive(Serialize, Deserialize)]
struct BodyStep {
    function: Called,
    arguments: Vec<Place>,
    keywords: Vec<(String, Place)>,
}

/// Where something comes from.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Place {
    Input(u32),
    Step(u32),
    /// Of the body's objects.
    Shared(u32),
    /// Of the task's own literals.
    Own(u32),
}

#[derive(Serialize, Deserialize)]
enum Called {
    Object(Place),
    List,
    /// A graph node, and the keys of its inputs.
    Node(Place, Vec<Place>),
}

/// Tasks of one part of a plan at most: the first start before all are sent.
pub(crate) const PART: usize = 10_000;

/// Bytes of arguments after which a part ends.
pub(crate) const PART_BYTES: usize = 16 << 20;

/// Tasks with more bodies than this before them put functions that only one of them calls into their blobs.
const MANY: usize = 64;

/// Bytes of most blobs at most.
const BLOB: usize = 128;

/// Writes the calls of one job.
#[derive(Default)]
pub(crate) struct Shipping {
    /// How many tasks' literals each object is, by its address.
    uses: QuickMap<usize, u32>,
    /// Bodies by what they are made of: addresses stay good while the specs live.
    bodies: QuickMap<Vec<u64>, u32>,
    recipes: QuickMap<Recipe, u64>,
    /// The bytes of each body.
    written: Vec<Vec<u8>>,
}

/// A body in the making.
struct Writer<'a, 'py> {
    py: Python<'py>,
    shipping: &'a Shipping,
    signature: Vec<u64>,
    shared: Vec<Bound<'py, PyAny>>,
    own: Vec<Bound<'py, PyAny>>,
}

impl Shipping {
    /// Counts what the specs of a job share. They must live until all were written.
    pub(crate) fn new<'a>(specs: impl Iterator<Item = &'a Spec>) -> Shipping {
        let mut uses: QuickMap<usize, u32> = QuickMap::default();
        let mut count = |object: &Py<PyAny>| *uses.entry(object.as_ptr().addr()).or_default() += 1;
        for spec in specs {
            for step in &spec.steps {
                match &step.function {
                    Function::Object(function) => count(function),
                    Function::Node(node, _) => count(node),
                    Function::Own(_) | Function::OwnNode(..) | Function::List => {}
                }
                for argument in step.arguments.iter().chain(step.keywords.iter().map(|(_, a)| a)) {
                    if let Argument::Literal(object) = argument {
                        count(object);
                    }
                }
            }
        }
        Shipping { uses, ..Shipping::default() }
    }

    /// The bytes of a body.
    pub(crate) fn body(&self, number: u32) -> &[u8] {
        &self.written[number as usize]
    }

    /// Writes a call, of whose inputs a client keeps some, and which may run native: the number of its body, and its blob.
    ///
    /// # Errors
    /// When something cannot be pickled.
    pub(crate) fn write(
        &mut self,
        py: Python<'_>,
        spec: &Spec,
        kept: &[usize],
        lowered: Option<Lowered>,
    ) -> PyResult<(u32, Vec<u8>)> {
        let mut writer = Writer { py, shipping: self, signature: vec![], shared: vec![], own: vec![] };
        let steps = spec.steps.iter().map(|step| writer.step(step)).collect::<PyResult<Vec<_>>>()?;
        let result = writer.argument(&spec.result);
        let Writer { mut signature, shared, own, .. } = writer;
        signature.extend(kept.iter().map(|k| *k as u64));
        let Lowered { recipe, literals, numbers } = match lowered {
            Some(lowered) => {
                let next = self.recipes.len() as u64 + 1;
                signature.push(match self.recipes.get(&lowered.recipe) {
                    Some(number) => *number,
                    None => {
                        self.recipes.insert(lowered.recipe.clone(), next);
                        next
                    }
                });
                lowered
            }
            None => {
                signature.push(0);
                let recipe = Recipe { calls: vec![], inputs: 0 };
                Lowered { recipe, literals: vec![], numbers: vec![] }
            }
        };
        let next = self.bodies.len() as u32;
        let body = *self.bodies.entry(signature).or_insert(next);
        if body == next {
            let mut objects = vec![];
            literal::write_object(PyList::new(py, shared)?.as_any(), &mut objects)?;
            let kept = kept.iter().map(|k| *k as u32).collect();
            let recipe = (!recipe.calls.is_empty()).then_some(recipe);
            let body = Body { steps, result, kept, recipe, objects: objects.into() };
            self.written.push(rmp_serde::to_vec(&body).map_err(|e| PyRuntimeError::new_err(e.to_string()))?);
        }
        let mut blob = Vec::with_capacity(BLOB);
        blob.extend((numbers.len() as u32).to_le_bytes());
        numbers.iter().for_each(|n| blob.extend(n.to_le_bytes()));
        blob.extend((literals.len() as u32).to_le_bytes());
        literals.iter().for_each(|chunk| {
            let bytes = dask_array::encode::to_bytes(&Value::Array(chunk.clone()));
            blob.extend((bytes.len() as u32).to_le_bytes());
            blob.extend(bytes);
        });
        blob.extend((own.len() as u32).to_le_bytes());
        for object in own {
            literal::write(&object, &mut blob)?;
        }
        Ok((body, blob))
    }
}

impl<'py> Writer<'_, 'py> {
    fn step(&mut self, step: &Step) -> PyResult<BodyStep> {
        let function = match &step.function {
            Function::Object(function) => {
                let function = function.bind(self.py);
                let lonely = self.shipping.bodies.len() >= MANY && self.uses(function) < 2;
                Called::Object(if lonely { self.own(function) } else { self.shared(function) })
            }
            Function::List => {
                self.signature.push(5);
                Called::List
            }
            Function::Node(node, keys) => {
                self.signature.push(6);
                let node = self.own(node.bind(self.py));
                Called::Node(node, keys.iter().map(|k| self.own(k.bind(self.py))).collect())
            }
            Function::Own(_) | Function::OwnNode(..) => {
                return Err(PyRuntimeError::new_err("a call that was shipped before"));
            }
        };
        let arguments = step.arguments.iter().map(|a| self.argument(a)).collect();
        self.signature.push(7);
        let keywords = step.keywords.iter().map(|(name, argument)| {
            let name = name.bind(self.py).cast::<PyString>()?.to_string();
            name.bytes().for_each(|b| self.signature.push(u64::from(b)));
            Ok((name, self.argument(argument)))
        });
        let keywords = keywords.collect::<PyResult<Vec<_>>>()?;
        self.signature.push(8);
        Ok(BodyStep { function, arguments, keywords })
    }

    fn argument(&mut self, argument: &Argument) -> Place {
        let (tag, number) = match argument {
            Argument::Input(i) => (1, *i),
            Argument::Step(i) => (2, *i),
            Argument::Literal(object) => {
                let object = object.bind(self.py);
                return if self.uses(object) < 2 || is_plain(object) {
                    self.own(object)
                } else {
                    self.shared(object)
                };
            }
            Argument::Own(i) => (3, *i),
        };
        self.signature.push(tag << 32 | number as u64);
        if tag == 1 { Place::Input(number as u32) } else { Place::Step(number as u32) }
    }

    fn uses(&self, object: &Bound<'py, PyAny>) -> u32 {
        self.shipping.uses.get(&object.as_ptr().addr()).copied().unwrap_or(0)
    }

    fn own(&mut self, object: &Bound<'py, PyAny>) -> Place {
        self.signature.push(3);
        self.own.push(object.clone());
        Place::Own(self.own.len() as u32 - 1)
    }

    fn shared(&mut self, object: &Bound<'py, PyAny>) -> Place {
        self.signature.push(4);
        self.signature.push(object.as_ptr().addr() as u64);
        let known = self.shared.iter().position(|s| s.is(object));
        let at = known.unwrap_or_else(|| {
            self.shared.push(object.clone());
            self.shared.len() - 1
        });
        Place::Shared(at as u32)
    }
}

/// A body, made in the process that runs it.
pub(crate) struct Unpacked {
    pub(crate) spec: Spec,
    pub(crate) kept: Vec<usize>,
    pub(crate) native: Option<Native>,
}

/// Bodies that were made, by their bytes: tasks of many jobs call the same functions.
static MADE: Mutex<Option<HashMap<Vec<u8>, Arc<Unpacked>>>> = Mutex::new(None);

/// Bodies that are kept.
const KEPT: usize = 1024;

/// The body of its bytes.
///
/// # Errors
/// When it is none, or an object in it cannot be made here.
pub(crate) fn body(py: Python<'_>, bytes: &[u8]) -> PyResult<Arc<Unpacked>> {
    let made = |bytes: &[u8]| crate::wait::lock(&MADE).as_ref().and_then(|made| made.get(bytes).cloned());
    if let Some(known) = made(bytes) {
        return Ok(known);
    }
    // Not under the lock: importing may let another thread have the interpreter, which then would wait for the lock.
    let unpacked = Arc::new(unpack(py, bytes)?);
    let mut made = crate::wait::lock(&MADE);
    let made = made.get_or_insert_default();
    // What is dropped here is dropped with the interpreter held, which frees it at once; nothing that it runs comes back here.
    let old = if made.len() >= KEPT { std::mem::take(made) } else { HashMap::new() };
    made.insert(bytes.to_vec(), Arc::clone(&unpacked));
    drop(old);
    Ok(unpacked)
}

/// Makes no call any more of what was made before: modules were read anew, and their functions are others now.
#[pyfunction]
pub(crate) fn forget_calls() {
    let made = crate::wait::lock(&MADE).take();
    drop(made);
}

fn unpack(py: Python<'_>, bytes: &[u8]) -> PyResult<Unpacked> {
    let bad = |what: &str| PyRuntimeError::new_err(format!("not a call: {what}"));
    let body: Body = rmp_serde::from_slice(bytes).map_err(|e| bad(&e.to_string()))?;
    let objects = Chunk::from_slice(&[body.objects.len()], &body.objects);
    let objects = Reader::new(&objects).literal(py)?;
    let objects: Vec<Bound<'_, PyAny>> = objects.extract()?;
    let argument = |place: &Place| {
        Ok(match place {
            Place::Input(i) => Argument::Input(*i as usize),
            Place::Step(i) => Argument::Step(*i as usize),
            Place::Own(i) => Argument::Own(*i as usize),
            Place::Shared(i) => {
                let object = objects.get(*i as usize).ok_or_else(|| bad("an object is missing"))?;
                Argument::Literal(object.clone().unbind())
            }
        })
    };
    let mut steps = vec![];
    for (at, step) in body.steps.iter().enumerate() {
        let function = match &step.function {
            Called::List => Function::List,
            Called::Object(place) => match argument(place)? {
                Argument::Literal(object) => Function::Object(object),
                Argument::Own(i) => Function::Own(i),
                _ => return Err(bad("a function that is a result")),
            },
            Called::Node(node, keys) => {
                let own = |place: &Place| match place {
                    Place::Own(i) => Ok(*i as usize),
                    _ => Err(bad("a node that tasks share")),
                };
                Function::OwnNode(own(node)?, keys.iter().map(own).collect::<PyResult<_>>()?)
            }
        };
        let arguments = step.arguments.iter().map(argument).collect::<PyResult<Vec<_>>>()?;
        let keywords = step
            .keywords
            .iter()
            .map(|(name, place)| Ok((PyString::intern(py, name).unbind().into_any(), argument(place)?)))
            .collect::<PyResult<Vec<_>>>()?;
        let later = |a: &Argument| matches!(a, Argument::Step(of) if *of >= at);
        if arguments.iter().chain(keywords.iter().map(|(_, a)| a)).any(later) {
            return Err(bad("a step takes a later one's result"));
        }
        steps.push(Step { function, arguments, keywords, last: vec![] });
    }
    let result = argument(&body.result)?;
    let mut spec = Spec { steps, result };
    spec.mark_last();
    let kept = body.kept.into_iter().map(|k| k as usize).collect();
    Ok(Unpacked { spec, kept, native: body.recipe.map(Native::new) })
}

/// What the tasks of a recipe differ in; where the task's own literals begin.
pub(crate) struct Differences {
    pub(crate) numbers: Vec<i64>,
    pub(crate) literals: Vec<Chunk>,
    own: usize,
}

/// Reads the first two parts of a blob, for which no interpreter is needed.
///
/// # Errors
/// When it is cut off, or an array is none.
pub(crate) fn differences(blob: &Chunk) -> PyResult<Differences> {
    let mut reader = Reader::new(blob);
    let numbers = (0..reader.count()?).map(|_| reader.int()).collect::<PyResult<Vec<_>>>()?;
    let mut literals = vec![];
    for _ in 0..reader.count()? {
        let len = reader.count()?;
        match dask_array::encode::from_bytes(reader.take(len)?) {
            Ok(Value::Array(chunk)) => literals.push(chunk),
            _ => return Err(PyRuntimeError::new_err("a literal array that is none")),
        }
    }
    Ok(Differences { numbers, literals, own: reader.at })
}

impl Differences {
    /// The task's own literals.
    ///
    /// # Errors
    /// When one cannot be made here.
    pub(crate) fn own<'py>(&self, py: Python<'py>, blob: &Chunk) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let mut reader = Reader::new(blob);
        reader.at = self.own;
        (0..reader.count()?).map(|_| reader.literal(py)).collect()
    }
}
