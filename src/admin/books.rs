//! The books while the hub runs: export, verification, retention.

use super::{Control, blocking, problem, prunable};
use crate::ledger::{day_of, day_text, month_start, write_line};
use crate::store::{Reach, Store};
use crate::types::Wall;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Lines are handed on in pieces of about this size.
const PIECE_BYTES: usize = 64 * 1024;

/// Seconds since the epoch; both ends optional.
#[derive(Deserialize)]
pub(super) struct Range {
    from: Option<i64>,
    to: Option<i64>,
    /// Only movements of this tenant's wallet.
    wallet: Option<String>,
}

/// Streams JSON lines, as fast as the reader takes them.
pub(super) async fn export(State(control): State<Arc<Control>>, Query(range): Query<Range>) -> Response {
    let seconds = |s: i64| Wall(s.saturating_mul(1_000_000));
    let wallet = range.wallet;
    let range = range.from.map_or(Wall(i64::MIN), seconds)..range.to.map_or(Wall(i64::MAX), seconds);
    let (sender, mut receiver) = mpsc::channel::<Bytes>(4);
    let task = tokio::task::spawn_blocking(move || {
        let mut piece = Vec::with_capacity(PIECE_BYTES + 4096);
        control.store.export(range, &mut |record| {
            if wallet.as_deref().is_some_and(|wallet| !record.moves(wallet)) {
                return;
            }
            // Writing to memory does not fail.
            let _ = write_line(&record, &mut piece);
            if piece.len() >= PIECE_BYTES {
                let _ = sender.blocking_send(std::mem::take(&mut piece).into());
            }
        })?;
        let _ = sender.blocking_send(piece.into());
        Ok::<_, crate::store::StoreError>(())
    });
    // The first piece decides whether this is an answer or an error.
    let Some(first) = receiver.recv().await else {
        return match task.await {
            Ok(Err(error)) => problem(StatusCode::SERVICE_UNAVAILABLE, error),
            _ => problem(StatusCode::INTERNAL_SERVER_ERROR, "the export ended early"),
        };
    };
    let stream = futures_util::stream::unfold((Some(first), receiver), |(ready, mut receiver)| async move {
        let piece = match ready {
            Some(piece) => piece,
            None => receiver.recv().await?,
        };
        Some((Ok::<_, std::io::Error>(piece), (None, receiver)))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(stream)).into_response()
}

/// Proves the books; 409 when they do not fit.
pub(super) async fn verify(State(control): State<Arc<Control>>) -> Response {
    let report = blocking(move || (control.verify)());
    match report.await {
        Ok(report) => {
            let status = if report.is_sound() { StatusCode::OK } else { StatusCode::CONFLICT };
            (status, axum::Json(report)).into_response()
        }
        Err(response) => response,
    }
}

/// What is to be dropped.
#[derive(Deserialize)]
pub(super) struct Old {
    /// Seconds since the epoch.
    before: i64,
    #[serde(default)]
    force: bool,
}

/// Drops old days of the books.
pub(super) async fn prune(State(control): State<Arc<Control>>, Query(old): Query<Old>) -> Response {
    let before = Wall(old.before.saturating_mul(1_000_000));
    let reach = match reach(before, control.clock.wall(), old.force) {
        Ok(reach) => reach,
        Err(error) => return problem(StatusCode::CONFLICT, error),
    };
    let bounded = {
        let control = Arc::clone(&control);
        blocking(move || Ok(bound(&control.store, before))).await
    };
    let (before, last) = match bounded {
        Ok(Ok(bound)) => bound,
        Ok(Err(error)) => return problem(StatusCode::CONFLICT, error),
        Err(response) => return response,
    };
    let dropped =
        blocking(move || control.store.drop_days_before(before, reach, last).map_err(|e| e.to_string()));
    match dropped.await {
        Ok(days) => axum::Json(serde_json::json!({ "dropped_days": days })).into_response(),
        Err(response) => response,
    }
}

fn bound(store: &Store, before: Wall) -> Result<(Wall, u64), String> {
    let archive = store.archive().map_err(|error| error.to_string())?;
    prunable(&archive, before)
}

/// How far records may be dropped.
///
/// # Errors
/// When `before` is in the running month and nobody insists.
pub fn reach(before: Wall, now: Wall, force: bool) -> Result<Reach, String> {
    let month = month_start(day_of(now));
    match day_of(before) > month {
        false => Ok(Reach::PastMonths),
        true if force => Ok(Reach::RunningMonth),
        true => Err(format!(
            "this would drop days of the running month, whose records prove what budgets count; drop \
             what is before {}, or insist on it with force",
            day_text(month)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_month_is_dropped_only_by_who_insists() {
        let at = |day: i64| Wall(day * 86_400_000_000);
        // 1970-02-10 is day 40, the first of that month day 31.
        for (before, force, expected) in [
            (30, false, Some(Reach::PastMonths)),
            (31, true, Some(Reach::PastMonths)),
            (31, false, Some(Reach::PastMonths)),
            (32, false, None),
            (32, true, Some(Reach::RunningMonth)),
            (400, false, None),
        ] {
            assert_eq!(reach(at(before), at(40), force).ok(), expected, "{before} {force}");
        }
        assert!(reach(at(32), at(40), false).unwrap_err().contains("1970-02-01"));
    }
}
