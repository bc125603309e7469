//! How every page looks that the hub itself shows to people: plain HTML without
//! a script, and a policy that allows nothing but its own style.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1b1f24}\
main{max-width:26rem;margin:8vh auto;padding:2rem;background:#fff;border-radius:12px;box-shadow:0 1px 4px #0002}\
h1{font-size:1.25rem;margin:0 0 1rem}label{display:block;margin:.75rem 0 .25rem}a{color:#1f4fd8}\
input{box-sizing:border-box;width:100%;padding:.5rem;font:inherit;border:1px solid #aab;border-radius:6px}\
button{margin:1rem .5rem 0 0;padding:.5rem 1.25rem;font:inherit;border:1px solid #345;border-radius:6px;background:#fff}\
button.yes{background:#1f4fd8;border-color:#1f4fd8;color:#fff}.error{color:#a11}.note{color:#556;font-size:.9rem}\
@media(prefers-color-scheme:dark){body{background:#14171a;color:#e6e8ea}main{background:#1d2126}a{color:#8bf}\
input,button{background:#14171a;color:inherit}.error{color:#f88}.note{color:#9aa}}";

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{style}'; frame-ancestors 'none'; base-uri 'none'")
});

/// What a browser may do with such a page: show it.
pub(super) fn policy() -> &'static str {
    &POLICY
}

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

/// A whole page. `title` is a text; `head` and `content` are HTML.
pub(super) fn document(title: &str, head: &str, content: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">{head}\
         <title>{title} · AIGNE Hub</title><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1>{content}</main></body></html>\n",
        title = escaped(title)
    )
}

/// A page that goes on by itself to a path of the hub. A redirection would not do: the browser
/// still counts it to the site that it came from, and withholds strict cookies.
pub(super) fn passage(title: &str, path: &str) -> String {
    let path = escaped(path);
    let head = format!("<meta http-equiv=\"refresh\" content=\"0;url={path}\">");
    document(title, &head, &format!("<p><a href=\"{path}\">Go on</a></p>"))
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
