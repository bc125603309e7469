//! Configuration resolved: immutable, shared by `Arc`, taken once per request.

use super::billing::{Billing, Payer, Plan};
use super::{
    BodyPolicy, Declared, HeldTo, Issuer, LeftOut, NoticeSettings, OAuth, OutsideGates, QuotaTable, SignIn,
    Tokens,
};
use crate::access::{AddressRules, AddressSet, AddressTable, Key, KeyTable, Pepper};
use crate::cache;
use crate::catalogue::{Card, Catalogue};
use crate::chat::Dialect;
use crate::ledger::PriceTable;
use crate::limit::{Gate, Limits};
use crate::provider::{AwsKeys, Door, Vendor};
use crate::responses;
use crate::route::{Health, HealthPolicy, Picker, Strategy};
use crate::rules::RuleSet;
use crate::types::{CredentialId, ModelName, Op, ProviderName, Secret, TenantId};
use dashmap::DashMap;
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything a request needs to know, at one moment.
pub struct Snapshot {
    /// Counts up with each accepted configuration.
    pub version: u64,
    /// The listener for callers.
    pub public: Public,
    /// Whose pages may read answers.
    pub origins: Origins,
    /// The listener for operators.
    pub admin: Admin,
    /// Where the store is.
    pub data_dir: PathBuf,
    /// What only AIGNE's clients need.
    pub aigne: Aigne,
    /// Bounds on what callers send and on time.
    pub bounds: Bounds,
    /// The secret under which keys are hashed.
    pub pepper: Pepper,
    /// Keys, by their hash.
    pub callers: KeyTable<Arc<Caller>>,
    /// Who may call at all.
    pub addresses: AddressRules,
    /// Proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: AddressSet,
    /// Configured vendors that are switched on.
    pub providers: HashMap<ProviderName, Arc<Provider>>,
    /// Aliases, groups and models with settings of their own.
    pub models: HashMap<ModelName, Arc<Model>>,
    /// What is known of models.
    pub catalogue: Catalogue,
    /// What becomes of a request that needs what a model is known not to have.
    pub capabilities: Capabilities,
    /// What becomes of fields that a vendor cannot take.
    pub translation: super::Translation,
    /// Prices by provider and model.
    pub prices: PriceTable,
    /// What tenants pay; `None`: nobody does.
    pub billing: Option<Arc<Billing>>,
    /// Tenants that pay and have a key, each once.
    pub paying: Vec<(TenantId, Arc<Plan>)>,
    /// What happens to a model without a price.
    pub unpriced: Unpriced,
    /// Compiled rules, in order.
    pub rules: RuleSet,
    /// How much may be used in a period, and what is.
    pub quotas: QuotaTable,
    /// What the hub tells by itself.
    pub notices: NoticeSettings,
    /// Answers kept in memory.
    pub cache: CacheSettings,
    /// Responses kept for later requests.
    pub responses: ResponseSettings,
    /// How the books are written.
    pub ledger: LedgerSettings,
    /// Shedding of addresses.
    pub flood: Flood,
    /// Tenants whose requests and answers are kept, and what of them.
    pub bodies: HashMap<TenantId, Arc<BodyPolicy>>,
    /// How long audit records are kept; `None`: for ever.
    pub audit_keep: Option<Duration>,
    /// How people sign in besides by password.
    pub sign_in: SignIn,
    /// What the hub's own authorization server does.
    pub oauth: OAuth,
    /// Others whose tokens are taken.
    pub issuers: Vec<Arc<Issuer>>,
    /// Access tokens that work now; shared by all snapshots.
    pub tokens: Arc<Tokens>,
    /// Counters of callers that are not among `callers`; shared by all snapshots.
    pub outside_gates: Arc<OutsideGates>,
    /// Who may call for a tenant from where.
    pub tenant_tables: HashMap<TenantId, Arc<AddressTable>>,
    /// Tenants that are switched off.
    pub disabled_tenants: BTreeSet<TenantId>,
    /// How the hub stops.
    pub shutdown: Shutdown,
    /// As written; takes effect for new credentials only after a restart.
    pub health: HealthPolicy,
    /// Names that the file has taken.
    pub declared: Declared,
    /// What the control plane manages and does not fit.
    pub left_out: Vec<LeftOut>,
    /// Files and folders whose change means a reload.
    pub watched: Vec<PathBuf>,
    /// Models named as `provider/model`, by that name; see `lookup`.
    pub(super) ad_hoc: DashMap<Box<str>, Arc<Model>>,
}

