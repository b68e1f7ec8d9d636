//! Evaluates expressions of one shape, tile by tile.
#![allow(unsafe_code)] // Kernels work on raw tiles; every tile lies within a chunk or its own scratch slot.

use crate::buffer::Buffer;
use crate::chunk::{Chunk, Strides, c_strides};
use crate::elementwise::kernel::Kernel;
use crate::fuse::load::Loader;
use crate::fuse::tiles::{Tile, Tiles};
use crate::reduce::Sink;
use crate::run::{Context, Error};
use dask_plan::DType;

/// One node of a group; operands are numbers of earlier steps.
pub(crate) enum Step {
    /// Reads an array that broadcasts to the group's shape.
    Load(Chunk),
    /// Runs a kernel that yields `dtype`. With `store` the result is an array, else it exists in tiles only.
    Compute { kernel: Kernel, args: Vec<usize>, dtype: DType, store: bool },
}

/// Expressions of one shape.
pub(crate) struct Group {
    pub(crate) shape: Vec<usize>,
    pub(crate) steps: Vec<Step>,
    /// The step whose elements go to the sink.
    pub(crate) reduced: Option<usize>,
}

/// Where a step's tile lies.
#[derive(Clone, Copy)]
struct Place {
    ptr: *mut u8,
    /// Bytes from row to row.
    row: isize,
}

/// An array that is read.
struct Source {
    /// Keeps the memory alive.
    _chunk: Chunk,
    ptr: *const u8,
    strides: Vec<isize>,
    itemsize: usize,
    /// Kernels read it where it lies; otherwise tiles of it are packed first.
    direct: bool,
}

impl Source {
    /// One element everywhere.
    fn is_constant(&self) -> bool {
        self.strides.iter().all(|&s| s == 0)
    }
}

/// An array that is written.
struct Target {
    step: usize,
    chunk: Chunk,
    ptr: *mut u8,
}

/// What is done for each tile.
enum Action {
    /// Makes a source's tile available.
    Load { step: usize, source: usize, slot: usize },
    /// Runs a kernel, into a slot or a target.
    Compute { step: usize, kernel: Kernel, args: [usize; 3], count: usize, itemsize: usize, out: Out },
}

enum Out {
    Slot(usize),
    Target(usize),
}

