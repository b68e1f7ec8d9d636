//! Plan files: MessagePack parts, one after another.

use crate::check::{Numbering, PlanError, Result};
use crate::plan::Part;

/// What a reader accepts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Tasks after expansion.
    pub max_tasks: u64,
    /// Bytes of one part.
    pub max_part_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { max_tasks: 100_000_000, max_part_bytes: 1 << 33 }
    }
}

/// How deep values may nest inside a part; the format itself needs about ten.
const MAX_DEPTH: usize = 64;

/// Parts as a plan file.
///
/// # Errors
/// Never in practice: every part can be written.
pub fn encode(parts: &[Part]) -> Result<Vec<u8>> {
    let mut out = vec![];
    for part in parts {
        rmp_serde::encode::write_named(&mut out, part).map_err(|e| PlanError(e.to_string()))?;
    }
    Ok(out)
}

/// Reads a plan from bytes as they arrive. Every part that comes out has been checked against those before it.
#[derive(Debug, Default)]
pub struct Decoder {
    limits: Limits,
    bytes: Vec<u8>,
    /// Bytes at the front that were decoded already.
    used: usize,
    /// Bytes decoded in all.
    total: u64,
    scan: Scan,
    numbering: Numbering,
    failed: bool,
}

impl Decoder {
    /// Nothing read yet.
    pub fn new(limits: Limits) -> Decoder {
        Decoder { limits, ..Decoder::default() }
    }

    /// Hands in the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.used > 0 && (self.used == self.bytes.len() || self.used > self.bytes.len() / 2) {
            self.bytes.drain(..self.used);
            self.used = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next part, when all of it has arrived.
    ///
    /// # Errors
    /// When the bytes are not a plan, or a part does not fit the parts before it. No later part is read then.
    pub fn next_part(&mut self) -> Result<Option<Part>> {
        if self.failed {
            return Err(PlanError("nothing is read after an error".into()));
        }
        let result = self.read();
        self.failed = result.is_err();
        result
    }

    fn read(&mut self) -> Result<Option<Part>> {
        let bytes = &self.bytes[self.used..];
        if self.scan == Scan::default() && bytes.is_empty() {
            return Ok(None);
        }
        if self.numbering.is_complete() {
            return Err(PlanError(format!(
                "more bytes follow its last part, which ends at byte {}; a file holds one plan and nothing after it",
                self.total
            )));
        }
        if !self.scan.advance(bytes, self.limits.max_part_bytes)? {
            return Ok(None);
        }
        let len = self.scan.at;
        self.scan = Scan::default();
        let part: Part = rmp_serde::from_slice(&bytes[..len]).map_err(|e| PlanError(e.to_string()))?;
        self.used += len;
        self.total += len as u64;
        self.numbering.add(&part, self.limits.max_tasks)?;
        Ok(Some(part))
    }

    /// Says that no more bytes come.
    ///
    /// # Errors
    /// When a part is cut off in its middle.
    pub fn finish(&self) -> Result<()> {
        match self.bytes.len() - self.used {
            0 => Ok(()),
            n => Err(PlanError(format!("cut off: the last part breaks off after {n} bytes"))),
        }
    }

    /// Tasks so far, layers expanded.
    pub fn tasks(&self) -> u64 {
        self.numbering.tasks()
    }
}

/// Where one MessagePack value ends, found without building anything, so that a hostile length or depth is refused
/// before memory is taken for it. Keeps its place while bytes arrive.
#[derive(Debug, Default, PartialEq)]
struct Scan {
    at: usize,
    /// Values that are still open at each depth; empty before the first byte.
    open: Vec<u64>,
    started: bool,
}

impl Scan {
    /// Whether the value is complete; it then ends at `at`.
    fn advance(&mut self, bytes: &[u8], limit: usize) -> Result<bool> {
        if !self.started {
            self.started = true;
            self.open.push(1);
        }
        loop {
            while self.open.last() == Some(&0) {
                self.open.pop();
            }
            let Some(left) = self.open.last_mut() else { return Ok(true) };
            let Some((head, length)) = header(&bytes[self.at.min(bytes.len())..])? else { return Ok(false) };
            let (skip, children) = match length {
                Length::Bytes(n) => (n, None),
                Length::Values(n) => (0, Some(n)),
            };
            let end = (self.at + head) as u64 + skip;
            if end.saturating_add(children.unwrap_or(0)) > limit as u64 {
                return Err(PlanError(format!(
                    "a value of {} bytes or more, but a part may have at most {limit}",
                    end.saturating_add(children.unwrap_or(0))
                )));
            }
            if end > bytes.len() as u64 {
                return Ok(false);
            }
            *left -= 1;
            self.at = end as usize;
            if let Some(n) = children {
                if self.open.len() >= MAX_DEPTH {
                    return Err(PlanError(format!("values nested deeper than {MAX_DEPTH}")));
                }
                self.open.push(n);
            }
        }
    }
}

enum Length {
    Bytes(u64),
    Values(u64),
}

/// Bytes of a value's header, and what follows it; `None` when the header is not there yet.
fn header(bytes: &[u8]) -> Result<Option<(usize, Length)>> {
    let Some(&marker) = bytes.first() else { return Ok(None) };
    let number = |width: usize| -> Option<u64> {
        Some(bytes.get(1..1 + width)?.iter().fold(0, |n, &b| n << 8 | u64::from(b)))
    };
    let sized = |width: usize, extra: u64| number(width).map(|n| (1 + width, Length::Bytes(n + extra)));
    let values = |width: usize, each: u64| number(width).map(|n| (1 + width, Length::Values(n * each)));
    Ok(match marker {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Some((1, Length::Bytes(0))),
        0x80..=0x8f => Some((1, Length::Values(2 * u64::from(marker & 15)))),
        0x90..=0x9f => Some((1, Length::Values(u64::from(marker & 15)))),
        0xa0..=0xbf => Some((1, Length::Bytes(u64::from(marker & 31)))),
        0xc4 | 0xd9 => sized(1, 0),
        0xc5 | 0xda => sized(2, 0),
        0xc6 | 0xdb => sized(4, 0),
        0xc7 => sized(1, 1),
        0xc8 => sized(2, 1),
        0xc9 => sized(4, 1),
        0xcc | 0xd0 => Some((1, Length::Bytes(1))),
        0xcd | 0xd1 => Some((1, Length::Bytes(2))),
        0xca | 0xce | 0xd2 => Some((1, Length::Bytes(4))),
        0xcb | 0xcf | 0xd3 => Some((1, Length::Bytes(8))),
        0xd4..=0xd8 => Some((1, Length::Bytes(1 + (1 << (marker - 0xd4))))),
        0xdc => values(2, 1),
        0xdd => values(4, 1),
        0xde => values(2, 2),
        0xdf => values(4, 2),
        0xc1 => return Err(PlanError("byte 0xc1 is not MessagePack".into())),
    })
}
