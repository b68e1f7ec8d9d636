//! Counting: histogram, bincount, digitize.

use super::operand::{alike, arrays, of_dtype, one_axis, operand, size, to_f64, value};
use crate::chunk::Chunk;
use crate::run::{Context, Error};
use crate::value::Value;
use crate::{DType, Element, with_dtype};
use num_complex::{Complex32, Complex64};

/// Elements between two looks at whether the caller gave up.
const TILE: usize = 1 << 16;

/// What can be summed in a bin.
trait Weight: Element {
    type Sum: Copy + Default;
    fn add(self, sum: &mut Self::Sum);
    fn of(sum: Self::Sum) -> Self;
}

macro_rules! weights {
    ($($t:ty as $sum:ty: |$s:ident, $w:ident| $add:expr, $of:expr;)*) => { $(impl Weight for $t {
        type Sum = $sum;
        #[inline]
        fn add(self, $s: &mut $sum) {
            let $w = self;
            $add
        }
        fn of($s: $sum) -> $t {
            $of
        }
    })* };
    (integers $($t:ty),*) => { weights!($($t as $t: |s, w| *s = s.wrapping_add(w), s;)*); };
}
weights!(integers i8, i16, i32, i64, u8, u16, u32, u64);
weights! {
    f32 as f64: |s, w| *s += f64::from(w), s as f32;
    f64 as f64: |s, w| *s += w, s;
    Complex32 as Complex64: |s, w| *s += Complex64::new(w.re.into(), w.im.into()), Complex32::new(s.re as f32, s.im as f32);
    Complex64 as Complex64: |s, w| *s += w, s;
}

/// The sum of weights in each of `n` bins; `bin` says where element `i` goes.
fn sums<W: Weight>(
    n: usize,
    weights: &Chunk,
    context: &Context,
    bin: impl Fn(usize) -> Option<usize>,
) -> Result<Value, Error> {
    let weights = weights.to_contiguous();
    let mut sums = vec![W::Sum::default(); n];
    for (tile, weights) in weights.as_slice::<W>().unwrap_or_default().chunks(TILE).enumerate() {
        context.check()?;
        for (i, w) in weights.iter().enumerate() {
            if let Some(bin) = bin(tile * TILE + i) {
                w.add(&mut sums[bin]);
            }
        }
    }
    Ok(Chunk::from_slice(&[n], &sums.into_iter().map(W::of).collect::<Vec<W>>()).into())
}

/// How many of `len` elements go in each of `n` bins.
fn counts(
    n: usize,
    len: usize,
    context: &Context,
    bin: impl Fn(usize) -> Option<usize>,
) -> Result<Value, Error> {
    let mut counts = vec![0i64; n];
    for i in 0..len {
        if i % TILE == 0 {
            context.check()?;
        }
        if let Some(bin) = bin(i) {
            counts[bin] += 1;
        }
    }
    Ok(Chunk::from_slice(&[n], &counts).into())
}

fn same_shape(op: &str, x: &Chunk, weights: &Chunk) -> Result<(), Error> {
    if weights.shape() == x.shape() {
        return Ok(());
    }
    let what = format!("weights of shape {:?} for an array of shape {:?}", weights.shape(), x.shape());
    Err(operand(op, what))
}

