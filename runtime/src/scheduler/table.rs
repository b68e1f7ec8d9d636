//! The tasks of a job as the plan wrote them: what the core does not need to know, but workers and people do.

use crate::net::message::Progress;
use dask_array::{Chunk, Value};
use dask_core::{Batch, Block, Class, Inputs};
use dask_plan::columns::{I64s, U32s};
use dask_plan::plan::{Body, Output, Part, Template};
use std::collections::HashMap;
use std::sync::Arc;

/// See the module.
#[derive(Default)]
pub(super) struct Table {
    names: Vec<String>,
    templates: Vec<Arc<Template>>,
    blobs: Vec<Value>,
    rows: Vec<Rows>,
    classes: Vec<ClassRow>,
    /// The class of each template.
    class_of: HashMap<u32, u32>,
    /// Tasks so far.
    pub(super) tasks: u32,
    /// Which tasks were computed at least once.
    done: Vec<u64>,
    done_count: u64,
}

/// The tasks of a template.
struct ClassRow {
    template: u32,
    /// Smaller runs earlier; the job's own priority is part of it.
    rank: i32,
    runs: u64,
    nanos: u64,
}

/// Tasks of one block of the plan.
struct Rows {
    first: u32,
    count: u32,
    kinds: Vec<Kind>,
    /// Which kind each task is, when there are several.
    kind: Vec<u8>,
    /// Where the arguments and indices of each task begin, when there are several kinds.
    starts: Vec<(u32, u32)>,
    index: Vec<u8>,
    args: Vec<u8>,
    blobs: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Kind {
    class: u32,
    name: u32,
    ndim: usize,
    args: usize,
}

/// One task.
pub(super) struct Row<'a> {
    pub(super) class: u32,
    name: u32,
    index: U32s<'a>,
    pub(super) args: I64s<'a>,
    pub(super) blob: Option<u32>,
}

impl Table {
    /// Takes in a part that was checked and has no layers; returns what the core has to know of it. `live` are blobs that
    /// never were bytes; they follow those of the part.
    pub(super) fn add(&mut self, part: Part, live: Vec<Value>, priority: i32) -> (Batch, Vec<Output>) {
        self.names.extend(part.names);
        self.templates.extend(part.templates.into_iter().map(Arc::new));
        self.blobs.extend(part.blobs.into_iter().map(|b| Chunk::from_slice(&[b.len()], &b).into()));
        self.blobs.extend(live);
        let mut batch = Batch::default();
        for block in part.blocks {
            self.block(block, priority, &mut batch);
        }
        batch.wanted = part.outputs.iter().flat_map(|o| U32s::new(&o.tasks).iter()).collect();
        self.done.resize((self.tasks as usize).div_ceil(64), 0);
        (batch, part.outputs)
    }

    fn block(&mut self, block: dask_plan::plan::Block, priority: i32, batch: &mut Batch) {
        let counted = !block.blobs.is_empty();
        let kinds: Vec<(Kind, u32)> = block
            .task_kinds()
            .into_iter()
            .map(|k| {
                let (inputs, args) = self.templates[k.template as usize].arity();
                let class = self.class(k.template, priority, batch);
                let inputs = inputs.saturating_sub(usize::from(counted)) as u32;
                (Kind { class, name: k.name, ndim: k.ndim as usize, args }, inputs)
            })
            .collect();
        let mut inputs = U32s::new(&block.inputs);
        let mut add = |class: u32, count: usize, each: u32| {
            let ids = inputs.take_front(count * each as usize).iter().collect();
            batch.blocks.push(Block { class, count: count as u32, inputs: Inputs::Fixed { each, ids } });
        };
        let mut starts = vec![];
        if let [(kind, each)] = kinds[..] {
            add(kind.class, block.count as usize, each);
        } else {
            let (mut args, mut index) = (0, 0);
            let column: Vec<u32> = U32s::new(&block.kind).iter().collect();
            for run in column.chunk_by(|a, b| a == b) {
                let (kind, each) = kinds[run[0] as usize];
                add(kind.class, run.len(), each);
                for _ in run {
                    starts.push((args, index));
                    args += kind.args as u32;
                    index += kind.ndim as u32;
                }
            }
        }
        let first = self.tasks;
        self.tasks += block.count;
        self.rows.push(Rows {
            first,
            count: block.count,
            kinds: kinds.into_iter().map(|(kind, _)| kind).collect(),
            kind: block.kind,
            starts,
            index: block.index,
            args: block.args,
            blobs: block.blobs,
        });
    }

