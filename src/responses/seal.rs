//! Responses at rest: AES-256-GCM, bound to owner and id, so that no row can
//! take another one's place.

use super::{Kept, Key, Owner};
use crate::types::Wall;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;

/// Seals and opens rows.
pub struct Sealer(Aes256Gcm);

/// A row that was opened, or its name if it could not be.
#[derive(Debug)]
pub enum Unsealed {
    /// What was kept.
    Kept(Box<Kept>),
    /// Sealed under another key, or damaged: of no use any more.
    Useless(Key),
}

/// What is in the clear: it says which row this is.
#[derive(serde::Serialize, serde::Deserialize)]
struct Row<'a> {
    owner: Owner,
    id: Arc<str>,
    nonce: [u8; NONCE_BYTES],
    #[serde(borrow)]
    sealed: &'a [u8],
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Inside<'a> {
    previous: Option<Arc<str>>,
    #[serde(borrow)]
    input: &'a [u8],
    #[serde(borrow)]
    response: &'a [u8],
    /// Where the output is in the response.
    output: Range<u64>,
    items: Vec<Arc<str>>,
    at: Wall,
}

/// The name of a row: owner and id.
pub(super) fn name(owner: &Owner, id: &str) -> Vec<u8> {
    // Neither ids of tenants nor of keys hold a slash.
    let key = owner.key.as_ref().map_or("", |key| key.as_str());
    format!("{}/{key}/{id}", owner.tenant).into_bytes()
}

impl Sealer {
    /// Works with this key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(&(*key).into()))
    }

    /// The name of a response's row.
    pub fn row_name(key: &Key) -> Vec<u8> {
        name(&key.0, &key.1)
    }

    /// Seals a response. `nonce` must be random. `None` when it cannot be encoded.
    pub fn seal(&self, kept: &Kept, nonce: [u8; NONCE_BYTES]) -> Option<Vec<u8>> {
        let start = (kept.output.as_ptr() as usize).checked_sub(kept.response.as_ptr() as usize);
        let start = start.filter(|start| start + kept.output.len() <= kept.response.len()).unwrap_or(0);
        let inside = Inside {
            previous: kept.previous.clone(),
            input: &kept.input,
            response: &kept.response,
            output: start as u64..(start + kept.output.len()) as u64,
            items: kept.items.clone(),
            at: kept.at,
        };
        let plain = postcard::to_allocvec(&inside).ok()?;
        let aad = name(&kept.owner, &kept.id);
        let sealed = self.0.encrypt(&Nonce::from(nonce), Payload { msg: &plain, aad: &aad }).ok()?;
        let row = Row { owner: kept.owner.clone(), id: Arc::clone(&kept.id), nonce, sealed: &sealed };
        let mut out = vec![VERSION];
        out.extend(postcard::to_allocvec(&row).ok()?);
        Some(out)
    }

    /// Opens a row. `None`: it is none, or of a later version.
    pub fn open(&self, value: &[u8]) -> Option<Unsealed> {
        let rest = value.split_first().filter(|(version, _)| **version == VERSION)?.1;
        let row: Row<'_> = postcard::from_bytes(rest).ok()?;
        let kept = self.inside(&row);
        Some(
            kept.map_or_else(
                || Unsealed::Useless((row.owner, row.id)),
                |kept| Unsealed::Kept(Box::new(kept)),
            ),
        )
    }

    fn inside(&self, row: &Row<'_>) -> Option<Kept> {
        let aad = name(&row.owner, &row.id);
        let plain = self.0.decrypt(&Nonce::from(row.nonce), Payload { msg: row.sealed, aad: &aad }).ok()?;
        let inside: Inside<'_> = postcard::from_bytes(&plain).ok()?;
        let response = Bytes::copy_from_slice(inside.response);
        let output = usize::try_from(inside.output.start).ok()?..usize::try_from(inside.output.end).ok()?;
        response.get(output.clone())?;
        Some(Kept {
            owner: row.owner.clone(),
            id: Arc::clone(&row.id),
            previous: inside.previous,
            input: Bytes::copy_from_slice(inside.input),
            output: response.slice(output),
            response,
            items: inside.items,
            at: inside.at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::TenantId;

    fn kept() -> Kept {
        let response = Bytes::from_static(br#"{"id":"resp_1","output":[{"id":"msg_1"}]}"#);
        Kept {
            owner: Owner { tenant: TenantId::parse("acme").unwrap(), key: None },
            id: "resp_1".into(),
            previous: Some("resp_0".into()),
            input: Bytes::from_static(b"[\"canary\"]"),
            output: response.slice(24..40),
            response,
            items: vec!["msg_1".into()],
            at: Wall(7),
        }
    }

    #[test]
    fn a_row_opens_with_its_key_and_shows_nothing_without() {
        let sealer = Sealer::new(&[1; 32]);
        let row = sealer.seal(&kept(), [9; 12]).unwrap();
        assert!(memchr::memmem::find(&row, b"canary").is_none());
        assert!(matches!(sealer.open(&row), Some(Unsealed::Kept(opened)) if *opened == kept()));
        let other = Sealer::new(&[2; 32]).open(&row);
        assert!(matches!(other, Some(Unsealed::Useless((_, id))) if &*id == "resp_1"));
        assert!(sealer.open(b"").is_none() && sealer.open(&[VERSION, 1]).is_none());
    }

    #[test]
    fn a_row_under_another_name_does_not_open() {
        let sealer = Sealer::new(&[1; 32]);
        let mut row = sealer.seal(&kept(), [9; 12]).unwrap();
        let at = memchr::memmem::find(&row, b"acme").unwrap();
        row[at..at + 4].copy_from_slice(b"evil");
        assert!(matches!(sealer.open(&row), Some(Unsealed::Useless(_))));
    }
}
