//! Refusals, in exactly the form that OAuth gives them (RFC 6749 §5.2), or as
//! a page for people.

use super::said::Said;
use crate::admin::api::Problem;
use crate::admin::directory::Unwritten;
use axum::http::{StatusCode, header};
use serde_json::json;
use std::borrow::Cow;
use std::time::Duration;

/// See the module.
#[derive(Debug)]
pub(super) struct Refused {
    pub status: StatusCode,
    /// One of OAuth's codes.
    pub error: &'static str,
    pub text: Cow<'static, str>,
    /// The client tried HTTP's own authentication, and is told so in its form.
    pub basic: bool,
    pub retry_after: Option<Duration>,
}

impl Refused {
    pub(super) fn new(error: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, text: text.into(), basic: false, retry_after: None }
    }

    pub(super) fn invalid_request(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new("invalid_request", text)
    }

    pub(super) fn invalid_grant(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new("invalid_grant", text)
    }

    /// The text is the same whatever was wrong.
    pub(super) fn invalid_client(basic: bool) -> Self {
        let text = "the client is not known, or did not prove who it is";
        Self { status: StatusCode::UNAUTHORIZED, basic, ..Self::new("invalid_client", text) }
    }

    pub(super) fn unavailable(text: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, ..Self::new("temporarily_unavailable", text) }
    }

    pub(super) fn too_often(wait: Duration) -> Self {
        let text = "too many failures; wait before you try again";
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self { status, retry_after: Some(wait), ..Self::new("temporarily_unavailable", text) }
    }

    /// For people.
    pub(super) fn page(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status, ..Self::new("invalid_request", text) }
    }

    pub(super) fn of_problem(problem: Problem) -> Self {
        let (status, retry_after) = (problem.status, problem.retry_after);
        Self { status, retry_after, ..Self::new("access_denied", problem.detail) }
    }

    /// As programs read it.
    pub(super) fn said(&self) -> Said {
        let body = json!({ "error": self.error, "error_description": self.text });
        let mut said = Said::json(self.status, &body);
        if self.basic {
            said = said.header(header::WWW_AUTHENTICATE, "Basic realm=\"AIGNE Hub\"");
        }
        if let Some(wait) = self.retry_after {
            said = said.header(header::RETRY_AFTER, wait.as_secs().saturating_add(1).to_string());
        }
        said
    }
}

impl From<Unwritten> for Refused {
    fn from(error: Unwritten) -> Self {
        Self::unavailable(error.to_string())
    }
}
