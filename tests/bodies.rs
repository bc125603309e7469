//! Bodies: of any size up to the bound, in any framing, read once and changed
//! only where they must be.

use super::support::conf::KEY;
use super::support::*;
use bytes::Bytes;
use serde_json::{Value, json};

/// A chat of about this many bytes.
fn sized(bytes: usize) -> Value {
    json!({ "model": "gpt", "messages": [{ "role": "user", "content": "x".repeat(bytes) }] })
}

fn request(body: &Value) -> Request {
    Request::post("/v1/chat/completions", body).key(KEY)
}

/// A chat whose body is exactly this text.
fn raw(body: impl Into<Bytes>) -> Request {
    Request::new("POST", "/v1/chat/completions").body(body).key(KEY)
}

#[tokio::test]
async fn bodies_of_every_size_and_framing_arrive_whole() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let mut client = hub.connect().await;
    for bytes in [0, 1_000, 65_000, 65_536, 70_000, 1_000_000, 20_000_000] {
        let mut body = sized(bytes);
        let plain = request(&body);
        body["model"] = json!("gpt-4o");
        for sent in [plain.clone(), plain.chunked(60_000)] {
            client.send(&sent).await;
            client.answer().await.expect(200);
            let seen = upstream.seen().pop().unwrap();
            assert_eq!(seen.body, body.to_string(), "{bytes} bytes");
        }
    }
}

#[tokio::test]
async fn a_body_in_single_bytes_arrives_whole() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    hub.call(&request(&sized(300)).chunked(1)).await.expect(200);
    assert_eq!(upstream.only().json()["messages"], sized(300)["messages"]);
}

#[tokio::test]
async fn a_body_may_come_long_after_its_head() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let request = request(&sized(10));
    let (head, all) = (request.head(), request.bytes());
    let mut client = hub.connect().await;
    client.write(&head).await;
    // Another request in between shows that the hub is not waiting for this one.
    hub.chat("hi").await.expect(200);
    client.write(&all[head.len()..]).await;
    client.answer().await.expect(200);
}

#[tokio::test]
async fn too_long_a_body_is_refused_by_its_length_before_it_is_sent() {
    let upstream = Upstream::script([]).await;
    let hub = Gateway::start(&Conf::one(&upstream).set("bounds", "max_body = \"100 KB\"")).await;
    let mut client = hub.connect().await;
    client.write(&request(&sized(100_000)).head()).await;
    client.answer().await.expect_error(413, "request_too_large");
}

#[tokio::test]
async fn too_long_a_body_without_a_length_is_refused_when_it_gets_there() {
    let upstream = Upstream::script([]).await;
    let hub = Gateway::start(&Conf::one(&upstream).set("bounds", "max_body = \"100 KB\"")).await;
    hub.call(&request(&sized(120_000)).chunked(8_192)).await.expect_error(413, "request_too_large");
}

#[tokio::test]
async fn the_bound_is_exact() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).set("bounds", "max_body = \"2000 B\"")).await;
    let fits = sized(2_000 - sized(0).to_string().len());
    assert_eq!(fits.to_string().len(), 2_000);
    for sent in [request(&fits), request(&fits).chunked(64)] {
        hub.call(&sent).await.expect(200);
    }
    let over = sized(2_001 - sized(0).to_string().len());
    for sent in [request(&over), request(&over).chunked(64)] {
        hub.call(&sent).await.expect_error(413, "request_too_large");
    }
}

#[tokio::test]
async fn all_bodies_together_are_bounded_and_the_bound_frees_itself() {
    let gate = Gate::new();
    let upstream = Upstream::always(vendor::answer_chat().after(&gate)).await;
    let hub =
        Gateway::start(&Conf::one(&upstream).set("bounds", "max_body = \"1 MB\"\nmax_buffered = \"1 MB\""))
            .await;
    let mut first = hub.open(&request(&sized(700_000))).await;
    gate.reached().await;
    assert!(hub.metrics().await.sum("aigne_hub_buffered_bytes", &[]) >= 700_000.0);
    hub.call(&request(&sized(700_000))).await.expect_error(503, "overloaded");
    hub.call(&request(&sized(700_000)).chunked(10_000)).await.expect_error(503, "overloaded");
    gate.open_for_good();
    first.answer().await.expect(200);
    hub.eventually("the bytes to be given back", async || {
        hub.metrics().await.sum("aigne_hub_buffered_bytes", &[]) == 0.0
    })
    .await;
    hub.call(&request(&sized(700_000))).await.expect(200);
}

#[tokio::test]
async fn a_caller_that_asks_before_it_sends_is_told_to_go_on() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let request = request(&sized(2_000_000)).header("expect", "100-continue");
    let head = request.head();
    let mut client = hub.connect().await;
    client.write(&head).await;
    assert_eq!(client.any_head().await.status, 100);
    client.write(&request.bytes()[head.len()..]).await;
    client.answer().await.expect(200);
    assert_eq!(upstream.only().header("expect"), None);
}

#[tokio::test]
async fn a_caller_that_asks_before_it_sends_too_much_is_told_not_to() {
    let upstream = Upstream::script([]).await;
    let hub = Gateway::start(&Conf::one(&upstream).set("bounds", "max_body = \"1 KB\"")).await;
    let mut client = hub.connect().await;
    client.write(&request(&sized(2_000)).header("expect", "100-continue").head()).await;
    assert_eq!(client.any_head().await.status, 413);
}

