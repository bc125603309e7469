//! What a configuration file may say. No logic and no defaults: those are in
//! `resolve`. The doc comments here become the descriptions in
//! `conf/hub.schema.json`, and the schema is what a file is checked against.
//!
//! Fields that must be there are `Option`s all the same, and named in the
//! schema: a table that lacks one is told so, and the rest of it is still read.

mod bodies;
mod catalogue;
mod control;
mod key;
mod listeners;
mod notices;
mod process;
mod quotas;
mod sign_in;
mod speech;
mod translation;

pub(crate) use bodies::Bodies;
pub(crate) use catalogue::{Capabilities, Catalogue, CatalogueModel};
pub(crate) use control::{Control, MasterKey};
pub(crate) use key::Key;
pub(crate) use listeners::{Admin, Cors, Public, Tls};
pub(crate) use notices::{Mail, Notices, Security as MailSecurity};
pub(crate) use process::{Health, Shutdown};
pub(crate) use quotas::Quota;
pub(crate) use sign_in::{Group, Oidc, SignIn};
pub(crate) use speech::{Aigne, Responses};
pub(crate) use translation::Translation;

use super::at::{At, Period, Size};
pub(crate) use super::raw_billing::Billing;
pub(crate) use super::raw_oauth::OAuth;
use crate::route::Strategy;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// AIGNE Hub's configuration file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct File {
    /// The listener for callers.
    pub(crate) public: Public,
    /// Pages of other origins that may call, too.
    pub(crate) cors: Cors,
    /// The listener for operators.
    pub(crate) admin: Admin,
    /// Where the hub keeps its books.
    pub(crate) data: Data,
    /// What only AIGNE's clients need.
    pub(crate) aigne: Aigne,
    /// Bounds on what callers send.
    pub(crate) bounds: Bounds,
    /// The clocks of a request; providers and models may have their own for the vendor's side.
    pub(crate) timeouts: AllTimeouts,
    /// How often and how fast to try again.
    pub(crate) retry: Retry,
    /// Addresses, floods and the pepper.
    pub(crate) security: Security,
    /// What is managed while the hub runs.
    pub(crate) control: Control,
    /// What the hub tells by itself.
    pub(crate) notices: Notices,
    /// The mail server. Default: none, and no e-mails.
    pub(crate) mail: Option<At<Mail>>,
    /// How people sign in besides by password.
    pub(crate) sign_in: SignIn,
    /// Access tokens: those that the hub issues, and those of others that it takes.
    pub(crate) oauth: OAuth,
    /// Answers kept in memory.
    pub(crate) cache: Cache,
    /// Responses kept for later requests.
    pub(crate) responses: Responses,
    /// Whose requests and answers are kept.
    pub(crate) bodies: Vec<At<Bodies>>,
    /// How the books are written.
    pub(crate) ledger: Ledger,
    /// What tenants pay. Without it nobody is charged.
    pub(crate) billing: Billing,
    /// Price files.
    pub(crate) prices: Files,
    /// Rule files.
    pub(crate) rules: Files,
    /// What is known of models, and what is made of it.
    pub(crate) catalogue: Catalogue,
    /// What becomes of fields that a vendor cannot take as they are.
    pub(crate) translation: Translation,
    /// When a credential rests.
    pub(crate) health: Health,
    /// How the hub stops.
    pub(crate) shutdown: Shutdown,
    /// What is configured without being written here.
    pub(crate) discover: Discover,
    /// Configured vendors.
    pub(crate) provider: Vec<At<Provider>>,
    /// Public model names.
    pub(crate) model: Vec<At<Model>>,
    /// How much somebody may use in a period.
    pub(crate) quota: Vec<At<Quota>>,
    /// Keys of callers; more can be made with the admin API.
    pub(crate) key: Vec<At<Key>>,
}

/// Where the hub keeps its books.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Data {
    /// Folder, relative to this file. Default: data.
    pub(crate) dir: Option<At<String>>,
}

/// Bounds on what callers send.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Bounds {
    /// Largest request body. Default: 50 MB.
    pub(crate) max_body: Option<At<Size>>,
    /// All bodies in memory together. Default: 1 GB.
    pub(crate) max_buffered: Option<At<Size>>,
}

