//! Memory that chunks share: pooled allocations, mapped files, and memory that somebody else owns.
#![allow(unsafe_code)] // Raw memory behind a safe interface; each block says why it is sound.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::any::Any;
use std::ptr::NonNull;
use std::sync::{Mutex, OnceLock};

/// Alignment of every allocation: a cache line, and the widest vector. Up to 32 bytes may be aligned to 16 only.
pub const ALIGN: usize = 64;

/// Allocations below this are left to the allocator; above, fresh pages cost as much as the arithmetic.
const POOL_FROM: usize = 64 << 10;

/// Bytes the pool keeps at most. Workers give them back when they are idle or short of memory.
const POOL_KEEPS: usize = 1 << 30;

/// What fits into the value itself, so that a small result is one allocation, that of its `Arc`.
const INLINE: usize = 32;

#[repr(align(16))]
struct Inline([u8; INLINE]);

enum Owner {
    /// In the value itself; its `ptr` says nothing.
    Inline(Inline),
    /// Allocated here with this capacity, goes back to the pool.
    Pool(usize),
    /// A mapped file or foreign memory, read only, kept alive by this value.
    Other(#[allow(dead_code, reason = "held for its drop")] Box<dyn Any + Send + Sync>),
}

/// A run of bytes. Shared by `Arc`; writable only while nobody else holds it.
pub struct Buffer {
    ptr: NonNull<u8>,
    len: usize,
    owner: Owner,
}

// SAFETY: the memory is owned by (or kept alive by) the value, written only through `&mut`, and `Other` owners are
// `Send + Sync` themselves.
unsafe impl Send for Buffer {}
// SAFETY: as above; shared access only reads.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Memory for `len` bytes, aligned to [`ALIGN`] when there are more than 32. The contents are whatever the last user left (or zero).
    pub fn new(len: usize) -> Buffer {
        if len <= INLINE {
            return Buffer { ptr: NonNull::dangling(), len, owner: Owner::Inline(Inline([0; INLINE])) };
        }
        if len >= POOL_FROM {
            let capacity = class(len);
            if let Some(ptr) = pool().take(capacity) {
                return Buffer { ptr, len, owner: Owner::Pool(capacity) };
            }
            return Buffer { ptr: allocate(capacity), len, owner: Owner::Pool(capacity) };
        }
        Buffer { ptr: allocate(len), len, owner: Owner::Pool(len) }
    }

    /// Foreign memory of `len` bytes at `ptr`, which `owner` keeps alive and unchanged.
    ///
    /// # Safety
    /// `ptr` must be readable for `len` bytes for as long as `owner` lives, and nobody may write to it.
    pub unsafe fn foreign(ptr: NonNull<u8>, len: usize, owner: Box<dyn Any + Send + Sync>) -> Buffer {
        Buffer { ptr, len, owner: Owner::Other(owner) }
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it may be written in place by whoever holds it alone.
    pub fn is_writable(&self) -> bool {
        !matches!(self.owner, Owner::Other(_))
    }

    /// First byte: a place that a buffer of few bytes takes along when it is moved.
    pub fn as_ptr(&self) -> *const u8 {
        match &self.owner {
            Owner::Inline(bytes) => bytes.0.as_ptr(),
            _ => self.ptr.as_ptr(),
        }
    }

    /// First byte, for writing; see [`Buffer::as_ptr`].
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        match &mut self.owner {
            Owner::Inline(bytes) => bytes.0.as_mut_ptr(),
            _ => self.ptr.as_ptr(),
        }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes are readable; pooled memory was initialised by `allocate`.
        unsafe { std::slice::from_raw_parts(self.as_ptr(), self.len) }
    }

    /// Its bytes, for writing.
    ///
    /// # Panics
    /// If the memory is foreign.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        assert!(self.is_writable(), "foreign memory is read only");
        // SAFETY: pooled memory is initialised and uniquely borrowed.
        unsafe { std::slice::from_raw_parts_mut(self.as_mut_ptr(), self.len) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Owner::Pool(capacity) = self.owner
            && !(capacity >= POOL_FROM && pool().give(capacity, self.ptr))
        {
            // SAFETY: allocated by `allocate` with this capacity and alignment.
            unsafe { dealloc(self.ptr.as_ptr(), layout(capacity)) }
        }
    }
}

fn layout(capacity: usize) -> Layout {
    Layout::from_size_align(capacity, ALIGN).expect("a capacity that was checked")
}

/// Zeroed memory: large zeroed allocations are fresh pages anyway, and typed views need initialised bytes.
fn allocate(capacity: usize) -> NonNull<u8> {
    assert!(capacity <= isize::MAX as usize - ALIGN, "allocation of {capacity} bytes");
    let layout = layout(capacity);
    // SAFETY: the size is not zero.
    let ptr = if capacity >= POOL_FROM {
        // SAFETY: as above.
        unsafe { std::alloc::alloc_zeroed(layout) }
    } else {
        // SAFETY: as above; the bytes are written before they are read.
        unsafe {
            let p = alloc(layout);
            if !p.is_null() {
                p.write_bytes(0, capacity);
            }
            p
        }
    };
    let ptr = NonNull::new(ptr).unwrap_or_else(|| handle_alloc_error(layout));
    #[cfg(target_os = "linux")]
    if capacity >= 2 * HUGE {
        let start = ptr.as_ptr().addr().next_multiple_of(HUGE) - ptr.as_ptr().addr();
        let len = (capacity - start) / HUGE * HUGE;
        // SAFETY: whole pages inside the allocation. It is a hint: the contents stay, and a refusal does not matter.
        unsafe {
            libc::madvise(ptr.as_ptr().add(start).cast(), len, libc::MADV_HUGEPAGE);
        }
    }
    ptr
}

/// Size of a huge page: one fault and one entry of the address cache instead of 512 each.
#[cfg(target_os = "linux")]
const HUGE: usize = 2 << 20;

/// Sizes are rounded up to an eighth of a power of two, so that blocks of nearly the same size share memory.
fn class(len: usize) -> usize {
    let step = (len.next_power_of_two() / 8).max(4096);
    len.div_ceil(step) * step
}

struct Free(NonNull<u8>);
// SAFETY: a free allocation belongs to the pool alone.
unsafe impl Send for Free {}

#[derive(Default)]
struct Pool {
    free: Mutex<PoolState>,
}

#[derive(Default)]
struct PoolState {
    by_class: std::collections::HashMap<usize, Vec<Free>>,
    bytes: usize,
}

fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(Pool::default)
}

impl Pool {
    fn take(&self, capacity: usize) -> Option<NonNull<u8>> {
        let mut state = self.free.lock().unwrap_or_else(|e| e.into_inner());
        let ptr = state.by_class.get_mut(&capacity)?.pop()?;
        state.bytes -= capacity;
        Some(ptr.0)
    }

    fn give(&self, capacity: usize, ptr: NonNull<u8>) -> bool {
        let mut state = self.free.lock().unwrap_or_else(|e| e.into_inner());
        if state.bytes + capacity > POOL_KEEPS {
            return false;
        }
        state.bytes += capacity;
        state.by_class.entry(capacity).or_default().push(Free(ptr));
        true
    }
}

/// Gives all pooled memory back to the allocator; returns how many bytes that was.
pub fn release_pool() -> usize {
    let state = std::mem::take(&mut *pool().free.lock().unwrap_or_else(|e| e.into_inner()));
    for (capacity, free) in state.by_class {
        for ptr in free {
            // SAFETY: allocated by `allocate` with this capacity.
            unsafe { dealloc(ptr.0.as_ptr(), layout(capacity)) }
        }
    }
    state.bytes
}
