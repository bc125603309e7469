//! People are asked, in their browser or for a device.

use super::*;

#[tokio::test]
async fn a_program_is_allowed_and_calls_for_its_user() {
    let upstream = Upstream::realistic().await;
    let hub = peopled(&upstream).await;
    let client = native(&hub, json!(["inference", "keys:own"])).await;
    let query = asking(&client, "inference keys:own model:gpt");
    let ask = Request::get(&format!("/oauth/authorize?{query}"));
    let page = hub.call(&ask).await.expect(200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(hidden(&page, "return"), format!("/oauth/authorize?{query}"));
    // A browser that comes from elsewhere holds its cookie back, and is asked to come again.
    let bounced = hub.call(&ask.clone().header("sec-fetch-site", "cross-site")).await.expect(200);
    assert!(String::from_utf8_lossy(&bounced.body).contains("http-equiv=\"refresh\""));

    let wrong = [("email", "ann@shop.test"), ("password", "wrong"), ("return", "https://evil.test/")];
    let again = hub.call(&form("/oauth/sign-in", &wrong)).await.expect(401);
    assert_eq!(hidden(&again, "return"), "/oauth/device", "nobody is sent elsewhere");
    let cookie = sign_in(&hub, "ann@shop.test").await;
    let page = hub.call(&ask.clone().header("cookie", &cookie)).await.expect(200);
    let body = String::from_utf8_lossy(&page.body).into_owned();
    assert!(body.contains("Notes &lt;b&gt;for&lt;/b&gt; all") && !body.contains("<b>"), "{body}");
    assert!(
        body.contains("Call models") && body.contains("<code>gpt</code>") && body.contains("ann@shop.test")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self' http://127.0.0.1;"), "{policy}");

    let back = allow(&hub, &cookie, &query).await;
    assert!(back.header("location").unwrap().starts_with("http://127.0.0.1/back?"));
    assert_eq!(
        (led(&back, "state").as_deref(), led(&back, "iss").as_deref()),
        (Some("a&b"), Some("http://hub.test"))
    );
    let code = led(&back, "code").unwrap();
    let answer = exchange(&hub, &client, &code).await.expect(200);
    assert_eq!(
        (answer.header("cache-control"), answer.header("pragma")),
        (Some("no-store"), Some("no-cache"))
    );
    let tokens = answer.json();
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!(tokens["scope"], "inference keys:own model:gpt");
    let access = text(&tokens, "access_token").to_owned();
    hub.call(&chat_by(&access, "gpt")).await.expect(200);
    hub.call(&chat_by(&access, "mock/gpt-4o")).await.expect_error(404, "model_not_found");
    // The control plane takes it too, for what it is for and no more; what it makes reaches no further.
    let api = Api::bearer(&hub, &access);
    assert_eq!(api.get("/me").await["kind"], "token");
    let key = api.make("/keys", json!({ "models": ["gpt"] })).await;
    assert_eq!(key["owner"]["kind"], "user");
    api.call("POST", "/keys", json!({})).await.expect(403);
    api.call("GET", "/users", Value::Null).await.expect(403);
    api.call("POST", "/me/password", json!({ "current": PASSWORD, "password": "another long one" }))
        .await
        .expect(409);
    let records = hub.ledger().await;
    let record = &records[0];
    assert_eq!((&record["tenant"], &record["outcome"]), (&json!("shop"), &json!("ok")), "{record}");
    let told = record.to_string();
    assert!(told.contains(&client) && told.contains("user_"), "the books know program and person: {told}");
}

#[tokio::test]
async fn what_a_program_asks_wrongly_it_is_told_and_only_where_it_registered() {
    let upstream = Upstream::realistic().await;
    let hub = peopled(&upstream).await;
    let client = native(&hub, json!(["inference"])).await;
    let good = asking(&client, "inference");
    let ask = async |query: &str| hub.call(&Request::get(&format!("/oauth/authorize?{query}"))).await;
    let other = encoded("http://127.0.0.1/elsewhere");
    for (from, to) in [
        (client.as_str(), "client_nobody"),
        (encoded(BACK).as_str(), other.as_str()),
        ("state=", "client_id=again&state="),
    ] {
        let answer = ask(&good.replacen(from, to, 1)).await.expect(400);
        assert!(answer.header("location").is_none(), "{answer:?}");
    }
    for (from, to, error) in [
        ("response_type=code", "response_type=token", "unsupported_response_type"),
        ("response_type=code&", "", "invalid_request"),
        ("code_challenge_method=S256", "code_challenge_method=plain", "invalid_request"),
        ("&code_challenge_method=S256", "", "invalid_request"),
        ("code_challenge=", "code_challenge=x", "invalid_request"),
        ("scope=inference", "scope=users%3Awrite", "invalid_scope"),
        ("scope=inference", "scope=everything", "invalid_scope"),
        ("state=", "request=x&state=", "request_not_supported"),
        ("state=", "prompt=none&state=", "login_required"),
    ] {
        let answer = ask(&good.replacen(from, to, 1)).await.expect(303);
        assert_eq!(
            (led(&answer, "error").as_deref(), led(&answer, "state").as_deref()),
            (Some(error), Some("a&b"))
        );
        assert!(led(&answer, "code").is_none());
    }
    // The port of this machine is free.
    let port = good.replacen(&encoded(BACK), &encoded("http://127.0.0.1:49152/back"), 1);
    ask(&port).await.expect(200);
    // A program of a tenant is for its own people, or it could borrow the rights of others.
    let body = json!({ "name": "Own", "redirect_uris": [BACK], "tenant": "shop" });
    let own = Api::operator(&hub).make("/clients", body).await;
    let cookie = sign_in(&hub, "owner@hub.test").await;
    let query = asking(text(&own, "id"), "inference");
    let answer =
        hub.call(&Request::get(&format!("/oauth/authorize?{query}")).header("cookie", &cookie)).await;
    assert_eq!(led(&answer.expect(303), "error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn only_the_page_that_was_shown_can_answer() {
    let upstream = Upstream::realistic().await;
    let hub = peopled(&upstream).await;
    let client = native(&hub, json!(["inference", "keys:own"])).await;
    let (ann, owner) = (sign_in(&hub, "ann@shop.test").await, sign_in(&hub, "owner@hub.test").await);
    let query = asking(&client, "inference");
    let page = hub
        .call(&Request::get(&format!("/oauth/authorize?{query}")).header("cookie", &ann))
        .await
        .expect(200);
    let seal = hidden(&page, "seal");
    let answer = |request: &str, seal: &str, decision: &str| {
        form("/oauth/consent", &[("request", request), ("seal", seal), ("decision", decision)])
    };
    // Another request than the one that was shown, another person, another site.
    let more = asking(&client, "inference keys:own");
    hub.call(&answer(&more, &seal, "allow").header("cookie", &ann)).await.expect(403);
    hub.call(&answer(&query, &seal, "allow").header("cookie", &owner)).await.expect(403);
    hub.call(&answer(&query, "", "allow").header("cookie", &ann)).await.expect(400);
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")] {
        hub.call(&answer(&query, &seal, "allow").header("cookie", &ann).header(name, value))
            .await
            .expect(403);
        let members = [("email", "ann@shop.test"), ("password", PASSWORD)];
        hub.call(&form("/oauth/sign-in", &members).header(name, value)).await.expect(403);
    }
    let denied = hub.call(&answer(&query, &seal, "deny").header("cookie", &ann)).await.expect(303);
    assert_eq!(led(&denied, "error").as_deref(), Some("access_denied"));
    assert!(led(&denied, "code").is_none());
}

#[tokio::test]
async fn a_code_is_good_once_for_who_asked_for_it() {
    let upstream = Upstream::realistic().await;
    let hub = peopled(&upstream).await;
    let (client, other) = (native(&hub, json!([])).await, native(&hub, json!([])).await);
    let cookie = sign_in(&hub, "ann@shop.test").await;
    let fresh = async || led(&allow(&hub, &cookie, &asking(&client, "inference")).await, "code").unwrap();
    refused(exchange(&hub, &other, &fresh().await).await, 400, "invalid_grant");
    let with = |code: &str, redirect: &str, verifier: &str| {
        let members = [
            ("grant_type", "authorization_code"),
            ("client_id", client.as_str()),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        form("/oauth/token", &members)
    };
    refused(hub.call(&with(&fresh().await, "http://127.0.0.1:9/back", VERIFIER)).await, 400, "invalid_grant");
    refused(hub.call(&with(&fresh().await, BACK, &"x".repeat(43))).await, 400, "invalid_grant");
    refused(hub.call(&with(&fresh().await, BACK, "")).await, 400, "invalid_request");
    let code = fresh().await;
    let tokens = exchange(&hub, &client, &code).await.expect(200).json();
    let access = text(&tokens, "access_token");
    hub.call(&chat_by(access, "gpt")).await.expect(200);
    // The second use is a theft: what came of the first ends.
    refused(exchange(&hub, &client, &code).await, 400, "invalid_grant");
    hub.call(&chat_by(access, "gpt")).await.expect_error(401, "invalid_api_key");
    refused(refresh(&hub, &client, text(&tokens, "refresh_token")).await, 400, "invalid_grant");
    let audit = Api::operator(&hub).get("/audit?action=oauth.token").await.to_string();
    assert!(audit.contains("its code was used twice") && audit.contains("refused"), "{audit}");
}

#[tokio::test]
async fn an_answer_is_remembered_until_it_is_taken_back() {
    let upstream = Upstream::realistic().await;
    let hub = peopled(&upstream).await;
    let back = "https://app.test/back";
    let body = json!({ "name": "Site", "type": "confidential", "redirect_uris": [back], "scopes": ["inference", "keys:own"] });
    let made = Api::operator(&hub).make("/clients", body).await;
    let (id, secret) = (text(&made, "id"), text(&made, "client_secret"));
    let query = |scope: &str| asking(id, scope).replacen(&encoded(BACK), &encoded(back), 1);
    let cookie = sign_in(&hub, "ann@shop.test").await;
    let ask = async |scope: &str| {
        let request = Request::get(&format!("/oauth/authorize?{}", query(scope))).header("cookie", &cookie);
        hub.call(&request).await
    };
    let code = led(&allow(&hub, &cookie, &query("inference")).await, "code").unwrap();
    let members = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", back),
        ("code_verifier", VERIFIER),
    ];
    let tokens = hub.call(&basic(form("/oauth/token", &members), id, secret)).await.expect(200).json();
    // Nothing more: no question. More: a question.
    assert!(led(&ask("inference").await.expect(303), "code").is_some());
    ask("inference keys:own").await.expect(200);
    let own = Api::cookie(&hub, &cookie);
    let list = own.get("/me/consents").await;
    assert_eq!((&list["items"][0]["id"], &list["items"][0]["scope"]), (&json!(id), &json!("inference")));
    own.call("DELETE", "/me/consents/client_nobody", Value::Null).await.expect(404);
    own.call("DELETE", &format!("/me/consents/{id}"), Value::Null).await.expect(204);
    hub.call(&chat_by(text(&tokens, "access_token"), "gpt")).await.expect_error(401, "invalid_api_key");
    ask("inference").await.expect(200);
}

#[tokio::test]
async fn a_device_shows_a_code_and_waits() {
    let upstream = Upstream::realistic().await;
    let hub = peopled(&upstream).await;
    let client = native(&hub, json!(["inference"])).await;
    let begin = form("/oauth/device_authorization", &[("client_id", &client), ("scope", "inference")]);
    let begun = hub.call(&begin).await.expect(200).json();
    assert_eq!(begun["verification_uri"], "http://hub.test/oauth/device");
    let (device, code) = (text(&begun, "device_code"), text(&begun, "user_code"));
    let members = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", client.as_str()),
        ("device_code", device),
    ];
    let poll = async || hub.call(&form("/oauth/token", &members)).await;
    refused(poll().await, 400, "authorization_pending");
    refused(poll().await, 400, "slow_down");
    let cookie = sign_in(&hub, "ann@shop.test").await;
    let typed = code.to_lowercase().replace('-', " ");
    let page = Request::get(&format!("/oauth/device?user_code={code}")).header("cookie", &cookie);
    let seal = hidden(&hub.call(&page).await.expect(200), "seal");
    let send = async |members: &[(&str, &str)]| {
        hub.call(&form("/oauth/device", members).header("cookie", &cookie)).await
    };
    let wrong = send(&[("user_code", "BBBB-BBBB"), ("seal", &seal)]).await.expect(200);
    assert!(String::from_utf8_lossy(&wrong.body).contains("No device waits"));
    let asked = send(&[("user_code", &typed), ("seal", &seal)]).await.expect(200);
    assert!(String::from_utf8_lossy(&asked.body).contains(code));
    // The seal of the first page does not answer for the second one.
    send(&[("user_code", &typed), ("seal", &seal), ("decision", "allow")]).await.expect(403);
    let (code, seal) = (hidden(&asked, "user_code"), hidden(&asked, "seal"));
    send(&[("user_code", &code), ("seal", &seal), ("decision", "allow")]).await.expect(200);
    let tokens = poll().await.expect(200).json();
    hub.call(&chat_by(text(&tokens, "access_token"), "gpt")).await.expect(200);
    refused(poll().await, 400, "expired_token");
    // And one that is refused.
    let begun = hub.call(&begin).await.expect(200).json();
    let asked =
        send(&[("user_code", text(&begun, "user_code")), ("seal", &hidden(&hub.call(&page).await, "seal"))])
            .await;
    let (code, seal) = (hidden(&asked, "user_code"), hidden(&asked, "seal"));
    send(&[("user_code", &code), ("seal", &seal), ("decision", "deny")]).await.expect(200);
    let members = [members[0], members[1], ("device_code", text(&begun, "device_code"))];
    refused(hub.call(&form("/oauth/token", &members)).await, 400, "access_denied");
}

/// Guessing a device's code is slow for who guesses, and for nobody else.
#[tokio::test]
async fn who_guesses_codes_of_devices_has_to_wait() {
    let upstream = Upstream::realistic().await;
    let hub = peopled(&upstream).await;
    let cookie = sign_in(&hub, "ann@shop.test").await;
    let page = hub.call(&Request::get("/oauth/device").header("cookie", &cookie)).await.expect(200);
    let seal = hidden(&page, "seal");
    let guess =
        form("/oauth/device", &[("user_code", "BCDF-GHJK"), ("seal", &seal)]).header("cookie", &cookie);
    for _ in 0..5 {
        hub.call(&guess).await.expect(200);
    }
    let answer = hub.call(&guess).await.expect(429);
    assert!(answer.header("retry-after").is_some());
}
