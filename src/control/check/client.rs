//! What is wrong with an OAuth client.

use super::{Check, LONGEST_LIST};
use crate::access::ModelFilter;
use crate::control::Kind;
use crate::control::authority::fits;
use crate::control::oauth::{Client, ClientType, GrantType, redirect_fault};

impl Check<'_> {
    pub(super) fn client(&mut self, body: &Client) {
        self.name(&body.name);
        self.fixed::<Client, _>("type", |client| client.kind);
        self.fixed::<Client, _>("app", |client| client.app.clone());
        if let Some(page) = &body.home_page {
            let web = page.starts_with("https://") || page.starts_with("http://");
            if !web || redirect_fault(&page.replacen("http://", "https://", 1)).is_some() {
                self.fault("home_page", "is no http or https URL");
            }
        }
        self.list("redirect_uris", body.redirect_uris.len());
        for (index, uri) in body.redirect_uris.iter().take(LONGEST_LIST).enumerate() {
            if let Some(fault) = redirect_fault(uri) {
                self.fault(&format!("redirect_uris[{index}]"), fault);
            }
        }
        if body.may(GrantType::AuthorizationCode) && body.redirect_uris.is_empty() {
            self.fault("redirect_uris", "is empty, so nobody could be sent back");
        }
        if body.may(GrantType::ClientCredentials) && body.kind == ClientType::Public {
            self.fault("grants", "a public client cannot prove that it acts for itself");
        }
        if let Some(app) = &body.app {
            self.reference("app", Kind::App, app);
        }
        for (index, scope) in body.scopes.iter().enumerate() {
            if !fits(*scope, self.after.tenant.as_ref()) {
                self.fault(&format!("scopes[{index}]"), "concerns the hub as a whole, not a tenant");
            }
        }
        self.list("models", body.models.len());
        for (index, pattern) in body.models.iter().enumerate().take(LONGEST_LIST) {
            if let Err(error) = ModelFilter::new(vec![pattern.clone()]) {
                self.fault(&format!("models[{index}]"), error);
            }
        }
    }
}
