//! The audit log, and what is left after a sudden end.

use super::*;
use std::sync::Arc;

#[tokio::test]
async fn everything_that_is_done_or_refused_is_in_the_log() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let api = Api::operator(&hub);
    api.make("/tenants", json!({ "id": "shop" })).await;
    api.call("PATCH", "/tenants/shop", json!({ "comment": "why" })).await.expect(200);
    let key = api.make("/keys", json!({ "tenant": "shop" })).await;
    api.make("/users", json!({ "email": "o@hub.test", "role": "owner" })).await;
    Api::bearer(&hub, text(&key, "secret")).call("GET", "/users", Value::Null).await.expect(403);
    let log = api.get("/audit").await;
    let told: Vec<_> = log["items"].as_array().unwrap().iter().rev().collect();
    let actions: Vec<_> = told.iter().map(|entry| (text(entry, "action"), text(entry, "outcome"))).collect();
    let done = ["tenant.create", "tenant.update", "key.create", "user.create"].map(|action| (action, "done"));
    assert_eq!(actions[..4], done);
    assert_eq!(actions[4], ("user.list", "refused"));
    assert_eq!((&told[1]["before"]["comment"], &told[1]["after"]["comment"]), (&json!(""), &json!("why")));
    assert_eq!((text(&told[4]["who"], "kind"), text(told[4], "address")), ("key", "127.0.0.1"));
    assert!(told.iter().all(|entry| text(entry, "request").len() == 32));
    let refused = api.get("/audit?outcome=refused&action=user.list").await;
    assert_eq!(refused["items"].as_array().unwrap().len(), 1);
    let page = api.get("/audit?limit=2").await;
    let next = text(&page, "next").to_owned();
    let rest = api.get(&format!("/audit?before={next}")).await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 3);
    let export = api.call("GET", "/audit/export", Value::Null).await.expect(200);
    assert_eq!(String::from_utf8_lossy(&export.body).lines().count(), 5);
    assert_eq!(api.get("/audit/verify").await["records"], 5);
}

#[tokio::test]
async fn the_log_is_proved_beside_the_hub_and_without_it() {
    let conf = Conf::of([Provider::simulator("mock")]);
    let hub = Gateway::start(&conf).await;
    Api::operator(&hub).make("/tenants", json!({ "id": "shop" })).await;
    let home = hub.home();
    hub.stop().await;
    let proved = home.run(&["audit", "verify"]).await;
    let report = String::from_utf8_lossy(&proved.stdout).into_owned();
    assert!(proved.status.success() && report.contains("\"records\": 1"), "{proved:?}");
    // The command line works on what is managed too, and leaves its trace.
    let made = home.run(&["api", "post", "/tenants", "{\"id\":\"second\"}"]).await;
    assert!(made.status.success(), "{made:?}");
    let export = home.run(&["audit", "export"]).await;
    assert_eq!(String::from_utf8_lossy(&export.stdout).lines().count(), 2, "{export:?}");
    // With another key the head proves nothing.
    std::fs::write(home.data().join("audit.key"), "11".repeat(32)).unwrap();
    let refused = home.run(&["audit", "verify"]).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not signed"), "{refused:?}");
}

