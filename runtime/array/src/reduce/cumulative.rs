//! Running sums and products.

use super::number::Number;
use crate::chunk::Chunk;
use crate::with_dtype;
use dask_plan::program::{Cumulative, Unary};

/// What replaces NaN in the forms that skip it.
pub(super) fn neutral(f: Cumulative) -> Unary {
    match f {
        Cumulative::Sum => Unary::NanToZero,
        Cumulative::Prod => Unary::NanToOne,
    }
}

/// Accumulates along an axis that exists, in the array's own dtype, in place when nobody else holds it.
pub(super) fn run(f: Cumulative, axis: usize, mut chunk: Chunk) -> Chunk {
    if !chunk.is_contiguous() {
        chunk = chunk.to_contiguous();
    }
    let shape = chunk.shape().to_vec();
    let (n, inner) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
    with_dtype!(chunk.dtype(), T => {
        let f: fn(T, T) -> T = match f {
            Cumulative::Sum => T::add,
            Cumulative::Prod => T::multiply,
        };
        match chunk.as_mut_slice::<T>() {
            Some(out) => accumulate(f, n, inner, out),
            None => {
                let x = chunk;
                chunk = Chunk::build(&shape, |out: &mut [T]| {
                    for (o, i) in out.iter_mut().zip(x.as_slice::<T>().unwrap_or_default()) {
                        *o = *i;
                    }
                    accumulate(f, n, inner, out);
                });
            }
        }
    });
    chunk
}

fn accumulate<T: Number>(f: fn(T, T) -> T, n: usize, inner: usize, out: &mut [T]) {
    if n * inner == 0 {
        return;
    }
    for block in out.chunks_exact_mut(n * inner) {
        if inner == 1 {
            let mut total = block[0];
            for x in &mut block[1..] {
                total = f(total, *x);
                *x = total;
            }
        } else {
            for i in inner..block.len() {
                block[i] = f(block[i - inner], block[i]);
            }
        }
    }
}
