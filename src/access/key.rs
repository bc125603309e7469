//! What belongs to a key and does not change from request to request.

use super::{AddressRules, KeyHash, ModelFilter};
use crate::types::{KeyId, Party, TenantId, Wall};
use std::sync::Arc;

/// What a key may do. The live counters are not here (see `limit::Gate`).
#[derive(Clone, Debug)]
pub struct Key {
    /// Public id, for logs, the ledger and the admin API.
    pub id: KeyId,
    /// What its owner calls it.
    pub name: Arc<str>,
    /// Who pays for it.
    pub tenant: TenantId,
    /// The first characters of the secret, for people to recognise it by.
    pub prefix: Arc<str>,
    /// The keyed hash of the secret; the secret itself is nowhere.
    pub hash: KeyHash,
    /// Switched off keys stay known, so that their history keeps a name.
    pub enabled: bool,
    /// From this moment on the key is refused.
    pub expires_at: Option<Wall>,
    /// Models it may name.
    pub models: ModelFilter,
    /// Addresses it may be used from.
    pub addresses: AddressRules,
    /// Who is behind it.
    pub party: Arc<Party>,
}

/// Why a key was not accepted. Callers see one text for all three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefusal {
    /// No key has this hash.
    Unknown,
    /// The key was switched off.
    Disabled,
    /// The key's time is over.
    Expired,
}

impl Key {
    /// May the key be used at `now`? A key expires at `expires_at`, not after it.
    ///
    /// # Errors
    /// [`KeyRefusal::Disabled`] or [`KeyRefusal::Expired`], in this order.
    pub fn usable(&self, now: Wall) -> Result<(), KeyRefusal> {
        if !self.enabled {
            return Err(KeyRefusal::Disabled);
        }
        if self.expires_at.is_some_and(|at| now >= at) {
            return Err(KeyRefusal::Expired);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(enabled: bool, expires_at: Option<Wall>) -> Key {
        Key {
            id: KeyId::parse("k").unwrap(),
            name: "k".into(),
            tenant: TenantId::parse("t").unwrap(),
            prefix: "aigne_".into(),
            hash: KeyHash([0; 32]),
            enabled,
            expires_at,
            models: ModelFilter::default(),
            addresses: AddressRules::default(),
            party: Arc::default(),
        }
    }

    #[test]
    fn a_key_expires_at_the_very_microsecond() {
        let key = key(true, Some(Wall(100)));
        assert_eq!(key.usable(Wall(99)), Ok(()));
        assert_eq!(key.usable(Wall(100)), Err(KeyRefusal::Expired));
    }

    #[test]
    fn a_disabled_key_is_refused_whether_or_not_it_expired() {
        assert_eq!(key(false, None).usable(Wall(0)), Err(KeyRefusal::Disabled));
        assert_eq!(key(false, Some(Wall(0))).usable(Wall(1)), Err(KeyRefusal::Disabled));
        assert_eq!(key(true, None).usable(Wall(i64::MAX)), Ok(()));
    }
}
