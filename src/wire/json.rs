//! JSON by byte span: a pull reader that borrows and builds no tree, and edits
//! that leave every other byte as it came. Knows nothing of any dialect.
//!
//! The reader is strict about the grammar (RFC 8259), because a body that two
//! parsers read differently could smuggle a field past the hub. It does not
//! check UTF-8 in strings that nobody asks for.

mod read;
mod scan;
mod text;

pub use read::{Kind, MAX_DEPTH, Reader, Syntax};
pub use text::{Str, quote};

use bytes::Bytes;
use std::ops::Range;

/// A set of edits to one body. Spans never overlap; an empty span inserts.
#[derive(Default, Debug)]
pub struct Patch {
    /// Sorted by start.
    edits: Vec<(Range<usize>, Vec<u8>)>,
}

impl Patch {
    /// No edits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Would [`Patch::apply`] give the same bytes back?
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Replaces the bytes of `span`. Spans are given in any order; of two
    /// insertions at one place, the one given first comes first.
    pub fn replace(&mut self, span: Range<usize>, bytes: impl Into<Vec<u8>>) {
        let place = self.edits.partition_point(|(s, _)| (s.start, s.end) <= (span.start, span.end));
        self.edits.insert(place, (span, bytes.into()));
    }

    /// The body with all edits applied, as pieces in order: what is not touched is a slice of the
    /// body itself, so that a large body is never copied. An edit that overlaps an earlier one or
    /// leaves the body is a mistake of the caller's and is left out.
    pub fn pieces(self, body: &Bytes) -> Vec<Bytes> {
        let mut pieces = Vec::with_capacity(self.edits.len() * 2 + 1);
        let mut done = 0;
        for (span, bytes) in self.edits {
            if span.start < done || span.end > body.len() {
                debug_assert!(false, "edits overlap or leave the body");
                continue;
            }
            pieces.push(body.slice(done..span.start));
            pieces.push(Bytes::from(bytes));
            done = span.end.max(span.start);
        }
        pieces.push(body.slice(done..));
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }

    /// The body with all edits applied; allocates once. An edit that overlaps
    /// an earlier one or leaves the body is a mistake of the caller's and is
    /// left out.
    pub fn apply(&self, body: &[u8]) -> Vec<u8> {
        let added: usize = self.edits.iter().map(|(_, bytes)| bytes.len()).sum();
        let removed: usize = self.edits.iter().map(|(span, _)| span.len()).sum();
        let mut out = Vec::with_capacity((body.len() + added).saturating_sub(removed));
        let mut done = 0;
        for (span, bytes) in &self.edits {
            let Some(kept) = body.get(done..span.start).filter(|_| span.end <= body.len()) else {
                debug_assert!(false, "edits overlap or leave the body");
                continue;
            };
            out.extend_from_slice(kept);
            out.extend_from_slice(bytes);
            done = span.end.max(span.start);
        }
        out.extend_from_slice(body.get(done..).unwrap_or_default());
        out
    }
}

#[cfg(test)]
pub(super) mod tests;
