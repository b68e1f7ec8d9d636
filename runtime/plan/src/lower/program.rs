//! The program of a group's tasks, for one combination of classes.

use super::groups::{Group, single_maps};
use super::scratch;
use super::view::{self, View};
use crate::builder::Builder;
use crate::builder::node::{Kind, Map, Param, Piece};
use crate::plan::{Sum, Table};
use crate::program::{Instr, Int, Op, Program, Range};
use std::collections::{BTreeMap, HashMap};

/// Where the tasks of an array are.
pub(crate) struct Placed {
    /// Number of the first.
    pub(crate) first: u32,
    pub(crate) grid: Vec<u32>,
    /// Place of each needed block along each axis.
    pub(crate) place: Vec<Vec<u32>>,
}

/// A value while the number of inputs is not known.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Val {
    Input(u32),
    Instr(u32),
}

/// A program under construction.
pub(crate) struct Writer<'a> {
    b: &'a Builder,
    group: &'a Group,
    placed: &'a HashMap<u32, Placed>,
    /// Indices along each grid axis that have the classes of this program.
    chosen: &'a [Vec<usize>],
    inputs: Vec<Sum>,
    input_at: HashMap<Sum, u32>,
    args: Vec<Sum>,
    arg_at: HashMap<Sum, u32>,
    body: Vec<(Op, Vec<Val>)>,
    /// Of each instruction's array.
    bytes: Vec<u64>,
    values: HashMap<(u32, View), Val>,
}

/// A task's program and what its inputs and arguments are.
pub(crate) struct Written {
    pub(crate) program: Program,
    /// The most bytes that the arrays inside it take at a time, its result among them.
    pub(crate) peak: u64,
    pub(crate) inputs: Vec<Sum>,
    pub(crate) args: Vec<Sum>,
}

/// Writes the program of the tasks of `group` at the `chosen` indices.
pub(crate) fn write(
    b: &Builder,
    group: &Group,
    placed: &HashMap<u32, Placed>,
    chosen: &[Vec<usize>],
) -> Written {
    let mut w = Writer {
        b,
        group,
        placed,
        chosen,
        inputs: vec![],
        input_at: HashMap::new(),
        args: vec![],
        arg_at: HashMap::new(),
        body: vec![],
        bytes: vec![],
        values: HashMap::new(),
    };
    let mut last = Val::Input(0);
    for (id, view) in &group.members {
        last = w.member(*id, view);
        w.values.insert((*id, view.clone()), last);
    }
    let _ = last;
    let n = w.inputs.len() as u32;
    let number = |v: &Val| match v {
        Val::Input(k) => *k,
        Val::Instr(k) => n + k,
    };
    let body =
        w.body.iter().map(|(op, of)| Instr { op: op.clone(), of: of.iter().map(number).collect() }).collect();
    let program = Program { inputs: n, args: w.args.len() as u32, body };
    Written { peak: scratch::peak(&program, &w.bytes), program, inputs: w.inputs, args: w.args }
}

