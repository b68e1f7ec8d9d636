//! Small values of documents: numbers, lists of them, shapes, dtypes.

use crate::dtype::DType;
use crate::formula::{Nest, Number};
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Number::Bool(b) => serializer.serialize_bool(b),
            Number::Int(i) => match (i64::try_from(i), u64::try_from(i)) {
                (Ok(i), _) => serializer.serialize_i64(i),
                (_, Ok(u)) => serializer.serialize_u64(u),
                _ => serializer.serialize_f64(i as f64),
            },
            // JSON has no such numbers, so they are words in both languages.
            Number::Float(f) if f.is_nan() => serializer.serialize_str("nan"),
            Number::Float(f) if f.is_infinite() => {
                serializer.serialize_str(if f > 0.0 { "inf" } else { "-inf" })
            }
            Number::Float(f) => serializer.serialize_f64(f),
            Number::Complex(..) => {
                Err(serde::ser::Error::custom("documents write complex numbers in formulas only"))
            }
        }
    }
}

/// Nested lists of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Values(pub(crate) Nest);

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Each<'a>(&'a Nest);
        impl Serialize for Each<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.0 {
                    Nest::Number(n) => n.serialize(serializer),
                    Nest::List(items) => {
                        let mut seq = serializer.serialize_seq(Some(items.len()))?;
                        items.iter().try_for_each(|item| seq.serialize_element(&Each(item)))?;
                        seq.end()
                    }
                }
            }
        }
        Each(&self.0).serialize(serializer)
    }
}

/// Reads a number, and lists of them where `lists` allows it.
struct NestReader {
    lists: bool,
}

impl<'de> Visitor<'de> for NestReader {
    type Value = Nest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")?;
        if self.lists { f.write_str(" or a list of numbers") } else { Ok(()) }
    }
    fn visit_bool<E: de::Error>(self, b: bool) -> Result<Nest, E> {
        Ok(Nest::Number(Number::Bool(b)))
    }
    fn visit_i64<E: de::Error>(self, i: i64) -> Result<Nest, E> {
        Ok(Nest::Number(Number::Int(i.into())))
    }
    fn visit_u64<E: de::Error>(self, i: u64) -> Result<Nest, E> {
        Ok(Nest::Number(Number::Int(i.into())))
    }
    fn visit_f64<E: de::Error>(self, f: f64) -> Result<Nest, E> {
        Ok(Nest::Number(Number::Float(f)))
    }
    fn visit_str<E: de::Error>(self, word: &str) -> Result<Nest, E> {
        let value = match word {
            "nan" => f64::NAN,
            "inf" => f64::INFINITY,
            "-inf" => f64::NEG_INFINITY,
            _ => return Err(E::invalid_type(de::Unexpected::Str(&crate::names::shorten(word)), &self)),
        };
        Ok(Nest::Number(Number::Float(value)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Nest, A::Error> {
        if !self.lists {
            return Err(de::Error::invalid_type(de::Unexpected::Seq, &self));
        }
        let mut items = vec![];
        while let Some(Values(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Nest::List(items))
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Values, D::Error> {
        deserializer.deserialize_any(NestReader { lists: true }).map(Values)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        match deserializer.deserialize_any(NestReader { lists: false })? {
            Nest::Number(number) => Ok(number),
            Nest::List(_) => Err(de::Error::custom("a list is no number")),
        }
    }
}

impl schemars::JsonSchema for Number {
    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"anyOf": [{"type": ["number", "boolean"]}, {"enum": ["nan", "inf", "-inf"]}]})
    }
}

impl schemars::JsonSchema for Values {
    fn schema_name() -> Cow<'static, str> {
        "Values".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (number, values) = (generator.subschema_for::<Number>(), generator.subschema_for::<Values>());
        schemars::json_schema!({
            "description": "A number, or lists of numbers, nested once an axis.",
            "anyOf": [number, {"type": "array", "items": values}],
        })
    }
}

/// Extents along each axis; a single number is one axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Shape(pub Vec<u64>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Shape, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Shape;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a shape: a list of extents such as [100, 200], or one extent")
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Shape, E> {
                Ok(Shape(vec![n]))
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Shape, E> {
                Err(E::custom(format!("the extent {n} is negative")))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
                let mut shape = vec![];
                while let Some(Extent(n)) = seq.next_element()? {
                    shape.push(n);
                }
                Ok(Shape(shape))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

struct Extent(u64);

impl<'de> Deserialize<'de> for Extent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Extent, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Extent;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an extent: a whole number that is not negative")
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Extent, E> {
                Ok(Extent(n))
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Extent, E> {
                Err(E::custom(format!("the extent {n} is negative")))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl schemars::JsonSchema for Shape {
    fn schema_name() -> Cow<'static, str> {
        "Shape".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let extent = serde_json::json!({"type": "integer", "minimum": 0});
        schemars::json_schema!({
            "description": "Extents along each axis; a single number is one axis.",
            "anyOf": [extent, {"type": "array", "items": extent, "maxItems": 32}],
        })
    }
}

/// A dtype by any of numpy's names.
pub(super) fn dtype<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DType, D::Error> {
    struct Reader;
    impl Visitor<'_> for Reader {
        type Value = DType;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a dtype, such as float32")
        }
        fn visit_str<E: de::Error>(self, name: &str) -> Result<DType, E> {
            crate::formula::parse_dtype(name).map_err(E::custom)
        }
    }
    deserializer.deserialize_any(Reader)
}

/// As [`dtype`], for a field that may be left out.
pub(super) fn some_dtype<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DType>, D::Error> {
    dtype(deserializer).map(Some)
}
