//! Dask's graphs as plans: one visit in Rust of the dict that Dask hands over.

use crate::annotated::Annotated;
use crate::call::{Live, LiveNative};
use crate::finalize::{Final, Place};
use crate::literal::is_plain;
use crate::names::names;
use crate::native::Native;
use crate::quick::QuickMap;
use crate::recipe::{self, Recipe};
use crate::ship::{PART, PART_BYTES, Shipping};
use crate::spec::{self, Argument, Node, Spec};
use dask_array::Value;
use dask_plan::DType;
use dask_plan::columns::u32s;
use dask_plan::order::{Graph, order};
use dask_plan::plan::{
    Block, Body, EXTERNAL, External, Output, Part, Python as Call, Sink, TaskKind, Template, VERSION,
};
use pyo3::exceptions::{PyKeyError, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// What stands at a key of the graph.
enum Entry<'py> {
    /// The same as another key.
    Alias(Bound<'py, PyAny>),
    /// Data.
    Data(Py<PyAny>),
    /// A task that has no number yet.
    Task(Bound<'py, PyAny>),
    /// A task that has one.
    Numbered(u32),
}

/// Whether calls stay in this process as they are, or are written for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Live,
    Sent,
}

/// A plan, and its calls where they live in this process.
pub(crate) struct Built {
    pub(crate) parts: Vec<Part>,
    pub(crate) live: Vec<Value>,
    /// What each requested key is.
    pub(crate) results: Vec<Requested>,
    /// Where results of tasks belong that other processes run.
    pub(crate) places: HashMap<u32, Vec<Place>>,
}

/// What a requested key is.
#[derive(Clone)]
pub(crate) enum Requested {
    /// A task of the plan.
    Task(u32),
    /// Known already.
    Data(Arc<Py<PyAny>>),
    /// A result of another job.
    External(External),
    /// Blocks, which come together in this process.
    Final(Arc<Final>),
}

/// Results of other jobs by their keys.
pub(crate) type Known<'a> = dyn Fn(&Bound<'_, PyAny>) -> PyResult<Option<External>> + 'a;

struct Builder<'a, 'py> {
    dsk: &'a Bound<'py, PyDict>,
    /// Key → task number.
    numbers: Bound<'py, PyDict>,
    known: &'a Known<'a>,
    form: Form,
    specs: Vec<Option<Spec>>,
    keys: Vec<Bound<'py, PyAny>>,
    starts: Vec<u32>,
    inputs: Vec<u32>,
    external: Vec<External>,
    external_numbers: HashMap<(String, u32), u32>,
    /// Where results of tasks are copied to.
    places: HashMap<u32, Vec<Place>>,
}

/// The plan of a graph: the tasks that `keys` need, in static order. With `keep`, results stay with the engine, and a task that
/// raises fails alone.
///
/// # Errors
/// When a key is missing, the graph has a cycle, or a node is malformed.
pub(crate) fn build<'py>(
    dsk: &Bound<'py, PyDict>,
    keys: &[Bound<'py, PyAny>],
    keep: bool,
    form: Form,
    known: &Known<'_>,
    annotated: &Annotated<'py>,
) -> PyResult<Built> {
    let mut builder = Builder::new(dsk, form, known);
    let mut requested = vec![];
    for key in keys {
        let mut found = builder.find(key)?;
        if keep {
            found = builder.task(key, found)?;
        }
        requested.push(found);
    }
    let mut roots = vec![];
    let takers = builder.takers();
    for found in &mut requested {
        let Requested::Task(number) = *found else { continue };
        let last =
            if keep || takers[number as usize] > 0 { None } else { builder.last(number, &mut roots)? };
        match last {
            Some(last) => *found = Requested::Final(last),
            None => roots.push(number),
        }
    }
    builder.finish(requested, roots, keep, annotated)
}

