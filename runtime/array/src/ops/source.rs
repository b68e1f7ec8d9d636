//! Arrays that come from nothing but numbers in the template.

use super::operand::{array, constant, index, of_dtype, one_axis, operand, shape, size};
use crate::chunk::Chunk;
use crate::run::Error;
use crate::value::Value;
use crate::{DType, Scalar, with_dtype};
use dask_plan::dtype::Kind;
use dask_plan::program::Int;
use num_complex::{Complex, Complex64};

// Templates and blobs hold little-endian bytes, which are taken as they are.
const _: () = assert!(cfg!(target_endian = "little"), "elements are stored in little-endian byte order");

/// `Literal`: bytes in the template.
pub(super) fn literal(dtype: DType, dims: &[u64], data: &[u8]) -> Result<Value, Error> {
    let dims: Vec<Int> = dims.iter().map(|&d| Int::Lit(i64::try_from(d).unwrap_or(i64::MAX))).collect();
    let shape = shape("literal", &dims, &[], dtype)?;
    from_le_bytes("literal", dtype, &shape, data)
}

/// `FromBytes`: a blob, as a 1-d uint8 array.
pub(super) fn from_bytes(
    dtype: DType,
    dims: &[Int],
    operands: Vec<Value>,
    args: &[i64],
) -> Result<Value, Error> {
    let blob = array("from_bytes", operands)?;
    of_dtype("from_bytes", "the blob", &blob, DType::UInt8)?;
    one_axis("from_bytes", "the blob", &blob)?;
    let shape = shape("from_bytes", dims, args, dtype)?;
    let blob = blob.to_contiguous();
    from_le_bytes("from_bytes", dtype, &shape, blob.as_bytes().unwrap_or_default())
}

fn from_le_bytes(op: &str, dtype: DType, shape: &[usize], data: &[u8]) -> Result<Value, Error> {
    let takes = shape.iter().product::<usize>() * dtype.itemsize();
    if data.len() != takes {
        return Err(operand(
            op,
            format!("got {} bytes; {dtype} of shape {shape:?} takes {takes}", data.len()),
        ));
    }
    let chunk = Chunk::from_bytes(dtype, shape, data);
    chunk.map(Value::from).ok_or_else(|| operand(op, "a byte of a bool array is neither 0 nor 1"))
}

/// `Full`: one element in memory, broadcast to the shape.
pub(super) fn full(dtype: DType, value: Scalar, dims: &[Int], args: &[i64]) -> Result<Value, Error> {
    let shape = shape("full", dims, args, dtype)?;
    Ok(constant("full", value, dtype)?.broadcast_to(&shape).into())
}

/// `Arange`: numpy computes the first two elements, and every other one from their difference, in the dtype's own
/// arithmetic. Elements depend on their place in the whole array only.
pub(super) fn arange(
    dtype: DType,
    start: Scalar,
    step: Scalar,
    (offset, len): (Int, Int),
    args: &[i64],
) -> Result<Value, Error> {
    let (offset, len) =
        (index("arange", "the offset", offset, args)?, index("arange", "the length", len, args)?);
    size("arange", &[len], dtype)?;
    let end = offset.checked_add(len).ok_or_else(|| operand("arange", "offset and length overflow"))?;
    if dtype == DType::Bool && end > 2 {
        return Err(operand("arange", format!("bool has no more than two elements; got {end}")));
    }
    if len == 0 {
        return Ok(constant("arange", Scalar::Bool(false), dtype)?.broadcast_to(&[0]).into());
    }
    let first = constant("arange", start, dtype)?;
    let second = if end > 1 { constant("arange", add(start, step), dtype)? } else { first.clone() };
    macro_rules! fill {
        ($t:ty, $at:expr) => {{
            let at: fn($t, $t, usize) -> $t = $at;
            let (first, second) = (first.item::<$t>(), second.item::<$t>());
            Chunk::build(&[len], |out: &mut [$t]| {
                for (i, out) in out.iter_mut().enumerate() {
                    *out = match offset + i {
                        0 => first,
                        1 => second,
                        k => at(first, second, k),
                    };
                }
            })
        }};
        (integer $t:ty) => {
            fill!($t, |a, b, k| a.wrapping_add((k as $t).wrapping_mul(b.wrapping_sub(a))))
        };
    }
    Ok(match dtype {
        DType::Bool => fill!(bool, |a, _, _| a),
        DType::Int8 => fill!(integer i8),
        DType::Int16 => fill!(integer i16),
        DType::Int32 => fill!(integer i32),
        DType::Int64 => fill!(integer i64),
        DType::UInt8 => fill!(integer u8),
        DType::UInt16 => fill!(integer u16),
        DType::UInt32 => fill!(integer u32),
        DType::UInt64 => fill!(integer u64),
        DType::Float32 => fill!(f32, |a, b, k| a + k as f32 * (b - a)),
        DType::Float64 => fill!(f64, |a, b, k| a + k as f64 * (b - a)),
        DType::Complex64 => fill!(num_complex::Complex32, |a, b, k| {
            Complex::new(a.re + k as f32 * (b.re - a.re), a.im + k as f32 * (b.im - a.im))
        }),
        DType::Complex128 => fill!(Complex64, |a, b, k| {
            Complex::new(a.re + k as f64 * (b.re - a.re), a.im + k as f64 * (b.im - a.im))
        }),
    }
    .into())
}

