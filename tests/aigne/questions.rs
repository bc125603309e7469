//! What the client asks besides inference, and who may know.

use super::*;

#[tokio::test]
async fn the_list_of_models_may_be_closed_to_strangers() {
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream).set("aigne", "public_models = false");
    let hub = Gateway::start(&conf).await;
    hub.call(&Request::get("/api/ai/models")).await.expect(401);
    let rows = hub.get("/api/ai/models").await.expect(200).json();
    assert_eq!(rows[0]["model"], "gpt");
    assert_eq!(rows[0]["input_credits_per_token"], "0");
}

#[tokio::test]
async fn a_key_sees_the_models_it_may_use() {
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream)
        .model("gpt", &["mock/gpt-4o"], &[])
        .model("embed", &["mock/text-embedding-3-small"], &[])
        .key_line("models = [\"embed\"]");
    let hub = Gateway::start(&conf).await;
    let rows = hub.get("/api/ai/models").await.expect(200).json();
    let seen: Vec<_> = rows.as_array().unwrap().iter().map(|row| (&row["model"], &row["type"])).collect();
    assert_eq!(seen, [(&json!("embed"), &json!("embedding"))]);
    let wrong = Request::get("/api/ai/models").key("aigne-nobody");
    hub.call(&wrong).await.expect(401);
}

#[tokio::test]
async fn the_status_is_always_an_answer() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let known = hub.get("/api/v2/status?model=gpt").await.expect(200).json();
    assert_eq!(known, json!({ "available": true }));
    assert_eq!(hub.get("/api/v2/status").await.expect(200).json()["available"], true);
    let unknown = hub.get("/api/v2/status?model=nobody").await.expect(200).json();
    assert_eq!((&unknown["available"], &unknown["code"]), (&json!(false), &json!(404)));
    let stranger = hub.call(&Request::get("/api/v2/status?model=gpt")).await.expect(200).json();
    assert_eq!((&stranger["available"], &stranger["code"]), (&json!(false), &json!(401)));
}

#[tokio::test]
async fn sound_needs_a_key_and_is_in_the_books() {
    let rules = Rules::lenient();
    let upstream = Upstream::lawful(rules, vendor::answer).await;
    let conf = Conf::one(&upstream).model("voice", &["mock/tts-1"], &[]);
    let hub = Gateway::start(&conf).await;
    let body = json!({ "model": "voice", "input": "hello", "voice": "alloy" });
    hub.call(&Request::post("/api/v2/audio/speech", &body)).await.expect(401);
    hub.post("/api/v2/audio/speech", &body).await.expect(200);
    let entries = hub.ledger().await;
    assert_eq!((entries.len(), &entries[0]["op"]), (1, &json!("speech")));
}

#[tokio::test]
async fn no_credential_is_shown_to_anybody() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    for path in ["/__blocklet__.js?type=json", "/api/ai/models", "/api/v2/status?model=gpt", "/api/user/info"]
    {
        let said = raw(&hub.get(path).await.expect(200));
        assert!(!said.contains("sk-mock"), "{said}");
    }
    for path in ["/api/ai-providers", "/api/ai-providers/health", "/api/ai/"] {
        hub.get(path).await.expect(404);
    }
}

#[tokio::test]
async fn a_wrong_mount_point_is_a_problem_with_its_place() {
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream).set("aigne", "mount = \"ai kit\"");
    let output = Gateway::refuses(&conf).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("aigne.mount") && said.contains("/ai-kit"), "{said}");
}

#[tokio::test]
async fn the_command_line_is_told_what_a_wallet_has() {
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream)
        .priced()
        .set("billing", "enabled = true")
        .set("billing", "prefix = \"€\"")
        .set("billing", "buy_link = \"https://pay.example/credits\"")
        .set("billing", "welcome = { amount = \"2\" }");
    let hub = Gateway::start(&conf).await;
    let ask = || async { hub.call(&Request::get("/api/user/info").key(KEY)).await.expect(200).json() };
    hub.eventually("the gift", async || ask().await["creditBalance"]["balance"] == "2").await;
    let said = ask().await;
    assert_eq!((&said["enableCredit"], &said["creditPrefix"]), (&json!(true), &json!("€")));
    assert_eq!(said["paymentLink"], "https://pay.example/credits");
    let expected = json!({ "balance": "2", "total": "2", "grantCount": 1, "pendingCredit": "0" });
    assert_eq!(said["creditBalance"], expected);
    hub.call(&whole(json!({}))).await.expect(200);
    // 9 × 2.50 + 3 × 10 millionths, without a margin.
    hub.eventually("the charge", async || ask().await["creditBalance"]["balance"] == "1.9999475").await;
    let status = Request::get("/api/v2/status?model=gpt").key(KEY);
    assert_eq!(hub.call(&status).await.expect(200).json()["available"], true);
}

#[tokio::test]
async fn who_has_no_credits_is_told_so_by_the_status() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).priced().set("billing", "enabled = true")).await;
    let status = Request::get("/api/v2/status?model=gpt").key(KEY);
    let said = hub.call(&status).await.expect(200).json();
    assert_eq!((&said["available"], &said["code"]), (&json!(false), &json!(402)), "{said}");
}
