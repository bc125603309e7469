//! Everything that is managed, at one moment. Cheap to clone; a change makes a
//! new state, and nobody sees half of it.

use super::hex::as_text;
use super::oauth::ClientSecret;
use super::{Body, Kind, Moment, Proofs, Resource, Sealed, WebhookSecret};
use crate::types::{TenantId, Wall};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Keys of the store's rows begin so: `record/KIND/ID`.
pub const RECORD_PREFIX: &str = "record/";
/// Sessions: `session/HASH`.
pub const SESSION_PREFIX: &str = "session/";
/// Answers to what may be sent twice: `replay/HASH`.
pub const IDEMPOTENCY_PREFIX: &str = "replay/";

/// Something that is managed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Unique within its kind.
    pub id: Arc<str>,
    /// Whose it is; `None`: the hub's own.
    pub tenant: Option<TenantId>,
    /// Counts its changes from 1.
    pub version: u64,
    /// When it was made.
    pub created_at: Moment,
    /// When it was changed last.
    pub updated_at: Moment,
    /// What people write.
    #[serde(flatten)]
    pub body: Body,
    /// What only the hub knows.
    #[serde(default)]
    pub private: Private,
}

/// What only the hub knows of a record. Never shown, never in the audit log.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Private {
    /// Nothing.
    #[default]
    Nothing,
    /// How a key is recognised.
    Key(KeySecret),
    /// How a user proves who they are.
    User(Proofs),
    /// A vendor's secret.
    Credential {
        /// The secret.
        sealed: Sealed,
        /// What people see of it.
        masked: String,
    },
    /// How a tenant is known to who takes its money.
    Account(Wallet),
    /// How a code is recognised, and by whom it was redeemed.
    Code {
        /// Keyed hash of its text.
        #[serde(with = "as_text")]
        hash: [u8; 32],
        /// Tenants that have redeemed it.
        redeemed: Vec<TenantId>,
    },
    /// What a webhook's notices are signed with.
    Webhook(WebhookSecret),
    /// How a confidential client of OAuth proves who it is.
    Client(ClientSecret),
}

/// How a tenant is known to who takes its money.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Wallet {
    /// The provider's id of the tenant.
    pub customer: Option<String>,
    /// The provider's id of the card that may be charged.
    pub card: Option<String>,
    /// Automatic payments that failed since the last one that did not.
    #[serde(default)]
    pub failures: u32,
    /// No automatic payment before.
    #[serde(default)]
    pub wait_until: Option<Moment>,
}

/// No variant shows what is in it.
impl std::fmt::Debug for Private {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Private(…)")
    }
}

/// How a key is recognised.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct KeySecret {
    /// The first characters, for people.
    pub prefix: String,
    /// Keyed hash of the secret.
    #[serde(with = "as_text")]
    pub hash: [u8; 32],
    /// The secret before the last rotation, while it still works.
    pub previous: Option<Previous>,
    /// Since when it is refused for good.
    pub revoked_at: Option<Moment>,
}

/// A secret that was rotated away.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Previous {
    /// Keyed hash of it.
    #[serde(with = "as_text")]
    pub hash: [u8; 32],
    /// How long it still works.
    pub until: Moment,
}

impl Record {
    /// The body, if it is of this kind.
    pub fn is<R: Resource>(&self) -> Option<&R> {
        R::of(&self.body)
    }

    /// What makes a key one; `None` for everything else.
    pub fn key_secret(&self) -> Option<&KeySecret> {
        match &self.private {
            Private::Key(secret) => Some(secret),
            _ => None,
        }
    }

    /// As people see it: the fields of its kind, and what the hub adds.
    pub fn shown(&self) -> Value {
        let mut fields = self.body.fields();
        if let Some(map) = fields.as_object_mut() {
            map.insert("id".into(), json!(&*self.id));
            if self.body.kind().has_tenant() {
                map.insert("tenant".into(), json!(self.tenant));
            }
            map.insert("source".into(), json!("control"));
            map.insert("version".into(), json!(self.version));
            map.insert("created_at".into(), json!(self.created_at));
            map.insert("updated_at".into(), json!(self.updated_at));
            self.private.show(map);
        }
        fields
    }
}

impl Private {
    /// The harmless part.
    fn show(&self, map: &mut serde_json::Map<String, Value>) {
        match self {
            Private::Nothing => {}
            Private::Key(secret) => {
                map.insert("prefix".into(), json!(secret.prefix));
                map.insert("revoked_at".into(), json!(secret.revoked_at));
                map.insert("previous_until".into(), json!(secret.previous.as_ref().map(|p| p.until)));
            }
            Private::User(proofs) => {
                map.insert("has_password".into(), json!(proofs.password.is_some()));
                map.insert("has_totp".into(), json!(proofs.totp.is_some()));
                map.insert("identities".into(), json!(proofs.identities));
            }
            Private::Credential { sealed, masked } => {
                map.insert("masked".into(), json!(masked));
                map.insert("master_key".into(), json!(sealed.master));
            }
            Private::Account(wallet) => {
                map.insert("customer".into(), json!(wallet.customer));
                map.insert("has_card".into(), json!(wallet.card.is_some()));
                map.insert("failures".into(), json!(wallet.failures));
                map.insert("wait_until".into(), json!(wallet.wait_until));
            }
            Private::Code { redeemed, .. } => {
                map.insert("redeemed".into(), json!(redeemed.len()));
            }
            Private::Webhook(secret) => {
                map.insert("master_key".into(), json!(secret.sealed.master));
                map.insert("previous_until".into(), json!(secret.previous.as_ref().map(|(_, until)| until)));
            }
            Private::Client(secret) => {
                map.insert("prefix".into(), json!(secret.prefix));
                map.insert("previous_until".into(), json!(secret.previous.as_ref().map(|p| p.until)));
            }
        }
    }
}

