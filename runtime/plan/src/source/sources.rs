//! Where arrays come from when no formula makes them.

use super::scalars::{Shape, Values, dtype, some_dtype};
use crate::chunking::Chunks;
use crate::dtype::DType;
use crate::formula::Number;
use schemars::JsonSchema;
use serde::de::{self, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:literal $variant:ident($object:ty),)*) => {
        /// A source: an object with one key that says what it is.
        #[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
        pub enum Source {
            $($(#[$doc])* #[serde(rename = $name)] $variant($object),)*
        }

        /// Every kind of source.
        pub(super) const KINDS: &[&str] = &[$($name),*];

        impl Source {
            /// Reads what follows the key.
            pub(super) fn read<'de, A: MapAccess<'de>>(kind: &str, map: &mut A) -> Result<Source, A::Error> {
                match kind {
                    $($name => map.next_value().map(Source::$variant),)*
                    _ => {
                        let near = crate::names::did_you_mean(kind, KINDS.iter().copied());
                        let kind = crate::names::shorten(kind);
                        Err(de::Error::custom(format!("no source is called `{kind}`{near}; there are {}", KINDS.join(", "))))
                    }
                }
            }
        }
    };
}

kinds! {
    /// Uniform in `[0, 1)`: `dask.array.random.default_rng(seed).random(shape)`.
    "random" Random(RandomSource),
    /// Uniform integers in `[low, high)`.
    "integers" Integers(IntegersSource),
    /// Normal, of mean 0 and variance 1.
    "standard_normal" StandardNormal(RandomSource),
    /// Zeros.
    "zeros" Zeros(FillSource),
    /// Ones.
    "ones" Ones(FillSource),
    /// One value everywhere.
    "full" Full(FullSource),
    /// Evenly spaced values, by their distance.
    "arange" Arange(ArangeSource),
    /// Evenly spaced values, by their number.
    "linspace" Linspace(LinspaceSource),
    /// Ones on a diagonal.
    "eye" Eye(EyeSource),
    /// Values in the document itself.
    "data" Data(DataSource),
    /// A file of numpy's.
    "npy" Npy(FileSource),
    /// A Zarr array, version 2 or 3.
    "zarr" Zarr(FileSource),
    /// A file of nothing but elements.
    "raw" Raw(RawSource),
}

/// Which of numpy's generators draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Generator {
    /// `default_rng`: PCG64.
    #[default]
    #[serde(rename = "default_rng")]
    DefaultRng,
    /// `RandomState`: MT19937.
    RandomState,
}

/// Random numbers. The same seed, shape and chunks give the same numbers as in dask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomSource {
    /// What the generator starts from. Each array has a generator of its own.
    pub seed: u64,
    /// Extents.
    pub shape: Shape,
    /// Chunk sizes, which also say how the numbers are drawn.
    #[serde(default)]
    pub chunks: Chunks,
    /// `float64` (the default) or `float32`.
    #[serde(default, deserialize_with = "some_dtype", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub dtype: Option<DType>,
    /// The generator.
    #[serde(default)]
    pub generator: Generator,
}

/// Random integers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntegersSource {
    /// What the generator starts from. Each array has a generator of its own.
    pub seed: u64,
    /// Lowest value, 0 unless given.
    #[serde(default)]
    pub low: i64,
    /// One above the highest value.
    pub high: i64,
    /// Extents.
    pub shape: Shape,
    /// Chunk sizes, which also say how the numbers are drawn.
    #[serde(default)]
    pub chunks: Chunks,
    /// `int64` unless given.
    #[serde(default, deserialize_with = "some_dtype", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub dtype: Option<DType>,
    /// The generator.
    #[serde(default)]
    pub generator: Generator,
}

/// Zeros or ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FillSource {
    /// Extents.
    pub shape: Shape,
    /// `float64` unless given.
    #[serde(default, deserialize_with = "some_dtype", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub dtype: Option<DType>,
    /// Chunk sizes.
    #[serde(default)]
    pub chunks: Chunks,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FullSource {
    /// Extents.
    pub shape: Shape,
    /// The value.
    pub fill_value: Number,
    /// The value's own unless given.
    #[serde(default, deserialize_with = "some_dtype", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub dtype: Option<DType>,
    /// Chunk sizes.
    #[serde(default)]
    pub chunks: Chunks,
}

