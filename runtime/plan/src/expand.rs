//! Expands layers into blocks, in static order.

use crate::check::{Numbering, PlanError, Result};
use crate::columns::{Task, U32s, u32s};
use crate::order::{Graph, order};
use crate::plan::{Block, Layer, Output, Part, Sum, TaskKind, VERSION};

/// Tasks that a plan has after expansion, at most (what no output needs is left out), saturating.
pub fn count(parts: &[Part]) -> u64 {
    let blocks = parts.iter().flat_map(|p| &p.blocks).map(|b| u64::from(b.count));
    let layers = parts.iter().flat_map(|p| &p.layers).map(Layer::count);
    blocks.chain(layers).fold(0, u64::saturating_add)
}

/// The explicit plan: parts without layers.
///
/// A plan that has none already keeps its order, which is its maker's. Otherwise all tasks that the outputs need are
/// put into the static order of [`crate::order`] and numbered anew; tasks that no output needs are left out. Parts are
/// checked first, so a plan from anywhere may be passed.
///
/// # Errors
/// When a part does not fit the parts before it, or there are more than `max_tasks` tasks.
pub fn expand(parts: Vec<Part>, max_tasks: u64) -> Result<Vec<Part>> {
    let mut numbering = Numbering::default();
    for part in &parts {
        numbering.add(part, max_tasks)?;
    }
    if parts.iter().all(|p| p.layers.is_empty()) {
        return Ok(parts);
    }
    let mut whole = Part { version: VERSION, last: parts.iter().any(|p| p.last), ..Part::default() };
    let mut groups = vec![];
    for part in parts {
        whole.names.extend(part.names);
        whole.templates.extend(part.templates);
        whole.blobs.extend(part.blobs);
        groups.push((part.blocks, part.layers));
        whole.outputs.extend(part.outputs);
    }
    let flat = Flat::new(&groups, &whole, numbering.tasks() as usize)?;
    let bytes: Vec<u64> = flat.kinds.iter().map(|k| whole.templates[k.template as usize].nbytes).collect();
    let roots: Vec<u32> = whole.outputs.iter().flat_map(|o| U32s::new(&o.tasks).iter()).collect();
    let graph = Graph { starts: &flat.starts, inputs: &flat.inputs };
    let order = order(graph, |t| bytes[flat.kind[t as usize] as usize], roots);
    let blocks = flat.blocks(&order);
    let outputs = std::mem::take(&mut whole.outputs);
    let renumber =
        |o: Output| Output { tasks: u32s(U32s::new(&o.tasks).iter().map(|t| blocks.rank[t as usize])), ..o };
    whole.outputs = outputs.into_iter().map(renumber).collect();
    whole.blocks = blocks.blocks;
    Ok(vec![whole])
}

/// All tasks in the order of the parts.
struct Flat<'a> {
    kinds: Vec<TaskKind>,
    kind: Vec<u32>,
    starts: Vec<u32>,
    inputs: Vec<u32>,
    /// Where each run of tasks comes from, by its first task.
    sources: Vec<(u32, Source<'a>)>,
}

enum Source<'a> {
    Block(&'a Block, Vec<Task<'a>>),
    /// The layer, its strides, and the kind of its first part.
    Layer(&'a Layer, Vec<u32>, u32),
}