impl Kind {
    /// Does the data plane run on things of this kind?
    pub fn is_compiled(self) -> bool {
        !matches!(self, Kind::Account | Kind::Payment | Kind::Code | Kind::Allowance)
    }

    /// Can a thing of this kind be a tenant's?
    pub fn has_tenant(self) -> bool {
        !matches!(
            self,
            Kind::Tenant | Kind::Provider | Kind::Credential | Kind::Model | Kind::Code | Kind::Price
        )
    }
}

/// The key of a record's row in the store.
pub fn row_key(kind: Kind, id: &str) -> Vec<u8> {
    format!("{RECORD_PREFIX}{}/{id}", kind.name()).into_bytes()
}

/// One step of a change.
#[derive(Clone, Debug)]
pub struct Change {
    /// Which kind.
    pub kind: Kind,
    /// Which one.
    pub id: Arc<str>,
    /// What was there.
    pub before: Option<Arc<Record>>,
    /// What is there now.
    pub after: Option<Arc<Record>>,
}

/// An answer that is given again to the same request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Replay {
    /// Digest of the request that it answers.
    pub request: String,
    /// Its status.
    pub status: u16,
    /// Its body, without anything that is shown only once.
    pub body: Value,
    /// When it was given.
    pub at: Moment,
}

type Records = BTreeMap<Arc<str>, Arc<Record>>;

/// See the module.
#[derive(Clone, Default)]
pub struct State {
    /// In the order of `Kind::ALL`.
    kinds: BTreeMap<Kind, Arc<Records>>,
}

impl State {
    /// One of a kind.
    pub fn get(&self, kind: Kind, id: &str) -> Option<&Arc<Record>> {
        self.kinds.get(&kind)?.get(id)
    }

    /// The typed body of one.
    pub fn find<R: Resource>(&self, id: &str) -> Option<&R> {
        self.get(R::KIND, id)?.is::<R>()
    }

    /// All of a kind, by id.
    pub fn all(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &Arc<Record>> {
        self.kinds.get(&kind).into_iter().flat_map(|records| records.values())
    }

    /// All of a kind after an id, by id.
    pub fn after<'s>(&'s self, kind: Kind, id: &str) -> impl Iterator<Item = &'s Arc<Record>> {
        let from = (std::ops::Bound::Excluded(Arc::<str>::from(id)), std::ops::Bound::Unbounded);
        self.kinds.get(&kind).into_iter().flat_map(move |records| records.range(from.clone()).map(|(_, r)| r))
    }

    /// Every body of a kind with its record.
    pub fn each<R: Resource>(&self) -> impl Iterator<Item = (&Arc<Record>, &R)> {
        self.all(R::KIND).filter_map(|record| Some((record, record.is::<R>()?)))
    }

    /// How many of a kind there are.
    pub fn count(&self, kind: Kind) -> usize {
        self.kinds.get(&kind).map_or(0, |records| records.len())
    }

    /// Adds or replaces one.
    pub fn put(&mut self, record: Arc<Record>) {
        let records = self.kinds.entry(record.body.kind()).or_default();
        Arc::make_mut(records).insert(Arc::clone(&record.id), record);
    }

    /// Makes a change.
    pub fn apply(&mut self, change: &Change) {
        match &change.after {
            Some(record) => self.put(Arc::clone(record)),
            None => {
                if let Some(records) = self.kinds.get_mut(&change.kind) {
                    Arc::make_mut(records).remove(&change.id);
                }
            }
        }
    }

    /// May the tenant's people and keys come in? One that only the file names is always on.
    pub fn tenant_enabled(&self, tenant: &TenantId) -> bool {
        self.find::<super::Tenant>(tenant.as_str()).is_none_or(|tenant| tenant.enabled.0)
    }

    /// Is there somebody who owns the hub?
    pub fn has_owner(&self) -> bool {
        self.each::<super::User>().any(|(record, user)| {
            record.tenant.is_none() && user.role == super::BuiltIn::Owner.name() && user.enabled.0
        })
    }
}

impl Record {
    /// A first version.
    pub fn new(id: &str, tenant: Option<TenantId>, body: Body, private: Private, now: Wall) -> Self {
        let at = Moment(now);
        Self { id: id.into(), tenant, version: 1, created_at: at, updated_at: at, body, private }
    }

    /// The next version.
    pub fn next(&self, body: Body, private: Private, now: Wall) -> Self {
        let mut next = self.clone();
        (next.body, next.private) = (body, private);
        (next.version, next.updated_at) = (self.version.saturating_add(1), Moment(now));
        next
    }
}
