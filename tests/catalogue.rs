//! What the hub knows of models, and what that decides: where a request goes,
//! what is held for it, what a list of models shows.

use super::support::conf::KEY;
use super::support::gateway::Home;
use super::support::*;
use serde_json::{Value, json};

/// A model of the scripted vendors, as an operator describes it.
fn known(provider: &str, lines: &str) -> String {
    format!("[[catalogue.model]]\nprovider = {provider:?}\nmodel = \"gpt-4o\"\n{lines}\n")
}

/// `gpt` is `blind`'s, then `seeing`'s; what is known of them in these lines.
async fn two(blind: &str, seeing: &str) -> (Upstream, Upstream, Conf) {
    let (first, second) = (Upstream::realistic().await, Upstream::realistic().await);
    let conf = Conf::of([Provider::of("blind", &first), Provider::of("seeing", &second)])
        .model("gpt", &["blind/gpt-4o"], &["seeing/gpt-4o"])
        .section(&known("blind", blind))
        .section(&known("seeing", seeing));
    (first, second, conf)
}

fn picture() -> Value {
    json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=" } })
}

fn with_parts(parts: &[Value]) -> Value {
    json!({ "model": "gpt", "messages": [{ "role": "user", "content": parts }] })
}

fn with(field: &str, value: &Value) -> Value {
    let mut body = with_parts(&[json!({ "type": "text", "text": "hi" })]);
    body[field] = value.clone();
    body
}

fn schema() -> Value {
    let schema = json!({ "name": "s", "schema": { "type": "object", "properties": {}, "additionalProperties": false } });
    json!({ "type": "json_schema", "json_schema": schema })
}

#[tokio::test]
async fn a_picture_goes_to_no_blind_model() {
    let (blind, seeing, conf) = two("cannot = [\"image\"]", "can = [\"image\"]").await;
    let hub = Gateway::start(&conf).await;
    let answer = hub.post("/v1/chat/completions", &with_parts(&[picture()])).await.expect(200);
    assert_eq!(answer.header("x-aigne-provider"), Some("seeing"));
    assert_eq!(answer.header("x-aigne-skipped"), Some("blind/gpt-4o (image)"));
    assert_eq!((blind.seen().len(), seeing.seen().len()), (0, 1));
    let answer = hub.chat("no picture").await.expect(200);
    assert_eq!(answer.header("x-aigne-provider"), Some("blind"));
    assert_eq!(answer.header("x-aigne-skipped"), None);
}

