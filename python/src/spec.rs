//! What a task does, as steps: Dask's nested calls and fused subgraphs, laid out flat.

use crate::names::names;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict, PyList, PyTuple, PyType};

/// Where an argument comes from.
pub(crate) enum Argument {
    /// The task's input of this index.
    Input(usize),
    /// An earlier step's result.
    Step(usize),
    /// Itself.
    Literal(Py<PyAny>),
    /// Of the literals in which tasks of one body differ, the one of this index.
    Own(usize),
}

impl Argument {
    fn copy(&self, py: Python<'_>) -> Argument {
        match self {
            Argument::Input(i) => Argument::Input(*i),
            Argument::Step(i) => Argument::Step(*i),
            Argument::Literal(object) => Argument::Literal(object.clone_ref(py)),
            Argument::Own(i) => Argument::Own(*i),
        }
    }
}

/// What a step calls.
pub(crate) enum Function {
    /// An object.
    Object(Py<PyAny>),
    /// Of the task's own literals, the one of this index.
    Own(usize),
    /// Nothing: the arguments as a list.
    List,
    /// A graph node of a kind that this crate does not know: with a dict of its inputs, whose keys are the arguments in turn.
    Node(Py<PyAny>, Vec<Py<PyAny>>),
    /// The same where node and keys are literals of the task's own.
    OwnNode(usize, Vec<usize>),
}

/// One call.
pub(crate) struct Step {
    pub(crate) function: Function,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) keywords: Vec<(Py<PyAny>, Argument)>,
    /// Results of earlier steps that nothing uses after this one.
    pub(crate) last: Vec<usize>,
}

/// Calls in order; what the task yields.
pub(crate) struct Spec {
    pub(crate) steps: Vec<Step>,
    pub(crate) result: Argument,
}

/// Which of Dask's graph nodes an object is.
pub(crate) enum Node<'py> {
    /// A reference to another key.
    Reference(Bound<'py, PyAny>),
    /// Data.
    Data(Bound<'py, PyAny>),
    /// Something to be called.
    Call(Bound<'py, PyAny>),
    /// No node.
    Literal,
}

/// What Dask's graphs mean by an object.
///
/// # Errors
/// When one of its attributes cannot be read.
pub(crate) fn node<'py>(object: &Bound<'py, PyAny>) -> PyResult<Node<'py>> {
    let py = object.py();
    let names = names(py)?;
    let kind = object.get_type();
    if kind.is(names.task_ref.bind(py)) {
        Ok(Node::Reference(object.getattr(intern!(py, "key"))?))
    } else if kind.is(names.task.bind(py)) {
        Ok(Node::Call(object.clone()))
    } else if kind.is(names.alias.bind(py)) {
        Ok(Node::Reference(object.getattr(intern!(py, "target"))?))
    } else if kind.is(names.data_node.bind(py)) {
        Ok(Node::Data(object.getattr(intern!(py, "value"))?))
    } else if derives(&kind, names.graph_node.bind(py)) {
        Ok(Node::Call(object.clone()))
    } else if derives(&kind, names.task_ref.bind(py)) {
        Ok(Node::Reference(object.getattr(intern!(py, "key"))?))
    } else {
        Ok(Node::Literal)
    }
}

/// Whether a type is another or derives from it. `isinstance` asks more of most objects, which are no nodes.
fn derives(kind: &Bound<'_, PyType>, of: &Bound<'_, PyType>) -> bool {
    // SAFETY: both are types, and live.
    #[allow(unsafe_code)]
    unsafe {
        pyo3::ffi::PyType_IsSubtype(kind.as_type_ptr(), of.as_type_ptr()) != 0
    }
}

/// Finds what stands at a key outside of the task.
pub(crate) type Outside<'a, 'py> = dyn FnMut(&Bound<'py, PyAny>) -> PyResult<Argument> + 'a;

/// A fused subgraph, while its keys are looked up.
struct Scope<'py> {
    graph: Bound<'py, PyDict>,
    /// Key → place in `found`.
    known: Bound<'py, PyDict>,
    found: Vec<Argument>,
}

/// Subgraphs within subgraphs at most; deeper ones are called as Dask calls them.
const DEEPEST: usize = 32;

/// Nodes within a node at most, for the same reason: this walks them by recursion.
const LONGEST: usize = 400;

struct Compiler<'a, 'b, 'py> {
    steps: Vec<Step>,
    outside: &'a mut Outside<'b, 'py>,
    scopes: Vec<Scope<'py>>,
    depth: usize,
}

/// The steps of a task. `outside` finds the keys that it refers to.
///
/// # Errors
/// When a node is malformed, or `outside` fails.
pub(crate) fn compile<'py>(task: &Bound<'py, PyAny>, outside: &mut Outside<'_, 'py>) -> PyResult<Spec> {
    let mut compiler = Compiler { steps: vec![], outside, scopes: vec![], depth: 0 };
    let result = compiler.call(task)?;
    let mut spec = Spec { steps: compiler.steps, result };
    spec.mark_last();
    Ok(spec)
}

