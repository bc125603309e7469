//! The first owner, sessions, passwords and one-time codes.

use super::*;

const PASSWORD: &str = "correct horse battery";

fn conf() -> Conf {
    Conf::of([Provider::simulator("mock")])
        .variable("AIGNE_HUB_BOOTSTRAP_TOKEN", "bootstrap-canary-4711")
        .variable("AIGNE_HUB_MASTER_KEY", &"07".repeat(32))
}

async fn open(hub: &Gateway, path: &str, body: Value) -> Answer {
    hub.admin(&Request::post(&format!("{ROOT}{path}"), &body)).await
}

/// A hub with an owner.
async fn owned() -> Gateway {
    let hub = Gateway::start(&conf()).await;
    let body = json!({ "token": "bootstrap-canary-4711", "email": "owner@hub.test", "password": PASSWORD });
    open(&hub, "/bootstrap", body).await.expect(201);
    hub
}

/// Signs in; the cookie.
async fn sign_in(hub: &Gateway, body: Value) -> Result<String, Answer> {
    let answer = open(hub, "/session", body).await;
    match answer.status() {
        200 => Ok(answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()),
        _ => Err(answer),
    }
}

async fn owner(hub: &Gateway) -> String {
    sign_in(hub, json!({ "email": "Owner@hub.test", "password": PASSWORD })).await.unwrap()
}

#[tokio::test]
async fn only_the_token_makes_the_first_owner_and_only_once() {
    let hub = Gateway::start(&conf()).await;
    assert!(!hub.said().contains("bootstrap-canary"), "a token that was given is not repeated");
    let status = hub.admin(&Request::get(&format!("{ROOT}/status"))).await.expect(200).json();
    assert_eq!(status["has_owner"], false);
    for path in ["/keys", "/users", "/me", "/audit"] {
        hub.admin(&Request::get(&format!("{ROOT}{path}"))).await.expect(401);
    }
    let body =
        |token: &str, password: &str| json!({ "token": token, "email": "o@hub.test", "password": password });
    open(&hub, "/bootstrap", body("guess", PASSWORD)).await.expect(403);
    let short = open(&hub, "/bootstrap", body("bootstrap-canary-4711", "short")).await.expect(422);
    assert_eq!(short.json()["errors"][0]["field"], "password");
    open(&hub, "/bootstrap", body("bootstrap-canary-4711", PASSWORD)).await.expect(201);
    open(&hub, "/bootstrap", body("bootstrap-canary-4711", PASSWORD)).await.expect(409);
    let home = hub.home();
    hub.stop().await;
    let hub = Gateway::start_in(home).await;
    open(&hub, "/bootstrap", body("bootstrap-canary-4711", PASSWORD)).await.expect(409);
}

#[tokio::test]
async fn a_fresh_hub_prints_its_token() {
    let hub = Gateway::start(&Conf::of([Provider::simulator("mock")])).await;
    let said = hub.said();
    let token = said.split("with the token ").nth(1).unwrap().split_whitespace().next().unwrap();
    let body = json!({ "token": token, "email": "o@hub.test", "password": PASSWORD });
    open(&hub, "/bootstrap", body).await.expect(201);
}

#[tokio::test]
async fn sessions_begin_with_a_password_and_end_everywhere() {
    let hub = owned().await;
    let (first, second) = (owner(&hub).await, owner(&hub).await);
    assert_ne!(first, second);
    let me = Api::cookie(&hub, &first).get("/me").await;
    assert_eq!((text(&me, "kind"), text(&me, "name")), ("user", "owner@hub.test"));
    assert_eq!(Api::cookie(&hub, &first).get("/sessions").await["items"].as_array().unwrap().len(), 2);
    // A restart ends no session.
    let home = hub.home();
    hub.stop().await;
    let hub = Gateway::start_in(home).await;
    Api::cookie(&hub, &second).get("/me").await;
    Api::cookie(&hub, &first).call("DELETE", "/session", Value::Null).await.expect(204);
    Api::cookie(&hub, &first).call("GET", "/me", Value::Null).await.expect(401);
    let third = owner(&hub).await;
    Api::cookie(&hub, &third).call("DELETE", "/sessions", Value::Null).await.expect(204);
    for cookie in [&second, &third] {
        Api::cookie(&hub, cookie).call("GET", "/me", Value::Null).await.expect(401);
    }
}

