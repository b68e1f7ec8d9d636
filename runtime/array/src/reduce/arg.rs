//! Reductions that find a place.

use super::number::Number;
use super::walk::{Feed, Reducer, Sink, Walk};
use crate::chunk::{Chunk, Element};
use crate::math::level::{Job, Level, dispatch};
use crate::run::Error;
use crate::value::Value;
use crate::with_dtype;
use dask_plan::program::ArgReduction;
use dask_plan::{DType, infer};

/// Where a block lies along the reduced axes of the whole array.
pub(super) struct Place {
    pub(super) block: Vec<usize>,
    pub(super) offset: Vec<i64>,
    pub(super) whole: Vec<u64>,
}

impl Place {
    /// An index within the block, in C order, as an index within the whole array.
    fn globalize(&self, mut index: usize) -> i64 {
        let (mut out, mut step) = (0, 1);
        for ((&n, &offset), &whole) in self.block.iter().zip(&self.offset).zip(&self.whole).rev() {
            out += ((index % n) as i64).wrapping_add(offset).wrapping_mul(step);
            index /= n;
            step = step.wrapping_mul(whole as i64);
        }
        out
    }
}

/// Index of an accumulator that has seen nothing but NaN in a form that skips it.
const NOWHERE: i64 = -1;

/// The sink of an arg-reduction over elements of this dtype.
///
/// # Errors
/// [`Error::Value`] for the extreme of nothing.
pub(super) fn sink(f: ArgReduction, dtype: DType, walk: Walk, place: Place) -> Result<Box<dyn Sink>, Error> {
    if walk.count == 0 && walk.len() > 0 {
        return Err(Error::Value(format!("{} of an empty array has no value", infer::numpy_name(&f))));
    }
    Ok(with_dtype!(dtype, T => match f {
        ArgReduction::Argmax => best::<T, _>(walk, place, max_better),
        ArgReduction::Argmin => best::<T, _>(walk, place, min_better),
        ArgReduction::Nanargmax => best::<T, _>(walk, place, nanmax_better),
        ArgReduction::Nanargmin => best::<T, _>(walk, place, nanmin_better),
    }))
}

// Whether `a` is to be preferred to `b`, apart from their places.

#[inline(always)]
fn max_better<T: Number>(a: T, b: T) -> bool {
    a.above(b) | (a.is_nan() & !b.is_nan())
}

#[inline(always)]
fn min_better<T: Number>(a: T, b: T) -> bool {
    b.above(a) | (a.is_nan() & !b.is_nan())
}

#[inline(always)]
fn nanmax_better<T: Number>(a: T, b: T) -> bool {
    a.above(b) | (!a.is_nan() & b.is_nan())
}

#[inline(always)]
fn nanmin_better<T: Number>(a: T, b: T) -> bool {
    b.above(a) | (!a.is_nan() & b.is_nan())
}

fn best<T: Number, F: Fn(T, T) -> bool + Copy + 'static>(
    walk: Walk,
    place: Place,
    better: F,
) -> Box<dyn Sink> {
    let n = walk.len();
    Feed::boxed(walk, Best { value: vec![T::ZERO; n], index: vec![NOWHERE; n], place, better })
}

/// The best element so far, and its index within the block.
struct Best<T, F> {
    value: Vec<T>,
    index: Vec<i64>,
    place: Place,
    better: F,
}

impl<T: Number, F: Fn(T, T) -> bool + Copy> Best<T, F> {
    #[inline(always)]
    fn offer(&mut self, x: T, at: usize, index: usize) {
        let (value, place) = (self.value[at], self.index[at]);
        let tie = !(self.better)(value, x) && (index as i64) < place;
        if place == NOWHERE || (self.better)(x, value) || tie {
            self.value[at] = x;
            self.index[at] = index as i64;
        }
    }
}

/// The best of a run, wherever it is.
struct BestOf<'a, T, F> {
    run: &'a [T],
    better: F,
}

impl<T: Number, F: Fn(T, T) -> bool + Copy> Job for BestOf<'_, T, F> {
    type Output = T;

    #[inline(always)]
    fn run<L: Level>(self) -> T {
        let mut lanes = [self.run[0]; 16];
        for block in self.run.chunks(16) {
            for (lane, &x) in lanes.iter_mut().zip(block) {
                *lane = if (self.better)(x, *lane) { x } else { *lane };
            }
        }
        lanes.into_iter().reduce(|a, b| if (self.better)(b, a) { b } else { a }).unwrap_or(self.run[0])
    }
}

/// Elements that are searched at once.
const BLOCK: usize = 256;

