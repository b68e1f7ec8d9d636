//! Movement.

use super::*;
#[allow(unused_imports)]
use crate::program::*;

#[allow(missing_docs, unused_variables, clippy::too_many_arguments)]
impl Builder {
    pub fn transpose(&mut self, x: Array, axes: Option<&[i64]>) -> Result<Array> {
        not_yet()
    }
    pub fn reshape(&mut self, x: Array, shape: &[i64]) -> Result<Array> {
        not_yet()
    }
    pub fn ravel(&mut self, x: Array) -> Result<Array> {
        not_yet()
    }
    pub fn flip(&mut self, x: Array, axes: Option<&[i64]>) -> Result<Array> {
        not_yet()
    }
    pub fn roll(&mut self, x: Array, shifts: &[i64], axes: Option<&[i64]>) -> Result<Array> {
        not_yet()
    }
    pub fn squeeze(&mut self, x: Array, axes: Option<&[i64]>) -> Result<Array> {
        not_yet()
    }
    pub fn expand_dims(&mut self, x: Array, axes: &[i64]) -> Result<Array> {
        not_yet()
    }
    pub fn broadcast_to(&mut self, x: Array, shape: &[u64]) -> Result<Array> {
        not_yet()
    }
    /// `axis: None` joins the flattened arrays.
    pub fn concatenate(&mut self, arrays: &[Array], axis: Option<i64>) -> Result<Array> {
        not_yet()
    }
    pub fn stack(&mut self, arrays: &[Array], axis: i64) -> Result<Array> {
        not_yet()
    }
    pub fn block(&mut self, blocks: &Nested) -> Result<Array> {
        not_yet()
    }
    pub fn rechunk(&mut self, x: Array, chunks: &ChunkSpec) -> Result<Array> {
        not_yet()
    }
    pub fn repeat(&mut self, x: Array, repeats: u64, axis: Option<i64>) -> Result<Array> {
        not_yet()
    }
    pub fn diagonal(&mut self, x: Array, k: i64) -> Result<Array> {
        not_yet()
    }
    pub fn triangle(&mut self, x: Array, upper: bool, k: i64) -> Result<Array> {
        not_yet()
    }
    /// `depth` and `boundary` have one entry an axis; no boundary means that the edge blocks have no neighbour there.
    pub fn map_overlap(
        &mut self,
        x: Array,
        depth: &[u64],
        boundary: &[Option<Boundary>],
        f: &mut dyn FnMut(&mut Builder, Array) -> Result<Array>,
    ) -> Result<Array> {
        not_yet()
    }
}
