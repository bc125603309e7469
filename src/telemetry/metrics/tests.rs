use super::*;
use crate::telemetry::{CredentialGauge, Phases, QuotaGauge};
use crate::types::{Pico, RequestId, Usage};

pub(crate) fn sample() -> Done {
    let phase = Duration::from_micros(30);
    Done {
        id: RequestId(uuid::Uuid::nil()),
        op: Op::Chat,
        dialect_in: "openai_chat",
        dialect_out: "anthropic",
        model: "CALLER-MODEL".into(),
        provider: "anthropic".into(),
        upstream_model: "claude-haiku-4-5".into(),
        credential: "anthropic/CREDENTIAL".into(),
        key: "KEY-ID".into(),
        tenant: "TENANT".into(),
        address: Some("203.0.113.77".parse().unwrap()),
        status: 200,
        outcome: "ok",
        error: "",
        detail: "DETAIL".to_owned(),
        stream: true,
        usage: Usage { input: 100, cache_read: 20, output: 31, reasoning: 5, ..Usage::default() },
        usage_source: UsageSource::Provider,
        cost: Some(Pico(12_500_400)),
        first_token: Some(Duration::from_millis(300)),
        duration: Duration::from_millis(1_000),
        phases: Phases {
            accept: phase,
            auth: phase,
            body: phase,
            parse: phase,
            decide: phase,
            connect: phase,
            send: phase,
            upstream_wait: Duration::from_millis(250),
            relay: phase,
            settle: phase,
        },
        attempts: 1,
        retries: 0,
        fallbacks: 0,
        cache: CacheStatus::Off,
        request_bytes: 1_200,
        response_bytes: 900,
        tags: vec!["TAG".to_owned()],
    }
}

/// The value of the one series that has this name and all these label pairs.
fn value(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let mut found = text.lines().filter(|line| {
        let series = line.rsplit_once(' ').map_or("", |(series, _)| series);
        series.split('{').next() == Some(name) && labels.iter().all(|label| series.contains(label))
    });
    let line = found.next()?;
    assert!(found.next().is_none(), "{name} {labels:?} is not one series");
    line.rsplit_once(' ').unwrap().1.parse().ok()
}

fn credential(id: &str, state: &'static str) -> CredentialGauge {
    CredentialGauge { provider: "openai".into(), credential: id.into(), state, in_flight: 3 }
}

#[test]
fn a_request_is_counted_once_in_every_family() {
    let metrics = Metrics::new();
    metrics.done(&sample());
    let text = metrics.render(&Gauges::default());
    let model = "model=\"claude-haiku-4-5\"";
    for (name, labels, expected) in [
        (
            "aigne_hub_requests_total",
            vec!["op=\"chat\"", model, "outcome=\"ok\"", "status_class=\"2xx\""],
            1.0,
        ),
        ("aigne_hub_tokens_total", vec![model, "kind=\"output\""], 31.0),
        ("aigne_hub_tokens_total", vec![model, "kind=\"cache_read\""], 20.0),
        ("aigne_hub_cost_nano_usd_total", vec![model], 12_500.0),
        ("aigne_hub_usage_source_total", vec!["source=\"provider\""], 1.0),
        ("aigne_hub_phase_duration_seconds_count", vec!["phase=\"parse\""], 1.0),
        ("aigne_hub_overhead_duration_seconds_count", vec![], 1.0),
        ("aigne_hub_request_body_bytes_total", vec![], 1_200.0),
        ("gen_ai_server_request_duration_seconds_sum", vec!["gen_ai_operation_name=\"chat\""], 1.0),
        ("gen_ai_server_time_to_first_token_seconds_sum", vec![], 0.3),
        ("gen_ai_server_time_per_output_token_seconds_sum", vec![], 0.02),
        ("gen_ai_client_operation_duration_seconds_count", vec![], 1.0),
        ("gen_ai_client_token_usage_sum", vec!["gen_ai_token_type=\"input\""], 120.0),
        ("gen_ai_client_token_usage_sum", vec!["gen_ai_token_type=\"output\""], 36.0),
    ] {
        let got = value(&text, name, &labels);
        assert!(got.is_some_and(|got| (got - expected).abs() < 1e-9), "{name} {labels:?}: {got:?}");
    }
}

