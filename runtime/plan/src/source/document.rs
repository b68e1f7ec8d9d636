//! The document and how it is read.

use super::error::SourceError;
use super::scalars::Values;
use super::sources::{KINDS, Source};
use super::{VERSION, guard, resolve};
use crate::formula::{Nest, Number};
use crate::names;
use schemars::JsonSchema;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A graph as people write it: named arrays, functions, and what to do with results.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a map with `version`, `arrays` and `outputs`")]
#[schemars(title = "Graph document")]
pub struct Document {
    /// The version of the document, 1.
    #[schemars(extend("const" = 1))]
    pub version: u64,
    /// Arrays by name, in any order: formulas, numbers, lists or sources.
    pub arrays: Entries<Definition>,
    /// Functions that formulas use, such as `"double(a)": a + a`.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub functions: Entries<String>,
    /// What happens to which array, in this order.
    pub outputs: Entries<Targets>,
    /// Where it came from.
    #[serde(skip)]
    pub(super) origin: Origin,
}

/// A document's file and text, for messages.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    pub(super) file: String,
    pub(super) text: String,
}

/// A map in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Entries<T>(pub Vec<(String, T)>);

impl<T> Entries<T> {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for Entries<T> {
    fn default() -> Entries<T> {
        Entries(vec![])
    }
}

/// What an array is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Definition {
    /// A formula.
    Formula(String),
    /// A number: weak in promotion, like one in a formula.
    Number(Number),
    /// An array's elements.
    List(Values),
    /// A source.
    Source(Source),
}

/// What happens to a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Printed as numpy prints it.
    Print,
    /// Written as JSON, to a file of the submitter's or to standard output.
    Json(Option<String>),
    /// Written as a `.npy` file of the submitter's.
    Npy(String),
    /// Written as a Zarr array by the workers.
    Zarr(String),
}

/// One or several targets of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets(pub Vec<Target>);

/// Reads a document and checks all that can be checked without its files. `file` is named in errors.
///
/// # Errors
/// The first mistake, with its place.
pub fn parse(text: &str, file: &str) -> Result<Document, SourceError> {
    // A byte order mark is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    guard::check(text, file)?;
    check_version(text, file)?;
    let mut document: Document = serde_yaml::from_str(text).map_err(|e| SourceError::yaml(file, &e))?;
    document.origin = Origin { file: file.to_owned(), text: text.to_owned() };
    resolve::resolve(&document)?;
    Ok(document)
}

/// The version comes first, since nothing is known of the rest of a document from the future.
fn check_version(text: &str, file: &str) -> Result<(), SourceError> {
    #[derive(Deserialize)]
    #[serde(expecting = "a map with `version`, `arrays` and `outputs`")]
    struct Head {
        version: Option<u64>,
    }
    let fail = |message: String| {
        Err(SourceError { location: guard::locate(text, &["version"]), ..SourceError::new(file, message) })
    };
    let head: Option<Head> = serde_yaml::from_str(text).map_err(|e| SourceError::yaml(file, &e))?;
    match head {
        None => fail("the document is empty; it begins with `version: 1`".into()),
        Some(Head { version: Some(VERSION) }) => Ok(()),
        Some(Head { version: None }) => {
            fail("`version` is missing; begin the document with `version: 1`".into())
        }
        Some(Head { version: Some(found) }) if found > VERSION => fail(format!(
            "version {found} is from the future: this build reads version {VERSION}; update dask-runtime"
        )),
        Some(Head { version: Some(found) }) => {
            fail(format!("there is no version {found}; write `version: {VERSION}`"))
        }
    }
}

impl Document {
    /// A mistake at a path of keys, such as `["arrays", "x"]`: one that shows only where the files are, say.
    pub fn error(&self, path: &[&str], message: impl Into<String>) -> SourceError {
        self.place(path, SourceError::new(&self.origin.file, message))
    }

    /// Adds the place to an error.
    pub(super) fn place(&self, path: &[&str], error: SourceError) -> SourceError {
        let location = guard::locate(&self.origin.text, path);
        SourceError { place: Some(path.join(".")), location, ..error }
    }
}

impl<T: Serialize> Serialize for Entries<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entries<T>, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = Entries<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from names")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries = vec![];
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Entries<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("MapOf{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let value = generator.subschema_for::<T>();
        schemars::json_schema!({"type": "object", "additionalProperties": value})
    }
}

