//! `[[quota]]`: how much somebody may use in a period.

use crate::config::at::At;
use crate::config::{Amount, QuotaWindow, SubjectKind};
use crate::limit::{Enforce, Measure, Span};
use crate::types::Op;
use schemars::JsonSchema;
use serde::Deserialize;

/// How much somebody may use in a period. More can be made with the admin API.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "FileQuota", extend("required" = ["id", "of", "measure", "amount", "period"]))]
pub(crate) struct Quota {
    /// Names it for good: its counter goes on as long as it stays.
    pub(crate) id: Option<At<String>>,
    /// For people; callers who are refused see it. Default: the id.
    pub(crate) name: Option<String>,
    /// It counts nothing of other tenants. Default: none, it is the hub's own.
    pub(crate) tenant: Option<At<String>>,
    /// Whose use is counted: key, user, app, team, tenant or hub.
    pub(crate) of: Option<SubjectKind>,
    /// Its id. Default: none, each of them apart from the others.
    pub(crate) id_of: Option<String>,
    /// What is counted: requests, tokens, money or images.
    pub(crate) measure: Option<Measure>,
    /// How much: a whole number; money as a decimal string.
    pub(crate) amount: Option<Amount>,
    /// minute, hour, day or month.
    pub(crate) period: Option<Span>,
    /// calendar: periods begin with the calendar; rolling: at every moment, the last period counts. Default: calendar.
    pub(crate) window: QuotaWindow,
    /// IANA name of the calendar's zone, as Europe/Berlin. Default: UTC.
    pub(crate) zone: Option<String>,
    /// hard: what does not fit is refused; soft: it is only told. Default: hard.
    pub(crate) enforce: Enforce,
    /// Percentages of the amount at which it is told. Default: 80 and 100.
    pub(crate) warn_at: Option<Vec<u32>>,
    /// Names and globs of the models that it is about, as callers write them. Default: all.
    pub(crate) models: Vec<String>,
    /// Operations that it is about, as chat or embedding. Default: all.
    pub(crate) operations: Vec<Op>,
    /// Switched off, nothing is refused and nothing counted. Default: true.
    pub(crate) enabled: Option<bool>,
}
