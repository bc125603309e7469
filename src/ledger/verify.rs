//! The proof that the books fit: fed with every record in the order of the
//! journal, it says what does not add up.

use super::{
    Calendar, OpenIntents, PriceTable, Record, Settlement, Spending, day_of, day_text, month_of_day,
    month_start,
};
use crate::types::{KeyId, Pico, RequestId};
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

/// Reads records one by one and keeps what is needed to judge them: the id of
/// every request, about 20 bytes each.
pub struct Auditor<'a> {
    prices: &'a PriceTable,
    kept_from: Option<i64>,
    open: OpenIntents,
    ended: HashSet<RequestId>,
    spending: HashMap<KeyId, Spending>,
    calendar: Calendar,
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
            report: Report::default(),
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
        }
    }

    fn settlement(&mut self, settlement: &Settlement, batch: u64) {
        self.report.settlements += 1;
        self.report.recovered += u64::from(settlement.outcome == super::Outcome::Recovered);
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

    /// Compares with the projection. `in_flight` says whether an open intent
    /// may be open; the others are problems.
    pub fn finish(
        mut self,
        projection: &HashMap<KeyId, Spending>,
        in_flight: impl Fn(RequestId) -> bool,
    ) -> Report {
        self.report.open = self.open.len() as u64;
        for id in self.open.ids().filter(|id| !in_flight(*id)) {
            self.report.problem(format_args!("{id}: an intent that never ended"));
        }
        self.compare(projection);
        self.report
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
