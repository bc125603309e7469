//! The header of an answer: what of the vendor's is passed on, and what is ours.

use super::job::Job;
use super::upstream::Head;
use super::visit::Visit;
use crate::limit::{Standing, Window};
use crate::telemetry::CacheStatus;
use http::{HeaderName, HeaderValue, header};
use std::time::Duration;

/// Vendor headers that mean something to a caller.
const PASSED: &[&str] = &[
    "content-language",
    "content-disposition",
    "openai-processing-ms",
    "openai-version",
    "openai-model",
    "x-generation-id",
    "x-should-retry",
];
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
        self.named(&visit.id.to_string(), &visit.provider, &visit.upstream_model);
        limits(&mut self.headers, &job.standing);
        self.headers.extend(job.answer_headers.iter().cloned());
        match visit.cache {
            CacheStatus::Off => {}
            CacheStatus::Miss => self.text(HeaderName::from_static("x-cache"), "miss"),
            CacheStatus::Bypass => self.text(HeaderName::from_static("x-cache"), "bypass"),
            CacheStatus::Hit => self.text(HeaderName::from_static("x-cache"), "hit"),
            CacheStatus::Coalesced => self.text(HeaderName::from_static("x-cache"), "coalesced"),
        }
    }

    fn named(&mut self, id: &str, provider: &str, model: &str) {
        self.text(HeaderName::from_static("x-request-id"), id);
        if !provider.is_empty() {
            self.text(HeaderName::from_static("x-aigne-provider"), provider);
            self.text(HeaderName::from_static("x-aigne-model"), model);
        }
    }

    /// The header of an answer that a vendor gave.
    pub(super) fn relayed(job: &Job, visit: &Visit, from: &Head, adapted: &[String]) -> Self {
        let content_type = from.text(header::CONTENT_TYPE);
        let mut head =
            Self::new(from.status, if content_type.is_empty() { "application/json" } else { content_type });
        head.ours(job, visit);
        for name in PASSED {
            if let Some(value) = from.headers.get(*name) {
                head.headers.push((HeaderName::from_static(name), value.clone()));
            }
        }
        if let Some(id) = from.headers.get("x-request-id").or_else(|| from.headers.get("request-id")) {
            head.headers.push((HeaderName::from_static("x-upstream-request-id"), id.clone()));
        }
        if !adapted.is_empty() {
            head.text(HeaderName::from_static("x-aigne-adapted"), &adapted.join(", "));
        }
        if is_events(content_type) {
            head.events();
        }
        head
    }

    /// What every event stream carries, so that nothing in between holds it back.
    pub(super) fn events(&mut self) {
        self.headers.push((header::CACHE_CONTROL, HeaderValue::from_static("no-cache")));
        self.headers.push((HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")));
    }
}

/// Is this content type a stream of events?
pub(super) fn is_events(content_type: &str) -> bool {
    content_type.get(..EVENT_STREAM.len()).is_some_and(|t| t.eq_ignore_ascii_case(EVENT_STREAM))
}

/// `x-ratelimit-*` in OpenAI's form.
pub(super) fn limits(headers: &mut Vec<(HeaderName, HeaderValue)>, standing: &Standing) {
    let mut window = |window: &Option<Window>, names: [&'static str; 3]| {
        let Some(window) = window else { return };
        headers.push((HeaderName::from_static(names[0]), window.limit.into()));
        headers.push((HeaderName::from_static(names[1]), window.remaining.into()));
        if let Ok(value) = HeaderValue::from_str(&duration(window.reset)) {
            headers.push((HeaderName::from_static(names[2]), value));
        }
    };
    let requests =
        ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
    let tokens = ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];
    window(&standing.requests, requests);
    window(&standing.tokens, tokens);
}

/// A wait as OpenAI writes it: `20ms`, `1.5s`, `6m0s`.
fn duration(time: Duration) -> String {
    let millis = time.as_millis();
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

    #[test]
    fn event_streams_are_known_by_their_type() {
        assert!(is_events("text/event-stream; charset=utf-8"));
        assert!(is_events("Text/Event-Stream"));
        assert!(!is_events("application/json"));
        assert!(!is_events("text/event"));
    }
}