impl<'py> Compiler<'_, '_, 'py> {
    /// What a node or a plain object yields.
    fn argument(&mut self, object: &Bound<'py, PyAny>) -> PyResult<Argument> {
        match node(object)? {
            Node::Reference(key) => self.reference(&key),
            Node::Data(value) => Ok(Argument::Literal(value.unbind())),
            Node::Call(task) => self.call(&task),
            Node::Literal => Ok(Argument::Literal(object.clone().unbind())),
        }
    }

    fn reference(&mut self, key: &Bound<'py, PyAny>) -> PyResult<Argument> {
        let py = key.py();
        let Some(scope) = self.scopes.last() else { return (self.outside)(key) };
        if let Some(at) = scope.known.get_item(key)? {
            if at.is_none() {
                return Err(PyRuntimeError::new_err(format!(
                    "a fused task has a cycle through {}",
                    key.repr()?
                )));
            }
            return Ok(scope.found[at.extract::<usize>()?].copy(py));
        }
        let Some(node) = scope.graph.get_item(key)? else {
            return Err(PyRuntimeError::new_err(format!("a fused task lacks the key {}", key.repr()?)));
        };
        scope.known.set_item(key, py.None())?;
        let depth = self.scopes.len();
        let found = self.argument(&node)?;
        let scope = &mut self.scopes[depth - 1];
        scope.known.set_item(key, scope.found.len())?;
        scope.found.push(found.copy(py));
        Ok(found)
    }

    fn call(&mut self, task: &Bound<'py, PyAny>) -> PyResult<Argument> {
        self.depth += 1;
        let result = if self.depth > LONGEST { self.whole(task) } else { self.parts(task) };
        self.depth -= 1;
        result
    }

    /// A node that is called as Dask calls it.
    fn whole(&mut self, task: &Bound<'py, PyAny>) -> PyResult<Argument> {
        let py = task.py();
        let keys: Vec<Bound<'py, PyAny>> =
            task.getattr(intern!(py, "dependencies"))?.try_iter()?.collect::<PyResult<_>>()?;
        let arguments = keys.iter().map(|k| self.reference(k)).collect::<PyResult<_>>()?;
        let keys = keys.into_iter().map(Bound::unbind).collect();
        Ok(self.push(Function::Node(task.clone().unbind(), keys), arguments, vec![]))
    }

    fn parts(&mut self, task: &Bound<'py, PyAny>) -> PyResult<Argument> {
        let py = task.py();
        let names = names(py)?;
        let kind = task.get_type();
        if !kind.is(names.task.bind(py)) && !task.is_instance(names.task.bind(py))? {
            return self.whole(task);
        }
        let args = task.getattr(intern!(py, "args"))?;
        if kind.is(names.list.bind(py)) {
            let arguments = self.arguments(&args)?;
            return Ok(self.push(Function::List, arguments, vec![]));
        }
        let function = task.getattr(intern!(py, "func"))?;
        if function.is(names.subgraph.bind(py)) && self.scopes.len() < DEEPEST {
            return self.subgraph(args.cast()?);
        }
        let arguments = self.arguments(&args)?;
        let given = task.getattr(intern!(py, "kwargs"))?;
        let given = given.cast::<PyDict>()?;
        let mut keywords = Vec::with_capacity(given.len());
        for (name, value) in given.iter() {
            keywords.push((name.unbind(), self.argument(&value)?));
        }
        // Dask's way to say `[a, b]` of what it converts.
        let is_list = function.is(names.cast.bind(py))
            && matches!(&keywords[..], [(_, Argument::Literal(kind))] if kind.bind(py).is(py.get_type::<PyList>()));
        if is_list {
            return Ok(self.push(Function::List, arguments, vec![]));
        }
        Ok(self.push(Function::Object(function.unbind()), arguments, keywords))
    }

    fn arguments(&mut self, args: &Bound<'py, PyAny>) -> PyResult<Vec<Argument>> {
        if let Ok(args) = args.cast_exact::<PyTuple>() {
            return args.iter().map(|a| self.argument(&a)).collect();
        }
        args.try_iter()?.map(|a| self.argument(&a?)).collect()
    }

    /// `_execute_subgraph(graph, outkey, inkeys, *dependencies)`
    fn subgraph(&mut self, args: &Bound<'py, PyTuple>) -> PyResult<Argument> {
        let py = args.py();
        let graph = args.get_item(0)?.cast_into::<PyDict>()?;
        let out = args.get_item(1)?;
        let known = PyDict::new(py);
        let mut found = vec![];
        for (at, key) in args.get_item(2)?.try_iter()?.enumerate() {
            found.push(self.argument(&args.get_item(at + 3)?)?);
            known.set_item(key?, at)?;
        }
        self.scopes.push(Scope { graph, known, found });
        let result = self.reference(&out);
        self.scopes.pop();
        result
    }

