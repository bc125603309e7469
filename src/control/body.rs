//! What is managed: one type for each kind. These are the fields that people
//! write; ids, versions and secrets are kept beside them.

use super::oauth::Client;
use super::{Moment, Permission};
use crate::billing::{Account, Allowance, Code, Payment};
/// What is kept of a tenant's requests and answers.
pub use crate::config::BodyPolicyText as BodyPolicy;
/// How much somebody may use in a period.
pub use crate::config::QuotaText as Quota;
/// What a model of a provider costs from a moment on.
pub use crate::ledger::PriceText as Price;
use crate::route::Strategy;
use crate::types::{NoticeKind, Pico};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// On unless somebody says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Switch(pub bool);

impl Default for Switch {
    fn default() -> Self {
        Self(true)
    }
}

/// Who pays: a company or a department, apart from all others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tenant {
    /// For people. Default: the id.
    pub name: String,
    /// Switched off, none of its keys and users come in.
    pub enabled: Switch,
    /// Anything worth knowing.
    pub comment: String,
}

/// People who work together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name"]))]
pub struct Team {
    /// For people.
    pub name: String,
    /// Ids of users of the same tenant.
    pub members: Vec<String>,
}

/// What a team works on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name"]))]
pub struct Project {
    /// For people.
    pub name: String,
    /// Id of the team, if it has one.
    pub team: Option<String>,
}

/// Somebody who signs in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["email", "role"]))]
pub struct User {
    /// What they sign in with; each only once in the hub.
    pub email: String,
    /// For people. Default: the e-mail address.
    pub name: String,
    /// owner, admin, member, guest, or the id of a role.
    pub role: String,
    /// Switched off, they cannot sign in and their keys do not work.
    pub enabled: Switch,
}

/// A program with an identity of its own (a service account).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "role"]))]
pub struct App {
    /// For people.
    pub name: String,
    /// owner, admin, member, guest, or the id of a role.
    pub role: String,
    /// Id of the project, if it belongs to one.
    pub project: Option<String>,
    /// Switched off, its keys do not work.
    pub enabled: Switch,
}

/// A role of one's own making.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "permissions"]))]
pub struct Role {
    /// For people; not that of a built-in role.
    pub name: String,
    /// What it allows; never more than its maker may.
    pub permissions: Vec<Permission>,
    /// What it is for.
    pub comment: String,
}

/// Whose key it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// user or app.
    pub kind: OwnerKind,
    /// Its id.
    pub id: String,
}

/// Who can have keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnerKind {
    /// A user.
    User,
    /// An app.
    App,
}

/// What a key may do, and how much.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Key {
    /// What people call it.
    pub name: String,
    /// Whose it is; none: the tenant's own, which can do nothing but call models. Fixed when it is made.
    pub owner: Option<Owner>,
    /// Id of the team that its calls count for. Default: that of the app's project, or the user's only team.
    pub team: Option<String>,
    /// Switched off, it is refused as if unknown.
    pub enabled: Switch,
    /// When it stops working.
    pub expires_at: Option<Moment>,
    /// What it may be used for; empty = inference.
    pub scopes: Vec<Permission>,
    /// Names and globs of models; empty = all.
    pub models: Vec<String>,
    /// Addresses and CIDRs; empty = all.
    pub allow: Vec<String>,
    /// Addresses and CIDRs that are refused.
    pub deny: Vec<String>,
    /// Requests in any minute.
    pub requests_per_minute: Option<u64>,
    /// Tokens in any minute.
    pub tokens_per_minute: Option<u64>,
    /// Requests at the same time.
    pub concurrency: Option<u32>,
    /// Tokens a UTC day.
    pub day_tokens: Option<u64>,
    /// Tokens a UTC month.
    pub month_tokens: Option<u64>,
    /// Money a UTC day, a decimal string.
    #[schemars(with = "Option<String>")]
    pub day_cost: Option<Pico>,
    /// Money a UTC month, a decimal string.
    #[schemars(with = "Option<String>")]
    pub month_cost: Option<Pico>,
}

/// A configured vendor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "vendor"]))]
pub struct Provider {
    /// Its name in `provider/model`; fixed when it is made.
    pub name: String,
    /// The vendor: openai, anthropic, …, or openai-compatible.
    pub vendor: String,
    /// Scheme, host and path prefix; `{region}` stands for the region. Default: the vendor's.
    pub base_url: Option<String>,
    /// What stands for `{region}` in the URL.
    pub region: Option<String>,
    /// Switched off, its models are not served.
    pub enabled: Switch,
    /// Its place in lists; lower ones come first.
    pub order: i32,
    /// Words to find it by.
    pub labels: BTreeMap<String, String>,
    /// How one of its credentials is chosen. Default: round_robin.
    pub strategy: Option<Strategy>,
    /// Keep a conversation on the credential whose prompt cache it warmed. Default: true.
    pub affinity: Switch,
    /// Headers sent with every request. No secrets.
    pub headers: BTreeMap<String, String>,
    /// Models it may be asked for as `provider/model`. Default: any.
    pub models: Option<Vec<String>>,
    /// Clocks of its own.
    pub timeouts: Timeouts,
    /// Which HTTP version. Default: auto.
    pub http2: Option<Http2>,
    /// A private CA in place of the system's: certificates as PEM text.
    pub ca: Option<String>,
    /// HTTP CONNECT proxy on the way out, http://host:port.
    pub connect_proxy: Option<String>,
}

/// Which HTTP version to speak to a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Http2 {
    /// By ALPN on TLS, HTTP/1.1 otherwise.
    Auto,
    /// HTTP/1.1.
    Never,
    /// HTTP/2, also without TLS.
    Always,
}

