use super::*;
use crate::chat::{Policy, Source};
use serde_json::{Value, json};

fn order(body: Value) -> Result<Order> {
    Order::read(body.to_string().as_bytes(), None)
}

fn adapted() -> Adapted {
    Adapted::new(Policy::default())
}

fn made(from: Films, body: Value) -> Result<Made> {
    made_in(from, &Bytes::from(body.to_string()))
}

fn out(to: Films, body: Value) -> Value {
    let order = order(body).unwrap();
    let body = order_out(to, &order, "m", &mut adapted()).unwrap().unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn an_order_is_read_from_json_and_bounded() {
    let read = order(json!({ "prompt": "a", "seconds": "8", "size": "1280x720", "x": 1 })).unwrap();
    assert_eq!((read.model.as_str(), read.seconds), ("sora-2", Some(8)));
    assert_eq!(read.frame, Some(Frame { across: 1_280, down: 720 }));
    assert_eq!((read.bound().milliseconds, read.bound().requests), (8_000, 1));
    // 1280 × 720 pixels, 24 times a second, 1024 to a token, and an eighth.
    assert_eq!(read.bound().output, 194_400);
    assert_eq!(read.rest[0].name, "x");
    let unnamed = order(json!({ "prompt": "a" })).unwrap().bound();
    assert_eq!(unnamed.milliseconds, 8_000);
    assert!(unnamed.output > read.bound().output);
    assert!(order(json!({ "prompt": "a", "Seconds": 300 })).is_err());
    let by_id = order(json!({ "prompt": "a", "input_reference": { "file_id": "f" } })).unwrap();
    assert_eq!(by_id.reference, Some(Source::FileId("f".into())));
}

#[test]
fn a_form_names_each_field_once() {
    let part = |name: &str, value: &str| {
        format!("--B\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let read = |parts: &[String]| {
        let body = format!("{}--B--\r\n", parts.concat());
        Order::read(body.as_bytes(), Some("multipart/form-data; boundary=B"))
    };
    let whole = [part("model", "m"), part("prompt", "p"), part("seconds", "12"), part("size", "720x1280")];
    let order = read(&whole).unwrap();
    assert_eq!((order.model.as_str(), order.prompt.as_str(), order.seconds), ("m", "p", Some(12)));
    let twice = [part("prompt", "p"), part("prompt", "q")];
    assert!(read(&twice).is_err());
    assert!(read(&[part("prompt", "p"), part("Model", "m")]).is_err());
    assert!(read(&["what is this\r\n".to_owned(), part("prompt", "p")]).is_err());
    assert!(Order::read(b"--B", Some("multipart/form-data; boundary=B")).is_err());
    let file =
        "--B\r\ncontent-disposition: form-data; name=\"prompt\"; filename=\"x\"\r\n\r\np\r\n".to_owned();
    assert!(read(&[file]).is_err());
}

#[test]
fn a_passed_body_changes_its_model_alone() {
    let body = Bytes::from_static(br#"{"model":"film","prompt":"a","seed":1.50}"#);
    let passed = Order::passed(&body, None, "sora-2").unwrap().concat();
    assert_eq!(passed, br#"{"model":"sora-2","prompt":"a","seed":1.50}"#);
    let unnamed =
        Bytes::from_static(b"--B\r\ncontent-disposition: form-data; name=\"prompt\"\r\n\r\np\r\n--B--\r\n");
    let passed = Order::passed(&unnamed, Some("multipart/form-data; boundary=B"), "sora-2").unwrap().concat();
    let order = Order::read(&passed, Some("multipart/form-data; boundary=B")).unwrap();
    assert_eq!((order.model.as_str(), order.prompt.as_str()), ("sora-2", "p"));
}

#[test]
fn sizes_become_shapes_and_resolutions() {
    let shape = |size: &str| out(Films::Veo, json!({ "prompt": "a", "size": size }))["parameters"].clone();
    assert_eq!(shape("1280x720"), json!({ "aspectRatio": "16:9", "resolution": "720p" }));
    assert_eq!(shape("1024x1792"), json!({ "aspectRatio": "9:16", "resolution": "1080p" }));
    assert_eq!(shape("3840x2160"), json!({ "aspectRatio": "16:9", "resolution": "4k" }));
    let second = order(json!({ "prompt": "a", "size": "720x1280" })).unwrap();
    let second = order_out(Films::Veo, &second, "veo-2.0-generate-001", &mut adapted()).unwrap().unwrap();
    let second: Value = serde_json::from_slice(&second).unwrap();
    assert_eq!(second["parameters"], json!({ "aspectRatio": "9:16" }));
    let ark = out(Films::Ark, json!({ "prompt": "a", "size": "640x480" }));
    assert_eq!((&ark["ratio"], &ark["resolution"]), (&json!("4:3"), &json!("480p")));
    assert_eq!(out(Films::Veo, json!({ "prompt": "a" }))["parameters"], json!({}));
}

#[test]
fn pictures_go_as_each_vendor_takes_them() {
    let with = |reference: Value| order(json!({ "prompt": "a", "input_reference": reference })).unwrap();
    let sent = |to, reference| order_out(to, &with(reference), "m", &mut adapted()).map(drop);
    let (bytes, url, id) =
        ("data:image/png;base64,aGk=", "https://web.test/a.png", json!({ "file_id": "f" }));
    assert!(sent(Films::Veo, json!(bytes)).is_ok() && sent(Films::Ark, json!(bytes)).is_ok());
    assert!(sent(Films::Veo, json!(url)).is_err() && sent(Films::Ark, json!(url)).is_ok());
    assert!(sent(Films::Veo, id.clone()).is_err() && sent(Films::Ark, id).is_err());
}

#[test]
fn paths_are_segments_whatever_an_id_holds() {
    assert_eq!(
        order_path(Films::OpenAi, "/videos", "m", Some("a/../b")).unwrap(),
        "/videos/a%2F..%2Fb/remix"
    );
    assert!(order_path(Films::Veo, "/v1beta/models", "m", Some("a")).is_err());
    assert_eq!(look_path(Films::Ark, "/t", "a?b"), "/t/a%3Fb");
    assert_eq!(look_path(Films::Veo, "", "models/m/operations/o"), "/v1beta/models/m/operations/o");
    let done = |file: &str| Made { file: Some(file.to_owned()), ..Made::new("x", State::Completed) };
    let at = |file: &str| place(Films::Veo, "", &done(file), None);
    assert_eq!(
        at("https://evil.test/v1beta/files/a:download?alt=media"),
        Some(Place::Path("/v1beta/files/a:download?alt=media".into()))
    );
    assert_eq!((at("https://evil.test"), at("https://a/b c"), at("https://a/b\r\nx: y")), (None, None, None));
}

#[test]
fn states_of_all_vendors_are_read() {
    let openai =
        made(Films::OpenAi, json!({ "id": "v", "status": "completed", "seconds": "8", "progress": 100 }))
            .unwrap();
    assert_eq!((openai.state, openai.usage(4).milliseconds), (State::Completed, 8_000));
    let unsaid = made(Films::OpenAi, json!({ "id": "v", "status": "completed" })).unwrap();
    assert_eq!(unsaid.usage(4).milliseconds, 4_000);
    let odd = made(Films::OpenAi, json!({ "id": "v", "status": "processing", "progress": -3 })).unwrap();
    assert_eq!((odd.state, odd.progress), (State::InProgress, None));
    assert!(made(Films::OpenAi, json!({ "status": "queued" })).is_err());

    let two = json!({ "name": "operations/o", "done": true, "response": { "generatedVideos": [
        { "video": { "uri": "https://h/v1beta/files/a" } }, { "video": { "uri": "https://h/v1beta/files/b" } }] } });
    let veo = made(Films::Veo, two).unwrap();
    assert_eq!((veo.state, veo.usage(8).milliseconds), (State::Completed, 16_000));
    let broken =
        json!({ "name": "operations/o", "done": true, "error": { "code": 13, "message": "Internal" } });
    assert_eq!(made(Films::Veo, broken).unwrap().error.unwrap().code.as_deref(), Some("13"));
    for name in ["", "a/../b", "a b", "a?b"] {
        assert!(made(Films::Veo, json!({ "name": name })).is_err(), "{name}");
    }

    assert_eq!(made(Films::Ark, json!({ "id": "t" })).unwrap().state, State::Queued);
    assert_eq!(made(Films::Ark, json!({ "id": "t", "status": "cancelled" })).unwrap().state, State::Failed);
    assert!(made(Films::Ark, json!({ "id": "t", "status": "succeeded" })).is_err(), "no video");
}
