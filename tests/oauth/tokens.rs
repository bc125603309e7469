//! Tokens: refreshed, revoked, looked into, and what ends them.

use super::*;

#[tokio::test]
async fn a_program_acts_for_itself_and_proves_who_it_is() {
    let upstream = Upstream::realistic().await;
    let hub = peopled(&upstream).await;
    let (id, secret) = machine(&hub, json!({ "models": ["gpt"] })).await;
    let ask = form("/oauth/token", &[("grant_type", "client_credentials")]);
    let tokens = hub.call(&basic(ask.clone(), &id, &secret)).await.expect(200).json();
    assert!(tokens.get("refresh_token").is_none() && tokens["scope"] == "inference model:gpt", "{tokens}");
    let access = text(&tokens, "access_token");
    hub.call(&chat_by(access, "gpt")).await.expect(200);
    let posted = |secret: &str| {
        form(
            "/oauth/token",
            &[("grant_type", "client_credentials"), ("client_id", &id), ("client_secret", secret)],
        )
    };
    hub.call(&posted(&secret)).await.expect(200);
    refused(hub.call(&posted("aigne_cs_wrong")).await, 401, "invalid_client");
    let wrong = hub.call(&basic(ask.clone(), &id, "wrong")).await.expect(401);
    assert!(wrong.header("www-authenticate").unwrap().starts_with("Basic"));
    refused(hub.call(&basic(posted(&secret), &id, &secret)).await, 400, "invalid_request");
    refused(
        hub.call(&form("/oauth/token", &[("grant_type", "client_credentials")])).await,
        401,
        "invalid_client",
    );
    let asked = |grant: &str| basic(form("/oauth/token", &[("grant_type", grant)]), &id, &secret);
    refused(hub.call(&asked("password")).await, 400, "unsupported_grant_type");
    refused(hub.call(&asked("refresh_token")).await, 400, "unauthorized_client");
    let more = [("grant_type", "client_credentials"), ("scope", "inference keys:own")];
    refused(hub.call(&basic(form("/oauth/token", &more), &id, &secret)).await, 400, "invalid_scope");
    let json = Request::post("/oauth/token", &json!({ "grant_type": "client_credentials" }));
    refused(hub.call(&json).await, 400, "invalid_request");

    let api = Api::operator(&hub);
    let rotated = api.call("POST", &format!("/clients/{id}/rotate"), json!({ "overlap_seconds": 60 })).await;
    let next = text(&rotated.expect(200).json(), "client_secret").to_owned();
    for good in [&secret, &next] {
        hub.call(&basic(ask.clone(), &id, good)).await.expect(200);
    }
    api.call("POST", &format!("/clients/{id}/rotate"), json!({})).await.expect(200);
    for old in [&secret, &next] {
        refused(hub.call(&basic(ask.clone(), &id, old)).await, 401, "invalid_client");
    }
    let shown = format!("{}{}", api.get("/clients").await, api.get("/audit").await);
    assert!(!shown.contains(&secret) && !shown.contains(&next) && !shown.contains(access));
    // Switched off, it gets no tokens, and those that it has do not work.
    api.call("PATCH", &format!("/clients/{id}"), json!({ "enabled": false })).await.expect(200);
    hub.call(&chat_by(access, "gpt")).await.expect_error(401, "invalid_api_key");
    api.call("PATCH", &format!("/clients/{id}"), json!({ "enabled": true })).await.expect(200);
    hub.call(&chat_by(access, "gpt")).await.expect(200);
    api.call("DELETE", &format!("/clients/{id}"), Value::Null).await.expect(204);
    hub.call(&chat_by(access, "gpt")).await.expect_error(401, "invalid_api_key");
    assert_eq!(api.get("/grants").await["items"], json!([]));
}

