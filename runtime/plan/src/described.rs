//! What a file says about the array in it.

use crate::dtype::DType;
use serde::{Deserialize, Serialize};

/// A file's metadata, as the worker that sees the file reports it: what planning needs before it can cut the array
/// into blocks.
///
/// As JSON: `{"shape": [5, 4], "dtype": "float64", "chunks": [[3, 2], [4]]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Described {
    /// Extent along each axis.
    pub shape: Vec<u64>,
    /// Element type after reading (always in native byte order).
    pub dtype: DType,
    /// Extents of the blocks that the file is made of, along each axis; `None` when it is one piece.
    pub chunks: Option<Vec<Vec<u64>>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_form() {
        let text = r#"{"shape":[5,4],"dtype":"float64","chunks":[[3,2],[4]]}"#;
        let described: Described = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&described).unwrap(), text);
        assert!(
            serde_json::from_str::<Described>(r#"{"shape":[5],"dtype":"float16","chunks":null}"#).is_err()
        );
    }
}
