//! The rows of usage and calls.

use super::row::route;
use super::{Access, Answer, Route};
use crate::admin::api::usage;
use crate::control::Permission as P;

/// Who may see usage.
const USAGE: Access = Access::Any(&[P::UsageRead, P::UsageOwn]);

/// Sums as an object, or as a table.
const TABLES: Answer = Answer::Either(&["text/csv", "application/x-ndjson"]);

/// The rows, fixed segments before those with `{id}`.
pub static ROUTES: [Route; 8] = [
    route(
        "GET",
        "/usage/series",
        "usage.series",
        "Sums by step of time, told apart by `group` (names with commas). Names of dimensions choose; repeated, \
         any of their values counts. `compare=previous` adds the time before.",
        USAGE,
        usage::series,
    )
    .asked(usage::SERIES_QUERY)
    .chosen_by(usage::FILTERS)
    .gives(TABLES),
    route(
        "GET",
        "/usage/top",
        "usage.top",
        "The largest groups of a time, the rest and the total.",
        USAGE,
        usage::top,
    )
    .asked(usage::TOP_QUERY)
    .chosen_by(usage::FILTERS)
    .gives(TABLES),
    route("GET", "/usage/summary", "usage.summary", "The sums of a time.", USAGE, usage::summary)
        .asked(usage::SUMMARY_QUERY)
    .chosen_by(usage::FILTERS),
    route(
        "GET",
        "/usage/fields",
        "usage.fields",
        "What usage can be told apart and measured by.",
        USAGE,
        usage::fields,
    ),
    route(
        "POST",
        "/usage/rebuild",
        "usage.rebuild",
        "Makes the sums anew from the books, as far as these go back.",
        Access::Any(&[P::UsageRebuild]),
        usage::rebuild,
    ),
    route(
        "GET",
        "/calls",
        "call.list",
        "Single calls, those that ended last first. A page may be empty and yet have a `next`.",
        USAGE,
        usage::calls,
    )
    .asked(usage::CALLS_QUERY)
    .chosen_by(usage::FILTERS),
    route("GET", "/calls/export", "call.export", "All calls that fit, as CSV or JSON lines.", USAGE, usage::export)
        .asked(usage::EXPORT_QUERY)
    .chosen_by(usage::FILTERS)
        .gives(Answer::Lines),
    route("GET", "/calls/{id}", "call.read", "Everything that the books say of one call.", USAGE, usage::story),
];
