//! One origin: the control plane on the public listener.

use super::*;

#[tokio::test]
async fn the_control_plane_is_within_reach_of_callers_and_its_secrets_are_not() {
    let upstream = Upstream::realistic().await;
    let hub = peopled(&upstream).await;
    let status = hub.call(&Request::get(&format!("{ROOT}/status"))).await.expect(200);
    assert_eq!(status.json()["has_owner"], true);
    hub.call(&Request::get(&format!("{ROOT}/keys"))).await.expect(401);
    hub.call(&Request::get(&format!("{ROOT}/nothing"))).await.expect(404);
    let body = json!({ "email": "ann@shop.test", "password": PASSWORD });
    let signed = hub.call(&Request::post(&format!("{ROOT}/session"), &body)).await.expect(200);
    let cookie = signed.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let me = hub.call(&Request::get(&format!("{ROOT}/me")).header("cookie", &cookie)).await.expect(200);
    assert_eq!(me.json()["tenant"], "shop");
    let over = Request::new("DELETE", &format!("{ROOT}/session")).header("cookie", &cookie);
    let ended = hub.call(&over).await.expect(204);
    assert!(ended.body.is_empty() && ended.header("transfer-encoding").is_none());
    let head = hub.call(&Request::new("OPTIONS", "/oauth/token")).await.expect(204);
    assert_eq!(head.header("access-control-allow-origin"), Some("*"));
    for path in
        ["/metrics", "/admin/connect", "/admin/ledger/export", "/admin/reload", "/oauth", "/oauth/nothing"]
    {
        hub.call(&Request::get(path)).await.expect(404);
    }
    hub.call(&Request::get("/oauth/token")).await.expect(405);
    let long = Request::new("POST", &format!("{ROOT}/session")).body(vec![b' '; 2 << 20]);
    hub.call(&long).await.expect(413);
}

#[tokio::test]
async fn nobody_claims_an_address_on_the_way_to_the_control_plane() {
    let upstream = Upstream::realistic().await;
    let hub = peopled(&upstream).await;
    let api = Api::operator(&hub);
    let claim = |request: Request| {
        request.header("x-forwarded-for", "203.0.113.9").header("forwarded", "for=203.0.113.9")
    };
    let wrong = json!({ "email": "eve@shop.test", "password": "x" });
    hub.call(&claim(Request::post(&format!("{ROOT}/session"), &wrong))).await.expect(401);
    let audit = api.get("/audit?outcome=refused").await;
    assert_eq!(audit["items"][0]["address"], "127.0.0.1", "{audit}");
    // A proxy that is trusted is believed.
    hub.reload(&conf(&upstream).set("security", "trusted_proxies = [\"127.0.0.1\"]"));
    hub.eventually("the proxy to be trusted", async || {
        hub.call(&claim(Request::post(&format!("{ROOT}/session"), &wrong))).await;
        api.get("/audit?outcome=refused").await["items"][0]["address"] == "203.0.113.9"
    })
    .await;
}

#[tokio::test]
async fn the_planes_can_be_kept_apart() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&conf(&upstream).set("public", "console = false")).await;
    people(&hub).await;
    for path in ["/api/admin/v1/status", "/oauth/authorize", "/.well-known/oauth-authorization-server"] {
        hub.call(&Request::get(path)).await.expect_error(404, "unknown_url");
        assert_ne!(hub.admin(&Request::get(path)).await.status(), 404, "{path}");
    }
    let (id, secret) = machine(&hub, json!({})).await;
    let ask = basic(form("/oauth/token", &[("grant_type", "client_credentials")]), &id, &secret);
    let tokens = hub.admin(&ask).await.expect(200).json();
    hub.call(&chat_by(text(&tokens, "access_token"), "gpt")).await.expect(200);
}

#[tokio::test]
async fn the_authorization_server_can_be_switched_off() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&conf(&upstream).set("oauth", "enabled = false")).await;
    hub.call(&Request::get("/.well-known/oauth-authorization-server")).await.expect(404);
    hub.call(&form("/oauth/token", &[("grant_type", "client_credentials")])).await.expect(404);
}