#[test]
fn no_fraction_of_money_is_lost_between_requests() {
    let metrics = Metrics::new();
    for _ in 0..10 {
        metrics.done(&Done { cost: Some(Pico(1_300)), ..sample() });
    }
    let text = metrics.render(&Gauges::default());
    assert_eq!(value(&text, "aigne_hub_cost_nano_usd_total", &[]), Some(13.0));
}

#[test]
fn nothing_about_the_caller_becomes_a_label() {
    let metrics = Metrics::new();
    metrics.done(&sample());
    let text = metrics.render(&Gauges::default());
    for private in ["CALLER-MODEL", "CREDENTIAL", "KEY-ID", "TENANT", "203.0.113.77", "DETAIL", "TAG"] {
        assert!(!text.contains(private), "{private}");
    }
}

#[test]
fn past_the_cap_models_are_counted_as_other() {
    let metrics = Metrics::new();
    let total = crate::telemetry::series::MAX_PAIRS + 40;
    for n in 0..total {
        metrics.done(&Done { upstream_model: format!("m{n}").into(), ..sample() });
    }
    metrics.done(&Done { upstream_model: "m7".into(), ..sample() });
    let text = metrics.render(&Gauges::default());
    let name = "aigne_hub_requests_total";
    assert_eq!(value(&text, name, &["model=\"other\""]), Some(40.0));
    assert_eq!(value(&text, name, &["model=\"m7\""]), Some(2.0));
    assert_eq!(value(&text, "aigne_hub_series_dropped_total", &[]), Some(40.0));
    assert_eq!(text.lines().filter(|line| line.starts_with("aigne_hub_requests_total{")).count(), 501);
}

#[test]
fn even_invented_providers_are_bounded() {
    let metrics = Metrics::new();
    for n in 0..1_000 {
        metrics.attempt(&format!("p{n}"), "m", "ok", None);
    }
    let text = metrics.render(&Gauges::default());
    let series = text.lines().filter(|line| line.starts_with("aigne_hub_upstream_attempts_total{")).count();
    assert_eq!(series, 601);
    assert_eq!(value(&text, "aigne_hub_upstream_attempts_total", &["provider=\"other\""]), Some(400.0));
}

#[test]
fn a_model_that_no_vendor_knows_takes_no_place() {
    let metrics = Metrics::new();
    let unknown = Done {
        upstream_model: "typo".into(),
        status: 404,
        outcome: "upstream_error",
        error: "model_not_found",
        ..sample()
    };
    metrics.attempt("anthropic", "typo", "model_not_found", None);
    metrics.done(&unknown);
    let text = metrics.render(&Gauges::default());
    assert!(!text.contains("typo"));
    assert_eq!(value(&text, "aigne_hub_requests_total", &["model=\"other\"", "4xx"]), Some(1.0));
    assert_eq!(value(&text, "aigne_hub_errors_total", &["model_not_found", "vendor"]), Some(1.0));
}

#[test]
fn one_name_of_two_errors_is_blamed_by_whether_a_vendor_was_asked() {
    let metrics = Metrics::new();
    metrics.done(&Done { status: 404, error: "model_not_found", attempts: 0, ..sample() });
    metrics.done(&Done { status: 429, error: "rate_limit_exceeded", attempts: 0, ..sample() });
    let text = metrics.render(&Gauges::default());
    assert_eq!(value(&text, "aigne_hub_errors_total", &["model_not_found", "caller"]), Some(1.0));
    assert_eq!(value(&text, "aigne_hub_errors_total", &["rate_limit_exceeded", "policy"]), Some(1.0));
}

#[test]
fn a_request_without_vendor_or_usage_has_no_token_series_and_no_empty_label() {
    let metrics = Metrics::new();
    metrics.done(&Done {
        provider: "".into(),
        upstream_model: "".into(),
        dialect_out: "",
        status: 401,
        outcome: "invalid",
        error: "invalid_api_key",
        attempts: 0,
        first_token: None,
        usage: Usage::default(),
        usage_source: UsageSource::None,
        cost: None,
        phases: Phases::default(),
        ..sample()
    });
    let text = metrics.render(&Gauges::default());
    assert!(!text.contains("=\"\""));
    assert_eq!(value(&text, "aigne_hub_requests_total", &["provider=\"none\"", "4xx"]), Some(1.0));
    assert_eq!(value(&text, "gen_ai_client_operation_duration_seconds_count", &[]), Some(0.0));
    assert_eq!(value(&text, "aigne_hub_phase_duration_seconds_count", &["\"auth\""]), Some(0.0));
}

