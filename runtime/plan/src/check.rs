//! Checks that a part fits what came before it, before anything is built from its numbers.

use crate::columns::U32s;
use crate::plan::{Block, Body, EXTERNAL, Layer, Part, Sum, Table, VERSION};

/// Why a plan is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plan: {0}")]
pub struct PlanError(pub String);

/// Result of reading a plan.
pub type Result<T> = std::result::Result<T, PlanError>;

macro_rules! refuse {
    ($($t:tt)*) => { return Err(PlanError(format!($($t)*))) };
}

/// How far the numbering of a plan has come; checks each part against the parts before it.
#[derive(Clone, Debug, Default)]
pub struct Numbering {
    /// Values and arguments that each template takes.
    arity: Vec<(u32, u32)>,
    names: u64,
    blobs: u64,
    tasks: u64,
    /// Results of other jobs that the part at hand names.
    external: u32,
    /// Some part named such results, or has layers.
    foreign: bool,
    layered: bool,
    done: bool,
}

impl Numbering {
    /// Number of tasks so far, layers expanded.
    pub fn tasks(&self) -> u64 {
        self.tasks
    }

    /// Whether the last part was there.
    pub fn is_complete(&self) -> bool {
        self.done
    }

    /// Checks the next part and counts it.
    ///
    /// # Errors
    /// Names the part's item and the number that is wrong.
    pub fn add(&mut self, part: &Part, max_tasks: u64) -> Result<()> {
        if part.version != VERSION {
            refuse!(
                "version {} is not known; this build reads version {VERSION}{}",
                part.version,
                if part.version > VERSION { ", so a newer build is needed" } else { "" }
            );
        }
        if self.done {
            refuse!("a part follows the one that says it is the last");
        }
        for t in &part.templates {
            let at = self.arity.len();
            let arity = match &t.body {
                Body::Program(program) => (program.inputs, program.args),
                Body::Python(python) => (python.inputs, 0),
            };
            self.template(&t.body, arity)
                .map_err(|e| PlanError(format!("template {at} ({}): {e}", short(&t.name))))?;
            self.arity.push(arity);
        }
        self.names += part.names.len() as u64;
        self.external = part.external.len() as u32;
        self.foreign |= !part.external.is_empty();
        self.layered |= !part.layers.is_empty();
        if self.foreign && self.layered {
            refuse!("layers and results of other jobs; write the tasks of the layers as blocks");
        }
        self.blobs += part.blobs.len() as u64;
        for (i, block) in part.blocks.iter().enumerate() {
            self.grow(u64::from(block.count), max_tasks)?;
            self.block(block).map_err(|e| PlanError(format!("block {i}: {}", e.0)))?;
            self.tasks += u64::from(block.count);
        }
        for (i, layer) in part.layers.iter().enumerate() {
            self.grow(layer.count(), max_tasks)?;
            self.layer(layer).map_err(|e| PlanError(format!("layer {i}: {}", e.0)))?;
            self.tasks += layer.count();
        }
        for output in &part.outputs {
            if output.tasks.len() % 4 != 0 {
                refuse!(
                    "output {}: its tasks take {} bytes, not a multiple of 4",
                    short(&output.name),
                    output.tasks.len()
                );
            }
            if let Some(id) = U32s::new(&output.tasks).iter().find(|&id| u64::from(id) >= self.tasks) {
                refuse!("output {}: task {id} of {}", short(&output.name), self.tasks);
            }
        }
        self.done = part.last;
        Ok(())
    }

    fn grow(&self, count: u64, max_tasks: u64) -> Result<()> {
        let tasks = self.tasks.saturating_add(count);
        let max = max_tasks.min(u64::from(EXTERNAL));
        if tasks > max {
            refuse!("{tasks} tasks, but at most {max} are allowed; raise --max-tasks or use larger chunks");
        }
        Ok(())
    }

    fn template(&self, body: &Body, (inputs, args): (u32, u32)) -> std::result::Result<(), String> {
        if inputs > 1 << 20 || args > 1 << 16 {
            return Err(format!("a body with {inputs} inputs and {args} arguments"));
        }
        match body {
            Body::Program(program) => program.check(),
            Body::Python(_) => Ok(()),
        }
    }

    fn arity(&self, template: u32, name: u32) -> Result<(u32, u32)> {
        if u64::from(name) >= self.names {
            refuse!("name {name} of {}", self.names);
        }
        match self.arity.get(template as usize) {
            Some(arity) => Ok(*arity),
            None => refuse!("template {template} of {}", self.arity.len()),
        }
    }

