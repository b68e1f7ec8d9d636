//! Copies a box of a strided array into a packed tile.
#![allow(unsafe_code)] // Strided reads through raw pointers; the caller vouches for the box.

use std::ops::Range;

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
                Matrix { src, row_stride, col_stride, dst, rows, cols }.pack();
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

impl<T: Copy> Matrix<T> {
    fn at(&self, r: usize, c: usize) -> *const T {
        self.src.wrapping_offset(r as isize * self.row_stride + c as isize * self.col_stride).cast::<T>()
    }

    /// # Safety
    /// See [`Loader::pack`].
    unsafe fn pack(&self) {
        let (rows, cols, dst) = (self.rows, self.cols, self.dst);
        let size = size_of::<T>() as isize;
        // SAFETY: all indices are below rows and cols.
        unsafe {
            if self.col_stride == size {
                for r in 0..rows {
                    dst.add(r * cols).copy_from_nonoverlapping(self.at(r, 0), cols);
                }
            } else if self.col_stride == 0 {
                for r in 0..rows {
                    std::slice::from_raw_parts_mut(dst.add(r * cols), cols).fill(*self.at(r, 0));
                }
            } else if self.row_stride == size {
                self.transpose();
            } else {
                self.elements(0..rows, 0..cols);
            }
        }
    }

    /// # Safety
    /// As [`Matrix::pack`]; the ranges lie within rows and columns.
    unsafe fn elements(&self, rows: Range<usize>, cols: Range<usize>) {
        for r in rows {
            for c in cols.clone() {
                // SAFETY: the caller's.
                unsafe { *self.dst.add(r * self.cols + c) = *self.at(r, c) };
            }
        }
    }

    /// Packs a matrix whose columns are contiguous, block by block: each cache line is read once.
    ///
    /// # Safety
    /// As [`Matrix::pack`]; `row_stride` is the element's size.
    unsafe fn transpose(&self) {
        let (whole_rows, whole_cols) = (self.rows / BLOCK * BLOCK, self.cols / BLOCK * BLOCK);
        let block = block_transpose::<T>();
        for r in (0..whole_rows).step_by(BLOCK) {
            for c in (0..whole_cols).step_by(BLOCK) {
                // SAFETY: the block lies within the matrix.
                unsafe {
                    block(
                        self.at(r, c).cast(),
                        self.col_stride,
                        self.dst.add(r * self.cols + c).cast(),
                        self.cols * size_of::<T>(),
                    );
                }
            }
        }
        // SAFETY: what the blocks left over.
        unsafe {
            self.elements(0..whole_rows, whole_cols..self.cols);
            self.elements(whole_rows..self.rows, 0..self.cols);
        }
    }
}

/// Transposes a block of `BLOCK` by `BLOCK` elements: lines at `src`, `src + line`, … become columns of rows that are `row`
/// bytes apart.
type BlockTranspose = unsafe fn(src: *const u8, line: isize, dst: *mut u8, row: usize);

fn block_transpose<T: Copy>() -> BlockTranspose {
    #[cfg(target_arch = "x86_64")]
    if size_of::<T>() == 8 && is_x86_feature_detected!("avx") {
        return transpose_eights;
    }
    transpose_any::<T>
}

/// # Safety
/// The block is readable, its place writable.
unsafe fn transpose_any<T: Copy>(src: *const u8, line: isize, dst: *mut u8, row: usize) {
    for c in 0..BLOCK {
        // SAFETY: a line of the block, and one element of each row.
        unsafe {
            let line = *src.offset(c as isize * line).cast::<[T; BLOCK]>();
            for (r, &x) in line.iter().enumerate() {
                *dst.add(r * row).cast::<T>().add(c) = x;
            }
        }
    }
}

/// As [`transpose_any`], for elements of eight bytes, four by four in registers.
///
/// # Safety
/// The block is readable, its place writable, and the processor has AVX.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
unsafe fn transpose_eights(src: *const u8, line: isize, dst: *mut u8, row: usize) {
    use std::arch::x86_64::*;
    for c in [0, 4] {
        for r in [0, 4] {
            // SAFETY: four elements of four lines and rows of the block.
            unsafe {
                let load = |i: isize| _mm256_loadu_pd(src.offset((c + i) * line).cast::<f64>().add(r));
                let (a, b, c_, d) = (load(0), load(1), load(2), load(3));
                let (ab_low, ab_high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
                let (cd_low, cd_high) = (_mm256_unpacklo_pd(c_, d), _mm256_unpackhi_pd(c_, d));
                let store = |i: usize, v| _mm256_storeu_pd(dst.add((r + i) * row).cast::<f64>().offset(c), v);
                store(0, _mm256_permute2f128_pd::<0x20>(ab_low, cd_low));
                store(1, _mm256_permute2f128_pd::<0x20>(ab_high, cd_high));
                store(2, _mm256_permute2f128_pd::<0x31>(ab_low, cd_low));
                store(3, _mm256_permute2f128_pd::<0x31>(ab_high, cd_high));
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
