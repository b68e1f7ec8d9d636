//! Values as bytes, for other workers and for the disk: a small header, then the raw bytes of each array.
//!
//! The header (version 1, integers little-endian) is one byte of version and one node. A node is
//! - an array: `0`, dtype (its place in [`DType::ALL`]), number of axes, extent of each axis as `u64`; its elements
//!   follow in C order;
//! - an array in another order: `1`, then as above, then one byte an axis: the axes from the slowest to the fastest
//!   in memory. A transposed chunk travels without a copy this way;
//! - a tuple: `2`, number of nodes as `u32`, then these nodes;
//! - a value of the host: `3`, number of payloads as `u32`, length of each as `u64`;
//! - a value of the host that could not be packed: `4`, length of the reason as `u32`, the reason as UTF-8;
//! - a failure: `5`, its words like a reason, then `0`, or `1` and a node: the host's own form of it.
//!
//! Payloads follow outside the header, in the order of the arrays, in native byte order (little-endian on every
//! platform that is built for), so that they are read straight into the memory where they stay.

use crate::buffer::Buffer;
use crate::chunk::{Chunk, checked_nbytes};
use crate::value::{Foreign, Packed, Trouble, Unpacked, Value};
use dask_plan::DType;
use std::sync::Arc;

/// Version of the header that this build writes and reads.
pub const VERSION: u8 = 1;

/// How deep tuples nest at most.
const MAX_DEPTH: usize = 16;

/// Most axes of an array, as in numpy.
const MAX_NDIM: usize = 64;

const ARRAY: u8 = 0;
const ORDERED_ARRAY: u8 = 1;
const TUPLE: u8 = 2;
const FOREIGN: u8 = 3;
const UNPACKED: u8 = 4;
const FAILED: u8 = 5;

#[cfg(target_endian = "big")]
compile_error!("payloads are little-endian: swap them here before building for a big-endian platform");

/// Why bytes are not a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an encoded value: {0}")]
pub struct DecodeError(String);

/// A header that was read and checked: says which payloads follow.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    root: Node,
    lens: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Array {
        dtype: DType,
        shape: Vec<usize>,
        /// Axes from slowest to fastest, unless they are in C order.
        order: Option<Vec<usize>>,
    },
    Tuple(Vec<Node>),
    /// Bytes of each payload.
    Foreign(Vec<usize>),
    Unpacked(String),
    Failed(String, Option<Box<Node>>),
}

/// The header of a value, and its arrays as C-contiguous chunks, whose [`Chunk::as_bytes`] are the payloads in order.
///
/// Chunks that lie in memory without gaps, in whatever order of axes, are not copied.
///
/// A value of the host that cannot leave its process arrives as [`Unpacked`], which says why.
pub fn encode(value: &Value) -> (Vec<u8>, Vec<Chunk>) {
    let (mut header, mut payloads) = (vec![VERSION], vec![]);
    encode_node(value, &mut header, &mut payloads);
    (header, payloads)
}

fn encode_node(value: &Value, header: &mut Vec<u8>, payloads: &mut Vec<Chunk>) {
    match value {
        Value::Tuple(values) => {
            header.push(TUPLE);
            header.extend((values.len() as u32).to_le_bytes());
            values.iter().for_each(|v| encode_node(v, header, payloads));
        }
        Value::Foreign(value) => encode_foreign(&**value, header, payloads),
        Value::Array(chunk) => encode_array(chunk, header, payloads),
    }
}

fn encode_foreign(value: &dyn Foreign, header: &mut Vec<u8>, payloads: &mut Vec<Chunk>) {
    if let Some(Trouble { error, cause }) = value.any().downcast_ref() {
        header.push(FAILED);
        encode_text(error, header);
        header.push(u8::from(cause.is_some()));
        if let Some(cause) = cause {
            encode_foreign(&**cause, header, payloads);
        }
        return;
    }
    // Not those without axes: a host may tell them from scalars, which the other side would make of them.
    if let Some(chunk) = value.chunk().filter(|c| c.ndim() > 0) {
        return encode_array(&chunk, header, payloads);
    }
    match value.pack() {
        Ok(packed) => {
            header.push(FOREIGN);
            header.extend((packed.len() as u32).to_le_bytes());
            packed.iter().for_each(|p| header.extend((p.len() as u64).to_le_bytes()));
            payloads.extend(packed);
        }
        Err(why) => {
            header.push(UNPACKED);
            encode_text(&why, header);
        }
    }
}