    fn block(&self, b: &Block) -> Result<()> {
        let count = u64::from(b.count);
        let lengths: Vec<(&str, u64, u64)> = if b.kinds.is_empty() {
            let (inputs, args) = self.arity(b.template, b.name)?;
            if !b.kind.is_empty() {
                refuse!("a column of kinds without a table of kinds");
            }
            let inputs = self.inputs_of(b, inputs)?;
            let wanted = if b.input_counts.is_empty() {
                count * inputs
            } else {
                if let Some(n) = U32s::new(&b.input_counts).iter().find(|&n| u64::from(n) != inputs) {
                    refuse!("a task with {n} inputs, but template {} takes {inputs}", b.template);
                }
                U32s::new(&b.input_counts).iter().map(u64::from).sum()
            };
            vec![
                ("index", 4 * count * u64::from(b.ndim), b.index.len() as u64),
                ("inputs", 4 * wanted, b.inputs.len() as u64),
                ("args", 8 * count * u64::from(args), b.args.len() as u64),
            ]
        } else {
            if !b.input_counts.is_empty() {
                refuse!("input_counts beside kinds");
            }
            let mut each = Vec::with_capacity(b.kinds.len());
            for k in &b.kinds {
                let (inputs, args) = self.arity(k.template, k.name)?;
                each.push((u64::from(k.ndim), self.inputs_of(b, inputs)?, u64::from(args)));
            }
            let (mut ndim, mut inputs, mut args) = (0u64, 0u64, 0u64);
            for k in U32s::new(&b.kind).iter() {
                let Some(&(n, i, a)) = each.get(k as usize) else { refuse!("kind {k} of {}", each.len()) };
                ndim += n;
                inputs += i;
                args += a;
            }
            vec![
                ("kind", 4 * count, b.kind.len() as u64),
                ("index", 4 * ndim, b.index.len() as u64),
                ("inputs", 4 * inputs, b.inputs.len() as u64),
                ("args", 8 * args, b.args.len() as u64),
            ]
        };
        let optional = [("input_counts", &b.input_counts), ("blobs", &b.blobs)];
        let optional =
            optional.iter().filter(|(_, c)| !c.is_empty()).map(|&(n, c)| (n, 4 * count, c.len() as u64));
        for (column, wanted, got) in lengths.into_iter().chain(optional) {
            if wanted != got {
                refuse!("column {column} has {got} bytes, but {} tasks need {wanted}", b.count);
            }
        }
        if let Some(id) = U32s::new(&b.blobs).iter().find(|&id| u64::from(id) >= self.blobs) {
            refuse!("blob {id} of {}", self.blobs);
        }
        self.earlier(b)
    }

    fn inputs_of(&self, b: &Block, inputs: u32) -> Result<u64> {
        match (b.blobs.is_empty(), inputs) {
            (true, n) => Ok(u64::from(n)),
            (false, 0) => refuse!("a blob for a program that takes no input"),
            (false, n) => Ok(u64::from(n) - 1),
        }
    }

    /// Every input is an earlier task, or a result of another job that the part names.
    fn earlier(&self, b: &Block) -> Result<()> {
        let inputs = U32s::new(&b.inputs);
        // What is earlier than the block is earlier than each of its tasks: one pass that the compiler vectorises.
        let highest = inputs.iter().max();
        if highest.is_none_or(|m| u64::from(m) < self.tasks) {
            return Ok(());
        }
        let mut rest = inputs;
        let wrong = |id: u64, i: u32| {
            if i & EXTERNAL == 0 { u64::from(i) >= id } else { i & !EXTERNAL >= self.external }
        };
        let mut check = |id: u64, n: usize| match rest.take_front(n).iter().find(|&i| wrong(id, i)) {
            Some(i) if i & EXTERNAL != 0 => Err(PlanError(format!(
                "task {id} takes result {} of other jobs, but the part names {}",
                i & !EXTERNAL,
                self.external
            ))),
            Some(i) => Err(PlanError(format!("task {id} has input {i}, which is not an earlier task"))),
            None => Ok(()),
        };
        if b.kinds.is_empty() {
            let n = self.inputs_of(b, self.arity(b.template, b.name)?.0)? as usize;
            for t in 0..u64::from(b.count) {
                check(self.tasks + t, n)?;
            }
        } else {
            let each: Vec<usize> = b
                .kinds
                .iter()
                .map(|k| Ok(self.inputs_of(b, self.arity(k.template, k.name)?.0)? as usize))
                .collect::<Result<_>>()?;
            for (t, k) in U32s::new(&b.kind).iter().enumerate() {
                check(self.tasks + t as u64, each[k as usize])?;
            }
        }
        Ok(())
    }

