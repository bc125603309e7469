//! Conversations that the hub remembers.

use super::*;
use std::sync::Arc;

fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn go_on(from: &str, text: &str) -> Request {
    ask(json!({ "previous_response_id": from, "input": text }))
}

/// The texts of a conversation in a vendor's chat request, each behind its role.
fn turns(seen: &upstream::Seen) -> Vec<String> {
    let body = seen.json();
    let messages = body["messages"].as_array().unwrap().iter();
    messages.map(|m| format!("{}: {}", m["role"].as_str().unwrap(), m["content"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_conversation_goes_on_and_branches() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let first = id(&hub.call(&ask(json!({ "input": "one", "instructions": "Brief." }))).await.expect(200));
    let second = hub.call(&go_on(&first, "two")).await.expect(200);
    assert_eq!(second.json()["previous_response_id"], json!(first));
    hub.call(&go_on(&id(&second), "three")).await.expect(200);
    hub.call(&go_on(&first, "other")).await.expect(200);
    let seen = upstream.seen();
    let said = format!("assistant: {}", vendor::TEXT);
    // Instructions are not carried over.
    assert_eq!(turns(&seen[1]), ["user: one", &said, "user: two"]);
    assert_eq!(turns(&seen[2]), ["user: one", &said, "user: two", &said, "user: three"]);
    assert_eq!(turns(&seen[3]), ["user: one", &said, "user: other"]);
}

#[tokio::test]
async fn a_conversation_wanders_from_vendor_to_vendor() {
    let claude = Upstream::anthropic_script([anthropic::message_reply(&json!([
        { "type": "thinking", "thinking": "Hm.", "signature": anthropic::SIGNATURE },
        anthropic::text("From Claude"),
    ]))])
    .await;
    let openai = Upstream::responses(responses::answer).await;
    let google = Upstream::gemini(gemini::answer).await;
    let conf = Conf::of([
        Provider::anthropic("claude", &claude),
        Provider::responses("openai", &openai),
        Provider::gemini("google", &google),
    ])
    .model("gpt", &["claude/claude-sonnet-4-5"], &[])
    .model("native", &["openai/gpt-5"], &[])
    .model("gemini", &["google/gemini-2.5-flash"], &[]);
    let hub = Gateway::start(&conf).await;
    let first = id(&hub.call(&ask(json!({ "input": "one" }))).await.expect(200));
    let body = json!({ "previous_response_id": first, "input": "two", "model": "native" });
    let second = hub.call(&ask(body)).await.expect(200);
    // Claude's thoughts mean nothing to OpenAI, and OpenAI has never heard of the first answer.
    assert_eq!(second.header("x-aigne-adapted"), Some("reasoning_history: dropped"));
    let second = id(&second);
    let sent = openai.only().json();
    let kinds: Vec<_> = sent["input"].as_array().unwrap().iter().map(|item| item["role"].clone()).collect();
    assert_eq!(json!(kinds), json!(["user", "assistant", "user"]));
    assert!(sent.get("previous_response_id").is_none());
    let body = json!({ "previous_response_id": second, "input": "three", "model": "gemini" });
    hub.call(&ask(body)).await.expect(200);
    let contents = google.only().json()["contents"].clone();
    let said: Vec<_> =
        contents.as_array().unwrap().iter().map(|turn| turn["parts"][0]["text"].clone()).collect();
    assert_eq!(json!(said), json!(["one", "From Claude", "two", vendor::TEXT, "three"]));
}

#[tokio::test]
async fn an_item_can_be_referred_to() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let first = hub.call(&ask(json!({}))).await.expect(200).json();
    let item = first["output"][0]["id"].clone();
    let input = json!([{ "role": "user", "content": "hi" }, { "type": "item_reference", "id": item },
                       { "role": "user", "content": "more" }]);
    hub.call(&ask(json!({ "input": input }))).await.expect(200);
    let said = format!("assistant: {}", vendor::TEXT);
    assert_eq!(turns(&upstream.seen()[1]), ["user: hi", &said, "user: more"]);
}

#[tokio::test]
async fn nobody_else_sees_them() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).second_key("other", "rival")).await;
    let first = hub.call(&ask(json!({}))).await.expect(200).json();
    let (response, item) = (first["id"].as_str().unwrap(), first["output"][0]["id"].clone());
    let as_rival = |request: Request| request.without("authorization").key(SECOND_KEY);
    for (method, path) in [("GET", ""), ("DELETE", ""), ("GET", "/input_items"), ("POST", "/cancel")] {
        let path = format!("/v1/responses/{response}{path}");
        let refused = hub.call(&as_rival(Request::new(method, &path))).await;
        refused.expect_error(404, "response_not_found");
    }
    let refused = hub.call(&as_rival(go_on(response, "more"))).await;
    refused.expect_error(400, "previous_response_not_found");
    let reference = ask(json!({ "input": [{ "type": "item_reference", "id": item }] }));
    hub.call(&as_rival(reference)).await.expect(400);
    hub.get(&format!("/v1/responses/{response}")).await.expect(200);
    assert_eq!(upstream.counts().requests, 1);
}

