//! Kernels over arrays so small that planning tiles would take longer than the work.
#![allow(unsafe_code)] // Kernels work on raw memory; every operand is a contiguous run of as many elements.

use crate::chunk::{Chunk, Shape};
use crate::elementwise::kernel::Kernel;
use dask_plan::DType;

/// Elements of an array that is small.
const SMALL: usize = 64;

/// Bytes of the widest element.
const WIDEST: usize = 16;

/// An operand of one element, repeated.
#[repr(align(16))]
struct Repeated([u8; SMALL * WIDEST]);

/// Runs a kernel that yields `dtype` over arrays that lie in C order and have the result's `shape` or one element. `None` when
/// the arrays are other ones.
pub(crate) fn run(kernel: Kernel, operands: &[&Chunk], dtype: DType, shape: &[usize]) -> Option<Chunk> {
    let n: usize = shape.iter().product();
    if n == 0 || n > SMALL {
        return None;
    }
    let mut args = [std::ptr::null(); 3];
    let mut repeated: [Option<Repeated>; 3] = [None, None, None];
    for ((arg, place), x) in args.iter_mut().zip(&mut repeated).zip(operands) {
        *arg = if x.len() == n && x.is_contiguous() {
            x.as_ptr()
        } else if x.len() == 1 {
            let item = x.dtype().itemsize();
            let place = place.insert(Repeated([0; SMALL * WIDEST]));
            // SAFETY: one element of a chunk, which lies within its memory whatever its strides.
            let element = unsafe { std::slice::from_raw_parts(x.as_ptr(), item) };
            place.0.chunks_exact_mut(item).take(n).for_each(|to| to.copy_from_slice(element));
            place.0.as_ptr()
        } else {
            return None;
        };
    }
    Some(Chunk::fresh(dtype, Shape::from(shape), |out| {
        // SAFETY: each operand is `n` aligned elements of its dtype, and the caller chose the kernel for those dtypes and
        // this result, which is new memory for `n` elements.
        unsafe { kernel(args, out, n) }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elementwise;
    use dask_plan::program::Binary;

    fn add(a: &Chunk, b: &Chunk, shape: &[usize]) -> Option<Chunk> {
        run(elementwise::binary(Binary::Add, DType::Int32)?, &[a, b], DType::Int32, shape)
    }

    #[test]
    fn equal_shapes_and_single_elements_are_taken_and_nothing_else() {
        let x = Chunk::from_slice(&[2, 3], &[0i32, 1, 2, 3, 4, 5]);
        let ten = Chunk::from_slice(&[1], &[10i32]);
        let sum = add(&x, &ten, &[2, 3]).unwrap();
        assert_eq!(
            (sum.shape(), sum.as_slice::<i32>().unwrap()),
            (&[2, 3][..], &[10, 11, 12, 13, 14, 15][..])
        );
        assert_eq!(add(&ten, &Chunk::scalar(1i32), &[1]).unwrap().as_slice::<i32>().unwrap(), [11]);
        // Elements in another order, a repeated row, no element, and many.
        assert!(add(&x.transpose(&[1, 0]), &ten, &[3, 2]).is_none());
        assert!(add(&x, &Chunk::from_slice(&[3], &[1i32, 2, 3]), &[2, 3]).is_none());
        assert!(add(&Chunk::from_slice::<i32>(&[0], &[]), &ten, &[0]).is_none());
        let many = Chunk::from_slice(&[SMALL + 1], &[1i32; SMALL + 1]);
        assert!(add(&many, &ten, &[SMALL + 1]).is_none());
    }
}
