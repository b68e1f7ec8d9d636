//! Frames: a control message and the raw bytes that go with it.
//!
//! ```text
//! u32  length of the control message          (little-endian)
//! u32  number n of payloads
//! u64  × n  their lengths
//!      the control message, MessagePack
//!      the payloads
//! ```

use super::Error;
use dask_array::buffer::Buffer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};

/// What a peer may send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a control message.
    pub control: usize,
    /// Bytes of all payloads of a frame.
    pub payload: u64,
}

impl Limits {
    /// Of a peer that has not said what it is.
    pub const GREETING: Limits = Limits { control: 64 << 10, payload: 0 };

    /// Control messages only, as big as a part of a plan may be.
    pub const CONTROL: Limits = Limits { control: 256 << 20, payload: 0 };

    /// With chunks, each frame at most this many bytes.
    pub fn with_payload(bytes: u64) -> Limits {
        Limits { payload: bytes, ..Limits::CONTROL }
    }
}

/// Payloads in one frame at most: a tuple of arrays has one each.
const MAX_PAYLOADS: usize = 4096;

/// One frame.
pub struct Frame<T> {
    /// Control message.
    pub message: T,
    /// Raw bytes, in pooled memory.
    pub payloads: Vec<Buffer>,
}

/// Reads frames from one connection.
pub struct Reader<R> {
    from: BufReader<R>,
    limits: Limits,
    control: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// A reader that refuses frames beyond `limits`.
    pub fn new(from: R, limits: Limits) -> Reader<R> {
        Reader { from: BufReader::with_capacity(64 << 10, from), limits, control: vec![] }
    }

    /// From here on, other limits hold: the peer has said what it is.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The next frame. Not cancel safe: a caller that gives up in between must close the connection.
    ///
    /// # Errors
    /// [`Error::Closed`] at a clean end; what was wrong otherwise.
    pub async fn frame<T: DeserializeOwned>(&mut self) -> Result<Frame<T>, Error> {
        let mut head = [0; 8];
        self.from.read_exact(&mut head[..1]).await.map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset => Error::Closed,
            _ => Error::Io(e),
        })?;
        self.from.read_exact(&mut head[1..]).await?;
        let [a, b, c, d, e, f, g, h] = head;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let count = u32::from_le_bytes([e, f, g, h]) as usize;
        let Limits { control, payload } = self.limits;
        if length > control {
            return Err(Error::Protocol(format!(
                "a control message of {length} bytes; at most {control} are taken"
            )));
        }
        if count > MAX_PAYLOADS {
            return Err(Error::Protocol(format!(
                "a frame with {count} payloads; at most {MAX_PAYLOADS} are taken"
            )));
        }
        let mut lens = Vec::with_capacity(count);
        let mut total = 0u64;
        for _ in 0..count {
            let len = self.from.read_u64_le().await?;
            total = total.saturating_add(len);
            lens.push(len);
        }
        if total > payload {
            return Err(Error::Protocol(format!(
                "a frame with {total} bytes of payload; at most {payload} are taken"
            )));
        }
        self.read_control(length).await?;
        let message = decode(&self.control)?;
        let mut payloads = Vec::with_capacity(count);
        for len in lens {
            let mut buffer = Buffer::new(len as usize);
            self.from.read_exact(buffer.bytes_mut()).await?;
            payloads.push(buffer);
        }
        Ok(Frame { message, payloads })
    }

    /// Grows the buffer as bytes arrive: an announced length alone takes no memory.
    async fn read_control(&mut self, length: usize) -> Result<(), Error> {
        const STEP: usize = 1 << 20;
        self.control.clear();
        if self.control.capacity() > STEP && length < STEP {
            self.control.shrink_to(STEP);
        }
        while self.control.len() < length {
            let (at, next) = (self.control.len(), length.min(self.control.len() + STEP));
            self.control.resize(next, 0);
            self.from.read_exact(&mut self.control[at..]).await?;
        }
        Ok(())
    }
}

fn decode<T: DeserializeOwned>(control: &[u8]) -> Result<T, Error> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(control);
    // Messages are shallow; what is nested deeper is an attack on the stack.
    reader.set_max_depth(64);
    T::deserialize(&mut reader).map_err(|e| Error::Protocol(format!("a message that cannot be read: {e}")))
}

/// Appends a frame's head and control message; the payloads follow it on the wire.
///
/// # Errors
/// When the message is too large for a frame.
pub fn encode<T: Serialize>(message: &T, payloads: &[u64], out: &mut Vec<u8>) -> Result<(), Error> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(payloads.len() as u32).to_le_bytes());
    payloads.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
    let body = out.len();
    let written = rmp_serde::encode::write_named(out, message).map_err(|e| Error::Protocol(e.to_string()));
    let length = out.len() - body;
    match (written, u32::try_from(length)) {
        (Ok(()), Ok(length)) if length as usize <= Limits::CONTROL.control => {
            out[start..start + 4].copy_from_slice(&length.to_le_bytes());
            Ok(())
        }
        (result, _) => {
            out.truncate(start);
            result.and(Err(Error::Protocol(format!(
                "a message of {length} bytes does not fit into a frame of {}; send it in smaller parts",
                Limits::CONTROL.control
            ))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: DeserializeOwned>(bytes: &[u8], limits: Limits) -> Result<Frame<T>, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(Reader::new(bytes, limits).frame())
    }

    #[test]
    fn frames_come_back() {
        let mut bytes = vec![];
        encode(&("hello", 7), &[3, 0], &mut bytes).unwrap();
        bytes.extend_from_slice(b"abc");
        let frame = read::<(String, u8)>(&bytes, Limits::with_payload(3)).unwrap();
        assert_eq!(frame.message, ("hello".into(), 7));
        assert_eq!(
            frame.payloads.iter().map(|b| b.bytes().to_vec()).collect::<Vec<_>>(),
            [b"abc".to_vec(), vec![]]
        );
    }

    #[test]
    fn lengths_are_checked_before_memory_is_taken() {
        let frame = |length: u32, lens: &[u64]| {
            let mut b = length.to_le_bytes().to_vec();
            b.extend_from_slice(&(lens.len() as u32).to_le_bytes());
            lens.iter().for_each(|n| b.extend_from_slice(&n.to_le_bytes()));
            b
        };
        let limits = Limits { control: 1 << 20, payload: 1 << 20 };
        for (bytes, why) in [
            (frame(u32::MAX, &[]), "control message of 4294967295"),
            (frame(1, &[u64::MAX, u64::MAX]), "bytes of payload"),
            (frame(1, &vec![0; MAX_PAYLOADS + 1]), "4097 payloads"),
        ] {
            let error = read::<()>(&bytes, limits).map(|f| f.message).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(matches!(read::<()>(&[], limits), Err(Error::Closed)));
        assert!(matches!(read::<()>(&frame(1 << 20, &[]), limits), Err(Error::Io(_))), "truncated");
    }

    #[test]
    fn deep_nesting_is_refused() {
        let mut deep = vec![0x91; 1_000_000];
        deep.push(0xc0);
        let mut bytes = (deep.len() as u32).to_le_bytes().to_vec();
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend(deep);
        let error = read::<serde::de::IgnoredAny>(&bytes, Limits::CONTROL).map(drop).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }
}
