//! Results as bytes: a head that says what they are, and the raw bytes of each array.

use super::Error;
use dask_array::buffer::Buffer;
use dask_array::{Chunk, DType, Value};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum Node { A(DType, Vec<u64>), T(Vec<Node>) }

/// Head and payloads of a value.
pub fn encode(value: &Value) -> (Vec<u8>, Vec<Chunk>) {
    fn walk(v: &Value, out: &mut Vec<Chunk>) -> Node {
        match v {
            Value::Array(c) => {
                out.push(c.to_contiguous());
                Node::A(c.dtype(), c.shape().iter().map(|n| *n as u64).collect())
            }
            Value::Tuple(vs) => Node::T(vs.iter().map(|v| walk(v, out)).collect()),
        }
    }
    let mut out = vec![];
    let node = walk(value, &mut out);
    (rmp_serde::to_vec(&node).unwrap_or_default(), out)
}

/// The value of a head, from its payloads, of which it takes as many as it needs.
///
/// # Errors
/// When they do not fit together.
pub fn decode(head: &[u8], payloads: &mut impl Iterator<Item = Buffer>) -> Result<Value, Error> {
    fn walk(node: Node, p: &mut impl Iterator<Item = Buffer>) -> Option<Value> {
        Some(match node {
            Node::A(d, s) => {
                let s: Vec<usize> = s.into_iter().map(|n| n as usize).collect();
                Value::Array(Chunk::from_buffer(d, &s, p.next()?)?)
            }
            Node::T(ns) => Value::Tuple(ns.into_iter().map(|n| walk(n, p)).collect::<Option<_>>()?),
        })
    }
    let node = rmp_serde::from_slice(head).map_err(|e| Error::Protocol(e.to_string()))?;
    walk(node, payloads).ok_or_else(|| Error::Protocol("a result whose bytes do not fit its head".into()))
}