#[tokio::test]
async fn every_need_that_nobody_meets_is_named() {
    let upstream = Upstream::script([]).await;
    let conf = Conf::one(&upstream)
        .section(&known("mock", "cannot = [\"image\", \"audio\", \"document\", \"tools\", \"json_schema\"]"))
        .set("catalogue", "capabilities = \"strict\"");
    let hub = Gateway::start(&conf).await;
    let tool =
        json!([{ "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } }]);
    let audio = json!({ "type": "input_audio", "input_audio": { "data": "AAAA", "format": "wav" } });
    let file = json!({ "type": "file", "file": { "file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf" } });
    for (body, need, param) in [
        (with_parts(&[picture()]), "images", "messages"),
        (with_parts(&[audio]), "audio", "messages"),
        (with_parts(&[file]), "documents", "messages"),
        (with("tools", &tool), "tools", "tools"),
        (with("response_format", &schema()), "a JSON schema", "response_format"),
    ] {
        let answer = hub.post("/v1/chat/completions", &body).await.expect_error(400, "unsupported_by_model");
        let error = &answer.json()["error"];
        let said = error["message"].as_str().unwrap();
        assert!(said.contains(need) && said.contains("`gpt`") && error["param"] == param, "{error}");
        assert!(!said.contains("mock"), "providers are the operator's business: {said}");
    }
    let anthropic = json!({ "model": "gpt", "max_tokens": 9, "messages": [{ "role": "user", "content": [
        { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" } }
    ] }] });
    let answer = hub.post("/v1/messages", &anthropic).await.expect(400).json();
    assert_eq!(
        (&answer["type"], &answer["error"]["type"]),
        (&json!("error"), &json!("invalid_request_error"))
    );
    assert!(answer["error"]["message"].as_str().unwrap().contains("images"), "{answer}");
    assert_eq!(upstream.counts().requests, 0);
}

#[tokio::test]
async fn what_can_be_adapted_is_a_preference_unless_policy_is_strict() {
    for (policy, first) in [("lenient", "seeing"), ("strict", "seeing"), ("off", "blind")] {
        let (_blind, _seeing, conf) = two("cannot = [\"json_schema\"]\nmax_output_tokens = 50", "").await;
        let hub = Gateway::start(&conf.set("catalogue", &format!("capabilities = {policy:?}"))).await;
        for body in [with("response_format", &schema()), with("max_tokens", &json!(51))] {
            let answer = hub.post("/v1/chat/completions", &body).await.expect(200);
            assert_eq!(answer.header("x-aigne-provider"), Some(first), "{policy}: {body}");
        }
    }
    for (policy, status) in [("lenient", 200), ("strict", 400), ("off", 200)] {
        let upstream = Upstream::realistic().await;
        let conf = Conf::one(&upstream).section(&known("mock", "max_output_tokens = 50"));
        let hub = Gateway::start(&conf.set("catalogue", &format!("capabilities = {policy:?}"))).await;
        let answer = hub.post("/v1/chat/completions", &with("max_tokens", &json!(51))).await;
        assert_eq!(answer.status(), status, "{policy}: {answer:?}");
        hub.post("/v1/chat/completions", &with("max_tokens", &json!(50))).await.expect(200);
    }
}

#[tokio::test]
async fn models_that_nobody_described_are_assumed_able() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).set("catalogue", "capabilities = \"strict\"")).await;
    hub.post("/v1/chat/completions", &with_parts(&[picture()])).await.expect(200);
}

#[tokio::test]
async fn an_input_that_cannot_fit_goes_to_the_longer_model_or_back() {
    let (short, _long, conf) = two("context_length = 100", "context_length = 1000000").await;
    let hub = Gateway::start(&conf).await;
    let long = "word ".repeat(2_000);
    let answer = hub.chat(&long).await.expect(200);
    assert_eq!(answer.header("x-aigne-provider"), Some("seeing"));
    assert_eq!(answer.header("x-aigne-skipped"), Some("blind/gpt-4o (context_length)"));
    assert_eq!(short.seen().len(), 0);
    // 90 tokens in far more bytes: it may fit, so it is the vendor who says.
    let answer = hub.chat(&format!("{}{}", " ".repeat(600), "a ".repeat(40))).await.expect(200);
    assert_eq!(answer.header("x-aigne-provider"), Some("blind"));

    let upstream = Upstream::script([]).await;
    let hub = Gateway::start(&Conf::one(&upstream).section(&known("mock", "context_length = 100"))).await;
    let answer = hub.chat(&long).await.expect_error(400, "context_length_exceeded");
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("100 tokens"), "{answer:?}");
}

#[tokio::test]
async fn a_request_without_a_bound_holds_what_its_model_can_answer() {
    // 10 per million out: 100,000 tokens are 1, and 32,768 are 0.33.
    let upstream = Upstream::realistic().await;
    let conf = || Conf::one(&upstream).priced().section(&known("mock", "max_output_tokens = 100000"));
    let hub = Gateway::start(&conf().key_line("day_cost = \"1.01\"")).await;
    let answer = hub.chat("hi").await.expect(200);
    assert_eq!(answer.header("x-aigne-max-output-tokens"), None);
    assert!(upstream.only().json().get("max_completion_tokens").is_none());
    let records = hub.stop().await.home.journal().await;
    let hold: f64 = records[0]["hold"].as_str().unwrap().parse().unwrap();
    assert!((1.0..1.01).contains(&hold), "{}", records[0]);
}

