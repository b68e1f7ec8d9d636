//! What every operator checks before it works: how many operands it got, their dtypes, shapes, and the result's size.

use crate::chunk::{Chunk, checked_nbytes};
use crate::run::Error;
use crate::value::Value;
use crate::{DType, Scalar};
use dask_plan::dtype::Kind;
use dask_plan::program::Int;
use std::sync::OnceLock;

/// numpy's limit; deeper arrays are a mistake.
const MAX_NDIM: usize = 64;

/// An error about operands: `op: what`.
pub(crate) fn operand(op: &str, what: impl std::fmt::Display) -> Error {
    Error::Operand(format!("{op}: {what}"))
}

/// An error about an element's value: `op: what`.
pub(crate) fn value(op: &str, what: impl std::fmt::Display) -> Error {
    Error::Value(format!("{op}: {what}"))
}

/// Exactly `N` arrays.
pub(crate) fn arrays<const N: usize>(op: &str, values: Vec<Value>) -> Result<[Chunk; N], Error> {
    let got = values.len();
    let takes = || format!("got {got} operands; it takes {N}");
    <[Chunk; N]>::try_from(every_array(op, values)?).map_err(|_| operand(op, takes()))
}

/// One array.
pub(crate) fn array(op: &str, values: Vec<Value>) -> Result<Chunk, Error> {
    arrays::<1>(op, values).map(|[x]| x)
}

/// One array or more, of one dtype.
pub(crate) fn alike(op: &str, values: Vec<Value>) -> Result<Vec<Chunk>, Error> {
    let chunks = every_array(op, values)?;
    let first = chunks.first().ok_or_else(|| operand(op, "got no operands; it takes one or more"))?.dtype();
    match chunks.iter().find(|c| c.dtype() != first) {
        Some(other) => Err(mixed(op, first, other.dtype())),
        None => Ok(chunks),
    }
}

/// Two dtypes where one is needed.
pub(crate) fn mixed(op: &str, a: DType, b: DType) -> Error {
    operand(
        op,
        format!("got {a} and {b}; it takes arrays of one dtype (cast them to {} first)", a.promote(b)),
    )
}

fn every_array(op: &str, values: Vec<Value>) -> Result<Vec<Chunk>, Error> {
    values
        .into_iter()
        .enumerate()
        .map(|(i, v)| match v {
            Value::Array(chunk) => Ok(chunk),
            Value::Tuple(parts) => {
                Err(operand(op, format!("operand {i} is a tuple of {}; it takes arrays", parts.len())))
            }
            Value::Foreign(x) => {
                Err(operand(op, format!("operand {i} is {}; it takes arrays", x.describe())))
            }
        })
        .collect()
}

/// A number that counts or indexes, so is not negative.
pub(crate) fn index(op: &str, what: &str, i: Int, args: &[i64]) -> Result<usize, Error> {
    let i = i.get(args);
    usize::try_from(i).map_err(|_| operand(op, format!("{what} is {i}; it takes no negative number")))
}

/// A shape, whose size in bytes is checked.
pub(crate) fn shape(op: &'static str, dims: &[Int], args: &[i64], dtype: DType) -> Result<Vec<usize>, Error> {
    let shape =
        dims.iter().map(|&d| index(op, "an extent of the shape", d, args)).collect::<Result<Vec<_>, _>>()?;
    size(op, &shape, dtype)?;
    Ok(shape)
}

/// Checks that an array of this shape fits into this machine's memory.
pub(crate) fn size(op: &'static str, shape: &[usize], dtype: DType) -> Result<(), Error> {
    if shape.len() > MAX_NDIM {
        return Err(operand(
            op,
            format!("the result has {} axes; at most {MAX_NDIM} are possible", shape.len()),
        ));
    }
    // An empty array may have huge extents along its other axes: strides must not overflow either.
    let extents: Vec<usize> = shape.iter().map(|&n| n.max(1)).collect();
    let bytes = if shape.contains(&0) { Some(0) } else { checked_nbytes(shape, dtype) };
    if checked_nbytes(&extents, dtype).is_some() && bytes.is_some_and(|b| b <= physical_memory()) {
        return Ok(());
    }
    let bytes = extents.iter().fold(dtype.itemsize() as u64, |b, &n| b.saturating_mul(n as u64));
    Err(Error::TooLarge { op, bytes, memory: physical_memory() as u64 })
}

/// Bytes of memory in this machine: an array beyond it can only kill the process.
fn physical_memory() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    *BYTES.get_or_init(|| {
        #[allow(unsafe_code)]
        // SAFETY: asks for two numbers.
        let (pages, page) =
            unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
        let known = usize::try_from(pages).ok().zip(usize::try_from(page).ok());
        known.map_or(isize::MAX as usize, |(pages, page)| pages.saturating_mul(page))
    })
}

/// An axis of an array.
pub(crate) fn axis(op: &str, axis: u32, ndim: usize) -> Result<usize, Error> {
    let at = axis as usize;
    if at < ndim { Ok(at) } else { Err(operand(op, format!("axis {axis} of an array with {ndim} axes"))) }
}

/// Axes of an array: sorted, none twice.
pub(crate) fn sorted_axes(op: &str, axes: &[u32], ndim: usize) -> Result<Vec<usize>, Error> {
    if !axes.is_sorted_by(|a, b| a < b) {
        return Err(operand(op, format!("axes {axes:?} are not sorted, or one stands twice")));
    }
    axes.iter().map(|&a| axis(op, a, ndim)).collect()
}

