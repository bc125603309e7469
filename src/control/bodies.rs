//! Bodies of requests and answers, as they are kept: what is redacted, how they are sealed, and
//! what stays when they are deleted.

mod redact;

pub use redact::redacted;

use super::vault::{decrypt, encrypt};
use super::{Moment, to_hex};
use crate::types::{TenantId, Wall};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Keys of the store's rows begin so; tenant and request follow.
pub const BODY_PREFIX: &str = "body/";
/// Rows of the keys under which they are sealed; the tenant follows.
pub const BODY_KEY_PREFIX: &str = "body-key/";

const NONCE_BYTES: usize = 12;
const TIME_BYTES: usize = 8;

/// A request and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KeptBody {
    /// The request's id.
    pub id: String,
    /// Whose it is.
    #[schemars(with = "String")]
    pub tenant: TenantId,
    /// When it came.
    pub at: Moment,
    /// With which key.
    pub key: String,
    /// For whom, as the key or the caller says.
    pub users: Vec<String>,
    /// The model, as the caller named it.
    pub model: String,
    /// What the caller was told.
    pub status: u16,
    /// The request's body, redacted.
    pub request: String,
    /// Was it longer?
    pub request_cut: bool,
    /// The answer's body, redacted.
    pub response: String,
    /// Was it longer?
    pub response_cut: bool,
}

/// The key of one tenant's bodies.
pub type BodyKey = Zeroizing<[u8; 32]>;

/// The row of a request: the ids of requests begin with their time, so rows lie in its order.
pub fn body_row_key(tenant: &TenantId, id: &str) -> Vec<u8> {
    format!("{BODY_PREFIX}{}/{id}", tenant.as_str()).into_bytes()
}

/// Tenant and request of a row's key.
pub fn body_of_row(key: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(key).ok()?.strip_prefix(BODY_PREFIX)?.rsplit_once('/')
}

/// What people see of a key: enough to say which one was destroyed.
pub fn fingerprint(key: &BodyKey) -> String {
    let digest = Sha256::new().chain_update(b"aigne-hub body key\0").chain_update(**key).finalize();
    to_hex(digest.get(..8).unwrap_or_default())
}

/// A row's value: until when it is kept, and the sealed body. `None`: it cannot be sealed.
pub fn seal_body(key: &BodyKey, body: &KeptBody, until: Wall, nonce: [u8; NONCE_BYTES]) -> Option<Vec<u8>> {
    let text = Zeroizing::new(serde_json::to_vec(body).ok()?);
    let sealed = encrypt(&**key, &nonce, &about(&body.tenant, &body.id), &text).ok()?;
    Some([&until.0.to_be_bytes(), sealed.as_slice()].concat())
}

/// The body of a row. `None`: it is damaged, or sealed under another key.
pub fn open_body(key: &BodyKey, tenant: &TenantId, id: &str, value: &[u8]) -> Option<KeptBody> {
    let text = decrypt(&**key, value.get(TIME_BYTES..)?, &about(tenant, id)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Until when a row is kept.
pub fn kept_until(value: &[u8]) -> Option<Wall> {
    let bytes = value.get(..TIME_BYTES)?.try_into().ok()?;
    Some(Wall(i64::from_be_bytes(bytes)))
}

/// What a sealed body belongs to.
fn about(tenant: &TenantId, id: &str) -> String {
    format!("body\0{}\0{id}", tenant.as_str())
}

/// What stays of rows that were deleted: a digest over all of them, which the audit log names.
#[derive(Default)]
pub struct Farewell {
    digest: Sha256,
    /// How many.
    pub rows: u64,
}

impl Farewell {
    /// A row goes.
    pub fn add(&mut self, key: &[u8], value: &[u8]) {
        self.digest.update(Sha256::digest([key, value].concat()));
        self.rows = self.rows.saturating_add(1);
    }

    /// The digest over all, in hexadecimal digits.
    pub fn digest(self) -> String {
        to_hex(&self.digest.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> KeptBody {
        KeptBody {
            id: "0198".into(),
            tenant: TenantId::parse("acme").unwrap(),
            at: Moment(Wall(5)),
            key: "key_1".into(),
            users: vec!["ann".into()],
            model: "gpt".into(),
            status: 200,
            request: "canary".into(),
            request_cut: false,
            response: "r".into(),
            response_cut: true,
        }
    }

    #[test]
    fn a_body_opens_in_its_own_place_with_its_own_key_alone() {
        let (key, body) = (BodyKey::new([1; 32]), body());
        let row = seal_body(&key, &body, Wall(77), [2; 12]).unwrap();
        assert!(!row.windows(6).any(|window| window == b"canary"));
        assert_eq!(
            (kept_until(&row), open_body(&key, &body.tenant, &body.id, &row)),
            (Some(Wall(77)), Some(body.clone()))
        );
        assert_eq!(open_body(&key, &body.tenant, "0199", &row), None);
        assert_eq!(open_body(&key, &TenantId::parse("other").unwrap(), &body.id, &row), None);
        assert_eq!(open_body(&BodyKey::new([2; 32]), &body.tenant, &body.id, &row), None);
        for bad in [&[][..], &row[..7], &row[..12], &row[..row.len() - 1]] {
            assert_eq!(open_body(&key, &body.tenant, &body.id, bad), None);
        }
        let place = body_row_key(&body.tenant, &body.id);
        assert_eq!(body_of_row(&place), Some(("acme", "0198")));
        assert_ne!(fingerprint(&key), fingerprint(&BodyKey::new([2; 32])));
    }

    #[test]
    fn a_farewell_names_every_row_in_its_order() {
        let of = |rows: &[(&[u8], &[u8])]| {
            let mut farewell = Farewell::default();
            rows.iter().for_each(|(key, value)| farewell.add(key, value));
            (farewell.rows, farewell.digest())
        };
        let both = of(&[(b"a", b"1"), (b"b", b"2")]);
        assert_eq!(both.0, 2);
        assert!(both != of(&[(b"b", b"2"), (b"a", b"1")]) && both != of(&[(b"a", b"1")]));
    }
}
