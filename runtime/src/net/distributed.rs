//! What a peer that speaks the protocol of Dask's `distributed` is told, in that protocol, so that its user reads why.
//!
//! A message is the number of bytes that follow, the number of frames and their lengths, as little-endian 64-bit words,
//! then the frames; the first frame is MessagePack. Both sides first say what they support; then the peer asks. A client
//! raises the `exception` of an answer with the `status` below, a worker logs its `message`.

use serde::Serialize;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What its user reads.
pub const ADVICE: &str = "this is dask-runtime, which does not speak the protocol of dask.distributed: in Python write \
                          `from dask_runtime import Client` instead of `from dask.distributed import Client`; or connect \
                          to a scheduler started by `dask scheduler`";

/// A peer that asks nothing is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first message of a connection is small.
const MOST_FIRST: u64 = 1 << 20;

#[derive(Serialize)]
struct Handshake {
    compression: Option<()>,
    #[serde(rename = "pickle-protocol")]
    pickle_protocol: u8,
}

#[derive(Serialize)]
struct Refusal {
    status: &'static str,
    exception: &'static str,
    message: &'static str,
    /// A worker compares clocks before it looks at the status.
    time: f64,
}

/// If these are the first bytes of a connection by this protocol: the length of its first message.
pub fn first_message(bytes: &[u8]) -> Option<u64> {
    let (words, _) = bytes.as_chunks::<8>();
    let mut words = words.iter().map(|w| u64::from_le_bytes(*w));
    let (total, frames) = (words.next()?, words.next()?);
    if !(1..=16).contains(&frames) || total > MOST_FIRST {
        return None;
    }
    let lens: Vec<u64> = words.take(frames as usize).collect();
    let sum = lens.iter().try_fold(8 + 8 * frames, |sum, n| sum.checked_add(*n))?;
    (lens.len() == frames as usize && sum == total).then_some(8 + total)
}

/// Answers the handshake, of which `rest` bytes are still to be read, and then the first question: by [`ADVICE`].
pub async fn advise(mut read: impl AsyncRead + Unpin, mut write: impl AsyncWrite + Unpin, rest: u64) {
    let talk = async {
        skip(&mut read, rest).await?;
        write.write_all(&message(&Handshake { compression: None, pickle_protocol: 5 })).await?;
        let question = read.read_u64_le().await?;
        skip(&mut read, question).await?;
        let refusal = Refusal { status: "uncaught-error", exception: ADVICE, message: ADVICE, time: 0.0 };
        write.write_all(&message(&refusal)).await
    };
    // It has its answer or it does not want one.
    let _ = tokio::time::timeout(PATIENCE, talk).await;
}

/// Reads so many bytes without keeping them.
async fn skip(read: &mut (impl AsyncRead + Unpin), bytes: u64) -> std::io::Result<()> {
    tokio::io::copy(&mut read.take(bytes), &mut tokio::io::sink()).await.map(|_| ())
}

/// A message of one frame.
fn message(of: &impl Serialize) -> Vec<u8> {
    // Numbers and texts have no way to fail.
    let frame = rmp_serde::to_vec_named(of).unwrap_or_default();
    let length = frame.len() as u64;
    let words = [16 + length, 1, length].map(u64::to_le_bytes);
    [words.as_flattened(), &frame].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The handshake of distributed 2026.8, as captured from a client.
    fn handshake() -> Vec<u8> {
        let frame = b"\x83\xabcompression\xc0\xa6python\x93\x03\x0b\x07\xafpickle-protocol\x05";
        let words = [16 + frame.len() as u64, 1, frame.len() as u64].map(u64::to_le_bytes);
        [words.as_flattened(), frame].concat()
    }

    #[test]
    fn it_is_recognised() {
        let bytes = handshake();
        assert_eq!(first_message(&bytes), Some(bytes.len() as u64));
        assert_eq!(first_message(&bytes[..24]), Some(bytes.len() as u64), "by its head alone");
        assert_eq!(first_message(&bytes[..23]), None);
        assert_eq!(first_message(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), None);
        assert_eq!(first_message(&[0; 64]), None);
        assert_eq!(first_message(&[255; 64]), None);
    }

    #[tokio::test]
    async fn the_first_question_is_answered() {
        let (mut peer, own) = tokio::io::duplex(1 << 16);
        let (read, write) = tokio::io::split(own);
        let advised = tokio::spawn(advise(read, write, 5));
        // The rest of a handshake, and a question of 3 bytes.
        peer.write_all(b"12345\x03\0\0\0\0\0\0\0abc").await.unwrap();
        advised.await.unwrap();
        let mut answer = vec![];
        peer.read_to_end(&mut answer).await.unwrap();
        let length = first_message(&answer).unwrap() as usize;
        assert_eq!(first_message(&answer[length..]), Some((answer.len() - length) as u64));
        assert!(answer.windows(ADVICE.len()).any(|w| w == ADVICE.as_bytes()));
    }
}
