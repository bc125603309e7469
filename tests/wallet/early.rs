//! A stream whose wallet runs dry ends as an answer that is too long does, and
//! says why, whoever speaks which dialect.

use super::super::anthropic::Spoken;
use super::*;
use anthropic::{begin, delta, start};

const WORDS: usize = 400;

/// A chat stream that would go on for ever.
fn endless() -> Reply {
    let first =
        Reply::sse().event(&vendor::delta(json!({ "role": "assistant", "content": "" }), Value::Null));
    (0..WORDS).fold(first, |reply, _| reply.text(" word")).hang()
}

fn endless_claude() -> Reply {
    let numbers = json!({ "input_tokens": 9, "output_tokens": 1 });
    let first = begin(start(&numbers), 0, &json!({ "type": "text", "text": "" }));
    let word = json!({ "type": "text_delta", "text": " word" });
    (0..WORDS).fold(first, |reply, _| delta(reply, 0, &word)).hang()
}

fn tight(conf: Conf) -> Conf {
    paying(conf).set("billing", "hold_step = 16")
}

/// The books say that the answer was ended, that it was paid, and that nothing is held.
async fn ended(hub: Gateway, upstream: &Upstream) -> u64 {
    upstream.aborted().await;
    let home = hub.stop().await.home;
    let entry = home.ledger().await.remove(0);
    assert_eq!(
        (&entry["outcome"], &entry["error"]),
        (&json!("out_of_funds"), &json!("insufficient_credits"))
    );
    let wallet = command(&home, &["wallet", "show", "acme"]).await;
    assert!(pico(&wallet["available"]) >= 0 && pico(&wallet["held"]) == 0, "{wallet}");
    // A step is 16 tokens at 0.000012. What is left is less: the last step that was tried (an eighth
    // of one), and by how much the count of the input is above what is charged.
    assert!(pico(&wallet["available"]) < 16 * 12_000_000, "it ended although there was more: {wallet}");
    sound(&home).await;
    entry["usage"]["output"].as_u64().unwrap()
}

fn streamed(request: Request) -> Request {
    request
}

#[tokio::test]
async fn in_openais_dialect_as_it_came() {
    let upstream = Upstream::always(endless()).await;
    let hub = Gateway::start(&tight(Conf::one(&upstream))).await;
    grant(&hub, "acme", "0.002").await;
    let answer = hub.call(&streamed(gateway::stream("hi"))).await.expect(200);
    let stream = answer.stream();
    assert_eq!((stream.finish.as_deref(), stream.done), (Some("length"), true), "{stream:?}");
    let told = stream.events.iter().find_map(|event| event.get("aigne_hub")).unwrap();
    assert_eq!(told["code"], "insufficient_credits");
    assert!(told["message"].as_str().unwrap().contains(LINK), "{told}");
    let said = stream.text.matches("word").count() as u64;
    let paid = ended(hub, &upstream).await;
    assert!(said > 50 && said < WORDS as u64 && paid >= said, "{said} said, {paid} paid");
}

#[tokio::test]
async fn in_anthropics_dialect_as_it_came() {
    let upstream = Upstream::anthropic(|_| endless_claude()).await;
    let hub = Gateway::start(&tight(claude(&upstream))).await;
    grant(&hub, "acme", "0.002").await;
    let answer = hub.call(&messages(json!({ "stream": true, "max_tokens": 4_000 }))).await.expect(200);
    expect_ended_claude(&answer);
    assert!(ended(hub, &upstream).await > 50);
}

#[tokio::test]
async fn from_an_openai_vendor_to_an_anthropic_caller() {
    let upstream = Upstream::always(endless()).await;
    let hub = Gateway::start(&tight(Conf::one(&upstream))).await;
    grant(&hub, "acme", "0.002").await;
    let answer = hub.call(&messages(json!({ "stream": true, "max_tokens": 4_000 }))).await.expect(200);
    expect_ended_claude(&answer);
    assert!(ended(hub, &upstream).await > 50);
}

#[tokio::test]
async fn from_an_anthropic_vendor_to_an_openai_caller() {
    let upstream = Upstream::anthropic(|_| endless_claude()).await;
    let hub = Gateway::start(&tight(claude(&upstream))).await;
    grant(&hub, "acme", "0.002").await;
    let stream = hub.call(&gateway::stream("hi")).await.expect(200).stream();
    assert_eq!((stream.finish.as_deref(), stream.done), (Some("length"), true), "{stream:?}");
    assert!(stream.events.iter().any(|event| event.get("aigne_hub").is_some()));
    assert!(ended(hub, &upstream).await > 50);
}

#[tokio::test]
async fn a_wallet_that_is_filled_on_the_way_carries_the_stream_to_its_end() {
    let gate = Gate::new();
    let words = |reply: Reply| (0..60).fold(reply, |reply, _| reply.text(" word"));
    let reply = words(words(Reply::sse()).pause(&gate)).stop();
    let upstream = Upstream::always(reply).await;
    let hub = Gateway::start(&tight(Conf::one(&upstream))).await;
    grant(&hub, "acme", "0.0012").await;
    let (_, mut client) = hub.open_stream("hi").await;
    gate.reached().await;
    grant(&hub, "acme", "1").await;
    gate.open();
    let (rest, end) = client.rest().await;
    assert!(end.is_ok());
    let stream = super::super::support::client::Stream::read(&rest);
    assert_eq!((stream.finish.as_deref(), stream.done), (Some("stop"), true), "{stream:?}");
    let home = hub.stop().await.home;
    assert_eq!(home.ledger().await[0]["outcome"], "ok");
    sound(&home).await;
}

