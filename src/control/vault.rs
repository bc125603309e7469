//! How secrets of vendors are kept: each under a key of its own (AES-256-GCM),
//! which is kept under the master key. What a secret belongs to is part of the
//! cipher's associated data, so that no secret can be put in another's place.

use super::hex::as_text;
use super::to_hex;
use crate::types::Secret;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// Random bytes that one sealing takes: key of its own and two nonces.
pub(crate) const RANDOM_BYTES: usize = KEY_BYTES + 2 * NONCE_BYTES;

/// A secret that only a master key opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Names the master key, and tells nothing about it.
    pub master: String,
    /// The secret's own key: nonce and ciphertext.
    #[serde(with = "as_text")]
    wrapped: Vec<u8>,
    /// The secret: nonce and ciphertext.
    #[serde(with = "as_text")]
    text: Vec<u8>,
}

/// Why a secret cannot be kept or had. The text never holds it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// There is no master key.
    #[error(
        "there is no master key, and without one no secret is stored; set AIGNE_HUB_MASTER_KEY, or \
         control.master_key in the configuration"
    )]
    NoMaster,
    /// It was sealed under a master key that is not at hand.
    #[error("it was sealed under master key {0}, which is not configured")]
    OtherMaster(String),
    /// It does not open: damaged, or moved from another place.
    #[error("it does not open: it is damaged, or was put in from elsewhere")]
    Damaged,
    /// A master key is no key.
    #[error("a master key is 32 bytes, written as 64 hexadecimal digits or as base64")]
    BadMaster,
}

struct Master {
    id: String,
    key: Zeroizing<[u8; KEY_BYTES]>,
}

/// The master keys at hand; the first is the one in use.
#[derive(Default)]
pub struct Vault {
    masters: Vec<Master>,
}

impl Vault {
    /// Reads master keys, the one in use first.
    ///
    /// # Errors
    /// [`VaultError::BadMaster`] when one is no key.
    pub fn new(masters: &[Secret]) -> Result<Self, VaultError> {
        let masters = masters.iter().map(|secret| Master::read(secret.expose()).ok_or(VaultError::BadMaster));
        Ok(Self { masters: masters.collect::<Result<_, _>>()? })
    }

    /// The name of the master key in use.
    pub fn master(&self) -> Option<&str> {
        self.masters.first().map(|master| master.id.as_str())
    }

    /// Seals a secret of `owner`, such as `credential/ID`.
    ///
    /// # Errors
    /// [`VaultError::NoMaster`].
    pub fn seal(&self, owner: &str, secret: &str, random: [u8; RANDOM_BYTES]) -> Result<Sealed, VaultError> {
        let master = self.masters.first().ok_or(VaultError::NoMaster)?;
        let random = Zeroizing::new(random);
        let (own, nonces) = random.split_at(KEY_BYTES);
        let (first, second) = nonces.split_at(NONCE_BYTES);
        let wrapped = encrypt(&*master.key, first, &wrapping(owner, &master.id), own)?;
        let text = encrypt(own, second, owner, secret.as_bytes())?;
        Ok(Sealed { master: master.id.clone(), wrapped, text })
    }

    /// Opens a secret of `owner`.
    ///
    /// # Errors
    /// [`VaultError::OtherMaster`] or [`VaultError::Damaged`].
    pub fn open(&self, owner: &str, sealed: &Sealed) -> Result<Secret, VaultError> {
        let own = self.unwrap(owner, sealed)?;
        let text = decrypt(&own, &sealed.text, owner)?;
        std::str::from_utf8(&text).map(Secret::new).map_err(|_| VaultError::Damaged)
    }

    /// Puts the secret's own key under the master key in use; the secret itself stays as it is.
    /// `None` when it is there already.
    ///
    /// # Errors
    /// Those of [`Vault::open`], and [`VaultError::NoMaster`].
    pub fn rewrap(
        &self,
        owner: &str,
        sealed: &Sealed,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Option<Sealed>, VaultError> {
        let master = self.masters.first().ok_or(VaultError::NoMaster)?;
        if master.id == sealed.master {
            return Ok(None);
        }
        let own = self.unwrap(owner, sealed)?;
        let wrapped = encrypt(&*master.key, &nonce, &wrapping(owner, &master.id), &own)?;
        Ok(Some(Sealed { master: master.id.clone(), wrapped, text: sealed.text.clone() }))
    }

    fn unwrap(&self, owner: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let master = self.masters.iter().find(|master| master.id == sealed.master);
        let master = master.ok_or_else(|| VaultError::OtherMaster(sealed.master.clone()))?;
        decrypt(&*master.key, &sealed.wrapped, &wrapping(owner, &master.id))
    }
}

impl Master {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let bytes = match super::from_hex(text) {
            Some(bytes) if bytes.len() == KEY_BYTES => bytes,
            _ => base64::engine::general_purpose::STANDARD.decode(text).ok()?,
        };
        let key: [u8; KEY_BYTES] = bytes.try_into().ok()?;
        let digest = Sha256::new().chain_update(b"aigne-hub master key id\0").chain_update(key).finalize();
        Some(Self { id: to_hex(digest.get(..6)?), key: Zeroizing::new(key) })
    }
}

