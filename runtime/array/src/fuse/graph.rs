//! Expressions that are not evaluated yet.

use crate::chunk::{Chunk, Shape, checked_nbytes};
use crate::elementwise::kernel::Kernel;
use crate::fuse::group::{self, Group, Step};
use crate::fuse::small;
use crate::reduce::Sink;
use crate::run::{Context, Error};
use dask_plan::DType;
use dask_plan::infer::broadcast;
use smallvec::SmallVec;
use std::collections::{BTreeMap, HashMap};

/// The number of a node; operands have lower numbers.
pub(crate) type NodeId = usize;

struct Node {
    dtype: DType,
    shape: Shape,
    /// Consumers to come: uses by the program, and nodes that are not evaluated yet.
    pending: u32,
    kind: Kind,
}

enum Kind {
    /// An array that is there.
    Leaf(Chunk),
    /// A kernel over operands: nodes of the same shape, or leaves that broadcast to it.
    Compute { kernel: Kernel, args: Vec<NodeId> },
    /// Consumed.
    Done,
}

/// Expressions over arrays. Nodes that nobody will ask for again let go of their memory.
pub(crate) struct Graph<'a> {
    nodes: SmallVec<[Node; 4]>,
    context: &'a Context,
}

impl<'a> Graph<'a> {
    /// Without nodes.
    pub(crate) fn new(context: &'a Context) -> Graph<'a> {
        Graph { nodes: SmallVec::new(), context }
    }

    /// What the program may use.
    pub(crate) fn context(&self) -> &'a Context {
        self.context
    }

    /// Element type of a node.
    pub(crate) fn dtype(&self, node: NodeId) -> DType {
        self.nodes[node].dtype
    }

    /// Shape of a node.
    pub(crate) fn shape(&self, node: NodeId) -> &[usize] {
        &self.nodes[node].shape
    }

    /// A node for an array that is there.
    pub(crate) fn leaf(&mut self, chunk: Chunk) -> NodeId {
        self.nodes.push(Node {
            dtype: chunk.dtype(),
            shape: chunk.shape().into(),
            pending: 0,
            kind: Kind::Leaf(chunk),
        });
        self.nodes.len() - 1
    }

    /// A node that runs a kernel, which yields `dtype`, over broadcast operands.
    ///
    /// # Errors
    /// When the operands do not broadcast, or the result would be too large.
    pub(crate) fn apply(
        &mut self,
        name: impl Fn() -> String,
        kernel: Kernel,
        args: &[NodeId],
        dtype: DType,
    ) -> Result<NodeId, Error> {
        let mut shape = Shape::from(self.shape(args[0]));
        for &arg in &args[1..] {
            if self.nodes[arg].shape == shape {
                continue;
            }
            shape = broadcast(&shape, self.shape(arg)).ok_or_else(|| {
                let shapes: Vec<_> = args.iter().map(|&a| format!("{:?}", self.shape(a))).collect();
                Error::Operand(format!("{}: shapes {} do not broadcast", name(), shapes.join(", ")))
            })?;
        }
        if checked_nbytes(&shape, dtype).is_none() {
            let bytes = shape.iter().fold(dtype.itemsize() as u64, |n, &d| n.saturating_mul(d as u64));
            let bytes = dask_plan::text::size(bytes);
            return Err(Error::Operand(format!(
                "{}: the result would take {bytes}; use smaller chunks",
                name()
            )));
        }
        if let Some(chunk) = self.at_once(kernel, args, dtype, &shape) {
            return Ok(self.leaf(chunk));
        }
        for &arg in args {
            // An operand that is repeated along an axis is computed once, not once a repetition.
            self.nodes[arg].pending += 1;
            if self.nodes[arg].shape != shape {
                self.evaluate(&[arg])?;
            }
        }
        self.nodes.push(Node {
            dtype,
            shape,
            pending: 0,
            kind: Kind::Compute { kernel, args: args.to_vec() },
        });
        Ok(self.nodes.len() - 1)
    }

    /// Runs a kernel over small operands that are there: planning tiles would take longer than the work.
    fn at_once(&self, kernel: Kernel, args: &[NodeId], dtype: DType, shape: &[usize]) -> Option<Chunk> {
        let mut operands: SmallVec<[&Chunk; 3]> = SmallVec::new();
        for &arg in args {
            match &self.nodes[arg].kind {
                Kind::Leaf(chunk) => operands.push(chunk),
                _ => return None,
            }
        }
        small::run(kernel, &operands, dtype, shape)
    }

    /// Announces `n` more consumers.
    pub(crate) fn retain(&mut self, node: NodeId, n: u32) {
        self.nodes[node].pending += n;
    }

    /// One consumer is done with a node.
    pub(crate) fn release(&mut self, node: NodeId) {
        let n = &mut self.nodes[node];
        n.pending -= 1;
        if n.pending == 0
            && let Kind::Compute { args, .. } = std::mem::replace(&mut n.kind, Kind::Done)
        {
            args.into_iter().for_each(|arg| self.release(arg));
        }
    }

    /// One use of a node, computed.
    pub(crate) fn take(&mut self, node: NodeId) -> Result<Chunk, Error> {
        self.evaluate(&[node])?;
        let chunk = self.array(node)?;
        self.release(node);
        Ok(chunk)
    }

    /// A node's array, computed; the node keeps it for consumers to come.
    ///
    /// # Errors
    /// When the caller gave up.
    pub(crate) fn peek(&mut self, node: NodeId) -> Result<Chunk, Error> {
        // Two consumers: this one, and one that is announced later.
        self.retain(node, 2);
        self.evaluate(&[node])?;
        let chunk = self.array(node)?;
        self.nodes[node].pending -= 2;
        Ok(chunk)
    }

