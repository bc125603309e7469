//! Failures, in the caller's dialect, whichever the vendor speaks.

use super::*;
use client::Stream;

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Speaks {
    OpenAi,
    Anthropic,
}

const BOTH: [Speaks; 2] = [Speaks::OpenAi, Speaks::Anthropic];

impl Speaks {
    fn ask(self, stream: bool) -> Request {
        let more = json!({ "stream": stream });
        if self == Speaks::OpenAi { chat(more) } else { messages(more) }
    }

    /// A vendor of this dialect that answers everything the same.
    async fn vendor(self, openai: Reply, anthropic: Reply) -> (Upstream, Gateway) {
        if self == Speaks::OpenAi { before_gpt(openai).await } else { before_claude(anthropic).await }
    }

    /// Fails unless the answer is an error of this dialect with this type; gives its message.
    #[track_caller]
    fn error(self, answer: &Answer, status: u16, kinds: [&str; 2]) -> String {
        let said = answer.json();
        let kind = said["error"]["type"].as_str();
        let expected = Some(kinds[usize::from(self == Speaks::Anthropic)]);
        assert_eq!((answer.status(), kind), (status, expected), "{self:?}: {answer:?}");
        let marked = said["type"] == "error" && said["error"].get("code").is_none();
        assert_eq!(marked, self == Speaks::Anthropic, "{answer:?}");
        said["error"]["message"].as_str().unwrap().to_owned()
    }

    /// Fails unless the stream ended in an error event, and gave no other end.
    #[track_caller]
    fn broken(self, answer: &Answer, text: &str) {
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!said.contains("[DONE]") && !said.contains("message_stop"), "{said}");
        if self == Speaks::Anthropic {
            let spoken = Spoken::read(&answer.body);
            assert!(spoken.error.is_some() && spoken.stop_reason.is_null(), "{said}");
            assert_eq!(spoken.content[0]["text"], text);
        } else {
            let stream = Stream::read(&answer.body);
            assert!(stream.error.is_some() && stream.finish.is_none(), "{said}");
            assert_eq!(stream.text, text);
        }
    }
}

/// Every caller before every vendor, each with a hub that has seen nothing yet.
async fn all(openai: Reply, claude: Reply, stream: bool, check: impl Fn(Speaks, Speaks, Answer)) {
    for vendor in BOTH {
        for caller in BOTH {
            let (_upstream, hub) = vendor.vendor(openai.clone(), claude.clone()).await;
            check(caller, vendor, hub.call(&caller.ask(stream)).await);
        }
    }
}

#[tokio::test]
async fn the_hubs_own_credential_is_never_the_callers_fault() {
    let openai = Reply::error(401, "invalid_request_error", "invalid_api_key", "Incorrect API key sk-mock");
    let claude = anthropic::error(401, "authentication_error", "invalid x-api-key");
    all(openai, claude, false, |caller, _, answer| {
        let said = caller.error(&answer, 502, ["api_error", "api_error"]);
        assert!(!said.contains("key"), "{said}");
    })
    .await;
}

#[tokio::test]
async fn a_throttled_vendor_says_when_to_come_back() {
    all(Reply::throttled(Some(7)), anthropic::throttled(7), false, |caller, _, answer| {
        caller.error(&answer, 429, ["rate_limit_error", "rate_limit_error"]);
        let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=7).contains(&wait), "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn an_overloaded_vendor_is_overloaded_for_everyone() {
    let openai = Reply::error(503, "server_error", "overloaded", "The engine is overloaded");
    all(openai, anthropic::overloaded(), false, |caller, _, answer| {
        caller.error(&answer, 503, ["api_error", "overloaded_error"]);
    })
    .await;
}

#[tokio::test]
async fn what_the_vendor_said_of_the_request_is_passed_on() {
    let openai = Reply::error(400, "invalid_request_error", "context_length_exceeded", "It is too long");
    let claude = anthropic::error(400, "invalid_request_error", "It is too long");
    all(openai, claude, false, |caller, _, answer| {
        let said = caller.error(&answer, 400, ["invalid_request_error", "invalid_request_error"]);
        assert_eq!(said, "It is too long");
    })
    .await;
}

fn begun() -> (Reply, Reply) {
    let block = anthropic::begin(anthropic::start(&anthropic::usage()), 0, &anthropic::text(""));
    let piece = json!({ "type": "text_delta", "text": "one" });
    (Reply::sse().text("one"), anthropic::delta(block, 0, &piece))
}

#[tokio::test]
async fn an_error_in_mid_stream_ends_it_and_nothing_else_does() {
    let error =
        json!({ "message": "The server had an error", "type": "server_error", "code": "server_error" });
    for (vendor, caller) in BOTH.map(|vendor| BOTH.map(|caller| (vendor, caller))).concat() {
        let gate = Gate::new();
        let (openai, claude) = begun();
        let openai = openai.pause(&gate).event(&json!({ "error": error }));
        let claude = anthropic::failing(claude.pause(&gate));
        let (_upstream, hub) = vendor.vendor(openai, claude).await;
        let mut client = hub.open(&caller.ask(true)).await;
        let head = client.head().await;
        let mut body = client.until("one").await.to_vec();
        gate.open();
        body.extend(client.rest().await.0);
        caller.broken(&Answer { head, body: body.into() }, "one");
    }
}

#[tokio::test]
async fn a_vendor_that_breaks_off_behind_its_reason_has_still_said_it() {
    let finish = json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 3 } });
    for (vendor, caller) in [(Speaks::OpenAi, Speaks::Anthropic), (Speaks::Anthropic, Speaks::OpenAi)] {
        let (openai, claude) = begun();
        let openai =
            openai.event(&vendor::delta(json!({}), json!("stop"))).event(&vendor::usage_chunk()).cut();
        let claude = anthropic::end(claude, 0).anthropic(&finish).cut();
        let (_upstream, hub) = vendor.vendor(openai, claude).await;
        let answer = hub.call(&caller.ask(true)).await.expect(200);
        match caller {
            Speaks::OpenAi => answer.stream().expect_whole("one"),
            Speaks::Anthropic => {
                assert_eq!(Spoken::read(&answer.body).expect_whole().stop_reason, "end_turn")
            }
        }
        let entry = entry(hub).await;
        assert_eq!((buckets(&entry), &entry["outcome"]), (json!({ "input": 9, "output": 3 }), &json!("ok")));
    }
}

