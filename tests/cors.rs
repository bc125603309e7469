//! Programs in browsers whose pages are elsewhere, as the Fetch standard has it; and what is said
//! of methods that a path does not take.

use super::support::conf::KEY;
use super::support::*;
use serde_json::json;

const PAGE: &str = "https://app.example.com";

fn preflight(path: &str, method: &str) -> Request {
    Request::new("OPTIONS", path)
        .header("origin", PAGE)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "authorization, content-type, x-stainless-os")
}

fn chat(stream: bool) -> Request {
    let body = json!({ "model": "gpt", "stream": stream, "messages": [{ "role": "user", "content": "hi" }] });
    Request::post("/v1/chat/completions", &body).header("origin", PAGE)
}

#[tokio::test]
async fn a_page_of_another_origin_may_ask_and_read_the_answer() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).set("aigne", "mount = \"/ai-kit\"")).await;
    for (path, method) in [
        ("/v1/chat/completions", "POST"),
        ("/ai-kit/api/v2/chat", "POST"),
        ("/v1/models/gpt", "GET"),
        ("/v1/responses/resp_1", "DELETE"),
        ("/v1beta/models/gpt:generateContent", "POST"),
    ] {
        // Browsers ask without a key.
        let answer = hub.call(&preflight(path, method)).await.expect(204);
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE), "{path}");
        assert_eq!(answer.header("access-control-allow-methods"), Some(method));
        let names = answer.header("access-control-allow-headers");
        assert_eq!(names, Some("authorization, content-type, x-stainless-os"));
        assert_eq!((answer.header("vary"), answer.body.len()), (Some("origin"), 0));
        assert_eq!(answer.header("access-control-allow-credentials"), None, "cookies mean nothing here");
    }
    assert!(upstream.seen().is_empty());

    for (request, status) in [
        (chat(false).key(KEY), 200),
        (chat(true).key(KEY), 200),
        (chat(false), 401),
        (Request::get("/v1/models").header("origin", PAGE).key(KEY), 200),
        (Request::get("/__blocklet__.js?type=json").header("origin", PAGE), 200),
        (Request::get("/nowhere").header("origin", PAGE), 404),
    ] {
        let answer = hub.call(&request).await.expect(status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE), "{answer:?}");
        assert_eq!(answer.header("access-control-expose-headers"), Some("*"));
    }
    // The vendor learns nothing of the page.
    assert!(upstream.seen().iter().all(|seen| seen.header("origin").is_none()));
    let plain = hub.call(&Request::get("/v1/models").key(KEY)).await.expect(200);
    assert_eq!((plain.header("access-control-allow-origin"), plain.header("vary")), (None, None));
}

#[tokio::test]
async fn pages_that_are_not_named_cannot_read_and_the_list_changes_while_the_hub_runs() {
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream);
    let hub = Gateway::start(&conf.clone().set("cors", "origins = [\"https://other.example\"]")).await;
    hub.call(&preflight("/v1/chat/completions", "POST")).await.expect(405);
    let answer = hub.call(&chat(false).key(KEY)).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), None);

    hub.reload(&conf.set("cors", &format!("origins = [\"https://other.example\", \"{PAGE}\"]")));
    hub.eventually("the new list", async || {
        hub.call(&preflight("/v1/chat/completions", "POST")).await.status() == 204
    })
    .await;
    let answer = hub.call(&chat(false).key(KEY)).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
}

#[tokio::test]
async fn the_control_plane_is_never_open_to_other_pages() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    for path in ["/api/admin/v1/keys", "/api/admin/v1/session", "/oauth/authorize"] {
        let answer = hub.call(&preflight(path, "POST")).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
}

#[tokio::test]
async fn a_refused_method_is_told_with_those_that_would_do() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    for (method, path, allowed) in [
        ("OPTIONS", "/v1/chat/completions", "POST"),
        ("GET", "/v1/embeddings", "POST"),
        ("POST", "/v1/models", "GET"),
        ("PUT", "/v1/responses/resp_1", "GET, DELETE"),
        ("DELETE", "/healthz", "GET, HEAD"),
    ] {
        let answer = hub.call(&Request::new(method, path).key(KEY)).await.expect(405);
        assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
    }
}
