//! Answers. None of them may be kept by anybody, and no page may be framed,
//! sniffed, or told to the next site as where somebody comes from.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::Value;

/// One answer.
#[derive(Debug)]
pub(super) struct Said {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, String)>,
    pub body: String,
}

impl Said {
    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    pub(super) fn json(status: StatusCode, body: &Value) -> Self {
        let said = Self { body: body.to_string(), ..Self::empty(status) };
        said.header(header::CONTENT_TYPE, "application/json")
    }

    /// A page; `policy` is its content security policy.
    pub(super) fn page(status: StatusCode, body: String, policy: String) -> Self {
        let said = Self { body, ..Self::empty(status) };
        said.header(header::CONTENT_TYPE, "text/html; charset=utf-8")
            .header(header::CONTENT_SECURITY_POLICY, policy)
            .header(header::X_FRAME_OPTIONS, "DENY")
    }

    /// To another place, by GET whatever this was.
    pub(super) fn see_other(place: &str) -> Self {
        Self::empty(StatusCode::SEE_OTHER).header(header::LOCATION, place)
    }

    pub(super) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn with_request(self, name: &str) -> Self {
        self.header(HeaderName::from_static("x-request-id"), name)
    }

    /// Pages of other origins may read it.
    pub(super) fn for_everybody(self) -> Self {
        self.header(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
    }

    /// What a browser asks before it lets a page of another origin call.
    pub(super) fn preflight(self, method: &str) -> Self {
        self.for_everybody()
            .header(header::ACCESS_CONTROL_ALLOW_METHODS, method)
            .header(header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type")
            .header(header::ACCESS_CONTROL_MAX_AGE, "600")
    }

    pub(super) fn response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.append(name, value);
            }
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }
}

/// For when nothing of this is switched on.
pub(super) fn nothing_here() -> Response {
    Said::empty(StatusCode::NOT_FOUND).response()
}
