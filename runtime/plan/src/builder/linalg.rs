//! Linear algebra.

use super::*;
#[allow(unused_imports)]
use crate::program::*;

#[allow(missing_docs, unused_variables, clippy::too_many_arguments)]
impl Builder {
    pub fn dot(&mut self, a: Array, b: Array) -> Result<Array> {
        not_yet()
    }
    pub fn matmul(&mut self, a: Array, b: Array) -> Result<Array> {
        not_yet()
    }
    pub fn tensordot(&mut self, a: Array, b: Array, axes: (&[i64], &[i64])) -> Result<Array> {
        not_yet()
    }
}