impl<'de> Deserialize<'de> for Definition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Definition, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Definition;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a formula, a number, a list of numbers, or a source such as {random: {seed: 1, shape: [10]}}")
            }
            fn visit_str<E: de::Error>(self, formula: &str) -> Result<Definition, E> {
                Ok(Definition::Formula(formula.to_owned()))
            }
            fn visit_bool<E: de::Error>(self, b: bool) -> Result<Definition, E> {
                Ok(Definition::Number(Number::Bool(b)))
            }
            fn visit_i64<E: de::Error>(self, i: i64) -> Result<Definition, E> {
                Ok(Definition::Number(Number::Int(i.into())))
            }
            fn visit_u64<E: de::Error>(self, i: u64) -> Result<Definition, E> {
                Ok(Definition::Number(Number::Int(i.into())))
            }
            fn visit_f64<E: de::Error>(self, f: f64) -> Result<Definition, E> {
                Ok(Definition::Number(Number::Float(f)))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Definition, A::Error> {
                let mut items = vec![];
                while let Some(Values(item)) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Definition::List(Values(Nest::List(items))))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Definition, A::Error> {
                let Some(kind) = map.next_key::<String>()? else {
                    return Err(de::Error::custom(format!(
                        "a source is missing; there are {}",
                        KINDS.join(", ")
                    )));
                };
                let source = Source::read(&kind, &mut map)?;
                match map.next_key::<String>()? {
                    None => Ok(Definition::Source(source)),
                    Some(key) => Err(de::Error::custom(format!(
                        "`{}` stands beside `{kind}`; a source has one key, and all that describes it stands inside",
                        names::shorten(&key)
                    ))),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for Definition {
    fn schema_name() -> Cow<'static, str> {
        "Definition".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (values, source) = (generator.subschema_for::<Values>(), generator.subschema_for::<Source>());
        schemars::json_schema!({
            "description": "A formula in numpy's notation, a number, a list of numbers, or a source.",
            "anyOf": [{"type": "string"}, values, source],
        })
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, path) = match self {
            Target::Print => return serializer.serialize_str("print"),
            Target::Json(None) => return serializer.serialize_str("json"),
            Target::Json(Some(path)) => ("json", path),
            Target::Npy(path) => ("npy", path),
            Target::Zarr(path) => ("zarr", path),
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(kind, path)?;
        map.end()
    }
}

impl Serialize for Targets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Target, D::Error> {
        deserializer.deserialize_any(TargetReader)
    }
}

struct TargetReader;

impl<'de> Visitor<'de> for TargetReader {
    type Value = Target;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`print`, `json`, {json: path}, {npy: path} or {zarr: path}")
    }
    fn visit_str<E: de::Error>(self, word: &str) -> Result<Target, E> {
        match word {
            "print" => Ok(Target::Print),
            "json" => Ok(Target::Json(None)),
            "npy" | "zarr" => Err(E::custom(format!("`{word}` needs a path: {{{word}: path}}"))),
            _ => {
                let near = names::did_you_mean(word, ["print", "json"]);
                let word = names::shorten(word);
                Err(E::custom(format!("no output is called `{word}`{near}; there are {}", Expected)))
            }
        }
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Target, A::Error> {
        let Some((kind, path)) = map.next_entry::<String, String>()? else {
            return Err(de::Error::custom(format!("an output is missing; there are {Expected}")));
        };
        let target = match kind.as_str() {
            "json" => Target::Json(Some(path)),
            "npy" => Target::Npy(path),
            "zarr" => Target::Zarr(path),
            _ => {
                let near = names::did_you_mean(&kind, ["json", "npy", "zarr"]);
                let kind = names::shorten(&kind);
                return Err(de::Error::custom(format!(
                    "no output is called `{kind}`{near}; there are {Expected}"
                )));
            }
        };
        match map.next_key::<String>()? {
            None => Ok(target),
            Some(_) => Err(de::Error::custom("an output has one key; write several as a list")),
        }
    }
}

/// The outputs that there are.
struct Expected;

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TargetReader.expecting(f)
    }
}

impl<'de> Deserialize<'de> for Targets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Targets, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Targets;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{Expected}, or a list of them")
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<Targets, E> {
                TargetReader.visit_str(word).map(|t| Targets(vec![t]))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Targets, A::Error> {
                TargetReader.visit_map(map).map(|t| Targets(vec![t]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Targets, A::Error> {
                let mut targets = vec![];
                while let Some(target) = seq.next_element()? {
                    targets.push(target);
                }
                if targets.is_empty() {
                    return Err(de::Error::custom("the list of outputs is empty"));
                }
                Ok(Targets(targets))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for Targets {
    fn schema_name() -> Cow<'static, str> {
        "Targets".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let file = |kind: &str| {
            serde_json::json!({
                "type": "object",
                "properties": {kind: {"type": "string"}},
                "required": [kind],
                "additionalProperties": false,
            })
        };
        let one = serde_json::json!({"anyOf": [{"enum": ["print", "json"]}, file("json"), file("npy"), file("zarr")]});
        schemars::json_schema!({
            "description": "What happens to an array, or a list of such.",
            "anyOf": [one, {"type": "array", "items": one, "minItems": 1}],
        })
    }
}
