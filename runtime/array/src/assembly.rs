//! A grid of blocks that come one by one, from any thread, and are written into one array as they come.
//!
//! Where a block goes is known when the extents before it are. Those that are not known are taken to be like the first of
//! their axis, but for the last one: a grid that turns out to be uneven is laid out anew, by its true extents.
#![allow(unsafe_code)] // Threads write disjoint blocks of one buffer; each block says why that holds.

use crate::buffer::Buffer;
use crate::chunk::{Chunk, c_strides, checked_nbytes};
use crate::copy;
use dask_plan::DType;
use std::sync::{Arc, Mutex, MutexGuard};

/// See the module.
pub struct Assembly {
    grid: Vec<usize>,
    state: Mutex<State>,
}

/// What is there of a block.
#[derive(Clone)]
enum Cell {
    /// Nothing.
    Absent,
    /// The block, in memory of its own.
    Apart(Chunk),
    /// A thread writes it into the array; what it still has to be kept for is another layout.
    Moving(Chunk),
    /// It is in the array.
    There,
}

struct State {
    dtype: Option<DType>,
    axes: Vec<Axis>,
    cells: Vec<Cell>,
    /// The blocks that stand apart may be laid out.
    apart: Vec<usize>,
    layout: Option<Arc<Layout>>,
    /// A block does not fit the others: whatever comes stays apart.
    odd: bool,
}

/// Extents of blocks along an axis, where they are known.
struct Axis {
    extents: Vec<Option<usize>>,
    unknown: usize,
    /// Those that are not known may be any.
    uneven: bool,
}

/// Where blocks go.
struct Layout {
    dtype: DType,
    shape: Vec<usize>,
    /// Starts of blocks along each axis, and last where the axis ends.
    starts: Vec<Vec<usize>>,
    buffer: Arc<Buffer>,
    /// First byte of the buffer, for writing.
    start: Start,
}

struct Start(*mut u8);
// SAFETY: it points to the buffer of its layout, to which threads write as `Assembly::put` says.
unsafe impl Send for Start {}
// SAFETY: as above.
unsafe impl Sync for Start {}

/// What became of a grid of blocks.
pub enum Assembled {
    /// One array.
    Whole(Chunk),
    /// What there is of each block, in C order: they do not fit one another, or some never came.
    Parts(Vec<Option<Chunk>>),
}

impl Axis {
    fn new(count: usize) -> Axis {
        Axis { extents: vec![None; count], unknown: count, uneven: false }
    }

    /// Notes an extent; whether it may be.
    fn learn(&mut self, at: usize, extent: usize) -> bool {
        let known = *self.extents[at].get_or_insert_with(|| {
            self.unknown -= 1;
            extent
        });
        known == extent
    }

    /// Starts of blocks and the end, by the extents that are known or taken to be.
    fn starts(&self, outermost: bool) -> Option<Vec<usize>> {
        let first = self.extents.first().copied().flatten()?;
        // The ends of inner axes say how far rows are apart.
        let open = !outermost && self.extents.last().copied().flatten().is_none();
        if open || self.uneven && self.unknown > 0 {
            return None;
        }
        let mut starts = vec![0usize];
        for (at, extent) in self.extents.iter().enumerate() {
            starts.push(starts[at].checked_add(extent.unwrap_or(first))?);
        }
        Some(starts)
    }
}

impl Layout {
    fn new(dtype: DType, axes: &[Axis]) -> Option<Layout> {
        let starts: Vec<_> =
            axes.iter().enumerate().map(|(axis, a)| a.starts(axis == 0)).collect::<Option<_>>()?;
        let shape: Vec<usize> = starts.iter().map(|s| s[s.len() - 1]).collect();
        let mut buffer = Arc::new(Buffer::new(checked_nbytes(&shape, dtype)?));
        // What fits into the buffer itself has its place once that does not move any more.
        let start = Start(Arc::get_mut(&mut buffer)?.as_mut_ptr());
        Some(Layout { dtype, shape, starts, buffer, start })
    }

    /// A view of the array, from the block at `index`.
    ///
    /// # Safety
    /// It must lie within the array, and all of it must have been written.
    unsafe fn view(&self, index: &[usize], shape: &[usize]) -> Chunk {
        let strides = c_strides(&self.shape, self.dtype.itemsize());
        let corner = index.iter().zip(&self.starts).zip(&strides);
        let offset = corner.map(|((&i, starts), &stride)| starts[i] * stride as usize).sum();
        // SAFETY: the buffer is aligned for every dtype and holds the array, whose blocks are written from valid chunks.
        unsafe {
            Chunk::from_valid_parts(self.dtype, shape.into(), strides, offset, Arc::clone(&self.buffer))
        }
    }
}

