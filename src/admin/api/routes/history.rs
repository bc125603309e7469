//! The rows of what is told of the past and of this moment: another hub's history, health.

use super::row::{route, schema};
use super::{Access, Answer, Route};
use crate::admin::api::{health, history};
use crate::control::{ImportedCall, Permission as P};

pub(super) static HISTORY: [Route; 3] = [
    route(
        "POST",
        "/imported-calls",
        "history.import",
        "Takes in calls that another hub has counted; those that are there already stay as they are.",
        Access::Any(&[P::HistoryImport]),
        history::import,
    )
    .takes::<history::Calls>(&[]),
    route(
        "GET",
        "/imported-calls",
        "history.list",
        "Calls that another hub has counted, by time.",
        Access::Any(&[P::HistoryRead]),
        history::list,
    )
    .asked(history::HISTORY_QUERY)
    .gives(Answer::Page(schema::<ImportedCall>)),
    route(
        "GET",
        "/imported-calls/summary",
        "history.summary",
        "The same, added up by day, model, provider, user or app.",
        Access::Any(&[P::HistoryRead]),
        history::summary,
    )
    .asked(history::SUMMARY_QUERY),
];

pub(super) static HEALTH: [Route; 1] = [route(
    "GET",
    "/health",
    "health.read",
    "How every credential and every public model is at this moment, and what failed last.",
    Access::Any(&[P::ProvidersRead]),
    health::all,
)];
