//! Strided copies into C order. They depend on the item size alone, so dtypes share five kernels.
#![allow(unsafe_code)] // Walks strides by raw pointers; the callers below check every bound first.

use crate::buffer::Buffer;
use crate::chunk::{Chunk, c_strides};

/// One axis of a copy: its extent, and the distance of neighbours in bytes on either side.
#[derive(Clone, Copy, Debug)]
struct Axis {
    n: usize,
    dst: isize,
    src: isize,
}

/// A copy of `src` in C order.
pub(crate) fn contiguous(src: &Chunk) -> Chunk {
    let mut buffer = Buffer::new(src.nbytes());
    into_block(buffer.bytes_mut(), src.shape(), &vec![0; src.ndim()], src);
    Chunk::from_buffer(src.dtype(), src.shape(), buffer).expect("a buffer made for this shape")
}

/// Writes `src` into the block that starts at index `at` of a C-order array: `dst` are its bytes, `shape` its shape.
///
/// # Panics
/// If the block leaves the array, or `dst` is not the array's size.
pub(crate) fn into_block(dst: &mut [u8], shape: &[usize], at: &[usize], src: &Chunk) {
    let nbytes = shape.iter().product::<usize>() * src.dtype().itemsize();
    assert_eq!(dst.len(), nbytes, "the bytes of an array of {shape:?}");
    // SAFETY: they are borrowed uniquely, so they do not overlap the chunk's buffer.
    unsafe { into_block_at(dst.as_mut_ptr(), shape, at, src) }
}

/// As [`into_block`], where others may write other blocks of the array meanwhile.
///
/// # Panics
/// If the block leaves the array.
///
/// # Safety
/// `dst` must be the first byte of an array of this shape and the chunk's dtype, of which nobody else reads or writes the
/// block, and the chunk must not overlap the block.
pub(crate) unsafe fn into_block_at(dst: *mut u8, shape: &[usize], at: &[usize], src: &Chunk) {
    let itemsize = src.dtype().itemsize();
    assert!(shape.len() == src.ndim() && at.len() == src.ndim(), "one extent and one start an axis");
    assert!(
        src.shape().iter().zip(at).zip(shape).all(|((n, a), whole)| a + n <= *whole),
        "a block of {:?} at {at:?} of {shape:?}",
        src.shape()
    );
    if src.is_empty() {
        return;
    }
    let strides = c_strides(shape, itemsize);
    let start: isize = at.iter().zip(&strides).map(|(&a, s)| a as isize * s).sum();
    let axes = src.shape().iter().zip(&strides).zip(src.strides());
    let axes = axes.map(|((&n, &dst), &src)| Axis { n, dst, src }).collect();
    // SAFETY: the block is inside the array (checked above), the chunk's strides stay inside its buffer, and the caller
    // promises the rest.
    unsafe { copy(dst.offset(start), src.as_ptr(), axes, itemsize) }
}

/// A copy of `len` elements of a matrix, from `row`, `col` down its diagonal.
///
/// # Panics
/// If they leave the matrix.
pub(crate) fn diagonal(src: &Chunk, row: usize, col: usize, len: usize) -> Chunk {
    let mut buffer = Buffer::new(len * src.dtype().itemsize());
    if len > 0 {
        let (&[rows, cols], &[down, right]) = (src.shape(), src.strides()) else { panic!("a matrix") };
        assert!(row + len <= rows && col + len <= cols, "{len} from {row}, {col} of {rows} × {cols}");
        let itemsize = src.dtype().itemsize();
        let axes = vec![Axis { n: len, dst: itemsize as isize, src: down + right }];
        // SAFETY: every element is inside the matrix (checked above), and the buffer holds `len` of them.
        unsafe {
            let first = src.as_ptr().offset(row as isize * down + col as isize * right);
            copy(buffer.as_mut_ptr(), first, axes, itemsize)
        }
    }
    Chunk::from_buffer(src.dtype(), &[len], buffer).expect("a buffer made for this shape")
}

