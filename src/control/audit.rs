//! The audit log: who did what, in a chain in which each record holds the
//! digest of the one before, with a signed head. A record that was changed,
//! removed or put in is found, and named.
//!
//! A row of the store is the digest of the record's text, and the text.

use super::{Kind, Moment, from_hex, to_hex};
use crate::types::TenantId;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Keys of the store's rows begin so; the number of the record follows, big-endian.
pub const AUDIT_PREFIX: &str = "audit/";
/// Key of the row with the signed head.
pub const AUDIT_HEAD: &str = "audit-head";

const DIGEST_BYTES: usize = 32;

/// Who did it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Who {
    /// operator, user, key, app, token, client or nobody.
    pub kind: String,
    /// Their id, if they have one.
    pub id: Option<String>,
    /// Name or address at that time.
    pub name: String,
    /// Where they belong; none: to the hub as a whole.
    #[schemars(with = "Option<String>")]
    pub tenant: Option<TenantId>,
}

/// What it was done to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// Which kind.
    pub kind: Kind,
    /// Which one.
    pub id: String,
    /// Whose; none: the hub's.
    #[schemars(with = "Option<String>")]
    pub tenant: Option<TenantId>,
}

/// What was done: `key.create`, `session.create`, …
pub type Action = String;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Counts from 1, without gaps.
    pub sequence: u64,
    /// When.
    pub at: Moment,
    /// Who.
    pub who: Who,
    /// What.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was refused.
    pub reason: Option<String>,
    /// To what.
    pub target: Option<Target>,
    /// What was there, without secrets.
    pub before: Option<Value>,
    /// What is there now, without secrets.
    pub after: Option<Value>,
    /// From which address.
    pub address: Option<String>,
    /// The request that asked for it.
    pub request: String,
    /// Digest of the record before, in hexadecimal digits; zeros for the first.
    pub previous: String,
}

impl Entry {
    /// Whose people may see it: the tenant of what it was done to, or of who did it.
    pub fn tenant(&self) -> Option<&TenantId> {
        match &self.target {
            Some(target) => target.tenant.as_ref(),
            None => self.who.tenant.as_ref(),
        }
    }
}

/// The end of the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seal {
    /// Number of the last record; 0 when there is none.
    pub sequence: u64,
    /// Its digest.
    pub digest: [u8; DIGEST_BYTES],
}

/// The head as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Head {
    /// Number of the last record.
    pub sequence: u64,
    /// Its digest.
    pub digest: String,
    /// Ed25519 over `aigne-hub audit SEQUENCE DIGEST`.
    pub signature: String,
    /// The public key that proves it.
    pub public_key: String,
}

/// Signs heads.
pub struct Signer(Ed25519KeyPair);

impl Signer {
    /// From 32 secret bytes; `None` when they are not 32.
    pub fn new(seed: &[u8]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(Self)
    }

    /// The key that proves its signatures, as hexadecimal digits.
    pub fn public_key(&self) -> String {
        to_hex(self.0.public_key().as_ref())
    }

    pub(super) fn signature(&self, text: &str) -> String {
        to_hex(self.0.sign(text.as_bytes()).as_ref())
    }

    /// The signed head of a chain.
    pub fn sign(&self, seal: Seal) -> Head {
        let digest = to_hex(&seal.digest);
        let signature = self.signature(&signed_text(seal.sequence, &digest));
        Head { sequence: seal.sequence, digest, signature, public_key: self.public_key() }
    }
}

fn signed_text(sequence: u64, digest: &str) -> String {
    format!("aigne-hub audit {sequence} {digest}")
}

impl Head {
    /// Was it signed with this key?
    pub fn is_signed_by(&self, public_key: &str) -> bool {
        is_signed(&signed_text(self.sequence, &self.digest), &self.signature, public_key)
    }
}

/// Is this the signature of the key over the text? Both in hexadecimal digits.
pub(super) fn is_signed(text: &str, signature: &str, public_key: &str) -> bool {
    let (Some(key), Some(signature)) = (from_hex(public_key), from_hex(signature)) else { return false };
    UnparsedPublicKey::new(&ED25519, key).verify(text.as_bytes(), &signature).is_ok()
}

/// The chain as it grows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Audit {
    /// Its end.
    pub seal: Seal,
}

