//! Months are made from the one before and their own part of the journal, and come out as if all of
//! it had been read; also when what was before is gone.

use super::*;
use crate::admin::prunable;
use crate::admin::till::{bodies, close_month, prove};
use crate::billing::statement::{Close, Format, Statements, month_end, month_text};
use crate::control::Entry;
use crate::ledger::wallet::{Cause, Operation, Source, Task, Terms};
use crate::ledger::{Intent, Record, recovered};
use crate::store::Reach;
use crate::types::{KeyId, Op, Pico, RequestId, TenantId, Wall};
use std::collections::BTreeMap;

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

#[derive(Clone, Copy, Debug)]
enum Act {
    Grant(u8),
    Reclaim(u8),
    Begin(u8),
    End,
    Expire,
    Pass(u64),
    /// Closes the month before this one, if it is not.
    Close,
    /// Drops all that may go before some days ago.
    Prune(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0..3_u8).prop_map(Act::Grant),
        1 => (0..3_u8).prop_map(Act::Reclaim),
        6 => (0..3_u8).prop_map(Act::Begin),
        5 => Just(Act::End),
        1 => Just(Act::Expire),
        4 => (1..12 * DAY).prop_map(Act::Pass),
        2 => Just(Act::Close),
        1 => (0..60_u64).prop_map(Act::Prune),
    ]
}

fn tenant(n: u8) -> TenantId {
    TenantId::parse(&format!("t{n}")).unwrap()
}

fn intent(at: Wall, n: u8) -> Intent {
    Intent {
        id: RequestId::generate(),
        at,
        tenant: tenant(n),
        key: KeyId::parse("k").unwrap(),
        op: Op::Chat,
        model: format!("model-{n}").into(),
        provider: "openai".into(),
        upstream_model: "gpt-4o".into(),
        input_bound: u64::from(n) + 1,
        output_bound: 1,
        hold: Pico::ZERO,
        party: Default::default(),
    }
}

struct Books {
    place: Place,
    open: Vec<(Intent, crate::ledger::wallet::Hold)>,
    operations: u64,
    /// All that was ever in the journal.
    records: BTreeMap<u64, Vec<Record>>,
}

impl Books {
    fn now(&self) -> Wall {
        self.place.directory.clock.wall()
    }

    fn operate(&mut self, n: u8, task: Task) {
        self.operations += 1;
        let id = format!("op-{}", self.operations).into();
        self.place.store.operate(Operation { id, tenant: tenant(n), reason: "".into(), task }).unwrap();
    }

    fn act(&mut self, act: Act) {
        let now = self.now();
        match act {
            Act::Grant(n) => {
                let expires_at = (n == 1).then(|| now.after(Duration::from_secs(9 * DAY)));
                let amount = Pico(1_000_000 + i128::from(n));
                self.operate(n, Task::Issue { source: Source::Grant, amount, priority: None, expires_at });
            }
            Act::Reclaim(n) => self.operate(n, Task::Reclaim { amount: Pico(70_000) }),
            Act::Begin(n) => {
                let intent = intent(now, n);
                let wallets = self.place.store.wallets();
                let terms = Terms::free();
                let Ok(mut hold) = wallets.hold(&intent.tenant, (intent.id, now), None, terms, Pico(9_000))
                else {
                    return;
                };
                let movement = hold.book(Pico::ZERO);
                done(self.place.store.intend_held(intent.clone(), movement));
                self.open.push((intent, hold));
            }
            Act::End => {
                if self.open.is_empty() {
                    return;
                }
                let (intent, hold) = self.open.remove(0);
                let mut sale = hold.terms().sale(&Default::default(), None, 0);
                sale.owed = Pico(1_000 * i128::from(intent.input_bound));
                let (movement, returned) = hold.settle(sale, Pico(5), now);
                done(self.place.store.settle_charged(recovered(&intent, None), movement.unwrap()));
                returned.give();
            }
            Act::Expire => {
                for movement in self.place.store.wallets().expire(now) {
                    done(self.place.store.moved(movement));
                }
            }
            Act::Pass(seconds) => {
                // What was queued before is of the day before.
                done(self.place.store.flush());
                self.place.directory.clock.advance(Duration::from_secs(seconds));
            }
            Act::Close => self.close(),
            Act::Prune(days) => self.prune(days),
        }
    }

    fn close(&mut self) {
        done(self.place.store.flush());
        let month = month_text(Wall(self.now().0 - (31 * DAY * 1_000_000) as i64));
        if month_end(&month).is_none_or(|end| end > self.now()) {
            return;
        }
        let entry = |close: &Close| Entry { after: serde_json::to_value(close).ok(), ..blank() };
        // Refused when it is closed already.
        drop(close_month(&self.place.directory, &month, entry));
        self.check();
    }

    fn prune(&mut self, days: u64) {
        done(self.place.store.flush());
        let archive = self.place.store.archive().unwrap();
        self.remember();
        let before = Wall(self.now().0 - (days * DAY * 1_000_000) as i64);
        let Ok((before, last)) = prunable(&archive, before) else { return };
        drop(archive);
        self.place.store.drop_days_before(before, Reach::PastMonths, last).unwrap();
        self.check();
    }

