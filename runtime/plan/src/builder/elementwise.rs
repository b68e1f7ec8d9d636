//! Elementwise operators.

use super::*;
#[allow(unused_imports)]
use crate::program::*;

#[allow(missing_docs, unused_variables, clippy::too_many_arguments)]
impl Builder {
    pub fn unary(&mut self, f: Unary, x: impl Into<Operand>) -> Result<Array> {
        not_yet()
    }
    pub fn binary(&mut self, f: Binary, a: impl Into<Operand>, b: impl Into<Operand>) -> Result<Array> {
        not_yet()
    }
    pub fn where_(
        &mut self,
        condition: impl Into<Operand>,
        a: impl Into<Operand>,
        b: impl Into<Operand>,
    ) -> Result<Array> {
        not_yet()
    }
    pub fn clip(
        &mut self,
        x: impl Into<Operand>,
        low: Option<Operand>,
        high: Option<Operand>,
    ) -> Result<Array> {
        not_yet()
    }
    pub fn round(&mut self, x: impl Into<Operand>, decimals: i32) -> Result<Array> {
        not_yet()
    }
    pub fn cast(&mut self, x: Array, dtype: DType) -> Result<Array> {
        not_yet()
    }
}
