//! How much memory a task takes while it runs.

use crate::program::{Format, Op, Program};

/// The most bytes that the arrays inside a run of `program` take at a time, its result among them; inputs aside.
/// `bytes` are those of each instruction's array.
///
/// Elementwise values exist in tiles only, where what uses them takes them tile by tile; views share the memory of
/// what they show. An elementwise value takes the place of an operand of its size that nothing else shows or needs any more.
pub(crate) fn peak(program: &Program, bytes: &[u64]) -> u64 {
    let first = program.inputs as usize;
    let body = &program.body;
    let operands = |at: usize| body[at].of.iter().filter_map(|&v| (v as usize).checked_sub(first));
    let is_elementwise = |op: &Op| op.is_elementwise() || matches!(op, Op::Fold(_));
    // Which values lie in memory: the result, and what operators take whole.
    let mut whole = vec![false; body.len()];
    if let Some(last) = whole.last_mut() {
        *last = true;
    }
    for at in (0..body.len()).rev() {
        let op = &body[at].op;
        let takes_whole = if op.is_view() { whole[at] } else { !is_elementwise(op) && !op.is_streamed() };
        operands(at).filter(|_| takes_whole).for_each(|v| whole[v] = true);
    }
    let in_tiles = |at: usize| body[at].op.is_view() || (is_elementwise(&body[at].op) && !whole[at]);
    // For each value the arrays that it is read from, and for each array the last instruction that reads it.
    let mut arrays: Vec<Vec<usize>> = Vec::with_capacity(body.len());
    let mut last_use: Vec<usize> = (0..body.len()).collect();
    let mut shown = vec![false; body.len()];
    for (at, instr) in body.iter().enumerate() {
        let mut from: Vec<usize> = operands(at).flat_map(|v| arrays[v].iter().copied()).collect();
        from.sort_unstable();
        from.dedup();
        for &array in &from {
            last_use[array] = at;
            shown[array] |= instr.op.is_view();
        }
        arrays.push(if in_tiles(at) { from } else { vec![at] });
    }
    if let Some(result) = arrays.last() {
        result.iter().for_each(|&array| last_use[array] = body.len());
    }
    let size = |at: usize| match &body[at].op {
        // Mapped, not read.
        Op::Read { file, .. } if file.format != Format::Zarr => 0,
        _ => bytes[at],
    };
    let is_array = |at: &usize| arrays[*at] == [*at];
    let at_once = |at: usize| {
        let live = (0..at).filter(is_array).filter(|&a| last_use[a] >= at);
        let replaces = |a: usize| last_use[a] == at && !shown[a] && size(a) == size(at);
        let own = match is_elementwise(&body[at].op) && live.clone().any(replaces) {
            true => 0,
            false => size(at),
        };
        live.fold(own, |sum, a| sum.saturating_add(size(a)))
    };
    (0..body.len()).filter(is_array).map(at_once).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::{DType, Scalar};
    use crate::program::{Binary, Instr, Reduction, Unary};

    /// The peak of a program without inputs: each instruction with its operands and its bytes.
    fn of(body: &[(Op, &[u32], u64)]) -> u64 {
        let instrs = body.iter().map(|(op, of, _)| Instr { op: op.clone(), of: of.to_vec() }).collect();
        let bytes: Vec<u64> = body.iter().map(|(.., n)| *n).collect();
        peak(&Program { inputs: 0, args: 0, body: instrs }, &bytes)
    }

    fn ones() -> Op {
        Op::Full { dtype: DType::Float64, value: Scalar::Int(1), shape: vec![] }
    }

    fn sum() -> Op {
        Op::Reduce { f: Reduction::Sum, axes: vec![0], dtype: DType::Float64 }
    }

    #[test]
    fn chains_exist_in_tiles() {
        let (exp, add) = (Op::Unary(Unary::Exp), Op::Binary(Binary::Add));
        assert_eq!(of(&[(ones(), &[], 800), (exp.clone(), &[0], 800), (sum(), &[1], 8)]), 808);
        assert_eq!(of(&[(ones(), &[], 800), (exp.clone(), &[0], 800)]), 800, "in place");
        let two = [(ones(), &[][..], 800), (ones(), &[], 800), (add.clone(), &[0, 1], 800)];
        assert_eq!(of(&two), 1600, "in place of one");
        let turned = Op::Transpose { axes: vec![1, 0] };
        assert_eq!(of(&[(ones(), &[], 800), (turned, &[0], 800), (add, &[0, 1], 800)]), 1600);
        let half = Op::Cast(DType::Float32);
        assert_eq!(of(&[(ones(), &[], 800), (half, &[0], 400)]), 1200);
    }

    #[test]
    fn what_an_operator_takes_whole_lies_in_memory() {
        let chain = [(ones(), &[][..], 800), (Op::Unary(Unary::Exp), &[0], 400), (Op::MatMul, &[1, 1], 100)];
        assert_eq!(of(&chain), 1200);
        let later = [&chain[..], &[(sum(), &[2], 8)]].concat();
        assert_eq!(of(&later), 1200, "the peak is before the end");
        assert_eq!(peak(&Program { inputs: 1, ..Program::default() }, &[]), 0);
    }
}
