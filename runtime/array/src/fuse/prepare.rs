//! What can be known about a program before its inputs are.

use dask_plan::program::{Op, Program};
use std::collections::HashMap;

/// Which instructions are equal, which are dead, and how often each value is used.
#[derive(Debug)]
pub(crate) struct Prepass {
    canonical: Vec<usize>,
    uses: Vec<u32>,
    live: Vec<bool>,
    result: usize,
}

impl Prepass {
    /// For a program that passed `check`.
    pub(crate) fn new(program: &Program) -> Prepass {
        let inputs = program.inputs as usize;
        let values = inputs + program.body.len();
        let mut canonical: Vec<usize> = (0..values).collect();
        // Operators are compared as text, in which -0.0 differs from 0.0 and NaN equals itself.
        let mut known: HashMap<(String, Vec<usize>), usize> = HashMap::new();
        for (i, instr) in program.body.iter().enumerate() {
            if has_effect(&instr.op) || matches!(instr.op, Op::Literal { .. }) {
                continue;
            }
            let of = instr.of.iter().map(|&v| canonical[v as usize]).collect();
            canonical[inputs + i] = *known.entry((format!("{:?}", instr.op), of)).or_insert(inputs + i);
        }
        let result = if program.body.is_empty() { 0 } else { canonical[values - 1] };
        let mut uses = vec![0; values];
        let mut live = vec![false; values];
        uses[result] = 1;
        for (i, instr) in program.body.iter().enumerate().rev() {
            let v = inputs + i;
            live[v] = canonical[v] == v && (uses[v] > 0 || has_effect(&instr.op));
            if live[v] {
                instr.of.iter().for_each(|&o| uses[canonical[o as usize]] += 1);
            }
        }
        Prepass { canonical, uses, live, result }
    }

    /// The first value that equals this one.
    pub(crate) fn canonical(&self, v: usize) -> usize {
        self.canonical[v]
    }

    /// How many operands of live instructions it is; the program's result counts as one.
    pub(crate) fn uses(&self, v: usize) -> u32 {
        self.uses[v]
    }

    /// Whether an instruction's value must be computed.
    pub(crate) fn is_live(&self, v: usize) -> bool {
        self.live[v]
    }

    /// The value that the program returns.
    pub(crate) fn result(&self) -> usize {
        self.result
    }
}

/// Whether an operator does more than yield a value.
fn has_effect(op: &Op) -> bool {
    matches!(op, Op::Create { .. } | Op::Write { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dask_plan::program::{Binary, Instr, Unary};

    #[test]
    fn equal_instructions_are_one_and_unused_ones_are_dead() {
        let instr = |op, of: &[u32]| Instr { op, of: of.to_vec() };
        let program = Program {
            inputs: 1,
            args: 0,
            body: vec![
                instr(Op::Unary(Unary::Exp), &[0]),
                instr(Op::Unary(Unary::Sin), &[0]),
                instr(Op::Unary(Unary::Exp), &[0]),
                instr(Op::Binary(Binary::Add), &[1, 3]),
            ],
        };
        let p = Prepass::new(&program);
        assert_eq!((p.canonical(3), p.result()), (1, 4));
        assert_eq!((1..5).map(|v| p.is_live(v)).collect::<Vec<_>>(), [true, false, false, true]);
        assert_eq!((0..5).map(|v| p.uses(v)).collect::<Vec<_>>(), [1, 2, 0, 0, 1]);
    }
}
