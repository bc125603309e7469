//! Videos: ordered, asked for and loaded as of OpenAI, over vendors of three
//! kinds; who sees them, and what is booked.

mod books;
mod clients;
mod translated;
mod waited;

use super::anthropic::{buckets, entry};
use super::support::conf::{KEY, SECOND_KEY};
use super::support::*;
use serde_json::{Value, json};
use videos::{Fate, MP4, SORA, studio};

/// Ten cents a second, and a quarter of a dollar in a larger frame.
const PRICES: &str = "[[price]]\nprovider = \"mock\"\nmodel = \"sora-2\"\nvalid_from = \"2020-01-01\"\nsecond = \"100000\"\n\
    [[price]]\nprovider = \"mock\"\nmodel = \"sora-2@1024p\"\nvalid_from = \"2020-01-01\"\nsecond = \"250000\"\n";

/// The model `film` at a door of OpenAI's likeness.
fn conf(upstream: &Upstream) -> Conf {
    Conf::of([Provider::of("mock", upstream).credentials(&["a", "b"])])
        .model("film", &["mock/sora-2"], &[])
        .file("prices.toml", PRICES)
        .set("prices", "files = [\"prices.toml\"]")
        .set("timeouts", "video_poll = \"1h\"")
}

/// The same, but the hub looks by itself.
fn looking(upstream: &Upstream) -> Conf {
    conf(upstream).unset("timeouts").set("timeouts", "video_poll = \"5ms\"")
}

