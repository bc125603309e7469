//! Vendors with words of their own for videos.

use super::*;

fn veo(upstream: &Upstream) -> Conf {
    let prices = format!(
        "[[price]]\nprovider = \"google\"\nmodel = {:?}\nvalid_from = \"2020-01-01\"\nsecond = \"400000\"\n",
        videos::VEO
    );
    Conf::of([Provider::gemini("google", upstream)])
        .model("film", &[&format!("google/{}", videos::VEO)], &[])
        .file("prices.toml", &prices)
        .set("prices", "files = [\"prices.toml\"]")
        .set("timeouts", "video_poll = \"1h\"")
}

fn ark(upstream: &Upstream) -> Conf {
    let prices = format!(
        "[[price]]\nprovider = \"door\"\nmodel = {:?}\nvalid_from = \"2020-01-01\"\noutput = \"2\"\n",
        videos::SEEDANCE
    );
    let provider = Provider::new("door", &format!("{}/api/v3", upstream.root_url())).vendor("doubao");
    Conf::of([provider])
        .model("film", &[&format!("door/{}", videos::SEEDANCE)], &[])
        .file("prices.toml", &prices)
        .set("prices", "files = [\"prices.toml\"]")
        .set("timeouts", "video_poll = \"1h\"")
}

const PICTURE: &str = "data:image/png;base64,iVBORw0KGgo=";

#[tokio::test]
async fn veo_is_asked_in_its_words_and_told_in_openais() {
    let upstream = studio(Fate::Done(2)).await;
    let hub = Gateway::start(&veo(&upstream)).await;
    let more = json!({ "seconds": "8", "size": "1792x1024", "negative_prompt": "dogs", "input_reference": { "image_url": PICTURE }, "style": "x" });
    let answer = hub.post("/v1/videos", &order(more)).await.expect(200);
    assert_eq!(answer.header("x-aigne-adapted"), Some("size: as 1920x1080; style: dropped"));
    let job = answer.json();
    assert_eq!((&job["status"], &job["model"]), (&json!("in_progress"), &json!(videos::VEO)));
    let sent = upstream.seen()[0].clone();
    assert_eq!(sent.path, format!("/v1beta/models/{}:predictLongRunning", videos::VEO));
    let expected = json!({
        "instances": [{ "prompt": "a cat", "image": { "bytesBase64Encoded": "iVBORw0KGgo=", "mimeType": "image/png" } }],
        "parameters": { "aspectRatio": "16:9", "resolution": "1080p", "durationSeconds": 8, "negativePrompt": "dogs" },
    });
    assert_eq!(sent.json(), expected);
    let early = hub.get(&format!("{}/content", path(&job))).await.expect(400).json();
    assert!(early["error"]["message"].as_str().unwrap().contains("in_progress"), "{early}");
    let seen = hub.get(&path(&job)).await.expect(200).json();
    assert_eq!(
        (&seen["status"], &seen["progress"], &seen["id"]),
        (&json!("completed"), &json!(100), &job["id"])
    );
    assert_eq!(
        (&seen["seconds"], &seen["size"], &seen["error"]),
        (&json!("8"), &json!("1792x1024"), &Value::Null)
    );
    let video = hub.get(&format!("{}/content", path(&job))).await.expect(200);
    assert_eq!((&video.body[..], video.header("content-type")), (MP4, Some("video/mp4")));
    hub.get(&format!("{}/content?variant=thumbnail", path(&job))).await.expect(400);
    hub.call(&Request::new("DELETE", &path(&job)).key(KEY)).await.expect(400);
    hub.post(&format!("{}/remix", path(&job)), &json!({ "prompt": "a" })).await.expect(400);
    let books = hub.ledger().await;
    let made: Vec<_> = books.iter().filter(|entry| entry["outcome"] == "ok").collect();
    assert_eq!((made.len(), &made[0]["charge"]["cost"]), (1, &json!("3.2")));
}

#[tokio::test]
async fn what_veo_filters_is_a_failure_in_its_words() {
    let upstream = studio(Fate::Fails(1)).await;
    let hub = Gateway::start(&veo(&upstream)).await;
    let job = ordered(&hub, json!({})).await;
    let seen = hub.get(&path(&job)).await.expect(200).json();
    assert_eq!((&seen["status"], &seen["error"]["message"]), (&json!("failed"), &json!("It was filtered.")));
    hub.post("/v1/videos", &order(json!({ "input_reference": "https://web.test/a.png" }))).await.expect(400);
    let books = hub.ledger().await;
    assert!(books.iter().all(|entry| entry["charge"].is_null()), "{books:?}");
}

#[tokio::test]
async fn seedance_is_asked_in_its_words_and_counts_tokens() {
    let upstream = studio(Fate::Done(1)).await;
    let hub = Gateway::start(&ark(&upstream)).await;
    let more = json!({ "seconds": 5, "size": "1280x720", "seed": 7, "callback_url": "http://10.0.0.1/", "input_reference": { "image_url": PICTURE } });
    let answer = hub.post("/v1/videos", &order(more)).await.expect(200);
    assert_eq!(answer.header("x-aigne-adapted"), Some("size: as 16:9, 720p; callback_url: dropped"));
    let job = answer.json();
    let expected = json!({
        "model": videos::SEEDANCE,
        "content": [
            { "type": "text", "text": "a cat" },
            { "type": "image_url", "image_url": { "url": PICTURE }, "role": "first_frame" },
        ],
        "resolution": "720p", "ratio": "16:9", "duration": 5, "seed": 7,
    });
    assert_eq!(upstream.only().json(), expected);
    let seen = hub.get(&path(&job)).await.expect(200).json();
    assert_eq!((&seen["status"], &seen["created_at"]), (&json!("completed"), &json!(1_767_225_600)));
    let video = hub.get(&format!("{}/content", path(&job))).await.expect(302);
    assert_eq!(video.header("location"), Some(videos::ADDRESS));
    hub.call(&Request::new("DELETE", &path(&job)).key(KEY)).await.expect(200);
    let entry = entry(hub).await;
    assert_eq!(buckets(&entry), json!({ "milliseconds": 5_000, "output": videos::TOKENS }));
    assert_eq!(entry["charge"]["cost"], "0.207636");
}

#[tokio::test]
async fn tokens_of_seedance_are_held_by_length_and_size() {
    let upstream = studio(Fate::Done(1)).await;
    let hub = Gateway::start(&ark(&upstream).key_line("day_cost = \"0.3\"")).await;
    let long = hub.post("/v1/videos", &order(json!({ "seconds": 12, "size": "1920x1080" }))).await;
    long.expect_error(429, "budget_exceeded");
    let job = ordered(&hub, json!({ "seconds": 5, "size": "1280x720" })).await;
    hub.get(&path(&job)).await.expect(200);
}
