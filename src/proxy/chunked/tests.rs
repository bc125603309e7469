use super::*;
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
    (session, caller)
}

fn head() -> AnswerHead {
    let mut head = AnswerHead::new(200, "text/event-stream");
    head.text(http::HeaderName::from_static("x-request-id"), "7");
    head
}

async fn opened(session: &mut ServerSession) -> Chunked {
    assert!(takes(session, &head()));
    Chunked::begin(session, &head()).await.unwrap()
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
    let mut stream = opened(&mut session).await;
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

/// Over a real socket, because its buffer is what holds things back.
#[tokio::test]
async fn what_is_written_leaves_together_when_somebody_waits() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut caller = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (socket, _) = listener.accept().await.unwrap();
    let mut session =
        ServerSession::new_http1(Box::new(pingora::protocols::l4::stream::Stream::from(socket)));
    caller.write_all(POST.as_bytes()).await.unwrap();
    assert!(session.read_request().await.unwrap());
    while session.read_request_body().await.unwrap().is_some() {}
    let mut stream = opened(&mut session).await;
    stream.write(Bytes::from("one"), false).await.unwrap();
    stream.write(Bytes::from("two"), false).await.unwrap();
    assert!(stream.held);
    let early = caller.try_read(&mut [0; 1]).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::WouldBlock);
    let waits = tokio::time::timeout(Duration::ZERO, stream.gone());
    assert!(waits.await.is_err(), "the caller is there");
    assert!(!stream.held);
    let mut piece = [0; 1_024];
    let n = caller.read(&mut piece).await.unwrap();
    let text = std::str::from_utf8(&piece[..n]).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"), "{text}");
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    for line in ["x-request-id: 7", "transfer-encoding: chunked", "connection: keep-alive"] {
        assert!(head.lines().any(|other| other == line), "{head}");
    }
    assert!(head.contains("\r\ndate: "), "{head}");
    assert_eq!(body, "3\r\none\r\n3\r\ntwo\r\n", "in one piece");
}

#[tokio::test]
async fn a_request_sent_too_early_is_not_lost() {
    let (mut session, mut caller) = begun(POST, Some(60), "GET /early HTTP/1.1\r\nHost: hub\r\n\r\n").await;
    let mut stream = opened(&mut session).await;
    stream.write(Bytes::from("a"), true).await.unwrap();
    assert_eq!(body(&mut caller).await, "1\r\na\r\n0\r\n\r\n");
    assert!(stream.give_back(&mut session).await);
    assert!(session.read_request().await.unwrap());
    assert_eq!(session.req_header().uri.path(), "/early");
}

#[tokio::test]
async fn a_connection_that_must_not_go_on_ends() {
    let (mut session, mut caller) = begun(POST, None, "").await;
    let mut stream = opened(&mut session).await;
    stream.write(Bytes::from("a"), true).await.unwrap();
    assert!(!stream.give_back(&mut session).await);
    let mut all = Vec::new();
    caller.read_to_end(&mut all).await.unwrap();
    assert!(all.ends_with(b"1\r\na\r\n0\r\n\r\n"));

    let (mut session, mut caller) = begun(POST, Some(60), "").await;
    let mut stream = opened(&mut session).await;
    stream.write(Bytes::from("a"), false).await.unwrap();
    assert!(!stream.give_back(&mut session).await, "its body has no end");
    let mut all = Vec::new();
    caller.read_to_end(&mut all).await.unwrap();
    assert!(all.ends_with(b"1\r\na\r\n"), "and the caller can see that");
}

#[tokio::test]
async fn who_leaves_is_noticed() {
    let (mut session, caller) = begun(POST, Some(60), "").await;
    let mut stream = opened(&mut session).await;
    drop(caller);
    stream.gone().await;
    assert!(!stream.give_back(&mut session).await);
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_is_not_waited_for_for_ever() {
    let (mut session, _caller) = begun(POST, Some(60), "").await;
    session.set_write_timeout(Some(Duration::from_secs(7)));
    let mut stream = opened(&mut session).await;
    let error = stream.write(Bytes::from(vec![b'x'; 1 << 20]), false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[tokio::test]
async fn older_callers_and_other_answers_are_left_to_pingora() {
    let (mut session, _caller) = begun("POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", Some(60), "").await;
    assert!(!takes(&mut session, &head()));
    let (mut session, _caller) = begun(POST, Some(60), "").await;
    assert!(!takes(&mut session, &AnswerHead::new(200, "application/json")));
    let known = AnswerHead { length: Some(7), ..head() };
    assert!(!takes(&mut session, &known));
}

proptest! {
    #[test]
    fn sizes_are_hexadecimal(size in any::<usize>()) {
        let mut line = [0; SIZE_LINE];
        let expected = format!("{size:x}\r\n");
        prop_assert_eq!(size_line(&mut line, size), expected.as_bytes());
    }
}
