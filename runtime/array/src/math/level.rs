//! Which instruction set kernels run on: the baseline, AVX2 with FMA, or AVX-512 (NEON on ARM is the baseline).
//!
//! A kernel is written once, as plain loops, and compiled for each level; the compiler makes vectors of it.

use pulp::{Arch, Simd, WithSimd};
use std::sync::OnceLock;

/// What a kernel may count on.
pub(crate) trait Level {
    /// `mul_add` is one instruction. Where it is not, it would be a slow library call.
    const FMA: bool;
}

/// Multiplication and addition round once.
pub(crate) struct Fused;
impl Level for Fused {
    const FMA: bool = true;
}

/// Multiplication and addition round separately.
pub(crate) struct Plain;
impl Level for Plain {
    const FMA: bool = false;
}

/// `a * b + c`, fused where that is one instruction.
#[inline(always)]
pub(crate) fn mul_add<L: Level>(a: f64, b: f64, c: f64) -> f64 {
    if L::FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Work that is compiled once for each level.
pub(crate) trait Job {
    /// What it returns.
    type Output;

    /// The work. Implementations are `#[inline(always)]`, or they would be compiled for the baseline.
    fn run<L: Level>(self) -> Self::Output;
}

struct OnLevel<J>(J);

impl<J: Job> WithSimd for OnLevel<J> {
    type Output = J::Output;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> J::Output {
        if S::IS_SCALAR && !cfg!(target_arch = "aarch64") {
            self.0.run::<Plain>()
        } else {
            self.0.run::<Fused>()
        }
    }
}

/// Runs a job on the best level of this processor.
#[inline]
pub(crate) fn dispatch<J: Job>(job: J) -> J::Output {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    ARCH.get_or_init(Arch::new).dispatch(OnLevel(job))
}
