//! Callers of this dialect: their requests in, their answers out.

use super::*;
use crate::chat::StreamOut;
use crate::error::Failure;
use crate::wire::openai::Counting;

const REQUEST: &str = include_str!("../fixtures/request.json");
const OPENAI_RESPONSE: &str = include_str!("../../openai_chat/fixtures/response.json");

/// A body with its path, as it arrives and is read.
fn arrived(body: &[u8], model: &str, method: Method) -> crate::error::Result<Request> {
    let body = chat_received(&bytes::Bytes::copy_from_slice(body), model, method == Method::Stream)?;
    request_in(&body)
}

fn asked(body: &Value) -> Request {
    arrived(body.to_string().as_bytes(), "m", Method::Generate).unwrap()
}

#[test]
fn a_request_survives_the_way_in_and_out() {
    let request = arrived(REQUEST.as_bytes(), "gemini-3-pro", Method::Stream).unwrap();
    assert!(request.stream && request.include_usage);
    let (out, adapted) = sent(&request, "gemini-3-pro");
    assert_eq!(out, value(REQUEST.as_bytes()));
    assert_eq!(adapted.header(), None);
}

#[test]
fn a_request_of_ours_reaches_openai() {
    let request = arrived(REQUEST.as_bytes(), "gpt-5", Method::Generate).unwrap();
    let policy = [Field::HostedTool, Field::Document].map(|field| (field, Stance::Adapt));
    let mut adapted = Adapted::new(Policy::new(policy));
    let body = openai_chat::request_out(&request, &openai_chat::model_traits("gpt-5"), &mut adapted).unwrap();
    insta::assert_json_snapshot!("to_openai", value(&body));
    insta::assert_snapshot!("to_openai_adapted", adapted.header().unwrap());
}

#[test]
fn names_with_underscores_and_schemas_of_googles_own_are_read() {
    let request = asked(&json!({
        "system_instruction": { "parts": [{ "text": "s" }] },
        "contents": [{ "parts": [{ "inline_data": { "mime_type": "image/png", "data": "aGk=" } }] }],
        "tools": [{ "function_declarations": [{ "name": "t", "parameters": {
            "type": "OBJECT", "properties": { "type": { "type": "STRING", "maxLength": "5" } } } }] }],
        "tool_config": { "function_calling_config": { "mode": "NONE" } },
        "generation_config": { "topK": 3.0, "thinkingConfig": { "thinking_budget": -1 } },
    }));
    assert_eq!((request.system.len(), request.sampling.top_k), (1, Some(3)));
    assert_eq!(request.messages, [says(Role::User, vec![png()])]);
    let schema: Value = request.tools[0].schema.as_ref().unwrap().read().unwrap();
    let expected =
        json!({ "type": "object", "properties": { "type": { "type": "string", "maxLength": 5 } } });
    assert_eq!(schema, expected);
    assert_eq!(request.tool_choice, Some(crate::chat::ToolChoice::None));
    assert_eq!(request.reasoning.mode, Some(crate::chat::ThinkingMode::Adaptive));
}

#[test]
fn results_without_an_id_find_their_calls_in_order() {
    let call = json!({ "functionCall": { "name": "t", "args": {} } });
    let result = |n: u8| json!({ "functionResponse": { "name": "t", "response": { "output": n } } });
    let request = asked(&json!({ "contents": [
        { "role": "model", "parts": [call, call] },
        { "role": "function", "parts": [result(1), result(2), { "functionResponse": { "name": "lost" } }] },
    ] }));
    let ids = |message: &Message| -> Vec<String> {
        let id = |part: &Part| match part {
            Part::ToolCall(call) => call.id.clone(),
            Part::ToolResult(result) => result.call_id.clone(),
            _ => String::new(),
        };
        message.parts.iter().map(id).collect()
    };
    assert_eq!(ids(&request.messages[0]), ["call_given_0", "call_given_1"]);
    assert_eq!(ids(&request.messages[1]), ["call_given_0", "call_given_1", "lost"]);
}

