//! What is managed, as it lies on disk: read at the start, and after a write
//! that failed.

use crate::control::oauth::{Book, CONSENT_PREFIX, Consent, FAMILY_PREFIX, Family, Step};
use crate::control::{
    AUDIT_ANCHOR, AUDIT_HEAD, AUDIT_PREFIX, Anchor, Audit, Broken, Head, IDEMPOTENCY_PREFIX, Kind, Moment,
    Price, RECORD_PREFIX, Record, Replay, SESSION_PREFIX, Seal, Session, Signer, State, Verifier, from_hex,
    row_key, to_hex,
};
use crate::store::Archive;
use crate::types::Wall;
use std::collections::HashMap;
use std::io::Write;
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// What signs the audit log lies beside the data, not in it.
const AUDIT_KEY_FILE: &str = "audit.key";
/// What was read from the disk.
pub(super) struct Loaded {
    pub(super) state: State,
    pub(super) sessions: HashMap<[u8; 32], Session>,
    pub(super) replays: HashMap<String, Replay>,
    pub(super) audit: Audit,
    pub(super) book: Book,
}

/// Proves the audit log in an archive.
///
/// # Errors
/// When the store cannot be read.
pub fn verify_audit(archive: &Archive, public_key: &str) -> Result<Result<u64, Broken>, String> {
    let mut verifier = match anchor(archive)?.map(|anchor| anchor.seal(public_key)) {
        None => Verifier::default(),
        Some(Ok(seal)) => Verifier::after(seal),
        Some(Err(broken)) => return Ok(Err(broken)),
    };
    let (mut broken, mut head) = (None, None);
    let each = &mut |key: &[u8], value: &[u8]| match verifier.row(key, value) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            broken = Some(error);
            ControlFlow::Break(())
        }
    };
    archive.control(AUDIT_PREFIX.as_bytes(), each).map_err(|error| error.to_string())?;
    if let Some(broken) = broken {
        return Ok(Err(broken));
    }
    let each = &mut |_: &[u8], value: &[u8]| {
        head = serde_json::from_slice::<Head>(value).ok();
        ControlFlow::Continue(())
    };
    archive.control(AUDIT_HEAD.as_bytes(), each).map_err(|error| error.to_string())?;
    Ok(verifier.finish(head.as_ref(), public_key))
}

/// Prices that are managed, for who looks at books that no hub has open.
///
/// # Errors
/// When the store cannot be read.
pub fn managed_prices(archive: &Archive) -> Result<Vec<crate::ledger::Price>, String> {
    let mut prices = Vec::new();
    let prefix = row_key(Kind::Price, "");
    let each = &mut |_: &[u8], value: &[u8]| {
        let record = serde_json::from_slice::<Record>(value).ok();
        prices.extend(record.and_then(|record| record.is::<Price>()?.read().ok()));
        ControlFlow::Continue(())
    };
    archive.control(&prefix, each).map_err(|error| error.to_string())?;
    Ok(prices)
}

/// What stays of audit records that were pruned.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn anchor(archive: &Archive) -> Result<Option<Anchor>, String> {
    let mut found = None;
    let each = &mut |_: &[u8], value: &[u8]| {
        found = serde_json::from_slice(value).ok();
        ControlFlow::Break(())
    };
    archive.control(AUDIT_ANCHOR.as_bytes(), each).map_err(|error| error.to_string())?;
    Ok(found)
}

/// The key that proves the audit log in a data folder.
///
/// # Errors
/// Says which file cannot be read.
pub fn audit_public_key(data: &Path) -> Result<String, String> {
    let path = data.join(AUDIT_KEY_FILE);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let signer = from_hex(text.trim()).and_then(|seed| Signer::new(&seed));
    Ok(signer.ok_or_else(|| format!("{}: holds no key", path.display()))?.public_key())
}

