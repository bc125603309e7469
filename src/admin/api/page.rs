//! The few pages that the hub itself shows to people: plain, without scripts, nothing from elsewhere.

use super::call::Reply;
use axum::http::StatusCode;
use serde_json::Value;

/// What a browser may do with such a page: show it.
pub const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
/// What it is.
pub const HTML: &str = "text/html; charset=utf-8";

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem;\
color:#222;background:#fff}h1{font-size:1.3rem}a{color:#05c}@media(prefers-color-scheme:dark)\
{body{color:#ddd;background:#181818}a{color:#8bf}}";

/// A page with a title and a text, and a way on: path and words.
pub fn page(status: StatusCode, title: &str, text: &str, on: Option<(&str, &str)>) -> Reply {
    let on = on.map(|(path, words)| format!("<p><a href=\"{}\">{}</a></p>", escaped(path), escaped(words)));
    whole(status, title, text, &on.unwrap_or_default(), "")
}

/// A page that leads on to a path of the hub at once. A redirection would not do: the browser
/// still counts it to the site that it came from, and withholds strict cookies.
pub fn passage(title: &str, path: &str) -> Reply {
    let path = escaped(path);
    let link = format!("<p><a href=\"{path}\">Go on</a></p>");
    let head = format!("<meta http-equiv=\"refresh\" content=\"0;url={path}\">");
    whole(StatusCode::OK, title, "", &link, &head)
}

fn whole(status: StatusCode, title: &str, text: &str, on: &str, head: &str) -> Reply {
    let (title, text) = (escaped(title), escaped(text));
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>{head}\
         <style>{STYLE}</style></head><body><h1>{title}</h1><p>{text}</p>{on}</body></html>\n"
    );
    Reply { status, text: Some((HTML, html)), ..Reply::ok(Value::Null) }
}

fn escaped(text: &str) -> String {
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
