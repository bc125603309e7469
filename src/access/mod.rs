//! Who may come in: keys by keyed hash, allowed models, addresses. Decisions
//! only; knows nothing of HTTP.

use crate::types::{KeyId, Secret, TenantId, Wall};
use std::net::IpAddr;
use std::sync::Arc;

/// The keyed hash of a key's secret: HMAC-SHA-256 under the hub's pepper.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct KeyHash(pub [u8; 32]);

/// The hub's pepper: a random secret, so that a stolen list of hashes tells nothing.
#[derive(Clone)]
pub struct Pepper(/* helper: precomputed hmac state */ pub(crate) Secret);

impl Pepper {
    pub fn new(_bytes: &[u8]) -> Self {
        todo!()
    }
    pub fn hash(&self, _secret: &str) -> KeyHash {
        todo!()
    }
}

/// What a key may do. The live counters are not here (see `limit::Gate`).
#[derive(Clone, Debug)]
pub struct Key {
    pub id: KeyId,
    pub name: Arc<str>,
    pub tenant: TenantId,
    /// The first characters of the secret, for people to recognise it by.
    pub prefix: Arc<str>,
    pub hash: KeyHash,
    pub enabled: bool,
    pub expires_at: Option<Wall>,
    pub models: ModelFilter,
    pub addresses: AddressRules,
}

/// Why a key was not accepted. Callers see one text for all three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefusal {
    Unknown,
    Disabled,
    Expired,
}

impl Key {
    pub fn usable(&self, _now: Wall) -> Result<(), KeyRefusal> {
        todo!()
    }
}

/// A freshly made key: the secret is shown once and then forgotten.
pub struct NewKey {
    pub secret: Secret,
    pub prefix: String,
    pub id: KeyId,
}

/// Makes a key from 32 random bytes: `aigne_` + base62 + checksum, so that secret scanners know it.
pub fn generate(_random: [u8; 32]) -> NewKey {
    todo!()
}

/// Keys by hash. `V` is what the caller of the table wants back.
pub struct KeyTable<V> {
    _map: std::collections::HashMap<KeyHash, V>,
}

impl<V> KeyTable<V> {
    pub fn new(_rows: impl IntoIterator<Item = (KeyHash, V)>) -> Self {
        todo!()
    }
    pub fn find(&self, _hash: &KeyHash) -> Option<&V> {
        todo!()
    }
    pub fn len(&self) -> usize {
        todo!()
    }
    pub fn is_empty(&self) -> bool {
        todo!()
    }
}

/// Which models a key may use: exact names and `*` globs (`openai/*`). Empty = all.
#[derive(Clone, Debug, Default)]
pub struct ModelFilter {
    _patterns: Vec<String>,
}

impl ModelFilter {
    pub fn new(_patterns: Vec<String>) -> Result<Self, String> {
        todo!()
    }
    pub fn allows(&self, _model: &str) -> bool {
        todo!()
    }
}

/// A set of addresses: CIDRs of IPv4 and IPv6, looked up in O(log n). IPv4-mapped IPv6 counts as IPv4.
#[derive(Clone, Debug, Default)]
pub struct AddressSet {
    _ranges: Vec<(u128, u128)>,
}

impl AddressSet {
    /// Each entry is an address or a CIDR. Reports the first that is neither.
    pub fn parse<S: AsRef<str>>(_entries: &[S]) -> Result<Self, String> {
        todo!()
    }
    pub fn contains(&self, _ip: IpAddr) -> bool {
        todo!()
    }
    pub fn is_empty(&self) -> bool {
        todo!()
    }
}

/// Allow and deny lists. Deny wins; an empty allow list allows all.
#[derive(Clone, Debug, Default)]
pub struct AddressRules {
    pub allow: AddressSet,
    pub deny: AddressSet,
}

impl AddressRules {
    pub fn permits(&self, _ip: IpAddr) -> bool {
        todo!()
    }
}

/// The client's address: the peer, or, when the peer is a trusted proxy, the
/// rightmost untrusted address of `X-Forwarded-For`.
pub fn client_address(_peer: IpAddr, _forwarded_for: &[&str], _trusted: &AddressSet) -> IpAddr {
    todo!()
}