/// `Histogram`: `numpy.histogram(x, edges, weights=weights)[0]`, of the weights' dtype.
///
/// Weights are added one after the other in C order, floats in double precision; numpy takes differences of their
/// running sum, which rounds more.
pub(super) fn histogram(weighted: bool, operands: Vec<Value>, context: &Context) -> Result<Value, Error> {
    const OP: &str = "histogram";
    let (x, edges, weights) = if weighted {
        let [x, edges, weights] = arrays::<3>(OP, operands)?;
        same_shape(OP, &x, &weights)?;
        (x, edges, Some(weights))
    } else {
        let [x, edges] = arrays::<2>(OP, operands)?;
        (x, edges, None)
    };
    of_dtype(OP, "the edges", &edges, DType::Float64)?;
    if one_axis(OP, "the edges", &edges)? == 0 {
        return Err(operand(OP, "got no edges; it takes at least one"));
    }
    let edges = to_f64(OP, "the edges", &edges)?;
    if let Some(pair) =
        edges.windows(2).find(|pair| pair[0] > pair[1] || pair[0].is_nan() || pair[1].is_nan())
    {
        return Err(value(OP, format!("edges must rise, but {} is followed by {}", pair[0], pair[1])));
    }
    let bins = Bins::new(&edges);
    if weights.is_none() && x.dtype() == DType::Float64 {
        let x = x.to_contiguous();
        let values = x.as_slice::<f64>().unwrap_or_default();
        return counts(edges.len() - 1, values.len(), context, |i| bins.find(values[i]));
    }
    let values = to_f64(OP, "the array", &x)?;
    let n = edges.len() - 1;
    let Some(weights) = weights else {
        return counts(n, values.len(), context, |i| bins.find(values[i]));
    };
    with_dtype!(weights.dtype(), T in [i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, Complex32, Complex64] =>
        sums::<T>(n, &weights, context, |i| bins.find(values[i])),
        else => Err(operand(OP, "weights are bool; cast them to int64")))
}

/// Rising edges; a bin holds its left edge, and the last one its right edge too.
struct Bins<'a> {
    edges: &'a [f64],
    /// Bins a unit, when all are about equally wide: the first guess is near then.
    scale: Option<f64>,
}

impl Bins<'_> {
    fn new(edges: &[f64]) -> Bins<'_> {
        let (n, first, last) = ((edges.len() - 1) as f64, edges[0], edges[edges.len() - 1]);
        let width = (last - first) / n;
        let even = |(i, &edge): (usize, &f64)| (first + i as f64 * width - edge).abs() <= 0.01 * width;
        let scale = 1.0 / width;
        let usable = width > 0.0 && scale.is_finite() && edges.iter().enumerate().all(even);
        Bins { edges, scale: usable.then_some(scale) }
    }

    #[inline]
    fn find(&self, v: f64) -> Option<usize> {
        let edges = self.edges;
        let last = edges.len() - 1;
        if last == 0 || !(v >= edges[0] && v <= edges[last]) {
            return None;
        }
        let Some(scale) = self.scale else {
            return Some(edges.partition_point(|&e| e <= v).min(last) - 1);
        };
        let mut bin = (((v - edges[0]) * scale) as usize).min(last - 1);
        // The guess is hardly ever off by one, and never by more.
        bin -= usize::from(v < edges[bin]);
        bin += usize::from(bin + 1 < last && v >= edges[bin + 1]);
        Some(bin)
    }
}

/// `Bincount`: counts are int64; weighted sums float64, as numpy casts weights.
pub(super) fn bincount(
    weighted: bool,
    minlength: u64,
    operands: Vec<Value>,
    context: &Context,
) -> Result<Value, Error> {
    const OP: &str = "bincount";
    let (x, weights) = if weighted {
        let [x, weights] = arrays::<2>(OP, operands)?;
        (x, Some(weights))
    } else {
        let [x] = arrays::<1>(OP, operands)?;
        (x, None)
    };
    one_axis(OP, "the array", &x)?;
    let found: Vec<usize> = with_dtype!(x.dtype(), T in [bool, i8, i16, i32, i64, u8, u16, u32, u64] => {
        #[allow(clippy::unnecessary_fallible_conversions, reason = "signed types can be negative")]
        let place = |&v: &T| usize::try_from(v).map_err(|_| value(OP, format!("got {v}; it takes no negative number")));
        x.view::<T>().iter().map(place).collect::<Result<_, _>>()?
    }, else => return Err(operand(OP, format!("the array is {}; it takes integers", x.dtype()))));
    let longest = found.iter().max().map_or(0, |m| m.saturating_add(1));
    let n = longest.max(usize::try_from(minlength).unwrap_or(usize::MAX));
    size(OP, &[n], DType::Int64)?;
    let Some(weights) = weights else {
        return counts(n, found.len(), context, |i| Some(found[i]));
    };
    same_shape(OP, &x, &weights)?;
    let weights = Chunk::from_slice(weights.shape(), &to_f64(OP, "the weights", &weights)?);
    sums::<f64>(n, &weights, context, |i| Some(found[i]))
}

