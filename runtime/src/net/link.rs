//! The sending side of a connection: anyone may send from any thread, nobody waits.
//!
//! A message is encoded into a queue, and the sender writes as much of the queue as the socket takes at once, on its own
//! thread: nobody has to be woken for a small message, which is most of the latency of a small task. What the socket
//! does not take, a task of the connection's own writes later.

use super::{Error, frame};
use dask_array::Chunk;
use serde::Serialize;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

/// Payloads below this are copied behind their message; larger ones are written from where they are.
const COPY_BELOW: usize = 16 << 10;

/// A sender is asked to wait ([`Sender::room`]) while more than this is queued.
const HIGH_WATER: usize = 8 << 20;

/// Where messages to one peer go. Clones share the connection; it is closed, after what is queued was written, when
/// the last clone is dropped.
#[derive(Clone)]
pub struct Sender {
    handle: Arc<Handle>,
}

struct Handle(Arc<Inner>);

struct Inner {
    socket: OwnedWriteHalf,
    queue: Mutex<Queue>,
    /// Wakes the writing task.
    wake: Notify,
    /// Wakes those who wait for room.
    room: Notify,
}

#[derive(Default)]
struct Queue {
    segments: VecDeque<Segment>,
    bytes: usize,
    /// The socket took no more; the task writes from here on.
    stalled: bool,
    /// All handles are gone.
    closing: bool,
    /// Writing failed.
    broken: bool,
}

enum Segment {
    Bytes { bytes: Vec<u8>, written: usize },
    Payload { chunk: Chunk, written: usize },
}

impl Segment {
    fn rest(&self) -> &[u8] {
        match self {
            Segment::Bytes { bytes, written } => &bytes[*written..],
            Segment::Payload { chunk, written } => chunk.as_bytes().map_or(&[], |b| &b[*written..]),
        }
    }

    fn advance(&mut self, n: usize) {
        match self {
            Segment::Bytes { written, .. } | Segment::Payload { written, .. } => *written += n,
        }
    }
}

impl Sender {
    /// Takes over the writing side of a connection; spawns its writing task on the current runtime.
    pub fn new(socket: OwnedWriteHalf) -> Sender {
        let inner =
            Arc::new(Inner { socket, queue: Mutex::default(), wake: Notify::new(), room: Notify::new() });
        tokio::spawn(write(Arc::clone(&inner)));
        Sender { handle: Arc::new(Handle(inner)) }
    }

    /// Sends a control message.
    ///
    /// # Errors
    /// When the connection is broken or the message too large for a frame.
    pub fn send<T: Serialize>(&self, message: &T) -> Result<(), Error> {
        self.send_with(message, &[])
    }

    /// Sends bytes that are a frame already, or a greeting.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn send_raw(&self, bytes: &[u8]) -> Result<(), Error> {
        let inner = &self.handle.0;
        let mut queue = inner.lock();
        if queue.broken {
            return Err(Error::Closed);
        }
        queue.tail().extend_from_slice(bytes);
        queue.bytes += bytes.len();
        inner.start(&mut queue);
        Ok(())
    }

    /// Sends a control message and raw bytes after it: contiguous chunks.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub fn send_with<T: Serialize>(&self, message: &T, payloads: &[Chunk]) -> Result<(), Error> {
        let inner = &self.handle.0;
        let mut queue = inner.lock();
        if queue.broken {
            return Err(Error::Closed);
        }
        let lens: Vec<u64> = payloads.iter().map(|c| c.nbytes() as u64).collect();
        let before = queue.tail().len();
        let encoded = frame::encode(message, &lens, queue.tail());
        queue.bytes += queue.tail().len() - before;
        encoded?;
        for chunk in payloads {
            let bytes = chunk.as_bytes().ok_or_else(|| Error::Protocol("a payload with gaps".into()))?;
            queue.bytes += bytes.len();
            if bytes.len() < COPY_BELOW {
                queue.tail().extend_from_slice(bytes);
            } else {
                queue.segments.push_back(Segment::Payload { chunk: chunk.clone(), written: 0 });
            }
        }
        inner.start(&mut queue);
        Ok(())
    }

    /// Waits while much is queued.
    pub async fn room(&self) {
        loop {
            let room = self.handle.0.room.notified();
            {
                let queue = self.handle.0.lock();
                if queue.bytes < HIGH_WATER || queue.broken {
                    return;
                }
            }
            room.await;
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.lock().closing = true;
        self.0.wake.notify_one();
    }
}

impl Queue {
    /// Bytes at the end of the queue, to encode into.
    fn tail(&mut self) -> &mut Vec<u8> {
        if !matches!(self.segments.back(), Some(Segment::Bytes { .. })) {
            self.segments.push_back(Segment::Bytes { bytes: vec![], written: 0 });
        }
        match self.segments.back_mut() {
            Some(Segment::Bytes { bytes, .. }) => bytes,
            _ => unreachable!("pushed above"),
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Writes what the socket takes, and leaves the rest to the task.
    fn start(&self, queue: &mut Queue) {
        if !queue.stalled {
            self.push(queue);
            if queue.stalled {
                self.wake.notify_one();
            }
        }
    }

    /// Writes what the socket takes now.
    fn push(&self, queue: &mut Queue) {
        queue.stalled = false;
        while let Some(segment) = queue.segments.front_mut() {
            let rest = segment.rest();
            if rest.is_empty() {
                queue.segments.pop_front();
                continue;
            }
            match self.socket.try_write(rest) {
                Ok(n) => {
                    segment.advance(n);
                    queue.bytes -= n;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    queue.stalled = true;
                    break;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    queue.broken = true;
                    queue.segments.clear();
                    queue.bytes = 0;
                }
            }
        }
        if queue.bytes < HIGH_WATER {
            self.room.notify_waiters();
        }
    }
}

async fn write(inner: Arc<Inner>) {
    loop {
        let (stalled, end) = {
            let queue = inner.lock();
            (queue.stalled, queue.broken || (queue.closing && queue.segments.is_empty()))
        };
        if end {
            return;
        }
        if !stalled {
            inner.wake.notified().await;
            continue;
        }
        let writable = inner.socket.writable().await;
        let mut queue = inner.lock();
        if writable.is_err() {
            queue.broken = true;
            inner.room.notify_waiters();
            return;
        }
        inner.push(&mut queue);
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Limits, Reader};
    use super::*;
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn everything_sent_arrives_in_order_even_when_the_reader_is_slow() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let (_keep, write) = client.into_split();
        let sender = Sender::new(write);
        let big = Chunk::build(&[3 << 20], |out: &mut [u8]| {
            out.iter_mut().enumerate().for_each(|(i, b)| *b = i as u8)
        });
        for n in 0..20u32 {
            sender.send_with(&n, std::slice::from_ref(&big)).unwrap();
            sender.send(&(n + 100)).unwrap();
        }
        drop(sender);
        let mut reader = Reader::new(server, Limits::with_payload(1 << 30));
        for n in 0..20u32 {
            let frame = reader.frame::<u32>().await.unwrap();
            assert_eq!(frame.message, n);
            assert_eq!(frame.payloads[0].bytes(), big.as_bytes().unwrap());
            assert_eq!(reader.frame::<u32>().await.unwrap().message, n + 100);
        }
        assert!(matches!(reader.frame::<u32>().await, Err(Error::Closed)));
    }
}
