//! The store as its callers see it, on sled and on a disk that fails.

mod crash;
pub(in crate::store) mod fake;
mod faults;
mod handover;
mod opening;
mod quotas;
mod retention;
mod seeds;
mod sim;
mod sled;
mod thread;

use super::*;
use crate::ledger::{Charge, Intent, Outcome, Price, Rates};
use crate::types::{KeyId, Op, Pico, Rate, RequestId, TenantId, Usage, UsageSource};
use std::time::Duration;

pub(super) const START: Wall = Wall(1_767_225_600_000_000);

/// The id of request number `n`, the same in every run.
pub(super) fn id(n: u64) -> RequestId {
    RequestId(uuid::Uuid::from_u64_pair(0x7000, n))
}

pub(super) fn intent(n: u64) -> Intent {
    Intent {
        id: id(n),
        at: START,
        tenant: TenantId::parse("acme").unwrap(),
        key: KeyId::parse(&format!("key-{}", n % 3)).unwrap(),
        op: Op::Chat,
        model: "gpt-4o".into(),
        provider: "openai".into(),
        upstream_model: "gpt-4o-2024-08-06".into(),
        input_bound: 1_000 + n,
        output_bound: 4_096,
        hold: Pico(43_960_000_000),
        party: Arc::default(),
    }
}

pub(super) fn settlement(intent: &Intent) -> Settlement {
    let usage = Usage { input: intent.input_bound / 2, output: 20, requests: 1, ..Usage::default() };
    Settlement {
        duration_us: 1_234_567,
        first_token_us: Some(345_678),
        stream: true,
        credential: "openai/main".into(),
        attempts: 1,
        status: 200,
        outcome: Outcome::Ok,
        usage,
        usage_source: UsageSource::Provider,
        charge: Some(price().charge(&usage)),
        ..recovered(intent, None)
    }
}

pub(super) fn price() -> Price {
    let rate = |text| Rate::parse(text).unwrap();
    let rates = Rates { input: rate("2.5"), output: rate("10"), ..Rates::default() };
    Price::new("openai", "gpt-4o*", Wall(0), rates, vec![], "test")
}

pub(super) fn prices() -> PriceTable {
    PriceTable::new(vec![price()])
}

pub(super) fn find_price(intent: &Intent) -> Option<Arc<Price>> {
    prices().find(&intent.provider, "openai", &intent.upstream_model, intent.at).cloned()
}

pub(super) fn charge(settlement: &Settlement) -> &Charge {
    settlement.charge.as_ref().unwrap()
}

pub(super) fn options() -> Options {
    Options { queue: 64, flush_interval: Duration::from_millis(1), flush_entries: 16, cache_bytes: 8 << 20 }
}

/// Small numbers, so that few records exercise much.
pub(super) fn tuning() -> Tuning {
    Tuning {
        back_off: (Duration::ZERO, Duration::ZERO),
        attempts_at_close: 3,
        checkpoint_records: 7,
        batch_bytes: 600,
    }
}

pub(super) fn silent() -> OnFlush {
    Box::new(|_, _| ())
}

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// All records of an archive, in order.
pub(super) fn records(archive: &Archive) -> Vec<Record> {
    let mut records = Vec::new();
    archive.export(Wall(i64::MIN)..Wall(i64::MAX), &mut |record| records.push(record)).unwrap();
    records
}