#[tokio::test]
async fn who_guesses_learns_nothing_and_has_to_wait() {
    let hub = owned().await;
    let wrong = sign_in(&hub, json!({ "email": "owner@hub.test", "password": "wrong wrong wrong" }))
        .await
        .unwrap_err();
    let unknown = sign_in(&hub, json!({ "email": "nobody@hub.test", "password": "wrong wrong wrong" }))
        .await
        .unwrap_err();
    assert_eq!((wrong.status(), wrong.body.clone()), (unknown.status(), unknown.body.clone()));
    let mut last = wrong;
    for _ in 0..8 {
        last = sign_in(&hub, json!({ "email": "owner@hub.test", "password": "wrong wrong wrong" }))
            .await
            .unwrap_err();
    }
    assert_eq!(last.status(), 429, "{last:?}");
    assert!(last.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    let right = sign_in(&hub, json!({ "email": "owner@hub.test", "password": PASSWORD })).await;
    assert_eq!(right.unwrap_err().status(), 429, "also with the right password");
    let refused = Api::operator(&hub).get("/audit?action=session.create&outcome=refused").await;
    let refused = refused["items"].as_array().unwrap().clone();
    assert!(refused.iter().any(|entry| text(&entry["who"], "name") == "nobody@hub.test"), "{refused:?}");
}

#[tokio::test]
async fn another_site_cannot_make_a_browser_change_anything() {
    let hub = owned().await;
    let cookie = owner(&hub).await;
    let api = Api::cookie(&hub, &cookie);
    let body = json!({ "id": "shop" });
    for (name, value) in
        [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "http://evil.test")]
    {
        let request = api.request("POST", "/tenants", &body).header(name, value);
        hub.admin(&request).await.expect(403);
    }
    let own = api.request("POST", "/tenants", &body).header("sec-fetch-site", "same-origin");
    hub.admin(&own).await.expect(201);
    let read = api.request("GET", "/tenants", &Value::Null).header("sec-fetch-site", "cross-site");
    hub.admin(&read).await.expect(200);
    let answer = open(&hub, "/session", json!({ "email": "owner@hub.test", "password": PASSWORD })).await;
    let cookie = answer.header("set-cookie").unwrap();
    for part in ["__Host-", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
}

#[tokio::test]
async fn a_new_password_and_a_one_time_code_hold_from_then_on() {
    let hub = owned().await;
    let cookie = owner(&hub).await;
    let other = owner(&hub).await;
    let api = Api::cookie(&hub, &cookie);
    let next = json!({ "current": PASSWORD, "password": "another long password" });
    let wrong = json!({ "current": "wrong wrong wrong", "password": "another long password" });
    api.call("POST", "/me/password", wrong).await.expect(422);
    api.call("POST", "/me/password", next).await.expect(204);
    Api::cookie(&hub, &other).call("GET", "/me", Value::Null).await.expect(401);
    api.get("/me").await;
    let old = sign_in(&hub, json!({ "email": "owner@hub.test", "password": PASSWORD })).await;
    assert_eq!(old.unwrap_err().status(), 401);

    let begun = api.call("POST", "/me/totp", Value::Null).await.expect(200).json();
    assert!(text(&begun, "uri").starts_with("otpauth://totp/"));
    let secret = from_base32(text(&begun, "secret"));
    api.call("POST", "/me/totp/confirm", json!({ "code": "000000" })).await.expect(422);
    let step = step_of_now();
    let code = |step: u64| aigne_hub::control::totp_code(&secret, step).unwrap();
    api.call("POST", "/me/totp/confirm", json!({ "code": code(step) })).await.expect(204);
    let plain = json!({ "email": "owner@hub.test", "password": "another long password" });
    assert_eq!(sign_in(&hub, plain.clone()).await.unwrap_err().status(), 401);
    let mut with_code = plain;
    with_code["code"] = json!(code(step));
    assert_eq!(sign_in(&hub, with_code.clone()).await.unwrap_err().status(), 401, "each code is good once");
    with_code["code"] = json!(code(step + 1));
    sign_in(&hub, with_code).await.unwrap();
}

pub fn step_of_now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 30
}

pub fn from_base32(text: &str) -> Vec<u8> {
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for c in text.bytes() {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == c).unwrap();
        held = held << 5 | u32::try_from(value).unwrap();
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).unwrap());
        }
    }
    bytes
}