#[tokio::test]
async fn keys_of_a_tenant_share_them_unless_told_otherwise() {
    let upstream = Upstream::realistic().await;
    for (line, status) in [("visible_to = \"tenant\"", 200), ("visible_to = \"key\"", 404)] {
        let conf = Conf::one(&upstream).second_key("other", "acme").set("responses", line);
        let hub = Gateway::start(&conf).await;
        let first = id(&hub.call(&ask(json!({}))).await.expect(200));
        let path = format!("/v1/responses/{first}");
        hub.call(&Request::get(&path).key(SECOND_KEY)).await.expect(status);
        hub.get(&path).await.expect(200);
    }
}

#[tokio::test]
async fn keys_that_share_nothing_do_not_share_cached_answers_either() {
    let upstream = Upstream::realistic().await;
    for (line, cached) in [("visible_to = \"tenant\"", "hit"), ("visible_to = \"key\"", "miss")] {
        let conf = Conf::one(&upstream).second_key("other", "acme").set("responses", line);
        let hub = Gateway::start(&conf.set("cache", "ttl = \"1h\"")).await;
        let request = ask(json!({ "temperature": 0 }));
        hub.call(&request).await.expect(200);
        let answer = hub.call(&request.without("authorization").key(SECOND_KEY)).await.expect(200);
        assert_eq!(answer.header("x-cache"), Some(cached));
        let path = format!("/v1/responses/{}", id(&answer));
        hub.call(&Request::get(&path).key(SECOND_KEY)).await.expect(200);
    }
}

#[tokio::test]
async fn what_is_kept_is_counted() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let first = id(&hub.call(&ask(json!({}))).await.expect(200));
    let page = hub.metrics().await;
    assert_eq!(page.sum("aigne_hub_responses_entries", &[]), 1.0);
    assert!(page.sum("aigne_hub_responses_bytes", &[]) > 512.0);
    hub.call(&Request::new("DELETE", &format!("/v1/responses/{first}")).key(KEY)).await.expect(200);
    assert_eq!(hub.metrics().await.sum("aigne_hub_responses_bytes", &[]), 0.0);
}

