//! Takes records in the order of the journal and adds up what is not saved yet.

use super::dimensions::facts;
use super::names::Names;
use super::sums::Sums;
use crate::ledger::wallet::Cause;
use crate::ledger::{Outcome, Record, Settlement};
use crate::types::{RequestId, UsageSource, Wall};
use ahash::HashMap;

/// Where the sums of a settlement go: its minute, and the numbers of what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    /// Minutes since the epoch in which the request came in.
    pub minute: u32,
    /// Who called.
    pub who: u32,
    /// What was called.
    pub target: u32,
    /// How it ended.
    pub end: u32,
}

const SECONDS_PER_MINUTE: i64 = 60;

/// The minute of a point in time, within what the numbers reach: 1970 to 10136.
pub fn minute_of(at: Wall) -> u32 {
    u32::try_from(at.seconds().div_euclid(SECONDS_PER_MINUTE).max(0)).unwrap_or(u32::MAX)
}

/// Sums that are in memory only.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    cells: HashMap<Cell, Sums>,
    /// Where the settlements of the last two batches went: a charge is told right after its
    /// settlement, in the same batch or at the beginning of the next.
    recent: [HashMap<RequestId, Cell>; 2],
}

impl Fold {
    /// Another batch begins.
    pub fn begin_batch(&mut self) {
        self.recent.swap(0, 1);
        self.recent[0].clear();
    }

    /// Counts a record, unless it belongs to a time before `since`. Gives who called, for a settlement.
    pub fn take(&mut self, record: &Record, names: &mut Names, since: Wall) -> Option<u32> {
        match record {
            Record::Settlement(settlement) => Some(self.settlement(settlement, names, since)),
            Record::Movement(movement) => {
                if let (Cause::Settle(sale), Some(id)) = (&movement.cause, movement.request)
                    && movement.at >= since
                    && let Some(cell) = self.recent.iter().find_map(|recent| recent.get(&id))
                {
                    self.cells.entry(*cell).or_default().merge_numbers(&Sums::of_charge(sale.paid));
                }
                None
            }
            _ => None,
        }
    }

    /// Like [`Fold::take`] of a batch that is counted already: only remembers where it went.
    pub fn remember(&mut self, record: &Record, names: &mut Names) {
        if let Record::Settlement(settlement) = record {
            let (cell, _) = cell_of(settlement, names);
            self.recent[0].insert(settlement.id, cell);
        }
    }

    fn settlement(&mut self, settlement: &Settlement, names: &mut Names, since: Wall) -> u32 {
        let (cell, sums) = cell_of(settlement, names);
        self.recent[0].insert(settlement.id, cell);
        if settlement.at >= since {
            self.cells.entry(cell).or_default().merge(&sums);
        }
        cell.who
    }

    /// All cells, in no order.
    pub fn cells(&self) -> impl Iterator<Item = (&Cell, &Sums)> {
        self.cells.iter()
    }

    /// What was added up is saved.
    pub fn all_saved(&mut self) {
        self.cells.clear();
    }
}

fn cell_of(settlement: &Settlement, names: &mut Names) -> (Cell, Sums) {
    let (who, target, end, sums) = facts(settlement);
    let answered = settlement.usage_source == UsageSource::Provider || settlement.outcome == Outcome::Ok;
    let cell = Cell {
        minute: minute_of(settlement.at),
        who: names.who(who),
        target: names.target(target, answered),
        end: names.end(end),
    };
    (cell, sums)
}
