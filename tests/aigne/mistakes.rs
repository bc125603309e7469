//! What the first hub of these clients gets wrong with money, and ours must not. (Failing over, statuses of
//! failures, cached tokens, `creditPrefix`, the list of models, sound without a key and secrets in lists are
//! with their subjects, in the modules beside.)

use super::*;
use crate::support::bedrock::NOVA;

/// One priced row for a provider's model.
fn priced(conf: Conf, provider: &str, model: &str, rates: &str) -> Conf {
    let row = format!(
        "[[price]]\nprovider = {provider:?}\nmodel = {model:?}\nvalid_from = \"2020-01-01\"\n{rates}\n"
    );
    conf.file("prices.toml", &row).set("prices", "files = [\"prices.toml\"]")
}

#[tokio::test]
async fn a_model_with_a_price_for_pictures_only_is_not_free_through_a_chat() {
    for (policy, status) in [("refuse", 400), ("flag", 200)] {
        let upstream = Upstream::realistic().await;
        let conf = priced(Conf::one(&upstream), "mock", "gpt-4o", "image = \"40000\"");
        let hub = Gateway::start(&conf.set("ledger", &format!("unpriced = {policy:?}"))).await;
        let options = json!({ "modelOptions": { "model": "mock/gpt-4o" } });
        let answer = hub.call(&whole(options)).await;
        assert_eq!(answer.status(), status, "{answer:?}");
        let picture = json!({ "model": "mock/gpt-4o", "prompt": "a cat" });
        hub.post("/v1/images/generations", &picture).await.expect(200);
        let books = hub.ledger().await;
        let of = |op: &str| books.iter().find(|entry| entry["op"] == op);
        assert_eq!(of("image_generation").unwrap()["charge"]["cost"], "0.04");
        match of("chat") {
            // Not a charge of nothing: what has no price is seen to have none.
            Some(chat) => assert_eq!((status, &chat["charge"]), (200, &Value::Null), "{chat}"),
            None => assert_eq!((status, upstream.counts().requests), (400, 1)),
        }
    }
}

#[tokio::test]
async fn a_crash_loses_no_call() {
    let gate = Gate::new();
    let upstream = Upstream::script([
        Reply::json(200, &vendor::chat(&json!({ "model": "gpt-4o" }))),
        Reply::sse().text("par").pause(&gate).text("tial").stop(),
    ])
    .await;
    let hub = Gateway::start(&Conf::one(&upstream).priced().set("ledger", "strict = true")).await;
    hub.call(&whole(json!({}))).await.expect(200);
    let mut caller = hub.open(&streamed(json!({}))).await;
    assert_eq!(caller.head().await.status, 200);
    caller.until("par").await;
    let home = hub.kill9().await.home;
    let entries = Gateway::start_in(home).await.ledger().await;
    let ended: Vec<_> = entries.iter().map(|entry| entry["outcome"].clone()).collect();
    assert_eq!(ended, ["ok", "recovered"], "{entries:?}");
    assert_eq!(entries[1]["usage_source"], "estimated");
    assert!(entries[1]["charge"]["cost"].as_str().unwrap() > "0", "{entries:?}");
    gate.open();
}

#[tokio::test]
async fn what_bedrock_read_from_a_cache_is_told_and_paid_at_its_own_rate() {
    let usage = json!({ "inputTokens": 10, "outputTokens": 4, "totalTokens": 26, "cacheReadInputTokens": 5,
                        "cacheWriteInputTokens": 7 });
    let reply = bedrock::whole_with(&json!([{ "text": "Hi." }]), "end_turn", &usage);
    let upstream = Upstream::bedrock(move |_| reply.clone()).await;
    let conf = Conf::of([Provider::bedrock("aws", &upstream)]).model("gpt", &[&format!("aws/{NOVA}")], &[]);
    let rates = "input = \"1000000\"\ncache_read = \"10\"\ncache_write_5m = \"2000\"\noutput = \"3000000\"";
    let hub = Gateway::start(&priced(conf, "aws", NOVA, rates)).await;
    let said = hub.call(&whole(json!({}))).await.expect(200).json();
    assert_eq!(tokens(&said), (22, 4));
    let told = &said["usage"];
    assert_eq!((&told["cacheReadInputTokens"], &told["cacheCreationInputTokens"]), (&json!(5), &json!(7)));
    // 10 at 1, 5 at 0.00001, 7 at 0.002, 4 at 3.
    assert_eq!(hub.ledger().await[0]["charge"]["cost"], "22.01405");
}

#[tokio::test]
async fn what_a_caller_calls_itself_cannot_break_an_export() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let user = "a\"b,\n=1+1;\u{2028}\r\"";
    let body = json!({ "model": "gpt", "user": user, "messages": [{ "role": "user", "content": "hi" }] });
    hub.post("/api/v2/chat/completions", &body).await.expect(200);
    let entries = hub.ledger().await;
    assert_eq!((entries.len(), &entries[0]["end_user"]), (1, &json!(user)));
}
