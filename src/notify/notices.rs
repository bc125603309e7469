//! Where notices are raised, from anywhere and without waiting, and where is
//! seen what became of them.

use super::delivery::{Delivery, Endpoint, Notice, State, Way};
use super::outbox::{Outbox, Row, row};
use crate::config::NoticeSettings;
use crate::types::{Clock, NoticeKind, TenantId, Wall};
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tokio::sync::Notify;

/// Notices that may wait for the courier. Those that come on top are dropped, and counted.
const MOST_RAISED: usize = 4_096;

/// What notices need of the rest of the hub.
pub trait Ties: Send + Sync {
    /// Who can be told, now. Asked once for each group of notices.
    fn endpoints(&self) -> Vec<Endpoint>;

    /// How an endpoint is reached, now. Asked before each attempt.
    ///
    /// # Errors
    /// Why it cannot be reached now, or ever.
    fn way(&self, endpoint: &str) -> Result<Way, Failed>;

    /// Writes rows, all or none, durably. Blocks.
    ///
    /// # Errors
    /// When nobody can say whether they are on disk.
    fn write(&self, rows: Vec<Row>) -> Result<(), String>;

    /// The settings in force.
    fn settings(&self) -> NoticeSettings;
}

/// Why an endpoint is not tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// It was deleted.
    Gone,
    /// It is switched off; what is for it waits.
    Off,
    /// Something that may be put right, such as a master key that is not at hand.
    Unable(String),
}

/// Numbers for the metrics, since the start where they are totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Deliveries on their way.
    pub pending: u64,
    /// Deliveries that were given up and are still kept.
    pub dead: u64,
    /// Deliveries that arrived.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Notices or deliveries for which there was no room.
    pub dropped: u64,
}