impl<T: Number, F: Fn(T, T) -> bool + Copy> Reducer<T> for Best<T, F> {
    fn along(&mut self, run: &[T], at: usize, index: usize) {
        for (i, block) in run.chunks(BLOCK).enumerate() {
            let best = dispatch(BestOf { run: block, better: self.better });
            let (value, start) = (self.value[at], index + i * BLOCK);
            // Nearly always the block holds nothing better, and its places do not matter.
            if self.index[at] == NOWHERE
                || (self.better)(best, value)
                || (!(self.better)(value, best) && (start as i64) < self.index[at])
            {
                for (j, &x) in block.iter().enumerate() {
                    self.offer(x, at, start + j);
                }
            }
        }
    }

    fn across(&mut self, run: &[T], at: usize, index: usize) {
        for (i, &x) in run.iter().enumerate() {
            self.offer(x, at + i, index);
        }
    }

    fn finish(self, shape: &[usize]) -> Vec<Chunk> {
        let index: Vec<i64> = self.index.iter().map(|&i| self.place.globalize(i as usize)).collect();
        vec![Chunk::from_slice(shape, &self.value), Chunk::from_slice(shape, &index)]
    }
}

/// The parts of a pair (value, index).
fn pair(value: &Value) -> Option<(Chunk, Chunk)> {
    match value {
        Value::Tuple(parts) => match &parts[..] {
            [Value::Array(v), Value::Array(i)] if i.dtype() == DType::Int64 && v.shape() == i.shape() => {
                Some((v.to_contiguous(), i.to_contiguous()))
            }
            _ => None,
        },
        Value::Array(_) | Value::Foreign(_) => None,
    }
}

/// The indices of pairs (value, index) of an arg-reduction that skips NaN.
///
/// # Errors
/// [`Error::Value`] when a value is NaN, since then there was nothing else; [`Error::Operand`] when it is no such pair.
pub(super) fn finish(f: ArgReduction, operands: &[Value]) -> Result<Value, Error> {
    let [operand] = operands else {
        return Err(Error::Operand(format!("arg_finish takes one operand, not {}", operands.len())));
    };
    let (values, indices) = pair(operand).ok_or_else(|| {
        Error::Operand("arg_finish takes a tuple of values and indices of one shape".into())
    })?;
    if with_dtype!(values.dtype(), T => values.view::<T>().iter().any(|x| Number::is_nan(*x))) {
        return Err(Error::Value(format!("All-NaN slice encountered in {}", infer::numpy_name(&f))));
    }
    Ok(Value::Array(indices))
}

/// The better of pairs (value, index); of equal ones the lower index.
///
/// # Errors
/// [`Error::Operand`] when these are no such pairs, or of different shapes or dtypes.
pub(super) fn merge(f: ArgReduction, operands: &[Value]) -> Result<Value, Error> {
    let wrong =
        || Error::Operand("arg_merge takes tuples of values and indices, all of one shape and dtype".into());
    let pairs: Vec<(Chunk, Chunk)> = operands.iter().map(pair).collect::<Option<_>>().ok_or_else(wrong)?;
    let (first, _) = pairs.first().ok_or_else(wrong)?;
    if pairs.iter().any(|(v, _)| v.shape() != first.shape() || v.dtype() != first.dtype()) {
        return Err(wrong());
    }
    Ok(with_dtype!(first.dtype(), T => match f {
        ArgReduction::Argmax => merge_pairs::<T>(&pairs, max_better),
        ArgReduction::Argmin => merge_pairs::<T>(&pairs, min_better),
        ArgReduction::Nanargmax => merge_pairs::<T>(&pairs, nanmax_better),
        ArgReduction::Nanargmin => merge_pairs::<T>(&pairs, nanmin_better),
    }))
}

fn merge_pairs<T: Element>(pairs: &[(Chunk, Chunk)], better: fn(T, T) -> bool) -> Value {
    let shape = pairs[0].0.shape();
    let mut values: Vec<T> = pairs[0].0.view::<T>().iter().copied().collect();
    let mut indices: Vec<i64> = pairs[0].1.view::<i64>().iter().copied().collect();
    for (value, index) in &pairs[1..] {
        let others = value.view::<T>();
        let places = index.view::<i64>();
        for (((v, i), &x), &j) in values.iter_mut().zip(&mut indices).zip(others.iter()).zip(places.iter()) {
            if better(x, *v) || (!better(*v, x) && j < *i) {
                (*v, *i) = (x, j);
            }
        }
    }
    Value::Tuple(vec![Chunk::from_slice(shape, &values).into(), Chunk::from_slice(shape, &indices).into()])
}
