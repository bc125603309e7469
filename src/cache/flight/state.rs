//! The buffer of one flight and where its readers are. Knows no tasks, no
//! locks and no time, so every transition can be tested by itself.

use super::{Head, Piece};
use crate::error::{Failure, Kind};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// The position of a reader that still needs the head. The first chunk is at 1.
const AT_HEAD: u64 = 0;

/// Where one reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seat {
    /// Nobody sits here; the next to board may.
    Free,
    /// The position of the next piece.
    At(u64),
    /// Held the others up for too long.
    Cut,
}

/// How a flight ended.
enum End {
    Finished,
    Failed(Failure),
}

/// What became of a chunk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// The readers have it, or nobody is left to want it.
    Taken,
    /// There is no room. `held_up`: a reader has read everything and waits.
    Full { held_up: bool },
}

/// The buffer of one flight and where its readers are.
pub(super) struct State {
    head: Option<Arc<Head>>,
    chunks: VecDeque<Bytes>,
    /// The position of the first chunk that is still kept.
    oldest: u64,
    kept_bytes: usize,
    seats: Vec<Seat>,
    /// How many seats are taken by readers that are not cut.
    live: usize,
    /// May others still join?
    open: bool,
    end: Option<End>,
    abandoned: bool,
    writer_waits: bool,
}

impl State {
    /// An open flight with one reader, on seat 0.
    pub(super) fn new() -> Self {
        Self {
            head: None,
            chunks: VecDeque::new(),
            oldest: AT_HEAD + 1,
            kept_bytes: 0,
            seats: vec![Seat::At(AT_HEAD)],
            live: 1,
            open: true,
            end: None,
            abandoned: false,
            writer_waits: false,
        }
    }

    /// A seat for one more reader, unless the flight is closed.
    pub(super) fn board(&mut self) -> Option<usize> {
        if !self.open {
            return None;
        }
        self.live += 1;
        match self.seats.iter().position(|seat| *seat == Seat::Free) {
            Some(free) => {
                self.seats[free] = Seat::At(AT_HEAD);
                Some(free)
            }
            None => {
                self.seats.push(Seat::At(AT_HEAD));
                Some(self.seats.len() - 1)
            }
        }
    }

    /// Frees a seat; `true` when this abandons the flight.
    pub(super) fn leave(&mut self, seat: usize) -> bool {
        let left = std::mem::replace(&mut self.seats[seat], Seat::Free);
        if !matches!(left, Seat::At(_)) {
            return false;
        }
        self.live -= 1;
        self.abandoned = self.live == 0 && self.end.is_none();
        self.open &= !self.abandoned;
        self.release();
        self.abandoned
    }

    /// Sets the head, once.
    pub(super) fn set_head(&mut self, head: Head) {
        debug_assert!(self.head.is_none(), "an answer has one head");
        self.head.get_or_insert_with(|| Arc::new(head));
    }

    /// Closes the flight when `bytes` more would exceed `max`; `true` when this closed it.
    pub(super) fn close_before(&mut self, bytes: usize, max: usize) -> bool {
        let over = self.open && self.kept_bytes.saturating_add(bytes) > max;
        if over {
            self.open = false;
            self.release();
        }
        over
    }

    /// Appends a chunk if there is room. An empty buffer always has room, so
    /// that a chunk above `max` cannot stop the flight.
    pub(super) fn offer(&mut self, chunk: &Bytes, max: usize) -> Offer {
        debug_assert!(self.head.is_some(), "the head comes before the chunks");
        self.writer_waits = false;
        if self.live == 0 {
            return Offer::Taken;
        }
        if !self.chunks.is_empty() && self.kept_bytes.saturating_add(chunk.len()) > max {
            self.writer_waits = true;
            return Offer::Full { held_up: self.is_anybody_waiting() };
        }
        self.kept_bytes += chunk.len();
        self.chunks.push_back(chunk.clone());
        Offer::Taken
    }