    /// The class of a template, which tells the core all that its tasks share.
    fn class(&mut self, template: u32, priority: i32, batch: &mut Batch) -> u32 {
        if let Some(class) = self.class_of.get(&template) {
            return *class;
        }
        let number = self.classes.len() as u32;
        self.class_of.insert(template, number);
        let Template { name, nbytes, scratch, annotations, body } = &*self.templates[template as usize];
        let (python, tolerant) = match body {
            Body::Program(_) => (false, false),
            Body::Python(python) => (true, python.tolerant),
        };
        let rank = priority.saturating_add(annotations.priority).saturating_neg();
        batch.classes.push(Class {
            name: name.clone(),
            nbytes: *nbytes,
            scratch: *scratch,
            python,
            tolerant,
            workers: annotations.workers.clone(),
            allow_other_workers: annotations.allow_other_workers,
            resources: annotations.resources.iter().map(|(name, n)| (name.clone(), *n)).collect(),
            retries: annotations.retries,
            priority: annotations.priority,
        });
        self.classes.push(ClassRow { template, rank, runs: 0, nanos: 0 });
        number
    }

    /// One task, by its number.
    pub(super) fn row(&self, task: u32) -> Option<Row<'_>> {
        let at = self.rows.partition_point(|r| r.first <= task).checked_sub(1)?;
        let rows = &self.rows[at];
        let i = (task - rows.first) as usize;
        if i >= rows.count as usize {
            return None;
        }
        let (kind, args, index) = match &rows.kinds[..] {
            [kind] => (*kind, i * kind.args, i * kind.ndim),
            kinds => {
                let (args, index) = rows.starts[i];
                (kinds[U32s::new(&rows.kind).get(i)? as usize], args as usize, index as usize)
            }
        };
        Some(Row {
            class: kind.class,
            name: kind.name,
            index: U32s::new(&rows.index[index * 4..(index + kind.ndim) * 4]),
            args: I64s::new(&rows.args[args * 8..(args + kind.args) * 8]),
            blob: U32s::new(&rows.blobs).get(i),
        })
    }

    /// A blob: a uint8 chunk, unless it never was bytes.
    pub(super) fn blob(&self, blob: u32) -> &Value {
        &self.blobs[blob as usize]
    }

    /// A class's rank and template.
    pub(super) fn template(&self, class: u32) -> Option<(i32, &Arc<Template>)> {
        let row = self.classes.get(class as usize)?;
        Some((row.rank, &self.templates[row.template as usize]))
    }

    /// A task's key as Dask writes it: `'x'`, or `('x', 0, 1)`.
    pub(super) fn key(&self, task: u32) -> String {
        let Some(row) = self.row(task) else { return format!("task {task}") };
        let name = &self.names[row.name as usize];
        if row.index.is_empty() {
            return format!("'{name}'");
        }
        let index: Vec<String> = row.index.iter().map(|i| i.to_string()).collect();
        format!("('{name}', {})", index.join(", "))
    }

    /// The task of a key: `x`, `'x'`, `('x', 0, 1)` or `x(0, 1)`.
    pub(super) fn find(&self, key: &str) -> Option<u32> {
        let (name, index) = parse_key(key)?;
        let name = self.names.iter().position(|n| *n == name)? as u32;
        (0..self.tasks).find(|t| {
            self.row(*t).is_some_and(|r| r.name == name && r.index.iter().eq(index.iter().copied()))
        })
    }

    /// Counts a run of a task.
    pub(super) fn ran(&mut self, task: u32, nanos: u64) {
        let Some(class) = self.row(task).map(|r| r.class as usize) else { return };
        self.classes[class].runs += 1;
        self.classes[class].nanos += nanos;
        let (word, bit) = (task as usize / 64, 1u64 << (task % 64));
        if self.done[word] & bit == 0 {
            self.done[word] |= bit;
            self.done_count += 1;
        }
    }

    /// Adds what is known here.
    pub(super) fn progress(&self, progress: &mut Progress) {
        progress.tasks = u64::from(self.tasks);
        progress.done = self.done_count;
        for class in self.classes.iter().filter(|c| c.runs > 0) {
            let name = &self.templates[class.template as usize].name;
            *progress.runs.entry(name.clone()).or_default() += class.runs;
        }
    }

    /// Name, runs and seconds of each class.
    pub(super) fn classes(&self) -> impl Iterator<Item = (&str, u64, f64)> {
        self.classes
            .iter()
            .map(|c| (self.templates[c.template as usize].name.as_str(), c.runs, c.nanos as f64 / 1e9))
    }

    /// Forgets everything but the counts.
    pub(super) fn shrink(&mut self) {
        self.blobs = vec![];
        self.done = vec![];
    }
}