#[tokio::test]
async fn a_program_has_the_rights_of_its_app_and_no_more() {
    let upstream = Upstream::realistic().await;
    let hub = peopled(&upstream).await;
    let api = Api::operator(&hub);
    let app = api.make("/apps", json!({ "name": "bot", "role": "member", "tenant": "shop" })).await;
    let scopes = json!(["keys:own", "apps:read", "users:write"]);
    let (id, secret) = machine(&hub, json!({ "app": text(&app, "id"), "scopes": scopes })).await;
    let ask = form("/oauth/token", &[("grant_type", "client_credentials")]);
    let tokens = hub.call(&basic(ask, &id, &secret)).await.expect(200).json();
    assert_eq!(tokens["scope"], "apps:read keys:own", "a member writes no users");
    let access = text(&tokens, "access_token");
    Api::bearer(&hub, access).get("/apps").await;
    Api::bearer(&hub, access).call("GET", "/users", Value::Null).await.expect(403);
    hub.call(&chat_by(access, "gpt")).await.expect_error(403, "insufficient_scope");
    // Nor does who may not make owners make a client that acts as one.
    let owner = api.make("/apps", json!({ "name": "boss", "role": "owner" })).await;
    let admin =
        api.make("/users", json!({ "email": "admin@hub.test", "role": "admin", "password": PASSWORD })).await;
    assert!(admin["id"].is_string());
    let cookie = sign_in(&hub, "admin@hub.test").await;
    let body = json!({ "name": "x", "type": "confidential", "grants": ["client_credentials"],
        "app": text(&owner, "id"), "scopes": ["vault:rewrap"] });
    Api::cookie(&hub, &cookie).call("POST", "/clients", body).await.expect(403);
    let everything = json!({ "name": "", "type": "public", "grants": ["client_credentials", "authorization_code"],
        "redirect_uris": [], "app": "app_none", "models": ["a b"], "home_page": "x", "tenant": "shop", "scopes": ["vault:rewrap"] });
    let faults = api.call("POST", "/clients", everything).await.expect(422).json();
    let fields: Vec<&str> =
        faults["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["name", "home_page", "redirect_uris", "grants", "app", "scopes[0]", "models[0]"]);
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_a_stolen_one_ends_everything() {
    let upstream = Upstream::realistic().await;
    let hub = peopled(&upstream).await;
    let client = native(&hub, json!(["inference", "keys:own"])).await;
    let first = tokens(&hub, &client, "inference keys:own").await;
    let second = refresh(&hub, &client, text(&first, "refresh_token")).await.expect(200).json();
    assert_eq!(second["scope"], first["scope"]);
    let access = [text(&first, "access_token"), text(&second, "access_token")];
    for token in access {
        hub.call(&chat_by(token, "gpt")).await.expect(200);
    }
    let narrow = [
        ("grant_type", "refresh_token"),
        ("client_id", client.as_str()),
        ("refresh_token", text(&second, "refresh_token")),
        ("scope", "keys:own"),
    ];
    let mut wide = narrow;
    wide[3].1 = "users:read";
    refused(hub.call(&form("/oauth/token", &wide)).await, 400, "invalid_scope");
    let third = hub.call(&form("/oauth/token", &narrow)).await.expect(200).json();
    assert_eq!(third["scope"], "keys:own");
    hub.call(&chat_by(text(&third, "access_token"), "gpt")).await.expect_error(403, "insufficient_scope");
    let other = native(&hub, json!([])).await;
    refused(refresh(&hub, &other, text(&third, "refresh_token")).await, 400, "invalid_grant");
    // The first one again: somebody has it who should not.
    refused(refresh(&hub, &client, text(&first, "refresh_token")).await, 400, "invalid_grant");
    for token in access {
        hub.call(&chat_by(token, "gpt")).await.expect_error(401, "invalid_api_key");
    }
    refused(refresh(&hub, &client, text(&third, "refresh_token")).await, 400, "invalid_grant");
}

#[tokio::test]
async fn of_many_who_refresh_at_once_one_gets_it() {
    let upstream = Upstream::realistic().await;
    let hub = peopled(&upstream).await;
    let client = native(&hub, json!([])).await;
    let tokens = tokens(&hub, &client, "inference").await;
    let token = text(&tokens, "refresh_token");
    let all = (0..8).map(|_| refresh(&hub, &client, token));
    let answers = futures_util::future::join_all(all).await;
    let good: Vec<Value> = answers.iter().filter(|a| a.status() == 200).map(Answer::json).collect();
    assert_eq!(good.len(), 1, "{answers:?}");
    assert!(answers.iter().filter(|a| a.status() != 200).all(|a| a.json()["error"] == "invalid_grant"));
    // The others looked like thieves, so even the one that won has ended.
    refused(refresh(&hub, &client, text(&good[0], "refresh_token")).await, 400, "invalid_grant");
    hub.call(&chat_by(text(&good[0], "access_token"), "gpt")).await.expect_error(401, "invalid_api_key");
}

#[tokio::test]
async fn tokens_are_revoked_by_their_client_and_seen_by_servers() {
    let upstream = Upstream::realistic().await;
    let hub = peopled(&upstream).await;
    let client = native(&hub, json!([])).await;
    let (id, secret) = machine(&hub, json!({})).await;
    let given = tokens(&hub, &client, "inference").await;
    let (access, renew) = (text(&given, "access_token"), text(&given, "refresh_token"));
    let look = async |token: &str| {
        hub.call(&basic(form("/oauth/introspect", &[("token", token)]), &id, &secret))
            .await
            .expect(200)
            .json()
    };
    let seen = look(access).await;
    assert_eq!((&seen["active"], &seen["username"]), (&json!(true), &json!("ann@shop.test")), "{seen}");
    assert_eq!((&seen["client_id"], &seen["scope"]), (&json!(client), &json!("inference")));
    assert_eq!(look(renew).await["active"], true);
    assert_eq!(look("aigne_at_nothing").await, json!({ "active": false }));
    refused(
        hub.call(&form("/oauth/introspect", &[("client_id", &client), ("token", access)])).await,
        401,
        "invalid_client",
    );
    // Another client's token is none of its business, and it learns nothing.
    hub.call(&basic(form("/oauth/revoke", &[("token", access)]), &id, &secret)).await.expect(200);
    hub.call(&chat_by(access, "gpt")).await.expect(200);
    let revoke = |token: &str| {
        form("/oauth/revoke", &[("client_id", &client), ("token", token), ("token_type_hint", "wrong")])
    };
    hub.call(&revoke("nothing")).await.expect(200);
    hub.call(&revoke(access)).await.expect(200);
    hub.call(&chat_by(access, "gpt")).await.expect_error(401, "invalid_api_key");
    assert_eq!(look(access).await, json!({ "active": false }));
    let next = refresh(&hub, &client, renew).await.expect(200).json();
    hub.call(&revoke(text(&next, "refresh_token"))).await.expect(200);
    hub.call(&chat_by(text(&next, "access_token"), "gpt")).await.expect_error(401, "invalid_api_key");
    refused(refresh(&hub, &client, text(&next, "refresh_token")).await, 400, "invalid_grant");
    let own = Api::operator(&hub).get("/audit?action=oauth.revoke").await;
    assert_eq!(own["items"].as_array().unwrap().len(), 2, "{own}");
}

#[tokio::test]
async fn tokens_end_with_the_rights_of_their_user() {
    let upstream = Upstream::realistic().await;
    let hub = peopled(&upstream).await;
    let client = native(&hub, json!([])).await;
    let given = tokens(&hub, &client, "inference").await;
    let access = text(&given, "access_token");
    let api = Api::operator(&hub);
    let users = api.get("/users?email=ann%40shop.test").await;
    let ann = format!("/users/{}", text(&users["items"][0], "id"));
    let works = async |status: u16| {
        assert_eq!(hub.call(&chat_by(access, "gpt")).await.status(), status);
    };
    works(200).await;
    for (path, off, on) in [
        (ann.as_str(), json!({ "enabled": false }), json!({ "enabled": true })),
        ("/tenants/shop", json!({ "enabled": false }), json!({ "enabled": true })),
    ] {
        api.call("PATCH", path, off).await.expect(200);
        works(401).await;
        refused(refresh(&hub, &client, text(&given, "refresh_token")).await, 400, "invalid_grant");
        api.call("PATCH", path, on).await.expect(200);
        works(200).await;
    }
    // A guest calls no models.
    api.call("PATCH", &ann, json!({ "role": "guest" })).await.expect(200);
    works(403).await;
    api.call("PATCH", &ann, json!({ "role": "member" })).await.expect(200);
    let grants = api.get(&format!("/grants?client={client}")).await;
    let grant = &grants["items"][0];
    assert_eq!((&grant["email"], &grant["access_tokens"]), (&json!("ann@shop.test"), &json!(1)), "{grants}");
    api.call("DELETE", &format!("/grants/{}", text(grant, "id")), Value::Null).await.expect(204);
    works(401).await;
    let again = tokens(&hub, &client, "inference").await;
    api.call("DELETE", &ann, Value::Null).await.expect(204);
    hub.call(&chat_by(text(&again, "access_token"), "gpt")).await.expect_error(401, "invalid_api_key");
    assert_eq!(api.get("/grants").await["items"], json!([]));
}

#[tokio::test]
async fn what_was_allowed_and_revoked_outlives_a_crash() {
    let upstream = Upstream::realistic().await;
    let hub = peopled(&upstream).await;
    let client = native(&hub, json!([])).await;
    let kept = tokens(&hub, &client, "inference").await;
    let gone = tokens(&hub, &client, "inference").await;
    hub.call(&form("/oauth/revoke", &[("client_id", &client), ("token", text(&gone, "refresh_token"))]))
        .await
        .expect(200);
    let rotated = refresh(&hub, &client, text(&kept, "refresh_token")).await.expect(200).json();
    let home = hub.home();
    hub.kill9().await;
    let hub = Gateway::start_in(home).await;
    for token in [&kept, &rotated] {
        hub.call(&chat_by(text(token, "access_token"), "gpt")).await.expect(200);
    }
    hub.call(&chat_by(text(&gone, "access_token"), "gpt")).await.expect_error(401, "invalid_api_key");
    refused(refresh(&hub, &client, text(&gone, "refresh_token")).await, 400, "invalid_grant");
    refresh(&hub, &client, text(&rotated, "refresh_token")).await.expect(200);
    refused(refresh(&hub, &client, text(&kept, "refresh_token")).await, 400, "invalid_grant");
    hub.call(&chat_by(text(&rotated, "access_token"), "gpt")).await.expect_error(401, "invalid_api_key");
}

#[tokio::test]
async fn tokens_live_as_long_as_is_configured() {
    let upstream = Upstream::realistic().await;
    let conf = conf(&upstream)
        .set("oauth", "access_token = \"1s\"")
        .set("oauth", "issuer = \"https://hub.example\"");
    let hub = Gateway::start(&conf).await;
    people(&hub).await;
    let (id, secret) = machine(&hub, json!({})).await;
    let ask = basic(form("/oauth/token", &[("grant_type", "client_credentials")]), &id, &secret);
    let tokens = hub.call(&ask).await.expect(200).json();
    assert_eq!(tokens["expires_in"], 1);
    let chat = chat_by(text(&tokens, "access_token"), "gpt");
    hub.eventually("the token to expire", async || hub.call(&chat).await.status() == 401).await;
    let metadata =
        hub.call(&Request::get("/.well-known/oauth-authorization-server")).await.expect(200).json();
    assert_eq!(metadata["token_endpoint"], "https://hub.example/oauth/token");
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
}
