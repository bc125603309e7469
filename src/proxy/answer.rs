//! The header of an answer: what of the vendor's is passed on, and what is ours.

use super::job::Job;
use super::upstream::Head;
use super::visit::Visit;
use crate::chat::Dialect;
use crate::limit::{Standing, Window};
use crate::telemetry::CacheStatus;
use crate::wire::translate::AnswerForm;
use crate::wire::transport;
use http::{HeaderName, HeaderValue, header};
use std::time::Duration;

/// Vendor headers that mean something to a caller.
static PASSED: [HeaderName; 7] = [
    header::CONTENT_LANGUAGE,
    header::CONTENT_DISPOSITION,
    HeaderName::from_static("openai-processing-ms"),
    HeaderName::from_static("openai-version"),
    HeaderName::from_static("openai-model"),
    HeaderName::from_static("x-generation-id"),
    HeaderName::from_static("x-should-retry"),
];
pub(super) const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
pub(super) const X_AIGNE_ADAPTED: HeaderName = HeaderName::from_static("x-aigne-adapted");
pub(super) const X_AIGNE_MODEL: HeaderName = HeaderName::from_static("x-aigne-model");
pub(super) const X_AIGNE_PROVIDER: HeaderName = HeaderName::from_static("x-aigne-provider");
pub(super) const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(super) const X_UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// Names under which vendors tell their own id of a request.
static UPSTREAM_IDS: [HeaderName; 3] =
    [X_REQUEST_ID, REQUEST_ID, HeaderName::from_static("x-amzn-requestid")];
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// An answer's header, before it is put in Pingora's terms.
#[derive(Clone, Debug)]
pub(super) struct AnswerHead {
    pub status: u16,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// `None`: the length is not known, the body ends when it ends.
    pub length: Option<u64>,
}

impl AnswerHead {
    pub(super) fn new(status: u16, content_type: &str) -> Self {
        let mut head = Self { status, headers: Vec::with_capacity(12), length: None };
        head.text(header::CONTENT_TYPE, content_type);
        head
    }

    /// Adds a header; a value that cannot be one is left out.
    pub(super) fn text(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
    }

    /// Ours: who answered, under which id, what the limits are.
    pub(super) fn ours(&mut self, job: &Job, visit: &Visit) {
        self.id(visit.dialect, &visit.id.to_string());
        self.named(&visit.provider, &visit.upstream_model);
        limits(&mut self.headers, &job.standing);
        self.headers.extend(job.answer_headers.iter().cloned());
        match visit.cache {
            CacheStatus::Off => {}
            CacheStatus::Miss => self.text(X_CACHE, "miss"),
            CacheStatus::Bypass => self.text(X_CACHE, "bypass"),
            CacheStatus::Hit => self.text(X_CACHE, "hit"),
            CacheStatus::Coalesced => self.text(X_CACHE, "coalesced"),
        }
    }

    /// The request's id, also by the name under which the caller's own client looks for it.
    pub(super) fn id(&mut self, dialect: Dialect, id: &str) {
        self.text(X_REQUEST_ID, id);
        if dialect == Dialect::Anthropic {
            self.text(REQUEST_ID, id);
        }
    }

    fn named(&mut self, provider: &str, model: &str) {
        if !provider.is_empty() {
            self.text(X_AIGNE_PROVIDER, provider);
            self.text(X_AIGNE_MODEL, model);
        }
    }

    /// The header of an answer that a vendor gave.
    pub(super) fn relayed(job: &Job, visit: &Visit, from: &Head, adapted: &[String]) -> Self {
        let content_type = from.headers.get(header::CONTENT_TYPE).cloned();
        let mut content_type = content_type.unwrap_or(HeaderValue::from_static("application/json"));
        let events = transport::is_events(from.text(header::CONTENT_TYPE));
        let streams = events && visit.form != AnswerForm::List;
        if events && !streams {
            content_type = HeaderValue::from_static("application/json");
        } else if streams && !transport::is_sse(from.text(header::CONTENT_TYPE)) {
            // Callers get server-sent events, however the vendor cuts its own.
            content_type = HeaderValue::from_static(EVENT_STREAM);
        }
        let mut head = Self { status: from.status, headers: Vec::with_capacity(16), length: None };
        head.headers.push((header::CONTENT_TYPE, content_type));
        head.ours(job, visit);
        for name in &PASSED {
            if let Some(value) = from.headers.get(name) {
                head.headers.push((name.clone(), value.clone()));
            }
        }
        if let Some(id) = UPSTREAM_IDS.iter().find_map(|name| from.headers.get(name)) {
            head.headers.push((X_UPSTREAM_REQUEST_ID, id.clone()));
        }
        if !adapted.is_empty() {
            head.text(X_AIGNE_ADAPTED, &adapted.join(", "));
        }
        if streams {
            head.events();
        }
        head
    }

    /// Does it announce a stream of events?
    pub(super) fn is_events(&self) -> bool {
        let typed = self.headers.iter().find(|(name, _)| *name == header::CONTENT_TYPE);
        typed.is_some_and(|(_, value)| value.to_str().is_ok_and(transport::is_events))
    }

    /// Announces events, whatever the vendor announced.
    pub(super) fn into_events(mut self) -> Self {
        self.headers.retain(|(name, _)| *name != header::CONTENT_TYPE);
        self.text(header::CONTENT_TYPE, EVENT_STREAM);
        self.events();
        self
    }

    /// What every event stream carries, so that nothing in between holds it back.
    pub(super) fn events(&mut self) {
        self.headers.push((header::CACHE_CONTROL, HeaderValue::from_static("no-cache")));
        self.headers.push((X_ACCEL_BUFFERING, HeaderValue::from_static("no")));
    }
}

static OF_REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
static OF_TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// `x-ratelimit-*` in OpenAI's form.
pub(super) fn limits(headers: &mut Vec<(HeaderName, HeaderValue)>, standing: &Standing) {
    let mut window = |window: &Option<Window>, names: &[HeaderName; 3]| {
        let Some(window) = window else { return };
        headers.push((names[0].clone(), window.limit.into()));
        headers.push((names[1].clone(), window.remaining.into()));
        if let Ok(value) = HeaderValue::try_from(duration(window.reset)) {
            headers.push((names[2].clone(), value));
        }
    };
    window(&standing.requests, &OF_REQUESTS);
    window(&standing.tokens, &OF_TOKENS);
}

/// A wait as OpenAI writes it: `20ms`, `1.5s`, `6m0s`.
fn duration(time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    match millis {
        0..1_000 => format!("{millis}ms"),
        1_000..60_000 => format!("{}.{:03}s", millis / 1_000, millis % 1_000).replace(".000", ""),
        _ => format!("{}m{}s", millis / 60_000, millis % 60_000 / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_written_as_openai_writes_them() {
        let shown = |ms| duration(Duration::from_millis(ms));
        assert_eq!([shown(20), shown(1_000), shown(1_500), shown(360_000)], ["20ms", "1s", "1.500s", "6m0s"]);
    }
}
