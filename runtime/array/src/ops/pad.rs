//! What lies beyond an array's edge.

use super::operand::{array, constant, index, operand, size};
use super::take::pick;
use crate::buffer::Buffer;
use crate::chunk::Chunk;
use crate::copy;
use crate::run::Error;
use crate::value::Value;
use dask_plan::program::{Boundary, Int};

const OP: &str = "pad";

/// `Pad`, as `numpy.pad`: an axis may be padded by more than its length, and continues by its period then.
pub(super) fn pad(
    widths: &[[Int; 2]],
    mode: Boundary,
    operands: Vec<Value>,
    args: &[i64],
) -> Result<Value, Error> {
    let x = array(OP, operands)?;
    if widths.len() != x.ndim() {
        return Err(operand(
            OP,
            format!("{} pairs of widths for an array with {} axes", widths.len(), x.ndim()),
        ));
    }
    let mut shape = vec![];
    let mut sides = vec![];
    for ([before, after], &n) in widths.iter().zip(x.shape()) {
        let (before, after) = (index(OP, "a width", *before, args)?, index(OP, "a width", *after, args)?);
        let whole = n.checked_add(before).and_then(|n| n.checked_add(after));
        shape.push(whole.ok_or_else(|| operand(OP, format!("widths {before} and {after} overflow")))?);
        sides.push((before, after));
    }
    size(OP, &shape, x.dtype())?;
    if let Boundary::Constant(value) = mode {
        let fill = constant(OP, value, x.dtype())?;
        let mut buffer = Buffer::new(shape.iter().product::<usize>() * x.dtype().itemsize());
        copy::into_block(buffer.bytes_mut(), &shape, &vec![0; x.ndim()], &fill.broadcast_to(&shape));
        let at: Vec<usize> = sides.iter().map(|s| s.0).collect();
        copy::into_block(buffer.bytes_mut(), &shape, &at, &x);
        return Ok(Chunk::from_buffer(x.dtype(), &shape, buffer)
            .expect("a buffer made for this shape")
            .into());
    }
    if let Some(axis) = (0..x.ndim()).find(|&a| x.shape()[a] == 0 && sides[a] != (0, 0)) {
        return Err(operand(OP, format!("axis {axis} is empty; only a constant can extend it")));
    }
    if shape.contains(&0) {
        return Ok(crate::with_dtype!(x.dtype(), T => Chunk::from_slice::<T>(&shape, &[])).into());
    }
    let mut padded = x;
    for (axis, &(before, after)) in sides.iter().enumerate() {
        if (before, after) != (0, 0) {
            let n = padded.shape()[axis];
            let indices: Vec<usize> =
                (0..before + n + after).map(|i| source(mode, n, i as i128 - before as i128)).collect();
            padded = pick(OP, &padded, axis, &indices)?;
        }
    }
    Ok(padded.into())
}

/// The element of an axis of length `n` (not 0) that place `i` repeats, which may be before 0 or beyond `n`.
fn source(mode: Boundary, n: usize, i: i128) -> usize {
    let len = n as i128;
    let at = match mode {
        Boundary::Edge | Boundary::Constant(_) => i.clamp(0, len - 1),
        Boundary::Wrap => i.rem_euclid(len),
        Boundary::Symmetric => {
            let i = i.rem_euclid(2 * len);
            i.min(2 * len - 1 - i)
        }
        Boundary::Reflect if n == 1 => 0,
        Boundary::Reflect => {
            let i = i.rem_euclid(2 * (len - 1));
            i.min(2 * (len - 1) - i)
        }
    };
    at as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scalar;

    fn padded(mode: Boundary, data: &[i16], before: i64, after: i64) -> Vec<i16> {
        let x = Chunk::from_slice(&[data.len()], data);
        let out = pad(&[[Int::Lit(before), Int::Lit(after)]], mode, vec![x.into()], &[]).unwrap();
        out.array().unwrap().as_slice::<i16>().unwrap().to_vec()
    }

    #[test]
    fn continues_far_beyond_the_axis_as_numpy_does() {
        // numpy.pad([1, 2, 3], (5, 4), mode)
        for (mode, expected) in [
            (Boundary::Edge, [1, 1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3]),
            (Boundary::Reflect, [2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3]),
            (Boundary::Symmetric, [2, 3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1]),
            (Boundary::Wrap, [2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1]),
            (Boundary::Constant(Scalar::Int(9)), [9, 9, 9, 9, 9, 1, 2, 3, 9, 9, 9, 9]),
        ] {
            assert_eq!(padded(mode, &[1, 2, 3], 5, 4), expected, "{mode:?}");
        }
        assert_eq!(padded(Boundary::Reflect, &[7], 2, 1), [7; 4]);
    }

    #[test]
    fn refuses_what_numpy_refuses() {
        let empty = || vec![Chunk::from_slice::<i16>(&[0], &[]).into()];
        let widths = [[Int::Lit(1), Int::Lit(0)]];
        assert!(
            pad(&widths, Boundary::Wrap, empty(), &[]).unwrap_err().to_string().contains("axis 0 is empty")
        );
        assert!(pad(&widths, Boundary::Constant(Scalar::Int(1 << 20)), empty(), &[]).is_err());
        assert!(pad(&[[Int::Lit(-1), Int::Lit(0)]], Boundary::Edge, empty(), &[]).is_err());
        let huge = [[Int::Lit(i64::MAX), Int::Lit(i64::MAX)]];
        assert!(matches!(
            pad(&huge, Boundary::Constant(Scalar::Int(0)), empty(), &[]),
            Err(Error::TooLarge { .. })
        ));
    }
}
