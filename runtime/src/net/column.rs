//! Columns of numbers in messages: little-endian bytes, so that a thousand tasks cost one field and not a thousand.

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serializer};
use serde_bytes::ByteBuf;

macro_rules! column {
    ($name:ident, $t:ty) => {
        /// `#[serde(with = …)]` for a `Vec` of these numbers.
        pub mod $name {
            use super::*;

            /// Writes the column.
            ///
            /// # Errors
            /// The serializer's.
            pub fn serialize<S: Serializer>(column: &[$t], s: S) -> Result<S::Ok, S::Error> {
                let mut bytes = Vec::with_capacity(size_of_val(column));
                column.iter().for_each(|n| bytes.extend_from_slice(&n.to_le_bytes()));
                s.serialize_bytes(&bytes)
            }

            /// Reads the column.
            ///
            /// # Errors
            /// When its length is not a whole number of items.
            pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<$t>, D::Error> {
                let bytes = ByteBuf::deserialize(d)?;
                let (items, rest) = bytes.as_chunks();
                if !rest.is_empty() {
                    let width = size_of::<$t>();
                    return Err(D::Error::custom(format!(
                        "a column of {} bytes, not a multiple of {width}",
                        bytes.len()
                    )));
                }
                Ok(items.iter().map(|b| <$t>::from_le_bytes(*b)).collect())
            }
        }
    };
}
column!(u32s, u32);
column!(u64s, u64);
column!(i64s, i64);

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Pair(#[serde(with = "super::u32s")] Vec<u32>, #[serde(with = "super::i64s")] Vec<i64>);

    #[test]
    fn columns_come_back_and_ragged_ones_are_refused() {
        let pair = Pair(vec![1, u32::MAX], vec![-1, i64::MIN]);
        let bytes = rmp_serde::to_vec(&pair).unwrap();
        assert_eq!(rmp_serde::from_slice::<Pair>(&bytes).unwrap(), pair);
        let ragged =
            rmp_serde::to_vec(&(serde_bytes::Bytes::new(&[0; 5]), serde_bytes::Bytes::new(&[]))).unwrap();
        assert!(rmp_serde::from_slice::<Pair>(&ragged).unwrap_err().to_string().contains("5 bytes"));
    }
}
