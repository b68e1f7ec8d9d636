//! What tasks hand to each other: a chunk, a tuple of values, or something that only the host of the engine understands.

use crate::chunk::Chunk;
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

/// The result of a task.
#[derive(Clone, Debug)]
pub enum Value {
    /// An array.
    Array(Chunk),
    /// Several values, such as the parts of a variance.
    Tuple(Vec<Value>),
    /// What the host made, such as a Python object.
    Foreign(Arc<dyn Foreign>),
}

/// A value of the engine's host. Native operators know it only as an array, if it is one.
pub trait Foreign: Debug + Send + Sync {
    /// Bytes of memory that it keeps alive, as far as the host knows.
    fn held_bytes(&self) -> usize;

    /// What it is, for people.
    fn describe(&self) -> String;

    /// The chunk, sharing its memory, when it is a plain array of a native dtype.
    fn chunk(&self) -> Option<Chunk> {
        None
    }

    /// Its bytes, for another process: one-dimensional uint8 chunks, of which the host there makes it again.
    ///
    /// # Errors
    /// When it cannot leave its process; says why.
    fn pack(&self) -> Result<Vec<Chunk>, String>;

    /// For the host, which knows what it made.
    fn any(&self) -> &dyn Any;
}

/// A foreign value from another process, which its host has not unpacked.
#[derive(Debug)]
pub struct Packed(pub Vec<Chunk>);

impl Foreign for Packed {
    fn held_bytes(&self) -> usize {
        self.0.iter().map(Chunk::held_bytes).sum()
    }

    fn describe(&self) -> String {
        format!("a packed object, {} bytes", self.held_bytes())
    }

    fn pack(&self) -> Result<Vec<Chunk>, String> {
        Ok(self.0.clone())
    }

    fn any(&self) -> &dyn Any {
        self
    }
}

impl Value {
    /// Bytes of memory that it keeps alive.
    pub fn held_bytes(&self) -> usize {
        match self {
            Value::Array(chunk) => chunk.held_bytes(),
            Value::Tuple(values) => values.iter().map(Value::held_bytes).sum(),
            Value::Foreign(value) => value.held_bytes(),
        }
    }

    /// The chunk, when it is one.
    pub fn array(&self) -> Option<&Chunk> {
        match self {
            Value::Array(chunk) => Some(chunk),
            Value::Tuple(_) | Value::Foreign(_) => None,
        }
    }

    /// What it is, for people.
    pub fn describe(&self) -> String {
        match self {
            Value::Array(chunk) => {
                format!("{} {:?}, {} bytes", chunk.dtype(), chunk.shape(), chunk.nbytes())
            }
            Value::Tuple(values) => {
                format!("({})", values.iter().map(Value::describe).collect::<Vec<_>>().join("; "))
            }
            Value::Foreign(value) => value.describe(),
        }
    }
}

/// What arrives in place of a foreign value that could not be packed: why.
#[derive(Debug)]
pub struct Unpacked(pub String);

impl Foreign for Unpacked {
    fn held_bytes(&self) -> usize {
        self.0.len()
    }

    fn describe(&self) -> String {
        self.0.clone()
    }

    fn pack(&self) -> Result<Vec<Chunk>, String> {
        Err(self.0.clone())
    }

    fn any(&self) -> &dyn Any {
        self
    }
}

impl PartialEq for Value {
    /// Equal arrays, or the same foreign value: what is in that is the host's affair.
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Array(a), Value::Array(b)) => a == b,
            (Value::Tuple(a), Value::Tuple(b)) => a == b,
            (Value::Foreign(a), Value::Foreign(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl From<Chunk> for Value {
    fn from(chunk: Chunk) -> Value {
        Value::Array(chunk)
    }
}
