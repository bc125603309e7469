//! A refusal in the form of RFC 9457, with everything that is wrong at once.

use crate::admin::directory::Unwritten;
use crate::control::Fault;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    /// What happened, for people.
    pub detail: String,
    /// Single fields that are wrong.
    pub faults: Vec<Fault>,
    /// When it is worth trying again.
    pub retry_after: Option<Duration>,
    /// Belongs into the audit log.
    pub grave: bool,
}

impl Problem {
    /// A refusal.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), faults: Vec::new(), retry_after: None, grave: false }
    }

    /// There is no such thing, or not for you.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such thing, or it is not within your sight")
    }

    /// You may not.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self { grave: true, ..Self::new(StatusCode::FORBIDDEN, detail) }
    }

    /// It cannot be done as things are.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// The request itself is wrong.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// Fields are wrong.
    pub fn faults(faults: Vec<Fault>) -> Self {
        let detail = match faults.len() {
            1 => "one field is wrong".to_owned(),
            n => format!("{n} fields are wrong"),
        };
        Self { faults, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }

    /// One field is wrong.
    pub fn fault(field: &str, detail: impl Into<String>) -> Self {
        Self::faults(vec![Fault::new(field, detail)])
    }

    /// The body of the answer.
    pub fn body(&self) -> Value {
        let title = self.status.canonical_reason().unwrap_or("error");
        json!({
            "type": "about:blank",
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "errors": self.faults,
        })
    }
}

impl From<Unwritten> for Problem {
    fn from(error: Unwritten) -> Self {
        match error {
            Unwritten::Unfit(faults) => {
                Self::faults(faults.into_iter().map(|(field, text)| Fault::new(field, text)).collect())
            }
            Unwritten::Disk(_) | Unwritten::Snapshot(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
        }
    }
}
