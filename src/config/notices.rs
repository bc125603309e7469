//! Settings of notices, resolved.

use crate::access::AddressSet;
use crate::types::Secret;
use std::time::Duration;

/// How notices are brought out.
#[derive(Clone)]
pub struct NoticeSettings {
    /// After this long a delivery is given up.
    pub give_up: Duration,
    /// Addresses that are not public and may be told all the same.
    pub allow: AddressSet,
    /// The mail server; `None`: there are no e-mails.
    pub mail: Option<MailSettings>,
}

/// The mail server, and how to speak to it.
#[derive(Clone)]
pub struct MailSettings {
    /// Its name, which its certificate must have.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way there is secured.
    pub security: MailSecurity,
    /// Name and password, if it wants any.
    pub login: Option<(String, Secret)>,
    /// Who the e-mails are from.
    pub from: String,
}

/// How the way to the mail server is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailSecurity {
    /// TLS from the first byte.
    Tls,
    /// TLS before anything is said; never without.
    StartTls,
    /// Not at all.
    None,
}

impl Default for NoticeSettings {
    fn default() -> Self {
        Self { give_up: Duration::from_secs(24 * 60 * 60), allow: AddressSet::default(), mail: None }
    }
}
