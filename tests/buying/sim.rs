//! A seeded simulation of everything that moves credits besides requests:
//! purchases, refunds and disputes told in any order and any number of times,
//! codes, allowances under a clock that jumps, expiry, a disk that refuses,
//! restarts. After every step the books must fit, and at the end each thing
//! must have happened once. A failing seed is printed and can be run again.

use aigne_hub::billing::statement::{Close, Statements};
use aigne_hub::billing::{
    Allowance, Dispute, Every, Fact, Payment, PaymentState, Refund, RefundState, Verdict,
};
use aigne_hub::ledger::Record;
use aigne_hub::ledger::wallet::{
    Account, Balances, Cause, Done, Lot, Movement, Operation, Sale, Source, Task, Terms, Transfer, Wallets,
};
use aigne_hub::types::{Pico, RequestId, TenantId, Wall};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const SEEDS: u64 = 256;
const STEPS: usize = 120;
const TENANTS: usize = 3;
const DAY: u64 = 86_400;

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

struct World {
    chance: Chance,
    now: Wall,
    balances: Balances,
    wallets: Wallets,
    journal: Vec<Movement>,
    refuses: bool,
    payments: BTreeMap<String, (TenantId, Payment, Vec<Fact>)>,
    allowances: Vec<(String, TenantId, Allowance)>,
    /// What was asked for at least once and must be there in the end.
    redeemed: BTreeSet<(usize, TenantId)>,
}

fn credits(n: i128) -> Pico {
    Pico(n * 1_000_000_000_000)
}

impl World {
    fn new(seed: u64) -> Self {
        let every = [Every::Day, Every::Week, Every::Month];
        let allowance = |n: usize| Allowance {
            amount: credits(1 + n as i128),
            every: every[n % 3],
            keeps: n == 1,
            ..Allowance::default()
        };
        Self {
            chance: Chance(seed),
            now: Wall(1_795_168_800_000_000),
            balances: Balances::new(),
            wallets: Wallets::default(),
            journal: Vec::new(),
            refuses: false,
            payments: BTreeMap::new(),
            allowances: (0..TENANTS).map(|n| (format!("allow_{n}"), tenant(n), allowance(n))).collect(),
            redeemed: BTreeSet::new(),
        }
    }

    fn book(&mut self, movement: Movement) {
        self.balances.apply(&movement).unwrap_or_else(|error| panic!("{error}: {movement:?}"));
        self.journal.push(movement);
    }

    /// What the writer of the books does with an operation.
    fn operate(&mut self, operation: Operation) -> Result<Done, ()> {
        if let Some(done) = self.balances.done(&operation.id) {
            return Ok(done.clone());
        }
        if self.refuses && self.chance.one_in(2) {
            return Err(());
        }
        let Operation { id, tenant, reason, task } = operation;
        let (cause, transfers, issues) = match task {
            Task::Issue { source, amount, priority, expires_at } => {
                assert!(amount > Pico::ZERO, "{id} issues nothing");
                let priority = priority.unwrap_or_else(|| source.priority());
                let lot = Lot { id: self.balances.next_lot(), source, priority, expires_at, amount };
                let transfer = Transfer::new(Account::Issued(source), Account::Lot(lot.id), amount);
                (Cause::Issue { operation: id.clone(), lot, reason }, vec![transfer], true)
            }
            Task::Reclaim { amount } => {
                let to = Account::Issued(Source::Adjustment);
                let taken = self.wallets.reclaim(&tenant, amount, self.now, to);
                (Cause::Reclaim { operation: id.clone(), reason }, taken, false)
            }
        };
        let movement =
            Movement { at: self.now, wallet: tenant, member: None, request: None, cause, transfers };
        if issues {
            self.wallets.absorb(&movement);
        }
        self.book(movement);
        self.balances.done(&id).cloned().ok_or(())
    }

    fn step(&mut self) {
        match self.chance.below(12) {
            0 => self.sell(),
            1..=4 => self.tell(),
            5 => self.redeem(),
            6 => self.give(),
            7 => self.spend(),
            8 => self.jump(),
            9 => self.expire(),
            10 => self.refuses = !self.refuses,
            _ => self.restart(),
        }
    }

