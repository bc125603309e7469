//! Forms and queries: names and values, each name once (RFC 6749 §3.1).

use super::refused::Refused;
use crate::admin::api::{Incoming, pairs};
use axum::http::header;
use std::collections::HashMap;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Form(HashMap<String, String>);

impl Form {
    /// The body of a request.
    ///
    /// # Errors
    /// When it is no form, or says something twice.
    pub(super) fn read(incoming: &Incoming) -> Result<Self, Refused> {
        let kind = incoming.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
        if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")) {
            return Err(Refused::invalid_request("send a form: application/x-www-form-urlencoded"));
        }
        let text = std::str::from_utf8(&incoming.body);
        Self::of(text.map_err(|_| Refused::invalid_request("the body is no text"))?)
    }

    /// A query.
    ///
    /// # Errors
    /// When it says something twice.
    pub(super) fn of(text: &str) -> Result<Self, Refused> {
        let mut members = HashMap::new();
        for (name, value) in pairs(text) {
            if members.insert(name, value).is_some() {
                return Err(Refused::invalid_request("a parameter is there twice"));
            }
        }
        // What is empty counts as left out.
        members.retain(|_, value| !value.is_empty());
        Ok(Self(members))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// One that must be there.
    pub(super) fn need(&self, name: &'static str) -> Result<&str, Refused> {
        self.get(name).ok_or_else(|| Refused::invalid_request(format!("{name} is missing")))
    }
}
