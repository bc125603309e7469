//! What is managed, in memory and on disk: one writer at a time, each change
//! in one batch with its audit records, then a new snapshot.

mod bodies;
mod disk;
mod draft;
mod log;
mod notices;
mod oauth;
mod retention;
mod uses;

pub(super) use bodies::{Doomed, Gone};
pub use disk::{audit_public_key, managed_prices, verify_audit};
pub use draft::{Draft, Unwritten};
pub(super) use log::entries_before;

use super::identities::Identities;
use super::till::Remembered;
use crate::access::Pepper;
use crate::config::{Extra, Snapshot};
use crate::control::{
    AUDIT_HEAD, Audit, Change, Compiled, IDEMPOTENCY_PREFIX, Record, Replay, SESSION_PREFIX, Sealed, Session,
    Signer, State, Throttle, Vault, row_key, to_hex,
};
use crate::fetch::Client;
use crate::notify::Notices;
use crate::store::{ControlRow, Store};
use crate::types::{Clock, Secret, Wall};
use arc_swap::ArcSwap;
use disk::{Loaded, hashes, index_of, load, signer};
pub(super) use oauth::Desk;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long the answer to a request that may be sent twice is kept.
const REPLAY_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// A real call with a provider's credential.
pub type Probe = Box<dyn Fn(&str, &str) -> Result<Probed, String> + Send + Sync>;
/// What the things that are managed would make of the snapshot.
pub type Trial = Box<dyn Fn(&Extra) -> Result<Option<Arc<Snapshot>>, String> + Send + Sync>;

/// What the data plane does for the control plane.
pub struct Hooks {
    /// The pepper in force.
    pub pepper: Box<dyn Fn() -> Result<Pepper, String> + Send + Sync>,
    /// The snapshot in force; none when no data plane runs.
    pub snapshot: Box<dyn Fn() -> Option<Arc<Snapshot>> + Send + Sync>,
    /// Puts what is managed now into force.
    pub rebuild: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// Makes the cheapest real call with a credential of a provider.
    pub probe: Probe,
    /// Builds the snapshot that this would make, without any effect.
    pub trial: Trial,
}

/// What a vendor said to a real call.
#[derive(Clone, Debug)]
pub struct Probed {
    /// Was it content?
    pub works: bool,
    /// Its status; none when it could not be reached.
    pub status: Option<u16>,
    /// Its own words, or why there are none.
    pub words: String,
}

/// See the module.
pub struct Directory {
    store: Store,
    /// The time.
    pub clock: Clock,
    state: ArcSwap<State>,
    /// Ids of keys by the hash of their secret.
    index: RwLock<HashMap<[u8; 32], Arc<str>>>,
    turn: Mutex<Turn>,
    signer: Signer,
    /// By the hash of their cookie.
    pub(super) sessions: Mutex<HashMap<[u8; 32], Session>>,
    replays: Mutex<HashMap<String, Replay>>,
    /// Who failed to sign in.
    pub(super) throttle: Mutex<Throttle>,
    /// The running minute, and how many refusals it had.
    refusals: Mutex<(i64, u32)>,
    /// One password is hashed at a time; each takes 19 MiB.
    pub(super) hashing: Mutex<()>,
    /// One-time codes that still wait for their confirmation, by user.
    codes: Mutex<HashMap<Arc<str>, Sealed>>,
    vault: ArcSwap<Vault>,
    notices: Notices,
    bootstrap: Mutex<Option<Secret>>,
    /// Asks payment providers.
    pub(super) outside: Client,
    /// What the hub remembers of payments from one look to the next.
    pub(super) till: Mutex<Remembered>,
    hooks: OnceLock<Hooks>,
    /// Keys of kept bodies. Held while something is sealed under one, or one is destroyed.
    body_keys: Mutex<bodies::OpenKeys>,
    bodies_dropped: OnceLock<Arc<AtomicU64>>,
    /// When is looked for old audit records again, in microseconds since the epoch.
    prune_next: AtomicI64,
    /// Providers of identities.
    pub(super) identities: Identities,
    /// Codes, tokens and consents.
    pub(super) desk: Desk,
    /// Counts changes; the one that is in force.
    changes: AtomicU64,
    in_force: Mutex<u64>,
}

