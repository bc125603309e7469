//! The proof that the books fit: fed with every record in the order of the
//! journal, it says what does not add up.

use super::wallet::{Balances, Carried, Cause, Movement, Sale};
use super::{
    Calendar, OpenIntents, Outcome, PriceTable, Record, Settlement, Spending, day_of, day_text, month_of_day,
    month_start,
};
use crate::types::{KeyId, Pico, RequestId, Usage};
use ahash::{HashMap, HashMapExt, HashSet, HashSetExt};
use std::fmt;

/// So many problems are spelled out; the rest is counted.
const PROBLEMS_LISTED: usize = 100;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Report {
    /// Batches of the journal that were read.
    pub batches: u64,
    /// Intents.
    pub intents: u64,
    /// Settlements.
    pub settlements: u64,
    /// Settlements that recovery wrote.
    pub recovered: u64,
    /// Intents that have not ended: in flight, or left by a process that died
    /// and for the next start to close.
    pub open: u64,
    /// Charges that were computed again and are the same.
    pub charges: u64,
    /// Charges whose price row is not in the table, so not computed again.
    pub unknown_prices: u64,
    /// Sum of all charges.
    pub cost: Pico,
    /// Movements of wallets.
    pub movements: u64,
    /// Sum of what wallets were charged, in credits.
    pub credits: Pico,
    /// Credits that requests owed and no wallet had.
    pub written_off: Pico,
    /// The first problems.
    pub problems: Vec<String>,
    /// How many problems there are.
    pub problem_count: u64,
}

impl Report {
    /// Do the books fit?
    pub fn is_sound(&self) -> bool {
        self.problem_count == 0
    }

    /// Notes a problem; only the first hundred are spelled out.
    pub fn problem(&mut self, text: impl fmt::Display) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_LISTED {
            self.problems.push(text.to_string());
        }
    }
}

/// What of a settlement its sale follows from.
#[derive(Clone, Copy)]
struct Settled {
    id: RequestId,
    usage: Usage,
    cost: Pico,
    saved: Pico,
    outcome: Outcome,
}

/// What wallets had before the first batch.
#[derive(Default)]
struct Carry {
    /// The last batch that went.
    through: u64,
    digest: Option<String>,
    /// An entry of the journal says the same.
    is_proven: bool,
}

/// Reads records one by one and keeps what is needed to judge them: the id of
/// every request, about 20 bytes each.
pub struct Auditor<'a> {
    prices: &'a PriceTable,
    kept_from: Option<i64>,
    open: OpenIntents,
    ended: HashSet<RequestId>,
    spending: HashMap<KeyId, Spending>,
    calendar: Calendar,
    wallets: Balances,
    carried: Carry,
    /// The settlement before, which a sale belongs to.
    settled: Option<Settled>,
    report: Report,
}

impl<'a> Auditor<'a> {
    /// `kept_from` is the first day that retention has kept, if it dropped any:
    /// what began before is not there to be compared.
    pub fn new(prices: &'a PriceTable, kept_from: Option<i64>) -> Self {
        Self {
            prices,
            kept_from,
            open: OpenIntents::new(),
            ended: HashSet::new(),
            spending: HashMap::new(),
            calendar: Calendar::default(),
            wallets: Balances::new(),
            carried: Carry::default(),
            settled: None,
            report: Report::default(),
        }
    }

    /// The first batch comes after `through`, and wallets have by then what is carried over: its
    /// digest, and the balances. To be called before the first batch.
    pub fn carry(&mut self, through: u64, carried: Option<(String, Balances)>) {
        self.carried.through = through;
        if let Some((digest, balances)) = carried {
            (self.carried.digest, self.wallets) = (Some(digest), balances);
        }
    }

    /// A batch begins.
    pub fn batch(&mut self) {
        self.report.batches += 1;
    }

    /// Something does not fit that is not a matter of records.
    pub fn problem(&mut self, text: impl fmt::Display) {
        self.report.problem(text);
    }

