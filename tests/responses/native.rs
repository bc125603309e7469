//! Vendors that have Responses themselves: nothing is touched but the model's
//! name and who keeps the answer.

use super::*;
use responses::{answer, begin, begin_text, delta, finish, message, response, usage};

fn openai(upstream: &Upstream) -> Conf {
    Conf::of([Provider::responses("openai", upstream)]).model("gpt", &["openai/gpt-4o"], &[])
}

/// A body as no serialiser would write it.
const ODD: &str = "{ \"input\" :[{\"content\":[{\"type\":\"input_text\",\"text\":\"h\\u0069\"}],\"role\":\"user\"}],\n\t\
                   \"temperature\":0.10 ,\"model\":\"gpt\", \"store\" : true,\"tools\":[{\"type\":\"web_search\"}] }";

fn odd() -> Request {
    Request::new("POST", "/v1/responses")
        .header("content-type", "application/json")
        .body(ODD.to_owned())
        .key(KEY)
}

#[tokio::test]
async fn a_body_goes_through_byte_for_byte_but_for_model_and_store() {
    let mut body = response(&json!({ "model": "gpt-4o" }), "completed", &json!([message("ok")]), &usage());
    body["output"].as_array_mut().unwrap().push(json!({ "type": "brand_new", "id": "x", "data": [1] }));
    let written = format!(" {} \n", serde_json::to_string_pretty(&body).unwrap());
    let reply = Reply::body(200, "application/json", written.clone());
    let upstream = Upstream::responses(move |_| reply.clone()).await;
    let hub = Gateway::start(&openai(&upstream)).await;
    let answer = hub.call(&odd()).await.expect(200);
    let sent = ODD.replace("\"gpt\"", "\"gpt-4o\"").replace(" : true", " : false");
    assert_eq!(String::from_utf8_lossy(&upstream.only().body), sent);
    assert_eq!(String::from_utf8_lossy(&answer.body), written);
    assert_eq!(answer.header("x-aigne-adapted"), None);
    let entry = entry(hub).await;
    assert_eq!(
        (buckets(&entry), &entry["usage_source"]),
        (json!({ "input": 9, "output": 3 }), &json!("provider"))
    );
}

/// A stream with an event that nobody knows yet.
fn everything() -> Reply {
    let asked = json!({ "model": "gpt-4o" });
    let script = delta(begin_text(begin(&asked)), "Hel").then(|reply| reply.raw(": a comment\n\n"));
    let script = delta(script.event("response.brand_new", json!({ "x": 1 })), "lo");
    finish(script, &response(&asked, "completed", &json!([message("Hello")]), &usage()))
}

#[tokio::test]
async fn a_stream_goes_through_byte_for_byte_however_it_is_cut() {
    let whole = everything();
    let length = whole.data().len();
    let sizes = [1, 7, 64, length];
    let replies = sizes.map(|size| everything().in_pieces(size));
    let upstream = Upstream::responses_script(replies).await;
    let hub = Gateway::start(&openai(&upstream)).await;
    for size in sizes {
        let answer = hub.call(&ask(json!({ "stream": true }))).await.expect(200);
        assert_eq!(answer.body, whole.data(), "in pieces of {size}");
        hub.get("/v1/responses/resp_mock").await.expect(200);
    }
    assert_eq!(upstream.seen()[0].json()["store"], json!(false));
    for entry in hub.ledger().await {
        assert_eq!(buckets(&entry), json!({ "input": 9, "output": 3 }));
    }
}

#[tokio::test]
async fn the_vendor_may_keep_answers_if_the_operator_says_so() {
    let upstream = Upstream::responses(answer).await;
    let hub = Gateway::start(&openai(&upstream).set("responses", "vendor_store = true")).await;
    hub.call(&ask(json!({ "store": true }))).await.expect(200);
    hub.call(&ask(json!({}))).await.expect(200);
    let stores: Vec<_> = upstream.seen().iter().map(|seen| seen.json()["store"].clone()).collect();
    assert_eq!(stores, [json!(true), Value::Null]);
}