impl Assembly {
    /// An array of so many blocks along each axis.
    ///
    /// # Panics
    /// If there are none.
    pub fn new(grid: Vec<usize>) -> Assembly {
        let count = grid.iter().product();
        assert!(count > 0, "blocks of a grid of {grid:?}");
        let axes = grid.iter().map(|&n| Axis::new(n)).collect();
        let cells = vec![Cell::Absent; count];
        let state = State { dtype: None, axes, cells, apart: vec![], layout: None, odd: false };
        Assembly { grid, state: Mutex::new(state) }
    }

    /// Blocks along each axis.
    pub fn grid(&self) -> &[usize] {
        &self.grid
    }

    /// Takes a block, whose number is `at` in C order, and writes what can be written. A block that comes again is ignored.
    ///
    /// # Panics
    /// If there is no such block.
    pub fn put(&self, at: usize, block: Chunk) {
        {
            let mut state = self.lock();
            if !matches!(state.cells[at], Cell::Absent) {
                return;
            }
            self.learn(&mut state, at, &block);
            state.cells[at] = Cell::Apart(block);
            state.apart.push(at);
        }
        while let Some((at, block, layout)) = self.next() {
            let index = self.index(at);
            let corner: Vec<usize> = index.iter().zip(&layout.starts).map(|(&i, s)| s[i]).collect();
            // SAFETY: the buffer holds an array of this shape, in which the block fits, as `next` saw. One thread at a time has
            // a block of a layout, blocks do not overlap, and nobody reads them before they are there.
            unsafe { copy::into_block_at(layout.start.0, &layout.shape, &corner, &block) };
            let mut state = self.lock();
            let current = state.layout.as_ref().is_some_and(|l| Arc::ptr_eq(l, &layout));
            state.cells[at] = if current {
                Cell::There
            } else {
                state.apart.push(at);
                Cell::Apart(block.clone())
            };
            drop(state);
            // Not under the lock: freeing large memory takes long.
            drop(block);
        }
    }

    /// A block whose place is known.
    fn next(&self) -> Option<(usize, Chunk, Arc<Layout>)> {
        let mut state = self.lock();
        if state.odd || state.apart.is_empty() {
            return None;
        }
        if state.layout.is_none() {
            state.layout = Some(Arc::new(Layout::new(state.dtype?, &state.axes)?));
        }
        let layout = Arc::clone(state.layout.as_ref()?);
        let at = state.apart.pop()?;
        let Cell::Apart(block) = std::mem::replace(&mut state.cells[at], Cell::Absent) else { return None };
        state.cells[at] = Cell::Moving(block.clone());
        Some((at, block, layout))
    }

    /// Notes what a block says of its axes.
    fn learn(&self, state: &mut State, at: usize, block: &Chunk) {
        let index = self.index(at);
        let dtype = *state.dtype.get_or_insert(block.dtype());
        let fits = dtype == block.dtype()
            && block.ndim() == self.grid.len()
            && index.iter().zip(block.shape()).zip(&mut state.axes).all(|((&i, &n), axis)| axis.learn(i, n));
        if !fits {
            state.odd = true;
            return;
        }
        let Some(layout) = &state.layout else { return };
        let mut moved = false;
        for (axis, (&i, &n)) in index.iter().zip(block.shape()).enumerate() {
            let starts = &layout.starts[axis];
            let assumed = starts[i + 1] - starts[i];
            // The last along the first axis may be shorter: nothing comes after it.
            if n != assumed && !(axis == 0 && i + 1 == self.grid[0] && n < assumed) {
                state.axes[axis].uneven = true;
                moved = true;
            }
        }
        if moved {
            self.lift(state);
        }
    }

    /// Gives a layout up: what is in its array stands apart, until there is another.
    fn lift(&self, state: &mut State) {
        for at in 0..state.cells.len() {
            if let (Cell::There, Some(block)) = (&state.cells[at], self.block(state, at)) {
                state.cells[at] = Cell::Apart(block);
                state.apart.push(at);
            }
        }
        state.layout = None;
    }

    /// What there is of a block.
    fn block(&self, state: &State, at: usize) -> Option<Chunk> {
        match &state.cells[at] {
            Cell::Absent => None,
            Cell::Apart(block) | Cell::Moving(block) => Some(block.clone()),
            Cell::There => {
                let index = self.index(at);
                let extents = index.iter().zip(&state.axes).map(|(&i, axis)| axis.extents[i]);
                let shape: Vec<usize> = extents.collect::<Option<_>>()?;
                // SAFETY: it was written there, with the extents that it told.
                Some(unsafe { state.layout.as_ref()?.view(&index, &shape) })
            }
        }
    }

