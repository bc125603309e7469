//! The books, read while the hub runs: export and verification.

use super::{Control, blocking, problem};
use crate::ledger::write_line;
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
}

/// Streams JSON lines, as fast as the reader takes them.
pub(super) async fn export(State(control): State<Arc<Control>>, Query(range): Query<Range>) -> Response {
    let seconds = |s: i64| Wall(s.saturating_mul(1_000_000));
    let range = range.from.map_or(Wall(i64::MIN), seconds)..range.to.map_or(Wall(i64::MAX), seconds);
    let (sender, mut receiver) = mpsc::channel::<Bytes>(4);
    let task = tokio::task::spawn_blocking(move || {
        let mut piece = Vec::with_capacity(PIECE_BYTES + 4096);
        control.store.export(range, &mut |record| {
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
