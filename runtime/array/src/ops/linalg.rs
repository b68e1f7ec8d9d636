//! Products of matrices: faer for floating point, a kernel of our own for integers and bool. One thread a task.
#![allow(unsafe_code)] // Hands strided memory to faer; one block, which says why it is sound.

use super::operand::{arrays, axis, mixed, operand, size};
use crate::chunk::Chunk;
use crate::run::{Context, Error};
use crate::value::Value;
use crate::{Element, with_dtype};
use dask_plan::infer::broadcast;
use faer::{Accum, MatMut, MatRef, Par, linalg::matmul};
use num_complex::{Complex32, Complex64};

/// `MatMul`: `numpy.matmul` of arrays with at least two axes each.
pub(super) fn matmul(operands: Vec<Value>, context: &Context) -> Result<Value, Error> {
    const OP: &str = "matmul";
    let [a, b] = arrays::<2>(OP, operands)?;
    if a.dtype() != b.dtype() {
        return Err(mixed(OP, a.dtype(), b.dtype()));
    }
    let (&[ref a_lead @ .., m, k], &[ref b_lead @ .., k2, n]) = (a.shape(), b.shape()) else {
        let what = format!("got shapes {:?} and {:?}; it takes at least two axes each", a.shape(), b.shape());
        return Err(operand(OP, what));
    };
    let lead: Vec<usize> = broadcast(a_lead, b_lead)
        .filter(|_| k == k2)
        .ok_or_else(|| operand(OP, format!("shapes {:?} and {:?} do not fit", a.shape(), b.shape())))?;
    let shape = [lead.as_slice(), &[m, n]].concat();
    size(OP, &shape, a.dtype())?;
    // A broadcast operand is not copied, but its extents are multiplied.
    size(OP, &[lead.as_slice(), &[m, k]].concat(), a.dtype())?;
    size(OP, &[lead.as_slice(), &[k, n]].concat(), a.dtype())?;
    let (a, b) = (
        a.broadcast_to(&[lead.as_slice(), &[m, k]].concat()),
        b.broadcast_to(&[lead.as_slice(), &[k, n]].concat()),
    );
    let axes: Vec<usize> = (0..lead.len()).collect();
    let batch = |x: &Chunk, mut number: usize| {
        let mut ranges: Vec<_> = x.shape().iter().map(|&n| (0, n, 1)).collect();
        for axis in axes.iter().rev() {
            ranges[*axis] = (number % lead[*axis], 1, 1);
            number /= lead[*axis];
        }
        x.slice(&ranges).squeeze(&axes)
    };
    let product = with_dtype!(a.dtype(), T => Chunk::try_build(&shape, |out: &mut [T]| {
        if out.is_empty() {
            return Ok(());
        }
        let batches = out.chunks_exact_mut(m * n).enumerate();
        batches.into_iter().try_for_each(|(i, out)| T::multiply(&batch(&a, i), &batch(&b, i), out, context))
    })?);
    Ok(product.into())
}

/// `TensorDot`: sums over pairs of axes; the others of `a`, then those of `b`, are the result's.
pub(super) fn tensordot(
    (a_axes, b_axes): (&[u32], &[u32]),
    operands: Vec<Value>,
    context: &Context,
) -> Result<Value, Error> {
    const OP: &str = "tensordot";
    let [a, b] = arrays::<2>(OP, operands)?;
    if a.dtype() != b.dtype() {
        return Err(mixed(OP, a.dtype(), b.dtype()));
    }
    let (a_summed, b_summed) = (distinct(OP, a_axes, a.ndim())?, distinct(OP, b_axes, b.ndim())?);
    let extents = |x: &Chunk, axes: &[usize]| axes.iter().map(|&i| x.shape()[i]).collect::<Vec<_>>();
    if extents(&a, &a_summed) != extents(&b, &b_summed) {
        let what = format!("axes {a_axes:?} of {:?} and {b_axes:?} of {:?} do not fit", a.shape(), b.shape());
        return Err(operand(OP, what));
    }
    let others =
        |x: &Chunk, summed: &[usize]| (0..x.ndim()).filter(|i| !summed.contains(i)).collect::<Vec<_>>();
    let (a_kept, b_kept) = (others(&a, &a_summed), others(&b, &b_summed));
    let shape = [extents(&a, &a_kept), extents(&b, &b_kept)].concat();
    size(OP, &shape, a.dtype())?;
    let (a, b) = (matrix(&a, &a_kept, &a_summed), matrix(&b, &b_summed, &b_kept));
    let product = with_dtype!(a.dtype(), T => Chunk::try_build(&shape, |out: &mut [T]| T::multiply(&a, &b, out, context))?);
    Ok(product.into())
}

fn distinct(op: &str, axes: &[u32], ndim: usize) -> Result<Vec<usize>, Error> {
    if let Some((i, a)) = axes.iter().enumerate().find(|(i, a)| axes[..*i].contains(a)) {
        return Err(operand(op, format!("axis {a} stands twice, the second time at {i}")));
    }
    axes.iter().map(|&a| axis(op, a, ndim)).collect()
}

