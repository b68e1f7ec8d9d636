//! How a reduction walks over a tile.
#![allow(unsafe_code)] // Tiles come as raw pointers; their contract makes the slices sound.

use crate::chunk::{Chunk, Element};
use crate::fuse::tiles::Tile;
use std::marker::PhantomData;

/// Takes the tiles of an expression, in C order.
pub(crate) trait Sink {
    /// Takes one.
    ///
    /// # Safety
    /// `data` is aligned and valid for the tile's elements, of the dtype that the sink was made for. They are packed in C
    /// order, or with `cut_rows` in rows that are `row` bytes apart.
    unsafe fn tile(&mut self, tile: &Tile, cut_rows: bool, data: *const u8, row: isize);

    /// The result, after the last tile.
    fn finish(self: Box<Self>) -> Vec<Chunk>;
}

/// Reduces runs of elements into accumulators.
pub(crate) trait Reducer<T> {
    /// All of a run goes into accumulator `at`. The first element has this index along the reduced axes, the others
    /// follow.
    fn along(&mut self, run: &[T], at: usize, index: usize);

    /// Each element of a run goes into an accumulator of its own, from `at` on; all have this index.
    fn across(&mut self, run: &[T], at: usize, index: usize);

    /// Runs of `width` elements, one after the other, which go into an accumulator each, from `at` on; `index` is that of each
    /// run's first element.
    fn short(&mut self, runs: &[T], width: usize, at: usize, index: usize) {
        for (i, run) in runs.chunks_exact(width).enumerate() {
            self.along(run, at + i, index);
        }
    }

    /// The result, in the shape of the walk.
    fn finish(self, shape: &[usize]) -> Vec<Chunk>;
}

/// Elements of a run that is short: what a run costs is most of its work.
const SHORT: usize = 16;

/// Which axes are reduced, and where an element's accumulator is.
pub(crate) struct Walk {
    reduced: Vec<bool>,
    /// Distance of neighbours along each axis in the accumulators; 0 along reduced axes.
    kept_strides: Vec<usize>,
    /// Distance of neighbours in the index along the reduced axes; 0 along the others.
    index_strides: Vec<usize>,
    /// Shape of the result: reduced axes have length 1.
    pub(crate) shape: Vec<usize>,
    /// Elements that one accumulator takes.
    pub(crate) count: usize,
}

impl Walk {
    /// Over `axes` of an array of this shape.
    pub(crate) fn new(shape: &[usize], axes: &[u32]) -> Walk {
        let reduced: Vec<bool> = (0..shape.len()).map(|a| axes.contains(&(a as u32))).collect();
        let strides = |wanted: bool| {
            let mut strides = vec![0; shape.len()];
            let mut step = 1;
            for axis in (0..shape.len()).rev().filter(|&a| reduced[a] == wanted) {
                strides[axis] = step;
                step *= shape[axis];
            }
            (strides, step)
        };
        let ((kept_strides, _), (index_strides, count)) = (strides(false), strides(true));
        let result = shape.iter().zip(&reduced).map(|(&n, &r)| if r { 1 } else { n }).collect();
        Walk { reduced, kept_strides, index_strides, shape: result, count }
    }

    /// Number of accumulators.
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A walk with a reducer at its end.
pub(crate) struct Feed<T, R> {
    walk: Walk,
    reducer: R,
    element: PhantomData<T>,
}

impl<T: Element, R: Reducer<T> + 'static> Feed<T, R> {
    /// Boxed, as groups take it.
    pub(crate) fn boxed(walk: Walk, reducer: R) -> Box<dyn Sink> {
        Box::new(Feed { walk, reducer, element: PhantomData::<T> })
    }
}

impl<T: Element, R: Reducer<T>> Sink for Feed<T, R> {
    unsafe fn tile(&mut self, tile: &Tile, cut_rows: bool, data: *const u8, row: isize) {
        let walk = &self.walk;
        let d = tile.len.len();
        // The innermost axes that share a fate form the run; axes of length 1 go with any.
        let mut inner = d;
        let mut along = None;
        let mut run = 1;
        while inner > 0 {
            let (n, reduced) = (tile.len[inner - 1], walk.reduced[inner - 1]);
            if n > 1 && along.is_some_and(|a| a != reduced) {
                break;
            }
            if n > 1 {
                along = Some(reduced);
            }
            run *= n;
            inner -= 1;
            if cut_rows {
                break;
            }
        }
        // Short runs whose accumulators are neighbours are taken together.
        let mut width = run;
        if along == Some(true)
            && run <= SHORT
            && !cut_rows
            && let Some(axis) = inner.checked_sub(1)
            && walk.kept_strides[axis] == 1
        {
            inner = axis;
            run *= tile.len[axis];
        } else {
            width = 0;
        }
        // Distances between runs, in bytes: rows of a cut tile, else packed.
        let mut strides = vec![0isize; inner];
        let mut step = if cut_rows { row } else { (run * size_of::<T>()) as isize };
        for axis in (0..inner).rev() {
            strides[axis] = step;
            step *= tile.len[axis] as isize;
        }
        let sum = |s: &[usize]| tile.start.iter().zip(s).map(|(i, s)| i * s).sum::<usize>();
        let (first, index) = (sum(&walk.kept_strides), sum(&walk.index_strides));
        let mut at = vec![0; inner];
        loop {
            let place = |s: &[usize]| at.iter().zip(s).map(|(i, s)| i * s).sum::<usize>();
            let offset: isize = at.iter().zip(&strides).map(|(&i, s)| i as isize * s).sum();
            // SAFETY: the tile is valid, and the run lies within it.
            let elements =
                unsafe { std::slice::from_raw_parts(data.wrapping_offset(offset).cast::<T>(), run) };
            let (first, index) = (first + place(&walk.kept_strides), index + place(&walk.index_strides));
            if width > 0 {
                self.reducer.short(elements, width, first, index);
            } else if along == Some(false) {
                self.reducer.across(elements, first, index);
            } else {
                self.reducer.along(elements, first, index);
            }
            let mut axis = inner;
            loop {
                if axis == 0 {
                    return;
                }
                axis -= 1;
                at[axis] += 1;
                if at[axis] < tile.len[axis] {
                    break;
                }
                at[axis] = 0;
            }
        }
    }

    fn finish(self: Box<Self>) -> Vec<Chunk> {
        self.reducer.finish(&self.walk.shape)
    }
}