    /// A customer begins to buy; what will become of it is decided now and told later.
    fn sell(&mut self) {
        let n = self.payments.len();
        let of = tenant(self.chance.below(TENANTS));
        let minor = 100 * (1 + self.chance.below(50) as u64);
        let currency = "usd".to_owned();
        let payment = Payment {
            minor,
            currency: currency.clone(),
            credits: credits(i128::from(minor) / 10),
            ..Payment::default()
        };
        let mut facts = vec![Fact::Intent(format!("pi_{n}"))];
        if !self.chance.one_in(5) {
            facts.push(Fact::Paid { minor, currency });
            for part in 0..self.chance.below(3) as u64 {
                let state = [RefundState::Made, RefundState::Failed][self.chance.below(2)];
                let refund = Refund { minor: minor / (2 + part), state: RefundState::Made };
                let id = format!("re_{n}_{part}");
                facts.push(Fact::Refunded(id.clone(), refund));
                facts.push(Fact::Refunded(id, Refund { state, ..refund }));
            }
            if self.chance.one_in(3) {
                let verdict = [Verdict::Lost, Verdict::Won][self.chance.below(2)];
                for verdict in [Verdict::Open, verdict] {
                    facts.push(Fact::Disputed(format!("dp_{n}"), Dispute { minor, verdict }));
                }
            }
        } else {
            facts.push(Fact::Failed("declined".into()));
        }
        self.payments.insert(format!("pay_{n}"), (of, payment, facts));
    }

    /// Any fact of any payment, whether it was told before or not.
    fn tell(&mut self) {
        if self.payments.is_empty() {
            return;
        }
        let at = self.chance.below(self.payments.len());
        let id = self.payments.keys().nth(at).unwrap().clone();
        let facts = self.payments[&id].2.len();
        let which = self.chance.below(facts);
        let entry = self.payments.get_mut(&id).unwrap();
        let fact = entry.2[which].clone();
        entry.1.join(&fact);
        let _ = self.finish(&id);
    }

    fn finish(&mut self, id: &str) -> Result<(), ()> {
        let (of, payment, _) = self.payments[id].clone();
        payment.bring_about(id, &of, &mut |operation| self.operate(operation))
    }

    fn redeem(&mut self) {
        let (code, of) = (self.chance.below(4), tenant(self.chance.below(TENANTS)));
        if self.redeem_one(code, &of).is_ok() {
            self.redeemed.insert((code, of));
        }
    }

    fn redeem_one(&mut self, code: usize, of: &TenantId) -> Result<(), ()> {
        let expires_at = (code == 0).then(|| self.now.after(Duration::from_secs(DAY)));
        let task = Task::Issue { source: Source::Promotion, amount: credits(2), priority: None, expires_at };
        let id = format!("code:{code}:{of}").into();
        self.operate(Operation { id, tenant: of.clone(), reason: "".into(), task }).map(drop)
    }

    fn give(&mut self) {
        for (id, of, allowance) in self.allowances.clone() {
            if let Some(operation) = allowance.due(&id, &of, self.now) {
                let _ = self.operate(operation);
            }
        }
    }

    /// A request from its hold to its settlement.
    fn spend(&mut self) {
        let (of, request) = (tenant(self.chance.below(TENANTS)), RequestId::generate());
        let most = credits(1 + self.chance.below(20) as i128);
        let Ok(mut hold) = self.wallets.hold(&of, (request, self.now), None, Terms::free(), most) else {
            return;
        };
        let booked = hold.book(Pico::ZERO);
        self.book(booked);
        let owed = Pico(most.0 / (1 + self.chance.below(3) as i128));
        let sale = Sale { rule: Terms::free().rule().clone(), tier: 0, owed, paid: Pico::ZERO };
        let (movement, returned) = hold.settle(sale, Pico::ZERO, self.now);
        if let Some(movement) = movement {
            self.book(movement);
        }
        returned.give();
    }

    /// Forwards mostly, sometimes back.
    fn jump(&mut self) {
        let micros = (self.chance.below(9 * DAY as usize) as i64 - 2 * DAY as i64) * 1_000_000;
        self.now = Wall(self.now.0 + micros);
    }

    fn expire(&mut self) {
        for movement in self.wallets.expire(self.now) {
            self.book(movement);
        }
    }