/// What would run native of a graph: for each name, how many tasks would, and what is in the way of how many others.
///
/// # Errors
/// As [`build`]'s.
pub(crate) fn explain<'py>(
    dsk: &Bound<'py, PyDict>,
    keys: &[Bound<'py, PyAny>],
    known: &Known<'_>,
) -> PyResult<Vec<(String, Option<String>, usize)>> {
    let mut builder = Builder::new(dsk, Form::Live, known);
    for key in keys {
        builder.find(key)?;
    }
    let mut names = Names::default();
    let mut counts: BTreeMap<(String, Option<String>), usize> = BTreeMap::new();
    for (t, spec) in builder.specs.iter().enumerate() {
        let Some(spec) = spec else { continue };
        let (name, _) = names.key(&builder.keys[t], &mut vec![])?;
        let inputs = builder.starts[t + 1] - builder.starts[t];
        let why = recipe::lower(dsk.py(), spec, inputs as usize).err();
        let prefix = names.prefixes[names.prefix(name) as usize].clone();
        *counts.entry((prefix, why)).or_default() += 1;
    }
    Ok(counts.into_iter().map(|((name, why), count)| (name, why, count)).collect())
}

impl<'a, 'py> Builder<'a, 'py> {
    fn new(dsk: &'a Bound<'py, PyDict>, form: Form, known: &'a Known<'a>) -> Builder<'a, 'py> {
        Builder {
            dsk,
            numbers: PyDict::new(dsk.py()),
            known,
            form,
            specs: vec![],
            keys: vec![],
            starts: vec![0],
            inputs: vec![],
            external: vec![],
            external_numbers: HashMap::new(),
            places: HashMap::new(),
        }
    }
}

