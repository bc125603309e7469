//! `[notices]` and `[mail]`: what the hub tells by itself.

use super::SecretSource;
use crate::config::at::{At, Period};
use schemars::JsonSchema;
use serde::Deserialize;

/// What the hub tells by itself, to webhooks and by e-mail; who is told is managed by the API.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Notices {
    /// After this long a delivery is given up; it can be replayed. Default: 1d.
    pub(crate) give_up: Option<At<Period>>,
    /// Addresses and CIDRs that are not public and may be told all the same, also without TLS. Default: none.
    pub(crate) allow: Vec<At<String>>,
}

/// The mail server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["host", "from"]))]
pub(crate) struct Mail {
    /// Its name.
    pub(crate) host: Option<At<String>>,
    /// Its port. Default: 465 with tls, 587 with starttls, 25 with none.
    pub(crate) port: Option<At<u16>>,
    /// How the way there is secured. Default: tls.
    pub(crate) security: Option<Security>,
    /// Name to sign in with. Default: none, and no password.
    pub(crate) user: Option<At<String>>,
    /// Password to sign in with.
    pub(crate) password: Option<At<SecretSource>>,
    /// Who e-mails are from: hub@example.com, or Hub <hub@example.com>.
    pub(crate) from: Option<At<String>>,
}

/// How the way to the mail server is secured.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "MailSecurity")]
pub(crate) enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS before anything is said; never without.
    StartTls,
    /// Not at all; for a server on the same machine.
    None,
}