/// A 1-d array.
pub(crate) fn one_axis(op: &str, what: &str, x: &Chunk) -> Result<usize, Error> {
    match x.shape() {
        [n] => Ok(*n),
        shape => Err(operand(op, format!("{what} has shape {shape:?}; it takes one axis"))),
    }
}

/// An array of one dtype.
pub(crate) fn of_dtype(op: &str, what: &str, x: &Chunk, dtype: DType) -> Result<(), Error> {
    if x.dtype() == dtype {
        return Ok(());
    }
    Err(operand(op, format!("{what} is {}; it takes {dtype}", x.dtype())))
}

/// The elements of a real array as float64, in C order. Integers above 2^53 are rounded.
pub(crate) fn to_f64(op: &str, what: &str, x: &Chunk) -> Result<Vec<f64>, Error> {
    macro_rules! widen {
        ($($t:ty),*) => {
            crate::with_dtype!(x.dtype(), T in [$($t),*] => Ok(x.view::<T>().iter().map(|&v| v as f64).collect()),
                else => if x.dtype() == DType::Bool {
                    Ok(x.view::<bool>().iter().map(|&v| f64::from(u8::from(v))).collect())
                } else {
                    Err(operand(op, format!("{what} is {}; it takes real numbers", x.dtype())))
                })
        };
    }
    widen!(i8, i16, i32, i64, u8, u16, u32, u64, f32, f64)
}

/// The bytes of one element, for a constant in a template.
///
/// Floats are truncated for integers, as by `astype`; what does not fit is an error that names it.
pub(crate) fn constant(op: &str, value: Scalar, dtype: DType) -> Result<Chunk, Error> {
    let wrong = || operand(op, format!("the value {} does not fit {dtype}", show(value)));
    let (re, im) = match value {
        Scalar::Complex(re, im) if dtype.kind() == Kind::Complex => (re, im),
        Scalar::Complex(..) => return Err(wrong()),
        other => (other.to_complex().re, 0.0),
    };
    let whole = match value {
        Scalar::Bool(b) => i128::from(b),
        Scalar::Int(i) => i128::from(i),
        Scalar::UInt(u) => i128::from(u),
        // Casting saturates, and what saturates does not fit any integer type.
        Scalar::Float(f) if f.is_finite() => f as i128,
        Scalar::Float(_) | Scalar::Complex(..) if dtype.kind() < Kind::Float && dtype != DType::Bool => {
            return Err(wrong());
        }
        Scalar::Float(_) | Scalar::Complex(..) => 0,
    };
    macro_rules! integer {
        ($t:ty) => {
            Chunk::scalar(<$t>::try_from(whole).map_err(|_| wrong())?)
        };
    }
    Ok(match dtype {
        DType::Bool => Chunk::scalar(re != 0.0),
        DType::Int8 => integer!(i8),
        DType::Int16 => integer!(i16),
        DType::Int32 => integer!(i32),
        DType::Int64 => integer!(i64),
        DType::UInt8 => integer!(u8),
        DType::UInt16 => integer!(u16),
        DType::UInt32 => integer!(u32),
        DType::UInt64 => integer!(u64),
        DType::Float32 => Chunk::scalar(re as f32),
        DType::Float64 => Chunk::scalar(re),
        DType::Complex64 => Chunk::scalar(num_complex::Complex32::new(re as f32, im as f32)),
        DType::Complex128 => Chunk::scalar(num_complex::Complex64::new(re, im)),
    })
}

/// A scalar as Python writes it.
fn show(value: Scalar) -> String {
    match value {
        Scalar::Bool(b) => b.to_string(),
        Scalar::Int(i) => i.to_string(),
        Scalar::UInt(u) => u.to_string(),
        Scalar::Float(f) => format!("{f:?}"),
        Scalar::Complex(re, im) => format!("{re:?}{im:+?}j"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_checked_before_memory_is_touched() {
        assert!(size("full", &[3, 4], DType::Float64).is_ok());
        assert!(size("full", &[usize::MAX, 0], DType::Bool).is_err(), "strides would overflow");
        let error = size("full", &[1 << 40, 1 << 40], DType::Int8).unwrap_err();
        let told = error.to_string();
        assert!(
            told.starts_with("the result of full would take 18446744 TB, but this machine has "),
            "{told}"
        );
        assert!(size("full", &[1; 65], DType::Int8).unwrap_err().to_string().contains("65 axes"));
    }

    #[test]
    fn constants_must_fit() {
        assert_eq!(constant("full", Scalar::Float(-2.9), DType::Int8).unwrap().item::<i8>(), -2);
        assert_eq!(constant("full", Scalar::Int(7), DType::Float32).unwrap().item::<f32>(), 7.0);
        for (value, dtype, text) in [
            (Scalar::Int(300), DType::UInt8, "full: the value 300 does not fit uint8"),
            (Scalar::Float(f64::NAN), DType::Int64, "full: the value NaN does not fit int64"),
            (Scalar::Complex(1.0, -2.0), DType::Float64, "full: the value 1.0-2.0j does not fit float64"),
        ] {
            assert_eq!(constant("full", value, dtype).unwrap_err().to_string(), text);
        }
    }
}