impl<'py> Builder<'_, 'py> {
    /// What a key is, once everything that it needs has its number.
    fn find(&mut self, key: &Bound<'py, PyAny>) -> PyResult<Requested> {
        // A depth-first visit with a stack of its own, since graphs are deeper than the machine's. A task is numbered when
        // all that it refers to is.
        let mut stack: Vec<(Bound<'py, PyAny>, Option<Bound<'py, PyAny>>)> = vec![(key.clone(), None)];
        while let Some((key, expanded)) = stack.pop() {
            if let Some(task) = expanded {
                self.add(&key, &task)?;
                continue;
            }
            match self.entry(&key)? {
                Some(Entry::Alias(target)) => {
                    if self.visiting(&key)? {
                        continue;
                    }
                    stack.push((target, None));
                }
                Some(Entry::Task(task)) => {
                    if self.visiting(&key)? {
                        let text = format!("the graph has a cycle through the key {}", key.repr()?);
                        return Err(PyRuntimeError::new_err(text));
                    }
                    let dependencies = task.getattr(intern!(task.py(), "dependencies"))?;
                    stack.push((key, Some(task)));
                    // The last pushed is visited first.
                    for dependency in dependencies.try_iter()? {
                        stack.push((dependency?, None));
                    }
                }
                Some(Entry::Data(_) | Entry::Numbered(_)) | None => {}
            }
        }
        self.resolve(key)
    }

    /// Marks a key as begun; whether it was before.
    fn visiting(&mut self, key: &Bound<'py, PyAny>) -> PyResult<bool> {
        if self.numbers.contains(key)? {
            return Ok(true);
        }
        self.numbers.set_item(key, key.py().None())?;
        Ok(false)
    }

    /// What stands at a key. `None` where it is not in the graph.
    fn entry(&self, key: &Bound<'py, PyAny>) -> PyResult<Option<Entry<'py>>> {
        if let Some(number) = self.numbers.get_item(key)?
            && !number.is_none()
        {
            return Ok(Some(Entry::Numbered(number.extract()?)));
        }
        let Some(object) = self.dsk.get_item(key)? else { return Ok(None) };
        Ok(Some(match spec::node(&object)? {
            Node::Reference(target) => Entry::Alias(target),
            Node::Data(value) => Entry::Data(value.unbind()),
            Node::Call(task) => Entry::Task(task),
            Node::Literal => Entry::Data(object.unbind()),
        }))
    }

    fn resolve(&self, key: &Bound<'py, PyAny>) -> PyResult<Requested> {
        let mut key = key.clone();
        for _ in 0..=self.dsk.len() {
            match self.entry(&key)? {
                Some(Entry::Numbered(number)) => return Ok(Requested::Task(number)),
                Some(Entry::Data(value)) => return Ok(Requested::Data(Arc::new(value))),
                Some(Entry::Alias(target)) => key = target,
                Some(Entry::Task(_)) => break,
                None => {
                    return match (self.known)(&key)? {
                        Some(external) => Ok(Requested::External(external)),
                        None => Err(PyKeyError::new_err(format!(
                            "key {} is neither in the graph nor a result that this client keeps",
                            key.repr()?
                        ))),
                    };
                }
            }
        }
        Err(PyRuntimeError::new_err(format!("the graph has a cycle through the key {}", key.repr()?)))
    }

    /// What is no task becomes one that yields it, so that its result is kept like the others.
    fn task(&mut self, key: &Bound<'py, PyAny>, found: Requested) -> PyResult<Requested> {
        let (argument, input) = match found {
            Requested::Task(_) | Requested::Final(_) => return Ok(found),
            Requested::Data(value) => (Argument::Literal(value.clone_ref(key.py())), None),
            Requested::External(external) => (Argument::Input(0), Some(self.external(external))),
        };
        Ok(Requested::Task(self.push(key, Spec::identity(argument), input)))
    }

    /// Numbers a task.
    fn push(&mut self, key: &Bound<'py, PyAny>, spec: Spec, inputs: impl IntoIterator<Item = u32>) -> u32 {
        self.inputs.extend(inputs);
        self.starts.push(self.inputs.len() as u32);
        self.specs.push(Some(spec));
        self.keys.push(key.clone());
        self.specs.len() as u32 - 1
    }

    /// Numbers a task whose dependencies all have numbers.
    fn add(&mut self, key: &Bound<'py, PyAny>, task: &Bound<'py, PyAny>) -> PyResult<()> {
        let mut mine: Vec<u32> = vec![];
        let mut found: Vec<(u32, usize)> = vec![];
        let spec = {
            let this = &mut *self;
            spec::compile(task, &mut |key| {
                let number = match this.resolve(key)? {
                    Requested::Task(number) => number,
                    // What is large goes to a worker once, not with each task that takes it.
                    Requested::Data(value) if this.form == Form::Sent && !is_plain(value.bind(key.py())) => {
                        let number =
                            this.push(key, Spec::identity(Argument::Literal(value.clone_ref(key.py()))), []);
                        this.numbers.set_item(key, number)?;
                        number
                    }
                    Requested::Data(value) => return Ok(Argument::Literal(value.clone_ref(key.py()))),
                    Requested::External(external) => this.external(external),
                    Requested::Final(_) => {
                        return Err(PyRuntimeError::new_err(
                            "a result that was given up as a task is taken by one",
                        ));
                    }
                };
                if let Some((_, at)) = found.iter().find(|(n, _)| *n == number) {
                    return Ok(Argument::Input(*at));
                }
                found.push((number, mine.len()));
                mine.push(number);
                Ok(Argument::Input(mine.len() - 1))
            })?
        };
        let number = self.push(key, spec, mine);
        self.numbers.set_item(key, number)
    }

    /// Of each task, how many others take its result.
    fn takers(&self) -> Vec<u32> {
        let mut takers = vec![0; self.specs.len()];
        self.inputs.iter().filter(|&&i| i & EXTERNAL == 0).for_each(|&i| takers[i as usize] += 1);
        takers
    }

    /// A task that only joins its inputs is none: they become `roots` in its stead, and come together in this process.
    fn last(&mut self, number: u32, roots: &mut Vec<u32>) -> PyResult<Option<Arc<Final>>> {
        let at = number as usize;
        let range = self.starts[at] as usize..self.starts[at + 1] as usize;
        let Some(spec) = &self.specs[at] else { return Ok(None) };
        let Some(last) = Final::of(self.dsk.py(), spec, range.len())?.map(Arc::new) else { return Ok(None) };
        for block in last.order() {
            let mut task = self.inputs[range.start + block];
            if task & EXTERNAL != 0 {
                let key = self.keys[at].clone();
                task = self.push(&key, Spec::identity(Argument::Input(0)), [task]);
            }
            self.places.entry(task).or_default().push((Arc::clone(&last), block));
            roots.push(task);
        }
        Ok(Some(last))
    }

    fn external(&mut self, external: External) -> u32 {
        let next = self.external.len() as u32;
        let number = *self.external_numbers.entry((external.job.clone(), external.task)).or_insert(next);
        if number == next {
            self.external.push(external);
        }
        EXTERNAL | number
    }

    fn finish(
        mut self,
        requested: Vec<Requested>,
        roots: Vec<u32>,
        keep: bool,
        annotated: &Annotated<'py>,
    ) -> PyResult<Built> {
        let (starts, within) = self.internal();
        let sorted = order(Graph { starts: &starts, inputs: &within }, |_| 0, roots.iter().copied());
        let mut place = vec![u32::MAX; self.specs.len()];
        sorted.iter().enumerate().for_each(|(at, t)| place[*t as usize] = at as u32);
        let results: Vec<Requested> = requested
            .into_iter()
            .map(|r| match r {
                Requested::Task(t) => Requested::Task(place[t as usize]),
                other => other,
            })
            .collect();
        let plain = results.iter().filter_map(|r| if let Requested::Task(t) = r { Some(*t) } else { None });
        let mut needed: HashSet<u32> = plain.collect();
        let mut wanted: Vec<u32> = roots.iter().map(|t| place[*t as usize]).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let here = self.form == Form::Live;
        let mut places: HashMap<u32, Vec<Place>> =
            std::mem::take(&mut self.places).into_iter().map(|(t, p)| (place[t as usize], p)).collect();
        if here && !places.is_empty() {
            for t in &sorted {
                let t = *t as usize;
                let inputs = &within[starts[t] as usize..starts[t + 1] as usize];
                needed.extend(inputs.iter().map(|i| place[*i as usize]).filter(|i| places.contains_key(i)));
            }
        }
        let mut placed = |t: u32| {
            if here { (places.remove(&t).unwrap_or_default(), needed.contains(&t)) } else { (vec![], true) }
        };
        let (parts, live) =
            Emitter::new(self.dsk.py(), keep, annotated).emit(self, &sorted, &place, &wanted, &mut placed)?;
        Ok(Built { parts, live, results, places })
    }

    /// The inputs that are tasks of this graph.
    fn internal(&self) -> (Vec<u32>, Vec<u32>) {
        if self.external.is_empty() {
            return (self.starts.clone(), self.inputs.clone());
        }
        let (mut starts, mut inputs) = (vec![0], vec![]);
        for t in self.starts.windows(2) {
            inputs.extend(self.inputs[t[0] as usize..t[1] as usize].iter().filter(|&&i| i & EXTERNAL == 0));
            starts.push(inputs.len() as u32);
        }
        (starts, inputs)
    }
}

