//! Binary streams, wherever they are cut.

use super::*;
use bedrock::{block, exception, finish, started, texts};
use client::Stream;

#[tokio::test]
async fn a_stream_arrives_in_the_callers_events() {
    let upstream = Upstream::bedrock(bedrock::answer).await;
    let hub = Gateway::start(&aws(&upstream, NOVA)).await;
    for asked in [false, true] {
        let options = json!({ "stream": true, "stream_options": { "include_usage": asked } });
        let answer = hub.call(&chat(options)).await.expect(200);
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        let stream = answer.stream();
        stream.expect_whole(vendor::TEXT);
        assert_eq!(stream.finish.as_deref(), Some("stop"));
        let named: std::collections::BTreeSet<_> =
            stream.events.iter().map(|event| (event["id"].to_string(), event["model"].to_string())).collect();
        assert_eq!(named.len(), 1, "one id and one model in all chunks");
        assert!(named.iter().all(|(id, model)| id.len() > 12 && model.contains(NOVA)), "{named:?}");
        assert_eq!(stream.usage.is_some(), asked);
        if let Some(usage) = stream.usage {
            assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(9), &json!(3)));
        }
    }
    let seen = upstream.seen();
    assert!(
        seen.iter().all(|seen| seen.path == "/model/amazon.nova-lite-v1%3A0/converse-stream"),
        "{seen:?}"
    );
    assert_eq!(seen[0].header("accept"), Some("application/vnd.amazon.eventstream"));
    for entry in hub.ledger().await {
        let expected = json!({ "input": 9, "output": 3 });
        assert_eq!((buckets(&entry), &entry["usage_source"]), (expected, &json!("provider")));
    }
}

#[tokio::test]
async fn a_stream_cut_at_every_byte_is_the_same_stream() {
    let whole = finish(texts(started(), 0, &["Hé", "llo"]), "end_turn", &usage());
    let length = whole.data().len();
    let replies = (1..length).map(move |at| whole.clone().split_at(&[at]));
    let upstream = Upstream::bedrock_script(replies).await;
    let hub = Gateway::start(&aws(&upstream, NOVA)).await;
    for _ in 1..length {
        let stream = hub.call(&chat(json!({ "stream": true }))).await.expect(200).stream();
        stream.expect_whole("Héllo");
    }
}

#[tokio::test]
async fn a_stream_in_single_bytes_is_the_same_stream() {
    let reply = finish(texts(started(), 0, &["Hé", "llo"]), "end_turn", &usage()).in_pieces(1);
    let (_upstream, hub) = before(NOVA, reply).await;
    hub.call(&chat(json!({ "stream": true }))).await.expect(200).stream().expect_whole("Héllo");
}

#[tokio::test]
async fn an_answer_in_json_by_a_tool_streams_as_text() {
    let start = json!({ "toolUse": { "toolUseId": "tooluse_1", "name": "aigne_hub_answer" } });
    let input = ["{\"a\"", ":1}"].map(|piece| json!({ "toolUse": { "input": piece } }));
    let reply = finish(block(started(), 0, Some(&start), &input), "tool_use", &usage());
    let (_upstream, hub) = before(NOVA, reply).await;
    let schema = json!({ "type": "object" });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "thing", "schema": schema } });
    let answer = hub.call(&chat(json!({ "stream": true, "response_format": format }))).await.expect(200);
    let stream = answer.stream();
    stream.expect_whole(r#"{"a":1}"#);
    assert_eq!(stream.finish.as_deref(), Some("stop"));
}

/// A stream whose end comes when its first word is with the caller.
async fn broken(end: impl FnOnce(Reply) -> Reply) -> (Stream, Value) {
    let gate = Gate::new();
    let (_upstream, hub) = before(NOVA, end(texts(started(), 0, &["one"]).pause(&gate))).await;
    let mut client = hub.open(&chat(json!({ "stream": true }))).await;
    client.head().await;
    let mut body = client.until("one").await.to_vec();
    gate.open();
    body.extend(client.rest().await.0);
    (Stream::read(&body), entry(hub).await)
}

#[tokio::test]
async fn an_exception_behind_content_ends_the_stream_in_the_callers_words() {
    for (kind, code) in [
        ("throttlingException", "upstream_rate_limited"),
        ("modelStreamErrorException", "upstream_error"),
        ("serviceUnavailableException", "upstream_overloaded"),
        ("internalServerException", "upstream_error"),
    ] {
        let (stream, entry) = broken(|reply| exception(reply, kind, "it went wrong")).await;
        stream.expect_broken(code);
        assert_eq!(stream.text, "one");
        assert_eq!(
            (&entry["outcome"], &entry["usage_source"]),
            (&json!("truncated"), &json!("estimated")),
            "{entry}"
        );
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_never_looks_complete() {
    let good = texts(started(), 1, &["two"]).data();
    let spoilt = |mut bytes: Vec<u8>| {
        *bytes.last_mut().unwrap() ^= 1;
        bytes
    };
    for (tail, code) in [
        (vec![], "upstream_closed_early"),
        (vec![0, 0, 0], "upstream_closed_early"),
        (good[..good.len() - 1].to_vec(), "upstream_closed_early"),
        (spoilt(good.clone()), "upstream_malformed"),
        (vec![0xff; 16], "upstream_malformed"),
    ] {
        let (stream, entry) = broken(|reply| if tail.is_empty() { reply } else { reply.raw(tail) }).await;
        stream.expect_broken(code);
        assert_eq!(entry["outcome"], "truncated", "{entry}");
    }
    let (stream, _) = broken(Reply::cut).await;
    stream.expect_broken("upstream_closed_early");
}

#[tokio::test]
async fn a_caller_who_leaves_stops_the_vendor() {
    let (upstream, hub) = before(NOVA, texts(started(), 0, &["one"]).hang()).await;
    let mut client = hub.open(&chat(json!({ "stream": true }))).await;
    client.head().await;
    client.until("one").await;
    drop(client);
    upstream.aborted().await;
    let entry = entry(hub).await;
    assert_eq!(
        (&entry["outcome"], &entry["usage_source"]),
        (&json!("client_gone"), &json!("estimated")),
        "{entry}"
    );
}
