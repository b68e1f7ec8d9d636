//! What tasks hand to each other: a chunk or a tuple of values.

use crate::chunk::Chunk;

/// The result of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// An array.
    Array(Chunk),
    /// Several values, such as the parts of a variance.
    Tuple(Vec<Value>),
}

impl Value {
    /// Bytes of memory that it keeps alive.
    pub fn held_bytes(&self) -> usize {
        match self {
            Value::Array(chunk) => chunk.held_bytes(),
            Value::Tuple(values) => values.iter().map(Value::held_bytes).sum(),
        }
    }

    /// The chunk, when it is one.
    pub fn array(&self) -> Option<&Chunk> {
        match self {
            Value::Array(chunk) => Some(chunk),
            Value::Tuple(_) => None,
        }
    }
}

impl From<Chunk> for Value {
    fn from(chunk: Chunk) -> Value {
        Value::Array(chunk)
    }
}
