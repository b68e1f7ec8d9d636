//! Picking along an axis: take, compress, repeat. They copy items without looking at their dtype.

use super::operand::{array, arrays, axis, of_dtype, one_axis, operand, size, value};
use crate::DType;
use crate::buffer::Buffer;
use crate::chunk::Chunk;
use crate::run::Error;
use crate::value::Value;

/// `Take`: indices along an axis, which are neither negative nor beyond it.
pub(super) fn take(at: u32, operands: Vec<Value>) -> Result<Value, Error> {
    const OP: &str = "take";
    let [x, indices] = arrays::<2>(OP, operands)?;
    let at = axis(OP, at, x.ndim())?;
    of_dtype(OP, "the index", &indices, DType::Int64)?;
    one_axis(OP, "the index", &indices)?;
    let n = x.shape()[at];
    let indices: Vec<usize> = indices
        .view::<i64>()
        .iter()
        .map(|&i| match usize::try_from(i) {
            Ok(i) if i < n => Ok(i),
            _ => Err(value(OP, format!("index {i} is out of range for axis {at} of length {n}"))),
        })
        .collect::<Result<_, _>>()?;
    Ok(pick(OP, &x, at, &indices)?.into())
}

/// `Compress`: where a 1-d mask along an axis, or a mask of the same shape, is true.
pub(super) fn compress(at: Option<u32>, operands: Vec<Value>) -> Result<Value, Error> {
    const OP: &str = "compress";
    let [mut x, mut mask] = arrays::<2>(OP, operands)?;
    of_dtype(OP, "the mask", &mask, DType::Bool)?;
    let at = match at {
        Some(at) => {
            let (at, n) = (axis(OP, at, x.ndim())?, one_axis(OP, "the mask", &mask)?);
            if n > x.shape()[at] {
                let what = format!("a mask of {n} for axis {at} of length {}", x.shape()[at]);
                return Err(operand(OP, what));
            }
            at
        }
        None if mask.shape() == x.shape() => {
            (x, mask) = (x.reshape(&[x.len()]), mask.reshape(&[x.len()]));
            0
        }
        None => {
            let what = format!("a mask of shape {:?} for an array of shape {:?}", mask.shape(), x.shape());
            return Err(operand(OP, what));
        }
    };
    let mask = mask.to_contiguous();
    let mask = mask.as_slice::<bool>().unwrap_or_default();
    Ok(pick(OP, &x, at, &places(mask))?.into())
}

/// Where a mask is true.
fn places(mask: &[bool]) -> Vec<usize> {
    // Written whether it counts or not, so that no branch is mispredicted.
    let count = mask.iter().map(|&m| usize::from(m)).sum::<usize>();
    let mut places = vec![0; count + 1];
    let mut n = 0;
    for (i, &m) in mask.iter().enumerate() {
        places[n] = i;
        n += usize::from(m);
    }
    places.truncate(count);
    places
}

/// `Repeat`: each element along an axis, so many times.
pub(super) fn repeat(repeats: u64, at: u32, operands: Vec<Value>) -> Result<Value, Error> {
    const OP: &str = "repeat";
    let x = array(OP, operands)?;
    let at = axis(OP, at, x.ndim())?;
    // The result is `x` with an axis of length `repeats` after `at`, merged into it.
    let repeats = usize::try_from(repeats).unwrap_or(usize::MAX);
    let mut spread = x.shape().to_vec();
    spread.insert(at + 1, repeats);
    size(OP, &spread, x.dtype())?;
    let mut shape = x.shape().to_vec();
    shape[at] *= repeats;
    Ok(x.expand_dims(&[at + 1]).broadcast_to(&spread).reshape(&shape).into())
}

