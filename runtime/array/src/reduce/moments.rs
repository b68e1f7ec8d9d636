//! Variances, from counts, means and sums of squared deviations.
//!
//! A run's moments take two passes over it; runs and blocks are merged by Chan, Golub and LeVeque (1979), single elements
//! by Welford (1962), which is the same formula.

use super::sum::{Parts, RunSum};
use super::walk::{Feed, Reducer, Sink, Walk};
use crate::chunk::Chunk;
use crate::elementwise;
use crate::math::level::{Job, Level, dispatch};
use crate::run::Error;
use crate::value::Value;
use crate::with_dtype;
use dask_plan::{DType, infer};
use num_complex::{Complex32, Complex64};

/// The sink of moments over elements of this dtype.
///
/// # Errors
/// [`Error::Operand`] for a dtype that is not floating.
pub(super) fn sink(dtype: DType, nan: bool, walk: Walk) -> Result<Box<dyn Sink>, Error> {
    let n = walk.len();
    Ok(with_dtype!(dtype, T in [f32, f64, Complex32, Complex64] => {
            Feed::boxed(walk, Moments::<T> {
                count: vec![0.0; n],
                mean: vec![0.0; n * T::COUNT],
                squares: vec![0.0; n],
                nan,
                buffer: Vec::new(),
            })
        },
        else => return Err(Error::Operand(format!("moments are computed in a floating dtype, not in {dtype}")))))
}

struct Moments<T> {
    count: Vec<f64>,
    /// Parts of a mean lie side by side.
    mean: Vec<f64>,
    squares: Vec<f64>,
    nan: bool,
    /// A run without its NaNs.
    buffer: Vec<T>,
}

fn is_nan<T: Parts>(x: T) -> bool {
    (0..T::COUNT).any(|i| x.part(i).is_nan())
}

/// Sum of the squared deviations of one part from `mean`, corrected for the mean's rounding.
struct Deviations<'a, T> {
    run: &'a [T],
    part: usize,
    mean: f64,
}

impl<T: Parts> Job for Deviations<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<L: Level>(self) -> f64 {
        let (mut squares, mut sums) = ([0.0; 16], [0.0; 16]);
        let mut rows = self.run.chunks_exact(16);
        for row in &mut rows {
            for i in 0..16 {
                let d = row[i].part(self.part) - self.mean;
                squares[i] += d * d;
                sums[i] += d;
            }
        }
        for (i, x) in rows.remainder().iter().enumerate() {
            let d = x.part(self.part) - self.mean;
            squares[i] += d * d;
            sums[i] += d;
        }
        let (squares, sum): (f64, f64) = (squares.iter().sum(), sums.iter().sum());
        squares - sum * sum / self.run.len() as f64
    }
}

impl<T: Parts> Moments<T> {
    fn merge_run(&mut self, run: &[T], at: usize) {
        if run.is_empty() {
            return;
        }
        let (before, n) = (self.count[at], run.len() as f64);
        let total = before + n;
        for part in 0..T::COUNT {
            let (sum, rest) = dispatch(RunSum { run, part });
            let mean = if sum.is_finite() { (sum + rest) / n } else { sum / n };
            self.squares[at] += dispatch(Deviations { run, part, mean });
            let own = &mut self.mean[at * T::COUNT + part];
            let delta = mean - *own;
            if before == 0.0 {
                *own = mean;
            } else {
                *own += delta * (n / total);
                self.squares[at] += delta * delta * (before * n / total);
            }
        }
        self.count[at] = total;
    }
}

/// One step of Welford's for accumulators with equal counts.
struct Step<'a, T> {
    run: &'a [T],
    mean: &'a mut [f64],
    squares: &'a mut [f64],
    share: f64,
}

impl<T: Parts> Job for Step<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        for ((mean, squares), x) in self.mean.chunks_exact_mut(T::COUNT).zip(self.squares).zip(self.run) {
            for (part, mean) in mean.iter_mut().enumerate() {
                let x = x.part(part);
                let delta = x - *mean;
                *mean += delta * self.share;
                *squares += delta * (x - *mean);
            }
        }
    }
}

