//! Results in frames: the head goes into the message, the raw bytes of each array follow it.

use super::Error;
use dask_array::Value;
use dask_array::buffer::Buffer;
use dask_array::encode::Header;

pub use dask_array::encode::encode;

/// The value of a head, from its payloads, of which it takes as many as it needs.
///
/// # Errors
/// When they do not fit together.
pub fn decode(head: &[u8], payloads: &mut impl Iterator<Item = Buffer>) -> Result<Value, Error> {
    let bad = |e: dask_array::encode::DecodeError| Error::Protocol(e.to_string());
    let header = Header::parse(head).map_err(bad)?;
    let mine = payloads.take(header.payload_lens().len()).collect();
    Value::from_parts(header, mine).map_err(bad)
}