/// An array as a matrix: `rows` merged into the first axis, `cols` into the second. Two axes stay a view.
fn matrix(x: &Chunk, rows: &[usize], cols: &[usize]) -> Chunk {
    let ordered = x.transpose(&[rows, cols].concat());
    if let ([_], [_]) = (rows, cols) {
        return ordered;
    }
    let extent = |axes: &[usize]| axes.iter().map(|&i| x.shape()[i]).product();
    ordered.reshape(&[extent(rows), extent(cols)])
}

/// An element that matrices are multiplied of.
trait Factor: Element {
    /// Writes the product of two matrices that fit, in C order.
    fn multiply(a: &Chunk, b: &Chunk, out: &mut [Self], context: &Context) -> Result<(), Error>;
}

macro_rules! floats {
    ($($t:ty: $one:expr),*) => { $(impl Factor for $t {
        fn multiply(a: &Chunk, b: &Chunk, out: &mut [$t], context: &Context) -> Result<(), Error> {
            context.check()?;
            if out.is_empty() {
                return Ok(());
            }
            if a.is_empty() {
                out.fill(<$t>::default());
                return Ok(());
            }
            let (a, b) = (whole_strides(a), whole_strides(b));
            let (m, n) = (a.shape()[0], b.shape()[1]);
            let matrix = |x: &Chunk| {
                let step = |axis: usize| x.strides()[axis] / size_of::<$t>() as isize;
                // SAFETY: every index within the shape is an aligned element inside the chunk's buffer, by the
                // chunk's invariant; both chunks outlive the call, and nobody writes to them.
                unsafe { MatRef::<$t>::from_raw_parts(x.as_ptr().cast(), x.shape()[0], x.shape()[1], step(0), step(1)) }
            };
            let out = MatMut::from_row_major_slice_mut(out, m, n);
            matmul::matmul(out, Accum::Replace, matrix(&a), matrix(&b), $one, Par::Seq);
            Ok(())
        }
    })* };
}
floats!(f32: 1.0, f64: 1.0, Complex32: Complex32::ONE, Complex64: Complex64::ONE);

/// Itself when strides are whole elements, as they are but for views of foreign memory.
fn whole_strides(x: &Chunk) -> Chunk {
    let itemsize = x.dtype().itemsize() as isize;
    if x.strides().iter().all(|s| s % itemsize == 0) { x.clone() } else { crate::copy::contiguous(x) }
}

macro_rules! rings {
    ($($t:ty: |$sum:ident, $a:ident, $b:ident| $add:expr),*) => { $(impl Factor for $t {
        fn multiply(a: &Chunk, b: &Chunk, out: &mut [$t], context: &Context) -> Result<(), Error> {
            blocked(a, b, out, context, |$sum: $t, $a: $t, $b: $t| $add)
        }
    })* };
    (integers $($t:ty),*) => { rings!($($t: |sum, a, b| sum.wrapping_add(a.wrapping_mul(b))),*); };
}
rings!(integers i8, i16, i32, i64, u8, u16, u32, u64);
rings!(bool: |sum, a, b| sum | (a & b));

