//! Kernels: loops over contiguous runs, their element types erased.
#![allow(unsafe_code)] // Typed slices over raw pointers; the contract of `Kernel` makes them sound.

use crate::chunk::Chunk;
use crate::math::level::{Job, Level, Plain, dispatch};
use dask_plan::DType;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// A loop over `n` elements of up to three operands.
///
/// # Safety
/// The pointers that the kernel uses are aligned and valid for `n` elements of the types it was made for; operands
/// hold valid values; `out` overlaps no operand.
pub(crate) type Kernel = unsafe fn(args: [*const u8; 3], out: *mut u8, n: usize);

/// The function of a closure type without captures.
#[inline(always)]
fn conjure<F: Copy>() -> F {
    const { assert!(size_of::<F>() == 0, "a kernel captures nothing") };
    // SAFETY: a type without size has no bytes to read; the caller of `unary` … held a value of it, and it is `Copy`.
    unsafe { NonNull::<F>::dangling().read() }
}

/// # Safety
/// As [`Kernel`].
#[inline(always)]
unsafe fn operand<'a, T>(ptr: *const u8, n: usize) -> &'a [T] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(ptr.cast::<T>(), n) }
}

/// # Safety
/// As [`Kernel`].
#[inline(always)]
unsafe fn output<'a, T>(ptr: *mut u8, n: usize) -> &'a mut [T] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts_mut(ptr.cast::<T>(), n) }
}

/// A kernel of one operand, compiled for the baseline.
pub(crate) fn unary<A: Copy, O, F: Fn(A) -> O + Copy>(_: F) -> Kernel {
    unsafe fn run<A: Copy, O, F: Fn(A) -> O + Copy>(args: [*const u8; 3], out: *mut u8, n: usize) {
        let f = conjure::<F>();
        // SAFETY: the caller keeps the contract of `Kernel`.
        let (a, out) = unsafe { (operand::<A>(args[0], n), output::<O>(out, n)) };
        for (o, &a) in out.iter_mut().zip(a) {
            *o = f(a);
        }
    }
    run::<A, O, F>
}

/// A kernel of two operands, compiled for the baseline.
pub(crate) fn binary<A: Copy, B: Copy, O, F: Fn(A, B) -> O + Copy>(_: F) -> Kernel {
    unsafe fn run<A: Copy, B: Copy, O, F: Fn(A, B) -> O + Copy>(
        args: [*const u8; 3],
        out: *mut u8,
        n: usize,
    ) {
        let f = conjure::<F>();
        // SAFETY: the caller keeps the contract of `Kernel`.
        let (a, b, out) =
            unsafe { (operand::<A>(args[0], n), operand::<B>(args[1], n), output::<O>(out, n)) };
        for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
            *o = f(a, b);
        }
    }
    run::<A, B, O, F>
}

/// A kernel of three operands, compiled for the baseline.
pub(crate) fn ternary<A: Copy, B: Copy, C: Copy, O, F: Fn(A, B, C) -> O + Copy>(_: F) -> Kernel {
    unsafe fn run<A: Copy, B: Copy, C: Copy, O, F: Fn(A, B, C) -> O + Copy>(
        args: [*const u8; 3],
        out: *mut u8,
        n: usize,
    ) {
        let f = conjure::<F>();
        // SAFETY: the caller keeps the contract of `Kernel`.
        let (a, b, c, out) = unsafe {
            (
                operand::<A>(args[0], n),
                operand::<B>(args[1], n),
                operand::<C>(args[2], n),
                output::<O>(out, n),
            )
        };
        for (((o, &a), &b), &c) in out.iter_mut().zip(a).zip(b).zip(c) {
            *o = f(a, b, c);
        }
    }
    run::<A, B, C, O, F>
}

/// A function of one number that is compiled for every [`Level`].
pub(crate) trait Map1<A, O>: Copy {
    /// The function; `#[inline(always)]`.
    fn at<L: Level>(a: A) -> O;

    /// Whether [`Map1::rare`] takes over.
    #[inline(always)]
    fn is_rare(_: A) -> bool {
        false
    }

    /// The function where `at` does not hold.
    fn rare(a: A) -> O {
        Self::at::<Plain>(a)
    }
}

/// A function of two numbers that is compiled for every [`Level`].
pub(crate) trait Map2<A, O>: Copy {
    /// The function; `#[inline(always)]`.
    fn at<L: Level>(a: A, b: A) -> O;

