//! Starting, changing and stopping: a bad configuration never starts and never
//! replaces a good one; whoever is being served is served to the end.

use super::support::gateway::Home;
use super::support::*;
use serde_json::json;
use tokio::net::TcpStream;

#[tokio::test]
async fn asked_to_stop_the_hub_finishes_what_it_has_begun() {
    let gate = Gate::new();
    let upstream = Upstream::always(Reply::sse().text("one").pause(&gate).text("two").stop()).await;
    let mut hub = Gateway::start(&Conf::one(&upstream)).await;
    let (_, mut client) = hub.open_stream("hi").await;
    client.until("one").await;
    hub.signal("TERM");
    // New callers are turned away while the old one is still being served.
    let public = hub.public;
    patiently("new callers to be turned away", async {
        while TcpStream::connect(public).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Whoever runs the hub can watch the drain.
    let readiness = hub.admin(&Request::get("/readyz")).await.expect(503);
    assert_eq!(&readiness.body[..], b"draining\n");
    assert_eq!(hub.metrics().await.sum("aigne_hub_in_flight_requests", &[]), 1.0);
    gate.open();
    client.until("[DONE]").await;
    let stopped = hub.wait().await;
    assert!(stopped.status.success(), "{:?}\n{}", stopped.status, stopped.said);
    assert_eq!(stopped.home.ledger().await[0]["outcome"], "ok");
}

#[tokio::test]
async fn a_lame_duck_still_serves_and_says_that_it_is_one() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).set("shutdown", "lame_duck = \"2s\"")).await;
    hub.signal("TERM");
    hub.eventually("readiness to end", async || hub.call(&Request::get("/readyz")).await.status() == 503)
        .await;
    hub.chat("hi").await.expect(200);
    hub.call(&Request::get("/healthz")).await.expect(200);
}

#[tokio::test]
async fn an_idle_hub_stops_at_once() {
    let upstream = Upstream::realistic().await;
    // A grace that would outlast the test's patience.
    let hub = Gateway::start(&Conf::one(&upstream).set("shutdown", "grace = \"10m\"")).await;
    let mut idle = hub.connect().await;
    idle.send(&gateway::chat("hi")).await;
    idle.answer().await.expect(200);
    assert!(hub.stop().await.status.success());
}

#[tokio::test]
async fn grace_has_an_end_and_the_books_are_closed_all_the_same() {
    let upstream = Upstream::always(Reply::sse().text("one").hang()).await;
    let hub = Gateway::start(&Conf::one(&upstream).set("shutdown", "grace = \"100ms\"")).await;
    let (_, mut client) = hub.open_stream("hi").await;
    client.until("one").await;
    let home = hub.stop().await.home;
    // Whoever was cut off is in the books: by this process, or by the next one's recovery.
    let home = Gateway::start_in(home).await.stop().await.home;
    let books = home.ledger().await;
    assert_eq!(books.len(), 1, "{books:?}");
    assert_ne!(books[0]["outcome"], "ok");
}

/// Completes when the hub runs on another snapshot than this one.
async fn reloaded(hub: &Gateway, before: f64) {
    hub.eventually("the new configuration", async || version(hub).await > before).await;
}

async fn version(hub: &Gateway) -> f64 {
    hub.metrics().await.sum("aigne_hub_config_version", &[])
}

#[tokio::test]
async fn a_new_configuration_is_taken_without_dropping_anybody() {
    let gate = Gate::new();
    let upstream = Upstream::answer({
        let gate = gate.clone();
        move |seen| match seen.json()["stream"] == true {
            true => Reply::sse().text("one").pause(&gate).text("two").stop(),
            false => vendor::answer(seen),
        }
    })
    .await;
    let conf = Conf::one(&upstream);
    let hub = Gateway::start(&conf).await;
    let (_, mut client) = hub.open_stream("hi").await;
    client.until("one").await;
    let body = json!({ "model": "fresh", "messages": [{ "role": "user", "content": "hi" }] });
    hub.post("/v1/chat/completions", &body).await.expect_error(404, "model_not_found");
    let before = version(&hub).await;
    hub.reload(&conf.clone().model("gpt", &["mock/gpt-4o"], &[]).model("fresh", &["mock/gpt-4o-mini"], &[]));
    reloaded(&hub, before).await;
    hub.post("/v1/chat/completions", &body).await.expect(200);
    gate.open();
    client.until("[DONE]").await;
}

#[tokio::test]
async fn what_else_happens_beside_the_configuration_is_no_reload() {
    let upstream = Upstream::script([]).await;
    let conf = Conf::one(&upstream);
    let hub = Gateway::start(&conf).await;
    let before = version(&hub).await;
    let beside = hub.home().config().with_file_name("hub.log");
    std::fs::write(&beside, "a line\n").unwrap();
    hub.home().write(&conf.clone().set("timeouts", "heartbeat = \"16s\""));
    reloaded(&hub, before).await;
    std::fs::write(&beside, "a line\nanother line\n").unwrap();
    assert_eq!(version(&hub).await, before + 1.0);
    hub.home().write(&conf.clone().set("timeouts", "heartbeat = \"17s\""));
    reloaded(&hub, before + 1.0).await;
    assert_eq!(version(&hub).await, before + 2.0);
}

