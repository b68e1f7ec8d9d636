//! Joining a grid of blocks.

use super::operand::{alike, operand, size};
use crate::buffer::Buffer;
use crate::chunk::Chunk;
use crate::copy;
use crate::run::{Context, Error};
use crate::value::Value;

/// `Assemble`: blocks in C order of the grid. Each axis' extents are those of the blocks along it, and every block
/// must agree with them.
pub(super) fn assemble(grid: &[u32], operands: Vec<Value>, context: &Context) -> Result<Value, Error> {
    let blocks = alike("assemble", operands)?;
    let grid: Vec<usize> = grid.iter().map(|&g| g as usize).collect();
    Ok(join("assemble", &grid, &blocks, context)?.into())
}

/// Joins blocks of one dtype.
pub(super) fn join(
    op: &'static str,
    grid: &[usize],
    blocks: &[Chunk],
    context: &Context,
) -> Result<Chunk, Error> {
    let cells = grid.iter().try_fold(1usize, |n, &g| n.checked_mul(g));
    if cells != Some(blocks.len()) {
        return Err(operand(op, format!("{} blocks for a grid of {grid:?}", blocks.len())));
    }
    if let Some(odd) = blocks.iter().find(|b| b.ndim() != grid.len()) {
        let what = format!("a block has {} axes, the grid {}", odd.ndim(), grid.len());
        return Err(operand(op, what));
    }
    if let [only] = blocks {
        return Ok(only.clone());
    }
    // Where each block starts along each axis, and last where the axis ends.
    let mut starts = Vec::with_capacity(grid.len());
    let mut step = blocks.len();
    for (axis, &g) in grid.iter().enumerate() {
        step /= g;
        let mut ends = vec![0usize];
        for cell in 0..g {
            let end = ends[cell].checked_add(blocks[cell * step].shape()[axis]);
            ends.push(end.ok_or_else(|| operand(op, format!("axis {axis} overflows")))?);
        }
        starts.push(ends);
    }
    let shape: Vec<usize> = starts.iter().map(|s| s[s.len() - 1]).collect();
    let dtype = blocks[0].dtype();
    size(op, &shape, dtype)?;
    let mut buffer = Buffer::new(shape.iter().product::<usize>() * dtype.itemsize());
    let mut cell = vec![0; grid.len()];
    for (number, block) in blocks.iter().enumerate() {
        context.check()?;
        let mut rest = number;
        for axis in (0..grid.len()).rev() {
            cell[axis] = rest % grid[axis];
            rest /= grid[axis];
        }
        let at: Vec<usize> = cell.iter().zip(&starts).map(|(&c, s)| s[c]).collect();
        let takes: Vec<usize> = cell.iter().zip(&starts).map(|(&c, s)| s[c + 1] - s[c]).collect();
        if block.shape() != takes {
            let what =
                format!("block {cell:?} has shape {:?}; its row and column take {takes:?}", block.shape());
            return Err(operand(op, what));
        }
        copy::into_block(buffer.bytes_mut(), &shape, &at, block);
    }
    Ok(Chunk::from_buffer(dtype, &shape, buffer).expect("a buffer made for this shape"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(shape: &[usize], fill: i64) -> Value {
        Chunk::build(shape, |o: &mut [i64]| o.fill(fill)).into()
    }

    #[test]
    fn joins_a_grid() {
        let blocks = vec![block(&[1, 2], 1), block(&[1, 1], 2), block(&[2, 2], 3), block(&[2, 1], 4)];
        let whole = assemble(&[2, 2], blocks, &Context::default()).unwrap();
        let whole = whole.array().unwrap();
        assert_eq!(whole.shape(), [3, 3]);
        assert_eq!(whole.as_slice::<i64>().unwrap(), [1, 1, 2, 3, 3, 4, 3, 3, 4]);
    }

    #[test]
    fn a_block_that_does_not_fit_is_named() {
        let text =
            |grid: &[u32], blocks| assemble(grid, blocks, &Context::default()).unwrap_err().to_string();
        let odd = vec![block(&[1, 2], 1), block(&[2, 1], 2)];
        assert_eq!(
            text(&[1, 2], odd),
            "assemble: block [0, 1] has shape [2, 1]; its row and column take [1, 1]"
        );
        assert_eq!(text(&[3], vec![block(&[1], 1)]), "assemble: 1 blocks for a grid of [3]");
        assert!(text(&[2], vec![block(&[1], 1), Chunk::scalar(1.0f64).into()]).contains("float64"));
        assert!(text(&[1], vec![block(&[1, 1], 1)]).contains("2 axes"));
        assert!(text(&[0], vec![]).contains("no operands"));
    }
}