impl Audit {
    /// Adds a record: numbers it, chains it, and gives the row of the store.
    pub fn add(&mut self, mut entry: Entry) -> (Vec<u8>, Vec<u8>) {
        entry.sequence = self.seal.sequence.saturating_add(1);
        entry.previous = to_hex(&self.seal.digest);
        // Strings, numbers and JSON values always have a text.
        let text = serde_json::to_vec(&entry).unwrap_or_default();
        let digest = digest_of(&text);
        self.seal = Seal { sequence: entry.sequence, digest };
        (audit_row_key(entry.sequence), [&digest, text.as_slice()].concat())
    }
}

/// The key of a record's row.
pub fn audit_row_key(sequence: u64) -> Vec<u8> {
    [AUDIT_PREFIX.as_bytes(), &sequence.to_be_bytes()].concat()
}

/// The number of the record of a row.
pub fn sequence_of(key: &[u8]) -> Option<u64> {
    let bytes = key.strip_prefix(AUDIT_PREFIX.as_bytes())?;
    bytes.try_into().ok().map(u64::from_be_bytes)
}

/// The digest that a row claims, and its record; `None` when it is no row.
pub fn open_row(value: &[u8]) -> Option<([u8; DIGEST_BYTES], Entry)> {
    let (digest, text) = value.split_at_checked(DIGEST_BYTES)?;
    Some((digest.try_into().ok()?, serde_json::from_slice(text).ok()?))
}

fn digest_of(text: &[u8]) -> [u8; DIGEST_BYTES] {
    Sha256::digest(text).into()
}

/// The first thing that is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, thiserror::Error)]
#[error("audit record {sequence}: {what}")]
pub struct Broken {
    /// Number of the record.
    pub sequence: u64,
    /// What is wrong with it.
    pub what: String,
}

impl Broken {
    fn at(sequence: u64, what: impl Into<String>) -> Self {
        Self { sequence, what: what.into() }
    }
}

/// Proves a log row by row, so that nobody has to hold all of it.
#[derive(Default)]
pub struct Verifier {
    seal: Seal,
}

impl Verifier {
    /// For a chain whose beginning was pruned.
    pub fn after(seal: Seal) -> Self {
        Self { seal }
    }

    /// The next row.
    ///
    /// # Errors
    /// It is not as it was written. Nothing after it is worth a look.
    pub fn row(&mut self, key: &[u8], value: &[u8]) -> Result<(), Broken> {
        self.seal = follow(self.seal, key, value)?;
        Ok(())
    }

    /// The end: how many records there are.
    ///
    /// # Errors
    /// The head does not fit what came before it, or is not signed with the key.
    pub fn finish(self, head: Option<&Head>, public_key: &str) -> Result<u64, Broken> {
        end(self.seal, head, public_key)
    }
}

/// Proves a log: rows in their order, then its head. Gives how many records there are.
///
/// # Errors
/// The first record that is not as it was written.
#[cfg(test)]
fn verify<'r>(
    rows: impl IntoIterator<Item = (&'r [u8], &'r [u8])>,
    head: Option<&Head>,
    public_key: &str,
) -> Result<u64, Broken> {
    let mut verifier = Verifier::default();
    for (key, value) in rows {
        verifier.row(key, value)?;
    }
    verifier.finish(head, public_key)
}

fn end(seal: Seal, head: Option<&Head>, public_key: &str) -> Result<u64, Broken> {
    let Some(head) = head else {
        return if seal.sequence == 0 {
            Ok(0)
        } else {
            Err(Broken::at(seal.sequence, "there is no signed head"))
        };
    };
    if !head.is_signed_by(public_key) {
        return Err(Broken::at(head.sequence, "the head is not signed with the hub's key"));
    }
    if head.sequence > seal.sequence {
        return Err(Broken::at(
            seal.sequence.saturating_add(1),
            "is missing; the signed head names later ones",
        ));
    }
    if head.sequence < seal.sequence {
        return Err(Broken::at(head.sequence.saturating_add(1), "comes after the signed head"));
    }
    if head.digest != to_hex(&seal.digest) {
        return Err(Broken::at(seal.sequence, "is not the one that the signed head names"));
    }
    Ok(seal.sequence)
}