    /// The next record, found in `batch`.
    pub fn record(&mut self, record: &Record, batch: u64) {
        match record {
            Record::Intent(intent) => {
                self.report.intents += 1;
                if self.ended.contains(&intent.id) {
                    self.report
                        .problem(format_args!("{}: intent after its settlement, batch {batch}", intent.id));
                } else if !self.open.open(intent.id, batch) {
                    self.report.problem(format_args!("{}: second intent, batch {batch}", intent.id));
                }
            }
            Record::Settlement(settlement) => self.settlement(settlement, batch),
            Record::Movement(movement) => self.movement(movement, batch),
            Record::Carried(entry) => self.entry_of_carried(entry, batch),
        }
    }

    /// An entry about other days was written by an attempt that ended early.
    fn entry_of_carried(&mut self, entry: &Carried, batch: u64) {
        if entry.through != self.carried.through {
            return;
        }
        match self.carried.digest.as_deref() {
            Some(digest) if *digest == *entry.balances => self.carried.is_proven = true,
            Some(_) => self
                .report
                .problem(format_args!("what wallets had when old days went is not what batch {batch} says")),
            None => self
                .report
                .problem(format_args!("what wallets had when old days went is gone, batch {batch} names it")),
        }
    }

    /// Every account is computed again; what does not fit is named.
    fn movement(&mut self, movement: &Movement, batch: u64) {
        self.report.movements += 1;
        if let Err(error) = self.wallets.apply(movement) {
            let (cause, wallet) = (movement.cause.name(), &movement.wallet);
            self.report.problem(format_args!("a {cause} of wallet {wallet} {error}, batch {batch}"));
        }
        let Cause::Settle(sale) = &movement.cause else { return };
        self.report.credits = self.report.credits.saturating_add(sale.paid);
        self.report.written_off = self.report.written_off.saturating_add(sale.owed.saturating_sub(sale.paid));
        match self.settled.take().filter(|settled| Some(settled.id) == movement.request) {
            Some(settled) => self.sale(sale, &settled, batch),
            None => {
                let wallet = &movement.wallet;
                self.report
                    .problem(format_args!("wallet {wallet} is charged without a settlement, batch {batch}"));
            }
        }
    }

    /// A cache hit pays for what it saved; recovery takes no more than was held.
    fn sale(&mut self, sale: &Sale, settled: &Settled, batch: u64) {
        let row = match &sale.rule {
            super::wallet::Rule::Rate { row, .. } => self.prices.by_id(row),
            _ => None,
        };
        let id = settled.id;
        let billed = !matches!(settled.outcome, Outcome::CacheHit | Outcome::Coalesced);
        let cost = if billed { settled.cost } else { settled.saved };
        let by_row = row.is_some() && !billed;
        match sale.follows(&settled.usage, cost, row.map(|row| &**row)) {
            Some(true) => {}
            // What a cache hit would have used is not in its entry.
            Some(false) if by_row => {}
            Some(false) if settled.outcome == Outcome::Recovered => {}
            Some(false) => {
                self.report.problem(format_args!(
                    "{id}: its wallet owes {}, the rule says another, batch {batch}",
                    sale.owed
                ));
            }
            None => self.report.unknown_prices += 1,
        }
    }

    fn settlement(&mut self, settlement: &Settlement, batch: u64) {
        self.report.settlements += 1;
        self.report.recovered += u64::from(settlement.outcome == Outcome::Recovered);
        let id = settlement.id;
        let was_open = self.open.end(id);
        if !self.ended.insert(id) {
            self.report.problem(format_args!("{id}: settled twice, again in batch {batch}"));
        } else if settlement.intended && !was_open && !self.began_before_the_books(settlement) {
            self.report.problem(format_args!("{id}: settled without its intent, batch {batch}"));
        } else if !settlement.intended && was_open {
            self.report.problem(format_args!("{id}: has an intent and denies it, batch {batch}"));
        }
        self.charge(settlement, batch);
        self.settled = Some(Settled {
            id,
            usage: settlement.usage,
            cost: settlement.cost(),
            saved: settlement.saved,
            outcome: settlement.outcome,
        });
        let sums = self.spending.entry(settlement.key.clone()).or_default();
        sums.add(settlement, &mut self.calendar);
    }

