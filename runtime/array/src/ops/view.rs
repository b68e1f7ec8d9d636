//! Operators that only look at memory in another way: transpose, slice, reshape and their kin.

use super::operand::{array, axis, index, operand, shape, size, sorted_axes};
use crate::chunk::Chunk;
use crate::copy;
use crate::run::Error;
use crate::value::Value;
use dask_plan::program::{Int, Range};

/// A view that keeps more than twice its own bytes alive is copied, so that a small piece of a large block lets the
/// block go.
fn compact(view: Chunk) -> Chunk {
    if view.held_bytes() > 2 * view.nbytes() { copy::contiguous(&view) } else { view }
}

/// `Transpose`.
pub(super) fn transpose(axes: &[u32], operands: Vec<Value>) -> Result<Value, Error> {
    let x = array("transpose", operands)?;
    let order: Vec<usize> = axes.iter().map(|&a| a as usize).collect();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..x.ndim()) {
        return Err(operand("transpose", format!("axes {axes:?} do not order the {} axes", x.ndim())));
    }
    Ok(x.transpose(&order).into())
}

/// `Reshape`.
pub(super) fn reshape(dims: &[Int], operands: Vec<Value>, args: &[i64]) -> Result<Value, Error> {
    let x = array("reshape", operands)?;
    let shape = shape("reshape", dims, args, x.dtype())?;
    if shape.iter().product::<usize>() != x.len() {
        let what = format!("{} elements of shape {:?} do not fill shape {shape:?}", x.len(), x.shape());
        return Err(operand("reshape", what));
    }
    Ok(x.reshape(&shape).into())
}

/// `Slice`.
pub(super) fn slice(ranges: &[Range], operands: Vec<Value>, args: &[i64]) -> Result<Value, Error> {
    const OP: &str = "slice";
    let x = array(OP, operands)?;
    if ranges.len() != x.ndim() {
        return Err(operand(OP, format!("{} ranges for an array with {} axes", ranges.len(), x.ndim())));
    }
    let mut checked = Vec::with_capacity(ranges.len());
    for (axis, (range, &n)) in ranges.iter().zip(x.shape()).enumerate() {
        let (start, len) =
            (index(OP, "a start", range.start, args)?, index(OP, "a length", range.len, args)?);
        let last = len as i128 - 1;
        let last = start as i128 + last * i128::from(range.step);
        checked.push(match len {
            0 => (0, 0, 1),
            _ if start < n && (0..n as i128).contains(&last) && (range.step != 0 || len == 1) => {
                (start, len, if len == 1 { 1 } else { range.step as isize })
            }
            _ => {
                let what =
                    format!("{len} elements from {start} in steps of {} leave axis {axis}", range.step);
                return Err(operand(OP, format!("{what}, which has {n}")));
            }
        });
    }
    Ok(compact(x.slice(&checked)).into())
}

/// `ExpandDims`.
pub(super) fn expand_dims(axes: &[u32], operands: Vec<Value>) -> Result<Value, Error> {
    let x = array("expand_dims", operands)?;
    let axes = sorted_axes("expand_dims", axes, x.ndim() + axes.len())?;
    let ndim = x.ndim() + axes.len();
    size("expand_dims", &vec![1; ndim], x.dtype())?;
    Ok(x.expand_dims(&axes).into())
}

/// `Squeeze`.
pub(super) fn squeeze(axes: &[u32], operands: Vec<Value>) -> Result<Value, Error> {
    let x = array("squeeze", operands)?;
    let axes = sorted_axes("squeeze", axes, x.ndim())?;
    if let Some(&a) = axes.iter().find(|&&a| x.shape()[a] != 1) {
        return Err(operand("squeeze", format!("axis {a} of shape {:?} is not of length 1", x.shape())));
    }
    Ok(x.squeeze(&axes).into())
}

