//! AWS's signatures (Signature Version 4), which stand for a pair of keys
//! without sending it. A signature holds for one request and a few minutes, so each attempt
//! gets its own.

use crate::error::{Failure, Kind};
use crate::types::{Secret, Wall};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningParams, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use sha2::{Digest, Sha256};
use std::fmt;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

/// AWS refuses signatures that are five minutes off by its clock; a smaller difference is not corrected.
const TOLERATED_SECONDS: i64 = 240;

/// A pair of keys, with what else a signature needs.
pub struct AwsKeys {
    identity: Identity,
    region: String,
    /// How far AWS's clock is ahead of ours, in seconds, where it matters.
    ahead_seconds: AtomicI64,
}

/// What is signed of a request. Headers that are not named here may be changed on the way.
pub struct Signable<'a> {
    /// The method.
    pub method: &'a str,
    /// Is it sent by HTTPS? Tells whether the port is the scheme's own.
    pub tls: bool,
    /// Host, and port where it is not the scheme's own.
    pub authority: &'a str,
    /// Path and query, encoded as they are sent.
    pub path: &'a str,
    /// The media type of the body, if it has one.
    pub content_type: Option<&'a str>,
    /// The body in pieces.
    pub body: &'a [Bytes],
}

impl AwsKeys {
    /// Keys for one region. `token` belongs to keys that are lent for a time.
    pub fn new(access_key_id: &str, secret: &Secret, token: Option<&Secret>, region: &str) -> Self {
        let token = token.map(|token| token.expose().to_owned());
        let keys = Credentials::new(access_key_id, secret.expose(), token, None, "configuration");
        Self { identity: keys.into(), region: region.to_owned(), ahead_seconds: AtomicI64::new(0) }
    }

    /// The headers that sign a request to `service`. `now` is the time by our clock.
    ///
    /// # Errors
    /// [`Kind::VendorAuth`] when the keys or the request have characters that no header may have.
    pub fn sign(
        &self,
        service: &str,
        request: &Signable<'_>,
        now: Wall,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, Failure> {
        let seconds = now.seconds().saturating_add(self.ahead_seconds.load(Ordering::Relaxed));
        let time = UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let params = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.region)
            .name(service)
            .time(time)
            .settings(SigningSettings::default())
            .build()
            .map_err(unsigned)?;
        let params = SigningParams::from(params);
        let scheme = if request.tls { "https" } else { "http" };
        let address = format!("{scheme}://{}{}", request.authority, request.path);
        let headers = request.content_type.map(|text| ("content-type", text)).into_iter();
        let body = SignableBody::Precomputed(digest(request.body));
        let signable = SignableRequest::new(request.method, address, headers, body).map_err(unsigned)?;
        let (headers, _) = sign(signable, &params).map_err(unsigned)?.into_parts().0.into_parts();
        headers
            .into_iter()
            .map(|header| {
                let mut value = HeaderValue::from_str(header.value()).map_err(unsigned)?;
                value.set_sensitive(true);
                Ok((HeaderName::from_static(header.name()), value))
            })
            .collect()
    }

    /// Learns from a refusal how far AWS's clock is from ours, so that a machine whose clock is wrong
    /// is served from the second attempt on. `now` is the time by our clock.
    pub fn note_clock(&self, headers: &HeaderMap, now: Wall) {
        let date = headers.get(header::DATE).and_then(|date| date.to_str().ok());
        let Some(theirs) = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()) else { return };
        let ahead = theirs.timestamp().as_second().saturating_sub(now.seconds());
        let matters = ahead.unsigned_abs() >= TOLERATED_SECONDS.unsigned_abs();
        self.ahead_seconds.store(if matters { ahead } else { 0 }, Ordering::Relaxed);
    }
}

impl fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwsKeys(…, {})", self.region)
    }
}

/// The check sum of a body, in small hexadecimal digits.
fn digest(body: &[Bytes]) -> String {
    let mut hasher = Sha256::new();
    body.iter().for_each(|piece| hasher.update(piece));
    hasher.finalize().iter().fold(String::with_capacity(64), |mut out, byte| {
        _ = write!(out, "{byte:02x}");
        out
    })
}

