//! The real client, from its package, over vendors of three dialects.

use super::*;
use std::path::Path;
use std::process::Command;

const PERSON: &str = r#"{"name":"Ada","age":36}"#;

/// The framework keeps a database of its own in the home directory, one for each test.
fn client(hub: &Gateway, home: &Path) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/aigne");
    assert!(folder.join("node_modules/@aigne/aigne-hub").exists(), "run `make sdk` first");
    let mut command = Command::new("node");
    command.arg(folder.join("client.mjs")).env("HOME", home);
    command
        .env("HUB_ORIGIN", format!("http://{}", hub.public))
        .env("HUB_KEY", KEY)
        .env("POOR_KEY", SECOND_KEY);
    command
}

/// Whether a body asks for a schema, in the words of any of the vendors.
fn wants_json(body: &Value) -> bool {
    !body["response_format"].is_null()
        || !body["output_config"]["format"].is_null()
        || !body["generationConfig"]["responseJsonSchema"].is_null()
        || !body["generationConfig"]["responseSchema"].is_null()
}

fn openai(seen: &upstream::Seen) -> Reply {
    let body = seen.json();
    match (wants_json(&body), body["stream"] == true) {
        (false, _) => vendor::answer(seen),
        (true, true) => Reply::sse().text("{\"name\":\"Ada\",").text("\"age\":36}").stop(),
        (true, false) => {
            let mut answer = vendor::chat(&body);
            answer["choices"][0]["message"]["content"] = json!(PERSON);
            Reply::json(200, &answer)
        }
    }
}

fn claude(seen: &upstream::Seen) -> Reply {
    let body = seen.json();
    match (wants_json(&body), body["stream"] == true) {
        (false, _) => anthropic::answer(seen),
        (true, false) => anthropic::message_reply(&json!([anthropic::text(PERSON)])),
        (true, true) => {
            let reply = anthropic::block(anthropic::start(&anthropic::usage()), 0, &[PERSON]);
            anthropic::finish(reply, "end_turn", &json!({ "output_tokens": 3 }))
        }
    }
}

fn gemini_answer(seen: &upstream::Seen) -> Reply {
    let parts = json!([gemini::text(PERSON)]);
    match (wants_json(&seen.json()), seen.path.contains(":stream")) {
        (false, _) => gemini::answer(seen),
        (true, false) => gemini::whole(&parts),
        (true, true) => gemini::last(Reply::sse(), &parts, "STOP", &gemini::usage()),
    }
}

/// Everything the script needs besides `gpt`, on vendors of OpenAI's dialect.
struct Others {
    plain: Upstream,
    prose: Upstream,
    busy: Upstream,
    failing: Upstream,
    broken: Upstream,
    endless: Upstream,
    films: Upstream,
}

impl Others {
    async fn start() -> Self {
        Self {
            plain: Upstream::realistic().await,
            prose: Upstream::realistic().await,
            busy: Upstream::always(Reply::throttled(Some(7))).await,
            failing: Upstream::always(Reply::failed(500)).await,
            broken: Upstream::always(Reply::sse().text("first").cut()).await,
            endless: Upstream::always(Reply::sse().text("first").hang()).await,
            films: videos::studio(videos::Fate::Done(2)).await,
        }
    }

    fn conf(&self, gpt: Provider, model: &str) -> Conf {
        let one = |name: &str, upstream: &Upstream| Provider::of(name, upstream).credentials(&["a"]);
        let price = |provider: &str, model: &str| {
            format!(
                "[[price]]\nprovider = {provider:?}\nmodel = {model:?}\nvalid_from = \"2020-01-01\"\n\
                 input = \"2.50\"\noutput = \"10\"\n"
            )
        };
        Conf::of([
            gpt,
            one("plain", &self.plain),
            one("prose", &self.prose),
            one("busy", &self.busy),
            one("failing", &self.failing),
            one("broken", &self.broken),
            one("endless", &self.endless),
            one("films", &self.films),
            one("poe", &self.films).vendor("poe"),
        ])
        .model("gpt", &[&format!("main/{model}")], &[])
        .model("prose", &["prose/gpt-4o"], &[])
        .model("image", &["plain/gpt-image-1"], &[])
        .model("gpt-4o", &["plain/gpt-4o"], &[])
        .model("busy", &["busy/gpt-4o"], &[])
        .model("failing", &["failing/gpt-4o"], &[])
        .model("broken", &["broken/gpt-4o"], &[])
        .model("endless", &["endless/gpt-4o"], &[])
        .model("film", &["films/sora-2"], &[])
        .model("mute", &["poe/Claude"], &[])
        .set("timeouts", "video_poll = \"5ms\"")
        .file("prices.toml", &price("main", model))
        .set("prices", "files = [\"prices.toml\"]")
        .set("aigne", "mount = \"/ai-kit\"")
        .section(
            "[[key]]\nid = \"poor\"\ntenant = \"acme\"\nsecret = { env = \"HUB_SECOND_KEY\" }\n\
             month_cost = \"0\"",
        )
    }

    async fn satisfy(&self, gpt: Provider, model: &str) {
        let hub = Gateway::start(&self.conf(gpt, model)).await;
        let home = tempfile::tempdir().unwrap();
        let mut command = client(&hub, home.path());
        let running = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = patiently_for_a_program("the client", running).await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains(" passed, 0 failed"), "{said}");
        self.endless.aborted().await;
        // One call each for the answer that was whole and the one that was a stream.
        assert_eq!(self.prose.counts().requests, 2);
    }
}

#[tokio::test]
async fn the_client_is_content_with_openai() {
    let upstream = Upstream::answer(openai).await;
    Others::start().await.satisfy(Provider::of("main", &upstream), "gpt-4o").await;
}

#[tokio::test]
async fn the_client_is_content_with_anthropic() {
    let upstream = Upstream::anthropic(claude).await;
    Others::start().await.satisfy(Provider::anthropic("main", &upstream), "claude-sonnet-4-5").await;
}

#[tokio::test]
async fn the_client_is_content_with_gemini() {
    let upstream = Upstream::gemini(gemini_answer).await;
    Others::start().await.satisfy(Provider::gemini("main", &upstream), "gemini-2.5-flash").await;
}
