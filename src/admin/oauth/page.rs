//! Pages for people: plain HTML without a script, and a policy that allows
//! nothing but its own style and its own form.

use super::refused::Refused;
use super::said::Said;
use axum::http::{StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::sync::LazyLock;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1b1f24}\
main{max-width:26rem;margin:8vh auto;padding:2rem;background:#fff;border-radius:12px;box-shadow:0 1px 4px #0002}\
h1{font-size:1.25rem;margin:0 0 1rem}label{display:block;margin:.75rem 0 .25rem}\
input{box-sizing:border-box;width:100%;padding:.5rem;font:inherit;border:1px solid #aab;border-radius:6px}\
button{margin:1rem .5rem 0 0;padding:.5rem 1.25rem;font:inherit;border:1px solid #345;border-radius:6px;background:#fff}\
button.yes{background:#1f4fd8;border-color:#1f4fd8;color:#fff}.error{color:#a11}.note{color:#556;font-size:.9rem}\
@media(prefers-color-scheme:dark){body{background:#14171a;color:#e6e8ea}main{background:#1d2126}\
input,button{background:#14171a;color:inherit}.error{color:#f88}.note{color:#9aa}}";

static STYLE_HASH: LazyLock<String> = LazyLock::new(|| STANDARD.encode(Sha256::digest(STYLE)));

/// A text as HTML shows it, in elements and in quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A page; `leads_to` is where its form may lead besides here.
pub(super) fn page(status: StatusCode, title: &str, content: &str, leads_to: Option<&str>) -> Said {
    let leads_to = leads_to.map(|origin| format!(" {origin}")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self'{leads_to}; frame-ancestors 'none'; \
         base-uri 'none'",
        *STYLE_HASH
    );
    Said::page(status, whole(title, "", content), policy)
}

fn whole(title: &str, head: &str, content: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">{head}\
         <title>{title} · AIGNE Hub</title><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1>{content}</main></body></html>",
        title = escaped(title)
    )
}

/// A page that goes on by itself, to one of the hub's own. A browser that was sent here by another
/// site, or by a form, holds its cookie back, or may not be sent further; it comes back as from here.
pub(super) fn bounce(path: &str) -> Said {
    let path = escaped(path);
    let head = format!("<meta http-equiv=\"refresh\" content=\"0;url={path}\">");
    let content = format!("<p><a href=\"{path}\">Go on</a></p>");
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; frame-ancestors 'none'; base-uri 'none'",
        *STYLE_HASH
    );
    Said::page(StatusCode::OK, whole("One moment", &head, &content), policy)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Nothing that anybody writes ends an attribute or begins an element.
        #[test]
        fn texts_stay_texts(text in "\\PC{0,60}") {
            let shown = escaped(&text);
            prop_assert!(!shown.contains(['<', '>', '"', '\'']));
            let back = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
            prop_assert_eq!(back.replace("&amp;", "&"), text);
        }
    }
}
