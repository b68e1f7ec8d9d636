//! What elementwise functions do to one element, for every dtype, as numpy 2 does it.

mod boolean;
mod cast;
mod complex;
mod float;
mod integer;
pub(crate) mod kernel;

pub(crate) use cast::cast;

use dask_plan::DType;
use dask_plan::program::{Binary, Unary};
use kernel::Kernel;
use num_complex::{Complex32, Complex64};

/// How a function of one argument is computed.
pub(crate) enum Function {
    /// By a kernel.
    Kernel(Kernel),
    /// It returns what it gets.
    Identity,
    /// There is no such function for the dtype.
    None,
}

impl From<Kernel> for Function {
    fn from(kernel: Kernel) -> Function {
        Function::Kernel(kernel)
    }
}

/// A function of one argument in the dtype that [`dask_plan::infer::unary`] names.
pub(crate) fn unary(f: Unary, dtype: DType) -> Function {
    match dtype {
        DType::Bool => boolean::unary(f),
        DType::Int8 => integer::i8::unary(f),
        DType::Int16 => integer::i16::unary(f),
        DType::Int32 => integer::i32::unary(f),
        DType::Int64 => integer::i64::unary(f),
        DType::UInt8 => integer::u8::unary(f),
        DType::UInt16 => integer::u16::unary(f),
        DType::UInt32 => integer::u32::unary(f),
        DType::UInt64 => integer::u64::unary(f),
        DType::Float32 => float::f32::unary(f),
        DType::Float64 => float::f64::unary(f),
        DType::Complex64 => complex::c64::unary(f),
        DType::Complex128 => complex::c128::unary(f),
    }
}

/// A function of two arguments in the dtype that [`dask_plan::infer::binary`] names.
pub(crate) fn binary(f: Binary, dtype: DType) -> Option<Kernel> {
    match dtype {
        DType::Bool => boolean::binary(f),
        DType::Int8 => integer::i8::binary(f),
        DType::Int16 => integer::i16::binary(f),
        DType::Int32 => integer::i32::binary(f),
        DType::Int64 => integer::i64::binary(f),
        DType::UInt8 => integer::u8::binary(f),
        DType::UInt16 => integer::u16::binary(f),
        DType::UInt32 => integer::u32::binary(f),
        DType::UInt64 => integer::u64::binary(f),
        DType::Float32 => float::f32::binary(f),
        DType::Float64 => float::f64::binary(f),
        DType::Complex64 => complex::c64::binary(f),
        DType::Complex128 => complex::c128::binary(f),
    }
}

/// `where(condition, a, b)`; only the element's size counts.
pub(crate) fn select(dtype: DType) -> Kernel {
    fn of<T: Copy>() -> Kernel {
        kernel::ternary(|c: bool, a: T, b: T| if c { a } else { b })
    }
    match dtype {
        DType::Complex64 => of::<Complex32>(),
        DType::Complex128 => of::<Complex64>(),
        _ => match dtype.itemsize() {
            1 => of::<u8>(),
            2 => of::<u16>(),
            4 => of::<u32>(),
            _ => of::<u64>(),
        },
    }
}

/// Multiplication and division by a real number, for floating dtypes.
pub(crate) fn scale(dtype: DType) -> (Kernel, Kernel) {
    match dtype {
        DType::Float32 => (kernel::binary(|a: f32, b: f32| a * b), kernel::binary(|a: f32, b: f32| a / b)),
        DType::Complex64 => (
            kernel::binary(|a: Complex32, b: Complex32| a * b.re),
            kernel::binary(|a: Complex32, b: Complex32| a / b.re),
        ),
        DType::Complex128 => (
            kernel::binary(|a: Complex64, b: Complex64| a * b.re),
            kernel::binary(|a: Complex64, b: Complex64| a / b.re),
        ),
        _ => (kernel::binary(|a: f64, b: f64| a * b), kernel::binary(|a: f64, b: f64| a / b)),
    }
}