#[tokio::test]
async fn a_budget_that_is_nearly_used_up_bounds_the_answer_and_is_never_passed() {
    for (budget, bound) in [("0.5", 32_768), ("0.1", 8_192), ("0.05", 4_096)] {
        let upstream = Upstream::realistic().await;
        let conf = Conf::one(&upstream).priced().section(&known("mock", "max_output_tokens = 100000"));
        let hub = Gateway::start(&conf.key_line(&format!("day_cost = {budget:?}"))).await;
        let answer = hub.chat("hi").await.expect(200);
        assert_eq!(answer.header("x-aigne-max-output-tokens"), Some(bound.to_string().as_str()), "{budget}");
        assert_eq!(upstream.only().json()["max_completion_tokens"], bound, "{budget}");
    }
    let upstream = Upstream::script([]).await;
    let conf = Conf::one(&upstream).priced().section(&known("mock", "max_output_tokens = 100000"));
    let hub = Gateway::start(&conf.key_line("day_cost = \"0.01\"")).await;
    hub.chat("hi").await.expect_error(429, "budget_exceeded");
}

#[tokio::test]
async fn a_bound_that_the_caller_names_is_left_alone() {
    let upstream = Upstream::script([]).await;
    let conf = Conf::one(&upstream).priced().section(&known("mock", "max_output_tokens = 100000"));
    let hub = Gateway::start(&conf.key_line("day_cost = \"0.5\"")).await;
    let body = with("max_tokens", &json!(90_000));
    hub.post("/v1/chat/completions", &body).await.expect_error(429, "budget_exceeded");
}

#[tokio::test]
async fn claude_gets_the_limit_that_its_card_says() {
    let upstream = Upstream::anthropic(|_| Reply::json(200, &json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [{ "type": "text", "text": "ok" }], "stop_reason": "end_turn", "stop_sequence": null,
        "usage": { "input_tokens": 1, "output_tokens": 1 },
    })))
    .await;
    let provider = Provider::anthropic("claude", &upstream);
    let hub = Gateway::start(&Conf::of([provider]).model("gpt", &["claude/claude-sonnet-4-5"], &[])).await;
    let answer = hub.chat("hi").await.expect(200);
    assert!(
        answer.header("x-aigne-adapted").unwrap().contains("max_output_tokens: set to 64000"),
        "{answer:?}"
    );
    let answer = hub.post("/v1/chat/completions", &with("max_tokens", &json!(70_000))).await.expect(200);
    assert!(answer.header("x-aigne-adapted").unwrap().contains("cut to 64000"), "{answer:?}");
    let sent: Vec<Value> = upstream.seen().iter().map(|seen| seen.json()["max_tokens"].clone()).collect();
    assert_eq!(sent, [64_000, 64_000]);
}