/// What only the writer has.
struct Turn {
    audit: Audit,
    /// A write failed: what is on disk is not certain and must be read again.
    stale: bool,
}

impl Directory {
    /// Reads what is managed. `data` is where the key of the audit log is, or is made.
    ///
    /// # Errors
    /// Says what cannot be read.
    pub fn open(store: Store, clock: Clock, data: &Path) -> Result<Self, String> {
        let signer = signer(data)?;
        let archive = store.archive().map_err(|error| error.to_string())?;
        let loaded = load(&archive, clock.wall())?;
        let known = notices::load(&archive)?;
        drop(archive);
        let client = Client::default();
        let directory = Self {
            notices: Notices::new(clock.clone(), known),
            store,
            clock,
            state: ArcSwap::default(),
            index: RwLock::default(),
            turn: Mutex::new(Turn { audit: Audit::default(), stale: false }),
            signer,
            sessions: Mutex::default(),
            replays: Mutex::default(),
            throttle: Mutex::default(),
            refusals: Mutex::default(),
            hashing: Mutex::default(),
            codes: Mutex::default(),
            vault: ArcSwap::default(),
            bootstrap: Mutex::default(),
            outside: client.clone(),
            till: Mutex::default(),
            hooks: OnceLock::new(),
            body_keys: Mutex::default(),
            bodies_dropped: OnceLock::new(),
            prune_next: AtomicI64::new(0),
            identities: Identities::new(client)?,
            desk: Desk::default(),
            changes: AtomicU64::new(0),
            in_force: Mutex::new(0),
        };
        directory.take(loaded, &mut directory.turn.lock());
        Ok(directory)
    }

    fn take(&self, loaded: Loaded, turn: &mut Turn) {
        *self.index.write() = index_of(&loaded.state);
        self.desk.replace(loaded.book, &loaded.state);
        self.state.store(Arc::new(loaded.state));
        *self.sessions.lock() = loaded.sessions;
        *self.replays.lock() = loaded.replays;
        *turn = Turn { audit: loaded.audit, stale: false };
    }

    /// Connects it with the data plane. Once.
    pub fn connect(&self, hooks: Hooks) {
        let _ = self.hooks.set(hooks);
    }

    /// The master keys in use from now on.
    pub fn set_vault(&self, vault: Vault) {
        self.vault.store(Arc::new(vault));
    }

    /// The master keys in use.
    pub fn vault(&self) -> Arc<Vault> {
        self.vault.load_full()
    }

    /// The books.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Everything that is managed, now.
    pub fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// What a snapshot takes in, now.
    pub fn compile(&self) -> Compiled {
        let mut compiled = crate::control::compile(&self.state.load(), &self.vault.load(), self.clock.wall());
        compiled.extra.tokens = self.desk.tokens();
        compiled
    }

