//! What callers and those who wait for notices hear of quotas.

use super::Plane;
use super::hold::caps_help;
use crate::config::Caller;
use crate::error::{Failure, Kind};
use crate::limit::{Counted, Crossed, Permit, Refusal, Terms};
use crate::types::{NoticeKind, Op, Wall};
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

/// Names the quotas of which so much is used that callers are told.
pub(super) const X_AIGNE_QUOTA: HeaderName = HeaderName::from_static("x-aigne-quota");

/// The quotas that a request counts for.
pub(super) fn of<'c>(caller: &'c Caller, op: Op, model: &str) -> Vec<&'c Counted> {
    let about = caller.quotas.iter().filter(|held| held.quota.is_about(op, model));
    about.map(|held| &held.counted).collect()
}

/// `"NAME";used=83%`, one after the other.
pub(super) fn warning(permit: &Permit) -> Option<(HeaderName, HeaderValue)> {
    let mut text = String::new();
    for (name, percent) in permit.warnings() {
        let separator = if text.is_empty() { "" } else { ", " };
        text.push_str(&format!("{separator}\"{}\";used={percent}%", name.escape_default()));
    }
    if text.is_empty() {
        return None;
    }
    Some((X_AIGNE_QUOTA, HeaderValue::from_str(&text).ok()?))
}

/// A refusal by a quota, for the caller; the first of its period is told.
pub(super) fn refused(plane: &Plane, refusal: &Refusal, counted: &Counted) -> Failure {
    let Counted { meter, terms } = counted;
    let (measure, span) = (meter.rule().measure, meter.rule().span);
    if meter.tell_exceeded() {
        let used = meter.used(plane.clock.mono(), plane.clock.wall());
        let data = data(counted, used.spent, used.ends, None);
        plane.notices.raise(NoticeKind::QuotaExceeded, terms.tenant.as_ref(), &terms.quota, data);
    }
    let Terms { name, of, .. } = &**terms;
    let shortage = refusal.shortage.as_deref();
    let numbers = shortage.map(|shortage| format!(" ({shortage})")).unwrap_or_default();
    let text = match shortage.filter(|shortage| shortage.is_the_ask_alone()) {
        Some(_) => {
            let advice = if caps_help(refusal.which) { "; lower max_tokens" } else { "" };
            format!("The worst case of this request does not fit the quota {name:?} of {of}{advice}{numbers}")
        }
        None => {
            let (measure, span) = (measure.name(), span.name());
            format!("The quota {name:?} of {measure} per {span} for {of} is used up{numbers}")
        }
    };
    let failure = Failure::new(Kind::QuotaExceeded, text).detail(&*terms.quota);
    failure.retry_after(refusal.retry_after)
}

/// Thresholds that were reached just now.
pub(super) fn crossed(plane: &Plane, crossed: &[Crossed]) {
    for Crossed { percent, spent, ends, counted } in crossed {
        let (terms, data) = (&counted.terms, data(counted, *spent, *ends, Some(*percent)));
        plane.notices.raise(NoticeKind::QuotaWarning, terms.tenant.as_ref(), &terms.quota, data);
    }
}

fn data(counted: &Counted, used: i128, ends: Option<Wall>, percent: Option<u32>) -> Value {
    let Counted { meter, terms } = counted;
    let measure = meter.rule().measure;
    let mut data = json!({
        "quota": &*terms.quota,
        "name": &*terms.name,
        "of": &*terms.of,
        "measure": measure,
        "used": measure.told(used),
        "amount": measure.told(terms.amount),
        "resets_at": ends.and_then(|ends| jiff::Timestamp::from_microsecond(ends.0).ok()).map(|at| at.to_string()),
    });
    if let (Some(percent), Some(data)) = (percent, data.as_object_mut()) {
        data.insert("percent".into(), percent.into());
    }
    data
}