fn encode_text(text: &str, header: &mut Vec<u8>) {
    header.extend((text.len() as u32).to_le_bytes());
    header.extend(text.as_bytes());
}

fn encode_array(chunk: &Chunk, header: &mut Vec<u8>, payloads: &mut Vec<Chunk>) {
    let order = memory_order(chunk);
    header.push(if order.is_some() { ORDERED_ARRAY } else { ARRAY });
    header.push(DType::ALL.iter().position(|d| *d == chunk.dtype()).unwrap_or_default() as u8);
    header.push(chunk.ndim() as u8);
    chunk.shape().iter().for_each(|&n| header.extend((n as u64).to_le_bytes()));
    match order {
        Some(order) => {
            header.extend(order.iter().map(|&a| a as u8));
            payloads.push(chunk.transpose(&order));
        }
        None => payloads.push(chunk.to_contiguous()),
    }
}

/// A value in one piece: the length of its header as `u32`, the header, the payloads. For what is small.
pub fn to_bytes(value: &Value) -> Vec<u8> {
    let (header, payloads) = encode(value);
    let mut bytes = (header.len() as u32).to_le_bytes().to_vec();
    bytes.extend(header);
    payloads.iter().for_each(|p| bytes.extend(p.as_bytes().unwrap_or_default()));
    bytes
}