/// The elements at these indices along an axis, which are all inside it.
pub(super) fn pick(op: &'static str, x: &Chunk, at: usize, indices: &[usize]) -> Result<Chunk, Error> {
    let mut shape = x.shape().to_vec();
    shape[at] = indices.len();
    size(op, &shape, x.dtype())?;
    let mut buffer = Buffer::new(shape.iter().product::<usize>() * x.dtype().itemsize());
    if !buffer.is_empty() {
        let x = x.to_contiguous();
        let run = x.shape()[at + 1..].iter().product::<usize>() * x.dtype().itemsize();
        let from = x.as_bytes().unwrap_or_default().chunks_exact(run * x.shape()[at]);
        let into = buffer.bytes_mut().chunks_exact_mut(run * indices.len());
        for (into, from) in into.zip(from) {
            match run {
                1 => items::<1>(into, from, indices),
                2 => items::<2>(into, from, indices),
                4 => items::<4>(into, from, indices),
                8 => items::<8>(into, from, indices),
                16 => items::<16>(into, from, indices),
                _ => into
                    .chunks_exact_mut(run)
                    .zip(indices)
                    .for_each(|(into, &i)| into.copy_from_slice(&from[i * run..][..run])),
            }
        }
    }
    Ok(Chunk::from_buffer(x.dtype(), &shape, buffer).expect("a buffer made for this shape"))
}

fn items<const RUN: usize>(into: &mut [u8], from: &[u8], indices: &[usize]) {
    let from = from.as_chunks::<RUN>().0;
    into.as_chunks_mut::<RUN>().0.iter_mut().zip(indices).for_each(|(into, &i)| *into = from[i]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting() -> Chunk {
        Chunk::build(&[2, 3, 2], |o: &mut [i32]| o.iter_mut().enumerate().for_each(|(i, o)| *o = i as i32))
    }

    fn elements(value: Result<Value, Error>) -> (Vec<usize>, Vec<i32>) {
        let value = value.unwrap();
        let chunk = value.array().unwrap();
        (chunk.shape().to_vec(), chunk.as_slice::<i32>().unwrap().to_vec())
    }

    #[test]
    fn takes_along_any_axis() {
        let indices = || Value::from(Chunk::from_slice(&[2], &[1i64, 0]));
        let of = |at| elements(take(at, vec![counting().into(), indices()]));
        assert_eq!(of(0), (vec![2, 3, 2], vec![6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5]));
        assert_eq!(of(1), (vec![2, 2, 2], vec![2, 3, 0, 1, 8, 9, 6, 7]));
        assert_eq!(of(2), (vec![2, 3, 2], vec![1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10]));
        let flipped = take(2, vec![counting().transpose(&[2, 1, 0]).into(), indices()]);
        assert_eq!(elements(flipped), (vec![2, 3, 2], vec![6, 0, 8, 2, 10, 4, 7, 1, 9, 3, 11, 5]));
    }

    #[test]
    fn an_index_out_of_range_is_named() {
        for i in [-1, 3, i64::MIN] {
            let error = take(1, vec![counting().into(), Chunk::from_slice(&[1], &[i]).into()]).unwrap_err();
            assert_eq!(error.to_string(), format!("take: index {i} is out of range for axis 1 of length 3"));
        }
    }

    #[test]
    fn compresses_by_axis_and_by_element() {
        let mask = Chunk::from_slice(&[2], &[false, true]);
        let by_axis = compress(Some(1), vec![counting().into(), mask.clone().into()]);
        assert_eq!(elements(by_axis), (vec![2, 1, 2], vec![2, 3, 8, 9]));
        let odd = Chunk::build(&[2, 3, 2], |o: &mut [bool]| {
            o.iter_mut().enumerate().for_each(|(i, o)| *o = i % 5 == 1)
        });
        assert_eq!(elements(compress(None, vec![counting().into(), odd.into()])), (vec![3], vec![1, 6, 11]));
        assert!(compress(None, vec![counting().into(), mask.into()]).is_err());
        let long = Chunk::from_slice(&[4], &[false; 4]);
        assert!(compress(Some(1), vec![counting().into(), long.into()]).is_err());
    }

    #[test]
    fn repeats_each_element() {
        let x = || Value::from(Chunk::from_slice(&[1, 2], &[1, 2]));
        assert_eq!(elements(repeat(2, 1, vec![x()])), (vec![1, 4], vec![1, 1, 2, 2]));
        assert_eq!(elements(repeat(2, 0, vec![x()])), (vec![2, 2], vec![1, 2, 1, 2]));
        assert_eq!(elements(repeat(0, 0, vec![x()])), (vec![0, 2], vec![]));
        assert!(matches!(repeat(1 << 62, 0, vec![x()]), Err(Error::TooLarge { op: "repeat", .. })));
    }
}
