//! Asking Stripe.

use super::{Till, unavailable, wallet_of};
use crate::admin::api::Problem;
use crate::admin::outside::Request;
use crate::billing::Account;
use crate::billing::stripe::{Ask, Method, VERSION, customer};
use crate::control::Kind;
use crate::types::TenantId;
use axum::http::StatusCode;
use serde_json::Value;

/// What came of a question.
pub(super) enum Said {
    /// Yes.
    Done(Value),
    /// No, for good.
    Refused(u16, Value),
    /// Nobody knows; to be asked again, in the same words.
    Unclear(String),
}

impl Till<'_> {
    /// Asks, and gives the object.
    ///
    /// # Errors
    /// A refusal, or that Stripe cannot be reached, for whoever waits for the answer.
    pub(in crate::admin) fn ask(&self, ask: &Ask) -> Result<Value, Problem> {
        match self.put(ask)? {
            Said::Done(object) => Ok(object),
            Said::Refused(status, words) => {
                let words = words["error"]["message"].as_str().unwrap_or("no reason given");
                let text = format!("Stripe refused ({status}): {words}");
                tracing::warn!(path = ask.path, status, words, "Stripe refused");
                Err(Problem::new(StatusCode::BAD_GATEWAY, text))
            }
            Said::Unclear(why) => Err(unavailable(format!("Stripe cannot be asked now: {why}"))),
        }
    }

    pub(super) fn put(&self, ask: &Ask) -> Result<Said, Problem> {
        let stripe = self.stripe()?;
        let authorization = format!("Bearer {}", stripe.secret_key.expose());
        let mut headers = vec![
            ("authorization", authorization.as_str()),
            ("stripe-version", VERSION),
            ("user-agent", concat!("aigne-hub/", env!("CARGO_PKG_VERSION"))),
            ("accept", "application/json"),
        ];
        let method = match ask.method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        if ask.method == Method::Post {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
        }
        headers.extend(ask.key.as_deref().map(|key| ("idempotency-key", key)));
        let (path, body) = (ask.path.as_str(), ask.form.as_bytes());
        let request = Request { method, base: &stripe.api, path, headers: &headers, body };
        let answer = match self.directory.outside.ask(&request) {
            Ok(answer) => answer,
            Err(error) => return Ok(Said::Unclear(error.to_string())),
        };
        let object = serde_json::from_slice::<Value>(&answer.body);
        Ok(match (answer.status, object) {
            (200..=299, Ok(object)) => Said::Done(object),
            // Another request with this key is running, or there were too many.
            (409 | 429 | 500..=599, _) | (200..=299, Err(_)) => {
                Said::Unclear(format!("status {}", answer.status))
            }
            (status, object) => Said::Refused(status, object.unwrap_or_default()),
        })
    }

    /// Stripe's id of a tenant; it is made known there the first time.
    ///
    /// # Errors
    /// Those of [`Till::ask`].
    pub(in crate::admin) fn customer(&self, tenant: &TenantId) -> Result<String, Problem> {
        let state = self.directory.state();
        let known = state.get(Kind::Account, tenant.as_str());
        if let Some(id) = known.and_then(|record| wallet_of(record).customer) {
            return Ok(id);
        }
        let email = known.and_then(|record| record.is::<Account>()?.email.clone());
        let made = self.ask(&customer(tenant.as_str(), email.as_deref()))?;
        let id = made["id"].as_str().ok_or_else(|| unavailable("Stripe's answer names no customer"))?;
        let record = self.change_account("billing-account.customer", tenant, |_, wallet| {
            wallet.customer.get_or_insert_with(|| id.to_owned());
        })?;
        wallet_of(&record).customer.ok_or_else(Problem::not_found)
    }
}
