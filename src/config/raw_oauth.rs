//! What a configuration file may say about access tokens, as `raw` does for
//! the rest.

use super::at::{At, Money, Period};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Access tokens: those that the hub issues, and those of others that it takes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OAuth {
    /// Does the hub issue tokens? Default: true; nobody gets one before there is a client.
    pub(crate) enabled: Option<bool>,
    /// The hub's own address, as browsers and programs see it: "https://hub.example.com". Default: as each request names it.
    pub(crate) issuer: Option<At<String>>,
    /// How long an access token works. Default: 1h.
    pub(crate) access_token: Option<At<Period>>,
    /// How long a refresh token works that is not used. Default: 30d.
    pub(crate) refresh_token: Option<At<Period>>,
    /// How long a code waits for its exchange; at most 10m. Default: 60s.
    pub(crate) code: Option<At<Period>>,
    /// How long a device waits for its user. Default: 10m.
    pub(crate) device_code: Option<At<Period>>,
    /// Others whose tokens (JWT) are taken like keys.
    pub(crate) issuers: Vec<At<Issuer>>,
}

/// Somebody whose tokens are taken.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["issuer", "audience"]))]
pub(crate) struct Issuer {
    /// What its tokens say in `iss`, character by character.
    pub(crate) issuer: Option<At<String>>,
    /// What they must say in `aud`; one of these.
    pub(crate) audience: Option<Vec<At<String>>>,
    /// How they may be signed: RS256, RS384, RS512, PS256, ES256, ES384, EdDSA. Default: RS256, ES256 and EdDSA.
    pub(crate) algorithms: Option<Vec<At<String>>>,
    /// Where its keys are.
    pub(crate) jwks_url: Option<At<String>>,
    /// Or the file that holds them, relative to this file.
    pub(crate) jwks_file: Option<At<String>>,
    /// By how much clocks may differ. Default: 60s.
    pub(crate) leeway: Option<At<Period>>,
    /// Who pays for all of its tokens.
    pub(crate) tenant: Option<At<String>>,
    /// Or the claim that says who pays.
    pub(crate) tenant_claim: Option<At<String>>,
    /// What the claim's values mean. Without it they are tenants themselves; with it no other value is taken.
    pub(crate) tenants: BTreeMap<String, At<String>>,
    /// The claim that names the caller. Default: sub.
    pub(crate) user_claim: Option<At<String>>,
    /// The claim that names the program. Default: client_id.
    pub(crate) app_claim: Option<At<String>>,
    /// The claim that says what the token is for. Default: scope.
    pub(crate) scope_claim: Option<At<String>>,
    /// What must be in it. Default: nothing.
    pub(crate) required_scope: Option<At<String>>,
    /// The claim that names models, a text with blanks or a list. Default: none.
    pub(crate) models_claim: Option<At<String>>,
    /// Models that its tokens may name, with `*`; empty = all.
    pub(crate) models: Vec<At<String>>,
    /// Requests a minute, of each caller.
    pub(crate) requests_per_minute: Option<At<u64>>,
    /// Tokens a minute, in and out.
    pub(crate) tokens_per_minute: Option<At<u64>>,
    /// Requests at once.
    pub(crate) concurrency: Option<At<u32>>,
    /// Tokens a UTC day.
    pub(crate) day_tokens: Option<At<u64>>,
    /// Tokens a UTC month.
    pub(crate) month_tokens: Option<At<u64>>,
    /// Money a UTC day, "12.50".
    pub(crate) day_cost: Option<At<Money>>,
    /// Money a UTC month, "250".
    pub(crate) month_cost: Option<At<Money>>,
}
