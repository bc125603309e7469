//! The authorization server of the real hub, and tokens as keys: on the public
//! listener, as programs and browsers see it.

mod authlib;
mod codes;
mod issuers;
mod origin;
mod tokens;

use super::control::{Api, ROOT, chat_by, text};
use super::support::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub const PASSWORD: &str = "correct horse battery";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const BACK: &str = "http://127.0.0.1/back";

pub fn conf(upstream: &Upstream) -> Conf {
    Conf::one(upstream).variable("AIGNE_HUB_BOOTSTRAP_TOKEN", "bootstrap-canary-4711")
}

/// A hub with an owner, a tenant `shop` and its member `ann@shop.test`.
pub async fn peopled(upstream: &Upstream) -> Gateway {
    let hub = Gateway::start(&conf(upstream)).await;
    people(&hub).await;
    hub
}

pub async fn people(hub: &Gateway) {
    let owner = json!({ "token": "bootstrap-canary-4711", "email": "owner@hub.test", "password": PASSWORD });
    hub.admin(&Request::post(&format!("{ROOT}/bootstrap"), &owner)).await.expect(201);
    let api = Api::operator(hub);
    api.make("/tenants", json!({ "id": "shop" })).await;
    let ann = json!({ "tenant": "shop", "email": "ann@shop.test", "role": "member", "password": PASSWORD });
    api.make("/users", ann).await;
}

/// A form, sent to the public listener.
pub fn form(path: &str, members: &[(&str, &str)]) -> Request {
    let body: Vec<String> =
        members.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    let request = Request::new("POST", path).header("content-type", "application/x-www-form-urlencoded");
    request.body(body.join("&"))
}

pub fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

pub fn basic(request: Request, id: &str, secret: &str) -> Request {
    request.header("authorization", &format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))))
}

pub fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))
}

/// The query by which a program asks.
pub fn asking(client: &str, scope: &str) -> String {
    format!(
        "response_type=code&client_id={client}&redirect_uri={}&scope={}&state=a%26b&code_challenge={}&code_challenge_method=S256",
        encoded(BACK),
        encoded(scope),
        challenge()
    )
}

/// Signs in by the page; the cookie.
pub async fn sign_in(hub: &Gateway, email: &str) -> String {
    let members = [("email", email), ("password", PASSWORD), ("return", "/oauth/device")];
    let answer = hub.call(&form("/oauth/sign-in", &members)).await.expect(200);
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

/// Value of a hidden member of a page's form.
pub fn hidden(page: &Answer, name: &str) -> String {
    let body = String::from_utf8(page.body.to_vec()).unwrap();
    let mark = format!("name=\"{name}\" value=\"");
    let rest = body.split(&mark).nth(1).unwrap_or_else(|| panic!("no {name} in {body}"));
    let value = rest.split('"').next().unwrap();
    value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// A member of the query of the place that an answer leads to.
pub fn led(answer: &Answer, name: &str) -> Option<String> {
    let query = answer.header("location").unwrap().split_once('?').unwrap().1;
    let found = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    found.map(|value| percent_encoding::percent_decode_str(value).decode_utf8().unwrap().into_owned())
}

/// Asks, allows, and gives where the answer leads.
pub async fn allow(hub: &Gateway, cookie: &str, query: &str) -> Answer {
    let page = Request::get(&format!("/oauth/authorize?{query}")).header("cookie", cookie);
    let page = hub.call(&page).await.expect(200);
    let (request, seal) = (hidden(&page, "request"), hidden(&page, "seal"));
    let members = [("request", request.as_str()), ("seal", &seal), ("decision", "allow")];
    hub.call(&form("/oauth/consent", &members).header("cookie", cookie)).await.expect(303)
}

pub async fn exchange(hub: &Gateway, client: &str, code: &str) -> Answer {
    let members = [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    hub.call(&form("/oauth/token", &members)).await
}

pub async fn refresh(hub: &Gateway, client: &str, token: &str) -> Answer {
    let members = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
    hub.call(&form("/oauth/token", &members)).await
}

/// A public client of the hub, as programs on people's machines are.
pub async fn native(hub: &Gateway, scopes: Value) -> String {
    let body = json!({
        "name": "Notes <b>for</b> all", "redirect_uris": [BACK], "scopes": scopes,
        "grants": ["authorization_code", "refresh_token", "device_code"],
    });
    text(&Api::operator(hub).make("/clients", body).await, "id").to_owned()
}

/// A confidential client that acts for itself: id and secret.
pub async fn machine(hub: &Gateway, more: Value) -> (String, String) {
    let mut body = json!({ "name": "Batch", "type": "confidential", "grants": ["client_credentials"], "tenant": "shop" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = Api::operator(hub).make("/clients", body).await;
    (text(&made, "id").to_owned(), text(&made, "client_secret").to_owned())
}

/// Tokens for `ann@shop.test`: the answer of the token endpoint.
pub async fn tokens(hub: &Gateway, client: &str, scope: &str) -> Value {
    let cookie = sign_in(hub, "ann@shop.test").await;
    let back = allow(hub, &cookie, &asking(client, scope)).await;
    exchange(hub, client, &led(&back, "code").unwrap()).await.expect(200).json()
}

/// Fails unless it is OAuth's own form of this refusal.
#[track_caller]
pub fn refused(answer: Answer, status: u16, error: &str) {
    let answer = answer.expect(status);
    assert_eq!(answer.json()["error"], error, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
}
