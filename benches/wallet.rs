//! What wallets cost: `cargo bench --bench wallet`.
//!
//! Hold and settle of one request among 100,000 wallets; the same of one hot
//! wallet with 64 callers; and a start whose journal has a million movements.

#![expect(clippy::expect_used, reason = "a benchmark ends when anything goes wrong")]

use aigne_hub::ledger::wallet::{
    Account, Balances, Cause, Lot, LotId, Movement, Rule, Source, Terms, Transfer, Wallets,
};
use aigne_hub::types::{Clock, Pico, RequestId, TenantId, Usage, Wall};
use std::sync::Arc;
use std::time::{Duration, Instant};

const WALLETS: u64 = 100_000;
const REQUESTS: u64 = 1_000_000;
const CALLERS: u64 = 64;

fn main() {
    let now = Clock::machine().wall();
    let tenants: Vec<TenantId> = (0..WALLETS).map(tenant).collect();
    let live = Arc::new(filled(&tenants, now));
    let cold = spread(&live, &tenants, now);
    let hot = crowded(&live, &tenants[0], now);
    println!("one hot wallet: {:.2} times the CPU of many", hot / cold);
    replayed(&tenants, now);
}

fn tenant(n: u64) -> TenantId {
    TenantId::parse(&format!("tenant-{n:06}")).expect("a tenant")
}

fn issue(wallet: &TenantId, id: u64, now: Wall) -> Movement {
    let amount = Pico(1_000_000_000_000_000_000);
    let lot = Lot { id: LotId(id), source: Source::Purchase, priority: 50, expires_at: None, amount };
    Movement {
        at: now,
        wallet: wallet.clone(),
        member: None,
        request: None,
        cause: Cause::Issue { operation: format!("op-{id}").into(), lot, reason: "".into() },
        transfers: vec![Transfer::new(Account::Issued(Source::Purchase), Account::Lot(lot.id), amount)],
    }
}

fn filled(tenants: &[TenantId], now: Wall) -> Wallets {
    let live = Wallets::default();
    for (n, tenant) in tenants.iter().enumerate() {
        live.absorb(&issue(tenant, n as u64 + 1, now));
    }
    live
}

/// Hold, its movement, settle, its movement, and the rest back.
fn one(live: &Wallets, tenant: &TenantId, id: RequestId, now: Wall) -> (Movement, Option<Movement>) {
    let terms = Terms::margin(200_000, Pico(1_000_000_000_000));
    let worst = terms.worst_case(Pico(43_960_000_000), 1_200, 4_096, &Usage::default());
    let mut hold = live.hold(tenant, (id, now), None, terms, worst).expect("credits");
    let booked = hold.book(Pico(3_000_000_000));
    let usage = Usage { input: 310, output: 128, requests: 1, ..Usage::default() };
    let sale = hold.terms().sale(&usage, None, Rule::WHOLE);
    let (settled, returned) = hold.settle(sale, Pico(2_055_000_000), now);
    returned.give();
    (booked, settled)
}

fn spread(live: &Wallets, tenants: &[TenantId], now: Wall) -> f64 {
    let (begun, cpu) = (Instant::now(), cpu_time());
    for n in 0..REQUESTS {
        let at = usize::try_from(n.wrapping_mul(7_919) % WALLETS).expect("small");
        std::hint::black_box(one(live, &tenants[at], RequestId::generate(), now));
    }
    told("hold and settle, 100,000 wallets", begun.elapsed(), cpu_time() - cpu)
}

fn crowded(live: &Arc<Wallets>, tenant: &TenantId, now: Wall) -> f64 {
    let (begun, cpu) = (Instant::now(), cpu_time());
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (live, tenant) = (live.clone(), tenant.clone());
            std::thread::spawn(move || {
                for _ in 0..REQUESTS / CALLERS {
                    std::hint::black_box(one(&live, &tenant, RequestId::generate(), now));
                }
            })
        })
        .collect();
    callers.into_iter().for_each(|caller| caller.join().expect("a caller"));
    told("hold and settle, one wallet, 64 callers", begun.elapsed(), cpu_time() - cpu)
}

/// CPU microseconds a request.
fn told(what: &str, took: Duration, cpu: Duration) -> f64 {
    let each = cpu.as_secs_f64() * 1e6 / REQUESTS as f64;
    println!("{what}: {each:.2} us CPU a request, {:.0} a second", REQUESTS as f64 / took.as_secs_f64());
    each
}

fn replayed(tenants: &[TenantId], now: Wall) {
    let live = filled(tenants, now);
    let mut journal: Vec<Movement> =
        tenants.iter().enumerate().map(|(n, tenant)| issue(tenant, n as u64 + 1, now)).collect();
    for n in 0..450_000_u64 {
        let at = usize::try_from(n.wrapping_mul(7_919) % WALLETS).expect("small");
        let (hold, settle) = one(&live, &tenants[at], RequestId::generate(), now);
        journal.push(hold);
        journal.extend(settle);
    }
    let bytes: Vec<Vec<u8>> = journal.iter().map(|m| postcard::to_allocvec(m).expect("bytes")).collect();
    let size: usize = bytes.iter().map(Vec::len).sum();
    let begun = Instant::now();
    let mut books = Balances::new();
    for bytes in &bytes {
        let movement: Movement = postcard::from_bytes(bytes).expect("a movement");
        books.apply(&movement).expect("it fits");
    }
    let (took, each) = (begun.elapsed(), size / bytes.len());
    println!("{} movements of {each} bytes read and replayed in {took:.2?}", bytes.len());
}

/// User and system time of this process, to ten milliseconds.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