    /// Cuts the readers that still need the oldest chunk, if that helps a
    /// reader that waits.
    pub(super) fn cut_laggards(&mut self) {
        if !self.is_anybody_waiting() || self.chunks.is_empty() {
            return;
        }
        for seat in &mut self.seats {
            if matches!(seat, Seat::At(at) if *at <= self.oldest) {
                *seat = Seat::Cut;
                self.live -= 1;
            }
        }
        self.release();
    }

    /// Ends the flight; what was first stays.
    pub(super) fn end(&mut self, failure: Option<Failure>) {
        self.open = false;
        self.end.get_or_insert(match failure {
            Some(failure) => End::Failed(failure),
            None => End::Finished,
        });
    }

    /// The next piece for a reader, `None` when it has to wait. After the last
    /// piece, the same again.
    pub(super) fn take(&mut self, seat: usize) -> Option<Piece> {
        let Seat::At(at) = self.seats[seat] else { return Some(Piece::Failed(too_slow())) };
        let piece = self.piece(at);
        if piece.is_some() {
            self.seats[seat] = Seat::At(at + 1);
            if at <= self.oldest {
                self.release();
            }
            return piece;
        }
        self.end.as_ref().map(|end| match end {
            End::Finished => Piece::End,
            End::Failed(failure) => Piece::Failed(failure.clone()),
        })
    }

    /// Must the writer look again, because of what a reader has just done?
    pub(super) fn wakes_writer(&mut self, max: usize) -> bool {
        let room = self.kept_bytes < max || self.chunks.is_empty();
        (room || self.is_anybody_waiting()) && std::mem::take(&mut self.writer_waits)
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    fn piece(&self, at: u64) -> Option<Piece> {
        if at == AT_HEAD {
            return self.head.clone().map(Piece::Head);
        }
        let index = usize::try_from(at.checked_sub(self.oldest)?).ok()?;
        self.chunks.get(index).cloned().map(Piece::Chunk)
    }

    fn is_anybody_waiting(&self) -> bool {
        let end = self.oldest + self.chunks.len() as u64;
        self.seats.contains(&Seat::At(end))
    }

    /// Drops the chunks that nobody needs any more. An open flight keeps all,
    /// for those who join later.
    fn release(&mut self) {
        if self.open {
            return;
        }
        let positions = self.seats.iter().filter_map(|seat| match seat {
            Seat::At(at) => Some(*at),
            Seat::Free | Seat::Cut => None,
        });
        let needed = positions.min().unwrap_or(u64::MAX);
        while self.oldest < needed {
            let Some(chunk) = self.chunks.pop_front() else { break };
            self.kept_bytes -= chunk.len();
            self.oldest += 1;
        }
    }

    /// What must hold after every step.
    #[cfg(test)]
    pub(super) fn check(&self, max: usize) {
        let kept: usize = self.chunks.iter().map(Bytes::len).sum();
        assert_eq!(kept, self.kept_bytes);
        assert!(kept <= max || self.chunks.len() == 1, "{kept} bytes are kept");
        let live = self.seats.iter().filter(|seat| matches!(seat, Seat::At(_))).count();
        assert_eq!(live, self.live);
        assert!(!self.abandoned || (live == 0 && !self.open));
        assert!(!self.open || (self.oldest == AT_HEAD + 1 && self.end.is_none()));
        let end = self.oldest + self.chunks.len() as u64;
        let sound = |at: u64| at <= end && (at >= self.oldest || at == AT_HEAD && self.oldest == AT_HEAD + 1);
        assert!(self.seats.iter().all(|seat| !matches!(seat, Seat::At(at) if !sound(*at))));
    }
}

fn too_slow() -> Failure {
    Failure::new(Kind::Overloaded, "The answer was read too slowly while others waited for it.")
        .detail("cut from a shared flight: a whole bound behind, and the grace was used up")
}
