//! Columns of numbers inside a plan, read in place.

use crate::plan::{Block, Body, TaskKind, Template};

/// A column of little-endian `u32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct U32s<'a>(&'a [[u8; 4]]);

/// A column of little-endian `i64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct I64s<'a>(&'a [[u8; 8]]);

macro_rules! column {
    ($column:ident, $t:ty, $n:literal) => {
        impl<'a> $column<'a> {
            /// Reads bytes; what does not fill a number at the end is left out.
            pub fn new(bytes: &'a [u8]) -> Self {
                $column(bytes.as_chunks::<$n>().0)
            }

            /// Number of numbers.
            pub fn len(&self) -> usize {
                self.0.len()
            }

            /// Whether there are none.
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }

            /// The `i`-th number.
            pub fn get(&self, i: usize) -> Option<$t> {
                self.0.get(i).map(|b| <$t>::from_le_bytes(*b))
            }

            /// All of them.
            pub fn iter(self) -> impl ExactSizeIterator<Item = $t> + Clone + 'a {
                self.0.iter().map(|b| <$t>::from_le_bytes(*b))
            }

            /// Cuts off the first `n`; fewer when there are fewer.
            pub fn take_front(&mut self, n: usize) -> Self {
                let (front, rest) = self.0.split_at(n.min(self.0.len()));
                self.0 = rest;
                $column(front)
            }
        }
    };
}
column!(U32s, u32, 4);
column!(I64s, i64, 8);

/// Writes numbers as a column.
pub fn u32s(numbers: impl IntoIterator<Item = u32>) -> Vec<u8> {
    numbers.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// Writes numbers as a column.
pub fn i64s(numbers: impl IntoIterator<Item = i64>) -> Vec<u8> {
    numbers.into_iter().flat_map(i64::to_le_bytes).collect()
}

/// One task of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Task<'a> {
    /// Which template.
    pub template: u32,
    /// Which name its key starts with.
    pub name: u32,
    /// The indices of its key.
    pub index: U32s<'a>,
    /// Input task ids.
    pub inputs: U32s<'a>,
    /// Arguments.
    pub args: I64s<'a>,
    /// The blob that is the program's last input.
    pub blob: Option<u32>,
}

/// What each task of a kind takes from the columns.
#[derive(Clone, Copy)]
struct Shape {
    kind: TaskKind,
    inputs: usize,
    args: usize,
}

/// The tasks of a block in turn.
#[derive(Clone)]
pub struct Tasks<'a> {
    left: usize,
    shapes: Vec<Shape>,
    kind: U32s<'a>,
    index: U32s<'a>,
    inputs: U32s<'a>,
    counts: U32s<'a>,
    args: I64s<'a>,
    blobs: U32s<'a>,
}

impl Template {
    /// Values that its program takes, and integers.
    pub fn arity(&self) -> (usize, usize) {
        match &self.body {
            Body::Program(program) => (program.inputs as usize, program.args as usize),
            Body::Python(python) => (python.inputs as usize, 0),
        }
    }
}

impl Block {
    /// What its tasks are: `kinds`, or the one that the block itself names.
    pub fn task_kinds(&self) -> Vec<TaskKind> {
        if self.kinds.is_empty() {
            vec![TaskKind { template: self.template, name: self.name, ndim: self.ndim }]
        } else {
            self.kinds.clone()
        }
    }

    /// Its tasks in order. `templates` is the whole table; a block that [`crate::check`] passed yields `count` tasks
    /// with every number in place, and any other yields tasks with numbers missing.
    pub fn tasks<'a>(&'a self, templates: &[Template]) -> Tasks<'a> {
        let blobs = U32s::new(&self.blobs);
        let shapes = self
            .task_kinds()
            .into_iter()
            .map(|kind| {
                let (inputs, args) = templates.get(kind.template as usize).map_or((0, 0), Template::arity);
                Shape { kind, inputs: inputs.saturating_sub(usize::from(!blobs.is_empty())), args }
            })
            .collect();
        Tasks {
            left: self.count as usize,
            shapes,
            kind: U32s::new(&self.kind),
            index: U32s::new(&self.index),
            inputs: U32s::new(&self.inputs),
            counts: U32s::new(&self.input_counts),
            args: I64s::new(&self.args),
            blobs,
        }
    }
}

impl<'a> Iterator for Tasks<'a> {
    type Item = Task<'a>;

    #[inline]
    fn next(&mut self) -> Option<Task<'a>> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let kind = self.kind.take_front(1).get(0).unwrap_or(0);
        let shape = *self.shapes.get(kind as usize)?;
        let inputs = self.counts.take_front(1).get(0).map_or(shape.inputs, |n| n as usize);
        Some(Task {
            template: shape.kind.template,
            name: shape.kind.name,
            index: self.index.take_front(shape.kind.ndim as usize),
            inputs: self.inputs.take_front(inputs),
            args: self.args.take_front(shape.args),
            blob: self.blobs.take_front(1).get(0),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Tasks<'_> {}
