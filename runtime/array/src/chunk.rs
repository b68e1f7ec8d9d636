//! Chunks: typed, strided views of shared memory. A transpose, slice or broadcast of a chunk copies nothing.
#![allow(unsafe_code)] // Typed views of raw memory; the invariant below makes each of them sound.

mod view;

use crate::buffer::Buffer;
use dask_plan::DType;
use ndarray::{ArrayViewD, IxDyn, ShapeBuilder};
use num_complex::{Complex32, Complex64};
use smallvec::SmallVec;
use std::sync::Arc;

/// Extents of axes. Those of few axes need no memory of their own, as small tasks copy many.
pub type Shape = SmallVec<[usize; 4]>;

/// Distances of neighbours along axes, in bytes.
pub type Strides = SmallVec<[isize; 4]>;

/// A Rust type that is an element of chunks.
pub trait Element: Copy + Default + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// Its dtype.
    const DTYPE: DType;
}

macro_rules! elements {
    ($($t:ty => $d:ident),*) => { $(impl Element for $t { const DTYPE: DType = DType::$d; })* };
}
elements!(bool => Bool, i8 => Int8, i16 => Int16, i32 => Int32, i64 => Int64, u8 => UInt8, u16 => UInt16,
    u32 => UInt32, u64 => UInt64, f32 => Float32, f64 => Float64, Complex32 => Complex64, Complex64 => Complex128);

/// Runs an expression with a type alias bound to the Rust type of a dtype.
///
/// `with_dtype!(dtype, T => body)`; the second form takes a subset: `with_dtype!(dtype, T in [f32, f64] => body, else => other)`.
#[macro_export]
macro_rules! with_dtype {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::DType::Bool => { type $T = bool; $body }
            $crate::DType::Int8 => { type $T = i8; $body }
            $crate::DType::Int16 => { type $T = i16; $body }
            $crate::DType::Int32 => { type $T = i32; $body }
            $crate::DType::Int64 => { type $T = i64; $body }
            $crate::DType::UInt8 => { type $T = u8; $body }
            $crate::DType::UInt16 => { type $T = u16; $body }
            $crate::DType::UInt32 => { type $T = u32; $body }
            $crate::DType::UInt64 => { type $T = u64; $body }
            $crate::DType::Float32 => { type $T = f32; $body }
            $crate::DType::Float64 => { type $T = f64; $body }
            $crate::DType::Complex64 => { type $T = num_complex::Complex32; $body }
            $crate::DType::Complex128 => { type $T = num_complex::Complex64; $body }
        }
    };
    ($dtype:expr, $T:ident in [$($t:ty),*] => $body:expr, else => $other:expr) => {{
        let dtype = $dtype;
        $(if dtype == <$t as $crate::Element>::DTYPE { type $T = $t; $body } else)* { $other }
    }};
}

/// An n-dimensional array of one dtype: a view of shared memory.
///
/// Invariant: every index within `shape` addresses `itemsize` bytes inside `buffer`, aligned to the element type;
/// bytes of a bool chunk are 0 or 1. Strides are in bytes, and may be zero (broadcast) or negative (flipped).
pub struct Chunk {
    dtype: DType,
    shape: Shape,
    strides: Strides,
    offset: usize,
    buffer: Arc<Buffer>,
}

/// Strides of a C-contiguous array, in bytes.
pub fn c_strides(shape: &[usize], itemsize: usize) -> Strides {
    let mut strides = Strides::from_elem(0, shape.len());
    let mut step = itemsize as isize;
    for (stride, &n) in strides.iter_mut().zip(shape).rev() {
        *stride = step;
        step *= n.max(1) as isize;
    }
    strides
}

/// Bytes of an array; `None` where the number does not fit in `isize`.
pub fn checked_nbytes(shape: &[usize], dtype: DType) -> Option<usize> {
    let n = shape.iter().try_fold(dtype.itemsize(), |n, &d| n.checked_mul(d))?;
    (n <= isize::MAX as usize / 2).then_some(n)
}

