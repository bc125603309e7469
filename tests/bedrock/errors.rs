//! Failures of the vendor, in the caller's words.

use super::*;
use bedrock::{error, exception, started, throttled};

/// The model `gpt` on this vendor, with one of OpenAI's dialect behind it.
async fn two(first: Reply) -> (Upstream, Upstream, Gateway) {
    let aws = Upstream::bedrock(move |_| first.clone()).await;
    let gpt = Upstream::realistic().await;
    let conf = Conf::of([Provider::bedrock("aws", &aws), Provider::of("mock", &gpt)])
        .model("gpt", &[&format!("aws/{NOVA}")], &["mock/gpt-4o"])
        .set("retry", "per_target = 1");
    let hub = Gateway::start(&conf).await;
    (aws, gpt, hub)
}

#[tokio::test]
async fn another_vendor_takes_over_before_content() {
    for (failure, stream) in [
        (throttled(), false),
        (error(503, "ServiceUnavailableException", "busy"), true),
        (error(429, "ModelNotReadyException", "not yet"), false),
        (error(424, "ModelErrorException", "it broke"), false),
        (error(408, "ModelTimeoutException", "too long"), false),
        (error(404, "ResourceNotFoundException", "no such model"), false),
        (error(403, "AccessDeniedException", "You don't have access to the model"), true),
        (exception(started(), "throttlingException", "slow down"), true),
        (exception(started(), "modelTimeoutException", "too long"), true),
        (started().cut(), true),
        (started(), true),
    ] {
        let (aws, gpt, hub) = two(failure).await;
        let answer = hub.call(&chat(json!({ "stream": stream }))).await.expect(200);
        match stream {
            true => answer.stream().expect_whole(vendor::TEXT),
            false => assert_eq!(answer.text(), vendor::TEXT),
        }
        assert_eq!(answer.header("x-aigne-provider"), Some("mock"));
        assert_eq!((aws.counts().requests, gpt.counts().requests), (1, 1));
        let entry = entry(hub).await;
        assert_eq!((&entry["outcome"], &entry["provider"]), (&json!("ok"), &json!("mock")), "{entry}");
    }
}

#[tokio::test]
async fn it_takes_over_from_another_vendor() {
    let gpt = Upstream::always(Reply::failed(500)).await;
    let aws = Upstream::bedrock(bedrock::answer).await;
    let conf = Conf::of([Provider::of("mock", &gpt), Provider::bedrock("aws", &aws)])
        .model("gpt", &["mock/gpt-4o"], &[&format!("aws/{CLAUDE}")])
        .set("retry", "per_target = 1");
    let hub = Gateway::start(&conf).await;
    assert_eq!(hub.call(&chat(json!({}))).await.expect(200).text(), vendor::TEXT);
    hub.call(&chat(json!({ "stream": true }))).await.expect(200).stream().expect_whole(vendor::TEXT);
    let books = hub.ledger().await;
    assert!(books.iter().all(|entry| entry["provider"] == "aws" && entry["outcome"] == "ok"), "{books:?}");
}

#[tokio::test]
async fn what_the_vendor_said_of_the_request_is_passed_on() {
    let (_upstream, hub) = before(NOVA, error(400, "ValidationException", "Input is too long.")).await;
    let answer = hub.call(&chat(json!({}))).await.expect(400);
    assert_eq!(answer.json()["error"]["message"], "Input is too long.");
    let error = hub.call(&messages(json!({}))).await.expect(400).json()["error"].clone();
    assert_eq!(error, json!({ "type": "invalid_request_error", "message": "Input is too long." }));
}

#[tokio::test]
async fn throttling_cools_the_credential_down() {
    let (upstream, hub) = before(NOVA, throttled().header("retry-after", "300")).await;
    for stream in [false, true] {
        let answer = hub.call(&chat(json!({ "stream": stream }))).await;
        assert!(answer.status() >= 429, "{answer:?}");
    }
    // Known to be cooling down, it is not asked again.
    assert_eq!(upstream.counts().requests, 1);
}

#[tokio::test]
async fn who_may_use_what_in_the_account_is_not_told_to_callers() {
    let told = "User: arn:aws:iam::123456789012:user/hub is not authorized to perform: bedrock:InvokeModel \
                on resource: arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0";
    let (_upstream, hub) = before(NOVA, error(403, "AccessDeniedException", told)).await;
    let answer = hub.call(&chat(json!({}))).await.expect(404);
    let said = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(!said.contains("123456789012") && !said.contains("arn:"), "{said}");
    // One model that is closed says nothing about the keys.
    hub.call(&chat(json!({}))).await.expect(404);
}