#[tokio::test]
async fn a_compatible_server_can_be_said_to_have_them() {
    let upstream = Upstream::responses(answer).await;
    let provider = Provider::of("mine", &upstream).line("responses = true");
    let hub = Gateway::start(&Conf::of([provider])).await;
    hub.call(&ask(json!({}))).await.expect(200);
    assert_eq!(upstream.only().path, "/v1/responses");
}

#[tokio::test]
async fn a_vendor_can_be_said_not_to_have_them() {
    let upstream = Upstream::realistic().await;
    let provider = Provider::responses("openai", &upstream).line("responses = false");
    let hub = Gateway::start(&Conf::of([provider])).await;
    hub.call(&ask(json!({}))).await.expect(200);
    assert_eq!(upstream.only().path, "/v1/chat/completions");
}

#[tokio::test]
async fn a_vendor_of_another_dialect_cannot_be_said_to_have_them() {
    let upstream = Upstream::anthropic(anthropic::answer).await;
    let provider = Provider::anthropic("claude", &upstream).line("responses = true");
    let output = Gateway::refuses(&Conf::of([provider])).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("anthropic does not speak OpenAI's dialect") && said.contains("hub.toml"),
        "{said}"
    );
}

#[tokio::test]
async fn what_only_such_a_vendor_can_do_finds_it_behind_another_one() {
    let chat = Upstream::realistic().await;
    let upstream = Upstream::responses(answer).await;
    let conf = Conf::of([Provider::of("mock", &chat), Provider::responses("openai", &upstream)])
        .model("gpt", &["mock/gpt-4o"], &["openai/gpt-4o"])
        .model("plain", &["mock/gpt-4o"], &[]);
    let hub = Gateway::start(&conf).await;
    let tools = json!([{ "type": "web_search" }]);
    hub.call(&ask(json!({ "tools": tools }))).await.expect(200);
    assert_eq!((chat.counts().requests, upstream.counts().requests), (0, 1));
    let refused = hub.call(&ask(json!({ "tools": tools, "model": "plain" }))).await.expect(400);
    let error = &refused.json()["error"];
    assert!(error["message"].as_str().unwrap().contains("web_search"), "{refused:?}");
    assert_eq!(error["param"], "tools");
    let prompt = json!({ "prompt": { "id": "pmpt_1" }, "model": "plain" });
    assert_eq!(hub.call(&ask(prompt)).await.expect(400).json()["error"]["param"], "prompt");
}

#[tokio::test]
async fn thoughts_are_asked_for_in_a_form_that_can_come_back() {
    let upstream = Upstream::responses(answer).await;
    let hub = Gateway::start(&openai(&upstream).model("thinker", &["openai/gpt-5"], &[])).await;
    hub.call(&ask(json!({ "model": "thinker", "include": ["message.output_text.logprobs"] })))
        .await
        .expect(200);
    hub.call(&ask(json!({}))).await.expect(200);
    let seen = upstream.seen();
    let include = json!(["message.output_text.logprobs", "reasoning.encrypted_content"]);
    assert_eq!((&seen[0].json()["include"], seen[1].json().get("include")), (&include, None));
}

#[tokio::test]
async fn a_refusal_of_the_vendor_is_passed_on() {
    let upstream = Upstream::responses(answer).await;
    let hub = Gateway::start(&openai(&upstream)).await;
    let refused = hub.call(&ask(json!({ "nonsense": 1 }))).await.expect(400);
    assert_eq!(refused.json()["error"]["code"], "unknown_parameter");
    assert_eq!(upstream.take_violations().len(), 1);
}

