//! Chunk sizes as people write them, in documents and in formulas.

use crate::builder::{AxisChunks, ChunkSpec};
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// `100`, `-1`, `"auto"`, or a list of such, one an axis, where a list stands for all sizes along its axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Chunks {
    /// A size; -1 is the whole axis.
    Size(i64),
    /// `"auto"`: about 128 MiB a chunk.
    Auto(AutoWord),
    /// One entry an axis, or the sizes along one.
    List(Vec<Chunks>),
}

/// The word `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AutoWord {
    /// `auto`
    Auto,
}

impl Default for Chunks {
    fn default() -> Chunks {
        Chunks::Auto(AutoWord::Auto)
    }
}

impl Chunks {
    /// What they mean for an array of `ndim` axes.
    ///
    /// # Errors
    /// Names an entry that is no size.
    pub(crate) fn spec(&self, ndim: usize) -> Result<ChunkSpec, String> {
        match self {
            Chunks::Auto(_) => Ok(ChunkSpec::Auto),
            // On one axis `[3, 3, 4]` lists its chunks, as in dask.
            Chunks::List(sizes)
                if ndim == 1 && sizes.len() > 1 && sizes.iter().all(|s| matches!(s, Chunks::Size(_))) =>
            {
                Ok(ChunkSpec::Each(vec![self.axis()?]))
            }
            Chunks::List(axes) if axes.len() != ndim => {
                Err(format!("chunks for {} axes do not fit an array of {ndim}", axes.len()))
            }
            Chunks::List(axes) => {
                Ok(ChunkSpec::Each(axes.iter().map(Chunks::axis).collect::<Result<_, _>>()?))
            }
            size => Ok(ChunkSpec::Each(vec![size.axis()?; ndim])),
        }
    }

    fn axis(&self) -> Result<AxisChunks, String> {
        match self {
            Chunks::Size(-1) => Ok(AxisChunks::Whole),
            Chunks::Size(_) => Ok(AxisChunks::Size(self.size()?)),
            Chunks::Auto(_) => Ok(AxisChunks::Auto),
            Chunks::List(sizes) => {
                Ok(AxisChunks::Sizes(sizes.iter().map(Chunks::size).collect::<Result<_, _>>()?))
            }
        }
    }

    fn size(&self) -> Result<u64, String> {
        match self {
            Chunks::Size(size) => u64::try_from(*size).map_err(|_| {
                format!("{size} is no chunk size; -1 stands for the whole axis, but not among sizes")
            }),
            Chunks::Auto(_) => Err("`auto` cannot stand among the sizes of one axis".into()),
            Chunks::List(_) => Err("chunk sizes are lists of lists at most".into()),
        }
    }
}

impl<'de> Deserialize<'de> for Chunks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Chunks, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Chunks;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("chunk sizes: a size, -1 for a whole axis, `auto`, or a list of such")
            }
            fn visit_u64<E: de::Error>(self, size: u64) -> Result<Chunks, E> {
                i64::try_from(size)
                    .map(Chunks::Size)
                    .map_err(|_| E::custom(format!("chunk size {size} is too large")))
            }
            fn visit_i64<E: de::Error>(self, size: i64) -> Result<Chunks, E> {
                if size < -1 {
                    return Err(E::custom(format!("{size} is no chunk size; -1 stands for the whole axis")));
                }
                Ok(Chunks::Size(size))
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<Chunks, E> {
                match word {
                    "auto" => Ok(Chunks::default()),
                    _ => Err(E::invalid_value(de::Unexpected::Str(&crate::names::shorten(word)), &self)),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Chunks, A::Error> {
                let mut list = vec![];
                while let Some(item) = seq.next_element()? {
                    list.push(item);
                }
                Ok(Chunks::List(list))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl schemars::JsonSchema for Chunks {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Chunks".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let size = serde_json::json!({"anyOf": [{"type": "integer", "minimum": -1}, {"const": "auto"}]});
        schemars::json_schema!({
            "description": "Chunk sizes: a size, -1 for a whole axis, `auto`, or a list with an entry an axis, each of which may be a list of all sizes.",
            "anyOf": [
                size,
                {"type": "array", "items": {"anyOf": [size, {"type": "array", "items": {"type": "integer", "minimum": 0}}]}},
            ],
        })
    }
}