fn order(more: Value) -> Value {
    let mut body = json!({ "model": "film", "prompt": "a cat" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn ordered(hub: &Gateway, more: Value) -> Value {
    hub.post("/v1/videos", &order(more)).await.expect(200).json()
}

fn path(job: &Value) -> String {
    format!("/v1/videos/{}", job["id"].as_str().unwrap())
}

#[tokio::test]
async fn an_order_is_taken_looked_at_loaded_and_booked_once() {
    let upstream = studio(Fate::Done(3)).await;
    let hub = Gateway::start(&conf(&upstream)).await;
    let job = ordered(&hub, json!({ "seconds": "8", "size": "1280x720" })).await;
    assert_eq!(
        (&job["status"], &job["object"], &job["seconds"]),
        (&json!("queued"), &json!("video"), &json!("8"))
    );
    assert_eq!(job["quality"], "standard", "what the vendor says passes");
    let id = job["id"].as_str().unwrap();
    assert!(id.starts_with("video_") && !id.contains("job1"), "{id}");
    let early = hub.get(&format!("{}/content", path(&job))).await;
    early.expect_error(400, "not_ready");
    for expected in ["in_progress", "in_progress", "completed", "completed"] {
        let seen = hub.get(&path(&job)).await.expect(200).json();
        assert_eq!((&seen["status"], &seen["id"]), (&json!(expected), &job["id"]));
    }
    let video = hub.get(&format!("{}/content", path(&job))).await.expect(200);
    assert_eq!((video.header("content-type"), &video.body[..]), (Some("video/mp4"), MP4));
    let thumbnail = hub.get(&format!("{}/content?variant=thumbnail", path(&job))).await.expect(200);
    assert_eq!(thumbnail.header("content-type"), Some("image/webp"));
    let sent = upstream.seen()[0].json();
    assert_eq!(sent, json!({ "model": SORA, "prompt": "a cat", "seconds": "8", "size": "1280x720" }));
    let entry = entry(hub).await;
    assert_eq!(buckets(&entry), json!({ "milliseconds": 8_000 }));
    assert_eq!(
        (&entry["op"], &entry["outcome"], &entry["status"]),
        (&json!("video"), &json!("ok"), &json!(200))
    );
    assert_eq!((&entry["usage_source"], &entry["charge"]["cost"]), (&json!("provider"), &json!("0.8")));
}

#[tokio::test]
async fn a_form_passes_with_its_picture_and_the_vendors_name_of_the_model() {
    let upstream = studio(Fate::Done(1)).await;
    let hub = Gateway::start(&conf(&upstream)).await;
    let part = |head: &str, value: &str| {
        format!("--XX\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n")
    };
    let file = "name=\"input_reference\"; filename=\"a.png\"\r\nContent-Type: image/png";
    let form = |model: &str| {
        let body = [model, &part("name=\"prompt\"", "a cat"), &part(file, "PNG"), "--XX--\r\n"].concat();
        let request = Request::new("POST", "/v1/videos").key(KEY).body(body);
        request.header("content-type", "multipart/form-data; boundary=XX")
    };
    let job = hub.call(&form(&part("name=\"model\"", "film"))).await.expect(200).json();
    hub.get(&path(&job)).await.expect(200);
    let fields = videos::form(&upstream.seen()[0]).unwrap();
    let expected = [("model", SORA), ("prompt", "a cat"), ("input_reference", "PNG")];
    assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // OpenAI's own default, of which this hub knows nothing.
    hub.call(&form("")).await.expect_error(404, "model_not_found");
    let twice = part("name=\"model\"", "film").repeat(2);
    hub.call(&form(&twice)).await.expect(400);
    assert_eq!(buckets(&entry(hub).await), json!({ "milliseconds": 4_000 }));
}

#[tokio::test]
async fn a_job_is_its_tenants_and_its_credentials() {
    let upstream = studio(Fate::Done(1)).await;
    let hub = Gateway::start(&conf(&upstream).second_key("other", "rival")).await;
    let mut credentials = Vec::new();
    for _ in 0..4 {
        let job = ordered(&hub, json!({})).await;
        let foreign = Request::get(&path(&job)).key(SECOND_KEY);
        hub.call(&foreign).await.expect_error(404, "video_not_found");
        let foreign = Request::get(&format!("{}/content", path(&job))).key(SECOND_KEY);
        hub.call(&foreign).await.expect_error(404, "video_not_found");
        hub.call(&Request::new("DELETE", &path(&job)).key(SECOND_KEY))
            .await
            .expect_error(404, "video_not_found");
        hub.call(&Request::get(&path(&job)).key("nobody")).await.expect(401);
        hub.get(&path(&job)).await.expect(200);
        let seen = upstream.seen();
        let (order, look) = (&seen[seen.len() - 2], &seen[seen.len() - 1]);
        assert_eq!(order.credential(), look.credential());
        credentials.push(order.credential().to_owned());
    }
    credentials.dedup();
    assert!(credentials.len() > 1, "both are used: {credentials:?}");
    for unknown in ["video_abc", "job1", "video_", "%00", &"x".repeat(9_000)] {
        hub.get(&format!("/v1/videos/{unknown}")).await.expect_error(404, "video_not_found");
    }
}

#[tokio::test]
async fn an_id_outlives_the_process() {
    let upstream = studio(Fate::Done(1)).await;
    let hub = Gateway::start(&conf(&upstream)).await;
    let job = ordered(&hub, json!({})).await;
    hub.get(&path(&job)).await.expect(200);
    let home = hub.home();
    hub.stop().await;
    let hub = Gateway::start_in(home).await;
    assert_eq!(hub.get(&path(&job)).await.expect(200).json()["status"], "completed");
}

#[tokio::test]
async fn a_remix_goes_where_its_source_is_and_is_an_order_of_its_own() {
    let upstream = studio(Fate::Done(1)).await;
    let hub = Gateway::start(&conf(&upstream)).await;
    for _ in 0..4 {
        let source = ordered(&hub, json!({ "seconds": "12", "size": "1024x1792" })).await;
        hub.get(&path(&source)).await.expect(200);
        let remix = hub.post(&format!("{}/remix", path(&source)), &json!({ "prompt": "a dog" })).await;
        let remix = remix.expect(200).json();
        assert_eq!((&remix["status"], &remix["seconds"]), (&json!("queued"), &json!("12")));
        let seen = hub.get(&path(&remix)).await.expect(200).json();
        let of = seen["remixed_from_video_id"].as_str().unwrap();
        assert!(of.starts_with("video_"), "{of}");
        let again = hub.get(&format!("/v1/videos/{of}")).await.expect(200).json();
        assert_eq!(again["status"], "completed");
    }
    let sent = upstream.seen().into_iter().find(|seen| seen.path.ends_with("/remix")).unwrap();
    assert_eq!(sent.json(), json!({ "prompt": "a dog" }));
    hub.post("/v1/videos/video_x/remix", &json!({ "prompt": "a" }))
        .await
        .expect_error(404, "video_not_found");
    let books = hub.ledger().await;
    assert_eq!(books.len(), 8);
    for entry in &books {
        // The larger frame has a price of its own.
        assert_eq!((&entry["charge"]["cost"], &entry["model"]), (&json!("3"), &json!("film")));
    }
}

#[tokio::test]
async fn models_that_make_none_and_orders_that_say_nothing_are_refused() {
    let upstream = studio(Fate::Done(1)).await;
    let claude = Provider::anthropic("claude", &upstream);
    let conf = Conf::of([Provider::of("mock", &upstream), claude])
        .model("film", &["mock/sora-2"], &[])
        .model("talk", &["claude/claude-sonnet-4-5"], &[])
        .model("blind", &["mock/mute"], &[])
        .section("[[catalogue.model]]\nprovider = \"mock\"\nmodel = \"mute\"\ncannot = [\"video_output\"]");
    let hub = Gateway::start(&conf).await;
    let refused = async |body: Value, word: &str| {
        let answer = hub.post("/v1/videos", &body).await.expect(400).json();
        let text = answer["error"]["message"].as_str().unwrap().to_owned();
        assert!(text.contains(word), "{text}");
    };
    refused(json!({ "model": "talk", "prompt": "a" }), "Anthropic, which does not offer videos").await;
    refused(json!({ "model": "blind", "prompt": "a" }), "makes no videos").await;
    refused(json!({ "model": "film" }), "prompt").await;
    refused(order(json!({ "prompt": " " })), "prompt").await;
    for seconds in [json!("0"), json!("four"), json!(1_000), json!("-4")] {
        refused(order(json!({ "seconds": seconds })), "seconds").await;
    }
    for size in ["big", "0x0", "1280", "1280x99999999999"] {
        refused(order(json!({ "size": size })), "size").await;
    }
    refused(order(json!({ "input_reference": {} })), "input_reference").await;
    hub.post("/v1/videos", &json!({ "model": "nobody", "prompt": "a" })).await.expect(404);
    let list = hub.get("/v1/videos").await.expect(400).json();
    assert!(list["error"]["message"].as_str().unwrap().contains("by its id"), "{list}");
    for (method, path) in [("PUT", "/v1/videos"), ("POST", "/v1/videos/x"), ("GET", "/v1/videos/x/remix")] {
        hub.call(&Request::new(method, path).key(KEY)).await.expect(405);
    }
    hub.get("/v1/videos/x/frames").await.expect(404);
    assert_eq!(upstream.counts().requests, 0);
}
