//! The control plane's own logic: what is managed, who may do what, what every
//! change leaves in the audit log, how secrets are kept, and how all of it
//! becomes a part of a snapshot.
//!
//! Decisions only. Time and random bytes are arguments; nothing here knows of
//! HTTP or of a disk. `admin` acts on what is decided here.

mod anchor;
mod audit;
mod authority;
mod bodies;
mod body;
mod buying;
mod check;
mod compile;
mod hex;
mod imported;
mod key_pair;
mod moment;
pub mod oauth;
mod oidc;
mod password;
mod permission;
mod proofs;
mod quota;
mod session;
mod state;
mod totp;
mod vault;
mod webhook;

pub use anchor::{AUDIT_ANCHOR, Anchor};
pub use audit::{
    AUDIT_HEAD, AUDIT_PREFIX, Action, Audit, Broken, Entry, Head, Outcome, Seal, Signer, Target, Verifier,
    Who, audit_row_key, open_row, sequence_of,
};
pub use authority::{Actor, Principal, faults_of_grant, key_permissions, role_permissions};
pub use bodies::{
    BODY_KEY_PREFIX, BODY_PREFIX, BodyKey, Farewell, KeptBody, body_of_row, body_row_key, fingerprint,
    kept_until, open_body, redacted, seal_body,
};
pub use body::{
    AddressRule, App, Body, BodyPolicy, Credential, CredentialType, Http2, Key, Kind, Model, Owner,
    OwnerKind, Price, Project, Provider, Quota, Resource, Role, RuleVerdict, Switch, Target as ModelTarget,
    Team, Tenant, Timeouts, User, Webhook,
};
pub use check::{Fault, check, is_hub_owner};
pub use compile::{Compiled, Teams, address_table, compile};
pub use hex::{from_hex, to_hex};
pub use imported::{IMPORTED_PREFIX, ImportedCall, imported_from};
pub use key_pair::KeyPair;
pub use moment::Moment;
pub use oidc::{
    Arrival, Beginning, Claims, Expected, FLOW_COOKIE, FlowKey, Grant, HALF_COOKIE, HALF_SECONDS, Half, Jwks,
    Metadata, Refusal, grant, verify_id_token,
};
pub use password::{PasswordHash, password_faults};
pub use permission::{
    BuiltIn, PERMISSIONS, Permission, PermissionRow, PermissionSet, Reach, permission_matrix,
};
pub use proofs::{Identity, Proofs};
pub use session::{Session, Throttle};
pub use state::{
    Change, IDEMPOTENCY_PREFIX, KeySecret, Previous, Private, RECORD_PREFIX, Record, Replay, SESSION_PREFIX,
    State, Wallet, row_key,
};
pub use totp::{totp_code, totp_uri, totp_verify};
pub(crate) use vault::RANDOM_BYTES;
pub use vault::{Sealed, Vault, VaultError};
pub use webhook::{WebhookSecret, mail_addresses, webhook_owner};
