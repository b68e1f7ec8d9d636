//! The first bytes of a connection.
//!
//! The side that connects sends `DASKRT`, its protocol's major and minor version, and a frame with its [`Hello`]. The
//! side that listens answers in the same form with a [`Verdict`]. The version stands before everything that a version may
//! change, so that each side can always name both.

use super::frame::{self, Limits, Reader};
use super::message::{Hello, Verdict};
use super::{Address, Error, distributed};
use socket2::{SockRef, TcpKeepalive};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

const MAGIC: [u8; 6] = *b"DASKRT";

/// Version of the protocol that this build speaks: major, minor. Peers one minor older are served too.
pub const VERSION: (u8, u8) = (1, 0);

/// A peer that says nothing is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A host that died says nothing, not even that the connection is closed: after so long without a sign of it, the
/// connection counts as broken.
const SILENCE: Duration = Duration::from_secs(20);

/// Between questions whether a silent host is still there.
const PROBE: Duration = Duration::from_secs(5);

/// Sets what every connection has: frames go out at once, and a dead host is noticed.
fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let retries = SILENCE.div_duration_f64(PROBE) as u32 - 1;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new().with_time(PROBE).with_interval(PROBE).with_retries(retries),
    )?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(SILENCE))?;
    Ok(())
}

/// Who knocked, when it was not one of ours.
#[derive(Debug, thiserror::Error)]
pub enum Stranger {
    /// Speaks the protocol of Dask's `distributed`.
    #[error("it speaks the protocol of dask.distributed; it is told: {}", distributed::ADVICE)]
    Distributed,
    /// Speaks something else, or nothing.
    #[error("not a peer of this protocol: it began with \"{0}\"")]
    Unknown(String),
    /// Speaks a version that we do not.
    #[error("it speaks protocol {}.{}, this process {}.{}; {}", .0.0, .0.1, VERSION.0, VERSION.1, advice(*.0))]
    Version((u8, u8)),
    /// Broke off.
    #[error(transparent)]
    Lost(#[from] Error),
}

fn advice(theirs: (u8, u8)) -> &'static str {
    if theirs < VERSION { "update the peer" } else { "update this process" }
}

fn accepts(theirs: (u8, u8)) -> bool {
    theirs.0 == VERSION.0 && (theirs.1 == VERSION.1 || theirs.1 + 1 == VERSION.1)
}

/// Both directions of a connection that has been greeted.
pub struct Greeted {
    /// Frames from the peer.
    pub reader: Reader<OwnedReadHalf>,
    /// The way to the peer.
    pub writer: OwnedWriteHalf,
}

/// Connects to `address` and says hello.
///
/// # Errors
/// When nobody listens there, or the peer refuses; [`Error::Refused`] carries its reason.
pub async fn connect(address: &Address, hello: &Hello, limits: Limits) -> Result<(Greeted, Verdict), Error> {
    let stream = tokio::time::timeout(PATIENCE, TcpStream::connect(address.pair()))
        .await
        .map_err(|_| std::io::Error::new(std::io::ErrorKind::TimedOut, "nobody answered"))??;
    prepare(&stream)?;
    let (mut read, mut write) = stream.into_split();
    write.write_all(&opening(hello)?).await?;
    let mut theirs = [0; 8];
    timely(read.read_exact(&mut theirs)).await?;
    if theirs[..6] != MAGIC {
        return Err(Error::Protocol(match stranger(&theirs, &mut read).await.0 {
            Stranger::Distributed => "it speaks the protocol of dask.distributed".into(),
            _ if theirs.starts_with(b"HTTP/") => "it is an HTTP server".into(),
            _ => format!("it said \"{}\"", text(&theirs)),
        }));
    }
    let version = (theirs[6], theirs[7]);
    if version.0 != VERSION.0 {
        return Err(Error::Protocol(Stranger::Version(version).to_string()));
    }
    let mut reader = Reader::new(read, limits);
    let verdict = match tokio::time::timeout(PATIENCE, reader.frame::<Verdict>()).await {
        Ok(frame) => frame?.message,
        Err(_) => return Err(Error::Protocol("the peer does not answer".into())),
    };
    match verdict {
        Verdict::Refused { reason } => Err(Error::Refused(reason)),
        verdict => Ok((Greeted { reader, writer: write }, verdict)),
    }
}

