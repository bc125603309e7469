//! Edits of a JSON object by byte span: what is not touched keeps its bytes.

use std::ops::Range;

/// A set of edits to one body. Spans never overlap.
#[derive(Default, Debug)]
pub struct Patch {
    _edits: Vec<(Range<usize>, Vec<u8>)>,
}

impl Patch {
    pub fn new() -> Self {
        todo!()
    }
    pub fn is_empty(&self) -> bool {
        todo!()
    }
    /// Replaces the bytes of `span`.
    pub fn replace(&mut self, _span: Range<usize>, _bytes: impl Into<Vec<u8>>) {
        todo!()
    }
    /// The body with all edits applied; allocates once.
    pub fn apply(&self, _body: &[u8]) -> Vec<u8> {
        todo!()
    }
}