#[tokio::test]
async fn counters_and_cool_downs_survive_a_reload() {
    let upstream = Upstream::answer(|seen| match seen.credential() == vendor::CREDENTIALS[0] {
        true => Reply::throttled(Some(3_600)),
        false => vendor::answer(seen),
    })
    .await;
    let provider = Provider::of("mock", &upstream).credentials(&["a", "b"]).line("affinity = false");
    let conf = Conf::of([provider]).key_line("requests_per_minute = 3");
    let hub = Gateway::start(&conf).await;
    hub.chat("hi").await.expect(200);
    hub.chat("hi").await.expect(200);
    let before = version(&hub).await;
    hub.reload(&conf.clone().set("timeouts", "heartbeat = \"16s\""));
    reloaded(&hub, before).await;
    hub.chat("hi").await.expect(200);
    hub.chat("hi").await.expect_error(429, "rate_limit_exceeded");
    assert_eq!(upstream.counts().requests, 4, "the resting credential was asked once");
}

#[tokio::test]
async fn a_key_that_is_taken_away_is_gone() {
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream);
    let hub = Gateway::start(&conf).await;
    hub.chat("hi").await.expect(200);
    let before = version(&hub).await;
    hub.reload(&conf.clone().key_line("enabled = false"));
    reloaded(&hub, before).await;
    hub.chat("hi").await.expect_error(401, "invalid_api_key");
}

#[tokio::test]
async fn a_bad_configuration_never_replaces_a_good_one() {
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream);
    let hub = Gateway::start(&conf).await;
    let before = version(&hub).await;
    let failures = async || hub.metrics().await.sum("aigne_hub_config_reload_failures_total", &[]);
    let mut count = 0.0;
    for text in ["[publik]\n", "this is no TOML", "[[model]]\nname = \"x\"\ntargets = [\"nobody/x\"]\n"] {
        hub.reload_text(text);
        hub.eventually("the refusal", async || failures().await > count).await;
        count = failures().await;
        hub.chat("hi").await.expect(200);
        assert_eq!(version(&hub).await, before);
    }
    assert!(hub.said().contains("publik"), "{}", hub.said());
    hub.reload(&conf.model("gpt", &["mock/gpt-4o"], &[]).model("fresh", &["mock/gpt-4o"], &[]));
    reloaded(&hub, before).await;
}

#[tokio::test]
async fn check_names_every_problem_at_once_with_file_and_line() {
    let upstream = Upstream::script([]).await;
    let conf = Conf::one(&upstream)
        .model("a", &["nobody/x"], &[])
        .set("bounds", "max_body = \"much\"")
        .set("timeouts", "idel = \"1s\"")
        .key_line("day_cost = \"-1\"")
        .key_line("allow = [\"300.0.0.1\"]");
    let home = Home::new(&conf);
    let output = home.run(&["check"]).await;
    assert!(!output.status.success());
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for problem in ["nobody", "max_body", "idel", "day_cost", "300.0.0.1"] {
        assert!(said.contains(problem), "{problem} is not in\n{said}");
    }
    assert!(said.contains("hub.toml:"), "{said}");
}

#[tokio::test]
async fn a_good_configuration_passes_the_check_and_nothing_is_started() {
    let upstream = Upstream::script([]).await;
    let home = Home::new(&Conf::one(&upstream).priced());
    let output = home.run(&["check"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(upstream.counts().connections, 0);
}

#[tokio::test]
async fn a_bad_configuration_never_starts() {
    let upstream = Upstream::script([]).await;
    let cases = [
        ("a typo", Conf::one(&upstream).section("[cahce]\n"), "cahce"),
        (
            "a secret that is not there",
            Conf::one(&upstream).section("[[key]]\nid = \"k\"\nsecret = { env = \"NOT_SET_ANYWHERE\" }\n"),
            "NOT_SET_ANYWHERE",
        ),
        (
            "a secret in the file itself",
            Conf::one(&upstream).section("[[key]]\nid = \"k\"\nsecret = { value = \"abc\" }\n"),
            "secret",
        ),
        ("two keys of one name", Conf::one(&upstream).second_key("test", "acme"), "test"),
        (
            "a price that is no price",
            Conf::one(&upstream)
                .file("p.toml", "[[price]]\nprovider = 1\n")
                .set("prices", "files = [\"p.toml\"]"),
            "p.toml",
        ),
    ];
    for (what, conf, named) in cases {
        let output = Gateway::refuses(&conf).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(named), "{what}: {said}");
        assert!(!String::from_utf8_lossy(&output.stdout).contains("ready"), "{what}: {output:?}");
    }
}