// The first five are those of `Timeouts`, written out because serde cannot
// refuse unknown keys in flattened tables.
/// The clocks of both sides.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AllTimeouts {
    /// For the connection, TLS included. Default: 5s.
    pub(crate) connect: Option<At<Period>>,
    /// From the request's last byte to the answer's header. Default: 5m.
    pub(crate) response_header: Option<At<Period>>,
    /// From the answer's header to the first content of a stream. Default: 5m.
    pub(crate) first_token: Option<At<Period>>,
    /// Between events of a stream. Default: 2m.
    pub(crate) idle: Option<At<Period>>,
    /// Of the whole request, all attempts together. Default: 20m.
    pub(crate) total: Option<At<Period>>,
    /// For the caller's request, from its first byte to its last. Default: 60s.
    pub(crate) body: Option<At<Period>>,
    /// A write to the caller that makes no progress. Default: 30s.
    pub(crate) write: Option<At<Period>>,
    /// Comment lines on silent streams; 0s = never. Default: 15s.
    pub(crate) heartbeat: Option<At<Period>>,
    /// Between two looks at a video that a vendor is making. Default: 5s.
    pub(crate) video_poll: Option<At<Period>>,
    /// From the order of a video until the hub stops looking and charges it as ordered. Default: 1h.
    pub(crate) video: Option<At<Period>>,
}

/// The clocks of an attempt.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Timeouts {
    /// For the connection, TLS included.
    pub(crate) connect: Option<At<Period>>,
    /// From the request's last byte to the answer's header.
    pub(crate) response_header: Option<At<Period>>,
    /// From the answer's header to the first content of a stream.
    pub(crate) first_token: Option<At<Period>>,
    /// Between events of a stream.
    pub(crate) idle: Option<At<Period>>,
    /// Of the whole request, all attempts together.
    pub(crate) total: Option<At<Period>>,
}

/// How often and how fast to try again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Retry {
    /// Attempts of one request, all targets together. Default: 4.
    pub(crate) max_attempts: Option<At<u16>>,
    /// Attempts on one target. Default: 2.
    pub(crate) per_target: Option<At<u16>>,
    /// Back-off before the first retry. Default: 200ms.
    pub(crate) base_back_off: Option<At<Period>>,
    /// Longest back-off. Default: 5s.
    pub(crate) max_back_off: Option<At<Period>>,
    /// No new attempt after this long. Default: 60s.
    pub(crate) budget: Option<At<Period>>,
}

/// Addresses, floods and the pepper.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Security {
    /// Proxies whose X-Forwarded-For counts: addresses or CIDRs.
    pub(crate) trusted_proxies: Vec<At<String>>,
    /// Only these addresses may call; empty = all.
    pub(crate) allow: Vec<At<String>>,
    /// These may not, whatever `allow` says.
    pub(crate) deny: Vec<At<String>>,
    /// Refused requests a minute after which an address is shed. Default: 120.
    pub(crate) failures_per_minute: Option<At<u32>>,
    /// Secret under which keys are hashed, at least 32 bytes. Default: made once and kept in the data folder.
    pub(crate) pepper: Option<At<SecretSource>>,
}

/// Answers kept in memory.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Cache {
    /// All answers together. Default: 256 MB.
    pub(crate) max_size: Option<At<Size>>,
    /// Largest answer that is kept. Default: 1 MB.
    pub(crate) max_entry: Option<At<Size>>,
    /// How long, for requests whose key and model say nothing; 0s = not at all. Default: 0s.
    pub(crate) ttl: Option<At<Period>>,
    /// Longest time that a caller may ask for. Default: 1d.
    pub(crate) max_ttl: Option<At<Period>>,
    /// May callers ask for it by header? Default: true.
    pub(crate) by_request: Option<bool>,
}

/// Who may see a kept response.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VisibleTo {
    /// Every key of the tenant.
    Tenant,
    /// The key that asked for it.
    Key,
}

/// How the books are written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Ledger {
    /// Wait until the intent is on disk before a vendor is called. Default: false.
    pub(crate) strict: Option<bool>,
    /// What happens to a model without a price. Default: flag.
    pub(crate) unpriced: Option<Unpriced>,
    /// Entries that may wait for the writer. Default: 65536.
    pub(crate) queue: Option<At<u32>>,
    /// Longest time that an entry waits for others to be flushed with. Default: 25ms.
    pub(crate) flush_interval: Option<At<Period>>,
    /// Entries after which a flush is due. Default: 1024.
    pub(crate) flush_entries: Option<At<u32>>,
    /// Memory of the store's cache. Default: 64 MB.
    pub(crate) cache: Option<At<Size>>,
}

/// What happens to a model without a price.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unpriced {
    /// Requests for it are refused.
    Refuse,
    /// It is served, and its entries are marked.
    Flag,
}

/// Files of one kind.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Files {
    /// Files, folders (all *.toml in them) or patterns with `*` in the file name; relative to this file.
    pub(crate) files: Vec<At<String>>,
}

