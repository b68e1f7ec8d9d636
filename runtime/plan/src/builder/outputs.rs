//! Outputs.

use super::*;
#[allow(unused_imports)]
use crate::program::*;

#[allow(missing_docs, unused_variables, clippy::too_many_arguments)]
impl Builder {
    /// Asks only for the items that numpy shows.
    pub fn print(&mut self, name: &str, x: Array) -> Result<()> {
        not_yet()
    }
    /// `path` is the submitter's.
    pub fn npy(&mut self, name: &str, x: Array, path: &str) -> Result<()> {
        not_yet()
    }
    pub fn json(&mut self, name: &str, x: Array, path: Option<&str>) -> Result<()> {
        not_yet()
    }
    /// `path` is the workers'.
    pub fn zarr(&mut self, name: &str, x: Array, path: &str) -> Result<()> {
        not_yet()
    }
    pub fn keep(&mut self, name: &str, x: Array) -> Result<()> {
        not_yet()
    }
}
