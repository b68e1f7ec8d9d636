//! Sums of floating numbers.
//!
//! Runs are summed in lanes over blocks, so with the error of a short sum; sums of runs are accumulated with
//! compensation (Neumaier 1974). float32 is summed in float64.

use super::walk::Reducer;
use crate::chunk::{Chunk, Element};
use crate::math::level::{Job, Level, dispatch};
use num_complex::{Complex32, Complex64};

/// A floating number as one or two real ones.
pub(crate) trait Parts: Element {
    /// How many there are.
    const COUNT: usize;

    /// One of them.
    fn part(self, i: usize) -> f64;

    /// From as many.
    fn join(parts: &[f64]) -> Self;
}

impl Parts for f32 {
    const COUNT: usize = 1;

    #[inline(always)]
    fn part(self, _: usize) -> f64 {
        f64::from(self)
    }

    fn join(parts: &[f64]) -> f32 {
        parts[0] as f32
    }
}

impl Parts for f64 {
    const COUNT: usize = 1;

    #[inline(always)]
    fn part(self, _: usize) -> f64 {
        self
    }

    fn join(parts: &[f64]) -> f64 {
        parts[0]
    }
}

impl Parts for Complex32 {
    const COUNT: usize = 2;

    #[inline(always)]
    fn part(self, i: usize) -> f64 {
        f64::from(if i == 0 { self.re } else { self.im })
    }

    fn join(parts: &[f64]) -> Complex32 {
        Complex32::new(parts[0] as f32, parts[1] as f32)
    }
}

impl Parts for Complex64 {
    const COUNT: usize = 2;

    #[inline(always)]
    fn part(self, i: usize) -> f64 {
        if i == 0 { self.re } else { self.im }
    }

    fn join(parts: &[f64]) -> Complex64 {
        Complex64::new(parts[0], parts[1])
    }
}

/// Elements summed in lanes before they are added up.
const BLOCK: usize = 512;

/// Independent sums within a block.
const LANES: usize = 32;

/// Adds `x`, with what the addition loses in `rest`.
#[inline(always)]
fn add(sum: &mut f64, rest: &mut f64, x: f64) {
    let s = *sum + x;
    let t = s - *sum;
    *rest += (*sum - (s - t)) + (x - t);
    *sum = s;
}

/// The sum of one part of a run: (sum, what it lacks).
pub(super) struct RunSum<'a, T> {
    pub(super) run: &'a [T],
    pub(super) part: usize,
}

impl<T: Parts> Job for RunSum<'_, T> {
    type Output = (f64, f64);

    #[inline(always)]
    fn run<L: Level>(self) -> (f64, f64) {
        let (mut sum, mut rest) = (0.0, 0.0);
        for block in self.run.chunks(BLOCK) {
            let mut lanes = [0.0; LANES];
            let mut rows = block.chunks_exact(LANES);
            for row in &mut rows {
                for (lane, x) in lanes.iter_mut().zip(row) {
                    *lane += x.part(self.part);
                }
            }
            for (lane, x) in lanes.iter_mut().zip(rows.remainder()) {
                *lane += x.part(self.part);
            }
            let mut width = LANES / 2;
            while width > 0 {
                for i in 0..width {
                    lanes[i] += lanes[i + width];
                }
                width /= 2;
            }
            add(&mut sum, &mut rest, lanes[0]);
        }
        (sum, rest)
    }
}

struct Across<'a, T> {
    run: &'a [T],
    sum: &'a mut [f64],
    rest: &'a mut [f64],
}

impl<T: Parts> Job for Across<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let parts = self.sum.chunks_exact_mut(T::COUNT).zip(self.rest.chunks_exact_mut(T::COUNT));
        for ((sum, rest), x) in parts.zip(self.run) {
            for i in 0..T::COUNT {
                add(&mut sum[i], &mut rest[i], x.part(i));
            }
        }
    }
}

/// Short runs, each added to a sum of its own.
struct Short<'a, T> {
    runs: &'a [T],
    width: usize,
    sum: &'a mut [f64],
    rest: &'a mut [f64],
}

impl<T: Parts> Short<'_, T> {
    #[inline(always)]
    fn each(self, width: usize) {
        let sums = self.sum.chunks_exact_mut(T::COUNT).zip(self.rest.chunks_exact_mut(T::COUNT));
        for (run, (sum, rest)) in self.runs.chunks_exact(width).zip(sums) {
            for part in 0..T::COUNT {
                let total = run.iter().fold(0.0, |total, x| total + x.part(part));
                add(&mut sum[part], &mut rest[part], total);
            }
        }
    }
}

impl<T: Parts> Job for Short<'_, T> {
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

/// Sums of elements of type `T`; parts of a number lie side by side.
pub(super) struct Sum<T> {
    sum: Vec<f64>,
    rest: Vec<f64>,
    element: std::marker::PhantomData<T>,
}

impl<T: Parts> Sum<T> {
    /// `n` sums.
    pub(super) fn new(n: usize) -> Sum<T> {
        Sum { sum: vec![0.0; n * T::COUNT], rest: vec![0.0; n * T::COUNT], element: std::marker::PhantomData }
    }
}

impl<T: Parts> Reducer<T> for Sum<T> {
    fn along(&mut self, run: &[T], at: usize, _: usize) {
        for part in 0..T::COUNT {
            let (sum, rest) = dispatch(RunSum { run, part });
            let i = at * T::COUNT + part;
            add(&mut self.sum[i], &mut self.rest[i], sum);
            self.rest[i] += rest;
        }
    }

    fn across(&mut self, run: &[T], at: usize, _: usize) {
        let range = at * T::COUNT..(at + run.len()) * T::COUNT;
        dispatch(Across { run, sum: &mut self.sum[range.clone()], rest: &mut self.rest[range] });
    }

    fn short(&mut self, runs: &[T], width: usize, at: usize, _: usize) {
        let range = at * T::COUNT..(at + runs.len() / width) * T::COUNT;
        dispatch(Short { runs, width, sum: &mut self.sum[range.clone()], rest: &mut self.rest[range] });
    }

    fn finish(self, shape: &[usize]) -> Vec<Chunk> {
        // The rest of an infinite sum is NaN.
        let total: Vec<f64> =
            self.sum.iter().zip(&self.rest).map(|(&s, &r)| if s.is_finite() { s + r } else { s }).collect();
        let result: Vec<T> = total.chunks_exact(T::COUNT).map(T::join).collect();
        vec![Chunk::from_slice(shape, &result)]
    }
}