pub(super) fn load(archive: &Archive, now: Wall) -> Result<Loaded, String> {
    let mut loaded = Loaded {
        state: State::default(),
        sessions: HashMap::new(),
        replays: HashMap::new(),
        audit: Audit::default(),
        book: Book::default(),
    };
    let mut damaged = 0_u64;
    let each = &mut |_: &[u8], value: &[u8]| {
        match serde_json::from_slice::<Record>(value) {
            Ok(record) => loaded.state.put(Arc::new(record)),
            Err(_) => damaged += 1,
        }
        ControlFlow::Continue(())
    };
    archive.control(RECORD_PREFIX.as_bytes(), each).map_err(|error| error.to_string())?;
    if damaged > 0 {
        return Err(format!("{damaged} records of the control plane cannot be read"));
    }
    let each = &mut |key: &[u8], value: &[u8]| {
        let hash = key.strip_prefix(SESSION_PREFIX.as_bytes()).and_then(|key| std::str::from_utf8(key).ok());
        let hash = hash.and_then(from_hex).and_then(|hash| hash.try_into().ok());
        if let (Some(hash), Ok(session)) = (hash, serde_json::from_slice::<Session>(value)) {
            // When it was used last is not written down each time; nobody is signed out by a restart.
            loaded.sessions.insert(hash, Session { seen: Moment(now), ..session });
        }
        ControlFlow::Continue(())
    };
    archive.control(SESSION_PREFIX.as_bytes(), each).map_err(|error| error.to_string())?;
    let each = &mut |key: &[u8], value: &[u8]| {
        let name =
            key.strip_prefix(IDEMPOTENCY_PREFIX.as_bytes()).and_then(|key| std::str::from_utf8(key).ok());
        if let (Some(name), Ok(replay)) = (name, serde_json::from_slice(value)) {
            loaded.replays.insert(name.to_owned(), replay);
        }
        ControlFlow::Continue(())
    };
    archive.control(IDEMPOTENCY_PREFIX.as_bytes(), each).map_err(|error| error.to_string())?;
    let mut steps = |prefix: &str, read: &dyn Fn(&[u8]) -> Option<Step>| {
        let each = &mut |_: &[u8], value: &[u8]| {
            read(value).into_iter().for_each(|step| loaded.book.apply(step));
            ControlFlow::Continue(())
        };
        archive.control(prefix.as_bytes(), each).map_err(|error| error.to_string())
    };
    steps(FAMILY_PREFIX, &|row| serde_json::from_slice::<Family>(row).ok().map(|f| Step::Keep(Arc::new(f))))?;
    steps(CONSENT_PREFIX, &|row| serde_json::from_slice::<Consent>(row).ok().map(Step::Consent))?;
    loaded.audit.seal = load_head(archive)?;
    Ok(loaded)
}

/// The end of the audit log.
pub(super) fn load_head(archive: &Archive) -> Result<Seal, String> {
    let mut seal = Seal::default();
    let each = &mut |_: &[u8], value: &[u8]| {
        if let Ok(head) = serde_json::from_slice::<Head>(value)
            && let Some(digest) = from_hex(&head.digest).and_then(|digest| digest.try_into().ok())
        {
            seal = Seal { sequence: head.sequence, digest };
        }
        ControlFlow::Continue(())
    };
    archive.control(AUDIT_HEAD.as_bytes(), each).map_err(|error| error.to_string())?;
    Ok(seal)
}

pub(super) fn index_of(state: &State) -> HashMap<[u8; 32], Arc<str>> {
    let keys = state.all(crate::control::Kind::Key);
    keys.flat_map(|record| hashes(record).map(|hash| (hash, Arc::clone(&record.id)))).collect()
}

/// The hashes under which a key is found.
pub(super) fn hashes(record: &Record) -> impl Iterator<Item = [u8; 32]> {
    let secret = record.key_secret();
    let previous = secret.and_then(|secret| secret.previous.as_ref()).map(|previous| previous.hash);
    secret.map(|secret| secret.hash).into_iter().chain(previous)
}

/// The key of the audit log, made at the first start.
pub(super) fn signer(data: &Path) -> Result<Signer, String> {
    let path = data.join(AUDIT_KEY_FILE);
    let at = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    if !path.exists() {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| format!("no randomness: {error}"))?;
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        file.and_then(|mut file| writeln!(file, "{}", to_hex(&seed))).map_err(|error| at(&error))?;
    }
    let text = std::fs::read_to_string(&path).map_err(|error| at(&error))?;
    from_hex(text.trim()).and_then(|seed| Signer::new(&seed)).ok_or_else(|| at(&"holds no key"))
}