    /// Whether it looks things up in a table. The compiler vectorises that only when it sees that results do not
    /// overwrite the table.
    const LOOKS_UP: bool = false;

    /// Whether [`Map2::ordinary`] holds too. Asked of those that look things up only.
    #[inline(always)]
    fn is_ordinary(_: A, _: A) -> bool {
        false
    }

    /// The function, to the bit, where that takes less work: 64 ordinary elements in a row are computed so.
    #[inline(always)]
    fn ordinary<L: Level>(a: A, b: A) -> O {
        Self::at::<L>(a, b)
    }

    /// Whether [`Map2::rare`] takes over.
    #[inline(always)]
    fn is_rare(_: A, _: A) -> bool {
        false
    }

    /// The function where `at` does not hold.
    fn rare(a: A, b: A) -> O {
        Self::at::<Plain>(a, b)
    }
}

struct Job1<'a, A, O, F>(&'a [A], &'a mut [O], PhantomData<F>);

impl<A: Copy, O, F: Map1<A, O>> Job for Job1<'_, A, O, F> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let mut rare = false;
        for (o, &a) in self.1.iter_mut().zip(self.0) {
            *o = F::at::<L>(a);
            rare |= F::is_rare(a);
        }
        if rare {
            for (o, &a) in self.1.iter_mut().zip(self.0).filter(|(_, a)| F::is_rare(**a)) {
                *o = F::rare(a);
            }
        }
    }
}

struct Job2<'a, A, O, F>(&'a [A], &'a [A], &'a mut [O], PhantomData<F>);

impl<A: Copy, O: Copy + Default, F: Map2<A, O>> Job for Job2<'_, A, O, F> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let Job2(a, b, out, _) = self;
        let mut rare = false;
        if F::LOOKS_UP {
            for ((a, b), out) in a.chunks(64).zip(b.chunks(64)).zip(out.chunks_mut(64)) {
                let mut results = [O::default(); 64];
                let mut ordinary = true;
                for (&a, &b) in a.iter().zip(b) {
                    ordinary &= F::is_ordinary(a, b);
                }
                if ordinary {
                    for ((o, &a), &b) in results.iter_mut().zip(a).zip(b) {
                        *o = F::ordinary::<L>(a, b);
                    }
                } else {
                    for ((o, &a), &b) in results.iter_mut().zip(a).zip(b) {
                        *o = F::at::<L>(a, b);
                        rare |= F::is_rare(a, b);
                    }
                }
                out.copy_from_slice(&results[..out.len()]);
            }
        } else {
            for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
                *o = F::at::<L>(a, b);
                rare |= F::is_rare(a, b);
            }
        }
        if rare {
            for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
                if F::is_rare(a, b) {
                    *o = F::rare(a, b);
                }
            }
        }
    }
}

/// A kernel of one operand, compiled for every level.
pub(crate) fn leveled1<A: Copy, O, F: Map1<A, O>>() -> Kernel {
    unsafe fn run<A: Copy, O, F: Map1<A, O>>(args: [*const u8; 3], out: *mut u8, n: usize) {
        // SAFETY: the caller keeps the contract of `Kernel`.
        let (a, out) = unsafe { (operand::<A>(args[0], n), output::<O>(out, n)) };
        dispatch(Job1(a, out, PhantomData::<F>));
    }
    run::<A, O, F>
}

/// A kernel of two operands of one type, compiled for every level.
pub(crate) fn leveled2<A: Copy, O: Copy + Default, F: Map2<A, O>>() -> Kernel {
    unsafe fn run<A: Copy, O: Copy + Default, F: Map2<A, O>>(args: [*const u8; 3], out: *mut u8, n: usize) {
        // SAFETY: the caller keeps the contract of `Kernel`.
        let (a, b, out) =
            unsafe { (operand::<A>(args[0], n), operand::<A>(args[1], n), output::<O>(out, n)) };
        dispatch(Job2(a, b, out, PhantomData::<F>));
    }
    run::<A, O, F>
}

/// Runs a kernel of one operand over a contiguous array.
pub(crate) fn map(kernel: Kernel, x: &Chunk, dtype: DType) -> Chunk {
    debug_assert!(x.is_contiguous());
    crate::with_dtype!(dtype, T => Chunk::build(x.shape(), |out: &mut [T]| {
        // SAFETY: both hold as many elements; the caller chose the kernel for these dtypes.
        unsafe { kernel([x.as_ptr(); 3], out.as_mut_ptr().cast(), out.len()) }
    }))
}
