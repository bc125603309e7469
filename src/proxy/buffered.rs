//! A bound on the bytes of all request bodies held at once.

use crate::error::{Failure, Kind, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Clone, Default)]
pub(super) struct Buffered(Arc<AtomicUsize>);

/// A share of the bound, given back when dropped.
pub(super) struct Share {
    of: Buffered,
    bytes: usize,
}

impl Buffered {
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn share(&self) -> Share {
        Share { of: self.clone(), bytes: 0 }
    }
}

impl Share {
    /// Grows the share to `bytes` in all.
    ///
    /// # Errors
    /// `Overloaded` when all shares together would pass `bound`.
    pub(super) fn grow_to(&mut self, bytes: usize, bound: usize) -> Result<()> {
        let more = bytes.saturating_sub(self.bytes);
        let before = self.of.0.fetch_add(more, Ordering::Relaxed);
        if before.saturating_add(more) > bound {
            self.of.0.fetch_sub(more, Ordering::Relaxed);
            let text = "The gateway is holding as many request bodies as it can; try again shortly";
            return Err(
                Failure::new(Kind::Overloaded, text).retry_after(Some(std::time::Duration::from_secs(1)))
            );
        }
        self.bytes = self.bytes.max(bytes);
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_pass_the_bound_and_come_back() {
        let all = Buffered::default();
        let (mut one, mut two) = (all.share(), all.share());
        assert!(one.grow_to(60, 100).is_ok());
        assert!(two.grow_to(50, 100).is_err());
        assert!(two.grow_to(40, 100).is_ok());
        assert_eq!(all.bytes(), 100);
        drop(one);
        assert!(two.grow_to(100, 100).is_ok());
        drop(two);
        assert_eq!(all.bytes(), 0);
    }
}