#[test]
fn a_request_that_is_wrong_names_its_field() {
    for (field, body) in [
        ("contents", json!({})),
        ("contents", json!({ "contents": "x" })),
        ("contents", json!({ "contents": [{ "parts": [{ "new": 1 }] }] })),
        ("systemInstruction", json!({ "contents": [], "systemInstruction": { "parts": [{}] } })),
        ("tools", json!({ "contents": [], "tools": [7] })),
        ("tools", json!({ "contents": [], "tools": [{ "functionDeclarations": {} }] })),
        ("temperature", json!({ "contents": [], "generationConfig": { "temperature": "hot" } })),
    ] {
        let failure = arrived(body.to_string().as_bytes(), "m", Method::Generate).unwrap_err();
        assert_eq!((failure.kind, failure.param.as_deref()), (Kind::InvalidRequest, Some(field)), "{body}");
    }
}

#[test]
fn an_answer_is_read_and_written_the_same() {
    let response = response_in(RESPONSE.as_bytes()).unwrap();
    let out = response_out(&response);
    assert_eq!(response_in(&out).unwrap(), response);
    let mut expected = value(RESPONSE.as_bytes());
    expected["candidates"][0]["content"]["parts"][4]["functionCall"] =
        json!({ "id": "call_mAlKaP7_1", "name": "now", "args": {} });
    expected["usageMetadata"].as_object_mut().unwrap().remove("promptTokensDetails");
    assert_eq!(value(&out), expected);
}

#[test]
fn an_answer_of_openais_reaches_our_callers() {
    let response = openai_chat::response_in(OPENAI_RESPONSE.as_bytes(), Counting::Inclusive).unwrap();
    insta::assert_json_snapshot!("response_from_openai", value(&response_out(&response)));
}

#[test]
fn a_signature_of_another_vendor_rides_through_our_callers() {
    let signature = Signature::new(Origin::Anthropic, "EqRk");
    let parts = vec![thought("Hm.", Some(signature.clone())), call("1", Some(signature))];
    let mut response = crate::chat::Response::default();
    response.choices.push(crate::chat::Choice { parts: parts.clone(), finish: None, logprobs: None });
    let content = value(&response_out(&response))["candidates"][0]["content"].clone();
    assert_eq!(asked(&json!({ "contents": [content] })).messages[0].parts, parts);
}

#[test]
fn a_stream_keeps_its_meaning_for_our_callers() {
    let out = written(&mut StreamWriter::new(None), &read(STREAM));
    let meaning = |events: Vec<Event>| -> Vec<Event> {
        events.into_iter().filter(|event| !matches!(event, Event::Usage(_))).collect()
    };
    assert_eq!(meaning(read(&out)), meaning(read(STREAM)));
    assert!(out.contains(r#""totalTokenCount":50"#) && !out.contains("[DONE]"), "{out}");
}

#[test]
fn a_failure_ends_a_stream_in_googles_words() {
    let mut writer = StreamWriter::new(None);
    let mut out = Vec::new();
    writer.fail(&Failure::new(Kind::VendorOverloaded, "Busy."), &mut out);
    writer.emit(&Event::End, &mut out);
    let expected = r#"{"error":{"code":503,"message":"Busy.","status":"UNAVAILABLE"}}"#;
    assert_eq!(String::from_utf8(out).unwrap(), format!("data: {expected}\n\n"));
    let refused = error_body(&Failure::new(Kind::InvalidRequest, "No."));
    assert_eq!(value(&refused)["error"]["status"], "INVALID_ARGUMENT");
}

proptest! {
    #[test]
    fn any_bytes_and_damaged_requests_are_read_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..100), at in any::<usize>(), byte in any::<u8>(),
    ) {
        _ = arrived(&bytes, "m", Method::Generate);
        let mut damaged = REQUEST.as_bytes().to_vec();
        let at = at % damaged.len();
        damaged[at] = byte;
        if let Ok(request) = arrived(&damaged, "m", Method::Generate) {
            _ = request_out(&request, &model_traits("gemini-3-pro"), &mut Adapted::default());
            _ = anthropic::request_out(&request, &anthropic::model_traits("claude"), &mut Adapted::default());
        }
    }
}