/// Reads the hello of a connection that was accepted. Its answer goes out through [`answer`]. The caller sets the
/// reader's limits to what such a peer may send.
///
/// # Errors
/// Tells who it is instead.
pub async fn accept(stream: TcpStream) -> Result<(Hello, Greeted), Stranger> {
    prepare(&stream).map_err(Error::from)?;
    let (mut read, mut write) = stream.into_split();
    let mut first = [0; 8];
    timely(read.read_exact(&mut first)).await?;
    if first[..6] != MAGIC {
        let (stranger, rest) = stranger(&first, &mut read).await;
        if let Stranger::Distributed = stranger {
            // The caller counts it now; it may take its time to ask.
            tokio::spawn(distributed::advise(read, write, rest));
        }
        return Err(stranger);
    }
    let version = (first[6], first[7]);
    if !accepts(version) {
        let stranger = Stranger::Version(version);
        let reason = format!(
            "this process speaks protocol {}.{}, the peer {}.{}; {}",
            VERSION.0,
            VERSION.1,
            version.0,
            version.1,
            if version < VERSION { "update the peer" } else { "update this process" }
        );
        let _ = write.write_all(&opening(&Verdict::Refused { reason })?).await;
        return Err(stranger);
    }
    let mut reader = Reader::new(read, Limits::GREETING);
    match tokio::time::timeout(PATIENCE, reader.frame::<Hello>()).await {
        Ok(hello) => Ok((hello?.message, Greeted { reader, writer: write })),
        Err(_) => Err(Error::Protocol("a greeting that does not end".into()).into()),
    }
}

/// Answers a hello.
///
/// # Errors
/// When the peer is gone.
pub async fn answer(writer: &mut OwnedWriteHalf, verdict: &Verdict) -> Result<(), Error> {
    Ok(writer.write_all(&opening(verdict)?).await?)
}

/// The first bytes of one side.
///
/// # Errors
/// When the message is too large for a frame.
pub fn opening<T: serde::Serialize>(message: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend([VERSION.0, VERSION.1]);
    frame::encode(message, &[], &mut bytes)?;
    Ok(bytes)
}

async fn timely<T>(read: impl Future<Output = std::io::Result<T>>) -> Result<T, Error> {
    match tokio::time::timeout(PATIENCE, read).await {
        Ok(Err(e)) if e.kind() == std::io::ErrorKind::UnexpectedEof => Err(Error::Closed),
        Ok(result) => Ok(result?),
        Err(_) => Err(Error::Protocol("the peer says nothing".into())),
    }
}

/// Looks a little further to find out who it is, and how much of its first message is still to come.
async fn stranger(first: &[u8; 8], read: &mut OwnedReadHalf) -> (Stranger, u64) {
    let mut bytes = first.to_vec();
    let more = async {
        let mut next = [0; 256];
        while bytes.len() < 256 {
            match read.read(&mut next).await {
                Ok(n) if n > 0 => bytes.extend_from_slice(&next[..n]),
                _ => break,
            }
            if distributed::first_message(&bytes).is_some() {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_millis(200), more).await;
    match distributed::first_message(&bytes) {
        Some(length) => (Stranger::Distributed, length.saturating_sub(bytes.len() as u64)),
        None => (Stranger::Unknown(text(&bytes)), 0),
    }
}

fn text(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(32)].escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_older_minor_is_served() {
        assert!(accepts(VERSION));
        assert!(!accepts((VERSION.0 + 1, 0)));
        assert!(!accepts((VERSION.0, VERSION.1 + 1)), "the newer side judges");
        let told = Stranger::Version((9, 3)).to_string();
        assert!(told.contains("9.3") && told.contains("1.0"), "{told}");
    }
}
