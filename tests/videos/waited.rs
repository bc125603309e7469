//! AIGNE's protocol, in which a caller waits for its video.

use super::*;

fn wish(more: Value) -> Request {
    let mut input = json!({ "prompt": "a cat", "seconds": "4", "modelOptions": { "model": "film" }, "outputFileType": "url" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Request::post("/api/v2/video", &json!({ "input": input, "agent": "$CHAT_MODEL", "options": {} })).key(KEY)
}

#[tokio::test]
async fn the_caller_gets_the_video_itself() {
    let upstream = studio(Fate::Done(2)).await;
    let hub = Gateway::start(&looking(&upstream)).await;
    let picture = json!({ "type": "file", "data": "iVBORw0KGgo=", "mimeType": "image/png" });
    let answer = hub.call(&wish(json!({ "image": picture, "size": "720x1280" }))).await.expect(200).json();
    assert_eq!(
        answer["videos"],
        json!([{ "type": "file", "data": "AAAAGGZ0eXBtcDQyLWEtdmlkZW8=", "mimeType": "video/mp4" }])
    );
    assert_eq!((&answer["seconds"], &answer["modelWithProvider"]), (&json!(4), &json!("mock/sora-2")));
    assert_eq!(
        (&answer["usage"]["aigneHubCredits"], &answer["usage"]["inputTokens"]),
        (&json!(0.4), &json!(0))
    );
    let sent = upstream.seen()[0].json();
    let expected = json!({
        "model": SORA, "prompt": "a cat", "seconds": "4", "size": "720x1280",
        "input_reference": { "image_url": "data:image/png;base64,iVBORw0KGgo=" },
    });
    assert_eq!(sent, expected);
    let entry = entry(hub).await;
    assert_eq!((&entry["outcome"], &entry["charge"]["cost"]), (&json!("ok"), &json!("0.4")));
}

#[tokio::test]
async fn the_header_comes_early_and_the_video_behind_it() {
    let upstream = studio(Fate::Done(12)).await;
    let hub = Gateway::start(&looking(&upstream).set("timeouts", "heartbeat = \"10ms\"")).await;
    let mut caller = hub.open(&wish(json!({}))).await;
    assert_eq!(caller.head().await.status, 200);
    let (body, end) = caller.rest().await;
    end.unwrap();
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["videos"][0]["type"], "file");
    assert!(body.starts_with(b"\n"));
}

#[tokio::test]
async fn a_failure_is_told_and_costs_nothing() {
    let upstream = studio(Fate::Fails(1)).await;
    let hub = Gateway::start(&looking(&upstream)).await;
    let answer = hub.call(&wish(json!({}))).await.expect(400).json();
    assert_eq!(answer["error"]["message"], "Your request was blocked.");
    let entry = entry(hub).await;
    assert_eq!((&entry["charge"], &entry["status"]), (&Value::Null, &json!(400)));
}

#[tokio::test]
async fn who_leaves_pays_for_what_was_made() {
    let upstream = studio(Fate::Done(30)).await;
    let hub = Gateway::start(&looking(&upstream).set("aigne", "resend = \"0s\"")).await;
    let caller = hub.open(&wish(json!({}))).await;
    upstream.until("the order and a look", |counts| counts.requests >= 2).await;
    drop(caller);
    let entry = entry(hub).await;
    assert_eq!((&entry["outcome"], &entry["usage_source"]), (&json!("client_gone"), &json!("provider")));
    assert_eq!(entry["charge"]["cost"], "0.4");
    assert!(upstream.seen().iter().all(|seen| !seen.path.ends_with("/content")), "nobody wants it");
}

#[tokio::test]
async fn the_same_order_again_is_the_same_video() {
    let upstream = studio(Fate::Done(40)).await;
    let hub = Gateway::start(&looking(&upstream)).await;
    let lost = hub.open(&wish(json!({}))).await;
    upstream.until("the order", |counts| counts.requests >= 1).await;
    drop(lost);
    let waits = async || hub.metrics().await.sum("aigne_hub_waiting_answers", &[]) >= 1.0;
    hub.eventually("the caller to be missed", waits).await;
    hub.call(&wish(json!({}))).await.expect(200);
    let orders = upstream.seen().into_iter().filter(|seen| seen.method == "POST").count();
    assert_eq!(orders, 1);
}

#[tokio::test]
async fn an_address_that_is_for_everybody_goes_to_the_caller() {
    let upstream = studio(Fate::Done(1)).await;
    let provider = Provider::new("door", &format!("{}/api/v3", upstream.root_url())).vendor("doubao");
    let conf = Conf::of([provider])
        .model("film", &[&format!("door/{}", videos::SEEDANCE)], &[])
        .set("timeouts", "video_poll = \"5ms\"");
    let hub = Gateway::start(&conf).await;
    let answer = hub.call(&wish(json!({ "seconds": "5" }))).await.expect(200).json();
    assert_eq!(answer["videos"], json!([{ "type": "url", "url": videos::ADDRESS, "mimeType": "video/mp4" }]));
    assert_eq!((&answer["seconds"], &answer["usage"]["outputTokens"]), (&json!(5), &json!(videos::TOKENS)));
}

#[tokio::test]
async fn a_model_that_makes_none_is_refused_in_the_clients_words() {
    let upstream = studio(Fate::Done(1)).await;
    let conf = Conf::of([Provider::anthropic("claude", &upstream)]).model(
        "film",
        &["claude/claude-sonnet-4-5"],
        &[],
    );
    let hub = Gateway::start(&conf).await;
    let answer = hub.call(&wish(json!({}))).await.expect(400).json();
    assert!(answer["error"]["message"].as_str().unwrap().contains("videos"), "{answer}");
    assert_eq!(answer["error"]["type"], "invalid_request_error");
}
