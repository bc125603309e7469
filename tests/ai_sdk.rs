//! Vercel's AI SDK as caller, three of its providers before vendors of three dialects.

use super::sdk::{is_content, node};
use super::support::upstream::Seen;
use super::support::*;
use bytes::Bytes;
use serde_json::{Value, json};

/// What a vendor is asked for.
enum Wish {
    /// What the realistic vendor does by itself.
    Usual,
    /// An object, as text.
    Object,
    /// A call of this tool, which the client takes for an object.
    Call(String),
}

const OBJECT: &str = r#"{"city":"Bern"}"#;

/// The body as the realistic vendor should see it, and what to answer. Where a tool has
/// given something, the tools are taken away, so that the answer is a text.
fn wish(seen: &Seen) -> (Seen, Wish) {
    let mut body = seen.json();
    let text = body.to_string();
    let given = ["\"role\":\"tool\"", "\"tool_result\"", "\"functionResponse\""];
    if given.iter().any(|mark| text.contains(mark)) {
        body.as_object_mut().unwrap().remove("tools");
    }
    let tool = &body["tools"][0];
    let names = [&tool["function"]["name"], &tool["name"], &tool["functionDeclarations"][0]["name"]];
    let wish = match names.into_iter().find_map(Value::as_str) {
        _ if !text.contains("as an object") => Wish::Usual,
        Some(name) => Wish::Call(name.to_owned()),
        None => Wish::Object,
    };
    (Seen { body: Bytes::from(body.to_string()), ..seen.clone() }, wish)
}

fn openai(seen: &Seen) -> Reply {
    if seen.path.ends_with("/embeddings") {
        return vendor::answer(seen);
    }
    let (seen, wish) = wish(seen);
    let stream = seen.json()["stream"] == true;
    let delta = match &wish {
        Wish::Usual => return vendor::answer(&seen),
        Wish::Object => json!({ "role": "assistant", "content": OBJECT }),
        Wish::Call(name) => {
            let function = json!({ "name": name, "arguments": OBJECT });
            let call = json!({ "index": 0, "id": "call_1", "type": "function", "function": function });
            json!({ "role": "assistant", "content": null, "tool_calls": [call] })
        }
    };
    let reason = if matches!(wish, Wish::Call(_)) { "tool_calls" } else { "stop" };
    if stream {
        let chunk = vendor::delta(delta, Value::Null);
        return Reply::sse().event(&chunk).event(&vendor::delta(json!({}), json!(reason))).done();
    }
    let choice = json!({ "index": 0, "message": delta, "finish_reason": reason });
    let body = json!({ "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o",
                       "choices": [choice], "usage": vendor::usage() });
    Reply::json(200, &body)
}

fn claude(seen: &Seen) -> Reply {
    let (seen, wish) = wish(seen);
    let pieces = ["{\"city\":", "\"Bern\"}"];
    let usage = anthropic::usage();
    match (wish, seen.json()["stream"] == true) {
        (Wish::Usual, _) => anthropic::answer(&seen),
        (Wish::Object, false) => anthropic::message_reply(&json!([anthropic::text(OBJECT)])),
        (Wish::Object, true) => {
            let reply = anthropic::block(anthropic::start(&usage), 0, &pieces);
            anthropic::finish(reply, "end_turn", &usage)
        }
        (Wish::Call(name), false) => {
            let input = json!({ "city": "Bern" });
            let call = json!({ "type": "tool_use", "id": "toolu_1", "name": name, "input": input });
            Reply::json(200, &anthropic::message(&json!("m"), &json!([call]), "tool_use", &usage))
        }
        (Wish::Call(name), true) => {
            let call = json!({ "type": "tool_use", "id": "toolu_1", "name": name, "input": {} });
            let mut reply = anthropic::begin(anthropic::start(&usage), 0, &call);
            for piece in pieces {
                let delta = json!({ "type": "input_json_delta", "partial_json": piece });
                reply = anthropic::delta(reply, 0, &delta);
            }
            anthropic::finish(anthropic::end(reply, 0), "tool_use", &usage)
        }
    }
}

fn google(seen: &Seen) -> Reply {
    if seen.path.contains("mbed") {
        // The same vectors as the other vendor's, so that one expectation serves both.
        let texts = seen.json()["requests"].as_array().map_or(0, Vec::len);
        let rows: Vec<Value> = (0..texts).map(|_| json!({ "values": [0.25, -0.5, 1] })).collect();
        return Reply::json(200, &json!({ "embeddings": rows, "usageMetadata": { "promptTokenCount": 12 } }));
    }
    let (seen, wish) = wish(seen);
    let parts = match &wish {
        Wish::Call(name) => json!([gemini::call(name, json!({ "city": "Bern" }))]),
        _ => json!([gemini::text(OBJECT)]),
    };
    match (wish, seen.path.contains(":stream")) {
        (Wish::Usual, _) => gemini::answer(&seen),
        (_, false) => gemini::whole(&parts),
        (_, true) => gemini::last(Reply::sse(), &parts, "STOP", &gemini::usage()),
    }
}

#[tokio::test]
async fn vercels_sdk_is_content_with_vendors_of_every_dialect() {
    let on_openai = Upstream::lawful(Rules::strict(), openai).await;
    let on_anthropic = Upstream::anthropic(claude).await;
    let on_gemini = Upstream::gemini(google).await;
    let busy = Upstream::always(Reply::throttled(Some(7))).await;
    let broken = Upstream::always(Reply::sse().text("first").cut()).await;
    let conf = Conf::of([
        Provider::of("mock", &on_openai),
        Provider::anthropic("claude", &on_anthropic),
        Provider::gemini("google", &on_gemini),
        Provider::of("throttled", &busy).credentials(&["a"]),
        Provider::of("cut", &broken).credentials(&["a"]),
    ])
    .model("on-openai", &["mock/gpt-4o"], &[])
    .model("on-anthropic", &["claude/claude-sonnet-4-5"], &[])
    .model("on-gemini", &[&format!("google/{}", gemini::MODELS[0])], &[])
    .model("embed-openai", &["mock/text-embedding-3-small"], &[])
    .model("embed-gemini", &["google/gemini-embedding-001"], &[])
    .model("busy", &["throttled/gpt-4o"], &[])
    .model("broken", &["cut/gpt-4o"], &[]);
    is_content(node("tests/sdk/node/ai_client.mjs", "ai"), &conf).await;
    for vendor in [&on_openai, &on_anthropic, &on_gemini] {
        assert_eq!(vendor.take_violations(), [""; 0]);
    }
}