/// `BroadcastTo`.
pub(super) fn broadcast_to(dims: &[Int], operands: Vec<Value>, args: &[i64]) -> Result<Value, Error> {
    let x = array("broadcast_to", operands)?;
    let shape = shape("broadcast_to", dims, args, x.dtype())?;
    let lead = shape.len().checked_sub(x.ndim());
    let fits = |lead: usize| x.shape().iter().zip(&shape[lead..]).all(|(&n, &m)| n == 1 || n == m);
    if !lead.is_some_and(fits) {
        return Err(operand(
            "broadcast_to",
            format!("shape {:?} does not broadcast to {shape:?}", x.shape()),
        ));
    }
    Ok(x.broadcast_to(&shape).into())
}

/// `Diagonal`: a copy, since a view would keep the whole matrix alive.
pub(super) fn diagonal(k: i64, operands: Vec<Value>) -> Result<Value, Error> {
    let x = array("diagonal", operands)?;
    let &[rows, cols] = x.shape() else {
        return Err(operand("diagonal", format!("got shape {:?}; it takes a matrix", x.shape())));
    };
    let away = usize::try_from(k.unsigned_abs()).unwrap_or(usize::MAX);
    let (row, col) = if k < 0 { (away, 0) } else { (0, away) };
    let len = rows.saturating_sub(row).min(cols.saturating_sub(col));
    Ok(copy::diagonal(&x, row, col, len).into())
}

/// `Triangle`: keeps what lies on or above (`upper`), or on or below, diagonal `k`.
pub(super) fn triangle(
    (upper, k): (bool, i64),
    (row, col): (Int, Int),
    operands: Vec<Value>,
    args: &[i64],
) -> Result<Value, Error> {
    let x = array("triangle", operands)?;
    let &[.., rows, cols] = x.shape() else {
        return Err(operand("triangle", format!("got shape {:?}; it takes at least two axes", x.shape())));
    };
    // In row `r` of the block the diagonal passes at column `r + shift`.
    let shift = i128::from(row.get(args)) + i128::from(k) - i128::from(col.get(args));
    let itemsize = x.dtype().itemsize();
    let mut buffer = crate::buffer::Buffer::new(x.nbytes());
    let bytes = buffer.bytes_mut();
    copy::into_block(bytes, x.shape(), &vec![0; x.ndim()], &x);
    for (line, r) in bytes.chunks_exact_mut((cols * itemsize).max(1)).zip((0..rows).cycle()) {
        let upto = |c: i128| c.clamp(0, cols as i128) as usize * itemsize;
        let at = r as i128 + shift;
        // No dtype has a zero other than zero bytes.
        if upper { line[..upto(at)].fill(0) } else { line[upto(at + 1)..].fill(0) }
    }
    let chunk = Chunk::from_buffer(x.dtype(), x.shape(), buffer);
    Ok(chunk.expect("a buffer made for this shape").into())
}

/// `Item`: one value of a tuple.
pub(super) fn item(at: u32, operands: Vec<Value>) -> Result<Value, Error> {
    let [of] = <[Value; 1]>::try_from(operands)
        .map_err(|got| operand("item", format!("got {} operands; it takes one tuple", got.len())))?;
    match of {
        Value::Tuple(parts) => {
            let n = parts.len();
            let part = parts.into_iter().nth(at as usize);
            part.ok_or_else(|| operand("item", format!("element {at} of a tuple of {n}")))
        }
        Value::Array(x) => {
            Err(operand("item", format!("got an array of shape {:?}; it takes a tuple", x.shape())))
        }
        Value::Foreign(x) => Err(operand("item", format!("got {}; it takes a tuple", x.describe()))),
    }
}

