//! A failure on its way to the caller, in the caller's dialect: as an answer
//! of its own, or as an event of a stream that has begun.

use super::answer::{AnswerHead, limits};
use super::sink::Sink;
use crate::chat::Dialect;
use crate::error::{Failure, Kind};
use crate::limit::Standing;
use crate::wire::translate;
use bytes::Bytes;
use http::{HeaderName, header};
use std::time::Duration;

/// Clients wait for so long before they try again, at most.
const WORTH_WAITING: Duration = Duration::from_secs(60);

/// The answer for a failure: head and body.
pub(super) fn answer(
    to: Dialect,
    failure: &Failure,
    request_id: &str,
    standing: &Standing,
) -> (AnswerHead, Bytes) {
    let body = Bytes::from(translate::error_body(to, failure));
    let mut head = AnswerHead::new(translate::status(to, failure), "application/json");
    head.length = Some(body.len() as u64);
    head.id(to, request_id);
    limits(&mut head.headers, standing);
    if let Some(wait) = failure.retry_after {
        head.text(header::RETRY_AFTER, &whole_seconds(wait).to_string());
        head.text(HeaderName::from_static("retry-after-ms"), &wait.as_millis().to_string());
    }
    if let Some(methods) = &failure.allowed {
        head.text(header::ALLOW, methods);
    }
    if failure.kind == Kind::Unauthenticated {
        head.text(header::WWW_AUTHENTICATE, "Bearer");
    }
    // The hub has tried all there is; the same request again will not do better before its time.
    let never = match failure.kind {
        Kind::NoFunds | Kind::BudgetExceeded | Kind::VendorAuth | Kind::VendorBilling => true,
        // A quota of a minute is worth waiting for, one of a month is not.
        Kind::QuotaExceeded => failure.retry_after.is_none_or(|wait| wait > WORTH_WAITING),
        _ => false,
    };
    if never {
        head.text(HeaderName::from_static("x-should-retry"), "false");
    }
    (head, body)
}

/// Tells the reader of a sink; a stream that has begun gets an event and no end marker.
pub(super) async fn tell<S: Sink>(
    sink: &mut S,
    to: Dialect,
    id: &str,
    failure: &Failure,
    standing: &Standing,
) {
    if sink.takes(failure) {
        return;
    }
    if sink.is_silent() {
        return sink.cut();
    }
    if sink.head_sent() {
        let _ = sink.last(translate::error_event(to, failure)).await;
        return;
    }
    let (head, body) = answer(to, failure, id, standing);
    if sink.head(head).await.is_ok() {
        let _ = sink.last(body).await;
    }
}

/// Rounded up, so that a caller who waits as told is not early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
