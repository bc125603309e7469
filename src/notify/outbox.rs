//! What is on its way, and what was: in memory, with the rows that say the
//! same on disk. Knows no clock, no network and no disk.

use super::delivery::{Delivery, Said, State};
use crate::types::Wall;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Keys of the store's rows begin so: `outbox/ID`.
pub const OUTBOX_PREFIX: &str = "outbox/";

/// Deliveries that may be pending. What comes on top is dropped, and counted.
const MOST_PENDING: usize = 10_000;
/// Delivered ones that can still be looked at.
const MOST_DELIVERED: usize = 1_000;
/// Dead ones that can still be replayed.
const MOST_DEAD: usize = 5_000;
/// How long those that ended are kept at most.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The first pause after a failure; doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// A row of the store; without a value it is removed.
pub type Row = (Vec<u8>, Option<Vec<u8>>);

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The receiver has it.
    Done,
    /// It may go better later, but not before this long.
    Later(Option<Duration>),
    /// It never will.
    Never,
}

/// Deliveries that must arrive in order: to one endpoint, about one subject.
type Lane = (Arc<str>, Option<String>, Arc<str>);

/// See the module.
#[derive(Default)]
pub struct Outbox {
    all: BTreeMap<Arc<str>, Delivery>,
    /// Pending ones, the oldest first; only the first of a lane is tried.
    lanes: HashMap<Lane, BTreeSet<Arc<str>>>,
    /// First ones that nobody is trying, by when they are to be tried.
    due: BTreeSet<(Wall, Arc<str>)>,
    under_way: HashSet<Arc<str>>,
    delivered: BTreeSet<(Wall, Arc<str>)>,
    dead: BTreeSet<(Wall, Arc<str>)>,
    pending: usize,
    /// Whose rows are to be written or removed.
    changed: BTreeSet<Arc<str>>,
}

fn lane_of(delivery: &Delivery) -> Lane {
    let tenant = delivery.notice.tenant.as_ref().map(|tenant| tenant.as_str().to_owned());
    (Arc::clone(&delivery.endpoint), tenant, Arc::clone(&delivery.notice.subject))
}

/// The row of a delivery.
pub fn row(delivery: &Delivery) -> Row {
    (format!("{OUTBOX_PREFIX}{}", delivery.id).into_bytes(), serde_json::to_vec(delivery).ok())
}

impl Outbox {
    /// How many more may be pending.
    pub fn room(&self) -> usize {
        MOST_PENDING.saturating_sub(self.pending)
    }

    /// Takes one in whose row is on disk already, or, if `write`, is to be written.
    pub fn enter(&mut self, delivery: Delivery, write: bool) {
        let id = Arc::clone(&delivery.id);
        if self.all.contains_key(&id) {
            return;
        }
        if write {
            self.changed.insert(Arc::clone(&id));
        }
        let ended = (delivery.ended.unwrap_or_default(), Arc::clone(&id));
        match delivery.state {
            State::Pending => self.line_up(&delivery),
            State::Delivered => drop(self.delivered.insert(ended)),
            State::Dead => drop(self.dead.insert(ended)),
        }
        self.all.insert(id, delivery);
    }

    fn line_up(&mut self, delivery: &Delivery) {
        self.pending += 1;
        let lane = self.lanes.entry(lane_of(delivery)).or_default();
        let before = lane.first().cloned();
        lane.insert(Arc::clone(&delivery.id));
        if lane.first() != Some(&delivery.id) {
            return;
        }
        // A replayed one may be older than the one that was first.
        if let Some(before) = before.and_then(|id| self.all.get(&id)) {
            self.due.remove(&(before.next, Arc::clone(&before.id)));
        }
        self.due.insert((delivery.next, Arc::clone(&delivery.id)));
    }

    /// When the next one is to be tried.
    pub fn next_due(&self) -> Option<Wall> {
        self.due.first().map(|(at, _)| *at)
    }

    /// One that is due; somebody tries it from now on.
    pub fn take_due(&mut self, now: Wall) -> Option<Delivery> {
        let (at, id) = self.due.first()?.clone();
        if at > now {
            return None;
        }
        self.due.pop_first();
        self.under_way.insert(Arc::clone(&id));
        self.all.get(&id).cloned()
    }