/// A product whose block of `b` stays in the cache while every row of `a` passes it; rows of the result run innermost.
fn blocked<T: Element>(
    a: &Chunk,
    b: &Chunk,
    out: &mut [T],
    context: &Context,
    add: impl Fn(T, T, T) -> T,
) -> Result<(), Error> {
    const DEEP: usize = 64;
    const WIDE: usize = 512;
    out.fill(T::default());
    if out.is_empty() || a.is_empty() {
        return Ok(());
    }
    let (k, n) = (b.shape()[0], b.shape()[1]);
    let (a, b) = (a.to_contiguous(), b.to_contiguous());
    let (a, b) = (a.as_slice::<T>().unwrap_or_default(), b.as_slice::<T>().unwrap_or_default());
    let arch = pulp::Arch::new();
    for left in (0..n).step_by(WIDE) {
        let right = n.min(left + WIDE);
        for top in (0..k).step_by(DEEP) {
            context.check()?;
            arch.dispatch(|| {
                for (out, a) in out.chunks_exact_mut(n).zip(a.chunks_exact(k)) {
                    let out = &mut out[left..right];
                    for (p, &factor) in a.iter().enumerate().take(k.min(top + DEEP)).skip(top) {
                        let row = &b[p * n + left..p * n + right];
                        out.iter_mut().zip(row).for_each(|(out, &b)| *out = add(*out, factor, b));
                    }
                }
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn product(a: &Chunk, b: &Chunk) -> Result<Chunk, Error> {
        let out = matmul(vec![a.clone().into(), b.clone().into()], &Context::default());
        out.map(|v| v.array().unwrap().clone())
    }

    /// Small whole numbers, so that every dtype's product is exact.
    fn counting<T: Element>(shape: &[usize], of: impl Fn(i32) -> T) -> Chunk {
        Chunk::build(shape, |out: &mut [T]| {
            out.iter_mut().zip(0..).for_each(|(o, i)| *o = of((i * 7) % 11 - 5))
        })
    }

    proptest! {
        #[test]
        fn every_dtype_multiplies_any_strides(m in 0..20usize, k in 0..20usize, n in 0..20usize, flip in 0..8u32) {
            let turn = |x: &Chunk, bit: u32| if flip >> bit & 1 == 1 { x.transpose(&[1, 0]).flip(&[0]) } else { x.clone() };
            macro_rules! check {
                ($t:ty, $of:expr, $sum:expr) => {{
                    let shape = |r: usize, c: usize, bit: u32| if flip >> bit & 1 == 1 { [c, r] } else { [r, c] };
                    let a = turn(&counting::<$t>(&shape(m, k, 0), $of), 0);
                    let b = turn(&counting::<$t>(&shape(k, n, 1), $of), 1);
                    let out = product(&a, &b).unwrap();
                    prop_assert_eq!(out.shape(), [m, n]);
                    let (a, b, out) = (a.view::<$t>(), b.view::<$t>(), out.view::<$t>());
                    for i in 0..m {
                        for j in 0..n {
                            let sum: fn($t, $t, $t) -> $t = $sum;
                            let expected = (0..k).fold(<$t>::default(), |s, p| sum(s, a[[i, p]], b[[p, j]]));
                            prop_assert_eq!(out[[i, j]], expected);
                        }
                    }
                }};
            }
            check!(f32, |v| v as f32, |s, a, b| s + a * b);
            check!(f64, f64::from, |s, a, b| s + a * b);
            check!(Complex32, |v| Complex32::new(v as f32, 1.0), |s, a, b| s + a * b);
            check!(Complex64, |v| Complex64::new(2.0, f64::from(v)), |s, a, b| s + a * b);
            check!(i8, |v| (v * 20) as i8, |s, a, b| s.wrapping_add(a.wrapping_mul(b)));
            check!(u64, |v| v as u64, |s, a, b| s.wrapping_add(a.wrapping_mul(b)));
            check!(bool, |v| v > 0, |s, a, b| s | (a & b));
        }
    }

    #[test]
    fn leading_axes_broadcast() {
        let a = Chunk::from_slice(&[2, 1, 1, 2], &[1i64, 2, 3, 4]);
        let b = Chunk::from_slice(&[3, 2, 1], &[1i64, 1, 10, 10, 100, 0]);
        let out = product(&a, &b).unwrap();
        assert_eq!(out.shape(), [2, 3, 1, 1]);
        assert_eq!(out.as_slice::<i64>().unwrap(), [3, 30, 100, 7, 70, 300]);
    }

    #[test]
    fn tensordot_sums_over_pairs_of_axes() {
        let dot = |a: &Chunk, b: &Chunk, axes: (&[u32], &[u32])| {
            let out = tensordot(axes, vec![a.clone().into(), b.clone().into()], &Context::default());
            out.map(|v| v.array().unwrap().clone())
        };
        let a = Chunk::build(&[2, 3, 4], |o: &mut [f64]| {
            o.iter_mut().enumerate().for_each(|(i, o)| *o = i as f64)
        });
        let b = Chunk::build(&[4, 3, 2], |o: &mut [f64]| {
            o.iter_mut().enumerate().for_each(|(i, o)| *o = i as f64)
        });
        // numpy.tensordot(a, b, ([1, 2], [1, 0]))
        let out = dot(&a, &b, (&[1, 2], &[1, 0])).unwrap();
        assert_eq!(
            (out.shape(), out.as_slice::<f64>().unwrap()),
            (&[2, 2][..], &[880.0, 946.0, 2464.0, 2674.0][..])
        );
        assert_eq!(dot(&a, &b, (&[], &[])).unwrap().shape(), [2, 3, 4, 4, 3, 2]);
        let all = dot(&a, &a, (&[0, 1, 2], &[0, 1, 2])).unwrap();
        assert_eq!((all.ndim(), all.item::<f64>()), (0, 4324.0));
        let text = |axes| dot(&a, &b, axes).unwrap_err().to_string();
        assert!(text((&[0], &[0])).contains("do not fit"));
        assert!(text((&[1, 1], &[1, 1])).contains("axis 1 stands twice"));
        assert!(text((&[7], &[0])).contains("axis 7"));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let of = |shape: &[usize]| counting::<f64>(shape, f64::from);
        let text = |a: &Chunk, b: &Chunk| product(a, b).unwrap_err().to_string();
        assert_eq!(text(&of(&[2, 3]), &of(&[2, 3])), "matmul: shapes [2, 3] and [2, 3] do not fit");
        assert!(text(&of(&[3]), &of(&[3, 3])).contains("at least two axes"));
        assert!(text(&of(&[2, 3, 3]), &of(&[3, 3, 3])).contains("do not fit"));
        assert!(text(&of(&[1, 1]), &counting(&[1, 1], |v| v)).contains("float64 and int32"));
    }
}