/// The clocks of an attempt, as "30s".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// For the connection, TLS included.
    pub connect: Option<String>,
    /// From the request's last byte to the answer's header.
    pub response_header: Option<String>,
    /// From the answer's header to the first content of a stream.
    pub first_token: Option<String>,
    /// Between events of a stream.
    pub idle: Option<String>,
    /// Of the whole request, all attempts together.
    pub total: Option<String>,
}

/// A secret of a provider, without the secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["provider", "name"]))]
pub struct Credential {
    /// Id of the provider; fixed when it is made.
    pub provider: String,
    /// Its name in logs and metrics; fixed when it is made.
    pub name: String,
    /// What kind of secret it is. Default: api_key.
    #[serde(rename = "type")]
    pub kind: CredentialType,
    /// Share of the requests. Default: 1.
    pub weight: Option<u32>,
    /// Models it is for; empty = all.
    pub models: Vec<String>,
    /// Switched off, it is not used.
    pub enabled: Switch,
    /// When it stops being used.
    pub expires_at: Option<Moment>,
}

/// Kinds of secrets that vendors give out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialType {
    /// One secret text, sent where the vendor wants it.
    #[default]
    ApiKey,
    /// A token that somebody else issued, sent in the same place.
    Bearer,
    /// A pair of AWS's keys, perhaps with a session token: it signs and is never sent.
    AccessKeyPair,
}

/// A public model name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "targets"]))]
pub struct Model {
    /// What callers write.
    pub name: String,
    /// Tried in weighted order.
    pub targets: Vec<Target>,
    /// Then these, in this order, each `provider/model`.
    pub fallback: Vec<String>,
    /// How long answers are kept, as "10m"; "0s" = not at all.
    pub cache_ttl: Option<String>,
}

/// One target of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `provider/model`.
    pub model: String,
    /// Share of the requests; 0 = only after the others. Default: 1.
    #[serde(default = "one")]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

/// Who may call from where. Among the rules of one scope the longest match
/// decides, and of equals deny.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["network", "verdict"]))]
pub struct AddressRule {
    /// An address or a CIDR.
    pub network: String,
    /// allow or deny.
    pub verdict: RuleVerdict,
    /// Id of the key that it is for; none: for the tenant, or for the hub. Fixed when it is made.
    pub key: Option<String>,
    /// When it stops to hold.
    pub expires_at: Option<Moment>,
    /// Why it is there.
    pub comment: String,
}

/// What an address rule says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleVerdict {
    /// May come in. Once one rule of a scope allows, what none allows is refused.
    Allow,
    /// May not.
    #[default]
    Deny,
}

/// Where notices go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["url"]))]
pub struct Webhook {
    /// Where: https://…, or mailto: and one or more addresses with commas between them. It stays one or the other.
    pub url: String,
    /// What it wants to hear of; empty = everything.
    pub events: Vec<NoticeKind>,
    /// Switched off, it hears of nothing, and what is on its way waits.
    pub enabled: Switch,
    /// Anything worth knowing.
    pub comment: String,
}

/// One kind of thing, with its own type.
pub trait Resource:
    Serialize + DeserializeOwned + JsonSchema + Clone + Default + PartialEq + Send + Sync + 'static
{
    /// Which kind.
    const KIND: Kind;

    /// The body, if it is of this kind.
    fn of(body: &Body) -> Option<&Self>;

    /// As a body.
    fn body(self) -> Body;
}

macro_rules! kinds {
    ($($kind:ident $name:literal $plural:literal $prefix:literal;)*) => {
        /// The kinds of things that are managed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum Kind { $(#[doc = $name] $kind,)* }

        impl Kind {
            /// All kinds, in the order of the type.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// As it is written, in the singular.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// As it is written in paths.
            pub fn plural(self) -> &'static str {
                match self { $(Self::$kind => $plural,)* }
            }

            /// What ids begin with.
            pub fn prefix(self) -> &'static str {
                match self { $(Self::$kind => $prefix,)* }
            }
        }

        /// A thing of any kind.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", content = "body", rename_all = "kebab-case")]
        pub enum Body { $(#[doc = $name] $kind($kind),)* }

        impl Body {
            /// Which kind it is.
            pub fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind,)* }
            }

            /// Its own fields, as JSON.
            pub fn fields(&self) -> serde_json::Value {
                let fields = match self { $(Self::$kind(body) => serde_json::to_value(body),)* };
                fields.unwrap_or_default()
            }
        }

        $(impl Resource for $kind {
            const KIND: Kind = Kind::$kind;

            fn of(body: &Body) -> Option<&Self> {
                match body { Body::$kind(body) => Some(body), _ => None }
            }

            fn body(self) -> Body {
                Body::$kind(self)
            }
        })*
    };
}

kinds! {
    Tenant "tenant" "tenants" "";
    Team "team" "teams" "team_";
    Project "project" "projects" "proj_";
    User "user" "users" "user_";
    App "app" "apps" "app_";
    Role "role" "roles" "role_";
    Key "key" "keys" "key_";
    Provider "provider" "providers" "prov_";
    Credential "credential" "credentials" "cred_";
    Model "model" "models" "model_";
    AddressRule "address-rule" "address-rules" "addr_";
    Account "billing-account" "billing-accounts" "";
    Payment "payment" "payments" "pay_";
    Code "code" "codes" "code_";
    Allowance "allowance" "allowances" "allow_";
    Webhook "webhook" "webhooks" "hook_";
    Quota "quota" "quotas" "quota_";
    Client "client" "clients" "client_";
    BodyPolicy "body-policy" "body-policies" "bodies_";
    Price "price" "prices" "price_";
}
