//! Runs programs.

use crate::fuse::graph::{Graph, NodeId};
use crate::fuse::lower;
use crate::fuse::prepare::Prepass;
use crate::value::Value;
use crate::{ops, reduce};
use dask_plan::program::{Op, Program};
use dask_plan::text::size;
use smallvec::SmallVec;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a program may use besides its inputs.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Directories below which files are read and written. Relative paths are tried in each.
    pub data_dirs: Vec<PathBuf>,
    /// Whose they are, for messages; empty for the command that the user typed.
    pub owner: String,
    /// Set to stop at the next tile.
    pub cancelled: Arc<AtomicBool>,
}

impl Context {
    /// # Errors
    /// [`Error::Cancelled`] when the caller gave up; kernels ask once a tile.
    pub fn check(&self) -> Result<(), Error> {
        if self.cancelled.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// Why a program failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Operands that the operator does not take: says which and why.
    #[error("{0}")]
    Operand(String),
    /// An index out of range, a division by zero in an index, …
    #[error("{0}")]
    Value(String),
    /// A file that cannot be read or written: names it.
    #[error("{path}: {message}")]
    File {
        /// As the user wrote it.
        path: String,
        /// What went wrong and what would help.
        message: String,
    },
    /// The result would not fit into any process here.
    #[error(
        "the result of {op} would take {}, but this machine has {} of memory; use smaller chunks",
        size(*bytes),
        size(*memory)
    )]
    TooLarge {
        /// Operator's name.
        op: &'static str,
        /// Bytes, saturating.
        bytes: u64,
        /// Bytes of memory in this machine.
        memory: u64,
    },
    /// The caller gave up.
    #[error("cancelled")]
    Cancelled,
}

/// A program made ready to run many times: checked, equal instructions merged, dead ones dropped.
///
/// Elementwise instructions are not run one by one: they grow expressions, which are evaluated tile by tile when an
/// operator, a reduction or the caller needs a value.
#[derive(Debug)]
pub struct Prepared {
    program: Program,
    prepass: Prepass,
}

/// A value of the program, while it runs.
enum Held {
    Node(NodeId),
    Tuple(Value),
}

impl Prepared {
    /// # Errors
    /// When values or arguments are used before they exist.
    pub fn new(program: Program) -> Result<Prepared, Error> {
        program.check().map_err(Error::Operand)?;
        let prepass = Prepass::new(&program);
        Ok(Prepared { program, prepass })
    }

    /// Runs it on a task's inputs and arguments.
    ///
    /// Inputs that nobody else holds may be overwritten in place.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn run(&self, inputs: Vec<Value>, args: &[i64], context: &Context) -> Result<Value, Error> {
        context.check()?;
        let Program { inputs: expected, args: numbers, body } = &self.program;
        if inputs.len() != *expected as usize || args.len() != *numbers as usize {
            return Err(Error::Operand(format!(
                "a program of {expected} inputs and {numbers} arguments was given {} and {}",
                inputs.len(),
                args.len()
            )));
        }
        let mut scope = Scope { graph: Graph::new(context), values: SmallVec::new(), prepass: &self.prepass };
        for (n, input) in inputs.into_iter().enumerate() {
            scope.push(native(n, input)?);
        }
        for instr in body {
            match self.prepass.is_live(scope.values.len()) {
                false => scope.values.push(None),
                true => {
                    let of: SmallVec<[usize; 4]> =
                        instr.of.iter().map(|&v| self.prepass.canonical(v as usize)).collect();
                    scope.step(&instr.op, &of, args)?;
                }
            }
        }
        scope.take(self.prepass.result())
    }
}

/// An input of a program: arrays of the host by their memory.
fn native(n: usize, value: Value) -> Result<Value, Error> {
    match value {
        Value::Foreign(foreign) => match foreign.chunk() {
            Some(chunk) => Ok(Value::Array(chunk)),
            None => Err(Error::Operand(format!("input {n} is {}, not an array", foreign.describe()))),
        },
        value => Ok(value),
    }
}

/// The values of a program while it runs.
struct Scope<'a> {
    graph: Graph<'a>,
    values: SmallVec<[Option<Held>; 4]>,
    prepass: &'a Prepass,
}

impl Scope<'_> {
    /// Enters the next value.
    fn push(&mut self, value: Value) {
        let uses = self.prepass.uses(self.values.len());
        let held = (uses > 0).then(|| match value {
            Value::Array(chunk) => {
                let node = self.graph.leaf(chunk);
                self.graph.retain(node, uses);
                Held::Node(node)
            }
            tuple => Held::Tuple(tuple),
        });
        self.values.push(held);
    }

    /// Enters the next value as an expression.
    fn push_node(&mut self, node: NodeId) {
        self.graph.retain(node, self.prepass.uses(self.values.len()));
        self.values.push(Some(Held::Node(node)));
    }

    /// The expression of an operand, which must be an array.
    fn node(&self, op: &Op, v: usize) -> Result<NodeId, Error> {
        match &self.values[v] {
            Some(Held::Node(node)) => Ok(*node),
            _ => Err(Error::Operand(format!("{}: operand {v} is a tuple, not an array", lower::name(op)))),
        }
    }

    /// One use of a value, computed.
    fn take(&mut self, v: usize) -> Result<Value, Error> {
        match &self.values[v] {
            Some(Held::Node(node)) => Ok(Value::Array(self.graph.take(*node)?)),
            Some(Held::Tuple(tuple)) => Ok(tuple.clone()),
            None => Err(Error::Operand(format!("value {v} is used more often than was counted"))),
        }
    }

    /// Runs one instruction, or notes it down when it is elementwise.
    fn step(&mut self, op: &Op, of: &[usize], args: &[i64]) -> Result<(), Error> {
        if lower::is_elementwise(op) {
            let operands = of.iter().map(|&o| self.node(op, o)).collect::<Result<SmallVec<[_; 4]>, _>>()?;
            let node = lower::elementwise(&mut self.graph, op, &operands)?;
            self.push_node(node);
            operands.iter().for_each(|&o| self.graph.release(o));
            return Ok(());
        }
        if op.is_view()
            && let [x] = of
        {
            let x = self.node(op, *x)?;
            let context = self.graph.context();
            let node = self.graph.view(
                x,
                &|chunk| match ops::run(op, vec![Value::Array(chunk)], args, context)? {
                    Value::Array(chunk) => Ok(chunk),
                    _ => Err(Error::Operand(format!("{}: not a view", lower::name(op)))),
                },
                matches!(op, Op::BroadcastTo { .. }),
            )?;
            self.push_node(node);
            self.graph.release(x);
            return Ok(());
        }
        let value = if op.is_streamed()
            && let [x] = of
        {
            let x = self.node(op, *x)?;
            reduce::run(&mut self.graph, op, x, args)?
        } else {
            let nodes = of.iter().filter_map(|&o| match &self.values[o] {
                Some(Held::Node(node)) => Some(*node),
                _ => None,
            });
            self.graph.evaluate_together(&nodes.collect::<Vec<_>>())?;
            let operands = of.iter().map(|&o| self.take(o)).collect::<Result<Vec<_>, _>>()?;
            match reduce::merge(op, operands)? {
                Ok(value) => value,
                Err(operands) => ops::run(op, operands, args, self.graph.context())?,
            }
        };
        self.push(value);
        Ok(())
    }
}