/// Writes tasks in their order as parts of a plan.
struct Emitter<'a, 'py> {
    py: Python<'py>,
    keep: bool,
    annotated: &'a Annotated<'py>,
    names: Names,
    /// Names that earlier parts had.
    named: usize,
    recipes: QuickMap<Recipe, Arc<Native>>,
    /// Templates by prefix, inputs, body and set of annotations.
    templates: QuickMap<(u32, u32, u32, u32), u32>,
    live: Vec<Value>,
}

impl<'a, 'py> Emitter<'a, 'py> {
    fn new(py: Python<'py>, keep: bool, annotated: &'a Annotated<'py>) -> Emitter<'a, 'py> {
        let (names, recipes, templates, live) = Default::default();
        Emitter { py, keep, annotated, names, named: 0, recipes, templates, live }
    }

    fn emit(
        mut self,
        builder: Builder<'_, 'py>,
        sorted: &[u32],
        place: &[u32],
        wanted: &[u32],
        placed: &mut dyn FnMut(u32) -> (Vec<Place>, bool),
    ) -> PyResult<(Vec<Part>, Vec<Value>)> {
        let mut takers = builder.takers();
        let Builder { form, mut specs, keys, starts, inputs, external, .. } = builder;
        let mut shipping = match form {
            Form::Live => None,
            Form::Sent => Some(Shipping::new(sorted.iter().filter_map(|t| specs[*t as usize].as_ref()))),
        };
        let size = if shipping.is_some() { PART } else { sorted.len().max(1) };
        let mut parts = vec![];
        let mut rest = wanted;
        // Whoever gets a result alone may edit it.
        wanted.iter().for_each(|t| takers[sorted[*t as usize] as usize] += 1);
        let store = names(self.py)?.store.bind(self.py);
        let mut first = 0;
        while first < sorted.len() {
            let mut columns = Columns::default();
            let mut part = Part { version: VERSION, ..Part::default() };
            // Each part numbers the results of other jobs that it takes for itself.
            let mut foreign: HashMap<u32, u32> = HashMap::new();
            let (mut end, mut bytes) = (first, 0);
            while end < sorted.len().min(first + size) && bytes < PART_BYTES {
                let (at, t) = (end, sorted[end] as usize);
                end += 1;
                let mine = &inputs[starts[t] as usize..starts[t + 1] as usize];
                // What `da.store` writes into is meant: a target that a task makes in this process.
                let stores = || form == Form::Live && specs[t].as_ref().is_some_and(|s| s.calls(store));
                let is_kept = |i: u32| i & EXTERNAL != 0 || (takers[i as usize] > 1 && !stores());
                let kept: Vec<usize> = (0..mine.len()).filter(|&i| is_kept(mine[i])).collect();
                let (name, ndim) = self.names.key(&keys[t], &mut columns.index)?;
                let body = match (&mut shipping, &specs[t]) {
                    (Some(shipping), Some(spec)) => {
                        let lowered = recipe::lower(self.py, spec, mine.len()).ok();
                        // What runs native only reads its inputs.
                        let kept = if lowered.is_some() { &[] } else { kept.as_slice() };
                        let (body, blob) = shipping.write(self.py, spec, kept, lowered)?;
                        bytes += blob.len();
                        part.blobs.push(blob.into());
                        body
                    }
                    _ => 0,
                };
                // The specs of calls that are written stay until all are.
                if shipping.is_none()
                    && let Some(spec) = specs[t].take()
                {
                    let (places, needed) = placed(at as u32);
                    self.live(spec, mine.len(), kept, places, needed);
                }
                let call = || shipping.as_ref().map_or(vec![], |shipping| shipping.body(body).to_vec());
                let set = self.annotated.of(&keys[t])?;
                let same = (self.names.prefix(name), mine.len() as u32, body, set);
                let template = self.template(&mut part.templates, same, call);
                columns.kind(TaskKind { template, name, ndim });
                for &input in mine {
                    columns.inputs.push(if input & EXTERNAL == 0 {
                        place[input as usize]
                    } else {
                        let next = part.external.len() as u32;
                        let number = *foreign.entry(input).or_insert(next);
                        if number == next {
                            part.external.push(external[(input & !EXTERNAL) as usize].clone());
                        }
                        EXTERNAL | number
                    });
                }
                columns.blobs.push(at as u32);
            }
            part.blocks.push(columns.block(end - first));
            part.names = self.names.names[self.named..].to_vec();
            self.named = self.names.names.len();
            let (here, later) = rest.split_at(rest.partition_point(|t| (*t as usize) < end));
            rest = later;
            if !here.is_empty() {
                part.outputs.push(self.output(here));
            }
            parts.push(part);
            first = end;
        }
        if let Some(last) = parts.last_mut() {
            last.last = true;
        }
        Ok((parts, self.live))
    }

