//! AWS's signatures, written down a second time.

use super::super::Seen;
use super::super::vendor::{CREDENTIALS, Refusal};
use super::{KEY_ID, LENT, REGION, refuse};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// AWS's bound on how far clocks may differ.
const SKEW_SECONDS: i64 = 300;

/// Bearer keys as elsewhere, or a signature that is computed anew.
pub fn check(seen: &Seen) -> Result<(), Refusal> {
    let denied = |kind: &str, text: &str| refuse(403, kind, text);
    let given: Vec<_> = seen.headers.iter().filter(|(name, _)| name == "authorization").collect();
    let [(_, authorization)] = given.as_slice() else {
        return Err(denied("MissingAuthenticationTokenException", "Missing Authentication Token"));
    };
    if authorization.starts_with("Bearer ") {
        return match CREDENTIALS.contains(&seen.credential()) {
            true => Ok(()),
            false => {
                let text = "Authentication failed: Please make sure your API Key is valid.";
                Err(denied("AccessDeniedException", text))
            }
        };
    }
    let incomplete = || denied("IncompleteSignatureException", "Authorization header is incomplete");
    let rest = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or_else(incomplete)?;
    let fields: BTreeMap<&str, &str> = rest.split(", ").filter_map(|field| field.split_once('=')).collect();
    let field = |name: &str| fields.get(name).copied().ok_or_else(incomplete);
    let (id, scope) = field("Credential")?.split_once('/').ok_or_else(incomplete)?;
    let (names, signature) = (field("SignedHeaders")?, field("Signature")?);
    let unrecognized =
        || denied("UnrecognizedClientException", "The security token included in the request is invalid.");
    let name = id.strip_prefix(KEY_ID).or(id.strip_prefix("ASIAMOCK")).ok_or_else(unrecognized)?;
    let secret = CREDENTIALS.iter().find(|known| known.ends_with(&format!("-{name}")));
    let secret = secret.ok_or_else(unrecognized)?;
    let token = seen.header("x-amz-security-token");
    if token != (id == LENT.0).then_some(LENT.1) {
        return Err(unrecognized());
    }
    let date = seen.header("x-amz-date").ok_or_else(incomplete)?;
    check_date(date)?;
    let signed: Vec<&str> = names.split(';').collect();
    let wanted = ["host", "x-amz-date"].into_iter().chain(token.map(|_| "x-amz-security-token"));
    let complete = wanted.into_iter().all(|name| signed.contains(&name)) && signed.is_sorted();
    let day = date.split('T').next().unwrap_or_default();
    let expected_scope = format!("{day}/{REGION}/bedrock/aws4_request");
    let expected = expected_signature(seen, secret, date, &expected_scope, &signed);
    if complete && scope == expected_scope && signature == expected {
        return Ok(());
    }
    let text = "The request signature we calculated does not match the signature you provided.";
    Err(denied("InvalidSignatureException", text))
}

fn check_date(date: &str) -> Result<(), Refusal> {
    let read = |text: &str| jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok();
    let sent = read(date).and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC).ok());
    let now = jiff::Timestamp::now().as_second();
    match sent.map(|sent| sent.timestamp().as_second().abs_diff(now)) {
        Some(off) if off <= SKEW_SECONDS.unsigned_abs() => Ok(()),
        _ => Err(refuse(
            403,
            "InvalidSignatureException",
            &format!("Signature expired: {date} is now earlier"),
        )),
    }
}

/// Signature Version 4, written down a second time.
fn expected_signature(seen: &Seen, secret: &str, date: &str, scope: &str, signed: &[&str]) -> String {
    let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
    let headers: String = signed
        .iter()
        .map(|name| {
            let values: Vec<_> =
                seen.headers.iter().filter(|(got, _)| got == name).map(|(_, value)| value.trim()).collect();
            format!("{name}:{}\n", values.join(","))
        })
        .collect();
    let canonical = format!(
        "{}\n{}\n{query}\n{headers}\n{}\n{}",
        seen.method,
        encode(path, "/"),
        signed.join(";"),
        hex(&Sha256::digest(&seen.body)),
    );
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(&canonical)));
    let key = scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| mac(&key, part));
    hex(&mac(&key, &to_sign))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap();
        out
    })
}

/// Percent-encoding as AWS has it; `kept` stays as it is.
pub fn encode(text: &str, kept: &str) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.as_bytes().contains(&byte);
    text.bytes().fold(String::new(), |mut out, byte| {
        if plain(byte) {
            out.push(byte as char);
        } else {
            write!(out, "%{byte:02X}").unwrap();
        }
        out
    })
}
