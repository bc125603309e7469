//! The two ends of a flight: where the vendor call writes, and where requests read.

use super::state::Offer;
use super::{Flight, Head, Piece};
use crate::error::{Failure, Kind};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Where the vendor call writes. Dropped without `finish`, readers get `Failed`.
pub struct Writer {
    flight: Arc<Flight>,
    /// For how long readers that had read everything have waited for slower ones.
    held_up: Duration,
    ended: bool,
}

impl Writer {
    pub(super) fn new(flight: Arc<Flight>) -> Self {
        Self { flight, held_up: Duration::ZERO, ended: false }
    }

    /// The head, once and before the first chunk.
    pub fn head(&mut self, head: Head) {
        self.flight.state.lock().set_head(head);
        self.flight.more.notify_waiters();
    }

    /// Appends to the answer. Waits while the flight's bound is reached and a
    /// live reader still needs the oldest bytes; cuts readers that hold the
    /// others up for longer than the grace. Returns at once when nobody reads.
    ///
    /// A call that is dropped before it returns has appended nothing.
    pub async fn chunk(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let flight = Arc::clone(&self.flight);
        if flight.state.lock().close_before(bytes.len(), flight.max_bytes) {
            flight.forget();
        }
        loop {
            let offer = flight.state.lock().offer(&bytes, flight.max_bytes);
            match offer {
                Offer::Taken => break,
                Offer::Full { held_up: false } => flight.room.notified().await,
                Offer::Full { held_up: true } => self.wait_for_laggards(&flight).await,
            }
        }
        flight.more.notify_waiters();
    }

    /// Waits for room as long as the grace lasts, then cuts.
    async fn wait_for_laggards(&mut self, flight: &Flight) {
        let began = Instant::now();
        let left = flight.grace.saturating_sub(self.held_up);
        let in_time = !left.is_zero() && timeout(left, flight.room.notified()).await.is_ok();
        self.held_up = self.held_up.saturating_add(began.elapsed());
        if !in_time {
            flight.state.lock().cut_laggards();
        }
    }

    /// Completes when every reader has left: stop the vendor. From then on it
    /// completes at once, and nobody can join any more.
    pub async fn abandoned(&self) {
        while !self.is_abandoned() {
            self.flight.room.notified().await;
        }
    }

    /// Has every reader left?
    pub fn is_abandoned(&self) -> bool {
        self.flight.state.lock().is_abandoned()
    }

    /// The answer is complete. Store it first, then call this.
    pub fn finish(mut self) {
        self.end(None);
    }

    /// The answer stays incomplete; every reader is told so after what was written.
    pub fn fail(mut self, failure: Failure) {
        self.end(Some(failure));
    }

    fn end(&mut self, failure: Option<Failure>) {
        self.ended = true;
        self.flight.state.lock().end(failure);
        self.flight.forget();
        self.flight.more.notify_waiters();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let failure = Failure::new(Kind::Internal, "The answer ended before it was complete.")
            .detail("the writer of a shared flight was dropped without an end");
        self.end(Some(failure));
    }
}

/// Where a request reads the shared answer from, at its own pace. Dropping it = leaving.
pub struct Reader {
    flight: Arc<Flight>,
    seat: usize,
}

impl Reader {
    /// The reader that a new flight is made with.
    pub(super) fn first(flight: Arc<Flight>) -> Self {
        Self { flight, seat: 0 }
    }

    /// One more reader, unless the flight is closed.
    pub(super) fn board(flight: &Arc<Flight>) -> Option<Self> {
        let seat = flight.state.lock().board()?;
        Some(Self { flight: Arc::clone(flight), seat })
    }

    /// The next piece. After `End` or `Failed`, the same again. Nothing is lost
    /// when the call is dropped before it returns.
    pub async fn next(&mut self) -> Piece {
        let flight = Arc::clone(&self.flight);
        loop {
            // Armed before looking, so that what is written in between wakes us.
            let more = flight.more.notified();
            if let Some(piece) = self.ready() {
                return piece;
            }
            more.await;
        }
    }

    /// The next piece if it is already there: to put into one write what has
    /// arrived together.
    pub fn ready(&mut self) -> Option<Piece> {
        let mut state = self.flight.state.lock();
        let piece = state.take(self.seat);
        let wake = state.wakes_writer(self.flight.max_bytes);
        drop(state);
        if wake {
            self.flight.room.notify_one();
        }
        piece
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.flight.state.lock();
        let abandoned = state.leave(self.seat);
        let wake = state.wakes_writer(self.flight.max_bytes) || abandoned;
        drop(state);
        if abandoned {
            self.flight.forget();
        }
        if wake {
            self.flight.room.notify_one();
        }
    }
}
