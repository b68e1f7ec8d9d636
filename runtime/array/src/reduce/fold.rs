//! Reductions that combine by themselves: sums, products, extremes, truth, counts.

use super::number::Number;
use super::sum;
use super::walk::{Feed, Reducer, Sink, Walk};
use crate::chunk::Chunk;
use crate::math::level::{Job, Level, dispatch};
use crate::run::Error;
use crate::with_dtype;
use dask_plan::program::Reduction;
use dask_plan::{DType, Kind, infer};
use num_complex::{Complex32, Complex64};

/// The sink of a reduction over elements of this dtype.
///
/// # Errors
/// [`Error::Value`] for the extreme of nothing.
pub(super) fn sink(f: Reduction, dtype: DType, walk: Walk) -> Result<Box<dyn Sink>, Error> {
    use Reduction::*;
    if matches!(f, Min | Max | Nanmin | Nanmax) && walk.count == 0 && walk.len() > 0 {
        return Err(Error::Value(format!(
            "{} of an empty array has no value; reduce over axes that are not empty",
            infer::numpy_name(&f)
        )));
    }
    let n = walk.len();
    Ok(match f {
        Sum | Nansum if matches!(dtype.kind(), Kind::Float | Kind::Complex) => {
            with_dtype!(dtype, T in [f32, f64, Complex32, Complex64] => Feed::boxed(walk, sum::Sum::<T>::new(n)),
                else => return Err(Error::Operand(format!("sum has no kernel for {dtype}"))))
        }
        Sum | Nansum => with_dtype!(dtype, T => fold::<T, _>(walk, T::ZERO, T::add)),
        Prod | Nanprod => with_dtype!(dtype, T => fold::<T, _>(walk, T::ONE, T::multiply)),
        Max => with_dtype!(dtype, T => extreme::<T, _, _>(walk, T::LOWEST, T::larger, |a, b| b.above(a))),
        Min => with_dtype!(dtype, T => extreme::<T, _, _>(walk, T::HIGHEST, T::smaller, |a, b| a.above(b))),
        Nanmax => with_dtype!(dtype, T => fold::<T, _>(walk, T::NO_MAXIMUM, T::skip_nan_max)),
        Nanmin => with_dtype!(dtype, T => fold::<T, _>(walk, T::NO_MINIMUM, T::skip_nan_min)),
        Any => fold(walk, false, bool::add),
        All => fold(walk, true, bool::multiply),
        CountNonzero | Nancount => Feed::boxed(walk, Count(vec![0; n])),
    })
}

fn fold<T: Number, F: Fn(T, T) -> T + Copy + 'static>(walk: Walk, neutral: T, f: F) -> Box<dyn Sink> {
    let accumulators = vec![neutral; walk.len()];
    Feed::boxed(walk, Fold { accumulators, neutral, f })
}

/// A fold by a function of two elements.
struct Fold<T, F> {
    accumulators: Vec<T>,
    neutral: T,
    f: F,
}

impl<T: Number, F: Fn(T, T) -> T + Copy> Reducer<T> for Fold<T, F> {
    fn along(&mut self, run: &[T], at: usize, _: usize) {
        let folded = dispatch(Along { run, neutral: self.neutral, f: self.f });
        self.accumulators[at] = (self.f)(self.accumulators[at], folded);
    }

    fn across(&mut self, run: &[T], at: usize, _: usize) {
        dispatch(Across { run, accumulators: &mut self.accumulators[at..at + run.len()], f: self.f });
    }

    fn short(&mut self, runs: &[T], width: usize, at: usize, _: usize) {
        let accumulators = &mut self.accumulators[at..at + runs.len() / width];
        dispatch(Short { runs, width, accumulators, f: self.f });
    }

    fn finish(self, shape: &[usize]) -> Vec<Chunk> {
        vec![Chunk::from_slice(shape, &self.accumulators)]
    }
}

/// Short runs, each folded into an accumulator of its own.
struct Short<'a, T, F> {
    runs: &'a [T],
    width: usize,
    accumulators: &'a mut [T],
    f: F,
}

impl<T: Number, F: Fn(T, T) -> T + Copy> Short<'_, T, F> {
    #[inline(always)]
    fn each(self, width: usize) {
        for (run, a) in self.runs.chunks_exact(width).zip(self.accumulators) {
            *a = run.iter().fold(*a, |a, &x| (self.f)(a, x));
        }
    }
}

impl<T: Number, F: Fn(T, T) -> T + Copy> Job for Short<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        // Widths that are common are known when this is compiled.
        match self.width {
            2 => self.each(2),
            3 => self.each(3),
            4 => self.each(4),
            width => self.each(width),
        }
    }
}

