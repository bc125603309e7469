//! Ids of things that a vendor keeps for a caller. Such an id says where the
//! thing is and is sealed, so that the hub has to remember nothing of it, and
//! nobody can make one up or use another tenant's.

use crate::types::{TenantId, Wall};
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
/// No ticket is longer; what is longer is not looked at.
const MOST_BYTES: usize = 4_096;

/// Where a thing is, and what was said of it when it was ordered.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ticket {
    /// The provider that keeps it.
    pub provider: String,
    /// The credential that sees it, with its provider's name.
    pub credential: String,
    /// The model as its caller named it.
    pub model: String,
    /// The vendor's name of the model.
    pub upstream_model: String,
    /// The vendor's id.
    pub id: String,
    /// How many seconds were ordered.
    pub seconds: u32,
    /// Pixels across and down, if they were ordered.
    pub frame: Option<(u32, u32)>,
    /// When it was ordered.
    pub at: Wall,
}

/// Makes ids of tickets, and tickets of ids.
pub struct TicketSealer(Aes256Gcm);

impl TicketSealer {
    /// Works with this key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(&(*key).into()))
    }

    /// The id of a thing of this tenant, which begins with `prefix`. `nonce` must be random. `None`
    /// when it cannot be encoded.
    pub fn seal(
        &self,
        prefix: &str,
        tenant: &TenantId,
        ticket: &Ticket,
        nonce: [u8; NONCE_BYTES],
    ) -> Option<String> {
        let plain = postcard::to_allocvec(ticket).ok()?;
        let payload = Payload { msg: &plain, aad: tenant.as_str().as_bytes() };
        let sealed = self.0.encrypt(&Nonce::from(nonce), payload).ok()?;
        let bytes = [&[VERSION], nonce.as_slice(), &sealed].concat();
        Some(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// What an id says. `None`: it is none, or another tenant's.
    pub fn open(&self, prefix: &str, tenant: &TenantId, id: &str) -> Option<Ticket> {
        let text = id.strip_prefix(prefix).filter(|text| text.len() <= MOST_BYTES)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let rest = bytes.split_first().filter(|(version, _)| **version == VERSION)?.1;
        let (nonce, sealed) = rest.split_at_checked(NONCE_BYTES)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        let payload = Payload { msg: sealed, aad: tenant.as_str().as_bytes() };
        let plain = self.0.decrypt(&Nonce::from(nonce), payload).ok()?;
        postcard::from_bytes(&plain).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket() -> Ticket {
        Ticket {
            provider: "sora".into(),
            credential: "sora/a".into(),
            model: "film".into(),
            upstream_model: "sora-2".into(),
            id: "video_123".into(),
            seconds: 8,
            frame: Some((1_280, 720)),
            at: Wall(7),
        }
    }

    #[test]
    fn a_ticket_comes_back_to_its_tenant_and_to_nobody_else() {
        let sealer = TicketSealer::new(&[7; 32]);
        let (acme, other) = (TenantId::parse("acme").unwrap(), TenantId::parse("other").unwrap());
        let id = sealer.seal("video_", &acme, &ticket(), [1; 12]).unwrap();
        assert!(!id.contains("sora") && id.starts_with("video_"), "{id}");
        assert_eq!(sealer.open("video_", &acme, &id), Some(ticket()));
        assert_eq!(sealer.open("video_", &other, &id), None);
        assert_eq!(sealer.open("other_", &acme, &id), None);
        assert_eq!(TicketSealer::new(&[8; 32]).open("video_", &acme, &id), None);
    }

    #[test]
    fn a_changed_cut_or_invented_id_opens_nothing() {
        let sealer = TicketSealer::new(&[7; 32]);
        let acme = TenantId::parse("acme").unwrap();
        let id = sealer.seal("v", &acme, &ticket(), [1; 12]).unwrap();
        for end in 0..id.len() {
            assert_eq!(sealer.open("v", &acme, &id[..end]), None);
        }
        let swapped = |c: char| if c == 'A' { 'B' } else { 'A' };
        for (at, c) in id.char_indices().skip(1) {
            let changed = format!("{}{}{}", &id[..at], swapped(c), &id[at + 1..]);
            if changed != id {
                assert_eq!(sealer.open("v", &acme, &changed), None, "{at}");
            }
        }
        assert_eq!(sealer.open("v", &acme, &format!("v{}", "A".repeat(10_000))), None);
    }
}