impl Chunk {
    /// A C-contiguous chunk whose elements `fill` writes. What `fill` leaves alone is unspecified but valid.
    ///
    /// # Panics
    /// If the size overflows; sizes from outside are checked by [`checked_nbytes`] first.
    pub fn build<T: Element>(shape: &[usize], fill: impl FnOnce(&mut [T])) -> Chunk {
        let n = shape.iter().product();
        // SAFETY: the memory holds `n` aligned elements, every bit pattern of which is a valid `T` (bools were zeroed),
        // and nobody else sees it yet.
        Chunk::fresh(T::DTYPE, shape.into(), |out| {
            fill(unsafe { std::slice::from_raw_parts_mut(out.cast(), n) })
        })
    }

    /// A C-contiguous chunk that `fill` writes: it is given the first byte, and every bit pattern it leaves must be valid.
    pub(crate) fn fresh(dtype: DType, shape: Shape, fill: impl FnOnce(*mut u8)) -> Chunk {
        let nbytes = checked_nbytes(&shape, dtype).expect("a size that was checked");
        let mut buffer = Buffer::new(nbytes);
        if dtype == DType::Bool {
            // Recycled bytes may be anything, but a bool is 0 or 1.
            buffer.bytes_mut().fill(0);
        }
        fill(buffer.as_mut_ptr());
        let strides = c_strides(&shape, dtype.itemsize());
        Chunk { dtype, shape, strides, offset: 0, buffer: Arc::new(buffer) }
    }

    /// As [`Chunk::build`], when filling can fail.
    ///
    /// # Errors
    /// Whatever `fill` returns.
    pub fn try_build<T: Element, E>(
        shape: &[usize],
        fill: impl FnOnce(&mut [T]) -> Result<(), E>,
    ) -> Result<Chunk, E> {
        let mut result = Ok(());
        let chunk = Chunk::build(shape, |out: &mut [T]| result = fill(out));
        result.map(|()| chunk)
    }

