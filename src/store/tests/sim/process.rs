//! One process of the simulation: its writer, its counters, its requests.

use super::*;
use crate::ledger::wallet::{Hold, Movement, Rule, Terms};
use crate::limit::{Gate, Permit};
use crate::store::money::Moving;
use crate::types::Mono;

/// A request of a process.
struct InFlight {
    intent: Intent,
    permit: Permit,
    /// The day and month of its counters.
    periods: (i64, i64),
    /// What it holds, if its tenant could carry it.
    hold: Option<Hold>,
}

/// A fifth on top of the cost, a credit for each unit of it.
fn terms() -> Terms {
    Terms::margin(200_000, Pico(1_000_000_000_000))
}

/// The settlement, and the charge if there is one.
pub(super) fn ending(settlement: Settlement, sale: Option<Movement>) -> Entry {
    match sale {
        Some(sale) => Entry::Moving(Moving::Charged(Box::new(settlement), sale)),
        None => Entry::Settlement(settlement),
    }
}

pub(super) struct Process {
    pub(super) writer: Writer,
    gates: BTreeMap<KeyId, Arc<Gate>>,
    in_flight: Vec<InFlight>,
    pub(super) queued: Vec<Entry>,
    pub(super) last_ended: Option<Settlement>,
    /// What is safe in its spool.
    pub(super) spooled: Safe,
    /// What its counters should say.
    pub(super) counted: Vec<Counted>,
}

/// Something that counters were told, with the day and month that it belongs to.
#[derive(Clone)]
pub(super) struct Counted {
    pub(super) key: KeyId,
    pub(super) day: Option<i64>,
    pub(super) month: Option<i64>,
    pub(super) used: Ask,
    /// Did this process let the request in?
    pub(super) own: bool,
}

/// A group that is on disk.
pub(super) struct Queued {
    pub(super) begun: Vec<RequestId>,
    pub(super) ended: Vec<Settlement>,
}

impl Process {
    pub(super) fn new(writer: Writer) -> Self {
        Self {
            writer,
            gates: BTreeMap::new(),
            in_flight: Vec::new(),
            queued: Vec::new(),
            last_ended: None,
            spooled: Safe::default(),
            counted: Vec::new(),
        }
    }

    /// Counters begin with what the books say.
    pub(super) fn restore(&mut self, spent: &ahash::HashMap<KeyId, Spending>) {
        for number in 0..3 {
            let key = intent(number).key;
            let spending = spent.get(&key).copied().unwrap_or_default();
            self.gates.insert(key.clone(), Gate::new(spent_of(&spending)));
            let day = Ask { tokens: spending.day_tokens, cost: spending.day_cost, ..Ask::default() };
            let month = Ask { tokens: spending.month_tokens, cost: spending.month_cost, ..Ask::default() };
            let counted = Counted { key, day: None, month: None, used: day, own: false };
            self.counted.push(Counted { day: Some(spending.day), ..counted.clone() });
            self.counted.push(Counted { month: Some(spending.month), used: month, ..counted });
        }
    }

    /// Counts what another process let in, once counters are there.
    pub(super) fn inherit(&mut self, settlement: &Settlement) {
        let Some(gate) = self.gates.get(&settlement.key) else { return };
        let used = used_by(settlement);
        gate.inherit(used, settlement.at);
        let day = day_of(settlement.at);
        let (key, month) = (settlement.key.clone(), month_of_day(day));
        self.counted.push(Counted { key, day: Some(day), month: Some(month), used, own: false });
    }

    pub(super) fn gates(&self) -> impl Iterator<Item = (&KeyId, Spent)> {
        self.gates.iter().map(|(key, gate)| (key, gate.spent()))
    }