    fn remember(&mut self) {
        let archive = self.place.store.archive().unwrap();
        let mut there: BTreeMap<u64, Vec<Record>> = BTreeMap::new();
        archive
            .records(0, u64::MAX, &mut |batch, record| there.entry(batch).or_default().push(record.clone()))
            .unwrap();
        self.records.extend(there);
    }

    /// Statements are those of the whole journal, and the proof says so.
    fn check(&mut self) {
        self.remember();
        let archive = self.place.store.archive().unwrap();
        let closes = crate::admin::till::closed(&archive).unwrap();
        let mut whole = Statements::new(&closes).unwrap();
        for (batch, records) in &self.records {
            records.iter().for_each(|record| whole.record(*batch, record));
        }
        let whole: Vec<Vec<u8>> = whole.finish().iter().map(|one| one.write(Format::Json)).collect();
        assert_eq!(bodies(&archive).unwrap(), whole, "{closes:?}");
        let proof = prove(&archive).unwrap();
        assert!(proof.sound, "{proof:?}");
        let report = archive.verify(&crate::ledger::PriceTable::new(Vec::new())).unwrap();
        assert!(report.is_sound(), "{:?}", report.problems);
    }
}

fn done<T, E: std::fmt::Debug>(future: impl Future<Output = Result<T, E>>) {
    drop(tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future).unwrap());
}

fn blank() -> Entry {
    crate::admin::till::blank("statement.close", Wall(0))
}

fn books() -> Books {
    let place = Place::in_folder(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap());
    Books { place, open: Vec::new(), operations: 0, records: BTreeMap::new() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_month_is_the_same_from_its_own_part_of_the_journal(acts in prop::collection::vec(act(), 1..80)) {
        let mut books = books();
        for act in [Act::Grant(0), Act::Grant(1), Act::Grant(2)].into_iter().chain(acts) {
            books.act(act);
        }
        while !books.open.is_empty() {
            books.act(Act::End);
        }
        books.act(Act::Pass(40 * DAY));
        books.close();
        books.check();
        books.place.store.close();
    }
}

/// Two months of use, both closed.
fn two_months() -> Books {
    let mut books = books();
    let use_it = [Act::Grant(0), Act::Begin(0), Act::End, Act::Begin(0)];
    let month = use_it.into_iter().chain([Act::Pass(32 * DAY), Act::End, Act::Close]);
    month.clone().chain(month).for_each(|act| books.act(act));
    books
}

#[test]
fn days_without_a_statement_stay() {
    let mut books = books();
    books.act(Act::Grant(0));
    books.act(Act::Pass(70 * DAY));
    let archive = books.place.store.archive().unwrap();
    assert!(prunable(&archive, books.now()).unwrap_err().contains("close a month first"));
    drop(archive);
    books.close();
    let archive = books.place.store.archive().unwrap();
    let (before, last) = prunable(&archive, books.now()).unwrap();
    assert_eq!((month_text(before), last), (month_text(books.now()), 1));
    drop(archive);
    books.place.store.close();
}

#[test]
fn statements_of_days_that_went_must_lead_to_those_that_can_be_made_again() {
    let mut books = two_months();
    books.act(Act::Prune(0));
    let proof =
        |books: &Books| serde_json::to_value(prove(&books.place.store.archive().unwrap()).unwrap()).unwrap();
    let said = proof(&books);
    assert_eq!((&said["sound"], &said["months"], &said["dropped"]), (&json!(true), &json!(2), &json!(2)));
    books.act(Act::Begin(0));
    books.act(Act::End);
    books.act(Act::Pass(40 * DAY));
    books.close();
    assert_eq!(proof(&books)["dropped"], 2, "the third month can be made again");
    // Somebody makes the first month look better.
    let first = bodies(&books.place.store.archive().unwrap()).unwrap().remove(0);
    let mut changed: Value = serde_json::from_slice(&first).unwrap();
    changed["closing"] = json!("1000");
    let row = (format!("statement/{:016}", 1).into_bytes(), Some(serde_json::to_vec(&changed).unwrap()));
    books.place.store.put_control(vec![row]).unwrap();
    let said = proof(&books);
    assert_eq!(said["sound"], false, "{said}");
    books.place.store.close();
}

#[test]
fn a_month_reads_only_its_own_part_of_the_journal() {
    let books = two_months();
    let archive = books.place.store.archive().unwrap();
    let closes = crate::admin::till::closed(&archive).unwrap();
    let mut settled = Vec::new();
    archive
        .records(0, u64::MAX, &mut |batch, record| {
            if let Record::Movement(movement) = record
                && matches!(movement.cause, Cause::Settle(_))
            {
                settled.push(batch);
            }
        })
        .unwrap();
    let begins = archive.begins(month_end(&closes[0].month).unwrap()).unwrap();
    assert!(settled.iter().any(|batch| *batch < begins), "{settled:?} {begins}");
    drop(archive);
    books.place.store.close();
}