/// Copies every element.
///
/// # Safety
/// Every index within `axes` must address `itemsize` readable bytes from `src` and writable ones from `dst`, which
/// do not overlap; `dst` strides fall from first to last axis, as in C order.
unsafe fn copy(dst: *mut u8, src: *const u8, mut axes: Vec<Axis>, itemsize: usize) {
    if axes.iter().any(|a| a.n == 0) {
        return;
    }
    axes.retain(|a| a.n != 1);
    merge(&mut axes);
    // SAFETY: the caller's promise; unaligned types of `itemsize` bytes.
    unsafe {
        match itemsize {
            1 => walk::<u8>(dst, src, &axes),
            2 => walk::<u16>(dst, src, &axes),
            4 => walk::<u32>(dst, src, &axes),
            8 => walk::<u64>(dst, src, &axes),
            16 => walk::<[u64; 2]>(dst, src, &axes),
            _ => unreachable!("items take 1, 2, 4, 8 or 16 bytes"),
        }
    }
}

/// Joins neighbouring axes that both sides walk in one stride.
fn merge(axes: &mut Vec<Axis>) {
    let mut merged: Vec<Axis> = Vec::with_capacity(axes.len());
    for &axis in axes.iter() {
        match merged.last_mut() {
            Some(outer)
                if outer.dst == axis.dst * axis.n as isize && outer.src == axis.src * axis.n as isize =>
            {
                *outer = Axis { n: outer.n * axis.n, ..axis };
            }
            _ => merged.push(axis),
        }
    }
    *axes = merged;
}

/// # Safety
/// As for [`copy`], with `T` of the item size.
unsafe fn walk<T: Copy>(dst: *mut u8, src: *const u8, axes: &[Axis]) {
    let itemsize = size_of::<T>() as isize;
    let Some((&inner, outer)) = axes.split_last() else {
        // SAFETY: one element.
        return unsafe { dst.cast::<T>().write_unaligned(src.cast::<T>().read_unaligned()) };
    };
    // SAFETY (all below): rows and tiles at every index of the other axes, as the caller promises.
    if inner.src == itemsize && inner.dst == itemsize {
        return each(outer, dst, src, |d, s| unsafe {
            std::ptr::copy_nonoverlapping(s, d, inner.n * size_of::<T>());
        });
    }
    // The axis along which the source runs closest is walked beside the one along which the result does, in tiles.
    let nearest = (0..outer.len()).min_by_key(|&a| outer[a].src.unsigned_abs());
    if let Some(a) = nearest.filter(|&a| outer[a].src.unsigned_abs() < inner.src.unsigned_abs()) {
        let across = outer[a];
        let rest: Vec<Axis> = outer.iter().enumerate().filter(|(i, _)| *i != a).map(|(_, x)| *x).collect();
        return each(&rest, dst, src, |d, s| unsafe { tiles::<T>(d, s, across, inner) });
    }
    each(outer, dst, src, |d, s| unsafe { row::<T>(d, s, inner, inner.n) });
}

/// Calls `f` with the addresses at every index of `axes`, the last fastest.
fn each(axes: &[Axis], mut dst: *mut u8, mut src: *const u8, mut f: impl FnMut(*mut u8, *const u8)) {
    let mut index = vec![0usize; axes.len()];
    loop {
        f(dst, src);
        let mut at = axes.len();
        loop {
            if at == 0 {
                return;
            }
            at -= 1;
            let axis = axes[at];
            index[at] += 1;
            dst = dst.wrapping_offset(axis.dst);
            src = src.wrapping_offset(axis.src);
            if index[at] < axis.n {
                break;
            }
            index[at] = 0;
            dst = dst.wrapping_offset(-axis.dst * axis.n as isize);
            src = src.wrapping_offset(-axis.src * axis.n as isize);
        }
    }
}

/// # Safety
/// `n` elements at the axis' strides on both sides.
#[inline(always)]
unsafe fn row<T: Copy>(dst: *mut u8, src: *const u8, axis: Axis, n: usize) {
    for i in 0..n as isize {
        // SAFETY: the caller's promise.
        unsafe {
            let value = src.offset(i * axis.src).cast::<T>().read_unaligned();
            dst.offset(i * axis.dst).cast::<T>().write_unaligned(value);
        }
    }
}

