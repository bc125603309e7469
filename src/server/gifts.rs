//! Credits that tenants get by themselves: once as a welcome, once for each of
//! their users, and at the beginning of each month. The books know what was
//! given, so nothing is given twice, whoever asks and how often. A user is who
//! they are by their e-mail address or at a provider of identities, not by
//! their record: one who is deleted and made again was welcomed before.

use crate::config::{Billing, Snapshot};
use crate::control::{Private, Record, State, User};
use crate::ledger::wallet::{Operation, Source, Task};
use crate::ledger::{day_of, day_text, month_start};
use crate::store::Store;
use crate::types::{Pico, TenantId, Wall};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::sync::Arc;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// What is known to have been given, so that the books need not be asked again.
#[derive(Default)]
pub(super) struct Gifts {
    given: Mutex<HashSet<Arc<str>>>,
}

impl Gifts {
    /// Gives what is due. Blocks until it is on disk.
    pub(super) fn give(&self, snapshot: &Snapshot, state: &State, store: &Store, now: Wall) {
        let Some(billing) = &snapshot.billing else { return };
        // Held to the end: who is welcomed is looked up first and given to then.
        let mut given = self.given.lock();
        for operation in due(snapshot, billing, now) {
            if !given.contains(&operation.id) && give_one(operation, store, &mut given).is_none() {
                return;
            }
        }
        let Some(gift) = billing.welcome_user else { return };
        let users = state.each::<User>().filter(|(_, user)| user.enabled.0);
        for (record, user) in users {
            let payer = record.tenant.as_ref().filter(|tenant| billing.plan(tenant).billed);
            let Some(tenant) = payer.filter(|_| !given.contains(&record.id)) else { continue };
            let names = names(record, user);
            let Ok(known) = store.was_done(names.clone()) else { return };
            if let (false, Some(id)) = (known, names.first()) {
                let expires_at = gift.expires_after.map(|after| now.after(after));
                let operation = issue(id, tenant, "welcome of a user", gift.amount, expires_at);
                if give_one(operation, store, &mut given).is_none() {
                    return;
                }
            }
            given.insert(Arc::clone(&record.id));
        }
    }
}

/// `None`: not now; the next sweep tries again.
fn give_one(operation: Operation, store: &Store, given: &mut HashSet<Arc<str>>) -> Option<()> {
    let (id, tenant) = (Arc::clone(&operation.id), operation.tenant.clone());
    match store.operate(operation) {
        Ok((done, fresh)) => {
            if fresh {
                tracing::info!(%tenant, %id, amount = %done.amount, "credits were given");
            }
            given.insert(id);
            Some(())
        }
        Err(error) => {
            tracing::debug!(%tenant, %id, %error, "credits could not be given yet");
            None
        }
    }
}

/// The operations under which a user may have been welcomed, the next one first. Digests, because
/// the books are no place for addresses of people.
fn names(record: &Record, user: &User) -> Vec<Arc<str>> {
    let name = |text: String| {
        let digest = Sha256::digest(text.as_bytes());
        let half: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("welcome-user:{half}").into()
    };
    let mut names = Vec::new();
    if let Private::User(proofs) = &record.private {
        // Fixed for life, other than an address.
        names.extend(proofs.identities.iter().map(|one| name(format!("at {} {}", one.issuer, one.subject))));
    }
    names.push(name(format!("mail {}", user.email.to_lowercase())));
    names
}

fn due(snapshot: &Snapshot, billing: &Billing, now: Wall) -> Vec<Operation> {
    let mut due = Vec::new();
    for (tenant, plan) in &snapshot.paying {
        if let Some(gift) = billing.welcome {
            let expires_at = gift.expires_after.map(|after| now.after(after));
            due.push(issue(&format!("welcome:{tenant}"), tenant, "welcome", gift.amount, expires_at));
        }
        if let Some(amount) = plan.allowance {
            let first = month_start(day_of(now));
            // Every month is over after 31 days.
            let next = month_start(first.saturating_add(31));
            let id = format!("allowance:{tenant}:{}", day_text(first));
            let over = Wall(next.saturating_mul(MICROS_PER_DAY));
            due.push(issue(&id, tenant, "monthly allowance", amount, Some(over)));
        }
    }
    due
}