    fn restart(&mut self) {
        self.wallets = Wallets::restored(&self.balances, &[]);
        self.balances = self.balances.clone();
    }

    fn check(&self) {
        assert_eq!(self.balances.trial(), (Pico::ZERO, Pico::ZERO), "debits are credits");
        for (of, sheet) in self.balances.sheets() {
            assert!(
                sheet.lots.iter().all(|lot| lot.left >= Pico::ZERO && lot.held == Pico::ZERO),
                "{of}: {sheet:?}"
            );
            let live = sheet.lots.iter().filter(|lot| !lot.lot.is_over(self.now));
            let live = live.fold(Pico::ZERO, |sum, lot| sum.saturating_add(lot.left));
            assert_eq!(
                self.wallets.available(of, self.now),
                live,
                "{of}: what can be spent is what the books say"
            );
        }
    }

    /// Everything is told, the disk is well, and each thing has happened once.
    fn end(&mut self) {
        self.refuses = false;
        for id in self.payments.keys().cloned().collect::<Vec<_>>() {
            let entry = self.payments.get_mut(&id).unwrap();
            entry.2.clone().iter().for_each(|fact| entry.1.join(fact));
            self.finish(&id).unwrap();
            self.finish(&id).unwrap();
        }
        self.check();
        let paid = self.payments.values().filter(|(_, payment, _)| payment.state == PaymentState::Paid);
        let bought = paid.fold(Pico::ZERO, |sum, (_, payment, _)| sum.saturating_add(payment.credits));
        let issued = |source: Source| Pico(-self.balances.totals().issued[source as usize].0);
        assert_eq!(issued(Source::Purchase), bought);
        assert_eq!(issued(Source::Promotion), credits(2 * self.redeemed.len() as i128));
        self.nothing_is_taken_twice();
        self.statements();
    }

    /// What failed or was won gave back exactly what it took; what went for good took its share at most.
    fn nothing_is_taken_twice(&self) {
        for (_, payment, _) in self.payments.values() {
            let amount = |id: String| self.balances.done(&id).map_or(Pico::ZERO, |done| done.amount);
            for (id, refund) in &payment.refunds {
                let (taken, back) = (amount(format!("refund:{id}")), amount(format!("refund-undone:{id}")));
                assert!(taken <= payment.share(refund.minor));
                assert_eq!(back, if refund.state == RefundState::Failed { taken } else { Pico::ZERO });
            }
            for (id, dispute) in &payment.disputes {
                let (taken, back) = (amount(format!("dispute:{id}")), amount(format!("dispute-undone:{id}")));
                assert!(taken <= payment.share(dispute.minor));
                assert_eq!(back, if dispute.verdict == Verdict::Won { taken } else { Pico::ZERO });
            }
        }
    }

    /// Closed anywhere, statements follow one another and end where the books do.
    fn statements(&mut self) {
        let cut = self.chance.below(self.journal.len() + 1) as u64;
        let close =
            |month: &str, through| Close { month: month.into(), through, digest: String::new(), last: 0 };
        let closes = [close("2026-11", cut), close("2099-12", self.journal.len() as u64)];
        let mut statements = Statements::new(&closes).unwrap();
        for (batch, movement) in (1..).zip(&self.journal) {
            statements.record(batch, &Record::Movement(Box::new(movement.clone())));
        }
        let mut last: BTreeMap<TenantId, Pico> = BTreeMap::new();
        for (number, statement) in (1..).zip(statements.finish()) {
            assert_eq!(statement.number, number);
            let before = last.insert(statement.tenant.clone(), statement.closing);
            assert_eq!(statement.opening, before.unwrap_or_default());
        }
        for (of, sheet) in self.balances.sheets() {
            assert_eq!(last.get(of).copied().unwrap_or_default(), sheet.left(), "{of}");
        }
    }
}

fn tenant(n: usize) -> TenantId {
    TenantId::parse(&format!("t{n}")).unwrap()
}

#[test]
fn whatever_is_told_in_whatever_order_happens_once() {
    for seed in 0..SEEDS {
        let run = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            for _ in 0..STEPS {
                world.step();
                world.check();
            }
            world.end();
        });
        assert!(run.is_ok(), "seed {seed} fails");
    }
}
