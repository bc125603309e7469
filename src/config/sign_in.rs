//! How people sign in besides by password.

use crate::types::{Secret, TenantId};
use std::sync::Arc;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct SignIn {
    /// Where browsers reach the admin listener, without a slash at the end; set when there is a provider.
    pub url: String,
    /// Providers of identities, in the order of the file.
    pub providers: Vec<Arc<SignInProvider>>,
}

/// A provider of identities, by OpenID Connect.
#[derive(Clone, Debug)]
pub struct SignInProvider {
    /// Its name in paths.
    pub id: String,
    /// As it calls itself.
    pub issuer: String,
    /// What it knows the hub as.
    pub client_id: String,
    /// The hub's secret there; `None`: a public client.
    pub client_secret: Option<Secret>,
    /// Is the secret sent in the body? `None`: as the provider's metadata says.
    pub secret_in_body: Option<bool>,
    /// What is asked for, `openid` first.
    pub scopes: Vec<String>,
    /// What people see.
    pub label: String,
    /// Where who comes this way belongs; `None`: to the hub as a whole.
    pub tenant: Option<TenantId>,
    /// Role of who is in no group that counts; `None`: they do not come in.
    pub role: Option<String>,
    /// The claim that lists groups.
    pub groups_claim: String,
    /// What groups stand for, the most important first; empty: groups decide nothing.
    pub groups: Vec<GroupGrant>,
    /// Domains of verified e-mail addresses that may come in; empty: all.
    pub email_domains: Vec<String>,
    /// Is who is not known made a user?
    pub create_users: bool,
    /// Does a verified e-mail address make somebody the user who has it?
    pub link_by_email: bool,
    /// Is who has one-time codes asked for one?
    pub one_time_codes: bool,
    /// A private CA, as DER.
    pub ca: Option<Vec<Vec<u8>>>,
}

/// What a group stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupGrant {
    /// As the provider writes it.
    pub name: String,
    /// The role that it brings, if it brings one.
    pub role: Option<String>,
    /// Names or ids of teams that it brings into.
    pub teams: Vec<String>,
}

impl SignIn {
    /// The provider of this id.
    pub fn provider(&self, id: &str) -> Option<&Arc<SignInProvider>> {
        self.providers.iter().find(|provider| provider.id == id)
    }
}

#[cfg(test)]
impl SignInProvider {
    /// One that lets everybody in as a guest.
    pub fn for_tests() -> Self {
        Self {
            id: "corp".to_owned(),
            issuer: "https://op.test".to_owned(),
            client_id: "hub".to_owned(),
            client_secret: None,
            secret_in_body: None,
            scopes: vec!["openid".to_owned()],
            label: "Corp".to_owned(),
            tenant: None,
            role: Some("guest".to_owned()),
            groups_claim: "groups".to_owned(),
            groups: Vec::new(),
            email_domains: Vec::new(),
            create_users: true,
            link_by_email: false,
            one_time_codes: false,
            ca: None,
        }
    }
}
