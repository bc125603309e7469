use super::*;
use std::io::{Read, Write};
use std::net::TcpListener;

const SECOND: Duration = Duration::from_secs(1);

fn ask<'a>(url: &'a str, reach: Reach<'a>) -> Ask<'a> {
    let bounds = Bounds { connect: 30 * SECOND, answer: 30 * SECOND, largest: Some(64) };
    Ask {
        method: Method::POST,
        url,
        headers: vec![(header::ACCEPT, HeaderValue::from_static("text/plain"))],
        body: b"what is asked".to_vec(),
        ca: None,
        reach,
        bounds,
    }
}

/// A server that answers one request with these bytes and gives what it heard.
fn server(answer: &'static [u8]) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/path?x=1", listener.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut heard, mut piece) = (Vec::new(), [0; 1024]);
        while !heard.ends_with(b"what is asked") {
            let read = stream.read(&mut piece).unwrap();
            assert!(read > 0, "the request is whole");
            heard.extend_from_slice(&piece[..read]);
        }
        stream.write_all(answer).unwrap();
        String::from_utf8(heard).unwrap()
    });
    (url, heard)
}

fn answered(answer: &'static [u8]) -> Result<Answer, String> {
    let (url, heard) = server(answer);
    let result = Client::default().ask_and_wait(ask(&url, Reach::Anywhere));
    heard.join().unwrap();
    result
}

#[test]
fn a_request_is_sent_whole_and_its_answer_read_however_it_is_framed() {
    let (url, heard) = server(b"HTTP/1.1 402 X\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\nok");
    let answer = Client::default().ask_and_wait(ask(&url, Reach::Anywhere)).unwrap();
    assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (402, &b"ok"[..]));
    assert_eq!(answer.headers[header::RETRY_AFTER], "7");
    let heard = heard.join().unwrap();
    assert!(heard.starts_with("POST /path?x=1 HTTP/1.1\r\n"), "{heard}");
    for line in ["\r\nhost: 127.0.0.1:", "\r\naccept: text/plain\r\n", "\r\ncontent-length: 13\r\n"] {
        assert!(heard.contains(line), "{heard}");
    }
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n2;x=y\r\nbc\r\n0\r\n\r\n";
    assert_eq!(answered(chunked).unwrap().body, b"abc");
    assert_eq!(answered(b"HTTP/1.1 200 OK\r\n\r\nto the end").unwrap().body, b"to the end");
}

#[test]
fn what_is_cut_short_too_long_or_no_answer_is_an_error() {
    let long = b"HTTP/1.1 200 OK\r\ncontent-length: 65\r\n\r\n00000000000000000000000000000000000000000000000000000000000000000";
    let bad: [&[u8]; 6] = [
        b"",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
        long,
    ];
    for answer in bad {
        assert!(answered(answer).is_err(), "{}", String::from_utf8_lossy(answer));
    }
}

#[test]
fn of_an_answer_whose_body_nobody_wants_only_the_header_is_read() {
    let (url, heard) = server(b"HTTP/1.1 204 OK\r\ncontent-length: 999999\r\n\r\n");
    let bounds = Bounds { connect: 30 * SECOND, answer: 30 * SECOND, largest: None };
    let asked = Ask { bounds, ..ask(&url, Reach::Anywhere) };
    assert_eq!(Client::default().ask_and_wait(asked).unwrap().status, StatusCode::NO_CONTENT);
    heard.join().unwrap();
}

#[test]
fn who_does_not_answer_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let bounds = Bounds { connect: 30 * SECOND, answer: Duration::from_millis(1), largest: None };
    let error = Client::default().ask_and_wait(Ask { bounds, ..ask(&url, Reach::Anywhere) }).unwrap_err();
    assert!(error.contains("the answer took longer"), "{error}");
}

#[test]
fn a_url_names_scheme_and_host_and_no_password() {
    for good in ["https://example.com/hook?x=1", "http://10.0.0.1:8080", "https://[2606:4700::1111]/"] {
        assert!(Place::of(good).is_ok(), "{good}");
    }
    for bad in
        ["ftp://example.com", "example.com", "https://", "https://a:b@example.com", "http:///x", "", "/x"]
    {
        assert!(Place::of(bad).is_err(), "{bad}");
    }
}

#[test]
fn what_is_inside_is_not_connected_to_by_address_or_by_name() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let nothing = AddressSet::default();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]"] {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}:{port}/");
            let reach = Reach::Allowed { opened: &nothing, setting: "notices.allow" };
            let error = Client::default().ask_and_wait(ask(&url, reach)).unwrap_err();
            assert!(error.contains("notices.allow"), "{host}: {error}");
        }
    }
    let opened = AddressSet::parse(&["127.0.0.1"]).unwrap();
    let place = Place::of(&format!("http://127.0.0.1:{port}/")).unwrap();
    wait(async { place.connect(Reach::Allowed { opened: &opened, setting: "x" }).await }).unwrap();
}