/// The sum of two Python numbers.
fn add(a: Scalar, b: Scalar) -> Scalar {
    let whole = |s| match s {
        Scalar::Bool(b) => Some(i128::from(b)),
        Scalar::Int(i) => Some(i128::from(i)),
        Scalar::UInt(u) => Some(i128::from(u)),
        _ => None,
    };
    if let (Some(a), Some(b)) = (whole(a), whole(b)) {
        let sum = a + b;
        let small = i64::try_from(sum).map(Scalar::Int);
        return small.or_else(|_| u64::try_from(sum).map(Scalar::UInt)).unwrap_or(Scalar::Float(sum as f64));
    }
    let sum = a.to_complex() + b.to_complex();
    if matches!(a, Scalar::Complex(..)) || matches!(b, Scalar::Complex(..)) {
        Scalar::Complex(sum.re, sum.im)
    } else {
        Scalar::Float(sum.re)
    }
}

/// The numbers that `numpy.linspace` takes, and which of the elements are wanted.
pub(super) struct Linspace {
    pub(super) dtype: DType,
    pub(super) start: Scalar,
    pub(super) stop: Scalar,
    pub(super) num: u64,
    pub(super) endpoint: bool,
    pub(super) offset: Int,
    pub(super) len: Int,
}

/// `Linspace`, by numpy's formula: in float64 or complex128, then rounded down for integers and cast.
pub(super) fn linspace(of: &Linspace, args: &[i64]) -> Result<Value, Error> {
    const OP: &str = "linspace";
    let (offset, len) = (index(OP, "the offset", of.offset, args)?, index(OP, "the length", of.len, args)?);
    size(OP, &[len], of.dtype)?;
    if offset.checked_add(len).is_none_or(|end| end as u64 > of.num) {
        return Err(operand(OP, format!("{len} elements from {offset} of {}", of.num)));
    }
    let complex = matches!(of.start, Scalar::Complex(..)) || matches!(of.stop, Scalar::Complex(..));
    if complex && of.dtype.kind() != Kind::Complex {
        return Err(operand(OP, format!("complex ends do not fit {}; it takes complex128", of.dtype)));
    }
    let (start, stop) = (of.start.to_complex(), of.stop.to_complex());
    let re = |k| point(start.re, stop.re, k, of.num, of.endpoint);
    let im = |k| point(start.im, stop.im, k, of.num, of.endpoint);
    macro_rules! fill {
        ($t:ty, $of:expr) => {{
            let of: &dyn Fn(u64) -> $t = &$of;
            Chunk::build(&[len], |out: &mut [$t]| {
                out.iter_mut().zip(offset as u64..).for_each(|(out, k)| *out = of(k));
            })
        }};
    }
    Ok(match of.dtype {
        DType::Bool => fill!(bool, |k| re(k) != 0.0),
        DType::Float32 => fill!(f32, |k| re(k) as f32),
        DType::Float64 => fill!(f64, re),
        DType::Complex64 => fill!(num_complex::Complex32, |k| Complex::new(re(k) as f32, im(k) as f32)),
        DType::Complex128 => fill!(Complex64, |k| Complex::new(re(k), im(k))),
        integer => with_dtype!(integer, T in [i8, i16, i32, i64, u8, u16, u32, u64] =>
            // Through i64 as numpy's cast does, which wraps where a smaller type ends.
            fill!(T, |k| { let v = re(k).floor(); if v < 0.0 { v as i64 as T } else { v as u64 as T } }),
            else => return Err(operand(OP, format!("no rule for {integer}")))),
    }
    .into())
}

/// Element `k` of `num`, real or imaginary part.
fn point(start: f64, stop: f64, k: u64, num: u64, endpoint: bool) -> f64 {
    let intervals = if endpoint { num - 1 } else { num };
    if endpoint && num > 1 && k == num - 1 {
        return stop;
    }
    let delta = stop - start;
    if intervals == 0 {
        return k as f64 * delta + start;
    }
    let step = delta / intervals as f64;
    // A step that vanished is where dividing first keeps what multiplying would lose.
    let rise = if step == 0.0 { k as f64 / intervals as f64 * delta } else { k as f64 * step };
    rise + start
}

