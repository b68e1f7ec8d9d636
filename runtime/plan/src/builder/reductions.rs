//! Reductions and running reductions.

use super::*;
#[allow(unused_imports)]
use crate::program::*;

#[allow(missing_docs, unused_variables, clippy::too_many_arguments)]
impl Builder {
    /// `axes: None` reduces over all; `dtype` is the accumulator of sums and products.
    pub fn reduce(
        &mut self,
        f: Reduction,
        x: Array,
        axes: Option<&[i64]>,
        keepdims: bool,
        dtype: Option<DType>,
    ) -> Result<Array> {
        not_yet()
    }
    pub fn mean(
        &mut self,
        x: Array,
        axes: Option<&[i64]>,
        keepdims: bool,
        dtype: Option<DType>,
        nan: bool,
    ) -> Result<Array> {
        not_yet()
    }
    pub fn var(
        &mut self,
        x: Array,
        axes: Option<&[i64]>,
        keepdims: bool,
        ddof: f64,
        sqrt: bool,
        nan: bool,
        dtype: Option<DType>,
    ) -> Result<Array> {
        not_yet()
    }
    pub fn arg(&mut self, f: ArgReduction, x: Array, axis: Option<i64>, keepdims: bool) -> Result<Array> {
        not_yet()
    }
    pub fn cumulative(
        &mut self,
        f: Cumulative,
        x: Array,
        axis: Option<i64>,
        dtype: Option<DType>,
        nan: bool,
    ) -> Result<Array> {
        not_yet()
    }
}
