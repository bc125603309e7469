//! Asking Stripe.

use super::{Till, unavailable, wallet_of};
use crate::admin::api::Problem;
use crate::billing::Account;
use crate::billing::stripe::{Ask, Method, VERSION, customer};
use crate::config::BaseUrl;
use crate::control::Kind;
use crate::fetch::{self, Answer, Bounds, Reach};
use crate::types::{Secret, TenantId};
use axum::http::{self, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;
use std::time::Duration;

const BOUNDS: Bounds =
    Bounds { connect: Duration::from_secs(10), answer: Duration::from_secs(30), largest: Some(4 << 20) };

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
        let mut headers = vec![
            (header::AUTHORIZATION, bearer(&stripe.secret_key)?),
            (HeaderName::from_static("stripe-version"), HeaderValue::from_static(VERSION)),
            (header::ACCEPT, HeaderValue::from_static("application/json")),
        ];
        let method = match ask.method {
            Method::Get => http::Method::GET,
            Method::Post => http::Method::POST,
        };
        if ask.method == Method::Post {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.push((header::CONTENT_TYPE, form));
        }
        if let Some(key) = &ask.key {
            let key = HeaderValue::from_str(key).map_err(unavailable)?;
            headers.push((HeaderName::from_static("idempotency-key"), key));
        }
        let url = url(&stripe.api, &ask.path);
        let answer = match self.outside(method, &url, headers, ask.form.clone().into_bytes()) {
            Ok(answer) => answer,
            Err(error) => return Ok(Said::Unclear(error)),
        };
        let object = serde_json::from_slice::<Value>(&answer.body);
        Ok(match (answer.status.as_u16(), object) {
            (200..=299, Ok(object)) => Said::Done(object),
            // Another request with this key is running, or there were too many.
            (409 | 429 | 500..=599, _) | (200..=299, Err(_)) => {
                Said::Unclear(format!("status {}", answer.status.as_u16()))
            }
            (status, object) => Said::Refused(status, object.unwrap_or_default()),
        })
    }

    /// Asks whom the configuration names.
    pub(super) fn outside(
        &self,
        method: http::Method,
        url: &str,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: Vec<u8>,
    ) -> Result<Answer, String> {
        let ask = fetch::Ask { method, url, headers, body, ca: None, reach: Reach::Anywhere, bounds: BOUNDS };
        self.directory.outside.ask_and_wait(ask)
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

/// Below a base; a port is named only where it is not the scheme's own.
pub(super) fn url(base: &BaseUrl, below: &str) -> String {
    let BaseUrl { tls, host, port, path } = base;
    let (scheme, own) = if *tls { ("https", 443) } else { ("http", 80) };
    match *port == own {
        true => format!("{scheme}://{host}{path}{below}"),
        false => format!("{scheme}://{host}:{port}{path}{below}"),
    }
}

pub(super) fn bearer(secret: &Secret) -> Result<HeaderValue, Problem> {
    let text = format!("Bearer {}", secret.expose());
    let value = HeaderValue::from_str(&text);
    let mut value =
        value.map_err(|_| unavailable("the secret key has characters that no header may have"))?;
    value.set_sensitive(true);
    Ok(value)
}
