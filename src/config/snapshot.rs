//! Configuration resolved: immutable, shared by `Arc`, taken once per request.

use crate::access::{AddressRules, AddressSet, Key, KeyTable, Pepper};
use crate::cache;
use crate::ledger::PriceTable;
use crate::limit::{Gate, Limits};
use crate::provider::Vendor;
use crate::route::{Health, HealthPolicy, Picker, Strategy};
use crate::rules::RuleSet;
use crate::types::{CredentialId, ModelName, ProviderName, Secret};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything a request needs to know, at one moment.
pub struct Snapshot {
    /// Counts up with each accepted configuration.
    pub version: u64,
    pub public: Public,
    pub admin: Admin,
    pub data_dir: PathBuf,
    pub bounds: Bounds,
    pub pepper: Pepper,
    pub callers: KeyTable<Arc<Caller>>,
    pub addresses: AddressRules,
    pub trusted_proxies: AddressSet,
    pub providers: HashMap<ProviderName, Arc<Provider>>,
    /// Aliases, groups and models with settings of their own.
    pub models: HashMap<ModelName, Arc<Model>>,
    pub prices: PriceTable,
    pub unpriced: Unpriced,
    pub rules: RuleSet,
    pub cache: CacheSettings,
    pub ledger: LedgerSettings,
    pub flood: Flood,
    pub shutdown: Shutdown,
}

/// The public listener.
#[derive(Clone, Debug, PartialEq)]
pub struct Public {
    pub listen: Vec<SocketAddr>,
    pub tls: Option<Tls>,
    /// Worker threads; 0 = one per core.
    pub threads: usize,
    /// Requests without a key are served as this key (development only).
    pub http2_cleartext: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tls {
    pub listen: Vec<SocketAddr>,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Admin {
    pub listen: SocketAddr,
}

/// Bounds on what callers send and on time.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    pub max_body_bytes: usize,
    /// All bodies together.
    pub max_buffered_bytes: usize,
    /// From the first header byte to the last body byte.
    pub body: Duration,
    /// A write to the caller that makes no progress.
    pub write: Duration,
    /// Comment lines on silent streams; zero = never.
    pub heartbeat: Duration,
    pub clocks: Clocks,
    pub retry: Retry,
}

/// The four clocks of an attempt, and the connect clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clocks {
    pub connect: Duration,
    /// From the request's last byte to the answer's header.
    pub response_header: Duration,
    /// From the answer's header to the first real content of a stream.
    pub first_token: Duration,
    /// Between events.
    pub idle: Duration,
    /// Of the whole request, all attempts together.
    pub total: Duration,
}

/// How often and how fast to try again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// Attempts of one request, all targets together.
    pub max_attempts: u32,
    /// Attempts on one target, with other credentials where there are.
    pub per_target: u32,
    pub base_back_off: Duration,
    pub max_back_off: Duration,
    /// No new attempt after this long.
    pub budget: Duration,
}

/// A key and everything live that belongs to it.
pub struct Caller {
    pub key: Key,
    pub limits: Limits,
    pub gate: Arc<Gate>,
    pub cache: Option<cache::Policy>,
}

/// A configured vendor.
pub struct Provider {
    pub name: ProviderName,
    pub vendor: &'static Vendor,
    pub base: BaseUrl,
    pub credentials: Vec<Credential>,
    pub strategy: Strategy,
    /// Keep a conversation on the credential whose prompt cache it warmed.
    pub affinity: bool,
    pub picker: Picker,
    /// Sent with every request.
    pub headers: Vec<(http::HeaderName, http::HeaderValue)>,
    pub clocks: Clocks,
    /// `None`: any model name is passed on.
    pub models: Option<Vec<String>>,
    pub http2: Http2,
    /// PEM bundle of a private CA.
    pub ca_file: Option<PathBuf>,
    pub ca: Option<Vec<Vec<u8>>>,
    pub verify_certificate: bool,
    /// `http://host:port` of an HTTP CONNECT proxy.
    pub connect_proxy: Option<ConnectProxy>,
    /// Changes when anything about the connection changes, so that pools do not mix.
    pub connection_hash: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ConnectProxy {
    pub host: String,
    pub port: u16,
    pub authorization: Option<Secret>,
}

/// Which HTTP version to speak to a vendor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Http2 {
    /// By ALPN on TLS, HTTP/1.1 otherwise.
    #[default]
    Auto,
    Never,
    /// Also without TLS (prior knowledge).
    Always,
}

/// Where a vendor is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    pub tls: bool,
    pub host: String,
    pub port: u16,
    /// Without a trailing slash; may be empty.
    pub path: String,
}

/// One secret of a provider.
pub struct Credential {
    pub id: CredentialId,
    pub secret: Option<Secret>,
    pub weight: u32,
    /// Models this credential is for; empty = all.
    pub models: Vec<String>,
    pub health: Arc<Health>,
}

/// A public model name.
pub struct Model {
    pub name: ModelName,
    /// Tried in weighted order.
    pub targets: Vec<Target>,
    /// Then these, in this order.
    pub fallback: Vec<Target>,
    pub cache: Option<cache::Policy>,
    pub clocks: Option<Clocks>,
}

/// Provider and upstream model.
#[derive(Clone)]
pub struct Target {
    pub provider: Arc<Provider>,
    pub upstream_model: Arc<str>,
    pub weight: u32,
}

/// What happens to a model without a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpriced {
    Refuse,
    Flag,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CacheSettings {
    pub max_bytes: u64,
    pub max_entry_bytes: usize,
    /// For requests whose key and model say nothing.
    pub default: cache::Policy,
    /// Longest TTL that a caller may ask for.
    pub max_ttl: Duration,
    /// May callers switch it on by header?
    pub by_request: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LedgerSettings {
    pub strict: bool,
    pub queue: usize,
    pub flush_interval: Duration,
    pub flush_entries: usize,
    pub cache_bytes: u64,
}

/// Shedding of addresses whose requests are refused again and again.
#[derive(Clone, Debug, PartialEq)]
pub struct Flood {
    pub failures_per_minute: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Shutdown {
    pub grace: Duration,
    pub lame_duck: Duration,
}

/// What must survive a reload: health of credentials, counters of keys. Everything in it is live.
pub struct Registry {
    pub health_policy: HealthPolicy,
    pub(crate) health: dashmap::DashMap<CredentialId, Arc<Health>>,
    pub(crate) gates: dashmap::DashMap<crate::types::KeyId, Arc<Gate>>,
}

impl Snapshot {
    /// The model a caller named: an alias or group, or `provider/model`.
    pub fn model(&self, _name: &str) -> Option<Arc<Model>> {
        todo!()
    }
    /// All public names, sorted: aliases, groups, and listed models of providers.
    pub fn model_names(&self) -> Vec<String> {
        todo!()
    }
}
