//! What the writer knows by heart: the next batch, the open intents, what each
//! key spent. All of it follows from the journal; a row of the state tree
//! shortens the way there. Knows no thread and no clock.

use super::batch::{Builder, Digest};
use super::disk::{Row, Sealed};
use super::journal::{Chain, Journal, Kept};
use super::money::Money;
use super::options::StoreError;
use super::quotas::Meters;
use crate::ledger::wallet::{Carried, Movement};
use crate::ledger::{Calendar, Intent, OpenIntents, Record, Settlement, Spending, day_of};
use crate::types::{KeyId, RequestId};
use ahash::{HashMap, HashMapExt, HashSet, HashSetExt};
use std::collections::VecDeque;

pub(super) const SPENT_PREFIX: &[u8] = b"spent/";
const PROJECTION_KEY: &[u8] = b"projection";
const PROJECTION_VERSION: u8 = 1;
/// So many ended requests are remembered, to ignore a second settlement.
const ENDED_REMEMBERED: usize = 16_384;

/// What the state tree says about the journal up to a batch.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
struct Projection {
    /// The `spent/` rows count everything up to this batch.
    through: u64,
    /// No intent before this batch is open.
    low_water: u64,
    /// Digest of batch `through`.
    head: Digest,
}

/// What happened to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It goes into the next batch.
    Written,
    /// It was there already; nothing changed.
    Duplicate,
}

/// See the module.
pub(super) struct Books {
    next: u64,
    head: Digest,
    /// Day of the last batch. Batches never go to an earlier day, so that the
    /// order of days is the order of sequence numbers even when the clock jumps;
    /// nor to an earlier one than that of a request in them, so that a request
    /// of a day that was kept is there.
    day: i64,
    pub(super) kept: Kept,
    open: OpenIntents,
    orphans: Vec<Intent>,
    ended: Remembered,
    spending: HashMap<KeyId, Tracked>,
    changed: Vec<KeyId>,
    calendar: Calendar,
    since_checkpoint: u64,
    /// Rows of a projection that was thrown away.
    stale: Vec<Row>,
    builder: Option<Builder>,
    /// The batch is not to be sealed: its last record is not alone.
    together: bool,
    sealed: Vec<Sealed>,
    batch_bytes: usize,
    pub(super) money: Money,
    /// What counts against quotas.
    pub(super) meters: Meters,
}

#[derive(Default)]
struct Tracked {
    spending: Spending,
    changed: bool,
}

/// The last ended requests.
struct Remembered {
    ids: HashSet<RequestId>,
    order: VecDeque<RequestId>,
}

impl Remembered {
    /// `false` when it is known.
    fn add(&mut self, id: RequestId) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > ENDED_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

impl Books {
    /// Reads the state, and of the journal what the state does not tell.
    pub(super) fn load(journal: &Journal, batch_bytes: usize) -> Result<Self, StoreError> {
        let kept = journal.kept()?;
        let mut books = Self::empty(kept, batch_bytes);
        books.meters = Meters::load(journal)?;
        books.day = journal.days()?.last().copied().unwrap_or(i64::MIN);
        let last = journal.last()?;
        let projection = Self::projection(journal)?.filter(|p| last.is_some_and(|last| p.through <= last));
        let mut chain = match projection {
            Some(projection) => books.begin_at(projection, journal)?,
            None => books.begin_anew(journal)?,
        };
        let through = projection.map_or(0, |projection| projection.through);
        let mut open = HashMap::new();
        journal.walk(chain.next(), &mut |day, sequence, value| {
            let batch = chain.check(day, sequence, value)?;
            if let Some(projection) = projection.filter(|p| p.through == sequence && p.head != batch.digest) {
                return Err(journal.damaged(day, projection.through, "is not the one that the state knows"));
            }
            let read = batch.each(|record| books.replay(record, sequence, sequence > through, &mut open));
            read.map_err(|error| journal.damaged(day, sequence, error))
        })?;
        (books.next, books.head) = (chain.next(), chain.head());
        books.adopt(open);
        Ok(books)
    }

    fn empty(kept: Kept, batch_bytes: usize) -> Self {
        Self {
            next: kept.first,
            head: kept.before,
            day: i64::MIN,
            kept,
            open: OpenIntents::new(),
            orphans: Vec::new(),
            ended: Remembered { ids: HashSet::new(), order: VecDeque::new() },
            spending: HashMap::new(),
            changed: Vec::new(),
            calendar: Calendar::default(),
            since_checkpoint: 0,
            stale: Vec::new(),
            builder: None,
            together: false,
            sealed: Vec::new(),
            batch_bytes,
            money: Money::default(),
            meters: Meters::default(),
        }
    }