/// `Eye`: ones where `column - row == k`.
pub(super) fn eye(
    dtype: DType,
    k: i64,
    (row, col): (Int, Int),
    dims: [Int; 2],
    args: &[i64],
) -> Result<Value, Error> {
    let shape = shape("eye", &dims, args, dtype)?;
    let (row, col) = (row.get(args), col.get(args));
    // Row `r` of the block has its one at column `r + shift` of the block.
    let shift = i128::from(row) + i128::from(k) - i128::from(col);
    let one = constant("eye", Scalar::Int(1), dtype)?;
    Ok(with_dtype!(dtype, T => {
        let one = one.item::<T>();
        Chunk::build(&shape, |out: &mut [T]| {
            out.fill(T::default());
            for (r, line) in out.chunks_exact_mut(shape[1].max(1)).enumerate() {
                if let Some(cell) = usize::try_from(r as i128 + shift).ok().and_then(|c| line.get_mut(c)) {
                    *cell = one;
                }
            }
        })
    })
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lit(i: i64) -> Int {
        Int::Lit(i)
    }

    fn chunk(value: Result<Value, Error>) -> Chunk {
        value.unwrap().array().unwrap().to_contiguous()
    }

    #[test]
    fn arange_is_numpys_whatever_the_block() {
        // numpy.arange(0.1, 1.1, 0.3): the step is (0.1 + 0.3) - 0.1, which is not 0.3.
        let whole =
            chunk(arange(DType::Float64, Scalar::Float(0.1), Scalar::Float(0.3), (lit(0), lit(4)), &[]));
        assert_eq!(whole.as_slice::<f64>().unwrap(), [0.1, 0.4, 0.7000000000000001, 1.0000000000000002]);
        let tail =
            chunk(arange(DType::Float64, Scalar::Float(0.1), Scalar::Float(0.3), (lit(2), lit(2)), &[]));
        assert_eq!(tail.as_slice::<f64>().unwrap(), &whole.as_slice::<f64>().unwrap()[2..]);
        let down = chunk(arange(DType::Int16, Scalar::Int(5), Scalar::Int(-2), (lit(1), lit(4)), &[]));
        assert_eq!(down.as_slice::<i16>().unwrap(), [3, 1, -1, -3]);
        let one = chunk(arange(DType::UInt8, Scalar::Int(255), Scalar::Int(1), (lit(0), lit(1)), &[]));
        assert_eq!(one.as_slice::<u8>().unwrap(), [255]);
    }

    #[test]
    fn linspace_is_numpys() {
        let of = |dtype, start, stop, num, endpoint, offset, len| {
            let (start, stop) = (Scalar::Float(start), Scalar::Float(stop));
            let (offset, len) = (lit(offset), lit(len));
            chunk(linspace(&Linspace { dtype, start, stop, num, endpoint, offset, len }, &[]))
        };
        // numpy.linspace(0.1, 0.7, 7)[3:]
        assert_eq!(
            of(DType::Float64, 0.1, 0.7, 7, true, 3, 4).as_slice::<f64>().unwrap(),
            [0.4, 0.5, 0.6, 0.7].map(|x: f64| x)
        );
        assert_eq!(of(DType::Int32, -1.0, 1.0, 4, true, 0, 4).as_slice::<i32>().unwrap(), [-1, -1, 0, 1]);
        assert_eq!(of(DType::Float64, 1.0, 2.0, 2, false, 0, 2).as_slice::<f64>().unwrap(), [1.0, 1.5]);
        assert_eq!(of(DType::Float64, 3.0, 9.0, 1, true, 0, 1).as_slice::<f64>().unwrap(), [3.0]);
    }

    #[test]
    fn eye_finds_its_diagonal_in_any_block() {
        let block = chunk(eye(DType::UInt8, 1, (lit(2), lit(2)), [lit(2), lit(3)], &[]));
        assert_eq!(block.as_slice::<u8>().unwrap(), [0, 1, 0, 0, 0, 1]);
        let off = chunk(eye(DType::Bool, i64::MAX, (lit(0), lit(0)), [lit(1), lit(1)], &[]));
        assert_eq!(off.as_slice::<bool>().unwrap(), [false]);
    }

    #[test]
    fn wrong_bytes_are_named() {
        let error = literal(DType::Int32, &[2], &[0; 7]).unwrap_err().to_string();
        assert_eq!(error, "literal: got 7 bytes; int32 of shape [2] takes 8");
        assert!(literal(DType::Bool, &[1], &[2]).unwrap_err().to_string().contains("neither 0 nor 1"));
        assert!(literal(DType::Bool, &[u64::MAX, 4], &[2]).is_err());
    }
}