    fn began_before_the_books(&self, settlement: &Settlement) -> bool {
        self.kept_from.is_some_and(|day| day_of(settlement.at) < day)
    }

    fn charge(&mut self, settlement: &Settlement, batch: u64) {
        let Some(charge) = &settlement.charge else { return };
        self.report.cost = self.report.cost.saturating_add(charge.cost);
        match self.prices.by_id(&charge.price) {
            None => self.report.unknown_prices += 1,
            Some(price) if price.charge(&settlement.usage) == *charge => self.report.charges += 1,
            Some(price) => {
                let cost = price.charge(&settlement.usage).cost;
                let (id, booked) = (settlement.id, charge.cost);
                self.report.problem(format_args!("{id}: charged {booked}, price says {cost}, batch {batch}"));
            }
        }
    }

    /// Compares with the projections. `in_flight` says whether an open intent
    /// may be open; the others are problems.
    pub fn finish(
        mut self,
        projection: &HashMap<KeyId, Spending>,
        wallets: &Balances,
        in_flight: impl Fn(RequestId) -> bool,
    ) -> Report {
        self.report.open = self.open.len() as u64;
        for id in self.open.ids().filter(|id| !in_flight(*id)) {
            self.report.problem(format_args!("{id}: an intent that never ended"));
        }
        if self.carried.digest.is_some() && !self.carried.is_proven {
            self.report.problem("no entry proves what wallets had when old days went");
        }
        self.compare(projection);
        self.compare_wallets(wallets);
        self.report
    }

    /// Debits are credits, no hold outlives its request, and the projection has the same accounts.
    fn compare_wallets(&mut self, projection: &Balances) {
        let (credits, currency) = self.wallets.trial();
        if credits != Pico::ZERO || currency != Pico::ZERO {
            self.report.problem(format_args!("the accounts are off by {credits} credits and {currency}"));
        }
        for id in self.wallets.holding().filter(|id| !self.open.contains(*id)) {
            self.report.problem(format_args!("{id}: holds credits, but it has ended"));
        }
        for (tenant, sheet) in self.wallets.sheets() {
            if projection.wallet(tenant) != Some(sheet) {
                let known = projection.wallet(tenant).map(|sheet| (sheet.left(), sheet.held()));
                let (left, held) = known.unwrap_or_default();
                self.report.problem(format_args!(
                    "wallet {tenant}: the journal says {} left and {} held, the projection {left} and {held}",
                    sheet.left(),
                    sheet.held()
                ));
            }
        }
        if self.wallets.totals() != projection.totals() {
            self.report.problem("the hub's own accounts are not those of the projection");
        }
    }

    fn compare(&mut self, projection: &HashMap<KeyId, Spending>) {
        let mut keys: Vec<_> = self.spending.keys().chain(projection.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            let counted = self.spending.get(key).copied().unwrap_or_default();
            let projected = projection.get(key).copied().unwrap_or_default();
            if counted != projected && self.is_whole(counted.month.max(projected.month)) {
                let day = day_text(projected.day);
                self.report.problem(format_args!(
                    "key {key}: the journal says {} this month, the projection {} ({day})",
                    counted.month_cost, projected.month_cost
                ));
            }
        }
    }

    /// Is every day of the month still in the journal?
    fn is_whole(&self, month: i64) -> bool {
        let Some(day) = self.kept_from else { return true };
        let first_whole = month_of_day(day) + i64::from(month_start(day) != day);
        month >= first_whole
    }
}

#[cfg(test)]
mod tests;