/// `BincountMerge`: counts of different length, as if the short ones ended in zeros.
pub(super) fn bincount_merge(operands: Vec<Value>) -> Result<Value, Error> {
    const OP: &str = "bincount_merge";
    let counts = alike(OP, operands)?;
    let mut n = 0;
    for count in &counts {
        n = n.max(one_axis(OP, "a count", count)?);
    }
    size(OP, &[n], counts[0].dtype())?;
    with_dtype!(counts[0].dtype(), T in [i64, f64] => {
        let mut all: Vec<<T as Weight>::Sum> = vec![Default::default(); n];
        for count in &counts {
            all.iter_mut().zip(count.view::<T>().iter()).for_each(|(sum, w)| w.add(sum));
        }
        Ok(Chunk::from_slice(&[n], &all).into())
    }, else => Err(operand(OP, format!("counts are {}; it takes int64 or float64", counts[0].dtype()))))
}

/// `Digitize`: `numpy.digitize`; edges rise or fall. Both sides are compared as float64.
pub(super) fn digitize(right: bool, operands: Vec<Value>) -> Result<Value, Error> {
    const OP: &str = "digitize";
    let [x, edges] = arrays::<2>(OP, operands)?;
    one_axis(OP, "the edges", &edges)?;
    let mut edges = to_f64(OP, "the edges", &edges)?;
    let values = to_f64(OP, "the array", &x)?;
    let falls = !edges.is_sorted_by(|a, b| a <= b);
    if falls {
        edges.reverse();
    }
    if edges.iter().any(|e| e.is_nan()) || !edges.is_sorted_by(|a, b| a <= b) {
        return Err(value(OP, "the edges neither rise nor fall"));
    }
    let place = |v: f64| {
        let below = match (v.is_nan(), right) {
            // NaN sorts behind every number.
            (true, _) => edges.len(),
            (false, true) => edges.partition_point(|&e| e < v),
            (false, false) => edges.partition_point(|&e| e <= v),
        };
        (if falls { edges.len() - below } else { below }) as i64
    };
    size(OP, x.shape(), DType::Int64)?;
    Ok(Chunk::build(x.shape(), |out: &mut [i64]| {
        out.iter_mut().zip(values).for_each(|(out, v)| *out = place(v));
    })
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histo(x: &[f64], edges: &[f64], weights: Option<Chunk>) -> Result<Chunk, Error> {
        let mut values: Vec<Value> =
            vec![Chunk::from_slice(&[x.len()], x).into(), Chunk::from_slice(&[edges.len()], edges).into()];
        let weighted = weights.is_some();
        values.extend(weights.map(Value::from));
        histogram(weighted, values, &Context::default()).map(|v| v.array().unwrap().clone())
    }

    #[test]
    fn bins_hold_their_left_edge_and_the_last_its_right() {
        // numpy.histogram(x, edges)[0]
        let x = [0.0, 0.1, 0.3, 0.5, 1.0, 1.1, -0.1, f64::NAN, 0.30000000000000004];
        let even = histo(&x, &[0.0, 0.1, 0.2, 0.30000000000000004, 0.4, 0.5, 1.0], None).unwrap();
        assert_eq!(even.as_slice::<i64>().unwrap(), [1, 1, 1, 1, 0, 2]);
        let repeated = histo(&x, &[0.0, 0.5, 0.5, 1.0, 1.0], None).unwrap();
        assert_eq!(repeated.as_slice::<i64>().unwrap(), [4, 0, 1, 1]);
        assert_eq!(histo(&x, &[0.0], None).unwrap().len(), 0);
        let unbounded = histo(&x, &[f64::NEG_INFINITY, 0.0, f64::INFINITY], None).unwrap();
        assert_eq!(unbounded.as_slice::<i64>().unwrap(), [1, 7]);
    }

    #[test]
    fn even_bins_agree_with_a_search() {
        let edges: Vec<f64> = (0..=97).map(|i| -0.3 + f64::from(i) * 0.1).collect();
        let (fast, slow) = (Bins::new(&edges), Bins { edges: &edges, scale: None });
        assert!(fast.scale.is_some());
        let near = edges.iter().flat_map(|e| [e.next_down(), *e, e.next_up(), e + 0.04]);
        near.for_each(|v| assert_eq!(fast.find(v), slow.find(v), "{v}"));
    }

    #[test]
    fn weights_are_summed_in_their_own_dtype() {
        let x = [0.0, 0.5, 1.0, 2.0];
        let of = |w: Chunk| histo(&x, &[0.0, 0.5, 1.0], Some(w));
        assert_eq!(of(Chunk::from_slice(&[4], &[1u8, 2, 3, 4])).unwrap().as_slice::<u8>().unwrap(), [1, 5]);
        let complex = [1.0, 2.0, 4.0, 8.0].map(|v| Complex32::new(v, -v));
        let sum = of(Chunk::from_slice(&[4], &complex)).unwrap();
        assert_eq!(
            sum.as_slice::<Complex32>().unwrap(),
            [Complex32::new(1.0, -1.0), Complex32::new(6.0, -6.0)]
        );
        assert!(of(Chunk::from_slice(&[4], &[true; 4])).unwrap_err().to_string().contains("bool"));
        assert!(of(Chunk::from_slice(&[3], &[1.0; 3])).unwrap_err().to_string().contains("[3]"));
        assert!(histo(&x, &[1.0, 0.0], None).unwrap_err().to_string().contains("1 is followed by 0"));
    }

    #[test]
    fn bincount_counts_and_merges() {
        let x = || Value::from(Chunk::from_slice(&[4], &[3u8, 0, 3, 1]));
        let run = |weighted, n, of| bincount(weighted, n, of, &Context::default());
        let short = run(false, 0, vec![x()]).unwrap();
        assert_eq!(short.array().unwrap().as_slice::<i64>().unwrap(), [1, 1, 0, 2]);
        let long = run(false, 5, vec![Chunk::from_slice::<i64>(&[0], &[]).into()]).unwrap();
        assert_eq!(long.array().unwrap().as_slice::<i64>().unwrap(), [0; 5]);
        let both = bincount_merge(vec![short, long]).unwrap();
        assert_eq!(both.array().unwrap().as_slice::<i64>().unwrap(), [1, 1, 0, 2, 0]);
        let weights = Chunk::from_slice(&[4], &[0.5f32, 1.0, 2.0, 4.0]);
        let sums = run(true, 0, vec![x(), weights.into()]).unwrap();
        assert_eq!(sums.array().unwrap().as_slice::<f64>().unwrap(), [1.0, 4.0, 0.0, 2.5]);
        let error = run(false, 0, vec![Chunk::from_slice(&[1], &[-7i32]).into()]).unwrap_err();
        assert_eq!(error.to_string(), "bincount: got -7; it takes no negative number");
        let huge = run(false, 0, vec![Chunk::from_slice(&[1], &[i64::MAX]).into()]);
        assert!(matches!(huge, Err(Error::TooLarge { .. })));
    }

    #[test]
    fn digitize_takes_rising_and_falling_edges() {
        let x = || Value::from(Chunk::from_slice(&[5], &[0.5, 1.0, 2.0, 9.0, f64::NAN]));
        let of = |right, edges: &[f64]| {
            let edges = Chunk::from_slice(&[edges.len()], edges);
            let out = digitize(right, vec![x(), edges.into()]);
            out.map(|v| v.array().unwrap().as_slice::<i64>().unwrap().to_vec())
        };
        // numpy.digitize(x, edges, right)
        assert_eq!(of(false, &[1.0, 2.0, 3.0]).unwrap(), [0, 1, 2, 3, 3]);
        assert_eq!(of(true, &[1.0, 2.0, 3.0]).unwrap(), [0, 0, 1, 3, 3]);
        assert_eq!(of(false, &[3.0, 2.0, 1.0]).unwrap(), [3, 2, 1, 0, 0]);
        assert_eq!(of(true, &[3.0, 2.0, 1.0]).unwrap(), [3, 3, 2, 0, 0]);
        assert!(of(false, &[1.0, 3.0, 2.0]).is_err() && of(false, &[f64::NAN, 1.0]).is_err());
    }
}
