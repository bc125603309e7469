//! Pictures in OpenAI's words, over vendors that have their own: what they
//! are sent, what callers get, and what is booked.

use super::anthropic::{buckets, chat, entry};
use super::support::*;
use pictures::PNG;
use serde_json::{Value, json};

/// The model that draws amid a conversation.
const DRAWER: &str = gemini::DRAWERS[0];
const IMAGEN: &str = gemini::DRAWERS[1];

fn google(upstream: &Upstream, model: &str) -> Conf {
    Conf::of([Provider::gemini("google", upstream)]).model("pic", &[&format!("google/{model}")], &[])
}

/// A vendor of OpenAI's likeness at this base.
async fn door(vendor: &str, base: &str, model: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::checked(pictures::check, pictures::answer).await;
    let provider = Provider::new("door", &format!("{}{base}", upstream.root_url())).vendor(vendor);
    let hub = Gateway::start(&Conf::of([provider]).model("pic", &[&format!("door/{model}")], &[])).await;
    (upstream, hub)
}

fn order(fields: Value) -> Value {
    let mut body = json!({ "model": "pic", "prompt": "a cat" });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_model_of_geminis_draws_as_often_as_pictures_are_wanted() {
    let upstream = Upstream::gemini(|_| Reply::json(200, &pictures::drawn())).await;
    let hub = Gateway::start(&google(&upstream, DRAWER)).await;
    let body = order(json!({ "n": 3, "size": "1536x1024" }));
    let answer = hub.post("/v1/images/generations", &body).await.expect(200);
    assert_eq!(answer.header("x-aigne-adapted"), Some("size: as aspect ratio 3:2"));
    let answer = answer.json();
    assert_eq!(answer["data"], json!(vec![json!({ "b64_json": PNG }); 3]));
    assert!(answer["created"].as_i64().unwrap() > 1_767_225_600);
    assert_eq!(
        (&answer["usage"]["input_tokens"], &answer["usage"]["output_tokens"]),
        (&json!(18), &json!(3870))
    );
    for seen in upstream.seen() {
        assert_eq!(seen.path, format!("/v1beta/models/{DRAWER}:generateContent"));
        assert_eq!(seen.json()["generationConfig"]["imageConfig"], json!({ "aspectRatio": "3:2" }));
    }
    assert_eq!(upstream.counts().requests, 3);
    let entry = entry(hub).await;
    assert_eq!(buckets(&entry), json!({ "input": 18, "output": 3870, "images": 3 }));
    assert_eq!((&entry["usage"]["requests"], &entry["op"]), (&json!(3), &json!("image_generation")));
}

#[tokio::test]
async fn an_edit_goes_with_its_pictures_and_a_mask_is_refused() {
    let upstream = Upstream::gemini(|_| Reply::json(200, &pictures::drawn())).await;
    let hub = Gateway::start(&google(&upstream, DRAWER)).await;
    let part = |head: &str, value: &str| {
        format!("--XX\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n")
    };
    let form = |more: &str| {
        let fields = part("name=\"model\"", "pic") + &part("name=\"prompt\"", "add a hat");
        let file = part("name=\"image\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg", "jpeg");
        let format = part("name=\"response_format\"", "url");
        let body = format!("{fields}{file}{format}{more}--XX--\r\n");
        let kind = "multipart/form-data; boundary=XX";
        Request::new("POST", "/v1/images/edits").header("content-type", kind).key(conf::KEY).body(body)
    };
    let answer = hub.call(&form("")).await.expect(200);
    assert_eq!(answer.header("x-aigne-adapted"), Some("response_format: the url is a data: URL"));
    assert_eq!(answer.json()["data"][0]["url"], format!("data:image/png;base64,{PNG}"));
    let parts = upstream.only().json()["contents"][0]["parts"].clone();
    let picture = json!({ "inlineData": { "mimeType": "image/jpeg", "data": "anBlZw==" } });
    assert_eq!(parts, json!([picture, { "text": "add a hat" }]));
    let masked = hub.call(&form(&part("name=\"mask\"; filename=\"m.png\"", "x"))).await.expect(400);
    assert_eq!(masked.json()["error"]["param"], "mask");
    assert_eq!(upstream.counts().requests, 1);
}

#[tokio::test]
async fn a_model_that_drew_nothing_is_told_why_and_what_it_used_is_booked() {
    let parts = json!([{ "text": "I would rather not." }]);
    let reply = Reply::json(200, &gemini::said(&parts, Some("STOP"), &gemini::usage()));
    let upstream = Upstream::gemini(move |_| reply.clone()).await;
    let hub = Gateway::start(&google(&upstream, DRAWER)).await;
    let error = hub.post("/v1/images/generations", &order(json!({}))).await.expect(400).json();
    assert_eq!(error["error"]["message"], "The model drew no picture: I would rather not.");
    assert_eq!(upstream.counts().requests, 1);
    let entry = entry(hub).await;
    assert_eq!(
        (buckets(&entry), &entry["outcome"]),
        (json!({ "input": 9, "output": 3 }), &json!("upstream_error"))
    );
}

#[tokio::test]
async fn some_pictures_are_better_than_none() {
    let replies = [Reply::json(200, &pictures::drawn()), gemini::error(400, "INVALID_ARGUMENT", "no more")];
    let upstream = Upstream::gemini_script(replies).await;
    let hub = Gateway::start(&google(&upstream, DRAWER)).await;
    let answer = hub.post("/v1/images/generations", &order(json!({ "n": 2 }))).await.expect(200);
    assert_eq!(answer.json()["data"].as_array().unwrap().len(), 1);
    assert_eq!(answer.header("x-aigne-adapted"), Some("n: 1 of 2 calls were answered"));
    assert_eq!(buckets(&entry(hub).await)["images"], 1);
}

#[tokio::test]
async fn imagen_is_asked_by_its_own_method_and_paid_by_the_picture() {
    let answer = |seen: &upstream::Seen| {
        let count = usize::try_from(seen.json()["parameters"]["sampleCount"].as_u64().unwrap()).unwrap();
        let picture = json!({ "mimeType": "image/png", "bytesBase64Encoded": PNG, "prompt": "a fine cat" });
        Reply::json(200, &json!({ "predictions": vec![picture; count] }))
    };
    let upstream = Upstream::gemini(answer).await;
    let price = "[[price]]\nprovider = \"google\"\nmodel = \"imagen-4.0-generate-001\"\nvalid_from = \"2020-01-01\"\nimage = \"40000\"\n";
    let conf =
        google(&upstream, IMAGEN).file("prices.toml", price).set("prices", "files = [\"prices.toml\"]");
    let hub = Gateway::start(&conf).await;
    let body = order(json!({ "n": 5, "size": "1024x1792" }));
    let answer = hub.post("/v1/images/generations", &body).await.expect(200).json();
    assert_eq!(answer["data"], json!(vec![json!({ "b64_json": PNG, "revised_prompt": "a fine cat" }); 5]));
    assert!(upstream.seen().iter().all(|seen| seen.path.ends_with(":predict")));
    let entry = entry(hub).await;
    assert_eq!(buckets(&entry), json!({ "images": 5 }));
    assert_eq!(entry["charge"]["cost"], "0.2");
}

#[tokio::test]
async fn seedream_draws_one_a_call_and_takes_its_own_fields() {
    let (upstream, hub) = door("doubao", "/api/v3", "doubao-seedream-4-5-251128").await;
    let own = json!({ "n": 2, "size": "1024x1024", "watermark": false, "quality": "high" });
    let answer = hub.post("/v1/images/generations", &order(own)).await.expect(200);
    assert_eq!(answer.header("x-aigne-adapted"), Some("size: grown to 1920x1920; quality: dropped"));
    let url = json!({ "url": "https://pictures.test/1.png" });
    assert_eq!(answer.json()["data"], json!([url, url]));
    let edit =
        order(json!({ "image": format!("data:image/png;base64,{PNG}"), "response_format": "b64_json" }));
    let answer = hub.post("/v1/images/edits", &edit).await.expect(200).json();
    assert_eq!(answer["data"], json!([{ "b64_json": PNG }]));
    let seen = upstream.seen();
    assert_eq!((&seen[0].json()["size"], &seen[0].json()["watermark"]), (&json!("1920x1920"), &json!(false)));
    assert_eq!(seen[2].json()["image"], format!("data:image/png;base64,{PNG}"));
    assert_eq!(
        hub.ledger().await.iter().map(|entry| buckets(entry)["images"].clone()).collect::<Vec<_>>(),
        [2, 1]
    );
}

#[tokio::test]
async fn xai_draws_shapes_and_edits_in_json() {
    let (upstream, hub) = door("xai", "/v1", "grok-imagine-image").await;
    let body = order(json!({ "n": 2, "size": "1792x1024", "response_format": "b64_json" }));
    let answer = hub.post("/v1/images/generations", &body).await.expect(200).json();
    assert_eq!(answer["data"], json!([{ "b64_json": PNG }, { "b64_json": PNG }]));
    let edit = order(json!({ "images": [{ "image_url": "https://pictures.test/0.png" }] }));
    hub.post("/v1/images/edits", &edit).await.expect(200);
    let seen = upstream.seen();
    assert_eq!((&seen[0].json()["aspect_ratio"], &seen[0].json()["n"]), (&json!("16:9"), &json!(2)));
    let picture = json!({ "url": "https://pictures.test/0.png", "type": "image_url" });
    assert_eq!((seen[1].path.as_str(), &seen[1].json()["image"]), ("/v1/images/edits", &picture));
    let booked: Vec<_> = hub.ledger().await.iter().map(buckets).collect();
    assert_eq!(booked, [json!({ "images": 2 }), json!({ "images": 1 })]);
}

#[tokio::test]
async fn a_chat_that_draws_answers_an_order() {
    let (upstream, hub) = door("openrouter", "/api/v1", "google/gemini-2.5-flash-image").await;
    let answer = hub.post("/v1/images/generations", &order(json!({ "size": "1024x1024" }))).await.expect(200);
    assert_eq!(answer.json()["data"], json!([{ "b64_json": PNG }]));
    assert_eq!(upstream.only().json()["modalities"], json!(["image", "text"]));
    let entry = entry(hub).await;
    assert_eq!(buckets(&entry), json!({ "input": 7, "output": 1290, "images": 1 }));
}

#[tokio::test]
async fn pictures_in_a_chat_come_as_the_message_s_images() {
    let event = pictures::drawn();
    let upstream = Upstream::gemini(move |seen| match seen.path.contains(":stream") {
        true => Reply::sse().event(&event),
        false => Reply::json(200, &event),
    })
    .await;
    let conf =
        Conf::of([Provider::gemini("google", &upstream)]).model("gpt", &[&format!("google/{DRAWER}")], &[]);
    let hub = Gateway::start(&conf).await;
    let picture =
        json!([{ "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{PNG}") } }]);
    let whole = hub.call(&chat(json!({ "modalities": ["image", "text"] }))).await.expect(200).json();
    let message = &whole["choices"][0]["message"];
    assert_eq!((&message["images"], &message["content"]), (&picture, &json!("Here.")));
    let modalities = upstream.only().json()["generationConfig"]["responseModalities"].clone();
    assert_eq!(modalities, json!(["IMAGE", "TEXT"]));
    let streamed =
        hub.call(&chat(json!({ "stream": true, "modalities": ["image", "text"] }))).await.expect(200);
    let text = String::from_utf8(streamed.body.to_vec()).unwrap();
    let pictures =
        text.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    let pictures: Vec<Value> = pictures.map(|chunk| chunk["choices"][0]["delta"]["images"].clone()).collect();
    assert_eq!(pictures.iter().filter(|images| **images == picture).count(), 1, "{text}");
}

