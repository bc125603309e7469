//! `[sign_in]`.

use super::Resolver;
use super::base::base_url;
use crate::config::at::At;
use crate::config::raw;
use crate::config::{GroupGrant, SignIn, SignInProvider};
use crate::types::TenantId;
use std::collections::HashSet;
use std::sync::Arc;

/// What is asked for unless the file says otherwise.
const SCOPES: [&str; 3] = ["openid", "email", "profile"];
const GROUPS_CLAIM: &str = "groups";
const LONGEST_ID: usize = 32;

impl Resolver<'_> {
    pub(super) fn sign_in(&mut self, raw: &raw::SignIn) -> SignIn {
        let url = raw.url.as_ref().and_then(|at| self.web_address(at));
        let mut ids = HashSet::new();
        let mut providers = Vec::new();
        for at in &raw.oidc {
            if let Some(id) = &at.value.id
                && !ids.insert(id.value.as_str())
            {
                self.notes.at(&id.span, format!("{:?} is already the id of another provider", id.value));
            }
            if raw.url.is_none() {
                self.notes.below(&at.span, "id", "needs sign_in.url, where providers send people back");
            }
            providers.extend(self.identity_provider(at).map(Arc::new));
        }
        SignIn { url: url.unwrap_or_default(), providers }
    }

    fn identity_provider(&mut self, at: &At<raw::Oidc>) -> Option<SignInProvider> {
        let raw = &at.value;
        let id = raw.id.as_ref().and_then(|id| {
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            let good = (1..=LONGEST_ID).contains(&id.value.len()) && id.value.chars().all(fits);
            let wrong = format!("has small letters, digits and '-' only, at most {LONGEST_ID}");
            self.note(&id.span, good.then(|| id.value.clone()).ok_or(wrong))
        });
        let issuer = raw.issuer.as_ref().and_then(|at| {
            self.web_address(at)?;
            // Compared as it is written, also with a slash at its end.
            Some(at.value.clone())
        });
        let client_secret = match &raw.client_secret {
            Some(at) => Some(self.secret(&at.span, &at.value)?),
            None => None,
        };
        let tenant = raw.tenant.as_ref().map(|at| self.note(&at.span, TenantId::parse(&at.value)));
        if raw.role.is_none() && raw.group.is_empty() {
            self.notes.below(&at.span, "role", "is missing, and there is no group: nobody could come in");
        }
        let groups: Vec<GroupGrant> = raw.group.iter().filter_map(|at| group(&at.value)).collect();
        let (scopes, email_domains) = (self.scopes(raw.scopes.as_deref()), self.domains(&raw.email_domains));
        let ca = raw.ca_file.as_ref().map(|file| self.ca(file));
        Some(SignInProvider {
            label: raw.label.clone().or_else(|| id.clone())?,
            id: id?,
            issuer: issuer?,
            client_id: raw.client_id.as_ref()?.value.clone(),
            client_secret,
            secret_in_body: raw.secret_in_body,
            scopes,
            tenant: match tenant {
                Some(tenant) => Some(tenant?),
                None => None,
            },
            role: raw.role.as_ref().map(|at| at.value.clone()),
            groups_claim: raw.groups_claim.clone().unwrap_or_else(|| GROUPS_CLAIM.to_owned()),
            groups,
            email_domains,
            create_users: raw.create_users.unwrap_or(true),
            link_by_email: raw.link_by_email.unwrap_or(false),
            one_time_codes: raw.one_time_codes.unwrap_or(false),
            ca: match ca {
                Some(ca) => Some(ca?),
                None => None,
            },
        })
    }

    /// An address on the web: with TLS, unless it is this machine.
    fn web_address(&mut self, at: &At<String>) -> Option<String> {
        let base = self.note(&at.span, base_url(&at.value))?;
        let here = matches!(base.host.as_str(), "localhost" | "127.0.0.1" | "[::1]");
        if !base.tls && !here {
            self.notes.at(&at.span, "must begin with https://; only this machine may do without");
            return None;
        }
        Some(at.value.trim_end_matches('/').to_owned())
    }

    fn scopes(&mut self, raw: Option<&[At<String>]>) -> Vec<String> {
        let Some(list) = raw else { return SCOPES.map(str::to_owned).to_vec() };
        let mut scopes = vec![SCOPES[0].to_owned()];
        for at in list {
            let fits = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            if at.value.is_empty() || !at.value.bytes().all(fits) {
                self.notes.at(&at.span, format!("{:?} is no scope", at.value));
            } else if !scopes.contains(&at.value) {
                scopes.push(at.value.clone());
            }
        }
        scopes
    }

    fn domains(&mut self, list: &[At<String>]) -> Vec<String> {
        for at in list {
            if at.value.is_empty() || at.value.contains(['@', ' ', '/', '*']) {
                self.notes
                    .at(&at.span, format!("{:?} is no domain; write it like \"example.com\"", at.value));
            }
        }
        list.iter().map(|at| at.value.to_ascii_lowercase()).collect()
    }
}

fn group(raw: &raw::Group) -> Option<GroupGrant> {
    let name = raw.name.as_ref()?.value.clone();
    Some(GroupGrant { name, role: raw.role.clone(), teams: raw.teams.clone() })
}