/// Moves `from` to be the last axis; the second view undoes the first.
pub(super) fn axis_last(op: &str, x: &Chunk, from: u32) -> Result<(Chunk, Vec<usize>), Error> {
    let from = axis(op, from, x.ndim())?;
    let mut order: Vec<usize> = (0..x.ndim()).filter(|&a| a != from).collect();
    order.push(from);
    let mut back: Vec<usize> = (0..x.ndim() - 1).collect();
    back.insert(from, x.ndim() - 1);
    Ok((x.transpose(&order), back))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(shape: &[usize]) -> Vec<Value> {
        let x =
            Chunk::build(shape, |o: &mut [i32]| o.iter_mut().enumerate().for_each(|(i, o)| *o = i as i32));
        vec![x.into()]
    }

    fn elements(value: Result<Value, Error>) -> Vec<i32> {
        let chunk = value.unwrap().array().unwrap().to_contiguous();
        chunk.as_slice::<i32>().unwrap().to_vec()
    }

    fn range(start: i64, len: i64, step: i64) -> Range {
        Range { start: Int::Lit(start), len: Int::Lit(len), step }
    }

    #[test]
    fn a_small_slice_lets_its_block_go() {
        let corner = slice(&[range(0, 3, 1), range(0, 3, 1)], counting(&[100, 100]), &[]).unwrap();
        assert_eq!(corner.held_bytes(), 36);
        let most = slice(&[range(10, 90, 1), range(0, 100, 1)], counting(&[100, 100]), &[]).unwrap();
        assert_eq!(most.held_bytes(), 40_000, "a view");
    }

    #[test]
    fn slices_are_checked() {
        assert_eq!(elements(slice(&[range(4, 3, -2)], counting(&[5]), &[])), [4, 2, 0]);
        assert_eq!(elements(slice(&[range(9, 0, 1)], counting(&[5]), &[])), [0; 0]);
        assert_eq!(elements(slice(&[range(3, 1, i64::MIN)], counting(&[5]), &[])), [3]);
        for bad in [
            range(0, 6, 1),
            range(5, 1, 1),
            range(1, 3, -1),
            range(0, 2, 0),
            range(-1, 1, 1),
            range(0, 3, i64::MAX),
        ] {
            assert!(slice(&[bad], counting(&[5]), &[]).is_err(), "{bad:?}");
        }
        let error = slice(&[range(0, 6, 1)], counting(&[5]), &[]).unwrap_err().to_string();
        assert_eq!(error, "slice: 6 elements from 0 in steps of 1 leave axis 0, which has 5");
    }

    #[test]
    fn views_name_what_does_not_fit() {
        let text = |r: Result<Value, Error>| r.unwrap_err().to_string();
        assert_eq!(
            text(transpose(&[0, 0], counting(&[2, 3]))),
            "transpose: axes [0, 0] do not order the 2 axes"
        );
        assert!(text(reshape(&[Int::Lit(4)], counting(&[5]), &[])).contains("5 elements of shape [5]"));
        assert!(text(squeeze(&[1], counting(&[1, 2]))).contains("axis 1 of shape [1, 2]"));
        assert!(text(expand_dims(&[3], counting(&[1, 2]))).contains("axis 3"));
        assert!(text(broadcast_to(&[Int::Lit(3)], counting(&[1, 3]), &[])).contains("[1, 3]"));
        assert!(text(item(0, counting(&[1]))).contains("takes a tuple"));
    }

    #[test]
    fn diagonals_and_triangles() {
        assert_eq!(elements(diagonal(1, counting(&[3, 4]))), [1, 6, 11]);
        assert_eq!(elements(diagonal(-2, counting(&[3, 4]))), [8]);
        assert_eq!(elements(diagonal(i64::MIN, counting(&[3, 4]))), [0; 0]);
        let corner = (Int::Lit(0), Int::Lit(0));
        assert_eq!(elements(triangle((true, 1), corner, counting(&[2, 3]), &[])), [0, 1, 2, 0, 0, 5]);
        assert_eq!(elements(triangle((false, 0), corner, counting(&[2, 3]), &[])), [0, 0, 0, 3, 4, 0]);
        let below = (Int::Lit(3), Int::Lit(0));
        assert_eq!(elements(triangle((false, 0), below, counting(&[2, 3]), &[])), [0, 1, 2, 3, 4, 5]);
        assert_eq!(elements(triangle((true, 0), below, counting(&[2, 3]), &[])), [0; 6]);
    }
}
