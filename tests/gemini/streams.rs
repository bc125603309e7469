//! Callers of OpenAI's dialect, and streams.

use super::*;
use client::Stream;
use gemini::{last, more};

/// The calls of a stream, put together as a client does it.
pub(super) fn calls(stream: &Stream) -> Value {
    let mut calls: Vec<Value> = Vec::new();
    for event in &stream.events {
        for piece in event["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let index = usize::try_from(piece["index"].as_u64().unwrap()).unwrap();
            if index == calls.len() {
                let function = json!({ "name": piece["function"]["name"], "arguments": "" });
                calls.push(json!({ "id": piece["id"], "type": "function", "function": function }));
            }
            let function = &mut calls[index]["function"];
            let more = piece["function"]["arguments"].as_str().unwrap_or_default();
            let whole = format!("{}{more}", function["arguments"].as_str().unwrap());
            function["arguments"] = json!(whole);
        }
    }
    json!(calls)
}

#[tokio::test]
async fn a_stream_arrives_in_the_callers_events() {
    let upstream = Upstream::gemini(gemini::answer).await;
    let hub = Gateway::start(&google(&upstream, MODEL)).await;
    for asked in [false, true] {
        let options = json!({ "stream": true, "stream_options": { "include_usage": asked } });
        let stream = hub.call(&chat(options)).await.expect(200).stream();
        stream.expect_whole(vendor::TEXT);
        assert_eq!(stream.finish.as_deref(), Some("stop"));
        let ids: std::collections::BTreeSet<_> =
            stream.events.iter().map(|event| event["id"].to_string()).collect();
        assert_eq!(ids.len(), 1, "one id in all chunks");
        let usages = stream.events.iter().filter(|event| event["usage"].is_object()).count();
        assert_eq!(usages, usize::from(asked), "the sums of all chunks but the last are not passed on");
        if let Some(usage) = stream.usage {
            assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(9), &json!(3)));
        }
    }
    let path = format!("/v1beta/models/{MODEL}:streamGenerateContent?alt=sse");
    assert!(upstream.seen().iter().all(|seen| seen.path == path), "{:?}", upstream.seen());
    for entry in hub.ledger().await {
        let expected = json!({ "input": 9, "output": 3 });
        assert_eq!((buckets(&entry), &entry["usage_source"]), (expected, &json!("provider")));
    }
}

#[tokio::test]
async fn a_stream_in_pieces_of_every_small_size_means_the_same() {
    let parts = vendor::PIECES.map(|piece| json!([text(piece)]));
    let stream = || {
        let begun = more(more(Reply::sse(), &parts[0]), &parts[1]);
        last(begun, &parts[2], "STOP", &usage())
    };
    let sizes = [1, 2, 3, 5, 7, 64];
    let (_upstream, hub) = scripted(MODEL, sizes.map(|size| stream().in_pieces(size))).await;
    for _ in sizes {
        hub.call(&chat(json!({ "stream": true }))).await.expect(200).stream().expect_whole(vendor::TEXT);
    }
}

#[tokio::test]
async fn text_is_with_the_caller_as_soon_as_the_vendor_has_said_it() {
    let gate = Gate::new();
    let reply = more(Reply::sse(), &json!([text("one")])).pause(&gate);
    let (_upstream, hub) = before(last(reply, &json!([text(" two")]), "STOP", &usage())).await;
    let mut client = hub.open(&chat(json!({ "stream": true }))).await;
    client.head().await;
    let mut all = client.until("one").await.to_vec();
    gate.open();
    all.extend(client.rest().await.0);
    Stream::read(&all).expect_whole("one two");
}

#[tokio::test]
async fn whole_calls_of_several_chunks_are_numbered_from_zero() {
    let reply = more(Reply::sse(), &json!([text("Let me see.")]));
    let reply = more(reply, &json!([call("weather", json!({ "city": "Bern" })), call("time", json!({}))]));
    let reply = last(reply, &json!([call("weather", json!({ "city": "Basel" }))]), "STOP", &usage());
    let (_upstream, hub) = before(reply).await;
    let stream = hub.call(&chat(json!({ "stream": true, "tools": tools() }))).await.expect(200).stream();
    stream.expect_whole("Let me see.");
    assert_eq!(stream.finish.as_deref(), Some("tool_calls"));
    let calls = calls(&stream);
    let said: Vec<(&str, Value)> = calls
        .as_array()
        .unwrap()
        .iter()
        .map(|call| &call["function"])
        .map(|it| {
            let arguments = it["arguments"].as_str().unwrap();
            (it["name"].as_str().unwrap(), serde_json::from_str(arguments).unwrap())
        })
        .collect();
    let expected = [
        ("weather", json!({ "city": "Bern" })),
        ("time", json!({})),
        ("weather", json!({ "city": "Basel" })),
    ];
    assert_eq!(said, expected);
    let ids: std::collections::BTreeSet<_> =
        calls.as_array().unwrap().iter().map(|call| call["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3, "{calls}");
}

#[tokio::test]
async fn thoughts_in_a_stream_are_told_apart_from_the_answer() {
    let reply = more(Reply::sse(), &json!([{ "text": "Hm.", "thought": true }]));
    let (_upstream, hub) = before(last(reply, &json!([text("Yes")]), "STOP", &full_usage())).await;
    let stream =
        hub.call(&chat(json!({ "stream": true, "reasoning_effort": "low" }))).await.expect(200).stream();
    stream.expect_whole("Yes");
    let thoughts: Vec<_> = stream
        .events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["reasoning_content"].as_str())
        .collect();
    assert_eq!(thoughts, ["Hm."]);
}

#[tokio::test]
async fn the_reason_is_the_last_one_said() {
    for (reason, expected) in [("MAX_TOKENS", "length"), ("SAFETY", "content_filter")] {
        let begun = gemini::event(Reply::sse(), &gemini::said(&json!([text("one")]), Some("STOP"), &usage()));
        let (_upstream, hub) = before(last(begun, &json!([]), reason, &usage())).await;
        let stream = hub.call(&chat(json!({ "stream": true }))).await.expect(200).stream();
        stream.expect_whole("one");
        assert_eq!(stream.finish.as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn a_blocked_prompt_is_a_stream_without_a_text() {
    let (_upstream, hub) = before(gemini::event(Reply::sse(), &gemini::blocked())).await;
    let stream = hub.call(&chat(json!({ "stream": true }))).await.expect(200).stream();
    stream.expect_whole("");
    assert_eq!(stream.finish.as_deref(), Some("content_filter"));
    let entry = entry(hub).await;
    assert_eq!((buckets(&entry), &entry["outcome"]), (json!({ "input": 9 }), &json!("ok")));
}
