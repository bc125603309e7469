//! What operators and time do to wallets in the simulation.

use super::*;
use crate::ledger::wallet::{Operation, Source};
use crate::store::money::Moving;

impl Sim {
    /// Enough for a few requests, sometimes not for long.
    pub(super) fn issue(&mut self, again: bool) {
        let number = if again { self.operations } else { self.operations + 1 };
        let expires_at = (number % 3 == 0).then(|| self.clock.wall().after(Duration::from_secs(20_000)));
        let amount = Pico(100_000_000_000 + i128::from(number % 7) * 40_000_000_000);
        let source = Source::ALL[(number % 5) as usize];
        self.operations = number.max(1);
        self.ask_for(self.operations, Task::Issue { source, amount, priority: None, expires_at });
    }

    pub(super) fn operate(&mut self, task: Task) {
        // As the writer does: what was handed over comes first.
        self.commit();
        self.operations += 1;
        self.ask_for(self.operations, task);
    }

    /// What was done is done once, and stays so.
    fn ask_for(&mut self, number: u64, task: Task) {
        let (tenant, reason) = (intent(0).tenant, "simulated".into());
        let operation = Operation { id: format!("op-{number}").into(), tenant, reason, task };
        let Ok((done, _)) = self.ask(|reply| Command::Operate(Box::new(operation), reply)) else { return };
        let before = self.done.insert(number, done.clone());
        assert!(before.is_none_or(|before| before == done), "done twice: {number}");
    }

    pub(super) fn expire(&mut self) {
        let now = self.clock.wall();
        let process = self.process();
        for movement in process.writer.shared.wallets.expire(now) {
            process.queued.push(Entry::Moving(Moving::Alone(movement)));
        }
    }

    /// Live wallets promise no more than the books have, and nothing that was done is forgotten.
    pub(super) fn check_wallets(&self) {
        let process = self.process.as_ref().unwrap();
        let books = process.writer.books.money.balances();
        assert_eq!(books.trial(), (Pico::ZERO, Pico::ZERO), "debits are credits");
        let tenant = intent(0).tenant;
        let sheet = books.wallet(&tenant).cloned().unwrap_or_default();
        for (lot, left, held) in process
            .writer
            .shared
            .wallets
            .look(&tenant, |purse| purse.lots().collect::<Vec<_>>())
            .unwrap_or_default()
        {
            let known = sheet.lots.iter().find(|known| known.lot.id == lot.id);
            let queued = i128::try_from(process.queued.len()).unwrap() * 1_000_000_000_000;
            assert!(left >= Pico::ZERO && held >= Pico::ZERO, "below zero: {lot:?}");
            assert!(left.0 <= known.map_or(0, |known| known.left.0) + queued, "{lot:?} has {left}");
        }
        for (number, done) in &self.done {
            assert_eq!(books.done(&format!("op-{number}")), Some(done), "operation {number} is forgotten");
        }
    }
}