#[tokio::test]
async fn they_survive_a_restart_and_what_was_deleted_does_not_come_back() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let first = id(&hub.call(&ask(json!({ "input": "a canary" }))).await.expect(200));
    let second = id(&hub.call(&go_on(&first, "two")).await.expect(200));
    let gone = id(&hub.call(&ask(json!({}))).await.expect(200));
    let whole = hub.get(&format!("/v1/responses/{second}")).await.expect(200).body;
    hub.call(&Request::new("DELETE", &format!("/v1/responses/{gone}")).key(KEY)).await.expect(200);
    let home = hub.stop().await.home;
    assert!(!anywhere(&home.data(), b"a canary"), "a prompt is on disk as it was written");
    let hub = Gateway::start_in(Arc::clone(&home)).await;
    assert_eq!(hub.get(&format!("/v1/responses/{second}")).await.expect(200).body, whole);
    hub.get(&format!("/v1/responses/{gone}")).await.expect(404);
    hub.call(&go_on(&second, "three")).await.expect(200);
    let said = format!("assistant: {}", vendor::TEXT);
    let seen = upstream.seen();
    assert_eq!(turns(seen.last().unwrap()), ["user: a canary", &said, "user: two", &said, "user: three"]);
}

/// Does a file below a folder hold these bytes?
fn anywhere(folder: &std::path::Path, needle: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| match path.is_dir() {
        true => anywhere(&path, needle),
        false => memchr::memmem::find(&std::fs::read(&path).unwrap_or_default(), needle).is_some(),
    })
}

#[tokio::test]
async fn a_response_that_is_still_being_made_cannot_be_continued() {
    let gate = Gate::new();
    let slow = Reply::sse().text("Hel").pause(&gate).text("lo").stop();
    let upstream = Upstream::script([slow, vendor::answer_chat()]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let mut client = hub.open(&ask(json!({ "stream": true }))).await;
    client.head().await;
    let begun = client.until("output_text.delta").await;
    let begun = String::from_utf8_lossy(&begun).into_owned();
    let at = begun.find("resp_").unwrap();
    let running: String =
        begun[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let refused = hub.call(&go_on(&running, "more")).await.expect_error(400, "previous_response_not_found");
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("in progress"), "{refused:?}");
    gate.open();
    let (_, ended) = client.rest().await;
    assert!(ended.is_ok());
    hub.call(&go_on(&running, "more")).await.expect(200);
}

#[tokio::test]
async fn the_oldest_give_way_when_a_tenant_keeps_too_much() {
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream).set("responses", "max_tenant_size = \"6 KB\"");
    let hub = Gateway::start(&conf).await;
    let mut kept = Vec::new();
    for _ in 0..8 {
        kept.push(id(&hub.call(&ask(json!({}))).await.expect(200)));
    }
    hub.get(&format!("/v1/responses/{}", kept[0])).await.expect(404);
    hub.get(&format!("/v1/responses/{}", kept[7])).await.expect(200);
}

#[tokio::test]
async fn nothing_is_kept_where_the_operator_says_so() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).set("responses", "store = false")).await;
    let first = id(&hub.call(&ask(json!({ "store": true }))).await.expect(200));
    hub.get(&format!("/v1/responses/{first}")).await.expect(404);
    hub.call(&go_on(&first, "more")).await.expect_error(400, "previous_response_not_found");
}

#[tokio::test]
async fn input_items_come_in_pages() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let first = id(&hub.call(&ask(json!({ "input": "one" }))).await.expect(200));
    let second = id(&hub.call(&go_on(&first, "two")).await.expect(200));
    let page = async |query: &str| hub.get(&format!("/v1/responses/{second}/input_items{query}")).await;
    let all = page("?order=asc").await.expect(200).json();
    let text = |item: &Value| item["content"][0]["text"].as_str().unwrap().to_owned();
    let texts: Vec<_> = all["data"].as_array().unwrap().iter().map(text).collect();
    assert_eq!(
        (texts, &all["has_more"]),
        (vec!["one".into(), vendor::TEXT.into(), "two".into()], &json!(false))
    );
    let last = page("?limit=1").await.expect(200).json();
    assert_eq!((text(&last["data"][0]), &last["has_more"]), ("two".to_owned(), &json!(true)));
    let next =
        page(&format!("?limit=1&after={}", last["last_id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!(text(&next["data"][0]), vendor::TEXT);
    for wrong in ["?limit=0", "?limit=101", "?order=random"] {
        page(wrong).await.expect(400);
    }
}
