//! Programs that ask people for their leave, or act for themselves.

use super::Scopes;
use crate::control::hex::as_text;
use crate::control::{Permission, Previous, Switch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A program that gets access tokens (an OAuth client).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name"]))]
pub struct Client {
    /// What people read when they are asked for their consent.
    pub name: String,
    /// Where people learn more about it; an http or https URL.
    pub home_page: Option<String>,
    /// public or confidential: can it keep a secret? Fixed when it is made.
    #[serde(rename = "type")]
    pub kind: ClientType,
    /// Where people are sent back to, compared character by character; the port of `http://127.0.0.1` and `http://[::1]` is free.
    pub redirect_uris: Vec<String>,
    /// How it may get tokens; empty = authorization_code and refresh_token.
    pub grants: Vec<GrantType>,
    /// What it may ask for; empty = inference.
    pub scopes: Vec<Permission>,
    /// Models its tokens may name, with `*`; empty = all.
    pub models: Vec<String>,
    /// Id of the app whose role bounds tokens that it gets for itself; none: they can only call models. Fixed when it is made.
    pub app: Option<String>,
    /// Switched off, it gets no tokens and those it has do not work.
    pub enabled: Switch,
}

/// Can a program keep a secret?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientType {
    /// No: it runs on people's own devices.
    #[default]
    Public,
    /// Yes: it runs on a server.
    Confidential,
}

/// Ways to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// A person is sent here, and back with a code.
    AuthorizationCode,
    /// A token that is over is replaced.
    RefreshToken,
    /// The program acts for itself.
    ClientCredentials,
    /// A person types a code that a device shows (RFC 8628).
    DeviceCode,
}

impl GrantType {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::AuthorizationCode, Self::RefreshToken, Self::ClientCredentials, Self::DeviceCode];

    /// As requests and metadata name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
        }
    }

    /// By its name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.name() == text)
    }
}

impl Client {
    /// May it get tokens this way?
    pub fn may(&self, grant: GrantType) -> bool {
        match self.grants.is_empty() {
            true => matches!(grant, GrantType::AuthorizationCode | GrantType::RefreshToken),
            false => self.grants.contains(&grant),
        }
    }

    /// The most it may ask for.
    pub fn most(&self) -> Scopes {
        let permissions = match self.scopes.is_empty() {
            true => [Permission::Inference].into_iter().collect(),
            false => self.scopes.iter().copied().collect(),
        };
        Scopes { permissions, models: self.models.clone() }
    }
}

/// How a confidential client is recognised.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientSecret {
    /// The first characters, for people.
    pub prefix: String,
    /// Keyed hash of the secret.
    #[serde(with = "as_text")]
    pub hash: [u8; 32],
    /// The secret before the last rotation, while it still works.
    pub previous: Option<Previous>,
}