/// The value that [`to_bytes`] made bytes of.
///
/// # Errors
/// When they are not that.
pub fn from_bytes(bytes: &[u8]) -> Result<Value, DecodeError> {
    let cut = || DecodeError("it is cut off".into());
    let (len, rest) = bytes.split_first_chunk::<4>().ok_or_else(cut)?;
    let (header, mut rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or_else(cut)?;
    let header = Header::parse(header)?;
    if header.nbytes() != rest.len() {
        return Err(DecodeError(format!("{} bytes follow, {} were announced", rest.len(), header.nbytes())));
    }
    let mut payloads = Vec::with_capacity(header.lens.len());
    for &len in &header.lens {
        let (mine, others) = rest.split_at_checked(len).ok_or_else(cut)?;
        let mut buffer = Buffer::new(len);
        buffer.bytes_mut().copy_from_slice(mine);
        payloads.push(buffer);
        rest = others;
    }
    Value::from_parts(header, payloads)
}

/// The axes from slowest to fastest, when that order is not C order and the chunk has no gaps in it.
fn memory_order(chunk: &Chunk) -> Option<Vec<usize>> {
    if chunk.is_contiguous() {
        return None;
    }
    let mut axes: Vec<usize> = (0..chunk.ndim()).collect();
    axes.sort_by_key(|&a| std::cmp::Reverse(chunk.strides()[a]));
    chunk.transpose(&axes).is_contiguous().then_some(axes)
}

impl Header {
    /// Reads a header, which must be the whole of `bytes`.
    ///
    /// # Errors
    /// For any other bytes, whatever they are; nothing is allocated for sizes that they only claim.
    pub fn parse(bytes: &[u8]) -> Result<Header, DecodeError> {
        let mut reader = Reader { rest: bytes };
        let version = reader.byte()?;
        if version != VERSION {
            return Err(DecodeError(format!(
                "it has version {version}, and this build reads version {VERSION}"
            )));
        }
        let mut lens = vec![];
        let root = reader.node(0, &mut lens)?;
        if !reader.rest.is_empty() {
            return Err(DecodeError(format!("{} bytes follow its header", reader.rest.len())));
        }
        let total = lens.iter().try_fold(0usize, |sum, &n| sum.checked_add(n));
        total
            .filter(|&n| n <= isize::MAX as usize)
            .ok_or_else(|| DecodeError("its arrays overflow".into()))?;
        Ok(Header { root, lens })
    }

    /// Bytes of each payload, in order.
    pub fn payload_lens(&self) -> &[usize] {
        &self.lens
    }

    /// Bytes of all payloads: check them against what there is before making buffers.
    pub fn nbytes(&self) -> usize {
        self.lens.iter().sum()
    }
}

impl Value {
    /// The value of a header and its payloads, which become its memory.
    ///
    /// # Errors
    /// When the payloads are not those that the header announced, or hold a bool that is neither 0 nor 1.
    pub fn from_parts(header: Header, payloads: Vec<Buffer>) -> Result<Value, DecodeError> {
        if payloads.len() != header.lens.len() {
            let message = format!("{} payloads for {} arrays", payloads.len(), header.lens.len());
            return Err(DecodeError(message));
        }
        build(header.root, &mut payloads.into_iter())
    }
}

fn build(node: Node, payloads: &mut impl Iterator<Item = Buffer>) -> Result<Value, DecodeError> {
    match node {
        Node::Tuple(nodes) => {
            let values = nodes.into_iter().map(|n| build(n, payloads)).collect::<Result<_, _>>()?;
            Ok(Value::Tuple(values))
        }
        Node::Foreign(lens) => {
            let packed: Option<Vec<Chunk>> =
                lens.iter().map(|len| Chunk::from_buffer(DType::UInt8, &[*len], payloads.next()?)).collect();
            let packed = packed.ok_or_else(|| DecodeError("a payload of an object is missing".into()))?;
            Ok(Value::Foreign(Arc::new(Packed::new(packed))))
        }
        Node::Unpacked(why) => Ok(Value::Foreign(Arc::new(Unpacked(why)))),
        Node::Failed(error, cause) => {
            let cause = match cause.map(|node| build(*node, payloads)).transpose()? {
                None => None,
                Some(Value::Foreign(cause)) => Some(cause),
                Some(_) => return Err(DecodeError("a failure whose cause is an array".into())),
            };
            Ok(Trouble { error, cause }.into())
        }
        Node::Array { dtype, shape, order } => {
            let payload = payloads.next().ok_or_else(|| DecodeError("a payload is missing".into()))?;
            let found = payload.len();
            let bad = || {
                DecodeError(format!(
                    "a payload of {found} bytes is no {dtype} array of shape {shape:?}, or a bool is \
                                     neither 0 nor 1"
                ))
            };
            let Some(order) = order else {
                return Chunk::from_buffer(dtype, &shape, payload).map(Value::Array).ok_or_else(bad);
            };
            let stored: Vec<usize> = order.iter().map(|&a| shape[a]).collect();
            let chunk = Chunk::from_buffer(dtype, &stored, payload).ok_or_else(bad)?;
            let mut back = vec![0; order.len()];
            order.iter().enumerate().for_each(|(i, &a)| back[a] = i);
            Ok(chunk.transpose(&back).into())
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) =
            self.rest.split_first_chunk::<N>().ok_or_else(|| DecodeError("its header is cut off".into()))?;
        self.rest = rest;
        Ok(*head)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        self.take::<1>().map(|[b]| b)
    }

    fn node(&mut self, depth: usize, lens: &mut Vec<usize>) -> Result<Node, DecodeError> {
        let tag = self.byte()?;
        match tag {
            ARRAY | ORDERED_ARRAY => {
                let dtype = self.byte()?;
                let dtype = *DType::ALL
                    .get(usize::from(dtype))
                    .ok_or_else(|| DecodeError(format!("dtype {dtype} is unknown")))?;
                let ndim = usize::from(self.byte()?);
                if ndim > MAX_NDIM {
                    return Err(DecodeError(format!("{ndim} axes are more than {MAX_NDIM}")));
                }
                let mut shape = Vec::with_capacity(ndim);
                for _ in 0..ndim {
                    shape.push(u64::from_le_bytes(self.take()?) as usize);
                }
                let nbytes = checked_nbytes(&shape, dtype);
                lens.push(
                    nbytes.ok_or_else(|| DecodeError(format!("shape {shape:?} of {dtype} overflows")))?,
                );
                let order = if tag == ORDERED_ARRAY { Some(self.order(ndim)?) } else { None };
                Ok(Node::Array { dtype, shape, order })
            }
            TUPLE if depth == MAX_DEPTH => Err(DecodeError(format!("tuples nest deeper than {MAX_DEPTH}"))),
            TUPLE => {
                let count = u32::from_le_bytes(self.take()?);
                let nodes = (0..count).map(|_| self.node(depth + 1, lens)).collect::<Result<_, _>>()?;
                Ok(Node::Tuple(nodes))
            }
            FOREIGN => {
                let count = u32::from_le_bytes(self.take()?) as usize;
                // Each length takes eight bytes, so no more can follow than there are.
                if count > self.rest.len() / 8 {
                    return Err(DecodeError(format!(
                        "an object of {count} payloads in {} bytes",
                        self.rest.len()
                    )));
                }
                let mine = (0..count)
                    .map(|_| Ok(u64::from_le_bytes(self.take()?) as usize))
                    .collect::<Result<Vec<_>, _>>()?;
                lens.extend(&mine);
                Ok(Node::Foreign(mine))
            }
            UNPACKED => Ok(Node::Unpacked(self.text()?)),
            FAILED if depth == MAX_DEPTH => Err(DecodeError("failures nest too deep".into())),
            FAILED => {
                let error = self.text()?;
                let cause = match self.byte()? {
                    0 => None,
                    _ => Some(Box::new(self.node(depth + 1, lens)?)),
                };
                Ok(Node::Failed(error, cause))
            }
            other => Err(DecodeError(format!("tag {other} is unknown"))),
        }
    }

    fn text(&mut self) -> Result<String, DecodeError> {
        let len = u32::from_le_bytes(self.take()?) as usize;
        let (text, rest) =
            self.rest.split_at_checked(len).ok_or_else(|| DecodeError("its header is cut off".into()))?;
        self.rest = rest;
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn order(&mut self, ndim: usize) -> Result<Vec<usize>, DecodeError> {
        let mut seen = vec![false; ndim];
        let mut order = Vec::with_capacity(ndim);
        for _ in 0..ndim {
            let axis = usize::from(self.byte()?);
            match seen.get_mut(axis) {
                Some(seen) if !*seen => *seen = true,
                _ => {
                    return Err(DecodeError(format!("axis {axis} of {ndim} stands twice or does not exist")));
                }
            }
            order.push(axis);
        }
        Ok(order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Through bytes and back, as the network does it.
    fn through_bytes(value: &Value) -> Value {
        let (header, payloads) = encode(value);
        let header = Header::parse(&header).unwrap();
        let bytes: Vec<&[u8]> = payloads.iter().map(|p| p.as_bytes().unwrap()).collect();
        assert_eq!(header.payload_lens(), bytes.iter().map(|b| b.len()).collect::<Vec<_>>());
        let buffers = header.payload_lens().iter().zip(bytes).map(|(&len, bytes)| {
            let mut buffer = Buffer::new(len);
            buffer.bytes_mut().copy_from_slice(bytes);
            buffer
        });
        let buffers = buffers.collect();
        Value::from_parts(header, buffers).unwrap()
    }

    fn cube() -> Chunk {
        Chunk::from_slice(&[2, 3, 4], &(0..24).collect::<Vec<i32>>())
    }

    #[test]
    fn views_come_back_equal() {
        let x = cube();
        for chunk in [
            x.clone(),
            x.transpose(&[2, 0, 1]),
            x.transpose(&[2, 1, 0]),
            x.flip(&[1]),
            x.slice(&[(0, 2, 1), (1, 2, 1), (0, 2, 2)]),
            x.slice(&[(0, 0, 1), (0, 3, 1), (0, 4, 1)]),
            x.slice(&[(0, 1, 1), (0, 3, 1), (0, 4, 1)]).broadcast_to(&[5, 3, 4]),
            x.expand_dims(&[1]).transpose(&[3, 1, 0, 2]),
            Chunk::scalar(true),
            Chunk::scalar(num_complex::Complex64::new(1.0, -2.0)),
        ] {
            let value = Value::Array(chunk);
            assert_eq!(through_bytes(&value), value);
        }
    }

    #[test]
    fn transposed_chunks_are_not_copied() {
        let x = cube();
        let (_, payloads) = encode(&x.transpose(&[2, 0, 1]).into());
        assert_eq!(payloads[0].as_ptr(), x.as_ptr());
    }

    #[test]
    fn tuples_nest() {
        let leaf = Value::Array(Chunk::scalar(1.5f64));
        let value = Value::Tuple(vec![
            leaf.clone(),
            Value::Tuple(vec![]),
            Value::Tuple(vec![leaf.clone(), cube().into()]),
        ]);
        assert_eq!(through_bytes(&value), value);
    }

    #[test]
    fn objects_and_failures_come_in_one_piece() {
        let parts = vec![Chunk::from_slice(&[3], &[1u8, 2, 3]), Chunk::from_slice(&[0], &[0u8; 0])];
        let packed: Arc<dyn Foreign> = Arc::new(Packed::new(parts.clone()));
        let back = |value: &Value| from_bytes(&to_bytes(value)).unwrap();
        let Value::Foreign(found) = back(&Value::Foreign(Arc::clone(&packed))) else { panic!() };
        assert_eq!(found.pack(), Ok(parts.clone()));
        for cause in [None, Some(packed)] {
            let value = back(&Trouble { error: "it broke".into(), cause: cause.clone() }.into());
            let trouble = Trouble::of(&value).unwrap();
            assert_eq!(trouble.error, "it broke");
            assert_eq!(trouble.cause.as_ref().map(|c| c.pack()), cause.map(|_| Ok(parts.clone())));
        }
        let whole = to_bytes(&cube().into());
        for bytes in [&[][..], &whole[..3], &whole[..9], &whole[..whole.len() - 1]] {
            assert!(from_bytes(bytes).is_err());
        }
    }

    #[test]
    fn hostile_headers_are_refused() {
        let array = |ndim: u8, rest: &[u8]| [&[VERSION, ORDERED_ARRAY, 0, ndim], rest].concat();
        for (bytes, hint) in [
            (vec![], "cut off"),
            (vec![9], "version 9"),
            (vec![VERSION, 7], "tag 7"),
            (vec![VERSION, ARRAY, 13, 0], "dtype 13"),
            (vec![VERSION, ARRAY, 0, 65], "65 axes"),
            (vec![VERSION, ARRAY, 0, 0, 0], "1 bytes follow"),
            (vec![VERSION, TUPLE, 255, 255, 255, 255], "cut off"),
            ([VERSION].into_iter().chain([TUPLE, 1, 0, 0, 0].repeat(100_000)).collect(), "deeper"),
            (array(1, &(1u64 << 63).to_le_bytes()), "overflows"),
            (array(1, &[1, 0, 0, 0, 0, 0, 0, 0, 1]), "axis 1"),
            (array(2, &[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]), "axis 1"),
        ] {
            let e = Header::parse(&bytes).unwrap_err().to_string();
            assert!(e.contains(hint), "{bytes:?}: {e}");
        }
        let huge = [
            &[VERSION, TUPLE, 5, 0, 0, 0][..],
            &[&[ARRAY, 0, 1][..], &(1u64 << 61).to_le_bytes()].concat().repeat(5),
        ];
        assert!(Header::parse(&huge.concat()).unwrap_err().to_string().contains("overflow"));
    }

    #[test]
    fn payloads_must_fit() {
        let header = || Header::parse(&encode(&Chunk::from_slice(&[2], &[true, false]).into()).0).unwrap();
        assert!(Value::from_parts(header(), vec![]).is_err());
        assert!(Value::from_parts(header(), vec![Buffer::new(3)]).is_err());
        let mut two = Buffer::new(2);
        two.bytes_mut().fill(2);
        assert!(Value::from_parts(header(), vec![two]).unwrap_err().to_string().contains("bool"));
    }

    proptest! {
        #[test]
        fn no_header_panics(bytes in prop::collection::vec(prop_oneof![0u8..4, any::<u8>()], 0..80)) {
            let bytes = [&[VERSION], bytes.as_slice()].concat();
            if let Ok(header) = Header::parse(&bytes)
                && header.nbytes() < 1 << 20
            {
                let buffers = header.payload_lens().iter().map(|&n| {
                    let mut buffer = Buffer::new(n);
                    buffer.bytes_mut().fill(0);
                    buffer
                });
                let buffers = buffers.collect();
                let value = Value::from_parts(header, buffers).unwrap();
                prop_assert_eq!(through_bytes(&value), value);
            }
        }
    }
}
