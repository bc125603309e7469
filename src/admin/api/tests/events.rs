//! Stripe's events through the same door as by HTTP, in as many histories as there are seeds:
//! purchases, refunds and disputes told in any order, any number of times and late, by who knows
//! the secret and by who does not, with a hub that starts again in between. After each step the books
//! must fit; at the end each thing must have happened once. A failing seed is named.

use super::*;
use crate::admin::api::dispatch::answer;
use crate::admin::directory::Draft;
use crate::admin::open_till;
use crate::billing::{Payment, PaymentState, RefundState, Verdict, sign_message};
use crate::config::{Document, Environment, Extra, Inputs, Registry, Snapshot};
use crate::control::{Change, Private, Record, Resource};
use crate::ledger::wallet::{Operation, Source, Task};
use crate::route::HealthPolicy;
use crate::types::{Pico, TenantId};
use std::path::Path;
use std::sync::Arc;

const SEEDS: u64 = 256;
const STEPS: usize = 20;
const SIGNING: &str = "whsec_simulated";
/// Nobody listens there, so what only Stripe could say stays unknown.
const CONF: &str = r#"
[[provider]]
vendor = "simulator"
[billing]
enabled = true
[billing.stripe]
secret_key = { env = "STRIPE_KEY" }
webhook_secrets = [{ env = "STRIPE_SIGNS" }]
success_url = "https://shop.test/yes"
cancel_url = "https://shop.test/no"
api = "http://127.0.0.1:1"
[[billing.stripe.pack]]
name = "starter"
price = "10"
credits = "11"
"#;

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

fn snapshot() -> Arc<Snapshot> {
    let environment = Environment::of([("STRIPE_KEY", "sk_simulated"), ("STRIPE_SIGNS", SIGNING)]);
    let policy = HealthPolicy {
        breaker_faults: 5,
        base_pause: Duration::from_secs(1),
        max_pause: Duration::from_secs(60),
        default_cool_down: Duration::from_secs(5),
        base_recheck: Duration::from_secs(30),
        max_recheck: Duration::from_secs(1800),
    };
    let inputs = Inputs {
        environment: &environment,
        registry: &Registry::new(policy, Default::default()),
        extra: &Extra::default(),
        pepper: &[7; 32],
        prices: &[],
        read_prices: |_, _| Ok(Vec::new()),
    };
    Document::parse("hub.toml", Path::new("/nowhere"), CONF).resolve(&inputs).unwrap()
}

/// A hub without listeners, whose tenants pay.
fn open(folder: &Path, clock: &Clock, snapshot: &Arc<Snapshot>) -> (Directory, Store) {
    let options = Options {
        queue: 64,
        flush_interval: Duration::from_millis(1),
        flush_entries: 1,
        cache_bytes: 1 << 20,
    };
    let store = Store::open(folder, options, clock.clone(), Box::new(|_, _| ())).unwrap();
    let directory = Directory::open(store.clone(), clock.clone(), folder).unwrap();
    let snapshot = Arc::clone(snapshot);
    directory.connect(Hooks {
        pepper: Box::new(|| Ok(Pepper::new(b"pepper"))),
        snapshot: Box::new(move || Some(Arc::clone(&snapshot))),
        rebuild: Box::new(|| Ok(())),
        trial: Box::new(|_| Ok(None)),
        probe: Box::new(|_, _| Err("nobody to ask".to_owned())),
    });
    open_till(&directory).unwrap();
    (directory, store)
}

/// What Stripe tells of one payment, in the order in which it happened.
struct Story {
    id: String,
    paid: bool,
    events: Vec<(&'static str, Value)>,
    told: Vec<bool>,
}

struct World<'w> {
    chance: Chance,
    seed: u64,
    clock: &'w Clock,
    hub: Option<(Directory, Store)>,
    stories: Vec<Story>,
    operations: usize,
}