impl Writer<'_> {
    fn member(&mut self, id: u32, view: &View) -> Val {
        let b = self.b;
        let node = &b.nodes[id as usize];
        match &node.kind {
            Kind::Blocks { op, of, params, .. } => {
                let of: Vec<Val> = of.iter().map(|(a, maps)| self.operand(a.0, maps, view)).collect();
                let Some(op) = op else { return of[0] };
                let mut op = op.clone();
                for int in op.ints_mut() {
                    if let Int::Arg(k) = *int {
                        *int = self.param(&params[k as usize], view);
                    }
                }
                let zero = |w: &[Int; 2]| *w == [Int::Lit(0); 2];
                match &op {
                    Op::Pad { widths, .. } if widths.iter().all(zero) => of[0],
                    _ => self.push(op, of, node.block_bytes()),
                }
            }
            Kind::Gather { of, axes, join } => {
                let first: Vec<usize> = self.chosen.iter().map(|c| c[0]).collect();
                // Pieces of the first task; the others have as many, alike.
                let pieces: Vec<&[Piece]> =
                    axes.iter().zip(view).map(|(p, m)| p[view::at(m, &first)].as_slice()).collect();
                let counts: Vec<usize> = pieces.iter().map(|p| p.len()).collect();
                let total: usize = counts.iter().product();
                let mut parts = Vec::with_capacity(total);
                for n in 0..total {
                    let mut which = vec![0; counts.len()];
                    let mut rest = n;
                    for a in (0..counts.len()).rev() {
                        which[a] = rest % counts[a];
                        rest /= counts[a];
                    }
                    let array =
                        of[pieces.iter().zip(&which).map(|(p, &k)| p[k].of as usize).sum::<usize>()].0;
                    let value = if node.is_single() {
                        self.operand(array, &single_maps(node), view)
                    } else {
                        self.load(
                            array,
                            |a, i| axes[a][view::at(&view[a], i)][which[a]].src,
                            |a| view::axis(&view[a]),
                        )
                    };
                    parts.push(self.cut(value, axes, &pieces, &which, view));
                }
                match join {
                    Some(op) => self.push(op.clone(), parts, node.block_bytes()),
                    None if total == 1 => parts[0],
                    None => {
                        let grid = counts.iter().map(|&c| c as u32).collect();
                        self.push(Op::Assemble { grid }, parts, node.block_bytes())
                    }
                }
            }
        }
    }

    fn push(&mut self, op: Op, of: Vec<Val>, bytes: u64) -> Val {
        // The same instruction twice (a block that is loaded and cut for two members).
        if let Some(k) = self.body.iter().position(|(o, f)| *f == of && *o == op) {
            return Val::Instr(k as u32);
        }
        self.body.push((op, of));
        self.bytes.push(bytes);
        Val::Instr(self.body.len() as u32 - 1)
    }

    /// Cuts a piece out of a block, unless it is all of it.
    fn cut(
        &mut self,
        value: Val,
        axes: &[Vec<Vec<Piece>>],
        pieces: &[&[Piece]],
        which: &[usize],
        view: &View,
    ) -> Val {
        if pieces.iter().zip(which).all(|(p, &k)| p[k].whole) {
            return value;
        }
        let mut ranges = Vec::with_capacity(axes.len());
        for a in 0..axes.len() {
            let piece = |i: &[usize]| axes[a][view::at(&view[a], i)][which[a]];
            let on = view::axis(&view[a]);
            let start = self.sum(0, &[(on, &|i| piece(i).start)]);
            let len = self.sum(0, &[(on, &|i| piece(i).len as i64)]);
            let step = pieces[a][which[a]].step;
            ranges.push(Range { start: self.int(start), len: self.int(len), step });
        }
        self.push(Op::Slice { ranges }, vec![value], 0)
    }

    /// An operand: a member's value, or a block that other tasks made.
    fn operand(&mut self, a: u32, maps: &[Map], view: &View) -> Val {
        let maps: View = maps.iter().map(|m| view::compose(m, view, &self.group.grid)).collect();
        let key = (a, maps);
        if let Some(&v) = self.values.get(&key) {
            return v;
        }
        let maps = key.1;
        self.load(a, |axis, i| view::at(&maps[axis], i) as u32, |axis| view::axis(&maps[axis]))
    }

    /// A block that other tasks made: `block` says which along an axis, `on` the grid axis that this depends on.
    fn load(
        &mut self,
        a: u32,
        block: impl Fn(usize, &[usize]) -> u32,
        on: impl Fn(usize) -> Option<usize>,
    ) -> Val {
        let placed = &self.placed[&a];
        let mut stride = 1i64;
        let mut sum = Sum { base: i64::from(placed.first), terms: vec![] };
        let mut parts = vec![];
        for axis in (0..placed.grid.len()).rev() {
            let step = stride;
            let place = &placed.place[axis];
            let block = &block;
            parts.push((on(axis), move |i: &[usize]| step * i64::from(place[block(axis, i) as usize])));
            stride *= i64::from(placed.grid[axis]);
        }
        let terms: Vec<Term<'_>> =
            parts.iter().map(|(axis, f)| (*axis, f as &dyn Fn(&[usize]) -> i64)).collect();
        let offset = self.sum(0, &terms);
        sum.base += offset.base;
        sum.terms = offset.terms;
        let next = self.inputs.len() as u32;
        let k = *self.input_at.entry(sum.clone()).or_insert(next);
        if k == next {
            self.inputs.push(sum);
        }
        Val::Input(k)
    }

    fn param(&mut self, p: &Param, view: &View) -> Int {
        let parts: Vec<_> = p
            .terms
            .iter()
            .map(|(a, t)| {
                let map = &view[*a as usize];
                (view::axis(map), move |i: &[usize]| t[view::at(map, i)])
            })
            .collect();
        let terms: Vec<Term<'_>> =
            parts.iter().map(|(axis, f)| (*axis, f as &dyn Fn(&[usize]) -> i64)).collect();
        let sum = self.sum(0, &terms);
        self.int(sum)
    }

    /// A number of the template where it is the same for all tasks, else an argument.
    fn int(&mut self, sum: Sum) -> Int {
        if sum.terms.is_empty() {
            return Int::Lit(sum.base);
        }
        let next = self.args.len() as u32;
        let k = *self.arg_at.entry(sum.clone()).or_insert(next);
        if k == next {
            self.args.push(sum);
        }
        Int::Arg(k)
    }

    /// Adds up terms, each of which depends on one grid axis at most.
    fn sum(&self, base: i64, terms: &[Term<'_>]) -> Sum {
        let mut index: Vec<usize> = self.chosen.iter().map(|c| c[0]).collect();
        let mut sum = Sum { base, terms: vec![] };
        let mut by_axis: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
        for (axis, f) in terms {
            match axis {
                None => sum.base += f(&index),
                Some(g) => {
                    let first = index[*g];
                    let values = by_axis.entry(*g).or_insert_with(|| vec![0; self.chosen[*g].len()]);
                    for (value, &i) in values.iter_mut().zip(&self.chosen[*g]) {
                        index[*g] = i;
                        *value += f(&index);
                    }
                    index[*g] = first;
                }
            }
        }
        for (g, values) in by_axis {
            let chosen = &self.chosen[g];
            if values.iter().all(|v| *v == values[0]) {
                sum.base += values[0];
                continue;
            }
            let step = (values[1] - values[0]) / (chosen[1] - chosen[0]) as i64;
            let line = |i: usize| values[0] + (i as i64 - chosen[0] as i64) * step;
            if chosen.iter().zip(&values).all(|(&i, &v)| line(i) == v) {
                sum.base += line(0);
                sum.terms.push((g as u32, Table::Step(step)));
            } else {
                let mut table = vec![0; self.group.grid[g] as usize];
                chosen.iter().zip(&values).for_each(|(&i, &v)| table[i] = v);
                sum.terms.push((g as u32, Table::Values(table)));
            }
        }
        sum
    }
}

/// The grid axis that a number depends on, and the number.
type Term<'f> = (Option<usize>, &'f dyn Fn(&[usize]) -> i64);