    /// The snapshot in force, if a data plane runs.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        (self.hooks.get()?.snapshot)()
    }

    /// The pepper in force.
    ///
    /// # Errors
    /// When it cannot be had, as before [`Directory::connect`].
    pub fn pepper(&self) -> Result<Pepper, String> {
        (self.hooks.get().ok_or("the hub is still starting")?.pepper)()
    }

    /// The key with this hash.
    pub fn key_of(&self, hash: &[u8; 32]) -> Option<Arc<Record>> {
        let id = Arc::clone(self.index.read().get(hash)?);
        self.state.load().get(crate::control::Kind::Key, &id).cloned()
    }

    /// Does nobody own the hub yet? Then `token` is what makes the first owner.
    pub fn await_owner(&self, token: Secret) -> bool {
        let missing = !self.state.load().has_owner();
        if missing {
            *self.bootstrap.lock() = Some(token);
        }
        missing
    }

    /// Is this the token that makes the first owner?
    pub(super) fn is_bootstrap(&self, token: &str) -> bool {
        self.bootstrap.lock().as_ref().is_some_and(|wanted| super::same(token, wanted))
    }

    /// A secret of one-time codes that its user has yet to confirm.
    pub(super) fn await_code(&self, user: Arc<str>, sealed: Sealed) {
        self.codes.lock().insert(user, sealed);
    }

    /// The secret that waits for this user's confirmation.
    pub(super) fn awaited_code(&self, user: &str) -> Option<Sealed> {
        self.codes.lock().get(user).cloned()
    }

    /// Sessions that are over, to be forgotten.
    pub(super) fn sessions_over(&self, now: Wall) -> Vec<[u8; 32]> {
        let sessions = self.sessions.lock();
        sessions.iter().filter(|(_, session)| session.is_over(now)).map(|(hash, _)| *hash).collect()
    }

    /// The answer to a request that came before.
    pub(super) fn replay(&self, name: &str) -> Option<Replay> {
        let now = self.clock.wall();
        self.replays.lock().get(name).filter(|replay| replay.at.0.after(REPLAY_KEPT) > now).cloned()
    }

    /// Makes a change: `work` sees the state as it is and says what to write, and nobody else
    /// writes meanwhile. Returns when it is on disk and in force.
    ///
    /// # Errors
    /// What `work` says, or that the disk refuses.
    pub(super) fn change<T, E: From<Unwritten>>(
        &self,
        work: impl FnOnce(&State) -> Result<(T, Draft), E>,
    ) -> Result<T, E> {
        let mut turn = self.turn.lock();
        if turn.stale {
            let archive = self.store.archive().map_err(|error| Unwritten::Disk(error.to_string()))?;
            let loaded = load(&archive, self.clock.wall()).map_err(Unwritten::Disk)?;
            self.take(loaded, &mut turn);
            self.changes.fetch_add(1, Ordering::AcqRel);
        }
        let state = self.state.load_full();
        let (value, mut draft) = work(&state)?;
        if draft.is_empty() {
            return Ok(value);
        }
        self.desk.complete(&mut draft, self.clock.wall());
        let mut next = State::clone(&state);
        draft.changes.iter().for_each(|change| next.apply(change));
        self.try_out(&draft, &next)?;
        let (deliveries, rows) = self.deliveries(&draft, &next);
        let audit = self.write(&mut turn, &draft, rows)?;
        turn.audit = audit;
        self.enter(draft, next);
        self.notices.entered(deliveries);
        drop(turn);
        Ok(value)
    }

    /// Would the data plane take it? Only providers, credentials and models can be refused there.
    fn try_out(&self, draft: &Draft, next: &State) -> Result<(), Unwritten> {
        use crate::control::{Body, Kind};
        let risky = |change: &&Change| matches!(change.kind, Kind::Provider | Kind::Credential | Kind::Model);
        let (Some(hooks), true) = (self.hooks.get(), draft.changes.iter().any(|change| risky(&change)))
        else {
            return Ok(());
        };
        let compiled = crate::control::compile(next, &self.vault.load(), self.clock.wall());
        let Some(snapshot) = (hooks.trial)(&compiled.extra).map_err(Unwritten::Snapshot)? else {
            return Ok(());
        };
        let before = self.snapshot();
        let known = |kind: &str, name: &str| {
            before
                .iter()
                .flat_map(|snapshot| &snapshot.left_out)
                .any(|out| out.kind == kind && out.name == name)
        };
        let touched = |kind: &str, name: &str| {
            draft.changes.iter().filter_map(|change| change.after.as_ref()).any(|after| match &after.body {
                Body::Provider(provider) => kind == "provider" && provider.name == name,
                Body::Model(model) => kind == "model" && model.name == name,
                _ => false,
            })
        };
        let mut faults = Vec::new();
        for out in &snapshot.left_out {
            if touched(out.kind, &out.name) {
                faults.extend(out.problems.iter().map(|problem| (problem.key.clone(), problem.text.clone())));
            } else if !known(out.kind, &out.name) {
                let why: Vec<&str> = out.problems.iter().map(|problem| problem.text.as_str()).collect();
                faults
                    .push((String::new(), format!("{} {} needs it: {}", out.kind, out.name, why.join("; "))));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(Unwritten::Unfit(faults)) }
    }

    /// Everything in one batch.
    fn write(&self, turn: &mut Turn, draft: &Draft, mut rows: Vec<ControlRow>) -> Result<Audit, Unwritten> {
        let mut audit = turn.audit;
        for change in &draft.changes {
            let value = change.after.as_ref().map(|record| serde_json::to_vec(&**record)).transpose();
            let value = value.map_err(|error| Unwritten::Disk(error.to_string()))?;
            rows.push((row_key(change.kind, &change.id), value));
        }
        let session = |hash: &[u8; 32]| format!("{SESSION_PREFIX}{}", to_hex(hash)).into_bytes();
        for (hash, begun) in &draft.begun {
            rows.push((session(hash), serde_json::to_vec(begun).ok()));
        }
        rows.extend(draft.ended.iter().map(|hash| (session(hash), None)));
        rows.extend(draft.oauth.iter().map(crate::control::oauth::Step::row));
        if let Some((name, replay)) = &draft.replay {
            rows.push((format!("{IDEMPOTENCY_PREFIX}{name}").into_bytes(), serde_json::to_vec(replay).ok()));
            rows.extend(self.old_replays());
        }
        rows.extend(draft.rows.iter().cloned());
        for entry in &draft.entries {
            let (key, value) = audit.add(entry.clone());
            rows.push((key, Some(value)));
        }
        let head = serde_json::to_vec(&self.signer.sign(audit.seal));
        rows.push((AUDIT_HEAD.into(), Some(head.map_err(|error| Unwritten::Disk(error.to_string()))?)));
        turn.stale = true;
        self.store.put_control(rows).map_err(|error| Unwritten::Disk(error.to_string()))?;
        turn.stale = false;
        Ok(audit)
    }

    /// Rows of answers that nobody will ask for again.
    fn old_replays(&self) -> Vec<ControlRow> {
        let now = self.clock.wall();
        let mut old = Vec::new();
        self.replays.lock().retain(|name, replay| {
            let keep = replay.at.0.after(REPLAY_KEPT) > now;
            if !keep {
                old.push((format!("{IDEMPOTENCY_PREFIX}{name}").into_bytes(), None));
            }
            keep
        });
        old
    }

    /// What is on disk becomes what everybody sees.
    fn enter(&self, draft: Draft, next: State) {
        let changed = !draft.changes.is_empty();
        let concerned = draft.changes.iter().any(|change| change.kind.is_compiled());
        if changed {
            let mut index = self.index.write();
            for change in &draft.changes {
                for hash in change.before.iter().flat_map(|record| hashes(record)) {
                    index.remove(&hash);
                }
                if let Some(record) = &change.after {
                    index.extend(hashes(record).map(|hash| (hash, Arc::clone(&record.id))));
                }
            }
            drop(index);
            self.state.store(Arc::new(next));
            if self.state.load().has_owner() {
                *self.bootstrap.lock() = None;
            }
        }
        self.desk.enter(draft.oauth, &draft.changes, &self.state.load());
        let mut sessions = self.sessions.lock();
        sessions.extend(draft.begun);
        draft.ended.iter().for_each(|hash| drop(sessions.remove(hash)));
        drop(sessions);
        if let Some((name, replay)) = draft.replay {
            self.replays.lock().insert(name, replay);
        }
        if concerned {
            self.changes.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Returns when everything that was changed before is in force. Changes that come together
    /// share one rebuild.
    pub(super) fn enforce(&self) {
        let wanted = self.changes.load(Ordering::Acquire);
        let mut in_force = self.in_force.lock();
        let Some(hooks) = self.hooks.get().filter(|_| *in_force < wanted) else { return };
        let reached = self.changes.load(Ordering::Acquire);
        match (hooks.rebuild)() {
            Ok(()) => *in_force = reached,
            Err(error) => tracing::error!(error, "what was changed is stored, but not in force yet"),
        }
    }

    /// Asks a vendor with a credential that is in force.
    pub(super) fn probe(&self, provider: &str, credential: &str) -> Result<Probed, String> {
        (self.hooks.get().ok_or("no data plane runs")?.probe)(provider, credential)
    }

    /// When something of what is managed expires next.
    pub fn until(&self) -> Option<Wall> {
        self.compile().until
    }
}