#[tokio::test]
async fn a_list_of_models_says_what_is_known_in_every_clients_words() {
    let upstream = Upstream::script([]).await;
    let lines = "title = \"Four Oh\"\ncontext_length = 128000\nmax_output_tokens = 16384\ncan = [\"image\", \"tools\", \
                 \"json_schema\", \"text_output\"]\ncannot = [\"audio\"]\nreleased = \"2024-05-13\"\nretires = \"2099-01-01\"";
    let hub = Gateway::start(&Conf::one(&upstream).priced().section(&known("mock", lines))).await;
    let model = hub.get("/v1/models/gpt").await.expect(200).json();
    for (pointer, expected) in [
        ("/id", json!("gpt")),
        ("/created", json!(1_715_558_400)),
        ("/display_name", json!("Four Oh")),
        ("/created_at", json!("2024-05-13T00:00:00Z")),
        ("/context_length", json!(128_000)),
        ("/max_output_tokens", json!(16_384)),
        ("/max_tokens", json!(16_384)),
        ("/top_provider/max_completion_tokens", json!(16_384)),
        ("/architecture/input_modalities", json!(["text", "image"])),
        ("/architecture/modality", json!("text+image->text")),
        ("/features", json!(["tools", "json_schema"])),
        ("/pricing/prompt", json!("0.0000025")),
        ("/pricing/completion", json!("0.00001")),
        ("/lifecycle", json!("deprecated")),
        ("/deprecated", json!(true)),
        ("/deprecation_date", json!("2099-01-01")),
        ("/retires_at", json!("2099-01-01T00:00:00Z")),
    ] {
        assert_eq!(model.pointer(pointer), Some(&expected), "{pointer} of {model}");
    }
    let parameters = model["supported_parameters"].as_array().unwrap();
    assert!(["tools", "structured_outputs"].iter().all(|name| parameters.contains(&json!(name))), "{model}");
    assert_eq!(hub.get("/v1/models").await.expect(200).json()["data"][0], model);
}

