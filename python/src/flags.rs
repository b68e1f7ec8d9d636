//! The processor's floating-point flags: whether something divided by zero, overflowed or was invalid, for which numpy warns.
#![allow(unsafe_code)] // Two instructions that Rust has no safe name for.

/// Clears the flags of this thread.
pub(crate) fn clear() {
    set(get() & !SET);
}

/// Whether one of the flags was raised on this thread since they were cleared.
pub(crate) fn raised() -> bool {
    get() & SET != 0
}

#[cfg(target_arch = "x86_64")]
mod imp {
    /// Invalid, division by zero, overflow.
    pub(super) const SET: u64 = 0b1101;

    pub(super) fn get() -> u64 {
        let mut word = 0u32;
        // SAFETY: stores the control and status word of this thread.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack)) };
        u64::from(word)
    }

    pub(super) fn set(word: u64) {
        let word = word as u32;
        // SAFETY: only the sticky flags differ from what was there.
        unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const word, options(nostack)) };
    }
}

#[cfg(target_arch = "aarch64")]
mod imp {
    /// Invalid, division by zero, overflow.
    pub(super) const SET: u64 = 0b111;

    pub(super) fn get() -> u64 {
        let word: u64;
        // SAFETY: reads the status word of this thread.
        unsafe { std::arch::asm!("mrs {}, fpsr", out(reg) word, options(nomem, nostack)) };
        word
    }

    pub(super) fn set(word: u64) {
        // SAFETY: only the sticky flags differ from what was there.
        unsafe { std::arch::asm!("msr fpsr, {}", in(reg) word, options(nomem, nostack)) };
    }
}

use imp::{SET, get, set};

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod imp {
    pub(super) const SET: u64 = 0;
    pub(super) fn get() -> u64 {
        0
    }
    pub(super) fn set(_: u64) {}
}
