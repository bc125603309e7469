//! What the books are told of single attempts.

use super::exchange::{End, Missed};
use super::visit::Visit;
use crate::config::Target;
use crate::ledger::Tried;
use crate::types::Mono;
use std::sync::Arc;
use std::time::Duration;

/// Writes the attempt down for the books, unless it is the first and a success: of that they say
/// everything anyway.
pub(super) fn note(
    visit: &mut Visit,
    target: &Target,
    result: &Result<End, Missed>,
    heard: u16,
    (began, took): (Mono, Duration),
) {
    let (failure, otherwise) = match result {
        Ok(end) => (end.failure.as_ref(), 200),
        Err(missed) => (Some(&missed.failure), missed.failure.passed.status.unwrap_or(0)),
    };
    if failure.is_none() && visit.tried.is_empty() {
        return;
    }
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    visit.tried.push(Tried {
        after_us: micros(began.since(visit.started)),
        duration_us: micros(took),
        provider: Arc::clone(target.provider.name.shared()),
        upstream_model: Arc::clone(&target.upstream_model),
        credential: Arc::clone(&visit.credential),
        status: if heard == 0 { otherwise } else { heard },
        error: failure.map_or("", |failure| failure.kind.name()).into(),
    });
}
