//! Prices that are managed: in force when they are made, never changed, and part of the proof.

use super::*;

async fn charged(hub: &Gateway, before: u32) -> Value {
    let answer = hub.chat("hi").await.expect(200);
    hub.metrics_after(before + 1).await;
    Api::operator(hub).get(&format!("/calls/{}", answer.header("x-request-id").unwrap())).await
}

fn pico(value: &Value) -> i128 {
    aigne_hub::types::Pico::parse(value.as_str().unwrap()).unwrap().0
}

#[tokio::test]
async fn a_price_holds_when_it_is_made_and_what_was_charged_by_it_stays_proved() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).priced()).await;
    let api = Api::operator(&hub);
    let first = charged(&hub, 0).await;
    let row = json!({ "provider": "mock", "model": "gpt-4o", "valid_from": "2021-01-01",
        "rates": { "input": "5", "output": "20" }, "origin": "a new contract" });
    let preview = api.call("POST", "/prices/preview", row.clone()).await.expect(200).json();
    assert_eq!(preview["before"]["rates"]["input"], "2.5", "{preview}");
    let change = &preview["changes"].as_array().unwrap()[0];
    assert_eq!(
        (&change["rate"], &change["before"], &change["after"]),
        (&json!("input"), &json!("2.5"), &json!("5"))
    );
    assert_eq!(charged(&hub, 1).await["cost"], first["cost"], "a preview changes nothing");

    let made = api.make("/prices", row.clone()).await;
    let second = charged(&hub, 2).await;
    assert_eq!(pico(&second["cost"]), 2 * pico(&first["cost"]), "{second}");
    assert_eq!(second["price"]["row"]["source"], "a new contract");
    assert_eq!(preview["id"], second["price"]["id"], "a row is known by what it says");
    let path = format!("/prices/{}", text(&made, "id"));
    let kept = api.call("DELETE", &path, Value::Null).await.expect(409).json();
    assert!(text(&kept, "detail").contains("valid_from"), "{kept}");
    api.call("PATCH", &path, json!({ "origin": "x" })).await.expect(405);
    let twice = api.call("POST", "/prices", row).await.expect(422).json();
    assert_eq!(twice["errors"][0]["field"], "valid_from");
    let wrong =
        json!({ "provider": "mock", "model": "m", "valid_from": "soon", "rates": { "input": 2, "in": "1" } });
    api.call("POST", "/prices", wrong).await.expect(422);
    let wrong = json!({ "provider": "mock", "model": "m", "valid_from": "soon", "rates": { "in": "1" } });
    let faults = api.call("POST", "/prices", wrong).await.expect(422).json();
    let fields: Vec<&str> = faults["errors"].as_array().unwrap().iter().map(|e| text(e, "field")).collect();
    assert_eq!(fields, ["valid_from", "rates.in"]);
    let future = json!({ "provider": "mock", "model": "gpt-4o", "valid_from": "2999-01-01", "rates": { "input": "0" } });
    let future = format!("/prices/{}", text(&api.make("/prices", future).await, "id"));
    api.call("DELETE", &future, Value::Null).await.expect(204);

    let list = api.get("/prices?provider=mock").await;
    let sources: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|row| text(row, "source")).collect();
    assert_eq!(sources, ["control", "file"], "{list}");
    let of_file = list["items"][1]["id"].clone();
    api.call("DELETE", &format!("/prices/{}", of_file.as_str().unwrap()), Value::Null).await.expect(409);
    // What the list says otherwise is told, for rows that hold now.
    let now = jiff::Timestamp::now().to_string();
    let contract = json!({ "provider": "openai", "model": "gpt-4o", "valid_from": now, "rates": { "input": "1", "output": "10" } });
    api.make("/prices", contract).await;
    let drift = api.get("/prices/drift").await;
    let [own] = drift["items"].as_array().unwrap().as_slice() else { panic!("{drift}") };
    let input = own["changes"].as_array().unwrap().iter().find(|one| one["rate"] == "input").unwrap();
    assert_eq!(
        (&own["model"], &own["list_is_newer"], &input["after"]),
        (&json!("gpt-4o"), &json!(false), &json!("1"))
    );
    // After a restart it holds too, and the books are proved with it, with and without a hub.
    let hub = Gateway::start_in(hub.kill9().await.home).await;
    assert_eq!(charged(&hub, 0).await["cost"], second["cost"]);
    let home = hub.stop().await.home;
    let verdict = home.run(&["ledger", "verify"]).await;
    assert!(verdict.status.success(), "{verdict:?}");
}