    /// A copy of a slice, shaped.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn from_slice<T: Element>(shape: &[usize], data: &[T]) -> Chunk {
        Chunk::build(shape, |out: &mut [T]| out.copy_from_slice(data))
    }

    /// A copy of an `ndarray`, in C order.
    pub fn from_array<T: Element>(array: &ArrayViewD<'_, T>) -> Chunk {
        Chunk::build(array.shape(), |out: &mut [T]| {
            for (o, i) in out.iter_mut().zip(array.iter()) {
                *o = *i;
            }
        })
    }

    /// A 0-d chunk.
    pub fn scalar<T: Element>(value: T) -> Chunk {
        Chunk::from_slice(&[], &[value])
    }

    /// A C-contiguous chunk from its bytes in C order, native byte order.
    ///
    /// Returns `None` when `bytes` does not fit shape and dtype, or a bool is neither 0 nor 1.
    pub fn from_bytes(dtype: DType, shape: &[usize], bytes: &[u8]) -> Option<Chunk> {
        let mut buffer = Buffer::new(bytes.len());
        buffer.bytes_mut().copy_from_slice(bytes);
        Chunk::from_buffer(dtype, shape, buffer)
    }

    /// A C-contiguous chunk over a whole buffer.
    ///
    /// Returns `None` when the buffer does not fit shape and dtype, is misaligned, or a bool is neither 0 nor 1.
    pub fn from_buffer(dtype: DType, shape: &[usize], buffer: Buffer) -> Option<Chunk> {
        let fits = checked_nbytes(shape, dtype) == Some(buffer.len());
        Chunk::from_parts(dtype, shape.into(), c_strides(shape, dtype.itemsize()), 0, Arc::new(buffer))
            .filter(|_| fits)
    }

    /// A view of a buffer: strides in bytes, `offset` that of element 0.
    ///
    /// Returns `None` when the view would leave the buffer, is misaligned, or a bool is neither 0 nor 1.
    pub fn from_parts(
        dtype: DType,
        shape: Shape,
        strides: Strides,
        offset: usize,
        buffer: Arc<Buffer>,
    ) -> Option<Chunk> {
        if shape.len() != strides.len() {
            return None;
        }
        checked_nbytes(&shape, dtype)?;
        let align = match dtype {
            DType::Complex64 => 4,
            DType::Complex128 => 8,
            _ => dtype.itemsize(),
        };
        if !(buffer.as_ptr() as usize).wrapping_add(offset).is_multiple_of(align)
            || strides.iter().any(|s| s.unsigned_abs() % align != 0)
        {
            return None;
        }
        if !shape.contains(&0) {
            let (mut low, mut high) = (offset as i128, offset as i128);
            for (&n, &s) in shape.iter().zip(&strides) {
                let reach = (n as i128 - 1) * s as i128;
                if reach < 0 { low += reach } else { high += reach }
            }
            if low < 0 || high + dtype.itemsize() as i128 > buffer.len() as i128 {
                return None;
            }
        }
        if dtype == DType::Bool && buffer.bytes().iter().any(|&b| b > 1) {
            return None;
        }
        Some(Chunk { dtype, shape, strides, offset, buffer })
    }

    /// As [`Chunk::from_parts`], of what is known to fit.
    ///
    /// # Safety
    /// The type's invariant must hold.
    pub(crate) unsafe fn from_valid_parts(
        dtype: DType,
        shape: Shape,
        strides: Strides,
        offset: usize,
        buffer: Arc<Buffer>,
    ) -> Chunk {
        Chunk { dtype, shape, strides, offset, buffer }
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Extent along each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Distance of neighbours along each axis, in bytes.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// Number of axes.
    pub fn ndim(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// Bytes its elements take when copied out.
    pub fn nbytes(&self) -> usize {
        self.len() * self.dtype.itemsize()
    }

    /// Bytes of memory it keeps alive: more than [`Chunk::nbytes`] for a small view of a large buffer.
    pub fn held_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Whether no other chunk shares its memory, and it is all of that.
    pub fn is_alone(&self) -> bool {
        Arc::strong_count(&self.buffer) == 1
            && self.buffer.is_writable()
            && self.nbytes() == self.buffer.len()
    }

    /// Whether its elements lie in C order without gaps.
    pub fn is_contiguous(&self) -> bool {
        let mut step = self.dtype.itemsize() as isize;
        for (&n, &s) in self.shape.iter().zip(&self.strides).rev() {
            if n != 1 && s != step {
                return self.is_empty();
            }
            step *= n as isize;
        }
        true
    }

    /// Address of element 0, for kernels that walk strides themselves.
    pub fn as_ptr(&self) -> *const u8 {
        // SAFETY: the offset is inside the buffer (invariant), or the chunk is empty and never read.
        unsafe { self.buffer.as_ptr().add(self.offset) }
    }

    /// A typed view.
    ///
    /// # Panics
    /// If `T` is not the chunk's element type.
    pub fn view<T: Element>(&self) -> ArrayViewD<'_, T> {
        assert_eq!(T::DTYPE, self.dtype, "a view of another dtype");
        let itemsize = size_of::<T>() as isize;
        if self.is_empty() {
            return ArrayViewD::from_shape(IxDyn(&self.shape), &[]).expect("an empty view");
        }
        // ndarray wants strides that are not negative: flip such axes first, and back afterwards.
        let mut ptr = self.as_ptr().cast::<T>();
        let mut strides = Vec::with_capacity(self.strides.len());
        let mut flipped = vec![];
        for (axis, (&n, &s)) in self.shape.iter().zip(&self.strides).enumerate() {
            if s < 0 {
                // SAFETY: moves to the other end of the axis, inside the buffer (invariant).
                ptr = unsafe { ptr.byte_offset((n as isize - 1) * s) };
                flipped.push(axis);
            }
            strides.push((s / itemsize).unsigned_abs());
        }
        // SAFETY: every index addresses an aligned, initialised element (invariant), which nobody writes while
        // shared.
        let mut view =
            unsafe { ArrayViewD::from_shape_ptr(IxDyn(&self.shape).strides(IxDyn(&strides)), ptr) };
        for axis in flipped {
            view.invert_axis(ndarray::Axis(axis));
        }
        view
    }

    /// Its elements, when they lie in C order without gaps.
    ///
    /// # Panics
    /// If `T` is not the chunk's element type.
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        assert_eq!(T::DTYPE, self.dtype, "a view of another dtype");
        if self.is_empty() {
            return Some(&[]);
        }
        // SAFETY: contiguous, aligned, initialised and inside the buffer (invariant).
        self.is_contiguous()
            .then(|| unsafe { std::slice::from_raw_parts(self.as_ptr().cast::<T>(), self.len()) })
    }

    /// Its elements for writing, when nobody else holds the memory and they lie in C order without gaps.
    ///
    /// # Panics
    /// If `T` is not the chunk's element type.
    pub fn as_mut_slice<T: Element>(&mut self) -> Option<&mut [T]> {
        assert_eq!(T::DTYPE, self.dtype, "a view of another dtype");
        if !self.is_contiguous() {
            return None;
        }
        let (n, offset) = (self.len(), self.offset);
        let buffer = Arc::get_mut(&mut self.buffer).filter(|b| b.is_writable())?;
        // SAFETY: as in `as_slice`, and the buffer is held by this chunk alone.
        Some(unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().add(offset).cast::<T>(), n) })
    }

    /// Its bytes in C order, when they lie so.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if self.is_empty() {
            return Some(&[]);
        }
        self.is_contiguous().then(|| &self.buffer.bytes()[self.offset..self.offset + self.nbytes()])
    }

    /// Itself when C-contiguous, else a copy that is.
    pub fn to_contiguous(&self) -> Chunk {
        if self.is_contiguous() {
            return self.clone();
        }
        crate::copy::contiguous(self)
    }

    /// The single element of a chunk of one.
    ///
    /// # Panics
    /// If there is not exactly one, or `T` is not the element type.
    pub fn item<T: Element>(&self) -> T {
        assert_eq!(self.len(), 1, "the item of a chunk of one");
        *self.view::<T>().first().expect("one element")
    }

    /// Another view of the same memory; the caller's numbers are checked.
    fn with(&self, shape: Shape, strides: Strides, offset: usize) -> Chunk {
        debug_assert!(shape.len() == strides.len());
        Chunk { dtype: self.dtype, shape, strides, offset, buffer: Arc::clone(&self.buffer) }
    }
}

