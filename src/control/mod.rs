//! The control plane's own logic: what is managed, who may do what, what every
//! change leaves in the audit log, how secrets are kept, and how all of it
//! becomes a part of a snapshot.
//!
//! Decisions only. Time and random bytes are arguments; nothing here knows of
//! HTTP or of a disk. `admin` acts on what is decided here.

mod audit;
mod authority;
mod body;
mod buying;
mod check;
mod compile;
mod hex;
mod moment;
mod password;
mod permission;
mod session;
mod state;
mod totp;
mod vault;
mod webhook;

pub use audit::{
    AUDIT_HEAD, AUDIT_PREFIX, Action, Audit, Broken, Entry, Head, Outcome, Seal, Signer, Target, Verifier,
    Who, open_row, sequence_of,
};
pub use authority::{Actor, Principal, faults_of_grant, key_permissions, role_permissions};
pub use body::{
    AddressRule, App, Body, Credential, CredentialType, Key, Kind, Model, Owner, OwnerKind, Project,
    Provider, Resource, Role, RuleVerdict, Switch, Target as ModelTarget, Team, Tenant, Timeouts, User,
    Webhook,
};
pub use check::{Fault, check, is_hub_owner};
pub use compile::{Compiled, address_table, compile};
pub use hex::{from_hex, to_hex};
pub use moment::Moment;
pub use password::{PasswordHash, password_faults};
pub use permission::{
    BuiltIn, PERMISSIONS, Permission, PermissionRow, PermissionSet, Reach, permission_matrix,
};
pub use session::{Session, Throttle};
pub use state::{
    Change, IDEMPOTENCY_PREFIX, KeySecret, Previous, Private, RECORD_PREFIX, Record, Replay, SESSION_PREFIX,
    State, Wallet, row_key,
};
pub use totp::{totp_code, totp_uri, totp_verify};
pub(crate) use vault::RANDOM_BYTES;
pub use vault::{Sealed, Vault, VaultError};
pub use webhook::{WebhookSecret, mail_addresses, webhook_owner};