fn unsigned(error: impl fmt::Display) -> Failure {
    Failure::new(Kind::VendorAuth, "The hub cannot sign a request to the provider.").detail(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2015-08-30T12:36:00Z, the time of AWS's published examples.
    const THEN: Wall = Wall(1_440_938_160_000_000);
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn keys(token: Option<&str>) -> AwsKeys {
        AwsKeys::new("AKIDEXAMPLE", &Secret::new(SECRET), token.map(Secret::new).as_ref(), "us-east-1")
    }

    fn request<'a>(method: &'a str, path: &'a str) -> Signable<'a> {
        Signable {
            method,
            tls: true,
            authority: "example.amazonaws.com",
            path,
            content_type: None,
            body: &[],
        }
    }

    /// The signature, the names of what it signs, and the other headers.
    fn signed(keys: &AwsKeys, request: &Signable<'_>, now: Wall) -> (String, String, Vec<String>) {
        let headers = keys.sign("service", request, now).unwrap();
        let (own, others): (Vec<_>, Vec<_>) =
            headers.iter().partition(|(name, _)| *name == header::AUTHORIZATION);
        let text = own[0].1.to_str().unwrap();
        let after = |mark: &str| text.split_once(mark).unwrap().1.split(',').next().unwrap().to_owned();
        let others =
            others.iter().map(|(name, value)| format!("{name}:{}", value.to_str().unwrap())).collect();
        (after("Signature="), after("SignedHeaders="), others)
    }

    #[test]
    fn signatures_are_those_of_the_published_examples() {
        let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
        for (method, path, token, names, expected) in [
            (
                "POST",
                "/",
                None,
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "POST",
                "/?Param1=value1",
                None,
                "host;x-amz-date",
                "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
            ),
            (
                "GET",
                "/",
                Some(token),
                "host;x-amz-date;x-amz-security-token",
                "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
            ),
        ] {
            let (signature, signed_names, others) = signed(&keys(token), &request(method, path), THEN);
            assert_eq!((signature.as_str(), signed_names.as_str()), (expected, names), "{method} {path}");
            assert!(others.contains(&"x-amz-date:20150830T123600Z".to_owned()), "{others:?}");
        }
    }

    #[test]
    fn the_body_is_signed_however_it_is_cut() {
        let form = Some("application/x-www-form-urlencoded");
        let pieces = [Bytes::from_static(b"Param1"), Bytes::from_static(b"=value1")];
        let request = Signable { content_type: form, body: &pieces, ..request("POST", "/") };
        let (signature, names, _) = signed(&keys(None), &request, THEN);
        assert_eq!(names, "content-type;host;x-amz-date");
        assert_eq!(signature, "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
    }

    #[test]
    fn an_encoded_path_is_encoded_once_more() {
        let keys =
            AwsKeys::new("ANOTREAL", &Secret::new("notrealrnrELgWzOk3IfjzDKtFBhDby"), None, "us-east-1");
        let request = Signable {
            authority: "tj9n5r0m12.execute-api.us-east-1.amazonaws.com",
            ..request("POST", "/test/@connections/JBDvjfGEIAMCERw%3D")
        };
        let (signature, _, _) = signed(&keys, &request, THEN);
        assert_eq!(signature, "57d157672191bac40bae387e48bbe14b15303c001fdbb01f4abf295dccb09705");
    }

    #[test]
    fn a_clock_that_is_wrong_is_corrected_by_what_aws_says() {
        let keys = keys(None);
        let late = Wall(THEN.0 - 3_600_000_000);
        let said = |date: &str| HeaderMap::from_iter([(header::DATE, date.parse().unwrap())]);
        keys.note_clock(&said("Sun, 30 Aug 2015 12:36:00 GMT"), late);
        let (signature, _, _) = signed(&keys, &request("POST", "/"), late);
        assert_eq!(signature, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
        // A difference that AWS tolerates is none, and nonsense is not believed.
        keys.note_clock(&said("Sun, 30 Aug 2015 12:38:00 GMT"), THEN);
        keys.note_clock(&said("soon"), THEN);
        let (signature, _, _) = signed(&keys, &request("POST", "/"), THEN);
        assert_eq!(signature, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
    }

    #[test]
    fn keys_are_not_shown() {
        let shown = format!("{:?}", keys(Some("canary")));
        assert!(!shown.contains("canary") && !shown.contains("wJalr") && !shown.contains("AKID"), "{shown}");
    }
}
