use super::*;
use pingora::http::ResponseHeader;
use proptest::prelude::*;
use tokio::io::DuplexStream;

/// A session whose header announced chunks, and the caller's end. `more` is sent with the request.
async fn begun(request: &str, keepalive: Option<u64>, more: &str) -> (ServerSession, DuplexStream) {
    let (mut caller, hub) = tokio::io::duplex(1 << 16);
    caller.write_all(format!("{request}{more}").as_bytes()).await.unwrap();
    let mut session = ServerSession::new_http1(Box::new(hub));
    assert!(session.read_request().await.unwrap());
    session.set_keepalive(keepalive);
    while session.read_request_body().await.unwrap().is_some() {}
    let mut header = ResponseHeader::build(200, None).unwrap();
    header.insert_header("transfer-encoding", "chunked").unwrap();
    session.write_response_header(Box::new(header)).await.unwrap();
    (session, caller)
}

const POST: &str = "POST / HTTP/1.1\r\nHost: hub\r\nContent-Length: 2\r\n\r\nhi";

/// What the caller has got so far, past the header.
async fn body(caller: &mut DuplexStream) -> String {
    let mut all = Vec::new();
    while !all.ends_with(b"0\r\n\r\n") {
        let mut piece = [0; 1_024];
        let n = caller.read(&mut piece).await.unwrap();
        assert!(n > 0, "{all:?}");
        all.extend_from_slice(&piece[..n]);
    }
    let text = String::from_utf8(all).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "the header went first: {text:?}");
    body.to_owned()
}

#[tokio::test]
async fn pieces_are_chunks_and_the_connection_serves_the_next_request() {
    let (mut session, mut caller) = begun(POST, Some(60), "").await;
    let mut stream = Chunked::take(&mut session).await.unwrap();
    stream.write(Bytes::from("data: 1\n\n"), false).await.unwrap();
    stream.write(Bytes::new(), false).await.unwrap();
    stream.write(Bytes::from_static(&[b'x'; 300]), true).await.unwrap();
    let expected = format!("9\r\ndata: 1\n\n\r\n12c\r\n{}\r\n0\r\n\r\n", "x".repeat(300));
    assert_eq!(body(&mut caller).await, expected);
    assert!(stream.give_back(&mut session).await);
    caller.write_all(b"GET /next HTTP/1.1\r\nHost: hub\r\n\r\n").await.unwrap();
    assert_eq!(session.get_keepalive(), Some(60), "as it was");
    assert!(session.read_request().await.unwrap());
    assert_eq!(session.req_header().uri.path(), "/next");
}

#[tokio::test]
async fn a_request_sent_too_early_is_not_lost() {
    let (mut session, mut caller) = begun(POST, Some(60), "GET /early HTTP/1.1\r\nHost: hub\r\n\r\n").await;
    let mut stream = Chunked::take(&mut session).await.unwrap();
    stream.write(Bytes::from("a"), true).await.unwrap();
    assert_eq!(body(&mut caller).await, "1\r\na\r\n0\r\n\r\n");
    assert!(stream.give_back(&mut session).await);
    assert!(session.read_request().await.unwrap());
    assert_eq!(session.req_header().uri.path(), "/early");
}

#[tokio::test]
async fn a_connection_that_must_not_go_on_ends() {
    let (mut session, mut caller) = begun(POST, None, "").await;
    let mut stream = Chunked::take(&mut session).await.unwrap();
    stream.write(Bytes::from("a"), true).await.unwrap();
    assert!(!stream.give_back(&mut session).await);
    let mut all = Vec::new();
    caller.read_to_end(&mut all).await.unwrap();
    assert!(all.ends_with(b"1\r\na\r\n0\r\n\r\n"));

    let (mut session, mut caller) = begun(POST, Some(60), "").await;
    let mut stream = Chunked::take(&mut session).await.unwrap();
    stream.write(Bytes::from("a"), false).await.unwrap();
    assert!(!stream.give_back(&mut session).await, "its body has no end");
    let mut all = Vec::new();
    caller.read_to_end(&mut all).await.unwrap();
    assert!(all.ends_with(b"1\r\na\r\n"), "and the caller can see that");
}

#[tokio::test]
async fn who_leaves_is_noticed() {
    let (mut session, caller) = begun(POST, Some(60), "").await;
    let mut stream = Chunked::take(&mut session).await.unwrap();
    drop(caller);
    stream.gone().await;
    assert!(!stream.give_back(&mut session).await);
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_is_not_waited_for_for_ever() {
    let (mut session, _caller) = begun(POST, Some(60), "").await;
    session.set_write_timeout(Some(Duration::from_secs(7)));
    let mut stream = Chunked::take(&mut session).await.unwrap();
    let error = stream.write(Bytes::from(vec![b'x'; 1 << 20]), false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[tokio::test]
async fn older_callers_are_left_to_pingora() {
    let (mut session, _caller) = begun("POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", Some(60), "").await;
    assert!(Chunked::take(&mut session).await.is_none());
    assert_eq!(session.req_header().uri.path(), "/", "the session is as it was");
}

proptest! {
    #[test]
    fn sizes_are_hexadecimal(size in any::<usize>()) {
        let mut line = [0; SIZE_LINE];
        let expected = format!("{size:x}\r\n");
        prop_assert_eq!(size_line(&mut line, size), expected.as_bytes());
    }
}
