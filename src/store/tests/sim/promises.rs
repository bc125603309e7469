//! What must hold whatever happened.

use super::process::used_by;
use super::*;

impl Sim {
    /// After every step.
    pub(super) fn check_promises(&mut self) {
        self.latest_day = self.latest_day.max(day_of(self.clock.wall()));
        self.check_books();
        let processes: Vec<_> = self.process.iter().chain(&self.old).collect();
        processes.iter().for_each(|process| self.check_counters(process));
        self.check_counters_know_the_books();
        self.check_budgets();
        self.check_wallets();
    }

    /// What is open is what has not ended, and the sums are those of the
    /// settlements of the latest day and month.
    fn check_books(&self) {
        let books = &self.process.as_ref().unwrap().writer.books;
        let open: BTreeSet<_> = books.open().ids().collect();
        let unended: BTreeSet<_> =
            self.intents.iter().filter(|id| !self.settled.contains_key(*id)).copied().collect();
        assert_eq!(open, unended, "every intent ends once");
        let mut days: BTreeMap<&KeyId, Vec<(i64, Ask)>> = BTreeMap::new();
        for settlement in self.settled.values() {
            days.entry(&settlement.key).or_default().push((day_of(settlement.at), used_by(settlement)));
        }
        let spending = books.spending();
        assert_eq!(spending.len(), days.len(), "keys");
        for (key, settled) in days {
            let day = settled.iter().map(|(day, _)| *day).max().unwrap();
            let month = month_of_day(day);
            let of_day = sum(settled.iter().filter(|s| s.0 == day).map(|s| s.1));
            let of_month = sum(settled.iter().filter(|s| month_of_day(s.0) == month).map(|s| s.1));
            assert_eq!(spent_of(&spending[key]), spent(day, month, of_day, of_month), "sums of {key}");
        }
    }

    /// Counters say what they were told, and let in no more than the budget.
    fn check_counters(&self, process: &Process) {
        for (key, has) in process.gates() {
            let told = |counted: &&Counted| counted.key == *key;
            let of_day = |c: &&Counted| c.day == Some(has.day);
            let of_month = |c: &&Counted| c.month == Some(has.month);
            let used = |counted: &Counted| counted.used;
            let all = || process.counted.iter().filter(told);
            let (day, month) = (sum(all().filter(of_day).map(used)), sum(all().filter(of_month).map(used)));
            assert_eq!(has, spent(has.day, has.month, day, month), "counters of {key}");
            let own = || all().filter(|counted| counted.own);
            let (day, month) = (sum(own().filter(of_day).map(used)), sum(own().filter(of_month).map(used)));
            self.within(key, Some(day), Some(month));
        }
    }

    /// The serving process has counted what the books say, but for requests
    /// that ran beside it.
    fn check_counters_know_the_books(&self) {
        for (key, has) in self.process.as_ref().unwrap().gates() {
            let known = |day: &dyn Fn(i64) -> bool| {
                let counts = |s: &&Settlement| s.key == *key && day(day_of(s.at));
                sum(self.settled.values().filter(|s| !self.apart.contains(&s.id)).filter(counts).map(used_by))
            };
            let (day, month) = (known(&|day| day == has.day), known(&|day| month_of_day(day) == has.month));
            assert!(has.day_cost >= day.cost && has.day_tokens >= day.tokens, "{key} has its day again");
            assert!(
                has.month_cost >= month.cost && has.month_tokens >= month.tokens,
                "{key} has its month again"
            );
        }
    }

    /// Nothing is overspent, by the books, in a day or month which the clock
    /// did not enter twice; beside what ran in a process that had handed over.
    fn check_budgets(&self) {
        let mut days: BTreeMap<(&KeyId, i64), Ask> = BTreeMap::new();
        let mut months = days.clone();
        for settlement in self.settled.values().filter(|s| !self.apart.contains(&s.id)) {
            let (day, used) = (day_of(settlement.at), used_by(settlement));
            add(days.entry((&settlement.key, day)).or_default(), used);
            add(months.entry((&settlement.key, month_of_day(day))).or_default(), used);
        }
        for ((key, day), used) in days {
            self.within(key, Some(used).filter(|_| !self.again.0.contains(&day)), None);
        }
        for ((key, month), used) in months {
            self.within(key, None, Some(used).filter(|_| !self.again.1.contains(&month)));
        }
    }

