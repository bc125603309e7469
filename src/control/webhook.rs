//! Webhooks: what is right about one, and what its notices are signed with.

use super::check::{Check, LONGEST_COMMENT};
use super::{Moment, Sealed, Vault, VaultError, Webhook};
use crate::types::{Secret, Wall};
use serde::{Deserialize, Serialize};

/// Longest URL.
const LONGEST_URL: usize = 2_000;
/// Addresses that one `mailto:` may name.
const MOST_ADDRESSES: usize = 20;

/// What a webhook's notices are signed with.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct WebhookSecret {
    /// The secret in use.
    pub sealed: Sealed,
    /// The one before it, and how long notices are signed with both.
    pub previous: Option<(Sealed, Moment)>,
}

impl WebhookSecret {
    /// The secrets to sign with at `now`, the one in use first.
    ///
    /// # Errors
    /// When the one in use does not open.
    pub fn open(&self, vault: &Vault, id: &str, now: Wall) -> Result<Vec<Secret>, VaultError> {
        let owner = webhook_owner(id);
        let mut secrets = vec![vault.open(&owner, &self.sealed)?];
        if let Some((sealed, until)) = &self.previous
            && until.0 > now
        {
            secrets.extend(vault.open(&owner, sealed));
        }
        Ok(secrets)
    }
}

/// What a webhook's secret is sealed for.
pub fn webhook_owner(id: &str) -> String {
    format!("webhook/{id}")
}

/// The addresses that a `mailto:` names; `None` when it is another URL.
pub fn mail_addresses(url: &str) -> Option<Vec<String>> {
    let list = url.strip_prefix("mailto:")?;
    Some(list.split(',').map(|address| address.trim().to_owned()).collect())
}

impl Check<'_> {
    pub(super) fn webhook(&mut self, body: &Webhook) {
        self.text("url", &body.url, LONGEST_URL);
        self.text("comment", &body.comment, LONGEST_COMMENT);
        self.list("events", body.events.len());
        self.fixed::<Webhook, _>("url", |webhook| webhook.url.starts_with("mailto:"));
        match mail_addresses(&body.url) {
            Some(addresses) if addresses.len() > MOST_ADDRESSES => {
                self.fault("url", format!("names more than {MOST_ADDRESSES} addresses"));
            }
            Some(addresses) => {
                for address in addresses.iter().filter(|address| !plausible(address)) {
                    self.fault("url", format!("{address:?} is no e-mail address"));
                }
            }
            None => {
                if let Err(error) = web_url(&body.url) {
                    self.fault("url", error);
                }
            }
        }
    }
}

fn plausible(address: &str) -> bool {
    address.parse::<lettre::Address>().is_ok()
}

/// The sender looks again, and at the address, too; here is told what can be told at once.
fn web_url(url: &str) -> Result<(), &'static str> {
    let uri: http::Uri = url.parse().map_err(|_| "is no URL")?;
    if !matches!(uri.scheme_str(), Some("https" | "http")) {
        return Err("begins with https://, or mailto: for e-mail");
    }
    let authority = uri.authority().ok_or("names no host")?;
    match authority.as_str().contains('@') {
        true => Err("has a name or password in it; receivers know us by the signature"),
        false => Ok(()),
    }
}