    /// The array of an evaluated node; moved out for its last consumer, so that it may write in place.
    fn array(&mut self, node: NodeId) -> Result<Chunk, Error> {
        let n = &mut self.nodes[node];
        let last = n.pending <= 1;
        match &mut n.kind {
            Kind::Leaf(chunk) if !last => Ok(chunk.clone()),
            kind => match std::mem::replace(kind, Kind::Done) {
                Kind::Leaf(chunk) => Ok(chunk),
                _ => Err(Error::Operand("a value was used after its last use".into())),
            },
        }
    }

    /// A view of a node: `f` is applied to its array, or to every array that its expression reads when nobody
    /// else wants the expression.
    ///
    /// # Errors
    /// Those of `f`.
    pub(crate) fn view(
        &mut self,
        node: NodeId,
        f: &dyn Fn(Chunk) -> Result<Chunk, Error>,
        repeats: bool,
    ) -> Result<NodeId, Error> {
        if self.nodes[node].pending > 1 || repeats {
            self.evaluate(&[node])?;
        }
        if matches!(self.nodes[node].kind, Kind::Leaf(_)) {
            let chunk = self.array(node)?;
            let chunk = f(chunk)?;
            return Ok(self.leaf(chunk));
        }
        let shape = self.nodes[node].shape.clone();
        let mut viewed: HashMap<NodeId, NodeId> = HashMap::new();
        for old in self.reachable(&[node]) {
            let new = match &self.nodes[old].kind {
                // A scalar is itself from every side.
                Kind::Leaf(chunk) if chunk.ndim() == 0 && !shape.is_empty() => old,
                Kind::Leaf(chunk) => {
                    let chunk = f(chunk.broadcast_to(&shape))?;
                    self.leaf(chunk)
                }
                Kind::Compute { kernel, args } => {
                    let (kernel, args) = (*kernel, args.iter().map(|a| viewed[a]).collect::<Vec<_>>());
                    self.apply(|| "a view".into(), kernel, &args, self.nodes[old].dtype)?
                }
                Kind::Done => return Err(Error::Operand("a value was used after its last use".into())),
            };
            viewed.insert(old, new);
        }
        Ok(viewed[&node])
    }

    /// The nodes that these need and that are not evaluated, with the leaves they read, operands first.
    fn reachable(&self, roots: &[NodeId]) -> Vec<NodeId> {
        let mut seen = vec![false; self.nodes.len()];
        let mut stack = roots.to_vec();
        while let Some(node) = stack.pop() {
            if !std::mem::replace(&mut seen[node], true)
                && let Kind::Compute { args, .. } = &self.nodes[node].kind
            {
                stack.extend(args);
            }
        }
        (0..self.nodes.len()).filter(|&n| seen[n]).collect()
    }

    /// Evaluates nodes; those of one shape in one pass.
    ///
    /// # Errors
    /// When the caller gave up.
    pub(crate) fn evaluate_together(&mut self, nodes: &[NodeId]) -> Result<(), Error> {
        let mut by_shape: BTreeMap<Shape, Vec<NodeId>> = BTreeMap::new();
        for &node in nodes {
            by_shape.entry(self.nodes[node].shape.clone()).or_default().push(node);
        }
        by_shape.values().try_for_each(|nodes| self.evaluate(nodes))
    }

    fn evaluate(&mut self, roots: &[NodeId]) -> Result<(), Error> {
        if roots.iter().all(|&r| !matches!(self.nodes[r].kind, Kind::Compute { .. })) {
            return Ok(());
        }
        self.run_group(roots, None)
    }

    /// Feeds a node's elements to a reduction, tile by tile. This is one use of the node.
    ///
    /// # Errors
    /// When the caller gave up.
    pub(crate) fn reduce(&mut self, root: NodeId, sink: &mut dyn Sink) -> Result<(), Error> {
        self.run_group(&[root], Some(sink))
    }

    /// Evaluates what `roots` need in one pass. Of the nodes on the way, those that have consumers elsewhere are
    /// stored; the others exist in tiles only.
    fn run_group(&mut self, roots: &[NodeId], sink: Option<&mut dyn Sink>) -> Result<(), Error> {
        let members = self.reachable(roots);
        let position: HashMap<NodeId, usize> = members.iter().enumerate().map(|(i, &n)| (n, i)).collect();
        let mut inside = vec![0u32; members.len()];
        for &n in &members {
            if let Kind::Compute { args, .. } = &self.nodes[n].kind {
                args.iter().for_each(|a| inside[position[a]] += 1);
            }
        }
        let reduced = sink.is_some().then(|| roots[0]);
        if let Some(root) = reduced {
            inside[position[&root]] += 1;
        }
        let shape = self.nodes[roots[0]].shape.to_vec();
        let mut steps = Vec::with_capacity(members.len());
        for (&n, &inside) in members.iter().zip(&inside) {
            let node = &mut self.nodes[n];
            let outside = node.pending - inside;
            node.pending = outside;
            let kind = std::mem::replace(&mut node.kind, Kind::Done);
            steps.push(match kind {
                Kind::Leaf(chunk) => {
                    if outside > 0 {
                        node.kind = Kind::Leaf(chunk.clone());
                    }
                    Step::Load(chunk)
                }
                Kind::Compute { kernel, args } => Step::Compute {
                    kernel,
                    args: args.iter().map(|a| position[a]).collect(),
                    dtype: node.dtype,
                    store: outside > 0,
                },
                Kind::Done => return Err(Error::Operand("a value was used after its last use".into())),
            });
        }
        let reduced = reduced.map(|r| position[&r]);
        let stored = group::run(Group { shape, steps, reduced }, sink, self.context)?;
        for (step, chunk) in stored {
            self.nodes[members[step]].kind = Kind::Leaf(chunk);
        }
        Ok(())
    }
}
