//! Pictures and embeddings, in the envelope and in the older bodies.

use super::*;

fn post(path: &str, body: Value) -> Request {
    Request::post(path, &body).key(KEY)
}

async fn before_all() -> (Upstream, Gateway) {
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream).model("embed", &["mock/text-embedding-3-small"], &[]).model(
        "image",
        &["mock/gpt-image-1"],
        &[],
    );
    let hub = Gateway::start(&conf).await;
    (upstream, hub)
}

#[tokio::test]
async fn both_bodies_of_an_embedding_are_understood() {
    let (upstream, hub) = before_all().await;
    let envelope = json!({ "input": { "input": ["a", "b"], "modelOptions": { "model": "embed", "dimensions": 3 } }, "options": {} });
    let older = json!({ "model": "embed", "input": "a" });
    for (body, count) in [(envelope, 2), (older, 1)] {
        let said = hub.call(&post("/api/v2/embeddings", body)).await.expect(200).json();
        assert_eq!(said["embeddings"].as_array().unwrap().len(), count);
        assert_eq!(said["embeddings"][0], said["data"][0]["embedding"]);
        assert_eq!(said["embeddings"][0], json!([0.25, -0.5, 1.0]));
        assert_eq!((&said["usage"]["prompt_tokens"], &said["usage"]["inputTokens"]), (&json!(9), &json!(9)));
        assert_eq!(said["modelWithProvider"], "mock/text-embedding-3-small");
        assert!(said["usage"].get("creditPrefix").is_none(), "nothing is known of its price: {said}");
    }
    let seen = upstream.seen();
    assert_eq!(seen[0].json()["dimensions"], 3);
    assert_eq!(seen[1].json(), json!({ "model": "text-embedding-3-small", "input": "a" }));
}

#[tokio::test]
async fn an_embedding_without_its_input_is_refused_and_not_a_defect() {
    let (_upstream, hub) = before_all().await;
    for body in
        [json!({}), json!({ "model": "embed" }), json!({ "input": { "modelOptions": { "model": "embed" } } })]
    {
        hub.call(&post("/api/v2/embeddings", body)).await.expect(400);
    }
}

#[tokio::test]
async fn the_paths_that_documents_name_answer() {
    let (upstream, hub) = before_all().await;
    for path in [
        "/api/v2/images/generate",
        "/api/v2/images/generations",
        "/api/v2/image/generations",
        "/api/images/generations",
        "/api/v1/sdk/image/generations",
    ] {
        let said =
            hub.call(&post(path, json!({ "model": "image", "prompt": "a cat" }))).await.expect(200).json();
        assert_eq!(said["images"][0]["data"], said["data"][0]["b64_json"], "{path}");
    }
    assert_eq!(upstream.seen()[0].json(), json!({ "model": "gpt-image-1", "prompt": "a cat" }));
}

#[tokio::test]
async fn addresses_of_pictures_stay_addresses() {
    let reply = json!({ "created": 1, "data": [{ "url": "https://pictures.example/a.png" }] });
    let upstream = Upstream::always(Reply::json(200, &reply)).await;
    let hub = Gateway::start(&Conf::one(&upstream).model("image", &["mock/gpt-image-1"], &[])).await;
    let input = json!({ "prompt": "a cat", "modelOptions": { "model": "image" } });
    let said = hub.call(&post("/api/v2/image", json!({ "input": input }))).await.expect(200).json();
    let expected =
        json!([{ "type": "url", "url": "https://pictures.example/a.png", "mimeType": "image/png" }]);
    assert_eq!(said["images"], expected);
}

#[tokio::test]
async fn pictures_to_edit_are_files_of_a_form_and_nothing_is_loaded() {
    let (upstream, hub) = before_all().await;
    let edit = |image: Value| {
        let input = json!({ "prompt": "aigne-hub-form", "image": image, "quality": "low", "modelOptions": { "model": "image" } });
        post("/api/v2/image", json!({ "input": input }))
    };
    let png = "data:image/jpeg;base64,/9j/";
    hub.call(&edit(json!([{ "type": "url", "url": png }, { "type": "file", "data": "iVBORw0KGgo=", "mimeType": "a\r\nb" }])))
        .await
        .expect(200);
    let form = String::from_utf8_lossy(&upstream.only().body).into_owned();
    assert_eq!(form.matches("name=\"image[]\"").count(), 2, "{form}");
    assert!(form.contains("content-type: image/jpeg") && form.contains("content-type: image/png"), "{form}");
    assert!(form.contains("name=\"quality\"\r\n\r\nlow\r\n") && !form.contains("a\r\nb"), "{form}");
    // The prompt holds what would be the boundary.
    assert!(form.ends_with("--aigne-hub-form---\r\n"), "{form}");
    for bad in [
        json!([{ "type": "url", "url": "http://10.0.0.1/a.png" }]),
        json!([{ "type": "file" }]),
        json!([{ "data": "*" }]),
    ] {
        hub.call(&edit(bad)).await.expect(400);
    }
    assert_eq!(upstream.counts().requests, 1);
}