fn parse_key(key: &str) -> Option<(String, Vec<u32>)> {
    let key = key.trim();
    let unquote = |s: &str| s.trim().trim_matches(['\'', '"']).to_string();
    let numbers = |s: &str| match s.trim().trim_end_matches(',') {
        "" => Some(vec![]),
        s => s.split(',').map(|n| n.trim().parse().ok()).collect::<Option<Vec<u32>>>(),
    };
    if let Some(inner) = key.strip_prefix('(').and_then(|k| k.strip_suffix(')')) {
        let (name, index) = inner.split_once(',')?;
        return Some((unquote(name), numbers(index)?));
    }
    match key.strip_suffix(')').and_then(|k| k.split_once('(')) {
        Some((name, index)) => Some((unquote(name), numbers(index)?)),
        None => Some((unquote(key), vec![])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dask_plan::columns::{i64s, u32s};
    use dask_plan::plan::{self, TaskKind};
    use dask_plan::program::Program;

    fn template(name: &str, inputs: u32, args: u32) -> Template {
        let body = Body::Program(Program { inputs, args, body: vec![] });
        Template { name: name.into(), body, nbytes: 0, scratch: 0, annotations: Default::default() }
    }

    #[test]
    fn tasks_of_mixed_blocks_are_found_by_number_and_by_key() {
        let mut table = Table::default();
        let kinds =
            vec![TaskKind { template: 0, name: 0, ndim: 2 }, TaskKind { template: 1, name: 1, ndim: 0 }];
        let part = Part {
            version: 1,
            names: vec!["x".into(), "total".into()],
            templates: vec![template("make", 0, 1), template("sum", 2, 0)],
            blocks: vec![plan::Block {
                count: 3,
                kinds,
                kind: u32s([0, 0, 1]),
                index: u32s([0, 1, 1, 0]),
                args: i64s([7, -8]),
                inputs: u32s([0, 1]),
                ..plan::Block::default()
            }],
            ..Part::default()
        };
        let (batch, _) = table.add(part, vec![], 3);
        assert_eq!(batch.blocks.iter().map(|b| (b.class, b.count)).collect::<Vec<_>>(), [(0, 2), (1, 1)]);
        assert_eq!(
            (0..3).map(|t| table.key(t)).collect::<Vec<_>>(),
            ["('x', 0, 1)", "('x', 1, 0)", "'total'"]
        );
        for (key, task) in [
            ("('x', 1, 0)", Some(1)),
            ("x(0, 1)", Some(0)),
            ("total", Some(2)),
            ("total()", Some(2)),
            ("x", None),
            ("y", None),
        ] {
            assert_eq!(table.find(key), task, "{key}");
        }
        assert_eq!(table.row(1).unwrap().args.iter().collect::<Vec<_>>(), [-8]);
        assert!(table.row(3).is_none());
        assert_eq!(table.template(0).unwrap().0, -3);
        table.ran(1, 5);
        table.ran(1, 5);
        let mut progress = Progress::default();
        table.progress(&mut progress);
        assert_eq!((progress.tasks, progress.done, progress.runs["make"]), (3, 1, 2));
    }
}