fn claude(upstream: &Upstream) -> Conf {
    let row = "[[price]]\nprovider = \"claude\"\nmodel = \"*\"\nvalid_from = \"2020-01-01\"\ninput = \"2.50\"\noutput = \"10\"\n";
    Conf::of([Provider::anthropic("claude", upstream)])
        .model("gpt", &["claude/claude-sonnet-4-5"], &[])
        .file("claude.toml", row)
        .set("prices", "files = [\"prices.toml\", \"claude.toml\"]")
}

fn expect_ended_claude(answer: &Answer) {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let (before, notice) = text.split_once("event: aigne_hub\ndata: ").unwrap_or_else(|| panic!("{text}"));
    let (notice, after) = notice.split_once("\n\n").unwrap();
    let notice: Value = serde_json::from_str(notice).unwrap();
    assert_eq!(notice["code"], "insufficient_credits");
    // Without the notice it is a stream by all the rules.
    let spoken = Spoken::read(format!("{before}{after}").as_bytes());
    assert_eq!(spoken.stop_reason, "max_tokens", "{spoken:?}");
}

#[tokio::test]
async fn in_geminis_dialect_as_it_came_also_as_a_list() {
    for (query, is_list) in [("?alt=sse", false), ("", true)] {
        let word = json!([{ "text": " word" }]);
        let reply = (0..WORDS).fold(Reply::sse(), |reply, _| gemini::more(reply, &word)).hang();
        let upstream = Upstream::gemini(move |_| reply.clone()).await;
        let row = "[[price]]\nprovider = \"google\"\nmodel = \"*\"\nvalid_from = \"2020-01-01\"\ninput = \"2.50\"\noutput = \"10\"\n";
        let conf = Conf::of([Provider::gemini("google", &upstream)])
            .model("gpt", &[&format!("google/{}", gemini::MODELS[0])], &[])
            .file("google.toml", row)
            .set("prices", "files = [\"prices.toml\", \"google.toml\"]");
        let hub = Gateway::start(&tight(conf)).await;
        grant(&hub, "acme", "0.002").await;
        let body = json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] });
        let path = format!("/v1beta/models/gpt:streamGenerateContent{query}");
        let answer = hub.call(&Request::post(&path, &body).header("x-goog-api-key", KEY)).await.expect(200);
        let chunks: Vec<Value> = if is_list {
            serde_json::from_slice(&answer.body).unwrap()
        } else {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let data = text.split("\r\n\r\n").flat_map(|event| event.split("\n\n"));
            let data = data.filter_map(|event| event.strip_prefix("data: "));
            data.map(|data| serde_json::from_str(data).unwrap()).collect()
        };
        let last = &chunks.last().unwrap()["candidates"][0];
        assert_eq!(last["finishReason"], "MAX_TOKENS");
        assert!(last["finishMessage"].as_str().unwrap().contains(LINK), "{last}");
        assert!(ended(hub, &upstream).await > 50);
    }
}

#[tokio::test]
async fn in_the_dialect_of_responses_as_it_came() {
    let words = |seen: &upstream::Seen| {
        let script = responses::begin_text(responses::begin(&seen.json()));
        let script = (0..WORDS).fold(script, |script, _| responses::delta(script, " word"));
        script.reply().hang()
    };
    let upstream = Upstream::responses(words).await;
    let row = "[[price]]\nprovider = \"openai\"\nmodel = \"*\"\nvalid_from = \"2020-01-01\"\ninput = \"2.50\"\noutput = \"10\"\n";
    let conf = Conf::of([Provider::responses("openai", &upstream)])
        .model("gpt", &["openai/gpt-4o"], &[])
        .file("openai.toml", row)
        .set("prices", "files = [\"prices.toml\", \"openai.toml\"]");
    let hub = Gateway::start(&tight(conf)).await;
    grant(&hub, "acme", "0.002").await;
    let body = json!({ "model": "gpt", "input": "hi", "stream": true });
    let answer = hub.call(&Request::post("/v1/responses", &body).key(KEY)).await.expect(200);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let events: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let numbers: Vec<u64> = events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    let last = events.last().unwrap();
    assert_eq!(
        (&last["type"], &last["response"]["status"]),
        (&json!("response.incomplete"), &json!("incomplete"))
    );
    let details = &last["response"]["incomplete_details"];
    assert_eq!(details["reason"], "max_output_tokens");
    assert!(details["message"].as_str().unwrap().contains(LINK), "{details}");
    // The end repeats what the deltas said, and not a word more.
    let deltas = events.iter().filter(|event| event["type"] == "response.output_text.delta");
    let said: String = deltas.map(|event| event["delta"].as_str().unwrap()).collect();
    assert_eq!(last["response"]["output"][0]["content"][0]["text"], said.as_str());
    assert!(last["response"]["usage"]["output_tokens"].as_u64().unwrap() > 50);
    let id = last["response"]["id"].as_str().unwrap().to_owned();
    let kept = hub.get(&format!("/v1/responses/{id}")).await.expect(200).json();
    assert_eq!(kept["status"], "incomplete");
    assert!(ended(hub, &upstream).await > 50);
}