impl<T: Parts> Reducer<T> for Moments<T> {
    fn along(&mut self, run: &[T], at: usize, _: usize) {
        if !self.nan {
            return self.merge_run(run, at);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.extend(run.iter().filter(|x| !is_nan(**x)));
        self.merge_run(&buffer, at);
        self.buffer = buffer;
    }

    fn across(&mut self, run: &[T], at: usize, _: usize) {
        if self.nan {
            for (i, x) in run.iter().enumerate().filter(|(_, x)| !is_nan(**x)) {
                self.merge_run(std::slice::from_ref(x), at + i);
            }
            return;
        }
        let end = at + run.len();
        let count = self.count[at] + 1.0;
        dispatch(Step {
            run,
            mean: &mut self.mean[at * T::COUNT..end * T::COUNT],
            squares: &mut self.squares[at..end],
            share: 1.0 / count,
        });
        self.count[at..end].fill(count);
    }

    fn finish(self, shape: &[usize]) -> Vec<Chunk> {
        let mean: Vec<T> = self.mean.chunks_exact(T::COUNT).map(T::join).collect();
        let squares = Chunk::from_slice(shape, &self.squares);
        vec![
            Chunk::from_slice(shape, &self.count),
            Chunk::from_slice(shape, &mean),
            convert(&squares, infer::real(T::DTYPE)),
        ]
    }
}

/// A copy in another dtype; `chunk` is contiguous.
fn convert(chunk: &Chunk, dtype: DType) -> Chunk {
    if chunk.dtype() == dtype {
        return chunk.clone();
    }
    elementwise::kernel::map(elementwise::cast(chunk.dtype(), dtype), chunk, dtype)
}

/// Moments as float64 or complex128: count, mean, squares.
struct Read {
    count: Vec<f64>,
    mean: Vec<Complex64>,
    squares: Vec<f64>,
    shape: Vec<usize>,
    dtype: DType,
}

fn read(value: &Value) -> Result<Read, Error> {
    let wrong = || Error::Operand("moments are a tuple of count, mean and sum of squares".into());
    let Value::Tuple(parts) = value else { return Err(wrong()) };
    let [Value::Array(count), Value::Array(mean), Value::Array(squares)] = &parts[..] else {
        return Err(wrong());
    };
    if count.shape() != mean.shape() || count.shape() != squares.shape() {
        return Err(wrong());
    }
    let real = |chunk: &Chunk| {
        let chunk = convert(&chunk.to_contiguous(), DType::Float64);
        chunk.as_slice::<f64>().map(<[f64]>::to_vec).unwrap_or_default()
    };
    let means = convert(&mean.to_contiguous(), DType::Complex128);
    Ok(Read {
        count: real(count),
        mean: means.as_slice::<Complex64>().map(<[Complex64]>::to_vec).unwrap_or_default(),
        squares: real(squares),
        shape: count.shape().to_vec(),
        dtype: mean.dtype(),
    })
}

/// Merges moments of blocks, in the order given.
///
/// # Errors
/// [`Error::Operand`] when these are no moments, or of different shapes.
pub(super) fn merge(operands: &[Value]) -> Result<Value, Error> {
    let [first, rest @ ..] = operands else {
        return Err(Error::Operand("moments_merge takes at least one operand".into()));
    };
    let mut all = read(first)?;
    for value in rest {
        let other = read(value)?;
        if other.shape != all.shape || other.dtype != all.dtype {
            return Err(Error::Operand(format!(
                "moments_merge: {} {:?} beside {} {:?}",
                all.dtype, all.shape, other.dtype, other.shape
            )));
        }
        for i in 0..all.count.len() {
            let (a, b) = (all.count[i], other.count[i]);
            if b == 0.0 {
                continue;
            }
            if a == 0.0 {
                (all.count[i], all.mean[i], all.squares[i]) = (b, other.mean[i], other.squares[i]);
                continue;
            }
            let delta = other.mean[i] - all.mean[i];
            all.count[i] = a + b;
            all.mean[i] += delta * (b / (a + b));
            all.squares[i] += other.squares[i] + delta.norm_sqr() * (a * b / (a + b));
        }
    }
    let mean = convert(&Chunk::from_slice(&all.shape, &all.mean), all.dtype);
    let squares = convert(&Chunk::from_slice(&all.shape, &all.squares), infer::real(all.dtype));
    let count = Chunk::from_slice(&all.shape, &all.count);
    Ok(Value::Tuple(vec![count.into(), mean.into(), squares.into()]))
}

/// Variance, or its root, from moments.
///
/// # Errors
/// [`Error::Operand`] when these are no moments.
pub(super) fn finish(operands: &[Value], ddof: f64, sqrt: bool, dtype: DType) -> Result<Value, Error> {
    let [moments] = operands else {
        return Err(Error::Operand(format!("moments_finish takes one operand, not {}", operands.len())));
    };
    let moments = read(moments)?;
    let variance: Vec<f64> = moments
        .squares
        .iter()
        .zip(&moments.count)
        .map(|(&squares, &count)| {
            let variance = squares / (count - ddof).max(0.0);
            if sqrt { variance.sqrt() } else { variance }
        })
        .collect();
    Ok(convert(&Chunk::from_slice(&moments.shape, &variance), dtype).into())
}
