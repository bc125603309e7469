//! A small page to sign in with an account of the hub, and back. It ends in
//! the same session, with the same patience, as the API's own.

use super::page::{bounce, escaped, hidden, page as shown};
use super::refused::Refused;
use super::said::Said;
use super::{AUTHORIZE, Ask, DEVICE, SIGN_IN, form};
use crate::admin::ROOT;
use crate::admin::api::{Incoming, answer, from_the_same_site};
use crate::config::SignInProvider;
use axum::http::{StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use std::sync::Arc;

/// Everything but what stands for itself in a query (RFC 3986 §2.3).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The page; `back` is where it leads in the end. A browser that another site has sent keeps its
/// cookie to itself, so it is asked to come once more, as from here.
pub(super) fn page(ask: &Ask<'_>, back: &str, error: Option<&str>) -> Said {
    let get = ask.incoming.method == "GET";
    if get && ask.header("sec-fetch-site") == Some("cross-site") && is_own(back) {
        return bounce(back);
    }
    let back = if is_own(back) { back } else { DEVICE };
    let error = error.map(|text| format!("<p class=\"error\">{}</p>", escaped(text))).unwrap_or_default();
    let links = others(ask, back);
    let content = format!(
        "{error}<form method=\"post\" action=\"{SIGN_IN}\">{}\
         <label for=\"email\">E-mail address</label>\
         <input id=\"email\" name=\"email\" type=\"email\" autocomplete=\"username\" required autofocus>\
         <label for=\"password\">Password</label>\
         <input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" required>\
         <label for=\"code\">One-time code, if you use them</label>\
         <input id=\"code\" name=\"code\" inputmode=\"numeric\" autocomplete=\"one-time-code\">\
         <button class=\"yes\">Sign in</button></form>{links}",
        hidden(&[("return", back)])
    );
    let status = if error.is_empty() { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
    shown(status, "Sign in", &content, None)
}

/// Links to the providers of identities, which lead to `back` in the end.
fn others(ask: &Ask<'_>, back: &str) -> String {
    let Some(snapshot) = ask.directory.snapshot() else { return String::new() };
    let link = |provider: &Arc<SignInProvider>| {
        let href = format!("{ROOT}/sign-in/{}?then={}", provider.id, utf8_percent_encode(back, QUERY));
        format!("<p><a href=\"{}\">{}</a></p>", escaped(&href), escaped(&provider.label))
    };
    snapshot.sign_in.providers.iter().map(link).collect()
}

/// Only pages of the authorization server itself are come back to.
fn is_own(path: &str) -> bool {
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let begins = path == DEVICE || [AUTHORIZE, DEVICE].iter().any(|own| path.starts_with(&format!("{own}?")));
    plain && begins
}

/// `POST /oauth/sign-in`
pub(super) fn take(ask: &Ask<'_>) -> Result<Said, Refused> {
    from_the_same_site(ask.incoming).map_err(Refused::of_problem)?;
    let form = form::Form::read(ask.incoming)?;
    let back = form.get("return").filter(|back| is_own(back)).unwrap_or(DEVICE);
    let body = json!({
        "email": form.need("email")?,
        "password": form.need("password")?,
        "code": form.get("code"),
    });
    let mut headers = ask.incoming.headers.clone();
    // Who they are is what they type, and nothing that the browser brings.
    headers.remove(header::AUTHORIZATION);
    headers.remove(header::COOKIE);
    let wanted = Incoming {
        method: "POST".to_owned(),
        path: "/session".to_owned(),
        query: String::new(),
        headers,
        body: body.to_string().into_bytes(),
        address: ask.incoming.address,
        request: ask.incoming.request.clone(),
    };
    match answer(ask.directory, &ask.control.token, &wanted) {
        Ok(reply) => {
            let said = bounce(back);
            Ok(reply.cookies.into_iter().fold(said, |said, cookie| said.header(header::SET_COOKIE, cookie)))
        }
        Err(problem) if problem.status == StatusCode::UNAUTHORIZED => {
            Ok(page(ask, back, Some("E-mail address, password or code are wrong.")))
        }
        Err(problem) => Err(Refused::of_problem(problem)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for own in ["/oauth/device", "/oauth/device?user_code=X", "/oauth/authorize?client_id=a"] {
            assert!(is_own(own), "{own}");
        }
        for other in [
            "",
            "/",
            "//evil.test",
            "https://evil.test/oauth/authorize?",
            "/oauth/authorize",
            "/oauth/authorized?",
            "/oauth/device/../x",
            "/oauth/device?\\evil",
            "/oauth/device?\nx",
        ] {
            assert!(!is_own(other), "{other}");
        }
    }
}