/// `numpy.arange`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArangeSource {
    /// First value, 0 unless given.
    #[serde(default = "zero")]
    pub start: Number,
    /// Not reached.
    pub stop: Number,
    /// Distance, 1 unless given.
    #[serde(default = "one")]
    pub step: Number,
    /// `int64` or `float64`, as the numbers are, unless given.
    #[serde(default, deserialize_with = "some_dtype", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub dtype: Option<DType>,
    /// Chunk sizes.
    #[serde(default)]
    pub chunks: Chunks,
}

fn zero() -> Number {
    Number::Int(0)
}

fn one() -> Number {
    Number::Int(1)
}

/// `numpy.linspace`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinspaceSource {
    /// First value.
    pub start: Number,
    /// Last value, or the one behind it.
    pub stop: Number,
    /// How many, 50 unless given.
    #[serde(default = "fifty")]
    pub num: u64,
    /// Whether `stop` is the last value.
    #[serde(default = "yes")]
    pub endpoint: bool,
    /// `float64` unless given.
    #[serde(default, deserialize_with = "some_dtype", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub dtype: Option<DType>,
    /// Chunk sizes.
    #[serde(default)]
    pub chunks: Chunks,
}

fn fifty() -> u64 {
    50
}

fn yes() -> bool {
    true
}

/// `numpy.eye`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EyeSource {
    /// Rows and columns; a single number is both.
    pub shape: Shape,
    /// Which diagonal; positive above the main one.
    #[serde(default)]
    pub k: i64,
    /// `float64` unless given.
    #[serde(default, deserialize_with = "some_dtype", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub dtype: Option<DType>,
    /// Chunk sizes.
    #[serde(default)]
    pub chunks: Chunks,
}

/// Values in the document: a list, or an object with `values`, `dtype` and `chunks`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataSource {
    /// Numbers in nested lists.
    pub values: Values,
    /// What `numpy.array` gives them unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtype: Option<DType>,
    /// Chunk sizes.
    pub chunks: Chunks,
}

/// A file that describes itself: its path, or an object with `path` and `chunks`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileSource {
    /// Path on the workers, absolute or relative to one of their data directories.
    pub path: String,
    /// Chunk sizes; the file's own, where it has some, unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunks: Option<Chunks>,
}

/// Which axis changes fastest in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Order {
    /// The last.
    #[default]
    C,
    /// The first.
    F,
}

/// Which byte of an element comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ByteOrder {
    /// The least significant.
    #[default]
    Little,
    /// The most significant.
    Big,
}

/// A file of elements without any header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSource {
    /// Path on the workers, absolute or relative to one of their data directories.
    pub path: String,
    /// Element type.
    #[serde(deserialize_with = "dtype")]
    #[schemars(with = "String")]
    pub dtype: DType,
    /// Extents.
    pub shape: Shape,
    /// Which axis changes fastest.
    #[serde(default)]
    pub order: Order,
    /// Order of the bytes of an element.
    #[serde(default)]
    pub byteorder: ByteOrder,
    /// Bytes to skip.
    #[serde(default)]
    pub offset: u64,
    /// Chunk sizes.
    #[serde(default)]
    pub chunks: Chunks,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DataObject {
    values: Values,
    #[serde(default, deserialize_with = "some_dtype")]
    #[schemars(with = "Option<String>")]
    dtype: Option<DType>,
    #[serde(default)]
    chunks: Chunks,
}

impl<'de> Deserialize<'de> for DataSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DataSource, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = DataSource;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of numbers, or an object with `values`, `dtype` and `chunks`")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<DataSource, A::Error> {
                let values = Values::deserialize(de::value::SeqAccessDeserializer::new(seq))?;
                Ok(DataSource { values, dtype: None, chunks: Chunks::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DataSource, A::Error> {
                let DataObject { values, dtype, chunks } =
                    DataObject::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(DataSource { values, dtype, chunks })
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for DataSource {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DataSource".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (values, object) = (generator.subschema_for::<Values>(), generator.subschema_for::<DataObject>());
        schemars::json_schema!({"anyOf": [values, object]})
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FileObject {
    path: String,
    #[serde(default)]
    chunks: Option<Chunks>,
}

impl<'de> Deserialize<'de> for FileSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FileSource, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = FileSource;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or an object with `path` and `chunks`")
            }
            fn visit_str<E: de::Error>(self, path: &str) -> Result<FileSource, E> {
                String::deserialize(path.into_deserializer()).map(|path| FileSource { path, chunks: None })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FileSource, A::Error> {
                let FileObject { path, chunks } =
                    FileObject::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(FileSource { path, chunks })
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for FileSource {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FileSource".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let object = generator.subschema_for::<FileObject>();
        schemars::json_schema!({"anyOf": [{"type": "string"}, object]})
    }
}
