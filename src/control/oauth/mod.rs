//! OAuth 2.0: programs that act for people, what they were allowed, and the
//! tokens that prove it.
//!
//! Decisions only: hashes, random texts and the time are arguments. What is
//! kept on disk is a [`Family`] for each authorisation and a [`Consent`] for
//! each answer that is remembered; codes that wait for their exchange live in
//! memory alone, because they live for minutes.

mod book;
mod client;
mod family;
mod minted;
mod pending;
mod pkce;
mod redirect;
mod scope;
mod standing;

pub use book::{Book, CONSENT_PREFIX, Consent, FAMILY_PREFIX, Step};
pub use client::{Client, ClientSecret, ClientType, GrantType};
pub use family::{Access, Digest, Family, Presented};
pub use minted::{Minted, family_of_refresh, mint, mint_refresh};
pub use pending::{Code, Device, DeviceAnswer, Full, Pending, Poll, Taken, user_code};
pub use pkce::{challenge_fits, is_challenge, is_verifier};
pub use redirect::{fault as redirect_fault, matches as redirect_matches, origin_of, with_query};
pub use scope::{Scopes, UnknownScope};
pub use standing::{client_permissions, scopes_now, standing};