    /// A row of another version counts as none: it is made again.
    fn projection(journal: &Journal) -> Result<Option<Projection>, StoreError> {
        let Some(value) = journal.get(PROJECTION_KEY)? else { return Ok(None) };
        Ok(match value.split_first() {
            Some((&PROJECTION_VERSION, rest)) => postcard::from_bytes(rest).ok(),
            _ => None,
        })
    }

    fn begin_at(&mut self, projection: Projection, journal: &Journal) -> Result<Chain, StoreError> {
        journal.rows(SPENT_PREFIX, &mut |key, value| {
            let name = std::str::from_utf8(key).ok().and_then(|name| KeyId::parse(name).ok());
            if let (Some(key), Ok(spending)) = (name, postcard::from_bytes(value)) {
                self.spending.insert(key, Tracked { spending, changed: false });
            }
        })?;
        self.money.load(journal)?;
        self.meters.load_tallies(journal)?;
        let from = projection.low_water.min(projection.through.saturating_add(1)).max(self.kept.first);
        let before = (from == projection.through.saturating_add(1)).then_some(projection.head);
        Ok(Chain::new(from, before))
    }

    fn begin_anew(&mut self, journal: &Journal) -> Result<Chain, StoreError> {
        let stale = &mut self.stale;
        journal.rows(SPENT_PREFIX, &mut |key, _| stale.push(([SPENT_PREFIX, key].concat(), None)))?;
        self.money.begin_anew(journal)?;
        self.meters.forget(journal)?;
        Ok(Chain::new(self.kept.first, Some(self.kept.before)))
    }

    fn replay(
        &mut self,
        record: Record,
        sequence: u64,
        count: bool,
        open: &mut HashMap<RequestId, (u64, Intent)>,
    ) {
        match record {
            Record::Intent(intent) => drop(open.insert(intent.id, (sequence, *intent))),
            Record::Settlement(settlement) => {
                open.remove(&settlement.id);
                if count {
                    self.count(&settlement);
                }
            }
            Record::Movement(movement) => self.money.replay(&movement, count),
            Record::Carried(_) => {}
        }
        self.since_checkpoint += u64::from(count);
    }

    /// What is open now belongs to a process that is gone.
    fn adopt(&mut self, open: HashMap<RequestId, (u64, Intent)>) {
        let mut open: Vec<_> = open.into_values().collect();
        open.sort_by_key(|(sequence, intent)| (*sequence, intent.id));
        for (sequence, intent) in open {
            self.open.open(intent.id, sequence);
            self.orphans.push(intent);
        }
    }

    /// Adds an intent to the next batch.
    pub(super) fn intent(&mut self, intent: &Intent) -> Taken {
        if self.ended.ids.contains(&intent.id) || !self.open.open(intent.id, self.next) {
            return Taken::Duplicate;
        }
        self.day = self.day.max(day_of(intent.at));
        self.builder().intent(intent);
        self.written();
        Taken::Written
    }

    /// Adds a settlement to the next batch.
    pub(super) fn settlement(&mut self, settlement: &Settlement) -> Taken {
        if !self.ended.add(settlement.id) {
            return Taken::Duplicate;
        }
        self.open.end(settlement.id);
        self.count(settlement);
        self.day = self.day.max(day_of(settlement.at));
        self.builder().settlement(settlement);
        self.written();
        Taken::Written
    }

    fn count(&mut self, settlement: &Settlement) {
        self.meters.count(settlement);
        let tracked = match self.spending.get_mut(settlement.key.as_str()) {
            Some(tracked) => tracked,
            None => self.spending.entry(settlement.key.clone()).or_default(),
        };
        tracked.spending.add(settlement, &mut self.calendar);
        if !std::mem::replace(&mut tracked.changed, true) {
            self.changed.push(settlement.key.clone());
        }
    }

    fn builder(&mut self) -> &mut Builder {
        self.builder.get_or_insert_with(|| Builder::new(&self.head))
    }

    /// Adds a movement that fits to the next batch.
    pub(super) fn add_movement(&mut self, movement: &Movement) {
        self.day = self.day.max(day_of(movement.at));
        self.builder().movement(movement);
        self.written();
    }

    /// Adds what is carried over from days that go.
    pub(super) fn carried(&mut self, carried: &Carried) {
        self.day = self.day.max(day_of(carried.at));
        self.builder().carried(carried);
        self.written();
    }

    /// While this is set, what is added stays in one batch.
    pub(super) fn keep_open(&mut self, together: bool) {
        self.together = together;
        if !together {
            self.seal_if_full();
        }
    }