/// What part of the deliveries is asked for.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those to this endpoint.
    pub endpoint: Option<String>,
    /// Only those older than this one.
    pub before: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Notices {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    /// Raised, and not yet addressed to anybody.
    raised: Mutex<VecDeque<Notice>>,
    outbox: Mutex<Outbox>,
    wake: Notify,
    delivered: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl Notices {
    /// With what was on its way when the last process ended.
    pub fn new(clock: Clock, known: Vec<Delivery>) -> Self {
        let mut outbox = Outbox::default();
        known.into_iter().for_each(|delivery| outbox.enter(delivery, false));
        let shared = Shared {
            clock,
            raised: Mutex::default(),
            outbox: Mutex::new(outbox),
            wake: Notify::new(),
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Tells something that has happened. Never waits; the courier writes it down within moments.
    /// `data` has the members that the kind's row names.
    pub fn raise(&self, kind: NoticeKind, tenant: Option<&TenantId>, subject: &str, data: Value) {
        let notice = Notice::new(kind, tenant.cloned(), subject, data, self.shared.clock.wall());
        let mut raised = self.shared.raised.lock();
        if raised.len() >= MOST_RAISED {
            drop(raised);
            self.shared.dropped.fetch_add(1, Relaxed);
            return;
        }
        raised.push_back(notice);
        drop(raised);
        self.shared.wake.notify_one();
    }

    /// The deliveries of a notice to those who hear of it, for a writer that brings their rows to
    /// disk together with the change that caused it. Then they are to be [`Notices::entered`].
    pub fn addressed(&self, notice: &Notice, endpoints: &[Endpoint]) -> Vec<Delivery> {
        let now = self.shared.clock.wall();
        let hearing = endpoints.iter().filter(|endpoint| endpoint.hears(notice));
        let mut deliveries: Vec<Delivery> =
            hearing.map(|endpoint| Delivery::new(notice.clone(), Arc::clone(&endpoint.id), now)).collect();
        let room = self.shared.outbox.lock().room();
        let surplus = deliveries.len().saturating_sub(room);
        if surplus > 0 {
            deliveries.truncate(room);
            self.shared.dropped.fetch_add(surplus as u64, Relaxed);
            tracing::warn!(surplus, kind = %notice.kind, "too many notices are on their way; some are dropped");
        }
        deliveries
    }

    /// The row of a delivery.
    pub fn row(delivery: &Delivery) -> Row {
        row(delivery)
    }

    /// Their rows are on disk.
    pub fn entered(&self, deliveries: Vec<Delivery>) {
        if deliveries.is_empty() {
            return;
        }
        let mut outbox = self.shared.outbox.lock();
        deliveries.into_iter().for_each(|delivery| outbox.enter(delivery, false));
        drop(outbox);
        self.shared.wake.notify_one();
    }

    /// Tries one that has ended again. `None`: there is no such one, or it is on its way.
    pub fn replay(&self, id: &str) -> Option<Delivery> {
        let delivery = self.shared.outbox.lock().replay(id, self.shared.clock.wall());
        self.shared.wake.notify_one();
        delivery
    }

    /// One delivery.
    pub fn delivery(&self, id: &str) -> Option<Delivery> {
        self.shared.outbox.lock().get(id).cloned()
    }

    /// Deliveries, the newest first, of which `visible` says yes; one more than the limit where
    /// there are more.
    pub fn deliveries(&self, page: &Page, visible: &dyn Fn(&Delivery) -> bool) -> Vec<Delivery> {
        let outbox = self.shared.outbox.lock();
        let wanted = outbox.newest_first().filter(|delivery| {
            page.state.is_none_or(|state| delivery.state == state)
                && page.endpoint.as_ref().is_none_or(|endpoint| *delivery.endpoint == **endpoint)
                && page.before.as_ref().is_none_or(|before| *delivery.id < **before)
                && visible(delivery)
        });
        wanted.take(page.limit.saturating_add(1)).cloned().collect()
    }

    /// Numbers for the metrics.
    pub fn counts(&self) -> Counts {
        let (pending, dead) = self.shared.outbox.lock().counts();
        Counts {
            pending: pending as u64,
            dead: dead as u64,
            delivered: self.shared.delivered.load(Relaxed),
            failed: self.shared.failed.load(Relaxed),
            dropped: self.shared.dropped.load(Relaxed),
        }
    }

    /// Brings every row that has changed to disk. Blocks.
    ///
    /// # Errors
    /// What the writer says; the rows are then written with the next ones.
    pub fn write(&self, ties: &dyn Ties) -> Result<(), String> {
        let (rows, ids) = self.rows();
        if rows.is_empty() {
            return Ok(());
        }
        ties.write(rows).inspect_err(|_| self.shared.outbox.lock().changed_again(ids))
    }

    fn rows(&self) -> (Vec<Row>, BTreeSet<Arc<str>>) {
        let mut outbox = self.shared.outbox.lock();
        let rows = outbox.rows();
        outbox.rows_taken();
        rows
    }

    /// Addresses what was raised. `true`: there are rows to write.
    pub(super) fn address_raised(&self, ties: &dyn Ties) {
        let raised = std::mem::take(&mut *self.shared.raised.lock());
        if raised.is_empty() {
            return;
        }
        let endpoints = ties.endpoints();
        for notice in raised {
            let deliveries = self.addressed(&notice, &endpoints);
            let mut outbox = self.shared.outbox.lock();
            deliveries.into_iter().for_each(|delivery| outbox.enter(delivery, true));
        }
    }

    pub(super) fn outbox<T>(&self, work: impl FnOnce(&mut Outbox) -> T) -> T {
        work(&mut self.shared.outbox.lock())
    }

    pub(super) fn now(&self) -> Wall {
        self.shared.clock.wall()
    }

    /// Something was raised, entered or replayed since the last time.
    pub(super) async fn woken(&self) {
        self.shared.wake.notified().await;
    }

    pub(super) fn count(&self, arrived: bool) {
        let counter = if arrived { &self.shared.delivered } else { &self.shared.failed };
        counter.fetch_add(1, Relaxed);
    }
}