impl Clone for Chunk {
    fn clone(&self) -> Chunk {
        // By slices, which are copied as bytes; `SmallVec`'s own clone goes element by element.
        self.with(Shape::from_slice(&self.shape), Strides::from_slice(&self.strides), self.offset)
    }
}

impl std::fmt::Debug for Chunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chunk<{}>{:?}", self.dtype, self.shape)
    }
}

impl PartialEq for Chunk {
    /// Same dtype, shape and elements (NaN differs from itself, as in numpy).
    fn eq(&self, other: &Chunk) -> bool {
        self.dtype == other.dtype
            && self.shape == other.shape
            && crate::with_dtype!(self.dtype, T => self.view::<T>() == other.view::<T>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smallvec::smallvec;

    #[test]
    fn foreign_numbers_are_checked() {
        assert!(Chunk::from_bytes(DType::Float64, &[2], &[0; 15]).is_none());
        assert!(Chunk::from_bytes(DType::Bool, &[2], &[0, 2]).is_none());
        assert!(Chunk::from_bytes(DType::Float64, &[usize::MAX, 2], &[]).is_none());
        let b = Arc::new(Buffer::new(16));
        assert!(Chunk::from_parts(DType::Int64, smallvec![3], smallvec![8], 0, b.clone()).is_none());
        assert!(Chunk::from_parts(DType::Int64, smallvec![2], smallvec![-8], 0, b.clone()).is_none());
        assert!(Chunk::from_parts(DType::Int64, smallvec![2], smallvec![-8], 8, b).is_some());
    }
}