#[tokio::test]
async fn a_response_that_failed_is_tried_elsewhere_before_content() {
    let asked = json!({ "model": "gpt-4o" });
    let mut failed = response(&asked, "failed", &json!([]), &Value::Null);
    failed["error"] = json!({ "code": "server_error", "message": "The model is tired." });
    let streamed = begin(&asked).event("response.failed", json!({ "response": failed })).reply();
    let bad = Upstream::responses_script([streamed, Reply::json(200, &failed)]).await;
    let good = Upstream::responses(answer).await;
    let conf = Conf::of([Provider::responses("bad", &bad), Provider::responses("good", &good)])
        .model("gpt", &["bad/gpt-4o"], &["good/gpt-4o"])
        .set("retry", "per_target = 1");
    let hub = Gateway::start(&conf).await;
    let told = Told::read(&hub.call(&ask(json!({ "stream": true }))).await.expect(200).body);
    assert_eq!(told.expect_whole()["status"], "completed");
    let said = hub.call(&ask(json!({}))).await.expect(200).json();
    assert_eq!(said["status"], "completed");
}

#[tokio::test]
async fn a_cut_amid_content_ends_with_an_error_of_the_next_number() {
    let asked = json!({ "model": "gpt-4o" });
    let cut = delta(begin_text(begin(&asked)), "Hel").then(Reply::cut).reply();
    let error = json!({ "code": "server_error", "message": "Sorry.", "param": null });
    let gate = Gate::new();
    let failing = delta(begin_text(begin(&asked)), "Hel").then(|reply| reply.pause(&gate));
    let failing = failing.event("error", error).reply();
    let upstream = Upstream::responses_script([cut, failing]).await;
    let hub = Gateway::start(&openai(&upstream)).await;
    let told = Told::read(&hub.call(&ask(json!({ "stream": true }))).await.expect(200).body);
    told.expect_broken("upstream_closed_early");
    let mut client = hub.open(&ask(json!({ "stream": true }))).await;
    client.head().await;
    let mut all = client.until("\"delta\":\"Hel\"").await.to_vec();
    gate.open();
    all.extend(client.rest().await.0);
    let told = Told::read(&all);
    assert!(told.error.is_some() && told.text == "Hel", "{told:?}");
    for entry in hub.ledger().await {
        assert_eq!((&entry["outcome"], &entry["usage_source"]), (&json!("truncated"), &json!("estimated")));
    }
}

#[tokio::test]
async fn thoughts_of_one_vendor_do_not_go_to_another() {
    let thoughts = json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "opaque" });
    let asked = json!({ "model": "gpt-4o" });
    let output = json!([thoughts, message("ok")]);
    for stream in [false, true] {
        let whole = response(&asked, "completed", &output, &usage());
        let reply = if stream {
            finish(delta(begin_text(begin(&asked)), "ok"), &whole)
        } else {
            Reply::json(200, &whole)
        };
        let first = Upstream::responses(move |_| reply.clone()).await;
        let other = Upstream::responses(answer).await;
        let conf = Conf::of([Provider::responses("first", &first), Provider::responses("other", &other)])
            .model("gpt", &["first/gpt-4o"], &[])
            .model("grok", &["other/gpt-4o"], &[]);
        let hub = Gateway::start(&conf).await;
        hub.call(&ask(json!({ "stream": stream, "store": false }))).await.expect(200);
        let question = json!({ "role": "user", "content": "and?" });
        let foreign =
            json!({ "type": "reasoning", "id": "rs_unknown", "summary": [], "encrypted_content": "e" });
        let input = json!([thoughts, foreign, message("ok"), question]);
        let next = |model: &str| ask(json!({ "model": model, "input": input, "store": false }));
        hub.call(&next("gpt")).await;
        assert_eq!(first.seen()[1].json()["input"], input, "its own come back");
        let answer = hub.call(&next("grok")).await.expect(200);
        assert!(answer.header("x-aigne-adapted").unwrap().contains("reasoning_history"), "{answer:?}");
        assert_eq!(
            other.only().json()["input"],
            json!([foreign, message("ok"), question]),
            "stream: {stream}"
        );
    }
}