    /// An attempt has ended.
    pub fn end(&mut self, id: &Arc<str>, verdict: &Verdict, said: Said, give_up: Duration) {
        self.under_way.remove(id);
        let Some(delivery) = self.all.get_mut(id) else { return };
        let now = said.at;
        delivery.attempts = delivery.attempts.saturating_add(1);
        delivery.last = Some(said);
        self.changed.insert(Arc::clone(id));
        let state = match verdict {
            Verdict::Done => State::Delivered,
            Verdict::Never => State::Dead,
            Verdict::Later(wait) => {
                let pause = pause(delivery).max(wait.unwrap_or_default().min(LONGEST_PAUSE));
                delivery.next = now.after(pause);
                match delivery.next > delivery.since.after(give_up) {
                    true => State::Dead,
                    false => State::Pending,
                }
            }
        };
        if state == State::Pending {
            let (next, lane) = (delivery.next, lane_of(delivery));
            // A replayed one may have come before it meanwhile.
            if self.lanes.get(&lane).and_then(BTreeSet::first) == Some(id) {
                self.due.insert((next, Arc::clone(id)));
            }
            return;
        }
        (delivery.state, delivery.ended) = (state, Some(now));
        let lane = lane_of(delivery);
        let ended = if state == State::Dead { &mut self.dead } else { &mut self.delivered };
        ended.insert((now, Arc::clone(id)));
        self.leave(&lane, id);
        self.forget_old(now);
    }

    /// Puts one off without an attempt: its endpoint is switched off.
    pub fn put_off(&mut self, id: &Arc<str>, until: Wall) {
        self.under_way.remove(id);
        let Some(delivery) = self.all.get_mut(id) else { return };
        delivery.next = until;
        let lane = lane_of(delivery);
        if self.lanes.get(&lane).and_then(BTreeSet::first) == Some(id) {
            self.due.insert((until, Arc::clone(id)));
        }
    }

    /// It is no longer pending; the next of its lane has its turn.
    fn leave(&mut self, lane: &Lane, id: &Arc<str>) {
        self.pending = self.pending.saturating_sub(1);
        let Some(waiting) = self.lanes.get_mut(lane) else { return };
        waiting.remove(id);
        let Some(first) = waiting.first().cloned() else {
            self.lanes.remove(lane);
            return;
        };
        if !self.under_way.contains(&first)
            && let Some(next) = self.all.get(&first)
        {
            self.due.insert((next.next, first));
        }
    }

    /// What ended long ago, or long before others, goes.
    fn forget_old(&mut self, now: Wall) {
        for (ended, most) in [(&mut self.delivered, MOST_DELIVERED), (&mut self.dead, MOST_DEAD)] {
            while let Some((at, _)) = ended.first()
                && (ended.len() > most || at.after(KEPT) <= now)
                && let Some((_, id)) = ended.pop_first()
            {
                self.all.remove(&id);
                self.changed.insert(id);
            }
        }
    }

    /// Tries again what has ended, dead or not. `None`: there is no such one, or it is pending.
    pub fn replay(&mut self, id: &str, now: Wall) -> Option<Delivery> {
        let delivery = self.all.get_mut(id).filter(|delivery| delivery.state != State::Pending)?;
        let ended = (delivery.ended.unwrap_or_default(), Arc::clone(&delivery.id));
        let kept = if delivery.state == State::Dead { &mut self.dead } else { &mut self.delivered };
        kept.remove(&ended);
        (delivery.state, delivery.ended, delivery.attempts) = (State::Pending, None, 0);
        (delivery.since, delivery.next) = (now, now);
        let delivery = delivery.clone();
        self.changed.insert(Arc::clone(&delivery.id));
        self.line_up(&delivery);
        Some(delivery)
    }

    /// One of them.
    pub fn get(&self, id: &str) -> Option<&Delivery> {
        self.all.get(id)
    }

    /// All of them, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Delivery> {
        self.all.values().rev()
    }

    /// How many are pending, and how many dead.
    pub fn counts(&self) -> (usize, usize) {
        (self.pending, self.dead.len())
    }

    /// Rows to be written, and whose they are.
    pub fn rows(&self) -> (Vec<Row>, BTreeSet<Arc<str>>) {
        let row_of = |id: &Arc<str>| match self.all.get(id) {
            Some(delivery) => row(delivery),
            None => (format!("{OUTBOX_PREFIX}{id}").into_bytes(), None),
        };
        (self.changed.iter().map(row_of).collect(), self.changed.clone())
    }

    /// Those rows are going to the disk; when that fails, `changed_again` puts them back.
    pub fn rows_taken(&mut self) {
        self.changed.clear();
    }

    /// Their rows are not certain to be on disk.
    pub fn changed_again(&mut self, ids: BTreeSet<Arc<str>>) {
        self.changed.extend(ids);
    }
}

/// Doubles with each attempt, up to an hour; then something between half of that and all of it,
/// so that receivers that come back are not met by everything at once. The same delivery always
/// pauses alike, so that tests and people can tell when.
fn pause(delivery: &Delivery) -> Duration {
    let doublings = delivery.attempts.saturating_sub(1).min(16);
    let whole = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    let spread = delivery.id.bytes().fold(u64::from(delivery.attempts), |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let half = whole / 2;
    half + half.mul_f64((spread >> 11) as f64 / (1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests;