/// What is configured without being written here.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Discover {
    /// Add each vendor whose key is in the environment, and the local Ollama. Default: true.
    pub(crate) environment: Option<bool>,
}

/// A configured vendor.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["vendor"]))]
pub(crate) struct Provider {
    /// Its name here, in `provider/model`. Default: the vendor's.
    pub(crate) name: Option<At<String>>,
    /// The vendor: openai, anthropic, …, or openai-compatible.
    pub(crate) vendor: Option<At<String>>,
    /// Scheme, host and path prefix. Default: the vendor's.
    pub(crate) base_url: Option<At<String>>,
    /// AWS's region, such as us-east-1. Default: AWS_REGION, or the one that base_url names.
    pub(crate) region: Option<At<String>>,
    /// Its secrets. Default: the vendor's environment variable.
    pub(crate) credentials: Option<Vec<At<Credential>>>,
    /// How one of them is chosen. Default: round_robin.
    pub(crate) strategy: Option<Strategy>,
    /// Keep a conversation on the credential whose prompt cache it warmed. Default: true.
    pub(crate) affinity: Option<bool>,
    /// Headers sent with every request.
    pub(crate) headers: BTreeMap<String, At<TextOrSecret>>,
    /// Models it may be asked for as `provider/model`. Default: any.
    pub(crate) models: Option<Vec<At<String>>>,
    /// Which HTTP version. Default: auto.
    pub(crate) http2: Option<Http2>,
    /// PEM file of a private CA.
    pub(crate) ca_file: Option<At<String>>,
    /// Default: true.
    pub(crate) verify_certificate: Option<bool>,
    /// HTTP CONNECT proxy, http://host:port.
    pub(crate) connect_proxy: Option<At<String>>,
    /// Value of Proxy-Authorization.
    pub(crate) connect_proxy_authorization: Option<At<SecretSource>>,
    /// Does it have OpenAI's /responses? Requests for it then pass as they came. Default: as the vendor is known for.
    pub(crate) responses: Option<At<bool>>,
    /// Clocks of its own.
    pub(crate) timeouts: Timeouts,
    /// Default: true.
    pub(crate) enabled: Option<bool>,
}

/// Which HTTP version to speak to a vendor.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Http2 {
    /// By ALPN on TLS, HTTP/1.1 otherwise.
    Auto,
    /// HTTP/1.1.
    Never,
    /// HTTP/2, also without TLS.
    Always,
}

/// One secret of a provider.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Credential {
    /// Its name in logs and metrics; needed when there are several.
    pub(crate) name: Option<At<String>>,
    /// Environment variable that holds it.
    pub(crate) env: Option<String>,
    /// File that holds it.
    pub(crate) file: Option<String>,
    /// In place of one secret, a pair of AWS's keys: the id of the access key.
    pub(crate) access_key_id: Option<At<TextOrSecret>>,
    /// Its secret.
    pub(crate) secret_access_key: Option<At<SecretSource>>,
    /// The session token of keys that are lent for a time.
    pub(crate) session_token: Option<At<SecretSource>>,
    /// Share of the requests. Default: 1.
    pub(crate) weight: Option<At<u32>>,
    /// Models it is for; empty = all.
    pub(crate) models: Vec<At<String>>,
}

/// Where a secret is. Exactly one of the two.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SecretSource {
    /// Environment variable that holds it.
    pub(crate) env: Option<String>,
    /// File that holds it, relative to this file.
    pub(crate) file: Option<String>,
}

/// A plain text, or where a secret one is.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum TextOrSecret {
    /// The text.
    Text(String),
    /// Where it is.
    Secret(SecretSource),
}

/// A public model name.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "targets"]))]
pub(crate) struct Model {
    /// What callers write in `model`.
    pub(crate) name: Option<At<String>>,
    /// Tried in weighted order.
    pub(crate) targets: Option<Vec<At<TargetItem>>>,
    /// Then these, in this order.
    pub(crate) fallback: Vec<At<TargetItem>>,
    /// Keep answers this long; 0s = not at all. Default: as in [cache].
    pub(crate) cache_ttl: Option<At<Period>>,
    /// Clocks of its own; they win over the providers'.
    pub(crate) timeouts: Option<Timeouts>,
}

/// "provider/model", or the same with a weight.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum TargetItem {
    /// "provider/model"
    Text(String),
    /// With a weight.
    Weighted(WeightedTarget),
}

/// A target with a weight.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["model"]))]
pub(crate) struct WeightedTarget {
    /// "provider/model"
    pub(crate) model: Option<String>,
    /// Share of the requests; 0 = only after the others. Default: 1.
    pub(crate) weight: Option<At<u32>>,
}
