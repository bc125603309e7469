//! OpenID Connect, the part that decides: what a provider says of itself, whether an ID token is
//! what it claims to be, and what its claims make of a user. Nothing here asks anybody; `admin`
//! fetches what is judged here.

mod claims;
mod flow;
mod half;
mod jwks;
mod metadata;
mod token;

pub use claims::{Arrival, Claims, Grant, grant};
pub use flow::{Beginning, FLOW_COOKIE, FlowKey};
pub use half::{HALF_COOKIE, HALF_SECONDS, Half};
pub use jwks::Jwks;
pub use metadata::Metadata;
pub use token::{Expected, Refusal, verify_id_token};

/// The parts of a JSON text that claim to be this type; a text with unknown members is read, for
/// providers add their own.
fn read<T: serde::de::DeserializeOwned>(text: &[u8]) -> Option<T> {
    serde_json::from_slice(text).ok()
}