    fn written(&mut self) {
        self.since_checkpoint += 1;
        self.seal_if_full();
    }

    fn seal_if_full(&mut self) {
        if !self.together && self.builder.as_ref().is_some_and(|builder| builder.bytes() >= self.batch_bytes)
        {
            self.seal_batch();
        }
    }

    fn seal_batch(&mut self) {
        let Some(builder) = self.builder.take() else { return };
        let (sequence, count) = (self.next, builder.count());
        let (value, digest) = builder.seal(sequence);
        self.sealed.push(Sealed { sequence, day: 0, value, count });
        (self.next, self.head) = (sequence.saturating_add(1), digest);
    }

    /// Ends the group: its batches, to be written on `today` or, when the clock
    /// went back, on the latest day before.
    pub(super) fn seal(&mut self, today: i64) -> Vec<Sealed> {
        self.seal_batch();
        let mut sealed = std::mem::take(&mut self.sealed);
        if !sealed.is_empty() {
            self.day = self.day.max(today);
        }
        for batch in &mut sealed {
            batch.day = self.day;
        }
        sealed
    }

    /// The rows that make the state tree tell everything up to the last batch.
    /// To be written after the batches. Nothing is forgotten here: rows that
    /// never reach the disk are among those of the next call.
    pub(super) fn checkpoint(&self) -> Vec<Row> {
        debug_assert!(self.builder.is_none() && self.sealed.is_empty(), "seal first");
        let mut rows = self.stale.clone();
        for key in &self.changed {
            let Some(tracked) = self.spending.get(key) else { continue };
            rows.push(([SPENT_PREFIX, key.as_str().as_bytes()].concat(), Some(encode(&tracked.spending))));
        }
        rows.extend(self.money.rows());
        rows.extend(self.meters.rows());
        let low_water = self.open.low_water().unwrap_or(self.next);
        let projection = Projection { through: self.through(), low_water, head: self.head };
        let mut value = vec![PROJECTION_VERSION];
        value.extend(encode(&projection));
        rows.push((PROJECTION_KEY.to_vec(), Some(value)));
        rows
    }

    /// The rows of the last `checkpoint` are on disk, and nothing was added since.
    pub(super) fn checkpoint_is_safe(&mut self) {
        self.since_checkpoint = 0;
        self.money.rows_are_safe();
        self.meters.rows_are_safe();
        self.stale.clear();
        for key in self.changed.drain(..) {
            if let Some(tracked) = self.spending.get_mut(&key) {
                tracked.changed = false;
            }
        }
    }

    /// Records since the state tree was last written.
    pub(super) fn since_checkpoint(&self) -> u64 {
        self.since_checkpoint
    }

    /// Intents that a process before this one left open; given once. Those for
    /// which `still_theirs` says yes stay: their process may yet end them.
    pub(super) fn take_orphans(&mut self, still_theirs: impl Fn(RequestId) -> bool) -> Vec<Intent> {
        let all = std::mem::take(&mut self.orphans).into_iter();
        let (stay, mut gone): (_, Vec<_>) = all.partition(|intent| still_theirs(intent.id));
        self.orphans = stay;
        gone.retain(|intent| self.open.contains(intent.id));
        gone
    }

    /// An intent of a process that is gone was written; if it stays open, it is an orphan.
    pub(super) fn adopt_one(&mut self, intent: Intent) {
        self.orphans.push(intent);
    }

    /// Open intents of this process.
    pub(super) fn own_open(&self) -> impl Iterator<Item = RequestId> + '_ {
        let orphans: HashSet<RequestId> = self.orphans.iter().map(|intent| intent.id).collect();
        self.open.ids().filter(move |id| !orphans.contains(id))
    }

    /// These books were loaded anew by the process that kept `before`; `own` are its open intents.
    pub(super) fn resume(&mut self, own: HashSet<RequestId>, before: Self) {
        self.orphans.retain(|intent| !own.contains(&intent.id));
        self.ended = before.ended;
    }

    pub(super) fn open(&self) -> &OpenIntents {
        &self.open
    }

    /// Digest of the last batch.
    pub(super) fn head(&self) -> Digest {
        self.head
    }

    /// Sequence number of the last batch.
    pub(super) fn through(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    pub(super) fn spending(&self) -> HashMap<KeyId, Spending> {
        self.spending.iter().map(|(key, tracked)| (key.clone(), tracked.spending)).collect()
    }
}

/// Encodes what has no reason to fail.
pub(super) fn encode(value: &impl serde::Serialize) -> Vec<u8> {
    match postcard::to_allocvec(value) {
        Ok(bytes) => bytes,
        Err(error) => unreachable!("a plain struct can always be encoded: {error}"),
    }
}