/// Evaluates a group; returns the stored steps with their arrays.
///
/// # Errors
/// When the caller gave up.
pub(crate) fn run(
    group: Group,
    mut sink: Option<&mut dyn Sink>,
    context: &Context,
) -> Result<Vec<(usize, Chunk)>, Error> {
    let Group { shape, steps, reduced } = group;
    let mut sources: Vec<(usize, Chunk)> = Vec::new();
    let mut computed = Vec::new();
    let mut dtypes = Vec::with_capacity(steps.len());
    for (s, step) in steps.into_iter().enumerate() {
        match step {
            Step::Load(chunk) => {
                dtypes.push(chunk.dtype());
                sources.push((s, chunk));
            }
            Step::Compute { kernel, args, dtype, store } => {
                dtypes.push(dtype);
                computed.push((s, kernel, args, store));
            }
        }
    }
    let mut targets = make_targets(&shape, &mut sources, &computed, &dtypes);
    if shape.contains(&0) {
        return Ok(targets.into_iter().map(|t| (t.step, t.chunk)).collect());
    }

    // A reduction sees the axes as they are: its order of summation must not depend on how operands lie in memory.
    let mut space = Space::new(&shape, &sources);
    let order = if sink.is_some() { None } else { space.reorder() };
    if sink.is_none() {
        space.merge();
    }
    let tiles = Tiles::new(&space.shape);
    let writes_in_place: Vec<*const u8> = targets.iter().map(|t| t.ptr.cast_const()).collect();
    let sources: Vec<(usize, Source)> = sources
        .into_iter()
        .zip(std::mem::take(&mut space.strides))
        .map(|((step, chunk), strides)| {
            let (ptr, itemsize) = (chunk.as_ptr(), chunk.dtype().itemsize());
            let direct = lies_as_tiles(&tiles, &strides, itemsize)
                && !strides.iter().all(|&s| s == 0)
                && !writes_in_place.contains(&ptr);
            (step, Source { _chunk: chunk, ptr, strides, itemsize, direct })
        })
        .collect();

    let (actions, slots) = schedule(&sources, &computed, &targets, &dtypes, reduced);
    let item = dtypes.iter().map(|d| d.itemsize()).max().unwrap_or(1);
    // Slots are a cache line apart from multiples of a page, so that they do not compete for the same sets.
    // The largest tile: a small array needs little memory, and constants are laid out no longer than that.
    let largest: usize = tiles.len.iter().product();
    let slot_bytes = (largest * item).next_multiple_of(64) + 64;
    let mut scratch = Buffer::new(slots * slot_bytes);
    let slot_ptr = |scratch: *mut u8, slot: usize| scratch.wrapping_add(slot * slot_bytes);
    let base = scratch.as_mut_ptr();
    let mut places = vec![Place { ptr: base, row: 0 }; dtypes.len()];
    let mut loader = Loader::default();
    // Constants fill a tile once.
    for action in &actions {
        if let Action::Load { source, slot, .. } = action
            && sources[*source].1.is_constant()
        {
            let s = &sources[*source].1;
            // SAFETY: a slot holds a tile of the widest element; the source has at least one element.
            unsafe { loader.pack(s.ptr, &[0], &[largest], s.itemsize, slot_ptr(base, *slot)) };
        }
    }

    let target_strides: Vec<Strides> =
        targets.iter().map(|t| c_strides(&space.shape, t.chunk.dtype().itemsize())).collect();

    let mut tile = tiles.first();
    loop {
        context.check()?;
        for action in &actions {
            match *action {
                Action::Load { step, source, slot } => {
                    let s = &sources[source].1;
                    let at = offset(&tile.start, &s.strides);
                    let packed = Place { ptr: slot_ptr(base, slot), row: (tile.cols * s.itemsize) as isize };
                    places[step] = if s.is_constant() {
                        packed
                    } else if s.direct {
                        let row = match s.strides[..] {
                            [.., row, _] if tiles.cut_rows => row,
                            _ => packed.row,
                        };
                        Place { ptr: s.ptr.wrapping_offset(at).cast_mut(), row }
                    } else {
                        // SAFETY: the tile lies within the space, so within the chunk (its invariant); the slot holds a
                        // tile of the widest element and is no chunk's memory.
                        unsafe {
                            loader.pack(
                                s.ptr.wrapping_offset(at),
                                &s.strides,
                                &tile.len,
                                s.itemsize,
                                packed.ptr,
                            );
                        }
                        packed
                    };
                }
                Action::Compute { step, kernel, args, count, itemsize, ref out } => {
                    let out = match *out {
                        Out::Slot(slot) => {
                            Place { ptr: slot_ptr(base, slot), row: (tile.cols * itemsize) as isize }
                        }
                        Out::Target(t) => {
                            let strides = &target_strides[t];
                            let row = match strides[..] {
                                [.., row, _] if tiles.cut_rows => row,
                                _ => (tile.cols * itemsize) as isize,
                            };
                            Place { ptr: targets[t].ptr.wrapping_offset(offset(&tile.start, strides)), row }
                        }
                    };
                    places[step] = out;
                    let operands: [(Place, usize); 3] = args.map(|a| (places[a], dtypes[a].itemsize()));
                    // SAFETY: operands are tiles that earlier actions made available; the output is a free slot, or a
                    // place in a target that no operand overlaps (what is overwritten is packed first).
                    unsafe { run_kernel(kernel, &operands[..count], out, itemsize, &tile) };
                }
            }
        }
        if let (Some(sink), Some(step)) = (sink.as_deref_mut(), reduced) {
            // SAFETY: the step's tile is available.
            unsafe { sink.tile(&tile, tiles.cut_rows, places[step].ptr, places[step].row) };
        }
        if !tiles.advance(&mut tile) {
            break;
        }
    }
    drop(sources);
    Ok(targets
        .drain(..)
        .map(|t| {
            let chunk = match &order {
                None => t.chunk,
                Some(order) => {
                    // The memory is packed in the reordered space.
                    let mut inverse = vec![0; order.len()];
                    order.iter().enumerate().for_each(|(i, &axis)| inverse[axis] = i);
                    let permuted: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
                    t.chunk.reshape(&permuted).transpose(&inverse)
                }
            };
            (t.step, chunk)
        })
        .collect())
}

