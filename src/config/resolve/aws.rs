//! AWS's regions, and its pairs of keys in place of one secret.

use super::Resolver;
use crate::config::at::At;
use crate::config::raw::TextOrSecret;
use crate::config::{BaseUrl, raw};
use crate::provider::{Auth, AwsKeys, Vendor};
use crate::types::Secret;
use http::HeaderValue;
use std::ops::Range;

/// What stands for the region in a vendor's address.
const REGION: &str = "{region}";
/// Variables that AWS's own tools read.
const REGION_NAMES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
const ID_NAME: &str = "AWS_ACCESS_KEY_ID";
const SECRET_NAME: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN_NAME: &str = "AWS_SESSION_TOKEN";
const LONGEST_REGION: usize = 32;

/// What a credential proves itself by.
pub(super) enum Proof {
    /// Nothing.
    Nothing,
    /// A secret that is sent.
    Secret(Secret),
    /// Keys that sign.
    Keys(AwsKeys),
}

impl Resolver<'_> {
    /// The region as it is written, or as the environment says.
    pub(super) fn region(&mut self, raw: &raw::Provider, vendor: &Vendor) -> Option<String> {
        let Some(at) = &raw.region else { return self.region_around() };
        if !matches!(vendor.auth, Auth::SigV4(_)) {
            self.notes.at(&at.span, format!("means nothing to vendor {}", vendor.name));
            return None;
        }
        let region = is_region(&at.value).then(|| at.value.clone());
        self.note(&at.span, region.ok_or("is no region; write it like \"us-east-1\""))
    }

    /// The region that the environment names.
    pub(super) fn region_around(&self) -> Option<String> {
        let found = REGION_NAMES.iter().find_map(|name| self.environment.get(name));
        found.filter(|region| is_region(region)).map(str::to_owned)
    }

    /// A vendor's address in a region. `None`, and noted: there has to be one, and there is none.
    pub(super) fn regional(
        &mut self,
        url: &str,
        region: Option<&str>,
        span: &Range<usize>,
    ) -> Option<String> {
        if !url.contains(REGION) {
            return Some(url.to_owned());
        }
        let Some(region) = region else {
            self.notes.below(span, "region", "is missing, and AWS_REGION is not set; or write base_url");
            return None;
        };
        let url = url.replace(REGION, region);
        // China's regions are a cloud of their own.
        Some(if region.starts_with("cn-") { format!("{url}.cn") } else { url })
    }

    /// Does a credential speak of a pair of keys?
    pub(super) fn names_keys(raw: &raw::Credential) -> bool {
        raw.access_key_id.is_some() || raw.secret_access_key.is_some() || raw.session_token.is_some()
    }

    /// The pair of keys of a credential. Everything that is wrong with it is noted.
    pub(super) fn keys(
        &mut self,
        item: &At<raw::Credential>,
        vendor: &Vendor,
        region: Option<&str>,
    ) -> Option<AwsKeys> {
        let raw = &item.value;
        if !matches!(vendor.auth, Auth::SigV4(_)) {
            let text =
                format!("is a pair of keys, which vendor {} does not take; write env or file", vendor.name);
            self.notes.at(&item.span, text);
            return None;
        }
        if raw.env.is_some() || raw.file.is_some() {
            self.notes.at(&item.span, "names both a secret and a pair of keys; which one?");
        }
        for (name, missing) in [
            ("access_key_id", raw.access_key_id.is_none()),
            ("secret_access_key", raw.secret_access_key.is_none()),
        ] {
            if missing {
                self.notes.below(&item.span, name, "is missing; a pair of keys has both");
            }
        }
        if region.is_none() {
            self.notes.at(&item.span, "signs for a region; write region = \"…\", or set AWS_REGION");
        }
        let id = raw.access_key_id.as_ref().and_then(|at| match &at.value {
            TextOrSecret::Text(text) => Some(Secret::new(text.trim())),
            TextOrSecret::Secret(source) => self.secret(&at.span, source),
        });
        let mut secret =
            |at: &Option<At<raw::SecretSource>>| at.as_ref().and_then(|at| self.secret(&at.span, &at.value));
        let (secret, token) = (secret(&raw.secret_access_key), secret(&raw.session_token));
        if raw.session_token.is_some() && token.is_none() {
            return None;
        }
        let (id, secret) = (id?, secret?);
        if !is_sendable(&id) || token.as_ref().is_some_and(|token| !is_sendable(token)) {
            self.notes.at(&item.span, "has characters that no header may have");
            return None;
        }
        Some(AwsKeys::new(id.expose(), &secret, token.as_ref(), region?))
    }

    /// The pair of keys in the environment, for vendors that take one.
    pub(super) fn keys_around(&self, vendor: &Vendor, region: Option<&str>) -> Option<AwsKeys> {
        let get = |name| self.environment.get(name).map(Secret::new).filter(is_sendable);
        let (id, secret) = (get(ID_NAME)?, self.environment.get(SECRET_NAME).map(Secret::new)?);
        let takes = matches!(vendor.auth, Auth::SigV4(_));
        takes.then_some(AwsKeys::new(id.expose(), &secret, get(TOKEN_NAME).as_ref(), region?))
    }
}

/// The region to sign for: the one that is written, else the one that AWS's own host names, else
/// that of the environment.
pub(super) fn signing_region(
    raw: &raw::Provider,
    base: Option<&BaseUrl>,
    region: Option<&str>,
) -> Option<String> {
    let named = base.filter(|_| raw.region.is_none()).and_then(|base| of_host(&base.host));
    named.or(region).map(str::to_owned)
}

/// The region in a host of AWS's, also of a private endpoint: it stands behind the service's name.
fn of_host(host: &str) -> Option<&str> {
    let inner = host.strip_suffix(".cn").unwrap_or(host).strip_suffix(".amazonaws.com")?;
    let mut labels = inner.split('.').skip_while(|label| !label.starts_with("bedrock-runtime"));
    labels.nth(1).filter(|region| is_region(region))
}

fn is_region(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.len() <= LONGEST_REGION && text.chars().all(fits)
}

/// May it stand in a header?
fn is_sendable(secret: &Secret) -> bool {
    !secret.expose().contains(' ') && HeaderValue::from_str(secret.expose()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_found_in_awss_own_hosts_only() {
        for (host, expected) in [
            ("bedrock-runtime.us-east-1.amazonaws.com", Some("us-east-1")),
            ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            ("vpce-0a1b.bedrock-runtime.eu-central-1.vpce.amazonaws.com", Some("eu-central-1")),
            ("bedrock-runtime.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("bedrock-runtime.us-east-1.example.com", None),
            ("bedrock-runtime.amazonaws.com", None),
            ("localhost", None),
        ] {
            assert_eq!(of_host(host), expected, "{host}");
        }
    }
}
