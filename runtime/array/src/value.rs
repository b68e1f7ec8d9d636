//! What tasks hand to each other: a chunk, a tuple of values, or something that only the host of the engine understands.

use crate::chunk::Chunk;
use std::any::Any;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

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

/// A foreign value from another process: its bytes, until its host makes it again, and then what the host made.
#[derive(Debug)]
pub struct Packed {
    state: Mutex<PackedState>,
    /// Bytes when it came. What the host made of it counts for as much, lest accounts change under their owners.
    nbytes: usize,
}

#[derive(Clone, Debug)]
enum PackedState {
    Parts(Vec<Chunk>),
    Live(Arc<dyn Foreign>),
}

impl Packed {
    /// A value of these bytes: one-dimensional uint8 chunks.
    pub fn new(parts: Vec<Chunk>) -> Packed {
        let nbytes = parts.iter().map(Chunk::held_bytes).sum();
        Packed { state: Mutex::new(PackedState::Parts(parts)), nbytes }
    }

    fn state(&self) -> PackedState {
        self.state.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// What the host made of it, by `unpack` unless that was done before.
    ///
    /// # Errors
    /// Those of `unpack`.
    pub fn live<E>(
        &self,
        unpack: impl FnOnce(Vec<Chunk>) -> Result<Arc<dyn Foreign>, E>,
    ) -> Result<Arc<dyn Foreign>, E> {
        let parts = match self.state() {
            PackedState::Live(live) => return Ok(live),
            PackedState::Parts(parts) => parts,
        };
        // Not under the lock: the host has locks of its own. Where two unpack at a time, all share what came first.
        let made = unpack(parts)?;
        let mut state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        if let PackedState::Live(live) = &*state {
            return Ok(Arc::clone(live));
        }
        *state = PackedState::Live(Arc::clone(&made));
        Ok(made)
    }
}

impl Foreign for Packed {
    fn held_bytes(&self) -> usize {
        self.nbytes
    }

    fn describe(&self) -> String {
        match self.state() {
            PackedState::Live(live) => live.describe(),
            PackedState::Parts(_) => format!("a packed object, {} bytes", self.nbytes),
        }
    }

    fn chunk(&self) -> Option<Chunk> {
        match self.state() {
            PackedState::Live(live) => live.chunk(),
            PackedState::Parts(_) => None,
        }
    }

    fn pack(&self) -> Result<Vec<Chunk>, String> {
        match self.state() {
            PackedState::Live(live) => live.pack(),
            PackedState::Parts(parts) => Ok(parts),
        }
    }

    fn any(&self) -> &dyn Any {
        self
    }
}

/// Why a task brought no result; as a value, in place of its result.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// What it said.
    pub error: String,
    /// The host's own form of it, such as the exception.
    pub cause: Option<Arc<dyn Foreign>>,
}

impl Trouble {
    /// The failure that a value is, if it is one.
    pub fn of(value: &Value) -> Option<&Trouble> {
        match value {
            Value::Foreign(foreign) => foreign.any().downcast_ref(),
            _ => None,
        }
    }
}

impl Foreign for Trouble {
    fn held_bytes(&self) -> usize {
        self.error.len() + self.cause.as_ref().map_or(0, |cause| cause.held_bytes())
    }

    fn describe(&self) -> String {
        self.error.clone()
    }

    /// [`crate::encode`] has a form of its own for failures.
    fn pack(&self) -> Result<Vec<Chunk>, String> {
        Err(self.error.clone())
    }

    fn any(&self) -> &dyn Any {
        self
    }
}

impl From<Trouble> for Value {
    fn from(trouble: Trouble) -> Value {
        Value::Foreign(Arc::new(trouble))
    }
}

impl From<String> for Trouble {
    fn from(error: String) -> Trouble {
        Trouble { error, cause: None }
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