    pub(super) fn ask<T>(&mut self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, StoreError> {
        let (sender, receiver) = sync_channel(1);
        self.writer.answer(command(sender));
        receiver.recv().unwrap()
    }

    /// `false` when the limits refuse.
    pub(super) fn begin(&mut self, limits: &Limits, intent: Intent) -> bool {
        let gate = &self.gates[&intent.key];
        let ask =
            Ask { tokens: intent.input_bound + intent.output_bound, cost: intent.hold, ..Ask::default() };
        let Ok(permit) = gate.admit(limits, ask, Mono(0), intent.at) else { return false };
        let periods = (gate.spent().day, gate.spent().month);
        let wallets = &self.writer.shared.wallets;
        let worst = terms().worst_case(intent.hold, 0, 0, &Usage::default());
        let mut hold = wallets.hold(&intent.tenant, (intent.id, intent.at), None, terms(), worst).ok();
        self.queued.push(match &mut hold {
            Some(hold) => Entry::Moving(Moving::Held(Box::new(intent.clone()), hold.book(Pico(1)), None)),
            None => Entry::Intent(intent.clone()),
        });
        self.in_flight.push(InFlight { intent, permit, periods, hold });
        true
    }

    /// Ends the oldest or the youngest request: its counters are settled, its
    /// wallet has back what it did not use, and its end is to be queued.
    pub(super) fn end(&mut self, youngest: bool) -> Option<(Settlement, Entry)> {
        let last = self.in_flight.len().checked_sub(1)?;
        let InFlight { intent, permit, periods, hold } =
            self.in_flight.remove(if youngest { last } else { 0 });
        let settlement = with_vendor(&intent);
        let used = used_by(&settlement);
        let now = self.writer.clock.wall();
        permit.settle(used, Mono(0), now);
        let (day, month) = (Some(periods.0), Some(periods.1));
        self.counted.push(Counted { key: intent.key, day, month, used, own: true });
        let Some(hold) = hold else { return Some((settlement.clone(), ending(settlement, None))) };
        let sale = terms().sale(&settlement.usage, settlement.charge.as_ref(), Rule::WHOLE);
        let (sale, returned) = hold.settle(sale, settlement.cost(), now);
        // Between handing over and giving back there is nothing in a world without threads.
        returned.give();
        Some((settlement.clone(), ending(settlement, sale)))
    }

    /// One group.
    pub(super) fn commit(&mut self) -> Queued {
        let mut queued = Queued { begun: Vec::new(), ended: Vec::new() };
        for entry in &self.queued {
            match entry {
                Entry::Intent(intent) => queued.begun.push(intent.id),
                Entry::Settlement(settlement) => queued.ended.push(settlement.clone()),
                Entry::Moving(Moving::Held(intent, ..)) => queued.begun.push(intent.id),
                Entry::Moving(Moving::Charged(settlement, _)) => {
                    queued.ended.push(Settlement::clone(settlement));
                }
                Entry::Moving(Moving::Alone(_)) => {}
                _ => unreachable!("not queued here"),
            }
        }
        let mut entries = std::mem::take(&mut self.queued);
        self.writer.group(&mut entries);
        queued
    }

    /// Requests whose end is not in the books.
    pub(super) fn unsettled(&self) -> Vec<RequestId> {
        let in_flight = self.in_flight.iter().map(|request| request.intent.id);
        let queued = self.queued.iter().filter_map(|entry| match entry {
            Entry::Settlement(settlement) => Some(settlement.id),
            Entry::Moving(Moving::Charged(settlement, _)) => Some(settlement.id),
            _ => None,
        });
        in_flight.chain(queued).collect()
    }
}

pub(super) fn used_by(settlement: &Settlement) -> Ask {
    Ask { tokens: settlement.counted_tokens(), cost: settlement.cost(), ..Ask::default() }
}

/// Ends that use everything that was held, a part, and nothing.
fn with_vendor(intent: &Intent) -> Settlement {
    let settlement = settlement(intent);
    let all = Usage { input: intent.input_bound, output: intent.output_bound, ..settlement.usage };
    let half = Usage { input: intent.input_bound / 2, output: intent.output_bound / 2, ..settlement.usage };
    let usage = match intent.id.0.as_u64_pair().1 % 4 {
        0 => all,
        1 => half,
        2 => settlement.usage,
        _ => {
            let (outcome, usage_source) = (Outcome::UpstreamError, UsageSource::None);
            return Settlement { outcome, usage_source, usage: Usage::default(), charge: None, ..settlement };
        }
    };
    Settlement { usage, charge: Some(price().charge(&usage)), ..settlement }
}

/// An answer from the cache costs nothing.
pub(super) fn without_vendor(intent: &Intent) -> Settlement {
    let settlement = settlement(intent);
    Settlement {
        intended: false,
        outcome: Outcome::CacheHit,
        usage: Usage::default(),
        usage_source: UsageSource::None,
        saved: settlement.cost(),
        charge: None,
        ..settlement
    }
}
