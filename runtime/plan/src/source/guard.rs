//! Refuses hostile YAML before anything is made of it, and duplicate keys anywhere.

use super::error::SourceError;
use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

/// The largest document. Data of this size belong into a file of their own.
const MAX_BYTES: usize = 4 << 20;

/// The most values, with every alias counted as what it stands for.
const MAX_VALUES: u64 = 1_000_000;

/// The deepest nesting: far beyond what any document needs, far below what costs time or stack.
const MAX_DEPTH: u32 = 64;

/// The most brackets that are open at once, quoted ones included: the YAML reader takes time for each.
const MAX_OPEN: usize = 1000;

/// Checks size, depth, number of values after aliases, tags and duplicate keys.
pub(super) fn check(text: &str, file: &str) -> Result<(), SourceError> {
    if text.len() > MAX_BYTES {
        let message =
            format!("the document has {} bytes; {MAX_BYTES} are allowed; put data into a file", text.len());
        return Err(SourceError::new(file, message));
    }
    let mut open = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_OPEN {
            return Err(SourceError::new(file, format!("the document is nested deeper than {MAX_DEPTH}")));
        }
    }
    let values = Cell::new(0);
    let guard = Guard { values: &values, depth: 0 };
    guard.deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|e| {
        let error = SourceError::yaml(file, &e);
        // The reader has a bound of its own for aliases, which small documents meet first.
        if error.message.ends_with("repetition limit exceeded") {
            return SourceError { message: too_many_values(), ..error };
        }
        error
    })
}

fn too_many_values() -> String {
    format!(
        "the document holds more than {MAX_VALUES} values once its aliases are followed; put data into a file"
    )
}

#[derive(Clone, Copy)]
struct Guard<'a> {
    values: &'a Cell<u64>,
    depth: u32,
}

impl Guard<'_> {
    fn count<E: de::Error>(&self) -> Result<(), E> {
        self.values.set(self.values.get() + 1);
        if self.values.get() > MAX_VALUES {
            return Err(E::custom(too_many_values()));
        }
        Ok(())
    }

    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format!("the document is nested deeper than {MAX_DEPTH}")));
        }
        Ok(Guard { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Guard<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Guard<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        self.count()
    }
    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        self.count()
    }
    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        self.count()
    }
    fn visit_i128<E: de::Error>(self, i: i128) -> Result<(), E> {
        Err(E::custom(format!("the integer {i} does not fit in 64 bits")))
    }
    fn visit_u128<E: de::Error>(self, i: u128) -> Result<(), E> {
        Err(E::custom(format!("the integer {i} does not fit in 64 bits")))
    }
    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        self.count()
    }
    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        self.count()
    }
    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.count()
    }
    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        self.count()
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.count()?;
        let inner = self.deeper()?;
        while seq.next_element_seed(inner)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.count()?;
        let inner = self.deeper()?;
        let mut seen = HashSet::new();
        while map.next_key_seed(Key { seen: &mut seen })?.is_some() {
            map.next_value_seed(inner)?;
        }
        Ok(())
    }
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<(), A::Error> {
        let (tag, _): (String, _) = data.variant()?;
        Err(de::Error::custom(format!("the YAML tag `!{}` means nothing here", crate::names::shorten(&tag))))
    }
}

/// A key that must not have been there before, and must be text.
struct Key<'a> {
    seen: &'a mut HashSet<String>,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name as a key")
    }
    fn visit_str<E: de::Error>(self, key: &str) -> Result<(), E> {
        if self.seen.insert(key.to_owned()) {
            return Ok(());
        }
        Err(E::custom(format!(
            "duplicate key `{}`: it stands in the same place twice",
            crate::names::shorten(key)
        )))
    }
    fn visit_bool<E: de::Error>(self, key: bool) -> Result<(), E> {
        Err(E::custom(format!("`{key}` cannot be a name: {}", crate::names::bool_hint())))
    }
    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Err(E::custom("`null` cannot be a name: it is YAML's word for nothing"))
    }
    fn visit_i64<E: de::Error>(self, key: i64) -> Result<(), E> {
        Err(E::custom(format!("the number {key} cannot be a name")))
    }
    fn visit_u64<E: de::Error>(self, key: u64) -> Result<(), E> {
        Err(E::custom(format!("the number {key} cannot be a name")))
    }
    fn visit_f64<E: de::Error>(self, key: f64) -> Result<(), E> {
        Err(E::custom(format!("the number {key} cannot be a name")))
    }
}

/// Line and column of the value at this path of keys.
pub(super) fn locate(text: &str, path: &[&str]) -> Option<(usize, usize)> {
    let error = Find { path }.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
    error.location().map(|l| (l.line(), l.column()))
}

/// Walks to a value and fails there, since the reader gives places with its errors only.
struct Find<'a> {
    path: &'a [&'a str],
}

impl<'de> DeserializeSeed<'de> for Find<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Find<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("something else")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((first, rest)) = self.path.split_first() else {
            return Err(de::Error::custom("found"));
        };
        while let Some(key) = map.next_key::<String>()? {
            if key == *first {
                return map.next_value_seed(Find { path: rest });
            }
            map.next_value::<de::IgnoredAny>()?;
        }
        Ok(())
    }
}
