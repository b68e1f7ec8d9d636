//! What an array under construction is made of: a grid of blocks, and how each block comes from other arrays'
//! blocks. All dependence is per axis, so that an array of a million blocks is described by its axes alone.

use super::Array;
use crate::dtype::DType;
use crate::program::{Int, Op};
use std::sync::Arc;

/// A chunk size that only running can tell.
pub(crate) const UNKNOWN: u64 = u64::MAX;

/// Which block along an axis of an operand a block of the result uses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Map {
    /// Always this one.
    Const(u32),
    /// The one with the index along this axis of the result.
    Axis(u32),
    /// The one that the table says for the index along this axis.
    Table(u32, Arc<[u32]>),
}

/// A number in an operator that depends on the block: one term an axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Param {
    pub(crate) terms: Vec<(u32, Arc<[i64]>)>,
}

/// A run of items along one axis of a source block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Piece {
    /// Which of the source arrays; one axis at most has others than 0.
    pub(crate) of: u32,
    /// Which block along the axis.
    pub(crate) src: u32,
    pub(crate) start: i64,
    pub(crate) len: u64,
    pub(crate) step: i64,
    /// All of the block.
    pub(crate) whole: bool,
}

/// How the blocks of an array are made.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// From one block of each operand. Without an operator, the block is the operand's.
    Blocks {
        op: Option<Op>,
        of: Vec<(Array, Vec<Map>)>,
        /// What [`Int::Arg`] in the operator stands for.
        params: Vec<Param>,
        /// Values along an axis that need programs of their own when they differ.
        classes: Vec<(u32, Arc<[u32]>)>,
    },
    /// From several blocks of arrays with the same axes: for each axis and each index along it, the pieces; their
    /// product in C order is assembled, or handed to the operator `join`.
    Gather { of: Vec<Array>, axes: Vec<Vec<Vec<Piece>>>, join: Option<Op> },
}

/// An array under construction.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) dtype: DType,
    /// The blocks' extents. Values that are not arrays (tuples, partial counts) have a grid only.
    pub(crate) chunks: Arc<Vec<Vec<u64>>>,
    /// Make it by tasks of its own: a small result that saves moving a large one.
    pub(crate) keep: bool,
}

/// The numbers of an operator that depend on the block.
#[derive(Default)]
pub(crate) struct Params(pub(crate) Vec<Param>);

impl Params {
    /// A number that depends on one axis.
    pub(crate) fn axis(&mut self, axis: usize, table: Vec<i64>) -> Int {
        if let Some(&first) = table.first()
            && table.iter().all(|&v| v == first)
        {
            return Int::Lit(first);
        }
        self.sum(vec![(axis as u32, table.into())])
    }

    /// A number that is a sum over axes.
    pub(crate) fn sum(&mut self, terms: Vec<(u32, Arc<[i64]>)>) -> Int {
        let param = Param { terms };
        let at = self.0.iter().position(|p| *p == param).unwrap_or_else(|| {
            self.0.push(param);
            self.0.len() - 1
        });
        Int::Arg(at as u32)
    }

    /// The extent of each axis of a block.
    pub(crate) fn shape(&mut self, chunks: &[Vec<u64>]) -> Vec<Int> {
        chunks.iter().enumerate().map(|(a, c)| self.axis(a, sizes(c))).collect()
    }

    /// The index of a block's first item along each axis.
    pub(crate) fn start(&mut self, chunks: &[Vec<u64>]) -> Vec<Int> {
        chunks.iter().enumerate().map(|(a, c)| self.axis(a, offsets(c))).collect()
    }
}

/// Sizes as arguments.
pub(crate) fn sizes(chunks: &[u64]) -> Vec<i64> {
    chunks.iter().map(|&c| c as i64).collect()
}

/// Where each chunk starts.
pub(crate) fn offsets(chunks: &[u64]) -> Vec<i64> {
    let mut at = 0i64;
    chunks
        .iter()
        .map(|&c| {
            let here = at;
            at = at.saturating_add(c as i64);
            here
        })
        .collect()
}

/// The extent of an axis, unless a chunk is unknown.
pub(crate) fn extent(chunks: &[u64]) -> Option<u64> {
    if chunks.contains(&UNKNOWN) { None } else { Some(chunks.iter().sum()) }
}

impl Node {
    /// Number of blocks along each axis.
    pub(crate) fn grid(&self) -> Vec<u32> {
        self.chunks.iter().map(|c| c.len() as u32).collect()
    }

    /// Bytes of its largest block; 0 when unknown.
    pub(crate) fn block_bytes(&self) -> u64 {
        let mut n = self.dtype.itemsize() as u64;
        for c in self.chunks.iter() {
            match c.iter().max() {
                Some(&UNKNOWN) | None => return 0,
                Some(&m) => n = n.saturating_mul(m),
            }
        }
        n
    }

    /// Whether it costs nothing to make again wherever it is used.
    pub(crate) fn is_cheap(&self) -> bool {
        match &self.kind {
            Kind::Blocks { op: None, .. } => true,
            Kind::Blocks { op: Some(op), of, .. } => match op {
                Op::Full { .. } | Op::Arange { .. } | Op::Linspace { .. } | Op::Eye { .. } => of.is_empty(),
                Op::Literal { data, .. } => data.len() <= 4096,
                Op::Transpose { .. }
                | Op::ExpandDims { .. }
                | Op::Squeeze { .. }
                | Op::BroadcastTo { .. } => true,
                _ => false,
            },
            Kind::Gather { .. } => false,
        }
    }

    /// Whether each block of a gather comes from one block.
    pub(crate) fn is_single(&self) -> bool {
        matches!(&self.kind, Kind::Gather { of, axes, join: None }
            if of.len() == 1 && axes.iter().flatten().all(|p| p.iter().all(|q| q.src == p[0].src)))
    }

    /// What people call it.
    pub(crate) fn label(&self) -> String {
        match &self.kind {
            Kind::Blocks { op: Some(op), .. } | Kind::Gather { join: Some(op), .. } => crate::text::label(op),
            Kind::Blocks { .. } => "block".into(),
            Kind::Gather { .. } if self.is_single() => "getitem".into(),
            Kind::Gather { .. } => "assemble".into(),
        }
    }
}