    fn layer(&self, l: &Layer) -> Result<()> {
        let ndim = l.grid.len();
        if ndim > 64 {
            refuse!("a grid of {ndim} axes");
        }
        if !(l.keys.is_empty() || l.keys.len() == ndim) || !(l.classes.is_empty() || l.classes.len() == ndim)
        {
            refuse!(
                "a grid of {ndim} axes with {} key tables and {} class tables",
                l.keys.len(),
                l.classes.len()
            );
        }
        if let Some(axis) = l.grid.iter().position(|&g| g == 0) {
            refuse!("axis {axis} of the grid has no indices");
        }
        let mut combinations = 1usize;
        let mut members: Vec<Vec<Indices>> = vec![];
        for axis in 0..ndim {
            let n = l.grid[axis] as usize;
            let classes = l.classes.get(axis).map_or(&[][..], |c| c);
            if !classes.is_empty() && classes.len() != n {
                refuse!("axis {axis} has {n} indices, but {} classes", classes.len());
            }
            let mut each = vec![Indices::All(n)];
            if !classes.is_empty() {
                let mut lists = vec![vec![]; 1 + classes.iter().max().map_or(0, |&c| c as usize)];
                classes.iter().enumerate().for_each(|(i, &c)| lists[c as usize].push(i));
                each = lists.into_iter().map(Indices::These).collect();
            }
            combinations = combinations.saturating_mul(each.len());
            members.push(each);
            if let Some(keys) = l.keys.get(axis) {
                let (low, high) = Indices::All(n)
                    .range(keys)
                    .map_err(|e| PlanError(format!("keys of axis {axis}: {e}")))?;
                if low < 0 || high > i128::from(u32::MAX) {
                    refuse!("keys of axis {axis} leave 0..2^32");
                }
            }
        }
        if combinations != l.parts.len() {
            refuse!("{combinations} combinations of classes, but {} parts", l.parts.len());
        }
        for (p, part) in l.parts.iter().enumerate() {
            let (inputs, args) = self.arity(part.template, l.name)?;
            if (inputs as usize, args as usize) != (part.inputs.len(), part.args.len()) {
                refuse!(
                    "part {p} gives {} inputs and {} arguments, but template {} takes {inputs} and {args}",
                    part.inputs.len(),
                    part.args.len(),
                    part.template
                );
            }
            // The indices of each axis that are of this part's classes.
            let mut rest = p;
            let mut of = vec![&Indices::All(0); ndim];
            for axis in (0..ndim).rev() {
                of[axis] = &members[axis][rest % members[axis].len()];
                rest /= members[axis].len();
            }
            if of.iter().any(|i| i.is_empty()) {
                continue;
            }
            for (what, sums, limit) in
                [("input", &part.inputs, i128::from(self.tasks)), ("argument", &part.args, 1i128 << 63)]
            {
                for (k, sum) in sums.iter().enumerate() {
                    let (low, high) =
                        extremes(sum, &of).map_err(|e| PlanError(format!("part {p}, {what} {k}: {e}")))?;
                    let floor = if what == "input" { 0 } else { -(1i128 << 63) };
                    if low < floor || high >= limit {
                        refuse!("part {p}, {what} {k} is in {low}..={high}, outside {floor}..{limit}");
                    }
                }
            }
        }
        Ok(())
    }
}

/// Indices along an axis.
#[derive(Clone)]
enum Indices {
    /// `0..n`
    All(usize),
    /// Ascending.
    These(Vec<usize>),
}

impl Indices {
    fn is_empty(&self) -> bool {
        matches!(self, Indices::All(0)) || matches!(self, Indices::These(i) if i.is_empty())
    }

    /// Lowest and highest number of a table over these indices, of which there is at least one.
    fn range(&self, table: &Table) -> std::result::Result<(i128, i128), String> {
        let (first, last) = match self {
            Indices::All(n) => (0, n.saturating_sub(1)),
            Indices::These(i) => (i.first().copied().unwrap_or(0), i.last().copied().unwrap_or(0)),
        };
        match table {
            Table::Step(step) => {
                let (a, b) = (first as i128 * i128::from(*step), last as i128 * i128::from(*step));
                Ok((a.min(b), a.max(b)))
            }
            Table::Values(values) if values.len() <= last => {
                Err(format!("index {last} of a table of {}", values.len()))
            }
            Table::Values(values) => {
                let start = (i128::from(values[first]), i128::from(values[first]));
                let fold = |(low, high): (i128, i128), v: i64| (low.min(v.into()), high.max(v.into()));
                Ok(match self {
                    Indices::All(n) => values[..*n].iter().copied().fold(start, fold),
                    Indices::These(i) => i.iter().map(|&i| values[i]).fold(start, fold),
                })
            }
        }
    }
}

fn extremes(sum: &Sum, members: &[&Indices]) -> std::result::Result<(i128, i128), String> {
    let (mut low, mut high) = (i128::from(sum.base), i128::from(sum.base));
    for (axis, table) in &sum.terms {
        let Some(indices) = members.get(*axis as usize) else {
            return Err(format!("axis {axis} of {}", members.len()));
        };
        let (l, h) = indices.range(table)?;
        low += l;
        high += h;
    }
    Ok((low, high))
}

/// The start of a text from outside, for messages.
fn short(text: &str) -> String {
    text.chars().take(60).collect()
}