fn issue(id: &str, tenant: &TenantId, reason: &str, amount: Pico, expires_at: Option<Wall>) -> Operation {
    let task = Task::Issue { source: Source::Grant, amount, priority: None, expires_at };
    Operation { id: id.into(), tenant: tenant.clone(), reason: reason.into(), task }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Document, Environment, Extra, Inputs, Registry};
    use crate::control::{Body, Change, Identity, Kind, Proofs, Resource, Switch};
    use crate::route::HealthPolicy;
    use crate::store::Options;
    use crate::types::Clock;
    use std::path::Path;
    use std::time::Duration;

    const CONF: &str = r#"
[[provider]]
vendor = "simulator"
[billing]
enabled = true
welcome_user = { amount = "2", expires_after = "1d" }
[[billing.tenant]]
name = "house"
billed = false
"#;

    fn snapshot() -> Arc<Snapshot> {
        let environment = Environment::of([]);
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

    fn user(id: &str, tenant: &str, email: &str, subject: Option<&str>) -> Record {
        let body: Body = User {
            email: email.into(),
            name: id.into(),
            role: "member".into(),
            enabled: Switch(!email.starts_with("off")),
        }
        .body();
        let identity = |subject: &str| Identity { issuer: "https://id.test".into(), subject: subject.into() };
        let identities = subject.map(identity).into_iter().collect();
        let private = Private::User(Proofs { identities, ..Proofs::default() });
        Record::new(id, Some(TenantId::parse(tenant).unwrap()), body, private, Wall(0))
    }

    fn state(users: Vec<Record>) -> State {
        let mut state = State::default();
        for record in users {
            let (id, after) = (Arc::clone(&record.id), Some(Arc::new(record)));
            state.apply(&Change { kind: Kind::User, id, before: None, after });
        }
        state
    }

    #[test]
    fn each_user_is_welcomed_once_whoever_asks_and_whatever_becomes_of_the_record() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::test());
        let options = Options {
            queue: 64,
            flush_interval: Duration::from_millis(1),
            flush_entries: 1,
            cache_bytes: 1 << 20,
        };
        let store = Store::open(folder.path(), options, clock.clone(), Box::new(|_, _| ())).unwrap();
        let (snapshot, acme) = (snapshot(), TenantId::parse("acme").unwrap());
        let has = || store.wallets().available(&acme, clock.wall()).to_string();
        let first = state(vec![
            user("usr_1", "acme", "one@acme.test", None),
            user("usr_2", "acme", "two@acme.test", Some("2")),
            user("usr_3", "acme", "off@acme.test", None),
            user("usr_4", "house", "four@house.test", None),
        ]);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| Gifts::default().give(&snapshot, &first, &store, clock.wall()));
            }
        });
        assert_eq!(has(), "4", "two users");
        let gifts = Gifts::default();
        // Deleted and made again: by the same address, and by the same identity.
        let again = state(vec![
            user("usr_5", "acme", "One@ACME.test", None),
            user("usr_6", "acme", "other@acme.test", Some("2")),
        ]);
        gifts.give(&snapshot, &again, &store, clock.wall());
        assert_eq!(has(), "4", "nobody is new");
        let more = state(vec![user("usr_7", "acme", "seven@acme.test", Some("7"))]);
        for _ in 0..2 {
            gifts.give(&snapshot, &more, &store, clock.wall());
            assert_eq!(has(), "6");
        }
        clock.advance(Duration::from_secs(86_400));
        assert_eq!(has(), "0", "a welcome does not last");
        store.close();
    }
}
