//! Indexing.

use super::*;
#[allow(unused_imports)]
use crate::program::*;

#[allow(missing_docs, unused_variables, clippy::too_many_arguments)]
impl Builder {
    pub fn index(&mut self, x: Array, items: &[Index]) -> Result<Array> {
        not_yet()
    }
}
