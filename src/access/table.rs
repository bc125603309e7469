//! Keys found in memory by keyed hash.
//!
//! A stolen list of hashes tells nothing without the pepper, and nobody outside
//! can choose a hash, so its first bytes serve as the table's own hash.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use subtle::ConstantTimeEq;

/// The keyed hash of a key's secret: HMAC-SHA-256 under the hub's pepper.
/// Two of them are compared in constant time.
#[derive(Clone, Copy, Debug)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// The first eight bytes. Uniformly distributed, because an HMAC is.
    fn leading(&self) -> u64 {
        self.words()[0]
    }

    /// Four words instead of 32 bytes: the constant-time comparison goes item
    /// by item.
    fn words(&self) -> [u64; 4] {
        let (chunks, _) = self.0.as_chunks::<8>();
        std::array::from_fn(|at| chunks.get(at).map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    }
}

impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.words().ct_eq(&other.words()).into()
    }
}

impl Eq for KeyHash {}

impl Hash for KeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.leading());
    }
}

/// The hub's pepper: a random secret, so that a stolen list of hashes tells
/// nothing. Holds the HMAC state after the key block, so that hashing a secret
/// does not hash the pepper again.
#[derive(Clone)]
pub struct Pepper(Hmac<Sha256>);

impl Pepper {
    /// Takes the pepper's bytes; 32 random ones are right.
    #[expect(clippy::expect_used, reason = "HMAC is defined for keys of any length (RFC 2104)")]
    pub fn new(bytes: &[u8]) -> Self {
        Self(Hmac::new_from_slice(bytes).expect("any length will do"))
    }

    /// The hash under which a key with this secret is found.
    pub fn hash(&self, secret: &str) -> KeyHash {
        let mut mac = self.0.clone();
        mac.update(secret.as_bytes());
        KeyHash(mac.finalize().into_bytes().into())
    }
}

impl std::fmt::Debug for Pepper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pepper(…)")
    }
}

/// Passes the first bytes of a [`KeyHash`] through. Of no use for other keys.
#[derive(Default)]
struct Leading(u64);

impl Hasher for Leading {
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn write(&mut self, bytes: &[u8]) {
        debug_assert!(false, "a KeyHash writes one u64");
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Keys by hash. `V` is what the caller of the table wants back.
pub struct KeyTable<V> {
    map: HashMap<KeyHash, V, BuildHasherDefault<Leading>>,
}

impl<V> KeyTable<V> {
    /// Builds the table; of two rows with the same hash the later one stays.
    pub fn new(rows: impl IntoIterator<Item = (KeyHash, V)>) -> Self {
        Self { map: rows.into_iter().collect() }
    }

    /// The row of this hash. Takes the same time with ten keys and with 100,000.
    pub fn find(&self, hash: &KeyHash) -> Option<&V> {
        self.map.get(hash)
    }

    /// All rows, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &V> {
        self.map.values()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Is there no key at all?
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_hmac_sha_256() {
        // RFC 4231, test case 2.
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let KeyHash(bytes) = Pepper::new(b"Jefe").hash("what do ya want for nothing?");
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn another_pepper_gives_another_hash() {
        assert_ne!(Pepper::new(&[1; 32]).hash("secret"), Pepper::new(&[2; 32]).hash("secret"));
        assert_ne!(Pepper::new(&[1; 32]).hash("secret"), Pepper::new(&[1; 32]).hash("secret "));
    }

    #[test]
    fn every_key_finds_its_own_row_and_a_stranger_finds_none() {
        let pepper = Pepper::new(&[7; 32]);
        let rows = (0..2_000).map(|n| (pepper.hash(&format!("secret {n}")), n));
        let table = KeyTable::new(rows);
        assert_eq!(table.len(), 2_000);
        for n in 0..2_000 {
            assert_eq!(table.find(&pepper.hash(&format!("secret {n}"))), Some(&n));
        }
        assert_eq!(table.find(&pepper.hash("secret 2000")), None);
    }

    #[test]
    fn hashes_that_agree_in_the_first_bytes_only_are_different_keys() {
        let (mut a, mut b) = ([9; 32], [9; 32]);
        (a[31], b[31]) = (1, 2);
        let table = KeyTable::new([(KeyHash(a), 'a'), (KeyHash(b), 'b')]);
        assert_eq!(table.find(&KeyHash(a)), Some(&'a'));
        assert_eq!(table.find(&KeyHash(b)), Some(&'b'));
        assert_eq!(table.find(&KeyHash([9; 32])), None);
    }

    #[test]
    fn an_empty_table_knows_nobody() {
        let table: KeyTable<()> = KeyTable::new([]);
        assert!(table.is_empty());
        assert!(table.find(&KeyHash([0; 32])).is_none());
    }

    #[test]
    fn debug_of_the_pepper_shows_nothing() {
        assert_eq!(format!("{:?}", Pepper::new(b"canary")), "Pepper(…)");
    }
}
