//! Sources.

use super::*;
#[allow(unused_imports)]
use crate::program::*;

#[allow(missing_docs, unused_variables, clippy::too_many_arguments)]
impl Builder {
    pub fn random(&mut self, rng: Rng, draw: Draw, dtype: DType, chunks: Vec<Vec<u64>>) -> Result<Array> {
        not_yet()
    }
    pub fn full(&mut self, value: Scalar, dtype: DType, chunks: Vec<Vec<u64>>) -> Result<Array> {
        not_yet()
    }
    /// One axis; its length is the sum of `chunks`.
    pub fn arange(
        &mut self,
        start: Scalar,
        step: Scalar,
        dtype: DType,
        chunks: Vec<Vec<u64>>,
    ) -> Result<Array> {
        not_yet()
    }
    pub fn linspace(
        &mut self,
        start: Scalar,
        stop: Scalar,
        num: u64,
        endpoint: bool,
        dtype: DType,
        chunks: Vec<Vec<u64>>,
    ) -> Result<Array> {
        not_yet()
    }
    pub fn eye(&mut self, k: i64, dtype: DType, chunks: Vec<Vec<u64>>) -> Result<Array> {
        not_yet()
    }
    /// `data` in C order, little-endian.
    pub fn literal(
        &mut self,
        dtype: DType,
        shape: &[u64],
        data: Vec<u8>,
        chunks: Vec<Vec<u64>>,
    ) -> Result<Array> {
        not_yet()
    }
    pub fn read(&mut self, file: FileRef, dtype: DType, chunks: Vec<Vec<u64>>) -> Result<Array> {
        not_yet()
    }
}