fn extreme<T: Number, F, G>(walk: Walk, neutral: T, f: F, replaces: G) -> Box<dyn Sink>
where
    F: Fn(T, T) -> T + Copy + 'static,
    G: Fn(T, T) -> bool + Copy + 'static,
{
    let accumulators = vec![neutral; walk.len()];
    Feed::boxed(walk, Extreme { fold: Fold { accumulators, neutral, f }, replaces })
}

/// The largest or the smallest: a fold whose runs are searched for NaN beside, which is faster than to mind it at each element.
struct Extreme<T, F, G> {
    fold: Fold<T, F>,
    /// Whether the second is to be preferred to the first; false beside NaN.
    replaces: G,
}

impl<T: Number, F: Fn(T, T) -> T + Copy, G: Fn(T, T) -> bool + Copy> Reducer<T> for Extreme<T, F, G> {
    fn along(&mut self, run: &[T], at: usize, index: usize) {
        match dispatch(Ordered { run, neutral: self.fold.neutral, replaces: self.replaces }) {
            Some(best) => {
                let a = &mut self.fold.accumulators[at];
                *a = (self.fold.f)(*a, best);
            }
            None => self.fold.along(run, at, index),
        }
    }

    fn across(&mut self, run: &[T], at: usize, index: usize) {
        self.fold.across(run, at, index);
    }

    fn short(&mut self, runs: &[T], width: usize, at: usize, index: usize) {
        self.fold.short(runs, width, at, index);
    }

    fn finish(self, shape: &[usize]) -> Vec<Chunk> {
        self.fold.finish(shape)
    }
}

/// The extreme of a run without NaN.
struct Ordered<'a, T, G> {
    run: &'a [T],
    neutral: T,
    replaces: G,
}

impl<T: Number, G: Fn(T, T) -> bool + Copy> Job for Ordered<'_, T, G> {
    type Output = Option<T>;

    #[inline(always)]
    fn run<L: Level>(self) -> Option<T> {
        // NaN is kept beside, in lanes of the same width, so that both are one instruction each.
        let (mut lanes, mut nan) = ([self.neutral; WIDE], [self.neutral; WIDE]);
        let (rows, rest) = self.run.as_chunks::<WIDE>();
        let mut last = [self.neutral; WIDE];
        last[..rest.len()].copy_from_slice(rest);
        for row in rows.iter().chain([&last]) {
            for (lane, &x) in lanes.iter_mut().zip(row) {
                *lane = if (self.replaces)(*lane, x) { x } else { *lane };
            }
            for (nan, &x) in nan.iter_mut().zip(row) {
                *nan = if x.is_nan() { x } else { *nan };
            }
        }
        let mut width = WIDE / 2;
        while width > 0 {
            for i in 0..width {
                let (other, odd) = (lanes[i + width], nan[i + width]);
                lanes[i] = if (self.replaces)(lanes[i], other) { other } else { lanes[i] };
                nan[i] = if odd.is_nan() { odd } else { nan[i] };
            }
            width /= 2;
        }
        (!nan[0].is_nan()).then_some(lanes[0])
    }
}

/// Independent accumulators of an extreme's run: comparing takes longer than folding a lane.
const WIDE: usize = 32;

/// Independent accumulators of a run: enough to fill the vectors.
const LANES: usize = 16;

struct Along<'a, T, F> {
    run: &'a [T],
    neutral: T,
    f: F,
}

impl<T: Number, F: Fn(T, T) -> T + Copy> Job for Along<'_, T, F> {
    type Output = T;

    #[inline(always)]
    fn run<L: Level>(self) -> T {
        let mut lanes = [self.neutral; LANES];
        let mut blocks = self.run.chunks_exact(LANES);
        for block in &mut blocks {
            for (lane, &x) in lanes.iter_mut().zip(block) {
                *lane = (self.f)(*lane, x);
            }
        }
        for (lane, &x) in lanes.iter_mut().zip(blocks.remainder()) {
            *lane = (self.f)(*lane, x);
        }
        lanes.into_iter().fold(self.neutral, self.f)
    }
}

struct Across<'a, T, F> {
    run: &'a [T],
    accumulators: &'a mut [T],
    f: F,
}

impl<T: Number, F: Fn(T, T) -> T + Copy> Job for Across<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        for (a, &x) in self.accumulators.iter_mut().zip(self.run) {
            *a = (self.f)(*a, x);
        }
    }
}

/// Counts true elements.
struct Count(Vec<i64>);

impl Reducer<bool> for Count {
    fn along(&mut self, run: &[bool], at: usize, _: usize) {
        self.0[at] += run.iter().map(|&b| i64::from(b)).sum::<i64>();
    }

    fn across(&mut self, run: &[bool], at: usize, _: usize) {
        for (n, &b) in self.0[at..].iter_mut().zip(run) {
            *n += i64::from(b);
        }
    }

    fn finish(self, shape: &[usize]) -> Vec<Chunk> {
        vec![Chunk::from_slice(shape, &self.0)]
    }
}