#[tokio::test]
async fn a_sudden_end_leaves_each_change_whole_or_not_there() {
    let conf = Conf::of([Provider::simulator("mock")]);
    let hub = Gateway::start(&conf).await;
    let home = hub.home();
    let token = std::fs::read_to_string(home.data().join("admin.token")).unwrap();
    let admin = hub.admin;
    let acknowledged = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut writers = Vec::new();
    for writer in 0..4 {
        let (token, acknowledged) = (token.trim().to_owned(), Arc::clone(&acknowledged));
        writers.push(tokio::spawn(async move {
            for n in 0.. {
                let id = format!("t-{writer}-{n}");
                let body = json!({ "id": id }).to_string();
                let request = Request::new("POST", &format!("{ROOT}/tenants")).key(&token).body(body);
                let Ok(stream) = tokio::net::TcpStream::connect(admin).await else { return };
                drop(stream);
                let answered = tokio::spawn(async move {
                    let mut client = client::Client::connect(admin).await;
                    client.send(&request).await;
                    client.answer().await.status()
                });
                // The hub dies in the middle of one of these.
                match answered.await {
                    Ok(201) => acknowledged.lock().unwrap().push(id),
                    _ => return,
                }
            }
        }));
    }
    while acknowledged.lock().unwrap().len() < 40 {
        tokio::task::yield_now().await;
    }
    hub.kill9().await;
    for writer in writers {
        writer.await.unwrap();
    }
    let hub = Gateway::start_in(home).await;
    let api = Api::operator(&hub);
    let mut there = Vec::new();
    let mut after = String::new();
    loop {
        let page = api.get(&format!("/tenants?limit=500&source=control&after={after}")).await;
        there.extend(page["items"].as_array().unwrap().iter().map(|item| text(item, "id").to_owned()));
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    for id in acknowledged.lock().unwrap().iter() {
        assert!(there.contains(id), "{id} was acknowledged and is gone");
    }
    let export = api.call("GET", "/audit/export?action=tenant.create", Value::Null).await.expect(200);
    let export = String::from_utf8(export.body.to_vec()).unwrap();
    let mut told: Vec<String> = export
        .lines()
        .map(|line| text(&serde_json::from_str::<Value>(line).unwrap()["target"], "id").to_owned())
        .collect();
    told.sort();
    there.sort();
    assert_eq!(told, there, "each change and its record are there together, or neither");
    assert_eq!(api.get("/audit/verify").await["sound"], true);
}

#[tokio::test]
async fn the_use_of_a_key_is_summed_up_when_the_hub_ends() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let key = Api::operator(&hub)
        .make("/keys", json!({ "name": "mine", "tenant": "acme", "models": ["gpt"] }))
        .await;
    for model in ["gpt", "gpt", "nothing"] {
        hub.call(&chat_by(text(&key, "secret"), model)).await;
    }
    let home = hub.home();
    hub.stop().await;
    let hub = Gateway::start_in(home).await;
    let found = Api::operator(&hub).get(&format!("/audit?action=key.used&id={}", text(&key, "id"))).await;
    let sums: Vec<&Value> = found["items"].as_array().unwrap().iter().collect();
    // An hour may have begun in between.
    let count = |name: &str| sums.iter().map(|sum| sum["after"][name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((count("requests"), count("failed")), (3, 1), "{found}");
    assert_eq!(sums[0]["after"]["addresses"], json!(["127.0.0.1"]));
    assert_eq!((text(&sums[0]["who"], "name"), text(&sums[0]["target"], "tenant")), ("mine", "acme"));
    assert_eq!(Api::operator(&hub).get("/audit/verify").await["sound"], true);
}

#[tokio::test]
async fn the_log_is_exported_as_lines_and_as_a_table() {
    let hub = Gateway::start(&Conf::of([Provider::simulator("mock")])).await;
    let api = Api::operator(&hub);
    api.make("/tenants", json!({ "id": "shop", "comment": "=1+1, \"quoted\"" })).await;
    api.make("/keys", json!({})).await;
    let answer = api.call("GET", "/audit/export?format=csv&kind=tenant", Value::Null).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"));
    let table = String::from_utf8(answer.body.to_vec()).unwrap();
    let lines: Vec<&str> = table.split_terminator("\r\n").collect();
    assert!(lines.len() == 2 && lines[0].starts_with("sequence,at,who_kind"), "{table}");
    assert!(lines[1].contains("\"tenant.create\"") && lines[1].contains("\"\"quoted"), "{table}");
    api.call("GET", "/audit/export?format=xml", Value::Null).await.expect(400);
    // The command line gets it from the hub that runs, and from the books of one that does not.
    let asked = on_line(&hub, &["api", "get", "/audit/export?action=tenant.create"]).await;
    let home = hub.home();
    hub.stop().await;
    let read = home.run(&["audit", "export", "action=tenant.create"]).await;
    for output in [asked, read] {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.lines().count() == 1 && text.contains("\"shop\""), "{output:?}");
    }
}