impl World<'_> {
    fn directory(&self) -> &Directory {
        &self.hub.as_ref().unwrap().0
    }

    fn store(&self) -> &Store {
        &self.hub.as_ref().unwrap().1
    }

    fn tenant(&mut self) -> TenantId {
        TenantId::parse(&format!("s{}-{}", self.seed, self.chance.below(2))).unwrap()
    }

    /// A customer begins to buy; what becomes of it is decided now and told later.
    fn sell(&mut self) {
        let (of, n, seed) = (self.tenant(), self.stories.len(), self.seed);
        let minor = 100 * (1 + self.chance.below(50) as u64);
        let (id, intent) = (format!("pay_{seed}_{n}"), format!("pi_{seed}_{n}"));
        let credits = Pico(i128::from(minor) * 10_000_000_000);
        let body = Payment { minor, currency: "usd".into(), credits, ..Payment::default() };
        let record = Arc::new(Record::new(&id, Some(of), body.body(), Private::Nothing, self.clock.wall()));
        let change =
            Change { kind: Kind::Payment, id: id.as_str().into(), before: None, after: Some(record) };
        let draft = Draft { changes: vec![change], ..Draft::default() };
        self.directory().change::<(), Problem>(|_| Ok(((), draft))).unwrap();
        let ours = json!({ "aigne_hub_payment": id });
        let paid = self.chance.below(5) > 0;
        let mut events = Vec::new();
        if paid {
            events.push((
                "checkout.session.completed",
                json!({ "id": "cs", "payment_status": "paid", "payment_intent": intent,
                    "amount_subtotal": minor, "currency": "usd", "metadata": ours }),
            ));
            events.push((
                "payment_intent.succeeded",
                json!({ "id": intent, "status": "succeeded", "amount_received": minor, "currency": "usd",
                    "metadata": ours }),
            ));
            for part in 0..self.chance.below(3) as u64 {
                let end = ["succeeded", "failed"][self.chance.below(2)];
                for (kind, status) in [("refund.created", "pending"), ("refund.updated", end)] {
                    let refund = json!({ "id": format!("re_{seed}_{n}_{part}"), "payment_intent": intent,
                        "amount": minor / (2 + part), "status": status });
                    events.push((kind, refund));
                }
            }
            if self.chance.below(3) == 0 {
                let end = ["won", "lost"][self.chance.below(2)];
                let both = [("charge.dispute.created", "needs_response"), ("charge.dispute.closed", end)];
                for (kind, status) in both {
                    let dispute = json!({ "id": format!("dp_{seed}_{n}"), "payment_intent": intent,
                        "amount": minor, "status": status });
                    events.push((kind, dispute));
                }
            }
        } else {
            events.push(("checkout.session.expired", json!({ "id": "cs", "metadata": ours })));
        }
        let told = vec![false; events.len()];
        self.stories.push(Story { id, paid, events, told });
    }

    /// Hands an event in at the door. `false`: it is to be sent again.
    fn deliver(&self, (kind, object): (&str, &Value), secret: &str, age: i64) -> bool {
        let body = json!({ "type": kind, "data": { "object": object } }).to_string();
        let at = self.clock.wall().seconds() - age;
        let line = sign_message(&Secret::new(secret), at, body.as_bytes());
        let mut incoming = incoming("POST", "/webhooks/stripe", &Value::Null);
        incoming.body = body.into_bytes();
        incoming.headers.insert("stripe-signature", HeaderValue::from_str(&line).unwrap());
        let honest = secret == SIGNING && age.abs() <= 300;
        match answer(self.directory(), &Secret::new("operator"), &incoming) {
            Ok(_) => {
                assert!(honest, "somebody else was believed");
                true
            }
            Err(problem) if honest => {
                assert_eq!(problem.status, StatusCode::SERVICE_UNAVAILABLE, "{}", problem.detail);
                false
            }
            Err(problem) => {
                assert_eq!(problem.status, StatusCode::BAD_REQUEST);
                false
            }
        }
    }

    /// Any event of any payment, whether it was told before or not.
    fn tell(&mut self) {
        if self.stories.is_empty() {
            return;
        }
        let at = self.chance.below(self.stories.len());
        let which = self.chance.below(self.stories[at].events.len());
        let (kind, object) = self.stories[at].events[which].clone();
        match self.chance.below(8) {
            0 => assert!(!self.deliver((kind, &object), "whsec_other", 0)),
            1 => assert!(!self.deliver((kind, &object), SIGNING, 301)),
            _ => self.stories[at].told[which] |= self.deliver((kind, &object), SIGNING, 0),
        }
    }

    /// The wallet has less, or more, than was bought.
    fn operate(&mut self) {
        self.operations += 1;
        let task = match self.chance.below(2) {
            0 => Task::Reclaim { amount: Pico(7_000_000_000_000) },
            _ => Task::Issue {
                source: Source::Grant,
                amount: Pico(3_000_000_000_000),
                priority: None,
                expires_at: None,
            },
        };
        let id = format!("op-{}-{}", self.seed, self.operations).into();
        let tenant = self.tenant();
        self.store().operate(Operation { id, tenant, reason: "".into(), task }).unwrap();
    }

    fn step(&mut self) {
        match self.chance.below(8) {
            0 | 1 => self.sell(),
            2 => self.operate(),
            3 => self.clock.advance(Duration::from_secs(self.chance.below(7_200) as u64)),
            _ => self.tell(),
        }
        self.check();
    }

    fn check(&self) {
        let (store, now) = (self.store(), self.clock.wall());
        let balances = store.balances().unwrap();
        assert_eq!(balances.trial(), (Pico::ZERO, Pico::ZERO), "debits are credits");
        for (of, sheet) in balances.sheets() {
            assert!(sheet.lots.iter().all(|lot| lot.left >= Pico::ZERO && lot.held == Pico::ZERO));
            assert_eq!(store.wallets().available(of, now), sheet.left(), "{of}: what can be spent is booked");
        }
        let state = self.directory().state();
        for story in &self.stories {
            let payment = state.find::<Payment>(&story.id).unwrap();
            let booked = balances.done(&format!("payment:{}", story.id)).map(|done| done.amount);
            let expected = (payment.state == PaymentState::Paid).then_some(payment.credits);
            assert_eq!(booked, expected, "{}", story.id);
        }
    }

    /// What was not taken yet is told until it is; then each thing has happened once.
    fn end(&mut self) {
        for _ in 0..2 {
            for story in 0..self.stories.len() {
                let mut order: Vec<usize> = (0..self.stories[story].events.len()).collect();
                order.rotate_left(self.chance.below(self.stories[story].events.len()));
                for which in order {
                    let (kind, object) = self.stories[story].events[which].clone();
                    self.stories[story].told[which] |= self.deliver((kind, &object), SIGNING, 0);
                }
            }
        }
        self.check();
        let (balances, state) = (self.store().balances().unwrap(), self.directory().state());
        let amount = |id: String| balances.done(&id).map_or(Pico::ZERO, |done| done.amount);
        for story in &self.stories {
            assert!(story.told.iter().all(|told| *told), "{}: an event was never taken", story.id);
            let payment = state.find::<Payment>(&story.id).unwrap();
            assert_eq!(payment.state == PaymentState::Paid, story.paid, "{}", story.id);
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
}

#[test]
fn whatever_stripe_tells_and_however_often_happens_once() {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let (clock, snapshot) = (Clock::test(), snapshot());
    let mut hub = Some(open(folder.path(), &clock, &snapshot));
    for seed in 0..SEEDS {
        let mut world = World {
            chance: Chance(seed),
            seed,
            clock: &clock,
            hub: hub.take(),
            stories: Vec::new(),
            operations: 0,
        };
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for step in 0..STEPS {
                world.step();
                // A start in the middle of some histories.
                if seed % 16 == 0 && step == STEPS / 2 {
                    let (directory, store) = world.hub.take().unwrap();
                    store.close();
                    drop((directory, store));
                    world.hub = Some(open(folder.path(), &clock, &snapshot));
                    world.check();
                }
            }
            world.end();
        }));
        assert!(run.is_ok(), "seed {seed} fails");
        hub = world.hub.take();
    }
    let (_directory, store) = hub.unwrap();
    let report = store.verify(&crate::ledger::PriceTable::new(Vec::new())).unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
    store.close();
}