    /// The array, or what there is of it.
    pub fn finish(&self) -> Assembled {
        let state = self.lock();
        if let Some(layout) = &state.layout
            && !state.odd
            && state.cells.iter().all(|cell| matches!(cell, Cell::There))
        {
            let extent = |axis: &Axis| axis.extents.iter().flatten().sum();
            let shape: Vec<usize> = state.axes.iter().map(extent).collect();
            // SAFETY: all blocks were written, side by side from the first.
            return Assembled::Whole(unsafe { layout.view(&vec![0; shape.len()], &shape) });
        }
        Assembled::Parts((0..state.cells.len()).map(|at| self.block(&state, at)).collect())
    }

    fn index(&self, mut at: usize) -> Vec<usize> {
        let mut index = vec![0; self.grid.len()];
        for (i, &n) in index.iter_mut().zip(&self.grid).rev() {
            *i = at % n;
            at /= n;
        }
        index
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The block of a matrix whose elements count on in C order.
    fn block(matrix: &Chunk, rows: std::ops::Range<usize>, cols: std::ops::Range<usize>) -> Chunk {
        let width = matrix.shape()[1];
        let all = matrix.as_slice::<i64>().unwrap();
        Chunk::build(&[rows.len(), cols.len()], |out: &mut [i64]| {
            let places = rows.flat_map(|r| cols.clone().map(move |c| r * width + c));
            out.iter_mut().zip(places).for_each(|(o, at)| *o = all[at]);
        })
    }

    fn matrix(rows: usize, cols: usize) -> Chunk {
        Chunk::build(&[rows, cols], |out: &mut [i64]| (0..).zip(out).for_each(|(n, o)| *o = n))
    }

    fn starts(extents: &[usize]) -> Vec<usize> {
        extents.iter().scan(0, |end, n| Some(std::mem::replace(end, *end + n))).collect()
    }

    /// Numbers that look random.
    fn shuffle(order: &mut [usize], seed: &mut u64) {
        for i in (1..order.len()).rev() {
            *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            order.swap(i, (*seed >> 33) as usize % (i + 1));
        }
    }

    #[test]
    fn blocks_may_come_in_any_order_and_be_of_any_extents() {
        let (mut seed, axes) =
            (1, [&[3, 3, 3, 1][..], &[2, 5, 1], &[4], &[0, 2, 0], &[1, 1, 1, 7], &[0, 0], &[3, 2, 3, 3]]);
        for rows in axes {
            for cols in axes {
                let whole = matrix(rows.iter().sum(), cols.iter().sum());
                let (tops, lefts) = (starts(rows), starts(cols));
                for _ in 0..20 {
                    let assembly = Assembly::new(vec![rows.len(), cols.len()]);
                    let mut order: Vec<usize> = (0..rows.len() * cols.len()).collect();
                    shuffle(&mut order, &mut seed);
                    let put = |at: &usize| {
                        let (i, j) = (at / cols.len(), at % cols.len());
                        let (top, left) = (tops[i], lefts[j]);
                        assembly.put(*at, block(&whole, top..top + rows[i], left..left + cols[j]));
                    };
                    let (left, right) = order.split_at(order.len() / 2);
                    std::thread::scope(|scope| {
                        scope.spawn(|| left.iter().for_each(put));
                        right.iter().for_each(put);
                    });
                    let Assembled::Whole(chunk) = assembly.finish() else { panic!("{rows:?} × {cols:?}") };
                    assert_eq!(chunk.shape(), whole.shape());
                    assert_eq!(chunk.to_contiguous().as_slice::<i64>(), whole.as_slice::<i64>());
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_given_back_as_it_came() {
        let whole = matrix(4, 4);
        let blocks = [
            block(&whole, 0..2, 0..2),
            block(&whole, 0..2, 2..4),
            block(&whole, 2..4, 0..1),
            block(&whole, 2..4, 2..4),
        ];
        let other = Chunk::build(&[2, 2], |out: &mut [f64]| out.fill(0.5));
        for (odd, at) in [(blocks[2].clone(), 2), (other, 3), (Chunk::scalar(1i64), 3)] {
            let assembly = Assembly::new(vec![2, 2]);
            for (n, block) in blocks.iter().enumerate().filter(|(n, _)| *n != at && *n != 2) {
                assembly.put(n, block.clone());
            }
            assembly.put(at, odd.clone());
            let Assembled::Parts(parts) = assembly.finish() else { panic!("block {at} fits") };
            assert_eq!(
                (parts[at].as_ref().unwrap().shape(), parts[at].as_ref().unwrap().dtype()),
                (odd.shape(), odd.dtype())
            );
            assert_eq!(parts[2].is_none(), at != 2);
            let second = parts[1].as_ref().unwrap().to_contiguous();
            assert_eq!(second.as_slice::<i64>().unwrap(), [2, 3, 6, 7]);
        }
    }
}