/// A transposed copy: the source runs closest along `across`, the result along `along`. Strips one cache line wide
/// write each line of the result once, and use each line of the source while it is near.
///
/// # Safety
/// Every index of both axes on both sides.
unsafe fn tiles<T: Copy>(dst: *mut u8, src: *const u8, across: Axis, along: Axis) {
    const TALL: usize = 128;
    let wide = const { 64 / size_of::<T>() };
    for top in (0..across.n).step_by(TALL) {
        for left in (0..along.n).step_by(wide) {
            let n = wide.min(along.n - left);
            for j in top..across.n.min(top + TALL) {
                // SAFETY: the caller's promise.
                unsafe {
                    let d = dst.offset(j as isize * across.dst + left as isize * along.dst);
                    let s = src.offset(j as isize * across.src + left as isize * along.src);
                    if n == wide { row::<T>(d, s, along, wide) } else { row::<T>(d, s, along, n) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;
    use proptest::prelude::*;

    /// A chunk of any item size whose elements are all different, viewed through a random slice and transpose.
    fn views() -> impl Strategy<Value = Chunk> {
        let shape = proptest::collection::vec(1usize..20, 0..4);
        (shape, 0..5usize, any::<u64>()).prop_map(|(shape, size, mut seed)| {
            let mut pick = |n: usize| {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (seed >> 33) as usize % n
            };
            let n: usize = shape.iter().product();
            let x = match size {
                0 => Chunk::build(&shape, |o: &mut [u8]| {
                    o.iter_mut().enumerate().for_each(|(i, o)| *o = i as u8)
                }),
                1 => Chunk::build(&shape, |o: &mut [i16]| {
                    o.iter_mut().enumerate().for_each(|(i, o)| *o = i as i16)
                }),
                2 => Chunk::build(&shape, |o: &mut [f32]| {
                    o.iter_mut().enumerate().for_each(|(i, o)| *o = i as f32)
                }),
                3 => Chunk::build(&shape, |o: &mut [i64]| {
                    o.iter_mut().enumerate().for_each(|(i, o)| *o = i as i64)
                }),
                _ => {
                    let of = |i: usize| num_complex::Complex64::new(i as f64, n as f64);
                    Chunk::build(&shape, |o: &mut [num_complex::Complex64]| {
                        o.iter_mut().enumerate().for_each(|(i, o)| *o = of(i));
                    })
                }
            };
            let ranges: Vec<_> = shape
                .iter()
                .map(|&n| match pick(4) {
                    0 => (0, n, 1),
                    1 => (n - 1, n, -1),
                    2 => (0, n.div_ceil(2), 2),
                    _ => (pick(n), 1, 1),
                })
                .collect();
            let mut axes: Vec<usize> = (0..shape.len()).collect();
            (1..axes.len()).for_each(|i| axes.swap(i, pick(i + 1)));
            let x = x.slice(&ranges).transpose(&axes);
            if pick(3) == 0 { x.broadcast_to(&[&[3], x.shape()].concat()) } else { x }
        })
    }

    proptest! {
        #[test]
        fn copies_every_element_of_any_view(x in views()) {
            let naive = crate::with_dtype!(x.dtype(), T => Chunk::from_array(&x.view::<T>()));
            let copy = contiguous(&x);
            prop_assert_eq!(copy.as_bytes(), naive.as_bytes());
        }
    }

    #[test]
    fn a_block_lands_where_it_belongs() {
        let x = Chunk::from_slice(&[2, 2], &[1i16, 2, 3, 4]).transpose(&[1, 0]);
        let mut out = vec![0u8; 3 * 4 * 2];
        into_block(&mut out, &[3, 4], &[1, 2], &x);
        let out = Chunk::from_bytes(DType::Int16, &[3, 4], &out).unwrap();
        assert_eq!(out.as_slice::<i16>().unwrap(), [0, 0, 0, 0, 0, 0, 1, 3, 0, 0, 2, 4]);
    }

    #[test]
    fn a_large_transpose_goes_by_tiles() {
        let x = Chunk::build(&[301, 205], |o: &mut [f64]| {
            o.iter_mut().enumerate().for_each(|(i, o)| *o = i as f64)
        });
        let t = contiguous(&x.transpose(&[1, 0]));
        let t = t.as_slice::<f64>().unwrap();
        assert!((0..205).all(|j| (0..301).all(|i| t[j * 301 + i] == (i * 205 + j) as f64)));
    }
}
