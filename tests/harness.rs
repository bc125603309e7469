//! The harness is code, too: a scripted vendor that lies would make every
//! other test worthless.

use super::support::client::Cut;
use super::support::*;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::rustls::{
    self,
    pki_types::{CertificateDer, pem::PemObject},
};

fn request() -> Request {
    let body = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "hi" }] });
    Request::post("/v1/chat/completions", &body).key(vendor::CREDENTIALS[0])
}

fn streaming() -> Request {
    let body = json!({ "model": "gpt-4o", "stream": true, "messages": [] });
    Request::post("/v1/chat/completions", &body).key(vendor::CREDENTIALS[0])
}

async fn open(upstream: &Upstream, request: &Request) -> Client {
    let mut client = Client::connect(upstream.address()).await;
    client.send(request).await;
    client
}

#[tokio::test]
async fn the_vendor_answers_in_order_and_records_what_it_saw() {
    let upstream = Upstream::script([Reply::throttled(Some(7)), vendor::answer_chat()]).await;
    let mut client = open(&upstream, &request()).await;
    let refused = client.answer().await.expect_error(429, "rate_limit_exceeded");
    assert_eq!(refused.header("retry-after"), Some("7"));
    client.send(&request().chunked(5)).await;
    assert_eq!(client.answer().await.expect(200).text(), vendor::TEXT);
    let seen = upstream.seen();
    assert_eq!(seen[1].json(), seen[0].json());
    assert_eq!((seen[1].connection, upstream.counts().connections), (0, 1));
}

#[tokio::test]
async fn the_vendor_refuses_what_the_real_one_refuses() {
    let upstream = Upstream::realistic().await;
    let ask = async |body: serde_json::Value| {
        let request = Request::post("/v1/chat/completions", &body).key(vendor::CREDENTIALS[0]);
        open(&upstream, &request).await.answer().await
    };
    ask(json!({ "model": "gpt-4o", "cache": 1 })).await.expect_error(400, "unknown_parameter");
    ask(json!({ "model": "nobody" })).await.expect_error(404, "model_not_found");
    ask(json!({ "model": "gpt-5", "max_tokens": 1 })).await.expect_error(400, "unsupported_parameter");
    ask(json!({ "model": "gpt-4o", "stream_options": {} })).await.expect_error(400, "invalid_parameter");
    let stranger = Request::post("/v1/chat/completions", &json!({ "model": "gpt-4o" })).key("stranger");
    open(&upstream, &stranger).await.answer().await.expect_error(401, "invalid_api_key");
    assert_eq!(upstream.take_violations().len(), 5);
}

#[tokio::test]
async fn a_request_too_many_is_a_violation() {
    let upstream = Upstream::script([]).await;
    open(&upstream, &request()).await.answer().await.expect(500);
    assert_eq!(upstream.take_violations().len(), 1);
}

#[tokio::test]
async fn writes_split_where_the_test_says() {
    let reply = vendor::stream(&json!({})).split_at(&[1, 2, 50]);
    let whole = reply.data();
    let upstream = Upstream::always(reply).await;
    let mut client = open(&upstream, &streaming()).await;
    client.head().await;
    let first = client.piece().await.unwrap().unwrap();
    let second = client.piece().await.unwrap().unwrap();
    let third = client.piece().await.unwrap().unwrap();
    assert_eq!((first.len(), second.len(), third.len()), (1, 1, 48));
    let (rest, ended) = client.rest().await;
    assert_eq!(([first, second, third, rest].concat(), ended), (whole, Ok(())));
}

#[tokio::test]
async fn pieces_keep_every_byte_of_the_stream() {
    let whole = vendor::stream(&json!({})).data();
    for size in [1, 7, 4096] {
        assert_eq!(vendor::stream(&json!({})).in_pieces(size).data(), whole);
    }
}

#[tokio::test]
async fn the_vendor_stands_still_at_a_gate_and_notices_when_the_client_leaves() {
    let gate = Gate::new();
    let upstream = Upstream::always(Reply::sse().text("a").pause(&gate).text("b").hang()).await;
    let mut client = open(&upstream, &streaming()).await;
    client.head().await;
    client.until("\n\n").await;
    gate.reached().await;
    assert_eq!(upstream.counts().aborted, 0);
    gate.open();
    client.until("\n\n").await;
    drop(client);
    upstream.aborted().await;
    assert_eq!(upstream.counts().finished, 0);
}

#[tokio::test]
async fn a_cut_and_a_reset_end_the_body_too_early() {
    for reply in [Reply::sse().text("a").cut(), Reply::sse().text("a").reset()] {
        let upstream = Upstream::always(reply).await;
        let mut client = open(&upstream, &streaming()).await;
        client.head().await;
        assert_eq!(client.rest().await.1, Err(Cut));
    }
}

#[tokio::test]
async fn an_early_answer_comes_before_the_body_is_read() {
    let upstream = Upstream::script([Reply::failed(413).early()]).await;
    let mut client = Client::connect(upstream.address()).await;
    client.write(&request().body(vec![b' '; 1 << 20]).head()).await;
    assert_eq!(client.head().await.status, 413);
}

#[tokio::test]
async fn a_secure_vendor_speaks_http2_under_its_own_certificate() {
    let upstream = upstream::http2::SecureUpstream::realistic().await;
    let (mut sender, connection) = h2::client::handshake(secure(&upstream).await).await.unwrap();
    let driving = tokio::spawn(connection);
    let uri = format!("{}/chat/completions", upstream.base_url());
    let head = http::Request::post(uri).header("authorization", "Bearer x").body(()).unwrap();
    let (answer, mut body) = sender.send_request(head, false).unwrap();
    body.send_data(json!({ "model": "gpt-4o" }).to_string().into(), true).unwrap();
    let answer = patiently("an answer over HTTP/2", answer).await.unwrap();
    assert_eq!((answer.status(), answer.version()), (http::StatusCode::OK, http::Version::HTTP_2));
    assert_eq!(upstream.seen()[0].json()["model"], "gpt-4o");
    driving.abort();
}

async fn secure(upstream: &upstream::http2::SecureUpstream) -> impl AsyncRead + AsyncWrite + Unpin + use<> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(upstream.ca_file()).unwrap()).unwrap();
    let mut config =
        rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let stream = tokio::net::TcpStream::connect(upstream.address()).await.unwrap();
    connector.connect("localhost".try_into().unwrap(), stream).await.unwrap()
}
