//! Pairs of keys, keys that are lent, and keys that are sent; regions and clocks.

use super::*;
use bedrock::error;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test]
async fn a_signature_is_no_secret_and_a_bearer_key_is_sent_as_it_is() {
    let upstream = Upstream::bedrock(bedrock::answer).await;
    let conf =
        Conf::of([Provider::bedrock_bearer("aws", &upstream)]).model("gpt", &[&format!("aws/{NOVA}")], &[]);
    let hub = Gateway::start(&conf).await;
    hub.call(&chat(json!({}))).await.expect(200);
    assert_eq!(upstream.only().credential(), vendor::CREDENTIALS[0]);
    assert_eq!(upstream.only().header("x-amz-date"), None);

    let upstream = Upstream::bedrock(bedrock::answer).await;
    let hub = Gateway::start(&aws(&upstream, NOVA)).await;
    hub.call(&chat(json!({}))).await.expect(200);
    let sent = format!("{:?}", upstream.only());
    assert!(!sent.contains(vendor::CREDENTIALS[0]) && sent.contains("AWS4-HMAC-SHA256"), "{sent}");
}

#[tokio::test]
async fn a_signature_holds_over_http2_and_tls() {
    let upstream = upstream::http2::SecureUpstream::bedrock().await;
    let section = format!(
        "[[provider]]\nvendor = \"bedrock\"\nbase_url = {:?}\nca_file = {:?}\nregion = {:?}",
        upstream.root_url(),
        upstream.ca_file().to_string_lossy(),
        bedrock::REGION
    );
    let conf = Conf::of([Provider::simulator("none")])
        .section(&section)
        .model("gpt", &[&format!("bedrock/{CLAUDE}")], &[])
        .variable("AWS_ACCESS_KEY_ID", &format!("{}a", bedrock::KEY_ID))
        .variable("AWS_SECRET_ACCESS_KEY", vendor::CREDENTIALS[0]);
    let hub = Gateway::start(&conf).await;
    assert_eq!(hub.call(&chat(json!({}))).await.expect(200).text(), vendor::TEXT);
    hub.call(&chat(json!({ "stream": true }))).await.expect(200).stream().expect_whole(vendor::TEXT);
    assert_eq!(upstream.seen().len(), 2);
}

#[tokio::test]
async fn keys_that_are_lent_come_with_their_token() {
    let upstream = Upstream::bedrock(bedrock::answer).await;
    let row = r#"credentials = [{ access_key_id = { env = "ID" }, secret_access_key = { env = "SECRET" },
                  session_token = { file = "token" } }]"#;
    let provider = Provider::bedrock("aws", &upstream).credentials(&[]).line(row);
    let conf = Conf::of([provider])
        .model("gpt", &[&format!("aws/{NOVA}")], &[])
        .variable("ID", bedrock::LENT.0)
        .variable("SECRET", vendor::CREDENTIALS[0])
        .file("token", &format!("{}\n", bedrock::LENT.1));
    let hub = Gateway::start(&conf).await;
    hub.call(&chat(json!({ "stream": true }))).await.expect(200).stream().expect_whole(vendor::TEXT);
}

#[tokio::test]
async fn keys_of_the_environment_are_found_with_their_region() {
    let upstream = Upstream::bedrock(bedrock::answer).await;
    let section = format!("[[provider]]\nvendor = \"bedrock\"\nbase_url = {:?}", upstream.root_url());
    let conf = Conf::of([Provider::simulator("none")])
        .section(&section)
        .model("gpt", &[&format!("bedrock/{NOVA}")], &[])
        .variable("AWS_ACCESS_KEY_ID", &format!("{}a", bedrock::KEY_ID))
        .variable("AWS_SECRET_ACCESS_KEY", vendor::CREDENTIALS[0])
        .variable("AWS_REGION", bedrock::REGION);
    let hub = Gateway::start(&conf).await;
    hub.call(&chat(json!({}))).await.expect(200);
}

#[tokio::test]
async fn keys_that_the_vendor_does_not_know_are_out_and_never_the_callers_fault() {
    let upstream = Upstream::bedrock(bedrock::answer).await;
    let provider = Provider::bedrock("aws", &upstream).credentials(&["stranger", "b"]);
    let conf = Conf::of([provider.line("affinity = false")]).model("gpt", &[&format!("aws/{NOVA}")], &[]);
    let hub = Gateway::start(&conf).await;
    for _ in 0..4 {
        hub.call(&chat(json!({}))).await.expect(200);
    }
    let refused = upstream.take_violations();
    assert!(refused.len() == 1 && refused[0].contains("UnrecognizedClient"), "{refused:?}");

    for (status, kind, text) in [
        (403, "ExpiredTokenException", "The security token included in the request is expired"),
        (403, "InvalidSignatureException", "The request signature we calculated does not match"),
        (403, "AccessDeniedException", "Bearer Token has expired"),
        (400, "UnrecognizedClientException", "The security token is invalid"),
    ] {
        let (_upstream, hub) = before(NOVA, error(status, kind, text)).await;
        let answer = hub.call(&chat(json!({}))).await.expect(502);
        assert_eq!(answer.json()["error"]["code"], "upstream_authentication_failed", "{kind}");
        assert!(!answer.json().to_string().contains(text), "{answer:?}");
    }
}

#[tokio::test]
async fn a_clock_that_differs_from_awss_is_corrected_and_no_fault_of_the_keys() {
    let asked = AtomicUsize::new(0);
    let upstream = Upstream::bedrock(move |seen| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => error(403, "InvalidSignatureException", "Signature expired: it is now earlier than it was")
            .header("date", "Thu, 01 Jan 2032 00:00:00 GMT"),
        _ => bedrock::answer(seen),
    })
    .await;
    let hub = Gateway::start(&aws(&upstream, NOVA)).await;
    // The scripted vendor keeps the machine's time, and so refuses what is signed by the time it told.
    let answer = hub.call(&chat(json!({}))).await;
    assert_eq!(answer.status(), 502, "{answer:?}");
    let dates: Vec<String> =
        upstream.seen().iter().map(|seen| seen.header("x-amz-date").unwrap().to_owned()).collect();
    assert!(!dates[0].starts_with("2032") && dates[1].starts_with("20320101T0000"), "{dates:?}");
    assert_eq!(upstream.take_violations().len(), 1);
}
