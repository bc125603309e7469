//! `[sign_in]`: how people sign in besides by password.

use super::SecretSource;
use crate::config::at::At;
use schemars::JsonSchema;
use serde::Deserialize;

/// How people sign in besides by password.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SignIn {
    /// Where browsers reach the admin listener, as https://hub.example.com; needed for OpenID Connect, whose providers send people back there.
    pub(crate) url: Option<At<String>>,
    /// Providers of identities (OpenID Connect).
    pub(crate) oidc: Vec<At<Oidc>>,
}

/// A provider of identities. Its redirect URI is URL/api/admin/v1/sign-in/ID/callback.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["id", "issuer", "client_id"]))]
pub(crate) struct Oidc {
    /// Its name in paths: small letters, digits and '-'.
    pub(crate) id: Option<At<String>>,
    /// The issuer, exactly as the provider calls itself; an https:// URL.
    pub(crate) issuer: Option<At<String>>,
    /// What the provider knows the hub as.
    pub(crate) client_id: Option<At<String>>,
    /// The hub's secret there. Default: none, a public client (PKCE is used in any case).
    pub(crate) client_secret: Option<At<SecretSource>>,
    /// Send the secret in the body (client_secret_post) and not in a header (client_secret_basic). Default: in a header, if the provider takes that at all.
    pub(crate) secret_in_body: Option<bool>,
    /// What is asked for; openid is always. Default: openid, email, profile.
    pub(crate) scopes: Option<Vec<At<String>>>,
    /// What people see on the button. Default: the id.
    pub(crate) label: Option<String>,
    /// The tenant that who comes this way belongs to. Default: none, the hub as a whole.
    pub(crate) tenant: Option<At<String>>,
    /// Role of who is made at a first sign-in, or is in no group below: owner, admin, member, guest, or the id of a role. Default: none; without a group nobody comes in.
    pub(crate) role: Option<At<String>>,
    /// The claim that lists groups; a dot leads into an object, as in realm_access.roles. Default: groups.
    pub(crate) groups_claim: Option<String>,
    /// What groups stand for. Role and teams follow them at each sign-in; of several roles the first one here counts.
    pub(crate) group: Vec<At<Group>>,
    /// Only verified e-mail addresses of these domains come in; empty = all.
    pub(crate) email_domains: Vec<At<String>>,
    /// Make users at their first sign-in? Default: true.
    pub(crate) create_users: Option<bool>,
    /// Does a verified e-mail address make somebody the user who has it? Only for providers that alone decide who has which address. Default: false.
    pub(crate) link_by_email: Option<bool>,
    /// Ask who has set up one-time codes in the hub for one, after the provider has said who they are. Default: false, the provider's word is enough.
    pub(crate) one_time_codes: Option<bool>,
    /// PEM file of a private CA.
    pub(crate) ca_file: Option<At<String>>,
}

/// What a group of a provider stands for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name"]))]
pub(crate) struct Group {
    /// As the provider writes it.
    pub(crate) name: Option<At<String>>,
    /// owner, admin, member, guest, or the id of a role.
    pub(crate) role: Option<String>,
    /// Names or ids of teams.
    pub(crate) teams: Vec<String>,
}
