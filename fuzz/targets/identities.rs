//! What providers of identities say: keys, tokens, metadata.

use aigne_hub::control::{Expected, Jwks, Metadata, verify_id_token};
use aigne_hub::types::Wall;

const ISSUER: &str = "https://op.test";

/// A set of keys, a line end, and a token or metadata. Nobody has signed any of it, so nothing may
/// be taken for signed.
pub fn id_token(input: &[u8]) {
    let at = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (keys, rest) = input.split_at(at);
    let rest = rest.strip_prefix(b"\n").unwrap_or(rest);
    let keys = Jwks::parse(keys).unwrap_or_default();
    let token = String::from_utf8_lossy(rest);
    let expected = Expected {
        issuer: ISSUER,
        client_id: "hub",
        nonce: "n",
        access_token: Some("at"),
        now: Wall(1_700_000_000_000_000),
    };
    assert!(verify_id_token(&token, &keys, &expected).is_err(), "a token that nobody signed was taken");
    if let Ok(metadata) = Metadata::parse(ISSUER, rest) {
        assert_eq!(metadata.issuer, ISSUER);
    }
}

pub fn id_token_corpus() -> Vec<Vec<u8>> {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let keys = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"e","use":"sig","x":"{x}"}}]}}"#);
    // {"alg":"EdDSA","kid":"e"} and {"iss":"https://op.test","sub":"a","aud":"hub"}
    let token = "eyJhbGciOiJFZERTQSIsImtpZCI6ImUifQ.\
                 eyJpc3MiOiJodHRwczovL29wLnRlc3QiLCJzdWIiOiJhIiwiYXVkIjoiaHViIn0.AAAA";
    let metadata = r#"{"issuer":"https://op.test","authorization_endpoint":"https://op.test/a",
        "token_endpoint":"https://op.test/t","jwks_uri":"https://op.test/k"}"#;
    [token, metadata].iter().map(|rest| format!("{keys}\n{rest}").into_bytes()).collect()
}
