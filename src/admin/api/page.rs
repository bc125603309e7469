//! The few pages that the API itself shows to people.

use super::call::Reply;
use crate::admin::page::{self, escaped};
use axum::http::StatusCode;
use serde_json::Value;

/// What they are.
pub const HTML: &str = "text/html; charset=utf-8";

/// A page with a title and a text, and a way on: path and words.
pub fn page(status: StatusCode, title: &str, text: &str, on: Option<(&str, &str)>) -> Reply {
    let on = on.map(|(path, words)| format!("<p><a href=\"{}\">{}</a></p>", escaped(path), escaped(words)));
    let content = format!("<p>{}</p>{}", escaped(text), on.unwrap_or_default());
    html(status, page::document(title, "", &content))
}

/// A page with a question: its form sends one field to a path of the hub. `field`: its name, what
/// stands before it, and what is on the button.
pub fn form(status: StatusCode, title: &str, text: &str, path: &str, field: (&str, &str, &str)) -> Reply {
    let (name, label, button) = field;
    let content = format!(
        "<p>{}</p><form method=\"post\" action=\"{}\"><label for=\"field\">{}</label>\
         <input id=\"field\" name=\"{}\" autocomplete=\"one-time-code\" inputmode=\"numeric\" required autofocus>\
         <button class=\"yes\">{}</button></form>",
        escaped(text),
        escaped(path),
        escaped(label),
        escaped(name),
        escaped(button),
    );
    html(status, page::document(title, "", &content))
}

/// A page that leads on to a path of the hub at once.
pub fn passage(title: &str, path: &str) -> Reply {
    html(StatusCode::OK, page::passage(title, path))
}

fn html(status: StatusCode, html: String) -> Reply {
    Reply { status, text: Some((HTML, html)), ..Reply::ok(Value::Null) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays_text() {
        let reply = page(StatusCode::FORBIDDEN, "<b>", "\"&'", Some(("/a?b&c", "<i>")));
        let (kind, html) = reply.text.unwrap();
        assert_eq!((reply.status, kind), (StatusCode::FORBIDDEN, HTML));
        assert!(
            html.contains("&lt;b&gt;") && html.contains("&quot;&amp;&#39;") && html.contains("/a?b&amp;c")
        );
        assert!(!html.contains("<i>") && !html.contains("<b>"));
    }
}