/// The associated data of a wrapped key.
fn wrapping(owner: &str, master: &str) -> String {
    format!("{owner}\0{master}")
}

pub(super) fn encrypt(key: &[u8], nonce: &[u8], about: &str, text: &[u8]) -> Result<Vec<u8>, VaultError> {
    let cipher = Aes256Gcm::new_from_slice(key).map_err(|_| VaultError::BadMaster)?;
    let at = Nonce::try_from(nonce).map_err(|_| VaultError::Damaged)?;
    let sealed = cipher.encrypt(&at, Payload { msg: text, aad: about.as_bytes() });
    Ok([nonce, &sealed.map_err(|_| VaultError::Damaged)?].concat())
}

pub(super) fn decrypt(key: &[u8], sealed: &[u8], about: &str) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let cipher = Aes256Gcm::new_from_slice(key).map_err(|_| VaultError::Damaged)?;
    let (nonce, text) = sealed.split_at_checked(NONCE_BYTES).ok_or(VaultError::Damaged)?;
    let at = Nonce::try_from(nonce).map_err(|_| VaultError::Damaged)?;
    let opened = cipher.decrypt(&at, Payload { msg: text, aad: about.as_bytes() });
    opened.map(Zeroizing::new).map_err(|_| VaultError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: [u8; RANDOM_BYTES] = [9; RANDOM_BYTES];

    fn vault(keys: &[u8]) -> Vault {
        let keys: Vec<Secret> = keys.iter().map(|n| Secret::new(to_hex(&[*n; 32]))).collect();
        Vault::new(&keys).unwrap()
    }

    #[test]
    fn a_secret_opens_for_its_owner_alone() {
        let vault = vault(&[1]);
        let sealed = vault.seal("credential/a", "sk-canary", RANDOM).unwrap();
        assert_eq!(vault.open("credential/a", &sealed).unwrap().expose(), "sk-canary");
        assert_eq!(vault.open("credential/b", &sealed), Err(VaultError::Damaged));
        assert!(!serde_json::to_string(&sealed).unwrap().contains("canary"));
    }

    #[test]
    fn a_changed_bit_is_found_wherever_it_is() {
        let vault = vault(&[1]);
        let sealed = vault.seal("c", "secret", RANDOM).unwrap();
        for at in 0..sealed.wrapped.len() {
            let mut bad = sealed.clone();
            bad.wrapped[at] ^= 1;
            assert_eq!(vault.open("c", &bad), Err(VaultError::Damaged), "{at}");
        }
        for at in 0..sealed.text.len() {
            let mut bad = sealed.clone();
            bad.text[at] ^= 1;
            assert_eq!(vault.open("c", &bad), Err(VaultError::Damaged), "{at}");
        }
    }

    #[test]
    fn without_a_master_key_nothing_is_kept_and_with_another_nothing_opens() {
        assert_eq!(Vault::default().seal("c", "secret", RANDOM), Err(VaultError::NoMaster));
        let sealed = vault(&[1]).seal("c", "secret", RANDOM).unwrap();
        assert!(matches!(vault(&[2]).open("c", &sealed), Err(VaultError::OtherMaster(_))));
    }

    #[test]
    fn a_new_master_key_takes_over_and_the_old_one_can_go() {
        let sealed = vault(&[1]).seal("c", "secret", RANDOM).unwrap();
        let both = vault(&[2, 1]);
        let again = both.rewrap("c", &sealed, [3; 12]).unwrap().unwrap();
        assert_eq!(both.rewrap("c", &again, [3; 12]), Ok(None));
        assert_eq!(vault(&[2]).open("c", &again).unwrap().expose(), "secret");
        assert_eq!(both.open("c", &sealed).unwrap().expose(), "secret", "while some are still old");
    }

    #[test]
    fn master_keys_are_read_in_both_forms_and_nothing_shorter() {
        let base64 = base64::engine::general_purpose::STANDARD.encode([1; 32]);
        let read =
            |text: &str| Vault::new(&[Secret::new(text)]).map(|vault| vault.master().map(str::to_owned));
        assert_eq!(read(&base64), read(&to_hex(&[1; 32])));
        for bad in ["", "short", &to_hex(&[1; 31])] {
            assert_eq!(read(bad), Err(VaultError::BadMaster), "{bad}");
        }
    }
}
