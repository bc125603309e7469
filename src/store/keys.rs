//! Keys at rest: what was said about a key, never its secret.

use super::options::StoreError;
use crate::access::{AddressRules, AddressSet, Key, KeyHash, ModelFilter};
use crate::limit::Limits;
use crate::types::{KeyId, Pico, TenantId, Wall};
use std::sync::Arc;

pub(super) const PREFIX: &[u8] = b"key/";

/// A key as it is stored: never the secret. Models and addresses are kept as
/// they were written, so that they can be shown and changed.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredKey {
    /// Public id.
    pub id: KeyId,
    /// What people call it.
    pub name: Arc<str>,
    /// Who pays.
    pub tenant: TenantId,
    /// The first characters of the secret, for people to recognise it by.
    pub prefix: Arc<str>,
    /// Keyed hash of the secret.
    pub hash: KeyHash,
    /// May it be used?
    pub enabled: bool,
    /// From when on it may not.
    pub expires_at: Option<Wall>,
    /// Exact names and globs; empty = all.
    pub models: Vec<String>,
    /// Addresses and CIDRs that may use it; empty = all.
    pub allow: Vec<String>,
    /// Addresses and CIDRs that may not.
    pub deny: Vec<String>,
    /// Rates and budgets.
    pub limits: Limits,
    /// When it was made.
    pub created_at: Wall,
}

impl StoredKey {
    /// The key that the request path works with.
    ///
    /// # Errors
    /// Says which model pattern or address is none.
    pub fn key(&self) -> Result<Key, String> {
        Ok(Key {
            id: self.id.clone(),
            name: self.name.clone(),
            tenant: self.tenant.clone(),
            prefix: self.prefix.clone(),
            hash: self.hash,
            enabled: self.enabled,
            expires_at: self.expires_at,
            models: ModelFilter::new(self.models.clone())?,
            addresses: AddressRules {
                allow: AddressSet::parse(&self.allow)?,
                deny: AddressSet::parse(&self.deny)?,
            },
        })
    }
}

/// The row, as JSON: it is read rarely, and a later version may add fields.
#[derive(serde::Serialize, serde::Deserialize)]
struct Row {
    id: KeyId,
    name: Arc<str>,
    tenant: TenantId,
    prefix: Arc<str>,
    hash: [u8; 32],
    enabled: bool,
    expires_at: Option<Wall>,
    #[serde(default)]
    models: Vec<String>,
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    deny: Vec<String>,
    created_at: Wall,
    requests_per_minute: Option<u64>,
    tokens_per_minute: Option<u64>,
    concurrency: Option<u32>,
    day_tokens: Option<u64>,
    month_tokens: Option<u64>,
    day_cost: Option<Pico>,
    month_cost: Option<Pico>,
}

pub(super) fn row_key(id: &KeyId) -> Vec<u8> {
    [PREFIX, id.as_str().as_bytes()].concat()
}

pub(super) fn encode(key: &StoredKey) -> Result<Vec<u8>, StoreError> {
    let key = key.clone();
    let row = Row {
        id: key.id,
        name: key.name,
        tenant: key.tenant,
        prefix: key.prefix,
        hash: key.hash.0,
        enabled: key.enabled,
        expires_at: key.expires_at,
        models: key.models,
        allow: key.allow,
        deny: key.deny,
        created_at: key.created_at,
        requests_per_minute: key.limits.requests_per_minute,
        tokens_per_minute: key.limits.tokens_per_minute,
        concurrency: key.limits.concurrency,
        day_tokens: key.limits.day_tokens,
        month_tokens: key.limits.month_tokens,
        day_cost: key.limits.day_cost,
        month_cost: key.limits.month_cost,
    };
    serde_json::to_vec(&row).map_err(|error| StoreError::Write(format!("a key cannot be encoded: {error}")))
}

pub(super) fn decode(value: &[u8]) -> Result<StoredKey, StoreError> {
    let row: Row = serde_json::from_slice(value)
        .map_err(|error| StoreError::Damaged(format!("a stored key cannot be read: {error}")))?;
    Ok(StoredKey {
        id: row.id,
        name: row.name,
        tenant: row.tenant,
        prefix: row.prefix,
        hash: KeyHash(row.hash),
        enabled: row.enabled,
        expires_at: row.expires_at,
        models: row.models,
        allow: row.allow,
        deny: row.deny,
        limits: Limits {
            requests_per_minute: row.requests_per_minute,
            tokens_per_minute: row.tokens_per_minute,
            concurrency: row.concurrency,
            day_tokens: row.day_tokens,
            month_tokens: row.month_tokens,
            day_cost: row.day_cost,
            month_cost: row.month_cost,
        },
        created_at: row.created_at,
    })
}
