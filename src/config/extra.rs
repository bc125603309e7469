//! What the control plane adds to the file: plain values, checked like the
//! file's own, but one by one, so that a bad one is left out and told instead
//! of keeping the rest from running.

use super::{BodyPolicyText, Http2, Problem, QuotaSpec, StoredKey, Tokens};
use crate::access::AddressTable;
use crate::ledger::Price;
use crate::route::Strategy;
use crate::types::{Secret, TenantId};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Everything that is managed while the hub runs. Where a name is also in the
/// file, the file wins.
#[derive(Clone, Default)]
pub struct Extra {
    /// Keys of callers.
    pub keys: Vec<StoredKey>,
    /// Providers, with their secrets in clear.
    pub providers: Vec<ProviderSpec>,
    /// Aliases and groups.
    pub models: Vec<ModelSpec>,
    /// Who may call at all, besides what the file says.
    pub addresses: Option<Arc<AddressTable>>,
    /// Who may call for a tenant.
    pub tenants: HashMap<TenantId, Arc<AddressTable>>,
    /// How much may be used in a period.
    pub quotas: Vec<QuotaSpec>,
    /// Whose requests and answers are kept, and what of them.
    pub bodies: Vec<(TenantId, BodyPolicyText)>,
    /// Prices, which go before those that come with the hub.
    pub prices: Vec<Price>,
    /// Tenants that are switched off.
    pub disabled: BTreeSet<TenantId>,
    /// Access tokens that work; they change without a new snapshot.
    pub tokens: Arc<Tokens>,
}

/// A provider as a person described it.
#[derive(Clone, Debug)]
pub struct ProviderSpec {
    /// Its name in `provider/model`.
    pub name: String,
    /// The vendor's name.
    pub vendor: String,
    /// Scheme, host and path prefix; `None`: the vendor's.
    pub base_url: Option<String>,
    /// How a credential is chosen.
    pub strategy: Option<Strategy>,
    /// Keep conversations where the prompt cache is warm.
    pub affinity: bool,
    /// Sent with every request; no secrets.
    pub headers: Vec<(String, String)>,
    /// Models it may be asked for; `None`: any.
    pub models: Option<Vec<String>>,
    /// Clocks of its own, by name, as `("idle", "2m")`.
    pub timeouts: Vec<(&'static str, String)>,
    /// The region to sign for.
    pub region: Option<String>,
    /// Which HTTP version.
    pub http2: Http2,
    /// A private CA, as PEM text.
    pub ca: Option<String>,
    /// HTTP CONNECT proxy, `http://host:port`.
    pub connect_proxy: Option<String>,
    /// Its secrets.
    pub credentials: Vec<CredentialSpec>,
    /// May it be used?
    pub enabled: bool,
}

/// One secret of a provider, opened.
#[derive(Clone, Debug)]
pub struct CredentialSpec {
    /// Its name in logs and metrics.
    pub name: String,
    /// What it proves itself by.
    pub proof: CredentialProof,
    /// Share of the requests.
    pub weight: u32,
    /// Models it is for; empty = all.
    pub models: Vec<String>,
}

/// What a credential proves itself by.
#[derive(Clone, Debug)]
pub enum CredentialProof {
    /// A secret that is sent.
    Secret(Secret),
    /// AWS's keys, which sign: id, secret, and the token of keys that are lent for a time.
    Pair(Secret, Secret, Option<Secret>),
}

/// A public model name as a person described it.
#[derive(Clone, Debug)]
pub struct ModelSpec {
    /// What callers write.
    pub name: String,
    /// `provider/model` and its weight.
    pub targets: Vec<(String, u32)>,
    /// Then these.
    pub fallback: Vec<String>,
    /// How long answers are kept, as `"10m"`.
    pub cache_ttl: Option<String>,
}

/// Something managed that does not fit and is therefore not in force.
#[derive(Clone, Debug)]
pub struct LeftOut {
    /// `provider`, `model`, `quota` or `body-policy`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Everything that is wrong with it.
    pub problems: Vec<Problem>,
}

/// Names that the file (or, for providers, the environment) has taken.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// Providers of the file, also those that are switched off.
    pub providers: BTreeSet<String>,
    /// Public model names.
    pub models: BTreeSet<String>,
    /// Ids of keys.
    pub keys: BTreeSet<String>,
    /// Tenants of those keys.
    pub tenants: BTreeSet<String>,
    /// Tenants with a policy for bodies.
    pub bodies: BTreeSet<String>,
}
