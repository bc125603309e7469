//! In which orders sums are kept, so that each question reads few rows, and how
//! a time is cut into the largest slots that are kept.
//!
//! A *view* is an order: its head is a part of the key, its rows are in the
//! value. A *grain* is the width of a slot. Every time zone of today is a
//! multiple of a quarter of an hour away from UTC, so quarters add up to any
//! zone's days; hours and days (UTC) are there to read fewer rows.

use super::fold::{Cell, Fold};
use super::names::Names;
use super::sums::Sums;
use std::collections::BTreeMap;

/// In which order; the numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// The whole hub; rows are what was called and how it ended.
    Hub = 1,
    /// The whole hub; rows are tenants.
    Tenants = 2,
    /// One tenant; rows are what was called and how it ended.
    Tenant = 3,
    /// One tenant; rows are its callers.
    Callers = 4,
    /// One caller; rows are what was called and how it ended.
    Caller = 5,
}

/// How wide; the numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    /// A UTC day.
    Day = 1,
    /// An hour.
    Hour = 2,
    /// A quarter of an hour.
    Quarter = 3,
    /// A minute; of the last day only.
    Minute = 4,
}

/// Minutes are kept for so long, in seconds.
pub const MINUTES_KEPT: i64 = 86_400;

/// What stands in a row: two numbers, the second 0 where there is one.
pub type Row = (u32, u32);

impl View {
    /// All of them.
    pub const ALL: [View; 5] = [View::Hub, View::Tenants, View::Tenant, View::Callers, View::Caller];

    /// The grains it is kept in, the widest first. Callers are many and their rows few, so hours would
    /// save little.
    pub fn grains(self) -> &'static [Grain] {
        match self {
            View::Caller => &[Grain::Day, Grain::Quarter, Grain::Minute],
            _ => &[Grain::Day, Grain::Hour, Grain::Quarter, Grain::Minute],
        }
    }

    fn place(self, cell: &Cell, names: &Names) -> (u32, Row) {
        match self {
            View::Hub => (0, (cell.target, cell.end)),
            View::Tenants => (0, (names.tenant_of(cell.who), 0)),
            View::Tenant => (names.tenant_of(cell.who), (cell.target, cell.end)),
            View::Callers => (names.tenant_of(cell.who), (cell.who, 0)),
            View::Caller => (cell.who, (cell.target, cell.end)),
        }
    }
}

impl Grain {
    /// Its width.
    pub fn seconds(self) -> i64 {
        match self {
            Grain::Day => 86_400,
            Grain::Hour => 3_600,
            Grain::Quarter => 900,
            Grain::Minute => 60,
        }
    }

    /// The slot in which a minute is.
    pub fn slot_of_minute(self, minute: u32) -> u32 {
        minute / u32::try_from(self.seconds() / 60).unwrap_or(1)
    }

    /// The slot that begins at, or has in it, a point in time.
    pub fn slot_of(self, seconds: i64) -> u32 {
        u32::try_from(seconds.div_euclid(self.seconds()).max(0)).unwrap_or(u32::MAX)
    }

    /// When a slot begins, in seconds since the epoch.
    pub fn start_of(self, slot: u32) -> i64 {
        i64::from(slot) * self.seconds()
    }
}

/// Which rows belong together: one value on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Page {
    /// The order.
    pub view: View,
    /// The width.
    pub grain: Grain,
    /// What is fixed.
    pub head: u32,
    /// The slot.
    pub slot: u32,
}

/// Rows of one page, ascending.
pub type Rows = BTreeMap<Row, Sums>;

/// The pages of one order and width that cells belong to. Minutes before `minutes_from` have none.
/// One at a time, because all together they are twenty times the cells.
pub fn spread(
    fold: &Fold,
    names: &Names,
    view: View,
    grain: Grain,
    minutes_from: u32,
) -> BTreeMap<Page, Rows> {
    let mut pages: BTreeMap<Page, Rows> = BTreeMap::new();
    let wanted = |cell: &Cell| grain != Grain::Minute || cell.minute >= minutes_from;
    for (cell, sums) in fold.cells().filter(|(cell, _)| wanted(cell)) {
        let (head, row) = view.place(cell, names);
        let page = Page { view, grain, head, slot: grain.slot_of_minute(cell.minute) };
        pages.entry(page).or_default().entry(row).or_default().merge(sums);
    }
    pages
}

/// Slots of one width, from the first up to and without the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The width.
    pub grain: Grain,
    /// The first slot.
    pub first: u32,
    /// The one after the last.
    pub end: u32,
}

/// Cuts the times between `bounds` (seconds, ascending) into slots that cross no bound, as wide as
/// there are. What is not a whole slot of the finest grain is left out.
pub fn cut(bounds: &[i64], grains: &[Grain]) -> Vec<Run> {
    let mut runs = Vec::new();
    for pair in bounds.windows(2) {
        if let [from, to] = *pair {
            cut_one(from, to, grains, &mut runs);
        }
    }
    runs
}

fn cut_one(from: i64, to: i64, grains: &[Grain], runs: &mut Vec<Run>) {
    let Some((grain, finer)) = grains.split_first() else { return };
    let width = grain.seconds();
    let first = from.saturating_add(width - 1).div_euclid(width) * width;
    let last = to.div_euclid(width) * width;
    if first >= last {
        return cut_one(from, to, finer, runs);
    }
    cut_one(from, first, finer, runs);
    let run = Run { grain: *grain, first: grain.slot_of(first), end: grain.slot_of(last) };
    match runs.last_mut() {
        Some(before) if before.grain == run.grain && before.end == run.first => before.end = run.end,
        _ => runs.push(run),
    }
    cut_one(last, to, finer, runs);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: &[Grain] = &[Grain::Day, Grain::Hour, Grain::Quarter];

    #[test]
    fn whole_days_are_read_as_days_and_ends_as_hours_and_quarters() {
        let day = 20_000;
        let from = day * 86_400 + 18 * 3_600 + 1_800;
        let runs = cut(&[from, from + 3 * 86_400], ALL);
        let widths: Vec<_> = runs.iter().map(|run| (run.grain, run.end - run.first)).collect();
        let (d, h, q) = (Grain::Day, Grain::Hour, Grain::Quarter);
        assert_eq!(widths, [(q, 2), (h, 5), (d, 2), (h, 18), (q, 2)]);
    }

    #[test]
    fn days_of_another_zone_that_are_asked_for_one_by_one_are_one_run_of_hours() {
        let bounds: Vec<i64> = (0..=365).map(|day| 1_767_225_600 - 3_600 + day * 86_400).collect();
        let runs = cut(&bounds, ALL);
        assert_eq!((runs.len(), runs[0].grain, runs[0].end - runs[0].first), (1, Grain::Hour, 365 * 24));
    }

    proptest! {
        #[test]
        fn slots_cover_every_quarter_between_the_bounds_once(
            start in 0..1_000_000_i64, widths in prop::collection::vec(0..400_i64, 1..12),
        ) {
            let mut bounds = vec![start * 900];
            for width in widths {
                bounds.push(bounds[bounds.len() - 1] + width * 900);
            }
            for grains in [ALL, View::Caller.grains()] {
                let mut at = bounds[0];
                for run in cut(&bounds, grains) {
                    prop_assert_eq!(run.grain.start_of(run.first), at);
                    at = run.grain.start_of(run.end);
                }
                prop_assert_eq!(at, bounds[bounds.len() - 1]);
            }
        }
    }
}
