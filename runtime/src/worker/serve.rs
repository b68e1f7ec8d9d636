//! Gives results to peers: other workers, and the scheduler on behalf of submitters.

use super::Engine;
use crate::net::frame::{Limits, Reader};
use crate::net::message::{Get, Values};
use crate::net::{Error, Sender, codec};
use serde_bytes::ByteBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::tcp::OwnedReadHalf;

/// Payload bytes in one frame; a larger result has a frame of its own.
const FRAME_BYTES: usize = 32 << 20;

/// Payloads in one frame.
const FRAME_PAYLOADS: usize = 1024;

/// What was given away, for the metrics.
#[derive(Debug, Default)]
pub struct Served {
    /// Bytes.
    pub bytes: AtomicU64,
    /// Results.
    pub count: AtomicU64,
}

/// What a peer may send: it only asks.
const LIMITS: Limits = Limits { control: 64 << 20, payload: 0 };

/// Answers one peer until it goes away.
///
/// # Errors
/// When the connection breaks, or the peer breaks the protocol.
pub async fn peer(
    engine: Arc<Engine>,
    served: Arc<Served>,
    mut reader: Reader<OwnedReadHalf>,
    sender: Sender,
) -> Result<(), Error> {
    reader.limit(LIMITS);
    loop {
        let get: Get = match reader.frame().await {
            Ok(frame) => frame.message,
            Err(Error::Closed) => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut reply = Values::default();
        let (mut payloads, mut bytes) = (vec![], 0);
        for task in get.tasks.iter() {
            let Some(value) = engine.get(task) else {
                reply.absent.push(task);
                continue;
            };
            let (head, chunks) = codec::encode(&value);
            let size: usize = chunks.iter().map(|c| c.nbytes()).sum();
            if !payloads.is_empty()
                && (bytes + size > FRAME_BYTES || payloads.len() + chunks.len() > FRAME_PAYLOADS)
            {
                sender.send_with(&std::mem::take(&mut reply), &payloads)?;
                payloads.clear();
                bytes = 0;
                sender.room().await;
            }
            bytes += size;
            served.bytes.fetch_add(size as u64, Ordering::Relaxed);
            served.count.fetch_add(1, Ordering::Relaxed);
            reply.tasks.push(task);
            reply.heads.push(ByteBuf::from(head));
            payloads.extend(chunks);
        }
        sender.send_with(&reply, &payloads)?;
        sender.room().await;
    }
}