impl<'a> Flat<'a> {
    fn new(groups: &'a [(Vec<Block>, Vec<Layer>)], whole: &Part, tasks: usize) -> Result<Flat<'a>> {
        let mut flat = Flat {
            kinds: vec![],
            kind: Vec::with_capacity(tasks),
            starts: Vec::with_capacity(tasks + 1),
            inputs: vec![],
            sources: vec![],
        };
        flat.starts.push(0);
        for (blocks, layers) in groups {
            for block in blocks {
                let first = flat.kind.len() as u32;
                let base = flat.kinds.len() as u32;
                flat.kinds.extend(block.task_kinds());
                let kind = U32s::new(&block.kind);
                let all: Vec<Task<'a>> = block.tasks(&whole.templates).collect();
                for (i, task) in all.iter().enumerate() {
                    flat.kind.push(base + kind.get(i).unwrap_or(0));
                    flat.inputs.extend(task.inputs.iter());
                    flat.close()?;
                }
                flat.sources.push((first, Source::Block(block, all)));
            }
            for layer in layers {
                flat.layer(layer)?;
            }
        }
        Ok(flat)
    }

    /// Ends a task's inputs.
    fn close(&mut self) -> Result<()> {
        match u32::try_from(self.inputs.len()) {
            Ok(n) => self.starts.push(n),
            Err(_) => return Err(PlanError("more than 2^32 inputs; use larger chunks".into())),
        }
        Ok(())
    }

    fn layer(&mut self, layer: &'a Layer) -> Result<()> {
        let first = self.kind.len() as u32;
        let base = self.kinds.len() as u32;
        let ndim = layer.grid.len() as u32;
        self.kinds.extend(layer.parts.iter().map(|p| TaskKind {
            template: p.template,
            name: layer.name,
            ndim,
        }));
        let mut walk = Walk::new(layer);
        for _ in 0..layer.count() {
            let p = walk.part();
            self.kind.push(base + p as u32);
            for sum in &layer.parts[p].inputs {
                self.inputs.push(at(sum, &walk.index) as u32);
            }
            self.close()?;
            walk.step();
        }
        self.sources.push((first, Source::Layer(layer, strides(&layer.grid), base)));
        Ok(())
    }

    /// Blocks of the tasks in `order`, with their new numbers.
    fn blocks(&self, order: &[u32]) -> Ordered {
        let mut rank = vec![u32::MAX; self.kind.len()];
        order.iter().enumerate().for_each(|(k, &t)| rank[t as usize] = k as u32);
        let mut blocks: Vec<Block> = vec![];
        let mut same: Option<bool> = None;
        let mut index = vec![];
        for &t in order {
            let s = self.sources.partition_point(|(first, _)| *first <= t) - 1;
            let (first, source) = &self.sources[s];
            let offset = (t - first) as usize;
            let blobs = matches!(source, Source::Block(b, _) if !b.blobs.is_empty());
            if same != Some(blobs) {
                blocks.push(Block { kinds: self.kinds.clone(), ..Block::default() });
                same = Some(blobs);
            }
            let Some(block) = blocks.last_mut() else { continue };
            block.count += 1;
            block.kind.extend(self.kind[t as usize].to_le_bytes());
            let inputs = &self.inputs[self.starts[t as usize] as usize..self.starts[t as usize + 1] as usize];
            inputs.iter().for_each(|&i| block.inputs.extend(rank[i as usize].to_le_bytes()));
            match source {
                Source::Block(_, tasks) => {
                    let task = &tasks[offset];
                    task.index.iter().for_each(|i| block.index.extend(i.to_le_bytes()));
                    task.args.iter().for_each(|a| block.args.extend(a.to_le_bytes()));
                    block.blobs.extend(task.blob.into_iter().flat_map(u32::to_le_bytes));
                }
                Source::Layer(layer, strides, base) => {
                    index.clear();
                    index.extend(
                        strides.iter().zip(&layer.grid).map(|(&s, &g)| (offset as u32 / s % g) as usize),
                    );
                    for (a, &i) in index.iter().enumerate() {
                        let key = layer.keys.get(a).map_or(i as i64, |k| k.at(i));
                        block.index.extend((key as u32).to_le_bytes());
                    }
                    for sum in &layer.parts[(self.kind[t as usize] - base) as usize].args {
                        block.args.extend(at(sum, &index).to_le_bytes());
                    }
                }
            }
        }
        Ordered { blocks, rank }
    }
}

struct Ordered {
    blocks: Vec<Block>,
    /// New number of each task.
    rank: Vec<u32>,
}

/// A number at a grid index; the check has ruled out overflow.
fn at(sum: &Sum, index: &[usize]) -> i64 {
    sum.terms.iter().fold(sum.base, |n, (axis, table)| n.wrapping_add(table.at(index[*axis as usize])))
}

fn strides(grid: &[u32]) -> Vec<u32> {
    let mut strides = vec![1; grid.len()];
    for a in (1..grid.len()).rev() {
        strides[a - 1] = strides[a] * grid[a];
    }
    strides
}

/// A walk over a grid in C order.
struct Walk<'a> {
    layer: &'a Layer,
    index: Vec<usize>,
    counts: Vec<usize>,
}

impl<'a> Walk<'a> {
    fn new(layer: &'a Layer) -> Walk<'a> {
        let counts = layer.classes.iter().map(|c| 1 + c.iter().max().map_or(0, |&m| m as usize)).collect();
        Walk { layer, index: vec![0; layer.grid.len()], counts }
    }

    fn part(&self) -> usize {
        self.counts.iter().enumerate().fold(0, |n, (a, &c)| n * c + self.layer.class(a, self.index[a]))
    }

    fn step(&mut self) {
        for a in (0..self.index.len()).rev() {
            self.index[a] += 1;
            if self.index[a] < self.layer.grid[a] as usize {
                return;
            }
            self.index[a] = 0;
        }
    }
}
