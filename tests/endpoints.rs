//! Every endpoint that applications know, with the model's name as the only
//! thing that changes on the way.

use super::support::conf::KEY;
use super::support::upstream::http2::SecureUpstream;
use super::support::*;
use serde_json::{Value, json};

/// Path, a body, and what of the answer shows that it is the vendor's.
fn json_endpoints() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        (
            "/v1/chat/completions",
            json!({ "messages": [{ "role": "user", "content": "hi" }] }),
            "chatcmpl-mock",
        ),
        ("/v1/completions", json!({ "prompt": "hi" }), "cmpl-mock"),
        ("/v1/embeddings", json!({ "input": ["hi"] }), "embedding"),
        ("/v1/images/generations", json!({ "prompt": "a lake" }), "b64_json"),
        ("/v1/moderations", json!({ "input": "hi" }), "modr-mock"),
    ]
}

#[tokio::test]
async fn json_endpoints_reach_the_vendor_with_its_own_model_name() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    for (path, mut body, sign) in json_endpoints() {
        body["model"] = json!("gpt");
        let answer = hub.post(path, &body).await.expect(200);
        assert!(String::from_utf8_lossy(&answer.body).contains(sign), "{path}: {answer:?}");
        let seen = upstream.seen().pop().unwrap();
        body["model"] = json!("gpt-4o");
        assert_eq!((seen.path.as_str(), seen.json()), (path, body));
    }
}

#[tokio::test]
async fn the_vendors_answer_arrives_byte_for_byte() {
    let body = "{ \"id\" : \"x\",\n\t\"unknown\": [1.0, 1e2, \"\\u00e9\"], \"choices\":[{\"message\":{}}]}\n";
    let upstream = Upstream::always(Reply::body(200, "application/json", body)).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    assert_eq!(hub.chat("hi").await.expect(200).body, body);
}

#[tokio::test]
async fn paths_answer_without_the_version_too() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let body = json!({ "model": "gpt", "messages": [{ "role": "user", "content": "hi" }] });
    hub.post("/chat/completions", &body).await.expect(200);
    assert_eq!(upstream.only().path, "/v1/chat/completions");
}

#[tokio::test]
async fn a_provider_and_its_model_are_a_name_too() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let body = json!({ "model": "mock/gpt-4o-mini", "messages": [{ "role": "user", "content": "hi" }] });
    let answer = hub.post("/v1/chat/completions", &body).await.expect(200);
    assert_eq!(upstream.only().json()["model"], "gpt-4o-mini");
    assert_eq!(answer.header("x-aigne-provider"), Some("mock"));
    assert_eq!(answer.header("x-aigne-model"), Some("gpt-4o-mini"));
}

#[tokio::test]
async fn a_server_without_a_key_is_sent_none() {
    let upstream = Upstream::lawful(Rules::lenient().credentials(&[]), vendor::answer).await;
    let hub = Gateway::start(&Conf::of([Provider::of("mock", &upstream).credentials(&[])])).await;
    hub.chat("hi").await.expect(200);
    assert_eq!(upstream.only().header("authorization"), None);
}

#[tokio::test]
async fn speech_is_passed_on_as_it_is() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let body = json!({ "model": "gpt", "input": "hi", "voice": "alloy" });
    let answer = hub.post("/v1/audio/speech", &body).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("audio/mpeg"));
    assert_eq!(&answer.body[..], [0xff, 0xfb, 0x90, 0x00]);
}

/// A form with a model, a file of every byte, and one more field.
fn form(boundary: &str, model: &str) -> Vec<u8> {
    let mut body = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\
         content-type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    body.extend(0..=255_u8);
    body.extend_from_slice(
        format!(
            "\r\n--{boundary}\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n\
             --{boundary}\r\ncontent-disposition: form-data; name=\"prompt\"\r\n\r\nmodel gpt\r\n--{boundary}--\r\n"
        )
        .as_bytes(),
    );
    body
}