    /// Keeps a call for this process.
    fn live(&mut self, spec: Spec, inputs: usize, kept: Vec<usize>, places: Vec<Place>, needed: bool) {
        let native = recipe::lower(self.py, &spec, inputs).ok().map(|lowered| {
            let recipe::Lowered { recipe, literals, numbers } = lowered;
            let native = self.recipes.entry(recipe).or_insert_with_key(|r| Arc::new(Native::new(r.clone())));
            LiveNative { native: Arc::clone(native), literals, numbers }
        });
        self.live.push(Value::Foreign(Arc::new(Live { spec, kept, native, places, needed })));
    }

    /// The template of the tasks that have the same prefix, number of inputs, body and set of annotations.
    fn template(
        &mut self,
        templates: &mut Vec<Template>,
        same: (u32, u32, u32, u32),
        call: impl FnOnce() -> Vec<u8>,
    ) -> u32 {
        let (prefix, inputs, _, set) = same;
        let next = self.templates.len() as u32;
        let number = *self.templates.entry(same).or_insert(next);
        if number == next {
            templates.push(Template {
                name: self.names.prefixes[prefix as usize].clone(),
                body: Body::Python(Call { inputs: inputs + 1, call: call(), tolerant: self.keep }),
                nbytes: 0,
                scratch: 0,
                annotations: self.annotated.set(set),
            });
        }
        number
    }