/// The public listener.
#[derive(Clone, Debug, PartialEq)]
pub struct Public {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// HTTPS, if configured.
    pub tls: Option<Tls>,
    /// Worker threads; 0 = one per core.
    pub threads: usize,
    /// Accept HTTP/2 without TLS (prior knowledge).
    pub http2_cleartext: bool,
    /// Is the control plane within reach here too?
    pub console: bool,
}

/// Origins whose pages may read answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Origins {
    /// All.
    Any,
    /// These, as browsers write them.
    These(Vec<String>),
}

impl Origins {
    /// May pages of this origin read answers?
    pub fn allow(&self, origin: &[u8]) -> bool {
        match self {
            Origins::Any => true,
            Origins::These(known) => known.iter().any(|known| known.as_bytes() == origin),
        }
    }
}

/// HTTPS.
#[derive(Clone, Debug, PartialEq)]
pub struct Tls {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// PEM file of the certificate chain; readable when the snapshot was built.
    pub certificate: PathBuf,
    /// PEM file of the private key; readable when the snapshot was built.
    pub key: PathBuf,
}

/// The listener for operators.
#[derive(Clone, Debug, PartialEq)]
pub struct Admin {
    /// Address to listen on.
    pub listen: SocketAddr,
}

/// What only AIGNE's clients need.
#[derive(Clone, Debug, PartialEq)]
pub struct Aigne {
    /// Begins with a slash and does not end in one, unless it is `/`.
    pub mount: Box<str>,
    /// May the list of models be read without a key?
    pub public_models: bool,
    /// May sessions for a key be begun?
    pub connect: bool,
    /// How long a call outlives its caller, waiting for the same request again; zero = not at all.
    pub resend: Duration,
}

/// Bounds on what callers send and on time.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    /// One request body.
    pub max_body_bytes: usize,
    /// All bodies together.
    pub max_buffered_bytes: usize,
    /// From the first header byte to the last body byte.
    pub body: Duration,
    /// A write to the caller that makes no progress.
    pub write: Duration,
    /// Comment lines on silent streams; zero = never.
    pub heartbeat: Duration,
    /// Between two looks at a video that is being made.
    pub video_poll: Duration,
    /// From the order of a video to its end.
    pub video: Duration,
    /// The clocks of an attempt.
    pub clocks: Clocks,
    /// How often and how fast to try again.
    pub retry: Retry,
}

/// The four clocks of an attempt, and the connect clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clocks {
    /// For the connection, TLS included.
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
    /// Back-off before the first retry; zero = none.
    pub base_back_off: Duration,
    /// Longest back-off.
    pub max_back_off: Duration,
    /// No new attempt after this long.
    pub budget: Duration,
}

/// A key and everything live that belongs to it.
pub struct Caller {
    /// What it may do.
    pub key: Key,
    /// How much.
    pub limits: Limits,
    /// Its live counters.
    pub gate: Arc<Gate>,
    /// Quotas that it counts for, in the order in which they are locked.
    pub quotas: Arc<[HeldTo]>,
    /// Whether answers are kept; `None`: as [`CacheSettings::default`] says.
    pub cache: Option<cache::Policy>,
    /// Who pays for its requests; `None`: nobody does.
    pub payer: Option<Payer>,
}

/// A configured vendor.
pub struct Provider {
    /// Its name in `provider/model`.
    pub name: ProviderName,
    /// The vendor's row.
    pub vendor: &'static Vendor,
    /// Doors for chats besides the vendor's own, for callers of their dialects.
    pub doors: Vec<Door>,
    /// Where it is.
    pub base: BaseUrl,
    /// Its secrets; at least one, which may be empty.
    pub credentials: Vec<Credential>,
    /// How one of them is chosen.
    pub strategy: Strategy,
    /// Keep a conversation on the credential whose prompt cache it warmed.
    pub affinity: bool,
    /// The memory of the choice.
    pub picker: Picker,
    /// Sent with every request.
    pub headers: Vec<(http::HeaderName, http::HeaderValue)>,
    /// The clocks of an attempt.
    pub clocks: Clocks,
    /// `None`: any model name is passed on.
    pub models: Option<Vec<String>>,
    /// Which HTTP version to speak.
    pub http2: Http2,
    /// PEM bundle of a private CA.
    pub ca_file: Option<PathBuf>,
    /// Its certificates in DER form; they replace the public ones.
    pub ca: Option<Vec<Vec<u8>>>,
    /// Refuse certificates that do not fit. Off only for tests.
    pub verify_certificate: bool,
    /// `http://host:port` of an HTTP CONNECT proxy.
    pub connect_proxy: Option<ConnectProxy>,
    /// Changes when anything about the connection changes, so that pools do not mix.
    pub connection_hash: u64,
}