#[tokio::test]
async fn after_being_told_to_go_on_another_vendor_may_still_be_tried() {
    let (first, second) = (Upstream::always(Reply::failed(500)).await, Upstream::realistic().await);
    let conf = Conf::of([Provider::of("mock", &first), Provider::of("other", &second)])
        .model("gpt", &["mock/gpt-4o"], &["other/gpt-4o"])
        .set("retry", "per_target = 1");
    let hub = Gateway::start(&conf).await;
    let request = request(&sized(100_000)).header("expect", "100-continue");
    let answer = hub.call(&request).await.expect(200);
    assert_eq!(answer.header("x-aigne-provider"), Some("other"));
    assert_eq!(second.only().json()["messages"], sized(100_000)["messages"]);
}

#[tokio::test]
async fn what_the_hub_does_not_know_passes_byte_for_byte() {
    let body = "{\n  \"future_field\" : {\"b\":1,\"a\":[1.0,1e5,-0,0.10000000000000000001]},\t\"model\" :  \"gpt\" , \
                \"messages\":[{\"role\":\"user\",\"content\":\"\\u00e9\\ud83d\\ude00 é \\/ \\\"model\\\":\\\"gpt\\\"\",\
                \"unknown\":{\"model\":\"gpt\"}}],\n\"n\":1,\"big\":123456789012345678901234567890 }\r\n";
    let upstream = Upstream::lawful(Rules::lenient(), vendor::answer).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    hub.call(&raw(body)).await.expect(200);
    let expected = body.replacen("\"model\" :  \"gpt\"", "\"model\" :  \"gpt-4o\"", 1);
    assert_eq!(upstream.only().body, expected);
}

#[tokio::test]
async fn a_name_written_with_escapes_is_the_same_name() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    hub.call(&raw(r#"{"\u006dodel":"g\u0070t","messages":[{"role":"user","content":"hi"}]}"#))
        .await
        .expect(200);
    assert_eq!(upstream.only().json()["model"], "gpt-4o");
}

#[tokio::test]
async fn bodies_that_are_no_request_are_refused_and_nobody_else_is_bothered() {
    let deep = format!("{{\"model\":\"gpt\",\"messages\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let bad: Vec<(&str, Bytes, Option<&str>)> = vec![
        ("nothing", "".into(), None),
        ("no JSON", "{\"model\":".into(), None),
        ("text behind the object", "{\"model\":\"gpt\"} x".into(), None),
        ("an array", "[]".into(), None),
        ("no model", "{\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}".into(), Some("model")),
        ("a number as the model", "{\"model\":1}".into(), Some("model")),
        ("two models", "{\"model\":\"gpt\",\"model\":\"nobody\"}".into(), Some("model")),
        ("a text as stream", "{\"model\":\"gpt\",\"stream\":\"yes\"}".into(), Some("stream")),
        ("no UTF-8", Bytes::from_static(b"{\"model\":\"gpt\",\"user\":\"\xff\xfe\"}"), None),
        ("nested without end", deep.into(), None),
    ];
    let upstream = Upstream::script([]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    for (what, body, param) in bad {
        let answer = hub.call(&raw(body)).await;
        assert_eq!(answer.status(), 400, "{what}: {answer:?}");
        let error = &answer.json()["error"];
        assert_eq!(error["type"], "invalid_request_error", "{what}: {answer:?}");
        if let Some(param) = param {
            assert_eq!(error["param"], param, "{what}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_compressed_body_is_refused_and_said_so() {
    let upstream = Upstream::script([]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let request = raw(vec![0x1f, 0x8b, 0x08]).header("content-encoding", "gzip");
    hub.call(&request).await.expect_error(415, "unsupported_encoding");
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let upstream = Upstream::script([]).await;
    let hub = Gateway::start(&Conf::one(&upstream).set("timeouts", "body = \"50ms\"")).await;
    for request in [request(&sized(10)), request(&sized(10)).chunked(16)] {
        let bytes = request.bytes();
        let mut client = hub.connect().await;
        client.write(&bytes[..bytes.len() - 10]).await;
        client.answer().await.expect_error(408, "request_timeout");
    }
}

#[tokio::test]
async fn a_caller_that_leaves_in_the_middle_of_its_body_bothers_nobody() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let bytes = request(&sized(100_000)).bytes();
    let mut client = hub.connect().await;
    client.write(&bytes[..50_000]).await;
    drop(client);
    hub.chat("hi").await.expect(200);
    assert_eq!(upstream.counts().requests, 1);
}

#[tokio::test]
async fn two_framings_at_once_are_never_two_requests() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let inner = request(&sized(1)).bytes();
    let mut smuggled = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: hub.test\r\nauthorization: Bearer {KEY}\r\n\
         content-length: {}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        inner.len() + 5
    )
    .into_bytes();
    smuggled.extend_from_slice(&inner);
    let mut client = hub.connect().await;
    client.write(&smuggled).await;
    assert_eq!(client.head().await.status, 400);
    client.closed().await;
    assert_eq!(upstream.counts().requests, 0);
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let mut client = hub.connect().await;
    for request in
        [gateway::chat("a"), gateway::stream("b"), Request::get("/v1/models").key(KEY), gateway::chat("c")]
    {
        client.send(&request).await;
        client.answer().await.expect(200);
    }
}