    fn within(&self, key: &KeyId, day: Option<Ask>, month: Option<Ask>) {
        let number = usize::from(key.as_str().as_bytes()[4] - b'0');
        let limits = &self.limits[number];
        let (day, month) = (day.unwrap_or_default(), month.unwrap_or_default());
        assert!(limits.day_cost.is_none_or(|limit| day.cost <= limit), "{key} overspent its day");
        assert!(limits.day_tokens.is_none_or(|limit| day.tokens <= limit), "{key} overspent its day");
        assert!(limits.month_cost.is_none_or(|limit| month.cost <= limit), "{key} overspent its month");
        assert!(limits.month_tokens.is_none_or(|limit| month.tokens <= limit), "{key} overspent its month");
    }

    /// After every start: the journal is sound, and what was safe is there. From
    /// now on the books should hold what it says.
    pub(super) fn reread(&mut self) {
        let archive = Archive::of(&self.disk).unwrap();
        let report = archive.verify(&prices()).unwrap();
        assert!(report.is_sound(), "{:#?}", report.problems);
        let (mut intents, mut settled) = (BTreeSet::new(), BTreeMap::new());
        for record in records(&archive) {
            match record {
                Record::Intent(intent) => assert!(intents.insert(intent.id), "doubled {}", intent.id),
                Record::Settlement(settlement) => {
                    assert!(self.ended.contains(&settlement.id), "nobody ended {}", settlement.id);
                    let before = settled.insert(settlement.id, *settlement);
                    assert!(before.is_none(), "doubled {before:?}");
                }
                // The auditor has judged them.
                Record::Movement(_) | Record::Carried(_) => {}
            }
        }
        assert!(intents.is_subset(&self.begun), "invented");
        for id in self.safe.begun.iter().filter(|id| !self.droppable.contains(id)) {
            assert!(intents.contains(id), "intent {id} was safe and is lost");
        }
        for id in self.safe.ended.iter().filter(|id| !self.droppable.contains(id)) {
            assert!(settled.contains_key(id), "settlement {id} was safe and is lost");
        }
        self.intents.retain(|id| self.safe.begun.contains(id));
        self.settled.retain(|id, _| self.safe.ended.contains(id));
        self.safe.begun.extend(intents.iter().copied());
        self.safe.ended.extend(settled.keys().copied());
        self.intents.append(&mut intents);
        self.settled.append(&mut settled);
    }

    /// At the end of a run: everything has ended, and a new start counts the same.
    pub(in super::super) fn check(&mut self) {
        self.reread();
        let report = Archive::of(&self.disk).unwrap().verify(&prices()).unwrap();
        assert_eq!(report.open, 0, "recovery has ended everything");
        let writers = self.ask(Command::Spent).unwrap();
        let fresh = Books::load(&Journal::new(self.disk.reader().unwrap()), 600).unwrap().spending();
        assert_eq!(writers, fresh, "a new start counts the same");
    }
}

fn add(to: &mut Ask, used: Ask) {
    *to = Ask { tokens: to.tokens + used.tokens, cost: to.cost.saturating_add(used.cost), ..Ask::default() };
}

fn sum(all: impl Iterator<Item = Ask>) -> Ask {
    all.fold(Ask::default(), |mut sum, used| {
        add(&mut sum, used);
        sum
    })
}

fn spent(day: i64, month: i64, of_day: Ask, of_month: Ask) -> Spent {
    let (day_tokens, month_tokens) = (of_day.tokens, of_month.tokens);
    Spent { day, month, day_tokens, month_tokens, day_cost: of_day.cost, month_cost: of_month.cost }
}