#[tokio::test]
async fn a_cut_stream_never_looks_whole() {
    let (openai, claude) = begun();
    all(openai.clone().cut(), claude.clone().cut(), true, |caller, _, answer| {
        caller.broken(&answer.expect(200), "one");
    })
    .await;
    // Closed in good order, but without an end.
    all(openai, claude, true, |caller, _, answer| caller.broken(&answer.expect(200), "one")).await;
}

#[tokio::test]
async fn a_cut_stream_is_in_the_books_as_one() {
    let (_, claude) = begun();
    for caller in BOTH {
        let (_upstream, hub) = before_claude(claude.clone().cut()).await;
        hub.call(&caller.ask(true)).await.expect(200);
        let entry = entry(hub).await;
        assert_eq!(
            (&entry["outcome"], &entry["usage"]["input"]),
            (&json!("truncated"), &json!(9)),
            "{entry}"
        );
    }
}

#[tokio::test]
async fn the_hubs_own_refusals_speak_the_callers_dialect() {
    let upstream = Upstream::anthropic(anthropic::answer).await;
    let hub = Gateway::start(&claude(&upstream, MODEL)).await;
    let kind = |answer: &Answer| answer.json()["error"]["type"].as_str().unwrap().to_owned();
    let stranger = messages(json!({})).without("x-api-key").header("x-api-key", "aigne-nobody");
    let answer = hub.call(&stranger).await.expect(401);
    assert_eq!((kind(&answer).as_str(), &answer.json()["type"]), ("authentication_error", &json!("error")));
    let answer = hub.call(&messages(json!({ "model": "nobody" }))).await.expect(404);
    assert_eq!(kind(&answer), "not_found_error");
    for broken in [json!({ "messages": "hi" }), json!({ "model": 5 })] {
        let answer = hub.call(&messages(broken.clone())).await.expect(400);
        assert_eq!(kind(&answer), "invalid_request_error", "{broken}");
    }
    let answer = hub.call(&Request::get("/v1/messages").key(KEY)).await.expect(405);
    assert!(answer.json()["error"]["message"].is_string(), "{answer:?}");
    upstream.take_violations();
}

#[tokio::test]
async fn after_a_heartbeat_a_failure_is_an_event_of_the_callers_dialect() {
    for vendor in BOTH {
        let gate = Gate::new();
        let (openai, claude) = (Reply::failed(500).after(&gate), anthropic::overloaded().after(&gate));
        let upstream = match vendor {
            Speaks::OpenAi => Upstream::always(openai).await,
            Speaks::Anthropic => Upstream::anthropic(move |_| claude.clone()).await,
        };
        let conf = match vendor {
            Speaks::OpenAi => Conf::one(&upstream),
            Speaks::Anthropic => super::claude(&upstream, MODEL),
        };
        let conf = conf.set("timeouts", "heartbeat = \"20ms\"").set("retry", "max_attempts = 1");
        let hub = Gateway::start(&conf).await;
        let mut client = hub.open(&messages(json!({ "stream": true }))).await;
        let head = client.head().await;
        assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
        assert!(head.header("request-id").is_some(), "{head:?}");
        gate.open();
        let spoken = Spoken::read(&client.rest().await.0);
        assert!(spoken.error.is_some() && spoken.content.is_empty(), "{spoken:?}");
    }
}
