//! Orders of videos, what vendors say of them, and the end that the hub gives a native stream.

use aigne_hub::chat::{Adapted, Policy};
use aigne_hub::error::{Failure, Kind};
use aigne_hub::types::Usage;
use aigne_hub::wire::sse::Cutter;
use aigne_hub::wire::translate::Unfinished;
use aigne_hub::wire::video::{self, Films, Order, Told};
use bytes::Bytes;
use serde_json::Value;

const FILMS: [Films; 3] = [Films::OpenAi, Films::Veo, Films::Ark];
const FORM: &str = "multipart/form-data; boundary=B";

/// What is read can be written for every vendor, and is bounded.
pub fn videos(data: &[u8]) {
    for form in [None, Some(FORM)] {
        let Ok(order) = Order::read(data, form) else { continue };
        assert!(order.bound().milliseconds >= 1_000 && !order.prompt.trim().is_empty());
        for films in FILMS {
            let mut adapted = Adapted::new(Policy::default());
            if let Ok(Some(body)) = video::order_out(films, &order, "m", &mut adapted) {
                assert!(serde_json::from_slice::<Value>(&body).is_ok(), "{films:?}: {order:?}");
            }
        }
        let passed = Order::passed(&Bytes::copy_from_slice(data), form, "m").map(|pieces| pieces.concat());
        let again = passed.and_then(|body| Order::read(&body, form));
        let again = again.unwrap_or_else(|failure| panic!("{failure:?}: {order:?}"));
        assert_eq!(again, Order { model: "m".to_owned(), ..order });
    }
    let body = Bytes::copy_from_slice(data);
    for films in FILMS {
        let Ok(made) = video::made_in(films, &body) else { continue };
        let known_as = |id: &str| Some(format!("sealed {id}"));
        let told = Told { id: "v", model: "m", created: 0, seconds: 4, size: None, known_as: &known_as };
        let passed = (films == Films::OpenAi).then_some(&body);
        let answer: Value =
            serde_json::from_slice(&video::answer_out(&made, &told, passed)).unwrap_or_default();
        assert_eq!(answer["id"], "v", "{films:?}: {made:?}");
        let _ = made.usage(u32::MAX);
        for path in [
            video::look_path(films, "/row", &made.id),
            format!("{:?}", video::place(films, "/row", &made, None)),
        ] {
            assert!(!path.contains(['\r', '\n']), "{path:?}");
        }
    }
}

/// An order as JSON and as a form, and what each vendor says of one.
pub fn videos_corpus() -> Vec<Vec<u8>> {
    let part = |name: &str, value: &str| {
        format!("--B\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let form = [part("model", "film"), part("prompt", "a cat"), part("seconds", "8"), "--B--\r\n".to_owned()];
    let texts = [
        r#"{"model":"film","prompt":"a cat","seconds":"8","size":"1280x720","input_reference":{"image_url":"data:image/png;base64,aGk="},"seed":1}"#,
        r#"{"id":"video_1","object":"video","status":"completed","progress":100,"seconds":"8","size":"1280x720","remixed_from_video_id":"video_0","error":null}"#,
        r#"{"name":"models/veo/operations/o","done":true,"response":{"generateVideoResponse":{"generatedSamples":[{"video":{"uri":"https://h/v1beta/files/f:download?alt=media"}}]}}}"#,
        r#"{"name":"operations/o","done":true,"error":{"code":13,"message":"Internal"}}"#,
        r#"{"id":"cgt-1","status":"succeeded","content":{"video_url":"https://h/1.mp4"},"duration":5,"usage":{"completion_tokens":9}}"#,
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).chain([form.concat().into_bytes()]).collect()
}

/// However a stream has come, its end is events of JSON, numbered on, or there is none.
pub fn native_end(data: &[u8]) {
    let mut cutter = Cutter::new(1 << 16);
    if cutter.push(Bytes::copy_from_slice(data)).is_err() {
        return;
    }
    let mut unfinished = Unfinished::default();
    while let Some(event) = cutter.next_event() {
        if let Some(data) = aigne_hub::wire::sse::data(&event) {
            unfinished.take(&data);
            unfinished.forwarded();
        }
    }
    let why = Failure::new(Kind::NoFunds, "no \"credits\"");
    let Some(out) = unfinished.end(&Usage::default(), &why) else { return };
    let text = String::from_utf8_lossy(&out);
    let events: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}")))
        .collect();
    assert_eq!(
        events.last().map(|event| &event["type"]),
        Some(&Value::from("response.incomplete")),
        "{text}"
    );
}