#[tokio::test]
async fn forms_keep_their_files_and_change_only_the_model() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    for path in ["/v1/audio/transcriptions", "/v1/images/edits"] {
        let request = Request::new("POST", path)
            .header("content-type", "multipart/form-data; boundary=\"x-y\"")
            .body(form("x-y", "gpt"))
            .key(KEY);
        hub.call(&request).await.expect(200);
        let seen = upstream.seen().pop().unwrap();
        assert_eq!((seen.path.as_str(), &seen.body[..]), (path, &form("x-y", "gpt-4o")[..]));
    }
}

#[tokio::test]
async fn a_form_without_a_model_is_refused() {
    let upstream = Upstream::script([]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let request = Request::new("POST", "/v1/audio/transcriptions")
        .header("content-type", "multipart/form-data; boundary=b")
        .body("--b\r\ncontent-disposition: form-data; name=\"prompt\"\r\n\r\nhi\r\n--b--\r\n")
        .key(KEY);
    let answer = hub.call(&request).await.expect(400);
    assert_eq!(answer.json()["error"]["param"], "model");
}

#[tokio::test]
async fn models_are_listed_and_found_by_encoded_names() {
    let upstream = Upstream::script([]).await;
    let provider = Provider::of("mock", &upstream).line("models = [\"gpt-4o\", \"org/model:free\"]");
    let hub = Gateway::start(&Conf::of([provider]).model("gpt", &["mock/gpt-4o"], &[])).await;
    let list = hub.get("/v1/models").await.expect(200).json();
    assert_eq!(list["object"], "list");
    let mut names: Vec<_> =
        list["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["gpt", "mock/gpt-4o", "mock/org/model:free"]);
    for (path, name) in [
        ("/v1/models/gpt", "gpt"),
        ("/v1/models/mock%2Fgpt-4o", "mock/gpt-4o"),
        ("/v1/models/mock/gpt-4o", "mock/gpt-4o"),
        ("/v1/models/mock%2Forg%2Fmodel%3Afree", "mock/org/model:free"),
    ] {
        let model = hub.get(path).await.expect(200).json();
        assert_eq!((&model["id"], &model["object"]), (&json!(name), &json!("model")));
        assert!(model["created"].is_u64() && model["owned_by"].is_string(), "{model}");
    }
    hub.get("/v1/models/nobody").await.expect_error(404, "model_not_found");
}

#[tokio::test]
async fn refusals_have_openais_shape() {
    let upstream = Upstream::script([]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let unknown = hub.post("/v1/chats", &json!({})).await.expect_error(404, "unknown_url");
    assert!(unknown.header("x-request-id").is_some(), "{unknown:?}");
    hub.get("/v1/chat/completions").await.expect_error(405, "method_not_allowed");
    let body = json!({ "model": "nobody", "messages": [{ "role": "user", "content": "hi" }] });
    let answer = hub.post("/v1/chat/completions", &body).await.expect_error(404, "model_not_found");
    assert_eq!(answer.json()["error"]["param"], "model");
}

#[tokio::test]
async fn the_vendors_refusal_of_a_request_is_passed_on() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let body = json!({ "model": "gpt", "messages": [{ "role": "user", "content": "hi" }], "nonsense": true });
    let answer = hub.post("/v1/chat/completions", &body).await.expect(400);
    assert_eq!(answer.json()["error"]["param"], "nonsense");
    assert_eq!(upstream.take_violations().len(), 1);
}

#[tokio::test]
async fn every_answer_names_the_request_and_the_vendors_own_id() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let (one, two) = (hub.chat("a").await, hub.chat("b").await);
    let id = |answer: &Answer| answer.header("x-request-id").map(str::to_owned);
    assert!(id(&one).is_some() && id(&one) != id(&two), "{one:?}");
    assert_eq!(one.header("x-upstream-request-id"), Some("req_mock"));
}

#[tokio::test]
async fn vendors_never_see_the_callers_key_or_connection() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let request = gateway::chat("hi")
        .header("cookie", "session=1")
        .header("x-forwarded-for", "203.0.113.9")
        .header("connection", "keep-alive, x-hop")
        .header("x-hop", "1")
        .header("idempotency-key", "once");
    hub.call(&request).await.expect(200);
    let seen = upstream.only();
    assert_eq!(seen.credential(), vendor::CREDENTIALS[0]);
    assert!(!seen.headers.iter().any(|(name, value)| value.contains(KEY) || name == "x-hop"), "{seen:?}");
    assert_eq!(seen.header("idempotency-key"), Some("once"));
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn a_websocket_is_a_pipe_in_both_directions() {
    let gate = Gate::new();
    let upstream = Upstream::always(Reply::echoing_websocket().after(&gate)).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let request = Request::get("/v1/realtime?model=gpt")
        .key(KEY)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let mut client = hub.open(&request).await;
    // No vendor accepts in the same instant; Pingora 0.9.1 closes a pipe whose acceptance
    // overtakes the end of the (empty) request body on its way through the hub.
    gate.reached().await;
    hub.metrics().await;
    gate.open();
    let head = client.any_head().await;
    assert_eq!((head.status, head.header("upgrade")), (101, Some("websocket")), "{head:?}");
    client.pipe();
    for frame in ["\u{1}first", "second"] {
        client.write(frame.as_bytes()).await;
        client.until(frame).await;
    }
    let seen = upstream.only();
    let path = percent_encoding::percent_decode_str(&seen.path).decode_utf8().unwrap();
    assert_eq!(path, "/v1/realtime?model=gpt-4o");
    assert_eq!(seen.credential(), vendor::CREDENTIALS[0]);
    drop(client);
    upstream.aborted().await;
}

#[tokio::test]
async fn a_vendor_may_speak_http2_over_tls_under_a_private_authority() {
    let upstream = SecureUpstream::realistic().await;
    let provider = Provider::new("mock", &upstream.base_url())
        .line(&format!("ca_file = {:?}", upstream.ca_file().to_string_lossy()));
    let hub = Gateway::start(&Conf::of([provider])).await;
    assert_eq!(hub.chat("hi").await.expect(200).text(), vendor::TEXT);
    hub.stream("hi").await.expect(200).stream().expect_whole(vendor::TEXT);
    let seen = upstream.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!((seen[0].connection, seen[1].connection), (0, 0), "the connection is used again");
    assert_eq!(seen[0].credential(), vendor::CREDENTIALS[0]);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let upstream = SecureUpstream::realistic().await;
    let conf = Conf::of([Provider::new("mock", &upstream.base_url())]).set("retry", "max_attempts = 1");
    let hub = Gateway::start(&conf).await;
    hub.chat("hi").await.expect_error(502, "upstream_unreachable");
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn callers_may_speak_http2_without_tls() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).set("public", "http2_cleartext = true")).await;
    let stream = tokio::net::TcpStream::connect(hub.public).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    let driving = tokio::spawn(connection);
    let head = http::Request::post(format!("http://{}/v1/chat/completions", hub.public))
        .header("authorization", format!("Bearer {KEY}"))
        .body(())
        .unwrap();
    let (answer, mut body) = sender.send_request(head, false).unwrap();
    let text = json!({ "model": "gpt", "stream": true, "messages": [{ "role": "user", "content": "hi" }] })
        .to_string();
    body.send_data(text.into(), true).unwrap();
    let answer = patiently("an answer over HTTP/2", answer).await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut incoming = answer.into_body();
    let mut all = Vec::new();
    while let Some(piece) = patiently("a piece of the body", incoming.data()).await {
        let piece = piece.unwrap();
        incoming.flow_control().release_capacity(piece.len()).unwrap();
        all.extend_from_slice(&piece);
    }
    client::Stream::read(&all).expect_whole(vendor::TEXT);
    driving.abort();
}
