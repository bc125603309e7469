//! Vendors that draw, as far as the hub can notice: what their doors refuse,
//! and answers with one small picture.

use super::vendor::{CREDENTIALS, Refusal, check_headers};
use super::{Reply, Seen, gemini};
use serde_json::{Value, json};

/// A picture of one pixel, as far as anybody looks.
pub const PNG: &str = "iVBORw0KGgo=";

const ARK: &[&str] = &[
    "model",
    "prompt",
    "image",
    "size",
    "seed",
    "guidance_scale",
    "sequential_image_generation",
    "sequential_image_generation_options",
    "response_format",
    "watermark",
    "optimize_prompt_options",
    "stream",
];
const XAI: &[&str] =
    &["model", "prompt", "n", "response_format", "aspect_ratio", "resolution", "image", "images", "user"];
const IN_CHAT: &[&str] = &["model", "messages", "modalities", "image_config", "seed", "stream"];

/// Doors by path: the fields that each knows.
const DOORS: &[(&str, &[&str])] = &[
    ("/api/v3/images/generations", ARK),
    ("/v1/images/generations", XAI),
    ("/v1/images/edits", XAI),
    ("/api/v1/chat/completions", IN_CHAT),
];

/// Refuses as the vendors of these doors would.
pub fn check(seen: &Seen) -> Result<(), Refusal> {
    check_headers(seen)?;
    let refuse = |text: String| (text.clone(), Reply::error(400, "BadRequest", "InvalidParameter", &text));
    if !CREDENTIALS.contains(&seen.credential()) {
        return Err(refuse("a bad key".to_owned()));
    }
    let Some((_, known)) = DOORS.iter().find(|(path, _)| *path == seen.path) else {
        return Err(refuse(format!("no door {}", seen.path)));
    };
    let body = seen.json();
    let unknown = body.as_object().into_iter().flatten().find(|(name, _)| !known.contains(&name.as_str()));
    if let Some((name, _)) = unknown {
        return Err(refuse(format!("Argument not supported: {name}")));
    }
    let edits = body.get("image").or(body.get("images")).is_some();
    if seen.path == "/v1/images/edits" && !edits || seen.path == "/v1/images/generations" && edits {
        return Err(refuse("an image belongs to an edit, and an edit to an image".to_owned()));
    }
    Ok(())
}

/// What each door answers.
pub fn answer(seen: &Seen) -> Reply {
    let body = seen.json();
    let picture = match body["response_format"].as_str() {
        Some("b64_json") => json!({ "b64_json": PNG }),
        _ => json!({ "url": "https://pictures.test/1.png" }),
    };
    match seen.path.as_str() {
        "/api/v3/images/generations" => Reply::json(
            200,
            &json!({ "model": body["model"], "created": 1_767_225_600, "data": [picture],
                     "usage": { "generated_images": 1, "output_tokens": 4096, "total_tokens": 4096 } }),
        ),
        "/api/v1/chat/completions" => Reply::json(200, &in_chat()),
        _ => {
            let count = usize::try_from(body["n"].as_u64().unwrap_or(1)).unwrap();
            Reply::json(200, &json!({ "data": vec![picture; count] }))
        }
    }
}

/// A chat whose answer is a picture.
pub fn in_chat() -> Value {
    let picture =
        json!({ "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{PNG}") } });
    let message = json!({ "role": "assistant", "content": "Here you are.", "images": [picture] });
    json!({ "id": "gen-1", "object": "chat.completion", "created": 1_767_225_600, "model": "m",
            "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 7, "completion_tokens": 1290, "total_tokens": 1297 } })
}

/// What a model of Gemini's that draws answers.
pub fn drawn() -> Value {
    let parts = json!([{ "text": "Here." }, { "inlineData": { "mimeType": "image/png", "data": PNG } }]);
    let usage = json!({ "promptTokenCount": 6, "candidatesTokenCount": 1290, "totalTokenCount": 1296 });
    gemini::said(&parts, Some("STOP"), &usage)
}