/// The events of an answer, by name.
fn events(answer: &client::Answer) -> Vec<(String, Value)> {
    assert!(answer.header("content-type").unwrap().starts_with("text/event-stream"), "{answer:?}");
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let event = |event: &str| {
        let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        (name.to_owned(), serde_json::from_str(data).unwrap())
    };
    text.split_terminator("\n\n").map(event).collect()
}

#[tokio::test]
async fn a_stream_of_pictures_has_an_event_for_each_that_is_done() {
    let upstream = Upstream::gemini(|_| Reply::json(200, &pictures::drawn())).await;
    let hub = Gateway::start(&google(&upstream, DRAWER)).await;
    let body = order(json!({ "n": 2, "stream": true, "partial_images": 2 }));
    let answer = hub.post("/v1/images/generations", &body).await.expect(200);
    let events = events(&answer);
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["image_generation.completed"; 2]);
    for (name, event) in &events {
        assert_eq!((&event["type"], &event["b64_json"]), (&json!(name), &json!(PNG)));
        assert!(event["created_at"].is_i64() && event["output_format"] == "png", "{event}");
    }
    let used = |n: usize| events[n].1["usage"]["total_tokens"].as_u64().unwrap();
    assert_eq!((used(0), used(1)), (0, 2_592), "the sum is what was used");
    for seen in upstream.seen() {
        assert_eq!(seen.header("accept"), Some("application/json"));
    }
    assert_eq!(buckets(&entry(hub).await), json!({ "input": 12, "output": 2580, "images": 2 }));
}

#[tokio::test]
async fn what_a_vendor_streams_itself_passes_and_is_paid_by_the_picture() {
    let done = json!({ "type": "image_generation.completed", "b64_json": PNG,
                       "usage": { "input_tokens": 7, "output_tokens": 100, "total_tokens": 107 } });
    let partial =
        json!({ "type": "image_generation.partial_image", "b64_json": PNG, "partial_image_index": 0 });
    let reply = Reply::sse().event(&partial).event(&done);
    let (upstream, hub) = {
        let upstream = Upstream::always(reply.clone()).await;
        let hub = Gateway::start(&Conf::one(&upstream)).await;
        (upstream, hub)
    };
    let body = json!({ "model": "gpt", "prompt": "a cat", "stream": true, "partial_images": 1 });
    let answer = hub.post("/v1/images/generations", &body).await.expect(200);
    assert_eq!(answer.body.to_vec(), reply.data());
    assert_eq!(upstream.only().json()["partial_images"], 1);
    let entry = entry(hub).await;
    assert_eq!(buckets(&entry), json!({ "input": 7, "output": 100, "images": 1 }));
    assert_eq!(entry["usage_source"], "provider");
}
