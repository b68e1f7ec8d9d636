//! What a job was made from: tells a second submission of the same id from another one.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

/// A source document, or a plan as its bytes arrive.
#[derive(Clone, Debug)]
pub(super) struct Content {
    what: &'static str,
    bytes: u64,
    /// Of all bytes. Not proof against an attacker, who could only take one of his own jobs for another.
    hasher: DefaultHasher,
}

impl Content {
    /// A source document.
    pub(super) fn document(text: &str) -> Content {
        let mut content = Content { what: "document", bytes: 0, hasher: DefaultHasher::new() };
        content.feed(text.as_bytes());
        content
    }

    /// A plan of which nothing has arrived yet.
    pub(super) fn plan() -> Content {
        Content { what: "plan", bytes: 0, hasher: DefaultHasher::new() }
    }

    /// More of it.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hasher.write(bytes);
    }

    /// In what another submission is different from this job's; `None` if it is the same.
    pub(super) fn difference(&self, other: &Content) -> Option<String> {
        let Content { what, bytes, .. } = self;
        if *what != other.what {
            Some(format!("it was made from a {what}, this is a {}", other.what))
        } else if *bytes != other.bytes {
            Some(format!("it is of another {what}: its {what} has {bytes} bytes, this one {}", other.bytes))
        } else if self.hasher.finish() != other.hasher.finish() {
            Some(format!("it is of another {what}: both have {bytes} bytes, but not the same"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(parts: &[&[u8]]) -> Content {
        let mut plan = Content::plan();
        parts.iter().for_each(|part| plan.feed(part));
        plan
    }

    #[test]
    fn differences_are_named() {
        let difference = |a: &Content, b: &Content| a.difference(b).unwrap_or_default();
        assert!(difference(&plan(&[b"abc"]), &Content::document("abc")).contains("from a plan"));
        assert!(difference(&plan(&[b"abc"]), &plan(&[b"abcd"])).contains("3 bytes, this one 4"));
        assert!(difference(&Content::document("abc"), &Content::document("abd")).contains("not the same"));
        assert_eq!(Content::document("abc").difference(&Content::document("abc")), None);
    }

    #[test]
    fn how_a_plan_is_cut_into_messages_does_not_matter() {
        let bytes: Vec<u8> = (0..=255).collect();
        for cut in [1, 7, 8, 100] {
            assert_eq!(plan(&[&bytes]).difference(&plan(&[&bytes[..cut], &bytes[cut..]])), None, "{cut}");
        }
    }
}
