//! Requests in flight, so that a shutdown can wait for the last of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Counts requests; says whether the hub is on its way out.
#[derive(Clone, Default)]
pub struct Drain(Arc<Inner>);

#[derive(Default)]
struct Inner {
    in_flight: AtomicUsize,
    draining: AtomicBool,
}

/// One request in flight, until dropped.
pub struct Present(Drain);

impl Drain {
    /// Counts one more request.
    pub fn enter(&self) -> Present {
        self.0.in_flight.fetch_add(1, Ordering::AcqRel);
        Present(self.clone())
    }

    /// Requests that have not ended yet.
    pub fn in_flight(&self) -> usize {
        self.0.in_flight.load(Ordering::Acquire)
    }

    /// From now on `/readyz` says no, and connections close after their request.
    pub fn begin(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// Has [`Drain::begin`] been called?
    pub fn draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
