//! What becomes of fields that a vendor cannot take: by default, by the file, and by the request.

use super::*;

async fn refused(hub: &Gateway, request: &Request, field: &str) {
    let answer = hub.call(request).await.expect(400).json();
    assert_eq!(answer["error"]["param"], field, "{answer}");
}

fn seeded() -> Request {
    chat(json!({ "seed": 7, "max_tokens": 50 }))
}

#[tokio::test]
async fn a_request_may_rather_be_refused_than_lose_a_field() {
    let (upstream, hub) = before_claude(anthropic::message_reply(&json!([anthropic::text("ok")]))).await;
    refused(&hub, &seeded().header("x-aigne-refuse", "stop, seed"), "seed").await;
    refused(&hub, &seeded().header("x-aigne-refuse", "*"), "seed").await;
    refused(&hub, &seeded().header("x-aigne-refuse", "sead"), "x-aigne-refuse").await;
    assert_eq!(upstream.counts().requests, 0);
    let answer = hub.call(&seeded().header("x-aigne-refuse", "stop")).await.expect(200);
    assert_eq!(answer.header("x-aigne-adapted"), Some("seed: dropped"));
    // What is refused unless somebody says otherwise goes without, if its caller wants it so.
    let search = || chat(json!({ "max_tokens": 50, "tools": [{ "type": "made_up_search" }] }));
    hub.call(&search()).await.expect(400);
    hub.call(&search().header("x-aigne-adapt", "hosted_tool")).await.expect(200);
    let plain = chat(json!({})).header("x-aigne-refuse", "*");
    hub.call(&plain).await.expect(200);
}

#[tokio::test]
async fn the_file_says_it_for_all_models_or_for_one() {
    let upstream = Upstream::anthropic(|_| anthropic::message_reply(&json!([anthropic::text("ok")]))).await;
    let conf = claude(&upstream, MODEL)
        .model("free", &[&format!("claude/{MODEL}")], &[])
        .set("translation", "refuse = [\"seed\"]")
        .section("[[translation.model]]\nname = \"free\"\nadapt = [\"seed\"]");
    let hub = Gateway::start(&conf).await;
    refused(&hub, &seeded(), "seed").await;
    refused(&hub, &seeded().header("x-aigne-adapt", "seed"), "seed").await;
    hub.call(&chat(json!({ "model": "free", "seed": 7 }))).await.expect(200);
}

#[tokio::test]
async fn a_request_is_not_asked_where_the_file_says_so() {
    let upstream = Upstream::anthropic(|_| anthropic::message_reply(&json!([anthropic::text("ok")]))).await;
    let conf = claude(&upstream, MODEL).set("translation", "by_request = false");
    let hub = Gateway::start(&conf).await;
    hub.call(&seeded().header("x-aigne-refuse", "*")).await.expect(200);
}

#[tokio::test]
async fn what_a_vendor_of_openais_likeness_is_spared_can_be_refused_too() {
    let upstream = Upstream::lawful(Rules::lenient(), vendor::answer).await;
    let provider = Provider::new("x", &upstream.base_url()).vendor("xai");
    let hub = Gateway::start(&Conf::of([provider]).model("gpt", &["x/grok-4"], &[])).await;
    let penalised = || chat(json!({ "presence_penalty": 0.5 }));
    let answer = hub.call(&penalised()).await.expect(200);
    assert_eq!(answer.header("x-aigne-adapted"), Some("presence_penalty"));
    refused(&hub, &penalised().header("x-aigne-refuse", "penalties"), "presence_penalty").await;
}

#[tokio::test]
async fn names_that_are_no_fields_are_problems_with_their_places() {
    let upstream = Upstream::script([]).await;
    let conf = Conf::one(&upstream)
        .set("translation", "refuse = [\"temprature\"]\nadapt = [\"seed\"]\npass = [\"seed\"]")
        .section("[[translation.model]]\nname = \"gpd\"");
    let output = Gateway::refuses(&conf).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for part in
        ["did you mean temperature?", "seed is in two lists", "there is no model gpd; did you mean gpt?"]
    {
        assert!(said.contains(part), "{part} in {said}");
    }
}