#[test]
fn in_flight_falls_when_the_guard_goes() {
    let metrics = Metrics::new();
    let guards: Vec<InFlight> = Op::ALL.iter().map(|op| metrics.enter(*op)).collect();
    for op in Op::ALL {
        let label = format!("op=\"{}\"", op.name());
        let text = metrics.render(&Gauges::default());
        assert_eq!(value(&text, "aigne_hub_in_flight_requests", &[&label]), Some(1.0));
    }
    drop(guards);
    let text = metrics.render(&Gauges::default());
    assert_eq!(value(&text, "aigne_hub_in_flight_requests", &["\"realtime\""]), Some(0.0));
}

#[test]
fn a_credential_is_in_one_state_and_vanishes_with_its_configuration() {
    let metrics = Metrics::new();
    let both = vec![credential("openai/a", "ready"), credential("openai/b", "cooling_down")];
    let text = metrics.render(&Gauges { credentials: both, ..Gauges::default() });
    let name = "aigne_hub_credential_state";
    assert_eq!(value(&text, name, &["openai/b", "\"ready\""]), Some(0.0));
    assert_eq!(value(&text, name, &["openai/b", "cooling_down"]), Some(1.0));
    assert_eq!(value(&text, "aigne_hub_credential_in_flight", &["openai/a"]), Some(3.0));
    let one = vec![credential("openai/a", "ready")];
    let text = metrics.render(&Gauges { credentials: one, ..Gauges::default() });
    assert!(!text.contains("openai/b"));
}

#[test]
fn totals_read_at_scrape_time_do_not_add_up_twice() {
    let metrics = Metrics::new();
    for appended in [5, 5, 9] {
        let gauges = Gauges { ledger_appended: appended, ledger_queue: appended, ..Gauges::default() };
        let text = metrics.render(&gauges);
        assert_eq!(value(&text, "aigne_hub_ledger_appended_total", &[]), Some(appended as f64));
        assert_eq!(value(&text, "aigne_hub_ledger_queue_depth", &[]), Some(appended as f64));
    }
}

/// Everything that can be measured, measured once.
fn full_page() -> String {
    let metrics = Metrics::new();
    metrics.done(&Done { cache: CacheStatus::Hit, ..sample() });
    metrics.attempt("anthropic", "claude-haiku-4-5", "ok", Some(Duration::from_millis(200)));
    metrics.limited("requests_per_minute");
    metrics.flush(Duration::from_millis(3), 12);
    let quotas = vec![QuotaGauge { of: "team", measure: "money", counters: 1, exhausted: 0 }];
    let credentials = vec![credential("openai/a", "ready")];
    metrics.render(&Gauges { credentials, quotas, ..Gauges::default() })
}

#[test]
fn every_metric_that_grafana_and_the_alerts_name_exists() {
    let page = full_page();
    let known: std::collections::HashSet<&str> = page
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let mut seen = 0;
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/grafana"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if !matches!(path.extension().and_then(|e| e.to_str()), Some("json" | "yml")) {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for name in metric_names(&text) {
                assert!(known.contains(name), "{name} in {}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "only {seen} names found");
}

#[test]
fn every_name_is_on_the_page_of_a_hub_that_has_done_nothing() {
    let types = |page: &str| {
        let lines = page.lines().filter(|line| line.starts_with("# TYPE "));
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    assert_eq!(types(&Metrics::new().render(&Gauges::default())), types(&full_page()));
}

/// Names that begin like ours. Label names (`gen_ai_request_model`) are not metrics.
fn metric_names(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let labels = ["gen_ai_token_type", GEN_AI[0], GEN_AI[1], GEN_AI[2]];
    text.split(move |c| !is_name(c)).filter(move |word| {
        let ours = ["aigne_hub_", "gen_ai_", "process_"].iter().any(|prefix| word.starts_with(prefix));
        ours && !labels.contains(word)
    })
}
