//! Pages of authorisation, and what their forms carry.

use super::refused::Refused;
use super::said::Said;
use crate::admin::page;
pub(super) use crate::admin::page::escaped;
use axum::http::{StatusCode, header};
use std::fmt::Write as _;

/// A page; `leads_to` is where its form may lead besides here.
pub(super) fn page(status: StatusCode, title: &str, content: &str, leads_to: Option<&str>) -> Said {
    let leads_to = leads_to.map(|origin| format!(" {origin}")).unwrap_or_default();
    let policy = format!("form-action 'self'{leads_to}; {}", page::policy());
    Said::page(status, page::document(title, "", content), policy)
}

/// A page that goes on by itself, to one of the hub's own: for a browser that was sent here by
/// another site, or by a form, and holds its cookie back.
pub(super) fn bounce(path: &str) -> Said {
    Said::page(StatusCode::OK, page::passage("One moment", path), page::policy().to_owned())
}

/// A refusal for people.
pub(super) fn problem(refused: &Refused) -> Said {
    let content = format!("<p class=\"error\">{}</p>", escaped(&refused.text));
    let said = page(refused.status, "That did not work", &content, None);
    match refused.retry_after {
        Some(wait) => said.header(header::RETRY_AFTER, wait.as_secs().saturating_add(1).to_string()),
        None => said,
    }
}

/// What stands between two pages: names and values that a form carries.
pub(super) fn hidden(members: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in members {
        let _ =
            write!(out, "<input type=\"hidden\" name=\"{}\" value=\"{}\">", escaped(name), escaped(value));
    }
    out
}
