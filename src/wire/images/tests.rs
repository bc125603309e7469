//! Wishes are read from every form, and said in every vendor's words.

use super::*;
use crate::chat::Policy;
use crate::chat::Stance;
use crate::types::Op;
use crate::wire::{gemini, openai_chat};
use proptest::prelude::*;
use serde_json::{Value, json};

fn wish(body: Value) -> Wish {
    read(Op::ImageGeneration, body.to_string().as_bytes(), None).unwrap()
}

fn sent(calls: &[Vec<u8>]) -> Vec<Value> {
    calls.iter().map(|body| serde_json::from_slice(body).unwrap()).collect()
}

#[test]
fn a_form_and_json_say_the_same_wish() {
    let png = b"\x89PNG\r\n\x1a\n";
    let part = |head: &str, value: &[u8]| {
        [format!("--XX\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes(), value, b"\r\n"]
            .concat()
    };
    let form = [
        part("name=\"model\"", b"m"),
        part("name=\"prompt\"", b"a cat"),
        part("name=\"n\"", b"2"),
        part("name=\"size\"", b"1536x1024"),
        part("name=\"image[]\"; filename=\"a.png\"\r\nContent-Type: image/png", png),
        part("name=\"image[]\"; filename=\"b\"", b"\xff\xd8\xff"),
        part("name=\"mask\"; filename=\"m.png\"", png),
        part("name=\"quality\"", b"high"),
        b"--XX--\r\n".to_vec(),
    ]
    .concat();
    let of_form = read(Op::ImageEdit, &form, Some("multipart/form-data; boundary=XX")).unwrap();
    let (png, jpeg) = ("data:image/png;base64,iVBORw0KGgo=", "data:image/jpeg;base64,/9j/");
    let body = json!({ "model": "m", "prompt": "a cat", "n": 2, "size": "1536x1024", "quality": "high",
                       "images": [{ "image_url": png }, { "image_url": { "url": jpeg } }], "mask": png });
    let of_json = read(Op::ImageEdit, body.to_string().as_bytes(), None).unwrap();
    assert_eq!(of_form, of_json);
    assert_eq!((of_form.count, of_form.pictures.len(), of_form.size), (2, 2, Some(Size::Pixels(1536, 1024))));
}

#[test]
fn what_cannot_be_read_names_its_field() {
    for (field, body) in [
        ("prompt", json!({})),
        ("prompt", json!({ "prompt": " " })),
        ("n", json!({ "prompt": "a", "n": 0 })),
        ("n", json!({ "prompt": "a", "n": 11 })),
        ("size", json!({ "prompt": "a", "size": "large" })),
        ("size", json!({ "prompt": "a", "size": "0x10" })),
        ("response_format", json!({ "prompt": "a", "response_format": "png" })),
        ("response_format", json!({ "prompt": "a", "stream": true, "response_format": "url" })),
    ] {
        let failure = read(Op::ImageGeneration, body.to_string().as_bytes(), None).unwrap_err();
        assert_eq!((failure.kind, failure.param.as_deref()), (Kind::InvalidRequest, Some(field)), "{body}");
    }
    let edit = read(Op::ImageEdit, br#"{"prompt":"a"}"#, None).unwrap_err();
    assert_eq!(edit.param.as_deref(), Some("image"));
}

#[test]
fn a_model_that_draws_amid_a_conversation_is_asked_once_a_picture() {
    let body = json!({ "prompt": "a cat", "n": 2, "size": "1792x1024", "quality": "hd", "style": "vivid",
                       "image": "data:image/png;base64,aGk=" });
    let mut adapted = Adapted::default();
    let (calls, plan) = gemini::draw_out(wish(body), "gemini-3-pro-image-preview", &mut adapted).unwrap();
    let calls = sent(&calls);
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0], calls[1]);
    assert_eq!(
        calls[0],
        json!({ "contents": [{ "role": "user", "parts": [
                    { "inlineData": { "mimeType": "image/png", "data": "aGk=" } }, { "text": "a cat" }] }],
                "generationConfig": { "responseModalities": ["TEXT", "IMAGE"],
                                      "imageConfig": { "aspectRatio": "16:9", "imageSize": "2K" } } })
    );
    assert!(plan.edits);
    assert_eq!(adapted.header().unwrap(), "size: as aspect ratio 16:9; quality: dropped; style: dropped");
}

#[test]
fn a_fine_picture_is_a_larger_one_where_sizes_can_be_chosen() {
    let body = || wish(json!({ "prompt": "a", "quality": "high", "size": "auto" }));
    let mut adapted = Adapted::default();
    let (calls, _) = gemini::draw_out(body(), "gemini-3-pro-image", &mut adapted).unwrap();
    assert_eq!(sent(&calls)[0]["generationConfig"]["imageConfig"], json!({ "imageSize": "2K" }));
    assert_eq!(adapted.header().unwrap(), "quality: drawn at 2K");
    let mut adapted = Adapted::default();
    let (calls, _) = gemini::draw_out(body(), "gemini-2.5-flash-image", &mut adapted).unwrap();
    assert_eq!(sent(&calls)[0]["generationConfig"].get("imageConfig"), None);
    assert_eq!(adapted.header().unwrap(), "quality: dropped");
}

#[test]
fn imagen_draws_four_at_once() {
    let body = json!({ "prompt": "a cat", "n": 6, "aspect_ratio": "3:4", "output_format": "jpeg" });
    let (calls, _) =
        gemini::draw_out(wish(body), "imagen-4.0-generate-001", &mut Adapted::default()).unwrap();
    let calls = sent(&calls);
    let counts: Vec<_> = calls.iter().map(|call| call["parameters"]["sampleCount"].clone()).collect();
    assert_eq!(counts, [json!(4), json!(2)]);
    assert_eq!(calls[0]["instances"], json!([{ "prompt": "a cat" }]));
    assert_eq!(calls[0]["parameters"]["aspectRatio"], "3:4");
    assert_eq!(calls[0]["parameters"]["outputOptions"], json!({ "mimeType": "image/jpeg" }));
    let with_picture = wish(json!({ "prompt": "a", "image": "https://x.test/a.png" }));
    let refused = gemini::draw_out(with_picture, "imagen-4.0-generate-001", &mut Adapted::default());
    assert_eq!(refused.unwrap_err().param.as_deref(), Some("image"));
}

#[test]
fn a_chat_that_draws_is_asked_for_pictures() {
    let body = json!({ "prompt": "a cat", "size": "1024x1536", "response_format": "url", "user": "u" });
    let mut adapted = Adapted::default();
    let (calls, _) =
        openai_chat::draw_out(wish(body), "google/gemini-2.5-flash-image", &mut adapted).unwrap();
    let content = json!([{ "type": "text", "text": "a cat" }]);
    assert_eq!(
        sent(&calls),
        [
            json!({ "model": "google/gemini-2.5-flash-image", "messages": [{ "role": "user", "content": content }],
                 "modalities": ["image", "text"], "image_config": { "aspect_ratio": "2:3" } })
        ]
    );
    let expected = "response_format: the url is a data: URL; size: as aspect ratio 2:3; user: dropped";
    assert_eq!(adapted.header().unwrap(), expected);
    let (calls, _) =
        openai_chat::draw_out(wish(json!({ "prompt": "a" })), "black-forest-labs/flux.2-pro", &mut adapted)
            .unwrap();
    assert_eq!(sent(&calls)[0]["modalities"], json!(["image"]));
}

#[test]
fn xai_has_shapes_and_takes_pictures_in_json() {
    let body = json!({ "prompt": "a", "n": 3, "size": "2048x2048", "response_format": "b64_json", "style": "x",
                       "image": ["https://x.test/a.png", "https://x.test/b.png"] });
    let mut adapted = Adapted::default();
    let (calls, _) = xai_out(wish(body), "grok-imagine-image", &mut adapted).unwrap();
    let picture = |name: &str| json!({ "url": format!("https://x.test/{name}.png"), "type": "image_url" });
    assert_eq!(
        sent(&calls),
        [json!({ "model": "grok-imagine-image", "prompt": "a", "n": 3, "response_format": "b64_json",
                 "aspect_ratio": "1:1", "resolution": "2k", "images": [picture("a"), picture("b")] })]
    );
    assert_eq!(adapted.header().unwrap(), "size: as aspect ratio 1:1; style: dropped");
}

#[test]
fn a_size_that_seedream_does_not_draw_grows_and_keeps_its_shape() {
    for (model, wished, drawn) in [
        ("doubao-seedream-3-0-t2i-250415", "1024x1024", "1024x1024"),
        ("doubao-seedream-4-0-250828", "1024x1024", "1024x1024"),
        ("doubao-seedream-4-5-251128", "1024x1024", "1920x1920"),
        ("doubao-seedream-4-5-251128", "1792x1024", "2544x1456"),
        ("doubao-seedream-4-5-251128", "4K", "4K"),
        ("ep-20260101", "512x512", "512x512"),
    ] {
        let body = json!({ "prompt": "a", "size": wished, "watermark": false, "seed": 7 });
        let (calls, _) = ark_out(wish(body), model, &mut Adapted::default()).unwrap();
        let call = &sent(&calls)[0];
        assert_eq!(
            (&call["size"], &call["watermark"], &call["seed"]),
            (&json!(drawn), &json!(false), &json!(7))
        );
        if let Some(Size::Pixels(across, down)) = Size::parse(drawn) {
            assert!(wished == drawn || u64::from(across) * u64::from(down) >= 3_686_400, "{drawn}");
        }
    }
}

#[test]
fn the_policy_may_refuse_what_would_be_adapted() {
    let body = json!({ "prompt": "a", "size": "1792x1024" });
    let mut strict = Adapted::new(Policy::new([(Field::Size, Stance::Refuse)]));
    let refused = gemini::draw_out(wish(body), "gemini-2.5-flash-image", &mut strict).unwrap_err();
    assert_eq!(refused.param.as_deref(), Some("size"));
    let masked =
        wish(json!({ "prompt": "a", "image": "https://x.test/a.png", "mask": "https://x.test/m.png" }));
    let refused = ark_out(masked, "doubao-seedream-4-0", &mut Adapted::default()).unwrap_err();
    assert_eq!(refused.param.as_deref(), Some("mask"));
}

#[test]
fn answers_of_several_calls_are_one() {
    let one = br#"{"created":5,"data":[{"url":"https://x.test/1"}],"usage":{"output_tokens":10,"total_tokens":10}}"#;
    let other = br#"{"created":6,"data":[{"url":"https://x.test/2"}],"usage":{"output_tokens":11,"total_tokens":11}}"#;
    let counting = crate::wire::openai::Counting::Inclusive;
    let (body, used) = merge(&[one.as_slice(), other], counting, 1).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["data"], json!([{ "url": "https://x.test/1" }, { "url": "https://x.test/2" }]));
    assert_eq!((&body["created"], &body["usage"]["output_tokens"]), (&json!(5), &json!(21)));
    let used = used.unwrap();
    assert_eq!((used.images, used.output), (2, 21));
    assert_eq!(merge(&[one.as_slice()], counting, 1).unwrap().0, one);
    let dateless = br#" {"data":[{"url":"u"}],"odd":1}"#;
    let (body, used) = merge(&[dateless.as_slice()], counting, 7).unwrap();
    assert_eq!(
        (body.as_slice(), used.unwrap().images),
        (br#"{"created":7,"data":[{"url":"u"}],"odd":1}"#.as_slice(), 1)
    );
    assert_eq!(merge(&[b"[]".as_slice(), one], counting, 1).unwrap_err().kind, Kind::VendorMalformed);
}

#[test]
fn a_filter_that_took_the_picture_is_told() {
    let filtered = br#"{"predictions":[{"raiFilteredReason":"Unsafe prompt"}]}"#;
    let drawn = gemini::draw_in(filtered).unwrap();
    let failure = write(&drawn, DrawPlan::default(), 1).unwrap_err();
    assert_eq!(failure.kind, Kind::VendorRefused);
    assert_eq!(failure.public, "The model drew no picture: Unsafe prompt");
    assert!(gemini::draw_in(b"{}").unwrap().pictures.is_empty());
    assert_eq!(gemini::draw_in(b"[]").unwrap_err().kind, Kind::VendorMalformed);
}

proptest! {
    #[test]
    fn a_size_is_never_a_panic_and_a_grown_one_is_large_enough(across in 1_u32..5000, down in 1_u32..5000, text in ".*") {
        let _ = Size::parse(&text);
        let body = json!({ "prompt": "a", "size": format!("{across}x{down}") });
        let (calls, _) = ark_out(wish(body), "doubao-seedream-4-5", &mut Adapted::default()).unwrap();
        let size = sent(&calls)[0]["size"].as_str().and_then(Size::parse);
        let Some(Size::Pixels(wide, tall)) = size else { panic!("no pixels") };
        prop_assert!(u64::from(wide) * u64::from(tall) >= 3_686_400);
    }

    #[test]
    fn any_body_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = read(Op::ImageEdit, &bytes, None);
        let _ = read(Op::ImageEdit, &bytes, Some("multipart/form-data; boundary=XX"));
    }
}