    fn push(
        &mut self,
        function: Function,
        arguments: Vec<Argument>,
        keywords: Vec<(Py<PyAny>, Argument)>,
    ) -> Argument {
        self.steps.push(Step { function, arguments, keywords, last: vec![] });
        Argument::Step(self.steps.len() - 1)
    }
}

impl Spec {
    /// Whether one of its calls is of this function.
    pub(crate) fn calls(&self, function: &Bound<'_, PyAny>) -> bool {
        self.steps.iter().any(|s| matches!(&s.function, Function::Object(f) if f.is(function)))
    }

    /// Yields a value as it is.
    pub(crate) fn identity(value: Argument) -> Spec {
        Spec { steps: vec![], result: value }
    }

    /// Notes after which step each result is not used any more.
    pub(crate) fn mark_last(&mut self) {
        let mut last = vec![0; self.steps.len()];
        for (at, step) in self.steps.iter().enumerate() {
            for argument in step.arguments.iter().chain(step.keywords.iter().map(|(_, a)| a)) {
                if let Argument::Step(of) = argument {
                    last[*of] = at;
                }
            }
        }
        if let Argument::Step(result) = &self.result {
            last[*result] = usize::MAX;
        }
        for (of, at) in last.into_iter().enumerate() {
            if at > of && at != usize::MAX {
                self.steps[at].last.push(of);
            }
        }
    }

    /// Makes the calls. `own` are the task's own literals.
    ///
    /// # Errors
    /// What they raise; KeyboardInterrupt when they are interrupted.
    pub(crate) fn run<'py>(
        &self,
        py: Python<'py>,
        inputs: Vec<Bound<'py, PyAny>>,
        own: &[Bound<'py, PyAny>],
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut results: Vec<Option<Bound<'py, PyAny>>> = Vec::with_capacity(self.steps.len());
        let missing = || PyRuntimeError::new_err("a step's result is used after it was dropped");
        for step in &self.steps {
            // Between calls of C functions the interpreter would not look.
            crate::interrupt::check(py)?;
            let get = |argument: &Argument| match argument {
                Argument::Input(i) => Ok(inputs[*i].clone()),
                Argument::Step(i) => results[*i].clone().ok_or_else(missing),
                Argument::Literal(object) => Ok(object.bind(py).clone()),
                Argument::Own(i) => literal(own, *i).cloned(),
            };
            let arguments = step.arguments.iter().map(get).collect::<PyResult<Vec<_>>>()?;
            let keywords = match &step.keywords[..] {
                [] => None,
                given => {
                    let keywords = PyDict::new(py);
                    for (name, argument) in given {
                        keywords.set_item(name, get(argument)?)?;
                    }
                    Some(keywords)
                }
            };
            for of in &step.last {
                results[*of] = None;
            }
            results.push(Some(step.function.call(py, own, arguments, keywords)?));
        }
        match &self.result {
            Argument::Input(i) => Ok(inputs[*i].clone()),
            Argument::Step(i) => results[*i].take().ok_or_else(missing),
            Argument::Literal(object) => Ok(object.bind(py).clone()),
            Argument::Own(i) => literal(own, *i).cloned(),
        }
    }
}

impl Function {
    /// `own` are the task's own literals.
    fn call<'py>(
        &self,
        py: Python<'py>,
        own: &[Bound<'py, PyAny>],
        arguments: Vec<Bound<'py, PyAny>>,
        keywords: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Function::Object(function) => invoke(function.bind(py), arguments, keywords),
            Function::Own(i) => invoke(literal(own, *i)?, arguments, keywords),
            Function::List => Ok(PyList::new(py, arguments)?.into_any()),
            Function::Node(node, keys) => {
                let keys = keys.iter().map(|k| k.bind(py).clone());
                node.bind(py).call1((keys.zip(arguments).into_py_dict(py)?,))
            }
            Function::OwnNode(node, keys) => {
                let keys = keys.iter().map(|k| literal(own, *k).cloned()).collect::<PyResult<Vec<_>>>()?;
                literal(own, *node)?.call1((keys.into_iter().zip(arguments).into_py_dict(py)?,))
            }
        }
    }
}

fn literal<'a, 'py>(own: &'a [Bound<'py, PyAny>], at: usize) -> PyResult<&'a Bound<'py, PyAny>> {
    own.get(at).ok_or_else(|| PyRuntimeError::new_err("a call without one of its literals"))
}

fn invoke<'py>(
    function: &Bound<'py, PyAny>,
    arguments: Vec<Bound<'py, PyAny>>,
    keywords: Option<Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    match (&arguments[..], keywords) {
        ([], None) => function.call0(),
        ([one], None) => function.call1((one,)),
        ([one, two], None) => function.call1((one, two)),
        (_, keywords) => function.call(PyTuple::new(function.py(), arguments)?, keywords.as_ref()),
    }
}
