//! Google's client as a caller, OpenAI's over vendors with words of their own,
//! and the vendors' own types as judges of what the hub sends them.

use super::*;

fn python(script: &str) -> Command {
    let mut command = Command::new(installed("target/sdk-venv/bin/python"));
    command.arg(installed(&format!("tests/sdk/python/{script}")));
    command
}

fn google_client(full_name: &str, pictures: bool) -> Command {
    let mut command = python("google_client.py");
    command.env("HUB_FULL_NAME", full_name).env("HUB_PICTURES", if pictures { "1" } else { "" });
    command
}

fn media_client(wants: &str) -> Command {
    let mut command = python("media_client.py");
    command.env("HUB_WANTS", wants);
    command
}

#[tokio::test]
async fn googles_python_client_is_content_with_its_own_vendor() {
    let upstream = Upstream::gemini(gemini::answer).await;
    let busy = Upstream::gemini(|_| gemini::throttled(7)).await;
    let model = gemini::MODELS[0];
    let conf = Conf::of([Provider::gemini("google", &upstream), Provider::gemini("throttled", &busy)])
        .model("gpt", &[&format!("google/{model}")], &[])
        .model("embed", &[&format!("google/{}", gemini::EMBEDDER)], &[])
        .model("busy", &[&format!("throttled/{model}")], &[]);
    is_content(google_client(&format!("google/{model}"), true), &conf).await;
}

#[tokio::test]
async fn googles_python_client_is_content_with_any_other_vendor() {
    let upstream = Upstream::realistic().await;
    let busy = Upstream::always(Reply::throttled(Some(7))).await;
    let conf = Conf::of([Provider::of("mock", &upstream), Provider::of("throttled", &busy)])
        .model("gpt", &["mock/gpt-4o"], &[])
        .model("embed", &["mock/text-embedding-3-small"], &[])
        .model("busy", &["throttled/gpt-4o"], &[]);
    is_content(google_client("mock/gpt-4o", true), &conf).await;
}

#[tokio::test]
async fn openais_python_client_embeds_and_draws_over_gemini() {
    let upstream = Upstream::gemini(|seen| match seen.path.ends_with(":generateContent") {
        true => Reply::json(200, &pictures::drawn()),
        false => gemini::answer(seen),
    })
    .await;
    let conf = Conf::of([Provider::gemini("google", &upstream)])
        .model("pic", &[&format!("google/{}", gemini::DRAWERS[0])], &[])
        .model("embed", &[&format!("google/{}", gemini::EMBEDDER)], &[]);
    is_content(media_client("embed,draw,edit"), &conf).await;
    validated(&upstream).await;
}

#[tokio::test]
async fn openais_python_client_embeds_over_ollamas_own_api() {
    let upstream = Upstream::checked(ollama::check, ollama::answer).await;
    let provider = Provider::new("box", &upstream.root_url()).vendor("ollama-native").credentials(&[]);
    let conf = Conf::of([provider]).model("embed", &[&format!("box/{}", ollama::EMBEDDER)], &[]);
    is_content(media_client("embed"), &conf).await;
    validated(&upstream).await;
}

#[tokio::test]
async fn openais_python_client_draws_at_every_door() {
    let doors = [
        ("doubao", "/api/v3", "doubao-seedream-4-0-250828"),
        ("openrouter", "/api/v1", "google/gemini-2.5-flash-image"),
        ("xai", "/v1", "grok-imagine-image"),
    ];
    for (vendor, base, model) in doors {
        let upstream = Upstream::checked(pictures::check, pictures::answer).await;
        let provider = Provider::new("door", &format!("{}{base}", upstream.root_url())).vendor(vendor);
        let conf = Conf::of([provider]).model("pic", &[&format!("door/{model}")], &[]);
        is_content(media_client("draw,edit"), &conf).await;
    }
}

/// Everything that callers of OpenAI's dialect can say, as bodies for the vendor's own types.
fn wide() -> Vec<serde_json::Value> {
    let schema = json!({ "type": "object", "properties": { "city": { "type": ["string", "null"], "enum": ["a"] } },
                         "required": ["city"], "additionalProperties": false });
    let tool = json!({ "type": "function", "function": { "name": "look", "description": "d", "parameters": schema } });
    let call = json!({ "id": "c1", "type": "function", "function": { "name": "look", "arguments": "{\"city\":\"a\"}" } });
    let picture =
        json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=" } });
    let talk = json!([
        { "role": "system", "content": "Be brief." },
        { "role": "user", "content": [{ "type": "text", "text": "what is it?" }, picture] },
        { "role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": [call] },
        { "role": "tool", "tool_call_id": "c1", "content": "{\"sky\":\"blue\"}" },
        { "role": "user", "content": "and?" },
    ]);
    let format =
        json!({ "type": "json_schema", "json_schema": { "name": "a", "schema": schema, "strict": true } });
    let with = |more: serde_json::Value| {
        let mut body = json!({ "model": "gpt", "messages": talk });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    vec![
        with(json!({ "tools": [tool], "tool_choice": "auto" })),
        with(json!({ "tools": [tool], "tool_choice": "none", "parallel_tool_calls": true })),
        with(json!({ "response_format": format })),
        with(json!({ "response_format": { "type": "json_object" }, "stream": true })),
        with(json!({ "temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": ["a", "b"], "max_tokens": 50,
                     "reasoning_effort": "high", "user": "u" })),
        with(json!({ "reasoning_effort": "none", "max_completion_tokens": 50 })),
    ]
}

/// Holds what a vendor saw against the types of its own client.
async fn validated(upstream: &Upstream) {
    let line = |seen: &upstream::Seen| json!({ "path": seen.path, "body": seen.json() }).to_string();
    let lines: Vec<String> = upstream.seen().iter().map(line).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines.join("\n")).unwrap();
    let mut command = python("vendor_schemas.py");
    command.arg(file.path());
    let running = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = patiently_for_a_program("the vendor's types", running).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(&format!("{} passed, 0 failed", lines.len())), "{said}");
}

#[tokio::test]
async fn what_gemini_and_ollama_are_sent_is_what_their_own_clients_know() {
    let google = Upstream::gemini(gemini::answer).await;
    let ollama = Upstream::checked(ollama::check, ollama::answer).await;
    let conf = Conf::of([
        Provider::gemini("google", &google),
        Provider::new("box", &ollama.root_url()).vendor("ollama-native").credentials(&[]),
    ])
    .model("gpt", &[&format!("google/{}", gemini::MODELS[0])], &[])
    .model("local", &[&format!("box/{}", ollama::MODEL)], &[]);
    let hub = Gateway::start(&conf).await;
    for mut body in wide() {
        hub.post("/v1/chat/completions", &body).await.expect(200);
        body["model"] = json!("local");
        body["options"] = json!({ "num_ctx": 4096 });
        body["keep_alive"] = json!("5m");
        hub.post("/v1/chat/completions", &body).await.expect(200);
    }
    validated(&google).await;
    validated(&ollama).await;
}
