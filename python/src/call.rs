//! Python calls: what a task's function is and where its arguments come from, and the lane that makes them.

use crate::names::names;
use crate::value::{self, Object};
use dask_array::{Chunk, Foreign, Value};
use dask_plan::plan::Python as Body;
use dask_runtime::worker::{Call, Engine, Lane, Trouble};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Where an argument comes from.
pub(crate) enum Argument {
    /// The task's input of this index.
    Input(usize),
    /// Itself.
    Literal(Py<PyAny>),
    /// A call within the task.
    Call(Box<Spec>),
}

/// A function and its arguments.
pub(crate) struct Spec {
    pub(crate) function: Function,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) keywords: Vec<(Py<PyAny>, Argument)>,
}

/// What is called.
pub(crate) enum Function {
    /// An object.
    Object(Py<PyAny>),
    /// Nothing: the arguments as a list.
    List,
    /// A graph node of a kind that this crate does not know: with a dict of its inputs, whose keys are the arguments in turn.
    Node(Py<PyAny>, Vec<Py<PyAny>>),
    /// Nothing: the one argument.
    Identity,
}

impl Spec {
    fn call<'py>(&self, py: Python<'py>, inputs: &[Bound<'py, PyAny>]) -> PyResult<Bound<'py, PyAny>> {
        let mut arguments = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            arguments.push(argument.get(py, inputs)?);
        }
        match &self.function {
            Function::Object(function) => {
                let function = function.bind(py);
                if self.keywords.is_empty() {
                    return match &arguments[..] {
                        [] => function.call0(),
                        [one] => function.call1((one,)),
                        [one, two] => function.call1((one, two)),
                        _ => function.call1(PyTuple::new(py, arguments)?),
                    };
                }
                let keywords = PyDict::new(py);
                for (name, argument) in &self.keywords {
                    keywords.set_item(name, argument.get(py, inputs)?)?;
                }
                function.call(PyTuple::new(py, arguments)?, Some(&keywords))
            }
            Function::List => Ok(PyList::new(py, arguments)?.into_any()),
            Function::Node(node, keys) => {
                let values = PyDict::new(py);
                for (key, value) in keys.iter().zip(arguments) {
                    values.set_item(key, value)?;
                }
                node.bind(py).call1((values,))
            }
            Function::Identity => {
                let missing = || pyo3::exceptions::PyRuntimeError::new_err("an alias of nothing");
                arguments.into_iter().next().ok_or_else(missing)
            }
        }
    }
}

impl Argument {
    fn get<'py>(&self, py: Python<'py>, inputs: &[Bound<'py, PyAny>]) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Argument::Input(i) => Ok(inputs[*i].clone()),
            Argument::Literal(object) => Ok(object.bind(py).clone()),
            Argument::Call(spec) => spec.call(py, inputs),
        }
    }
}

/// A call as the blob of its task, in the process that made it.
pub(crate) struct Live(pub(crate) Spec);

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a call of {} arguments", self.0.arguments.len())
    }
}

impl Foreign for Live {
    fn held_bytes(&self) -> usize {
        0
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    fn chunk(&self) -> Option<Chunk> {
        None
    }

    fn pack(&self) -> Result<Vec<Chunk>, String> {
        Err("a call that was made for this process".into())
    }

    fn any(&self) -> &dyn Any {
        self
    }
}

/// Makes calls in this process.
pub(crate) struct PythonLane;

impl Lane for PythonLane {
    fn thread(&self, engine: &Arc<Engine>, run: &mut dyn FnMut()) {
        crate::wait::compute_for(Some(Arc::clone(engine)));
        // Attaching anew for each call would make and destroy a thread state each time, which costs more than most calls.
        let mut run = Send(run);
        Python::attach(|py| py.detach(move || (run.take())()));
        crate::wait::compute_for(None);
    }

    fn idle(&self) {
        // Objects that were dropped without the interpreter are freed when a thread comes back to it.
        Python::attach(|_| ());
    }

    fn prepare(&self, body: &Body) -> Result<Arc<dyn Call>, String> {
        if body.call.is_empty() { Ok(Arc::new(LiveCall)) } else { Err("a pickled call".into()) }
    }
}

/// A closure that stays on its thread.
struct Send<'a>(&'a mut dyn FnMut());
// SAFETY: `detach` runs it on the calling thread; PyO3 asks for `Send` lest values bound to the interpreter slip through, and
// the compute loop holds none.
#[allow(unsafe_code)]
unsafe impl std::marker::Send for Send<'_> {}
impl<'a> Send<'a> {
    fn take(&mut self) -> &mut (dyn FnMut() + 'a) {
        &mut self.0
    }
}

