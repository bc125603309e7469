use super::*;
use crate::error::Kind as FailureKind;
use proptest::prelude::*;

fn read(body: &str) -> Option<VendorError> {
    vendor_error(body.as_bytes())
}

fn error(message: &str, kind: Option<&str>, code: Option<&str>, param: Option<&str>) -> Option<VendorError> {
    let own = |text: Option<&str>| text.map(str::to_owned);
    Some(VendorError { message: message.to_owned(), kind: own(kind), code: own(code), param: own(param) })
}

#[test]
fn every_known_shape_is_read() {
    let cases = [
        (
            r#"{"error":{"message":"m","type":"t","param":"p","code":"c"}}"#,
            error("m", Some("t"), Some("c"), Some("p")),
        ),
        (
            r#"{"error":{"message":"m","type":"t","param":null,"code":null}}"#,
            error("m", Some("t"), None, None),
        ),
        (r#"{"error":{"code":429,"message":"m","metadata":{}}}"#, error("m", None, Some("429"), None)),
        (r#"{"error":"m"}"#, error("m", None, None, None)),
        (r#"{"code":"c","error":"m"}"#, error("m", None, Some("c"), None)),
        (r#"{"error":"m","code":"c"}"#, error("m", None, Some("c"), None)),
        (
            r#"[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]"#,
            error("m", Some("INVALID_ARGUMENT"), Some("400"), None),
        ),
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
            error("m", Some("overloaded_error"), None, None),
        ),
        (
            r#"{"error":{"type":"overloaded_error","message":"m"},"type":"error"}"#,
            error("m", Some("overloaded_error"), None, None),
        ),
        (r#"{"message":"m"}"#, error("m", None, None, None)),
        (r#"{"Message":"m"}"#, error("m", None, None, None)),
        (r#"{"detail":"m"}"#, error("m", None, None, None)),
        (r#"{"detail":[{"msg":"m"}]}"#, error(r#"[{"msg":"m"}]"#, None, None, None)),
        (
            r#"{"object":"error","message":"m","type":"t","param":"p","code":404}"#,
            error("m", Some("t"), Some("404"), Some("p")),
        ),
        ("\n\n  {\"error\":\"m\"}\n", error("m", None, None, None)),
        ("upstream connect error", error("upstream connect error", None, None, None)),
        (
            r#"{"error":{"x":1}}"#,
            error("the vendor reported an error without saying which", None, None, None),
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(read(body), expected, "{body}");
    }
}

#[test]
fn a_normal_answer_is_no_error() {
    for body in [
        "",
        "  \n",
        r#"{"choices":[],"error":null}"#,
        r#"{"data":[],"error":null,"message":"ok"}"#,
        r#"{"choices":[{"message":{"content":"error"}}],"error":{}}"#,
        r#"{"error":""}"#,
        r#"{"error":false}"#,
        r#"{"text":"hi"}"#,
        r#"{"object":"chat.completion","id":"x"}"#,
        "[]",
        "[1,2]",
        r#"{"model":"m","message":{"role":"assistant","content":"hi"}}"#,
    ] {
        assert_eq!(read(body), None, "{body}");
    }
}

#[test]
fn an_error_beside_an_answer_is_one() {
    let body =
        r#"{"id":"x","choices":[{"delta":{},"finish_reason":"error"}],"error":{"code":502,"message":"m"}}"#;
    assert_eq!(read(body).unwrap().message, "m");
}

#[test]
fn web_pages_are_never_passed_on() {
    for body in [
        "<!DOCTYPE html><html><body>secret host</body></html>",
        "  <HTML>secret</HTML>",
        r#"{"error":{"message":"<html><body>secret</body></html>"}}"#,
        r#"{"detail":"502: <html>secret"}"#,
    ] {
        assert_eq!(read(body).unwrap().message, "the vendor answered with a web page", "{body}");
    }
}

#[test]
fn messages_are_bounded_and_clean() {
    let long = read(&format!(r#"{{"error":{{"message":"{}"}}}}"#, "é".repeat(5000))).unwrap();
    assert_eq!(long.message.len(), MAX_MESSAGE_BYTES);
    let code = read(&format!(r#"{{"error":{{"message":"m","code":"{}"}}}}"#, "c".repeat(500))).unwrap();
    assert_eq!(code.code.unwrap().len(), MAX_FIELD_BYTES);
    assert_eq!(read(r#"{"error":"a\u0000b\u001b[31m"}"#).unwrap().message, "a b [31m");
    assert_eq!(vendor_error(b"\x89PNG\xff\xfe").unwrap().message, "the vendor's answer is no text");
    let cut = "é".repeat(3000);
    assert!(vendor_error(format!("a{cut}").as_bytes()).unwrap().message.starts_with("aé"));
}

#[test]
fn failures_have_exactly_the_dialects_shape() {
    let failure = Failure::new(FailureKind::InvalidRequest, "a \"b\"").param("n").detail("hidden");
    assert_eq!(
        String::from_utf8(error_body(&failure)).unwrap(),
        r#"{"error":{"message":"a \"b\"","type":"invalid_request_error","param":"n","code":"invalid_request"}}"#
    );
    let failure = Failure::new(FailureKind::VendorCut, "cut");
    assert_eq!(
        error_event(&failure),
        "data: {\"error\":{\"message\":\"cut\",\"type\":\"api_error\",\"param\":null,\"code\":\"upstream_closed_early\"}}\n\n"
    );
}

#[test]
fn our_own_errors_can_be_read_back() {
    for kind in FailureKind::ALL {
        let found = vendor_error(&error_body(&Failure::new(*kind, "m"))).unwrap();
        assert_eq!((found.message.as_str(), found.code.as_deref()), ("m", Some(kind.name())));
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let found = vendor_error(&bytes);
        prop_assert!(found.is_none_or(|error| error.message.len() <= MAX_MESSAGE_BYTES));
    }
}
