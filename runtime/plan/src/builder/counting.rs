//! Counting and sorting.

use super::*;
#[allow(unused_imports)]
use crate::program::*;

#[allow(missing_docs, unused_variables, clippy::too_many_arguments)]
impl Builder {
    pub fn histogram(
        &mut self,
        x: Array,
        edges: &[f64],
        weights: Option<Array>,
        density: bool,
    ) -> Result<Array> {
        not_yet()
    }
    pub fn bincount(&mut self, x: Array, weights: Option<Array>, minlength: u64) -> Result<Array> {
        not_yet()
    }
    pub fn topk(&mut self, x: Array, k: i64, axis: i64) -> Result<Array> {
        not_yet()
    }
    pub fn unique(&mut self, x: Array) -> Result<Array> {
        not_yet()
    }
    pub fn digitize(&mut self, x: Array, edges: &[f64], right: bool) -> Result<Array> {
        not_yet()
    }
}