/// Runs the call that the task's blob is.
struct LiveCall;

impl Call for LiveCall {
    fn run(&self, mut inputs: Vec<Value>) -> Result<Value, Trouble> {
        let blob = inputs.pop();
        let live = match &blob {
            Some(Value::Foreign(foreign)) => foreign.any().downcast_ref::<Live>(),
            _ => None,
        };
        let Some(Live(spec)) = live else { return Err(Trouble::from("a task without its call".to_string())) };
        Python::attach(|py| {
            let objects = inputs.iter().map(|v| value::object(py, v)).collect::<PyResult<Vec<_>>>();
            let result = objects.and_then(|objects| spec.call(py, &objects));
            match result {
                Ok(object) => Ok(Object::value(&object)),
                Err(error) => Err(trouble(py, error)),
            }
        })
    }
}

/// An exception as a task's failure.
pub(crate) fn trouble(py: Python<'_>, error: PyErr) -> Trouble {
    let name = error.get_type(py).name().map_or_else(|_| "an exception".into(), |n| n.to_string());
    let value = error.into_value(py).into_bound(py);
    let text = value.str().map_or_else(|_| String::new(), |s| s.to_string());
    let error_text = if text.is_empty() { name } else { format!("{name}: {text}") };
    // The traceback is part of the value.
    Trouble { error: error_text, cause: Some(Object::value(value.as_any())) }
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
        return Ok(Node::Reference(object.getattr("key")?));
    }
    if kind.is(names.task.bind(py)) {
        return Ok(Node::Call(object.clone()));
    }
    if kind.is(names.alias.bind(py)) {
        return Ok(Node::Reference(object.getattr("target")?));
    }
    if kind.is(names.data_node.bind(py)) {
        return Ok(Node::Data(object.getattr("value")?));
    }
    if object.is_instance(names.graph_node.bind(py))? {
        return Ok(Node::Call(object.clone()));
    }
    if object.is_instance(names.task_ref.bind(py))? {
        return Ok(Node::Reference(object.getattr("key")?));
    }
    Ok(Node::Literal)
}

/// A task's call. `input` numbers the keys that it refers to.
///
/// # Errors
/// When the node is malformed.
pub(crate) fn spec<'py>(
    task: &Bound<'py, PyAny>,
    input: &mut dyn FnMut(&Bound<'py, PyAny>) -> PyResult<Argument>,
) -> PyResult<Spec> {
    let py = task.py();
    let names = names(py)?;
    let kind = task.get_type();
    let is_task = kind.is(names.task.bind(py));
    if !is_task && !task.is_instance(names.task.bind(py))? {
        // Some other node: it is called as Dask does it.
        let keys: Vec<Py<PyAny>> =
            task.getattr("dependencies")?.try_iter()?.map(|k| k.map(Bound::unbind)).collect::<PyResult<_>>()?;
        let arguments = keys.iter().map(|k| input(k.bind(py))).collect::<PyResult<_>>()?;
        return Ok(Spec {
            function: Function::Node(task.clone().unbind(), keys),
            arguments,
            keywords: vec![],
        });
    }
    let mut argument = |object: Bound<'py, PyAny>| -> PyResult<Argument> {
        match node(&object)? {
            Node::Reference(key) => input(&key),
            Node::Data(value) => Ok(Argument::Literal(value.unbind())),
            Node::Call(task) => Ok(Argument::Call(Box::new(spec(&task, input)?))),
            Node::Literal => Ok(Argument::Literal(object.unbind())),
        }
    };
    let arguments =
        task.getattr("args")?.try_iter()?.map(|a| argument(a?)).collect::<PyResult<Vec<_>>>()?;
    if kind.is(names.list.bind(py)) {
        return Ok(Spec { function: Function::List, arguments, keywords: vec![] });
    }
    let given = task.getattr("kwargs")?;
    let given = given.cast::<PyDict>()?;
    let mut keywords = Vec::with_capacity(given.len());
    for (name, value) in given.iter() {
        keywords.push((name.unbind(), argument(value)?));
    }
    Ok(Spec { function: Function::Object(task.getattr("func")?.unbind()), arguments, keywords })
}