/// # Safety
/// As [`Kernel`], for each row of the tile.
unsafe fn run_kernel(kernel: Kernel, operands: &[(Place, usize)], out: Place, itemsize: usize, tile: &Tile) {
    let mut args = [std::ptr::null(); 3];
    for (arg, (place, _)) in args.iter_mut().zip(operands) {
        *arg = place.ptr.cast_const();
    }
    let packed = |place: &Place, itemsize: usize| place.row == (tile.cols * itemsize) as isize;
    if tile.rows == 1 || packed(&out, itemsize) && operands.iter().all(|(p, size)| packed(p, *size)) {
        // SAFETY: rows that follow each other are one run.
        unsafe { kernel(args, out.ptr, tile.rows * tile.cols) };
        return;
    }
    let mut out_ptr = out.ptr;
    for _ in 0..tile.rows {
        // SAFETY: a row of the tile.
        unsafe { kernel(args, out_ptr, tile.cols) };
        for (arg, (place, _)) in args.iter_mut().zip(operands) {
            *arg = arg.wrapping_offset(place.row);
        }
        out_ptr = out_ptr.wrapping_offset(out.row);
    }
}

fn offset(start: &[usize], strides: &[isize]) -> isize {
    start.iter().zip(strides).map(|(&i, &s)| i as isize * s).sum()
}

type Computed = (usize, Kernel, Vec<usize>, bool);

/// Memory for the stored steps: a source that nobody else holds, where one fits, else a pooled buffer.
fn make_targets(
    shape: &[usize],
    sources: &mut [(usize, Chunk)],
    computed: &[Computed],
    dtypes: &[DType],
) -> Vec<Target> {
    let mut taken = vec![false; sources.len()];
    let mut targets = Vec::new();
    for (step, ..) in computed.iter().filter(|c| c.3) {
        let dtype = dtypes[*step];
        let reused = sources.iter_mut().zip(&mut taken).find_map(|((_, chunk), taken)| {
            if *taken || chunk.dtype() != dtype || chunk.shape() != shape || chunk.is_empty() {
                return None;
            }
            let ptr = first_byte(chunk)?;
            *taken = true;
            Some((chunk.clone(), ptr))
        });
        let (chunk, ptr) = reused.unwrap_or_else(|| {
            let mut chunk = Chunk::fresh(dtype, shape.into(), |_| {});
            let ptr = first_byte(&mut chunk).expect("memory that nobody else holds yet");
            (chunk, ptr)
        });
        targets.push(Target { step: *step, chunk, ptr });
    }
    targets
}

/// The first byte of a chunk in C order that nobody else holds, for writing. Small chunks keep their elements in what they
/// share, so it is known only once the chunk is whole.
fn first_byte(chunk: &mut Chunk) -> Option<*mut u8> {
    crate::with_dtype!(chunk.dtype(), T => Some(chunk.as_mut_slice::<T>()?.as_mut_ptr().cast::<u8>()))
}

/// The axes over which a group runs, and the strides of its sources along them.
struct Space {
    shape: Vec<usize>,
    strides: Vec<Vec<isize>>,
}

impl Space {
    fn new(shape: &[usize], sources: &[(usize, Chunk)]) -> Space {
        let strides = sources
            .iter()
            .map(|(_, chunk)| {
                let wide = chunk.broadcast_to(shape);
                wide.strides().iter().zip(shape).map(|(&s, &n)| if n == 1 { 0 } else { s }).collect()
            })
            .collect();
        Space { shape: shape.to_vec(), strides }
    }

    /// Puts the axes into the order in which all sources lie in memory, if there is one that is not the order they
    /// have; returns it.
    fn reorder(&mut self) -> Option<Vec<usize>> {
        let whole = |s: &&Vec<isize>| {
            s.iter().zip(&self.shape).all(|(&s, &n)| n == 1 || s != 0) && s.iter().any(|&s| s != 0)
        };
        let guide = self.strides.iter().find(whole)?;
        let mut order: Vec<usize> = (0..self.shape.len()).collect();
        order.sort_by_key(|&axis| {
            std::cmp::Reverse(if guide[axis] == 0 { usize::MAX } else { guide[axis].unsigned_abs() })
        });
        let sorted = |s: &Vec<isize>| {
            let along: Vec<usize> = order.iter().map(|&a| s[a].unsigned_abs()).filter(|&s| s != 0).collect();
            along.is_sorted_by(|a, b| a >= b)
        };
        if order.is_sorted() || !self.strides.iter().all(sorted) {
            return None;
        }
        self.shape = order.iter().map(|&a| self.shape[a]).collect();
        for s in &mut self.strides {
            *s = order.iter().map(|&a| s[a]).collect();
        }
        Some(order)
    }

