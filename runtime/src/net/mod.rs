//! How processes talk: greetings, frames, and the messages inside them.
//!
//! A connection starts with a [`greet`]ing, which names the protocol's version before anything that a version could
//! change. After it, both sides send [`frame`]s: a control message in MessagePack and, after it, the raw bytes of
//! chunks. Nothing from outside is trusted: every length is compared with a limit before memory is taken for it.

pub mod address;
pub mod codec;
pub mod column;
pub mod distributed;
pub mod frame;
pub mod greet;
pub mod link;
pub mod message;

pub use address::Address;
pub use frame::{Frame, Limits, Reader};
pub use link::Sender;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The peer closed it.
    #[error("the connection was closed")]
    Closed,
    /// The operating system's word.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The peer broke the protocol: says how.
    #[error("{0}")]
    Protocol(String),
    /// The peer refused the connection: its reason.
    #[error("refused: {0}")]
    Refused(String),
}

/// This software, as it names itself to peers.
pub fn agent() -> String {
    concat!("dask-runtime ", env!("CARGO_PKG_VERSION")).into()
}
