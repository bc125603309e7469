//! The tables, tested on error values; and `judge`, on bodies as vendors send them.

use super::*;
use crate::provider::vendor;
use http::HeaderName;

/// 2026-01-01T00:00:00Z
const NOW: i64 = 1_767_225_600;

fn said(code: &str, message: &str) -> VendorError {
    VendorError {
        message: message.into(),
        code: Some(code.into()).filter(|c: &String| !c.is_empty()),
        ..VendorError::default()
    }
}

fn decided(name: &str, status: u16, error: &VendorError) -> Verdict {
    let headers = HeaderMap::new();
    let answer = Answer { status, headers: &headers, body: b"", error, wall_seconds: NOW };
    decide(vendor(name).unwrap(), &answer)
}

#[test]
fn a_status_means_the_same_at_every_vendor_unless_a_row_says_otherwise() {
    use HealthEffect as H;
    for (status, kind, health) in [
        (301, Kind::VendorError, H::Failed),
        (400, Kind::VendorRefused, H::None),
        (401, Kind::VendorAuth, H::Rejected),
        (402, Kind::VendorBilling, H::Rejected),
        (403, Kind::VendorAuth, H::Rejected),
        (404, Kind::VendorUnknownModel, H::None),
        (408, Kind::VendorError, H::None),
        (409, Kind::VendorError, H::None),
        (413, Kind::VendorRefused, H::None),
        (422, Kind::VendorRefused, H::None),
        (425, Kind::VendorError, H::None),
        (429, Kind::VendorRateLimited, H::RateLimited(None)),
        (500, Kind::VendorError, H::Failed),
        (502, Kind::VendorError, H::Failed),
        (503, Kind::VendorOverloaded, H::Failed),
        (529, Kind::VendorOverloaded, H::Failed),
    ] {
        let verdict = decided("openai", status, &said("", "x"));
        assert_eq!((verdict.failure.kind, verdict.health), (kind, health), "{status}");
    }
}

#[test]
fn oddities_of_vendors_are_known() {
    for (name, status, code, message, kind) in [
        ("openai", 429, "insufficient_quota", "You exceeded your current quota", Kind::VendorBilling),
        ("openai", 429, "rate_limit_exceeded", "Rate limit reached", Kind::VendorRateLimited),
        ("xai", 400, "", "Incorrect API key provided: xa***", Kind::VendorAuth),
        ("xai", 403, "", "Content violates usage guidelines.", Kind::VendorRefused),
        ("gemini", 400, "400", "API key not valid. Please pass a valid API key.", Kind::VendorAuth),
        ("gemini", 400, "400", "Invalid value at 'contents'", Kind::VendorRefused),
        ("openrouter", 403, "403", "Your input was flagged", Kind::VendorRefused),
        ("openrouter", 403, "403", "Key limit exceeded (total limit)", Kind::VendorBilling),
        ("openrouter", 400, "400", "x/y is not a valid model ID", Kind::VendorUnknownModel),
        ("doubao", 403, "AccountOverdueError", "overdue", Kind::VendorBilling),
        ("doubao", 403, "AccessDenied", "no", Kind::VendorAuth),
        ("anthropic", 400, "", "Your credit balance is too low to access", Kind::VendorBilling),
        ("bedrock", 424, "", "model failed", Kind::VendorError),
        ("poe", 400, "model_not_found", "no such bot", Kind::VendorUnknownModel),
    ] {
        let verdict = decided(name, status, &said(code, message));
        assert_eq!(verdict.failure.kind, kind, "{name} {status} {code} {message}");
    }
}

#[test]
fn a_failed_model_of_bedrock_counts_against_it() {
    assert_eq!(decided("bedrock", 424, &said("", "model failed")).health, HealthEffect::Failed);
}

#[test]
fn a_refusal_keeps_the_vendors_own_status_and_words() {
    let error = VendorError {
        message: "Unknown parameter: 'reasoning'.".into(),
        kind: Some("invalid_request_error".into()),
        code: Some("unknown_parameter".into()),
        param: Some("reasoning".into()),
    };
    let verdict = decided("deepseek", 422, &error);
    assert_eq!(verdict.status, Some(422));
    assert_eq!(verdict.error_type.as_deref(), Some("invalid_request_error"));
    assert_eq!(verdict.code.as_deref(), Some("unknown_parameter"));
    assert_eq!(verdict.failure.param.as_deref(), Some("reasoning"));
    assert_eq!(verdict.failure.public, "Unknown parameter: 'reasoning'.");
}

#[test]
fn our_trouble_with_a_vendor_is_told_to_the_log_and_not_to_the_caller() {
    for (status, code) in [(401, "invalid_api_key"), (402, ""), (429, "insufficient_quota")] {
        let verdict = decided("openai", status, &said(code, "Key sk-canary0123456789 of org Acme is bad"));
        assert!(!verdict.failure.public.contains("Acme"), "{}", verdict.failure.public);
        assert!(verdict.failure.detail.contains("Acme"));
        assert!(!verdict.failure.detail.contains("canary"));
        assert_eq!((verdict.status, verdict.code), (None, None));
    }
}

#[test]
fn an_error_without_a_status_is_judged_by_its_code() {
    for (code, kind, status) in [
        ("402", Kind::VendorBilling, None),
        ("429", Kind::VendorRateLimited, None),
        ("422", Kind::VendorRefused, Some(422)),
        ("invalid_prompt", Kind::VendorRefused, Some(400)),
        ("Client specified an invalid argument", Kind::VendorRefused, Some(400)),
        ("rate_limit_exceeded", Kind::VendorRateLimited, None),
        ("overloaded_error", Kind::VendorOverloaded, None),
        ("200", Kind::VendorError, None),
        ("", Kind::VendorError, None),
    ] {
        let verdict = judge_error(vendor("openrouter").unwrap(), &said(code, "m"), &HeaderMap::new(), NOW);
        assert_eq!((verdict.failure.kind, verdict.status), (kind, status), "{code}");
    }
}