/// One record further.
fn follow(seal: Seal, key: &[u8], value: &[u8]) -> Result<Seal, Broken> {
    let expected = seal.sequence.saturating_add(1);
    let sequence = sequence_of(key).ok_or_else(|| Broken::at(expected, "has a row that is none"))?;
    if sequence != expected {
        return Err(Broken::at(expected, format!("is missing; record {sequence} comes in its place")));
    }
    let Some((digest, entry)) = open_row(value) else { return Err(Broken::at(sequence, "cannot be read")) };
    if value.get(DIGEST_BYTES..).map(digest_of) != Some(digest) {
        return Err(Broken::at(sequence, "was changed: its text does not have its digest"));
    }
    if entry.sequence != sequence {
        return Err(Broken::at(sequence, format!("calls itself record {}", entry.sequence)));
    }
    if entry.previous != to_hex(&seal.digest) {
        // With a digest of its own that fits, the one before is another than when this was written.
        let blamed = seal.sequence.max(1);
        return Err(Broken::at(blamed, format!("was replaced: record {sequence} follows another one")));
    }
    Ok(Seal { sequence, digest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(n: u64) -> Entry {
        Entry {
            sequence: 0,
            at: Moment(crate::types::Wall(i64::try_from(n).unwrap())),
            who: Who { kind: "operator".into(), id: None, name: "operator".into(), tenant: None },
            action: "key.create".into(),
            outcome: Outcome::Done,
            reason: None,
            target: Some(Target { kind: Kind::Key, id: format!("key_{n}"), tenant: None }),
            before: None,
            after: Some(serde_json::json!({ "name": n })),
            address: None,
            request: "r".into(),
            previous: String::new(),
        }
    }

    struct Log {
        rows: Vec<(Vec<u8>, Vec<u8>)>,
        head: Head,
        signer: Signer,
    }

    impl Log {
        fn of(records: u64) -> Self {
            let mut audit = Audit::default();
            let rows = (1..=records).map(|n| audit.add(entry(n))).collect();
            let signer = Signer::new(&[7; 32]).unwrap();
            Self { rows, head: signer.sign(audit.seal), signer }
        }

        fn verify(&self) -> Result<u64, Broken> {
            let rows = self.rows.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
            verify(rows, Some(&self.head), &self.signer.public_key())
        }

        /// Writes a record's digest anew, as somebody who knows the format would.
        fn forge(&mut self, at: usize, change: impl Fn(&mut Entry)) {
            let (_, mut entry) = open_row(&self.rows[at].1).unwrap();
            change(&mut entry);
            let text = serde_json::to_vec(&entry).unwrap();
            self.rows[at].1 = [&digest_of(&text), text.as_slice()].concat();
        }
    }

    #[test]
    fn what_was_written_is_proved() {
        assert_eq!(Log::of(5).verify(), Ok(5));
        assert_eq!(verify([], None, ""), Ok(0));
    }

    #[test]
    fn every_kind_of_tampering_is_named() {
        let mut log = Log::of(5);
        log.forge(2, |entry| entry.who.name = "somebody else".into());
        assert_eq!(log.verify().unwrap_err().sequence, 3, "even with a fitting digest");

        let mut log = Log::of(5);
        log.rows.remove(1);
        assert_eq!(log.verify().unwrap_err().sequence, 2);

        let mut log = Log::of(5);
        log.rows.pop();
        assert_eq!(log.verify().unwrap_err().sequence, 5, "the head remembers the end");

        let mut log = Log::of(5);
        log.forge(4, |entry| entry.reason = Some("x".into()));
        assert_eq!(log.verify().unwrap_err().sequence, 5, "the last has no follower but the head");

        let mut log = Log::of(5);
        log.rows.swap(1, 2);
        assert_eq!(log.verify().unwrap_err().sequence, 2);

        let mut log = Log::of(5);
        let stranger = Signer::new(&[8; 32]).unwrap();
        let end = Seal { sequence: 5, digest: from_hex(&log.head.digest).unwrap().try_into().unwrap() };
        log.head = stranger.sign(end);
        assert!(log.verify().unwrap_err().what.contains("not signed"));
    }

    proptest! {
        #[test]
        fn no_byte_can_be_changed_unnoticed(at in 0_usize..6, byte in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let mut log = Log::of(6);
            let value = &mut log.rows[at].1;
            let byte = byte.index(value.len());
            value[byte] ^= 1 << bit;
            prop_assert_eq!(log.verify().unwrap_err().sequence, at as u64 + 1);
        }
    }
}