    fn output(&self, tasks: &[u32]) -> Output {
        Output {
            name: "result".into(),
            to: if self.keep { Sink::Keep } else { Sink::Json { path: None } },
            dtype: DType::UInt8,
            chunks: vec![],
            tasks: u32s(tasks.iter().copied()),
        }
    }
}

/// The columns of a block in the making.
#[derive(Default)]
struct Columns {
    kinds: Vec<TaskKind>,
    kind_of: HashMap<TaskKind, u32>,
    kind: Vec<u32>,
    index: Vec<u32>,
    inputs: Vec<u32>,
    blobs: Vec<u32>,
}

impl Columns {
    fn kind(&mut self, kind: TaskKind) {
        let next = self.kinds.len() as u32;
        let number = *self.kind_of.entry(kind).or_insert(next);
        if number == next {
            self.kinds.push(kind);
        }
        self.kind.push(number);
    }

    fn block(self, count: usize) -> Block {
        let mut block = Block { count: count as u32, ..Block::default() };
        if let [one] = self.kinds[..] {
            (block.template, block.name, block.ndim) = (one.template, one.name, one.ndim);
        } else {
            block.kinds = self.kinds;
            block.kind = u32s(self.kind);
        }
        block.index = u32s(self.index);
        block.inputs = u32s(self.inputs);
        block.blobs = u32s(self.blobs);
        block
    }
}

/// Key names, interned, and what Dask shows of them.
#[derive(Default)]
pub(crate) struct Names {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
    prefixes: Vec<String>,
    prefix_numbers: HashMap<String, u32>,
    /// The prefix of each name.
    of: Vec<u32>,
}

impl Names {
    /// The name of a key, and how many indices were added to `index`: a tuple of a string and small numbers has them, any
    /// other key is its own text.
    fn key(&mut self, key: &Bound<'_, PyAny>, index: &mut Vec<u32>) -> PyResult<(u32, u32)> {
        if let Ok(text) = key.cast::<PyString>() {
            return Ok((self.intern(&text.to_string_lossy()), 0));
        }
        let before = index.len();
        if let Ok(tuple) = key.cast::<PyTuple>()
            && let Ok(name) = tuple.get_borrowed_item(0)
            && let Ok(name) = name.cast::<PyString>()
        {
            let rest: Option<Vec<u32>> = tuple.iter().skip(1).map(|i| i.extract().ok()).collect();
            if let Some(rest) = rest {
                index.extend(rest);
                return Ok((self.intern(&name.to_string_lossy()), (index.len() - before) as u32));
            }
        }
        let text = key.repr()?.to_string_lossy().into_owned();
        Ok((self.intern(&text), 0))
    }

    fn intern(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.into());
        self.numbers.insert(name.into(), number);
        let prefix = split(name);
        let prefix_number = match self.prefix_numbers.get(prefix) {
            Some(number) => *number,
            None => {
                self.prefixes.push(prefix.into());
                self.prefix_numbers.insert(prefix.into(), self.prefixes.len() as u32 - 1);
                self.prefixes.len() as u32 - 1
            }
        };
        self.of.push(prefix_number);
        number
    }

    fn prefix(&self, name: u32) -> u32 {
        self.of[name as usize]
    }
}

/// A key's name without its token: `sum-aggregate` of `sum-aggregate-5b1e…`, as Dask's `key_split` has it.
fn split(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((prefix, token))
            if !prefix.is_empty()
                && (token.len() >= 8 && token.bytes().all(|b| b.is_ascii_hexdigit()) || is_number(token)) =>
        {
            split(prefix)
        }
        _ => name,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}
