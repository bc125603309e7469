//! A body as it comes in pieces.

use bytes::{Bytes, BytesMut};

/// Pieces of an answer, copied only when there is more than one.
#[derive(Default)]
pub(super) struct Body {
    first: Bytes,
    more: BytesMut,
}

impl Body {
    pub(super) fn len(&self) -> usize {
        self.first.len() + self.more.len()
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        if self.first.is_empty() && self.more.is_empty() {
            self.first = piece;
            return;
        }
        if self.more.is_empty() {
            self.more.reserve((self.first.len() + piece.len()) * 2);
            self.more.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.more.extend_from_slice(&piece);
    }

    pub(super) fn freeze(self) -> Bytes {
        if self.more.is_empty() { self.first } else { self.more.freeze() }
    }
}
