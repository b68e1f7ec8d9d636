//! Copies a box of a strided array into a packed tile.
#![allow(unsafe_code)] // Strided reads through raw pointers; the caller vouches for the box.

use crate::math::level::{Job, Level, dispatch};

/// Side of the blocks in which a matrix is transposed: a cache line of float64.
const BLOCK: usize = 8;

/// Copies boxes; holds the memory that describes them.
#[derive(Default)]
pub(crate) struct Loader {
    len: Vec<usize>,
    strides: Vec<isize>,
    at: Vec<usize>,
}

impl Loader {
    /// Packs a box in C order.
    ///
    /// # Safety
    /// Every index within `len` addresses an aligned element of `itemsize` bytes that may be read, starting at `src` with
    /// `strides` in bytes; `dst` is aligned, valid for as many elements, and overlaps none of them. `itemsize` is that
    /// of a dtype.
    pub(crate) unsafe fn pack(
        &mut self,
        src: *const u8,
        strides: &[isize],
        len: &[usize],
        itemsize: usize,
        dst: *mut u8,
    ) {
        self.len.clear();
        self.strides.clear();
        for (&n, &s) in len.iter().zip(strides).filter(|(n, _)| **n != 1) {
            match (self.len.last_mut(), self.strides.last_mut()) {
                (Some(last), Some(stride)) if *stride == s * n as isize => {
                    *last *= n;
                    *stride = s;
                }
                _ => {
                    self.len.push(n);
                    self.strides.push(s);
                }
            }
        }
        let aligned = src.addr().is_multiple_of(8) && self.strides.iter().all(|s| s % 8 == 0);
        // SAFETY: merged axes address the same elements in the same order; the types have the element's size and at
        // most its alignment.
        unsafe {
            match itemsize {
                1 => self.typed::<u8>(src, dst),
                2 => self.typed::<u16>(src, dst),
                4 => self.typed::<u32>(src, dst),
                // Complex numbers of eight bytes are aligned to four.
                8 if !aligned => self.typed::<[u32; 2]>(src, dst),
                8 => self.typed::<u64>(src, dst),
                _ => self.typed::<[u64; 2]>(src, dst),
            }
        }
    }

    /// # Safety
    /// As [`Loader::pack`], for elements of type `T`, with axes merged.
    unsafe fn typed<T: Copy>(&mut self, mut src: *const u8, dst: *mut u8) {
        let mut dst = dst.cast::<T>();
        let d = self.len.len();
        let inner = |i: usize| d.checked_sub(i).map_or((1, 0), |a| (self.len[a], self.strides[a]));
        let ((cols, col_stride), (rows, row_stride)) = (inner(1), inner(2));
        let outer = d.saturating_sub(2);
        self.at.clear();
        self.at.resize(outer, 0);
        loop {
            // SAFETY: one matrix of the box; the caller vouches for all of them.
            unsafe {
                dispatch(Matrix { src, row_stride, col_stride, dst, rows, cols });
                dst = dst.add(rows * cols);
            }
            let mut axis = outer;
            loop {
                if axis == 0 {
                    return;
                }
                axis -= 1;
                self.at[axis] += 1;
                if self.at[axis] < self.len[axis] {
                    src = src.wrapping_byte_offset(self.strides[axis]);
                    break;
                }
                src = src.wrapping_byte_offset(-self.strides[axis] * (self.len[axis] as isize - 1));
                self.at[axis] = 0;
            }
        }
    }
}

/// A strided matrix to be packed. Whoever makes one keeps [`Loader::pack`]'s contract.
struct Matrix<T> {
    src: *const u8,
    row_stride: isize,
    col_stride: isize,
    dst: *mut T,
    rows: usize,
    cols: usize,
}

impl<T: Copy> Job for Matrix<T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let Matrix { src, row_stride, col_stride, dst, rows, cols } = self;
        let size = size_of::<T>() as isize;
        let at = |r: usize, c: usize| {
            src.wrapping_offset(r as isize * row_stride + c as isize * col_stride).cast::<T>()
        };
        // SAFETY: all indices are below rows and cols; see `Loader::pack`.
        unsafe {
            if col_stride == size {
                for r in 0..rows {
                    dst.add(r * cols).copy_from_nonoverlapping(at(r, 0), cols);
                }
            } else if col_stride == 0 {
                for r in 0..rows {
                    std::slice::from_raw_parts_mut(dst.add(r * cols), cols).fill(*at(r, 0));
                }
            } else if row_stride == size {
                let (whole_rows, whole_cols) = (rows / BLOCK * BLOCK, cols / BLOCK * BLOCK);
                for r in (0..whole_rows).step_by(BLOCK) {
                    for c in (0..whole_cols).step_by(BLOCK) {
                        let mut block = [[*src.cast::<T>(); BLOCK]; BLOCK];
                        for (j, column) in block.iter_mut().enumerate() {
                            *column = *at(r, c + j).cast::<[T; BLOCK]>();
                        }
                        for i in 0..BLOCK {
                            let row: [T; BLOCK] = std::array::from_fn(|j| block[j][i]);
                            *dst.add((r + i) * cols + c).cast::<[T; BLOCK]>() = row;
                        }
                    }
                    for i in r..r + BLOCK {
                        for c in whole_cols..cols {
                            *dst.add(i * cols + c) = *at(i, c);
                        }
                    }
                }
                for r in whole_rows..rows {
                    for c in 0..cols {
                        *dst.add(r * cols + c) = *at(r, c);
                    }
                }
            } else {
                for r in 0..rows {
                    for c in 0..cols {
                        *dst.add(r * cols + c) = *at(r, c);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::Chunk;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packs_what_a_view_shows(
            shape in prop::collection::vec(1usize..20, 1..5),
            order in any::<prop::sample::Index>(),
            flips in any::<u8>(),
        ) {
            let n: usize = shape.iter().product();
            let mut axes: Vec<usize> = (0..shape.len()).collect();
            axes.rotate_left(order.index(shape.len()));
            let flipped: Vec<usize> = (0..shape.len()).filter(|a| flips >> a & 1 == 1).collect();
            let x = Chunk::from_slice(&shape, &(0..n as i32).collect::<Vec<_>>()).transpose(&axes).flip(&flipped);
            let mut out = vec![0i32; n];
            // SAFETY: a chunk's own numbers, and memory for all its elements.
            unsafe { Loader::default().pack(x.as_ptr(), x.strides(), x.shape(), 4, out.as_mut_ptr().cast()) };
            prop_assert_eq!(out, x.view::<i32>().iter().copied().collect::<Vec<_>>());
        }
    }
}