impl Provider {
    /// Where a caller of this dialect finds an operation: at a door that speaks it too, if there is
    /// one, else at the vendor's own. `None`: the vendor does not have the operation.
    pub fn door(&self, op: Op, caller: Dialect) -> Option<Door> {
        let path = self.vendor.path(op)?;
        let own = Door { dialect: self.vendor.speaks(op), path, shape: self.vendor.shape };
        let same = |door: &&Door| op == Op::Chat && door.dialect == caller;
        Some(self.doors.iter().find(same).copied().unwrap_or(own))
    }
}

/// An HTTP CONNECT proxy.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectProxy {
    /// Host name or address; IPv6 in brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Value of `Proxy-Authorization`.
    pub authorization: Option<Secret>,
}

/// Which HTTP version to speak to a vendor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Http2 {
    /// By ALPN on TLS, HTTP/1.1 otherwise.
    #[default]
    Auto,
    /// HTTP/1.1.
    Never,
    /// Also without TLS (prior knowledge).
    Always,
}

/// Where a vendor is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    /// `https`.
    pub tls: bool,
    /// Host name or address; IPv6 in brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Without a trailing slash; may be empty.
    pub path: String,
}

/// One secret of a provider.
pub struct Credential {
    /// `provider/name`.
    pub id: CredentialId,
    /// `None`: nothing is sent, or [`Credential::aws`] signs.
    pub secret: Option<Secret>,
    /// A pair of keys that signs requests, in place of a secret that is sent.
    pub aws: Option<AwsKeys>,
    /// Share of the requests.
    pub weight: u32,
    /// Models this credential is for; empty = all.
    pub models: Vec<String>,
    /// Its live health.
    pub health: Arc<Health>,
}

/// A public model name.
pub struct Model {
    /// What callers write.
    pub name: ModelName,
    /// Tried in weighted order.
    pub targets: Vec<Target>,
    /// Then these, in this order.
    pub fallback: Vec<Target>,
    /// Whether answers are kept; `None`: as [`CacheSettings::default`] says.
    pub cache: Option<cache::Policy>,
    /// Clocks of its own; they win over the provider's.
    pub clocks: Option<Clocks>,
}

/// Provider and upstream model.
#[derive(Clone)]
pub struct Target {
    /// The provider.
    pub provider: Arc<Provider>,
    /// What the vendor calls the model.
    pub upstream_model: Arc<str>,
    /// Share of the requests.
    pub weight: u32,
    /// What is known of the model, found once, when the target is made.
    pub card: Option<Arc<Card>>,
}

/// What becomes of a request that needs what a model is known not to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capabilities {
    /// It goes to no such model, and is refused when none is left.
    Strict,
    /// The same, but where the wish can be adapted: then models that have it come first.
    Lenient,
    /// Nothing; vendors judge.
    Off,
}

/// What happens to a model without a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpriced {
    /// Its requests are refused.
    Refuse,
    /// It is served, and its entries are marked.
    Flag,
}

/// Answers kept in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheSettings {
    /// All answers together.
    pub max_bytes: u64,
    /// The largest answer that is kept.
    pub max_entry_bytes: usize,
    /// For requests whose key and model say nothing.
    pub default: cache::Policy,
    /// Longest TTL that a caller may ask for.
    pub max_ttl: Duration,
    /// May callers switch it on by header?
    pub by_request: bool,
}

/// Responses kept for later requests.
#[derive(Clone, Debug, PartialEq)]
pub struct ResponseSettings {
    /// Are any kept?
    pub store: bool,
    /// Who may see them.
    pub visible_to: VisibleTo,
    /// How long, from the last request that went on from one.
    pub ttl: Duration,
    /// How much is kept.
    pub bounds: responses::Bounds,
}

/// Who may see a kept response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisibleTo {
    /// Every key of the tenant.
    Tenant,
    /// The key that asked for it.
    Key,
}

/// How the books are written.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerSettings {
    /// Wait until the intent is on disk before the vendor is called.
    pub strict: bool,
    /// Entries that may wait for the writer.
    pub queue: usize,
    /// Longest time between flushes.
    pub flush_interval: Duration,
    /// Entries after which a flush is due.
    pub flush_entries: usize,
    /// Memory of the store's cache.
    pub cache_bytes: u64,
}

/// Shedding of addresses whose requests are refused again and again.
#[derive(Clone, Debug, PartialEq)]
pub struct Flood {
    /// Refused requests a minute from one address after which it is shed.
    pub failures_per_minute: u32,
}

/// How the hub stops.
#[derive(Clone, Debug, PartialEq)]
pub struct Shutdown {
    /// Running requests have this long to end.
    pub grace: Duration,
    /// Before that: not ready, but still serving.
    pub lame_duck: Duration,
}
