//! Maps keyed by small integers: a multiplication is all the hashing they need.

use dask_core::TaskId;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map from integers that we number ourselves, so nobody can choose colliding ones.
pub(crate) type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// See [`IdMap`].
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.write_u64(u64::from(*b)));
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        // Fibonacci hashing; the fold brings the well-mixed high bits to where the table looks.
        let mixed = (self.0 ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

/// A task as one integer.
pub(crate) fn key(task: TaskId) -> u64 {
    (u64::from(task.job.0) << 32) | u64::from(task.local)
}