#[tokio::test]
async fn what_is_not_known_is_not_made_up() {
    let upstream = Upstream::script([]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let model = hub.get("/v1/models/gpt").await.expect(200).json();
    for name in ["context_length", "max_output_tokens", "architecture", "pricing", "features", "top_provider"]
    {
        assert!(model.get(name).is_none(), "{name} of {model}");
    }
    assert_eq!((&model["lifecycle"], &model["deprecation_date"]), (&json!("active"), &Value::Null));
}

#[tokio::test]
async fn callers_of_anthropic_get_pages() {
    let upstream = Upstream::script([]).await;
    let provider = Provider::of("mock", &upstream).line("models = [\"a\", \"b\", \"c/d\"]");
    let hub = Gateway::start(&Conf::of([provider]).model("gpt", &["mock/a"], &[])).await;
    let page = async |query: &str| {
        let request = Request::get(&format!("/v1/models{query}")).header("x-api-key", KEY);
        hub.call(&request.header("anthropic-version", "2023-06-01")).await
    };
    let ids = |page: &Value| -> Vec<String> {
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| model["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = page("?limit=2").await.expect(200).json();
    assert_eq!(ids(&first), ["gpt", "mock/a"]);
    assert_eq!((&first["has_more"], &first["last_id"]), (&json!(true), &json!("mock/a")));
    let second = page("?limit=2&after_id=mock%2Fa").await.expect(200).json();
    assert_eq!(
        (ids(&second), &second["has_more"]),
        (vec!["mock/b".to_owned(), "mock/c/d".to_owned()], &json!(false))
    );
    let before = page("?limit=1&before_id=mock%2Fb").await.expect(200).json();
    assert_eq!((ids(&before), &before["first_id"]), (vec!["mock/a".to_owned()], &json!("mock/a")));
    let refused = page("?limit=0").await.expect(400).json();
    assert_eq!(
        (&refused["type"], &refused["error"]["type"]),
        (&json!("error"), &json!("invalid_request_error"))
    );
    // OpenAI's clients know no pages.
    assert_eq!(hub.get("/v1/models?limit=1").await.expect(200).json()["data"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn models_that_end_and_models_that_nobody_knows_are_told_at_the_start() {
    let upstream = Upstream::script([]).await;
    let claude = Provider::anthropic("claude", &upstream);
    let conf = Conf::of([Provider::of("mock", &upstream), claude])
        .model("gpt", &["mock/gpt-4o"], &["claude/claude-sonet-4-5"])
        .section(&known("mock", "retires = \"2099-01-01\""));
    let hub = Gateway::start(&conf).await;
    hub.eventually("the notices", async || {
        let said = hub.said();
        said.contains("mock/gpt-4o will be taken away on 2099-01-01")
            && said.contains("claude/claude-sonet-4-5 is not in the catalogue")
    })
    .await;
}

#[tokio::test]
async fn a_wrong_catalogue_is_told_with_line_and_key() {
    let upstream = Upstream::script([]).await;
    let lines = "can = [\"images\", \"tools\"]\ncannot = [\"tools\"]\nretires = \"soon\"\ncontext_length = 0\ntokenizer = \"bpe\"";
    let said = async |conf: Conf| String::from_utf8_lossy(&Gateway::refuses(&conf).await.stderr).into_owned();
    let values = said(Conf::one(&upstream).section(&known("mok", lines))).await;
    for problem in [
        "catalogue.model[0].provider: there is no provider and no vendor mok; did you mean mock?",
        "catalogue.model[0].can[0]: \"images\" is no ability; did you mean image?",
        "catalogue.model[0].cannot: tools is also in `can`",
        "catalogue.model[0].retires: \"soon\" is no day",
        "catalogue.model[0].context_length: must be at least 1",
        "catalogue.model[0].tokenizer: \"bpe\" is none of",
    ] {
        assert!(values.contains(problem), "{problem}\n{values}");
    }
    let keys = Conf::one(&upstream)
        .section("[[catalogue.model]]\nprovider = \"mock\"\ncontxt = 1\n")
        .set("catalogue", "capabilities = \"some\"");
    let keys = said(keys).await;
    for problem in [
        "catalogue.model[0].model: is missing",
        "catalogue.model[0].contxt: unknown key",
        "catalogue.capabilities: \"some\" is none of strict, lenient, off",
    ] {
        assert!(keys.contains(problem), "{problem}\n{keys}");
    }
}

#[tokio::test]
async fn the_tables_are_built_from_a_list_and_only_grow() {
    let upstream = Upstream::script([]).await;
    let list = |input: &str| {
        format!(
            r#"{{"m":{{"litellm_provider":"openai","mode":"chat","max_input_tokens":1000,"input_cost_per_token":{input}}}}}"#
        )
    };
    let conf = Conf::one(&upstream).file("one.json", &list("1e-6")).file("two.json", &list("2e-6"));
    let home = Home::new(&conf);
    let folder = home.config().parent().unwrap().to_owned();
    let path = |name: &str| folder.join(name).display().to_string();
    let build = async |source: String, more: &[&str]| {
        let (models, prices) = (path("models.tsv"), path("prices.toml"));
        let mut arguments =
            vec!["catalogue", "build", "--from", &source, "--models", &models, "--prices", &prices];
        arguments.extend(more);
        let output = home.run(&arguments).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let one = format!("{}@2026-01-01", path("one.json"));
    assert!(build(one.clone(), &["--diff"]).await.contains("model + openai/m"));
    assert!(!folder.join("models.tsv").exists(), "a diff writes nothing");
    build(one, &[]).await;
    let before = std::fs::read_to_string(folder.join("prices.toml")).unwrap();
    let said = build(format!("{}@2026-02-01", path("two.json")), &[]).await;
    assert!(said.contains("price ~ openai/m: input 1 → 2, from 2026-02-01"), "{said}");
    let after = std::fs::read_to_string(folder.join("prices.toml")).unwrap();
    assert!(after.starts_with(&before) && after.len() > before.len(), "{after}");
    assert!(std::fs::read_to_string(folder.join("models.tsv")).unwrap().contains("openai\tm\t"));
}

#[tokio::test]
async fn a_model_can_be_looked_up() {
    let upstream = Upstream::script([]).await;
    let home = Home::new(&Conf::one(&upstream).priced().section(&known("mock", "context_length = 77")));
    let output = home.run(&["catalogue", "show", "gpt"]).await;
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let target = &shown["targets"][0];
    assert_eq!(
        (&target["card"]["context_length"], &target["price"]["per_million"]["input"]),
        (&json!(77), &json!("2.5"))
    );
    let output = home.run(&["catalogue", "show", "nobody"]).await;
    assert!(!output.status.success());
}