#[test]
fn a_body_of_a_success_is_told_from_an_error_inside_it() {
    for success in [
        "",
        "no json \"error\"",
        r#"{"choices":[],"error":null}"#,
        r#"{"choices":[{"message":{"content":"{\"error\":1}"}}]}"#,
        r#"{"choices":[{"error":{"message":"nested"}}]}"#,
        r#"{"error":{"message":"cut"#,
    ] {
        assert!(!holds_error(success.as_bytes()), "{success}");
    }
    for error in
        [r#"{"error":{"code":402}}"#, r#"{"code":"x","error":"text"}"#, r#" [{"error":{"code":400}}]"#]
    {
        assert!(holds_error(error.as_bytes()), "{error}");
    }
}

#[test]
fn an_error_inside_a_200_is_judged_like_its_own_status() {
    let body = br#"{"error":{"code":402,"message":"Insufficient credits"}}"#;
    let verdict = judge(vendor("openrouter").unwrap(), 200, &HeaderMap::new(), body, NOW).unwrap();
    assert_eq!(verdict.failure.kind, Kind::VendorBilling);
    let success = br#"{"choices":[]}"#;
    assert!(judge(vendor("openrouter").unwrap(), 200, &HeaderMap::new(), success, NOW).is_none());
}

#[test]
fn a_bad_key_at_gemini_is_told_by_its_reason() {
    let body = br#"[{"error":{"code":400,"message":"Bad.","details":[{"reason":"API_KEY_INVALID"}]}}]"#;
    let verdict = judge(vendor("gemini").unwrap(), 400, &HeaderMap::new(), body, NOW).unwrap();
    assert_eq!(verdict.failure.kind, Kind::VendorAuth);
}

#[test]
fn a_wait_is_passed_on_and_cools_the_credential_down() {
    let headers = [(HeaderName::from_static("retry-after"), "7".parse().unwrap())].into_iter().collect();
    let verdict = judge(vendor("openai").unwrap(), 429, &headers, b"{}", NOW).unwrap();
    let wait = Some(Duration::from_secs(7));
    assert_eq!((verdict.failure.retry_after, verdict.health), (wait, HealthEffect::RateLimited(wait)));
}

#[test]
fn aws_tells_the_kind_of_an_error_by_a_header_or_in_the_body() {
    use HealthEffect as H;
    let address = "http://internal.amazon.com/coral/com.amazon.bedrock/";
    for (status, kind, message, expected, health) in [
        (429, "ThrottlingException", "Too many tokens", Kind::VendorRateLimited, H::RateLimited(None)),
        (429, "ModelNotReadyException", "not yet", Kind::VendorOverloaded, H::Failed),
        (400, "ServiceQuotaExceededException", "quota", Kind::VendorRateLimited, H::RateLimited(None)),
        (400, "ValidationException", "Input is too long", Kind::VendorRefused, H::None),
        (
            400,
            "ValidationException",
            "The provided model identifier is invalid.",
            Kind::VendorUnknownModel,
            H::None,
        ),
        (
            403,
            "AccessDeniedException",
            "You don't have access to the model",
            Kind::VendorUnknownModel,
            H::None,
        ),
        (403, "AccessDeniedException", "make sure your API Key is valid.", Kind::VendorAuth, H::Rejected),
        (403, "ExpiredTokenException", "The security token is expired", Kind::VendorAuth, H::Rejected),
        (403, "InvalidSignatureException", "does not match", Kind::VendorAuth, H::Rejected),
        (
            403,
            "InvalidSignatureException",
            "Signature expired: 1 is now earlier than 2",
            Kind::VendorError,
            H::None,
        ),
        (403, "InvalidSignatureException", "Signature not yet current: 1", Kind::VendorError, H::None),
        (404, "ResourceNotFoundException", "no such model", Kind::VendorUnknownModel, H::None),
        (408, "ModelTimeoutException", "too long", Kind::VendorError, H::None),
        (424, "ModelErrorException", "it broke", Kind::VendorError, H::Failed),
        (500, "InternalServerException", "oh", Kind::VendorError, H::Failed),
        (503, "ServiceUnavailableException", "busy", Kind::VendorOverloaded, H::Failed),
    ] {
        let row = vendor("bedrock").unwrap();
        let name = HeaderName::from_static("x-amzn-errortype");
        let headers = HeaderMap::from_iter([(name, format!("{kind}:{address}").parse().unwrap())]);
        let body = format!("{{\"message\":{message:?}}}");
        let verdict = judge(row, status, &headers, body.as_bytes(), NOW).unwrap();
        assert_eq!((verdict.failure.kind, verdict.health), (expected, health), "{kind}: {message}");
        assert_eq!(verdict.error_type, None, "no word of AWS's is told to callers");
    }
}

#[test]
fn exceptions_amid_a_stream_mean_what_they_mean_before_it() {
    for (kind, expected) in [
        ("throttlingException", Kind::VendorRateLimited),
        ("validationException", Kind::VendorRefused),
        ("modelStreamErrorException", Kind::VendorError),
        ("internalServerException", Kind::VendorError),
        ("serviceUnavailableException", Kind::VendorOverloaded),
        ("modelTimeoutException", Kind::VendorError),
    ] {
        let error = VendorError { kind: Some(kind.into()), message: "x".into(), ..VendorError::default() };
        let verdict = judge_error(vendor("bedrock").unwrap(), &error, &HeaderMap::new(), NOW);
        assert_eq!(verdict.failure.kind, expected, "{kind}");
    }
}