    /// Merges axes that every source runs through as one, and drops those of length 1.
    fn merge(&mut self) {
        let mut shape: Vec<usize> = Vec::new();
        let mut strides: Vec<Vec<isize>> = vec![Vec::new(); self.strides.len()];
        for (axis, &n) in self.shape.iter().enumerate().filter(|(_, n)| **n != 1) {
            let one = !shape.is_empty()
                && strides
                    .iter()
                    .zip(&self.strides)
                    .all(|(new, old)| new.last() == Some(&(old[axis] * n as isize)));
            if one {
                *shape.last_mut().expect("not empty") *= n;
                strides
                    .iter_mut()
                    .zip(&self.strides)
                    .for_each(|(new, old)| *new.last_mut().expect("as long") = old[axis]);
            } else {
                shape.push(n);
                strides.iter_mut().zip(&self.strides).for_each(|(new, old)| new.push(old[axis]));
            }
        }
        self.shape = shape;
        self.strides = strides;
    }
}

/// Whether an array's tiles lie in memory as kernels read them.
fn lies_as_tiles(tiles: &Tiles, strides: &[isize], itemsize: usize) -> bool {
    if tiles.cut_rows {
        return strides.last() == Some(&(itemsize as isize));
    }
    let mut step = itemsize as isize;
    tiles.len.iter().zip(strides).rev().all(|(&n, &s)| {
        let fits = n == 1 || s == step;
        step *= n as isize;
        fits
    })
}

/// Orders loads and kernels, and gives each result that needs one a slot until its last use. Also returns the number
/// of slots.
fn schedule(
    sources: &[(usize, Source)],
    computed: &[Computed],
    targets: &[Target],
    dtypes: &[DType],
    reduced: Option<usize>,
) -> (Vec<Action>, usize) {
    let mut last_use = vec![0; dtypes.len()];
    for (at, (_, _, args, _)) in computed.iter().enumerate() {
        args.iter().for_each(|&a| last_use[a] = at);
    }
    if let Some(step) = reduced {
        last_use[step] = usize::MAX;
    }
    let mut slots = Slots { of: vec![None; dtypes.len()], free: Vec::new(), count: 0 };
    let mut actions = Vec::new();
    let mut loaded = vec![false; dtypes.len()];
    let mut load = |step: usize, slots: &mut Slots, actions: &mut Vec<Action>| {
        if let Some(source) = sources.iter().position(|(s, _)| *s == step)
            && !std::mem::replace(&mut loaded[step], true)
        {
            let slot = if sources[source].1.direct { 0 } else { slots.claim(step) };
            actions.push(Action::Load { step, source, slot });
        }
    };
    // Constants keep their slots for good, and what a target overwrites is packed before the first kernel writes.
    for (step, source) in sources {
        if source.is_constant() || targets.iter().any(|t| t.ptr.cast_const() == source.ptr) {
            load(*step, &mut slots, &mut actions);
            if source.is_constant() {
                last_use[*step] = usize::MAX;
            }
        }
    }
    for (at, (step, kernel, args, _)) in computed.iter().enumerate() {
        args.iter().for_each(|&a| load(a, &mut slots, &mut actions));
        // Claimed before the operands' slots are let go: a kernel never writes over what it reads.
        let out = match targets.iter().position(|t| t.step == *step) {
            Some(t) => Out::Target(t),
            None => Out::Slot(slots.claim(*step)),
        };
        let mut operands = [args[0]; 3];
        operands[..args.len()].copy_from_slice(args);
        actions.push(Action::Compute {
            step: *step,
            kernel: *kernel,
            args: operands,
            count: args.len(),
            itemsize: dtypes[*step].itemsize(),
            out,
        });
        args.iter().filter(|&&a| last_use[a] == at).for_each(|&a| slots.let_go(a));
    }
    if let Some(step) = reduced {
        load(step, &mut slots, &mut actions);
    }
    (actions, slots.count)
}

/// Scratch memory for tiles, by number.
struct Slots {
    of: Vec<Option<usize>>,
    free: Vec<usize>,
    count: usize,
}

impl Slots {
    fn claim(&mut self, step: usize) -> usize {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        });
        self.of[step] = Some(slot);
        slot
    }

    fn let_go(&mut self, step: usize) {
        self.free.extend(self.of[step].take());
    }
}
