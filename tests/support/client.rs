//! A small HTTP/1.1 client that hides nothing: a test sees the answer piece by
//! piece as it arrives, sends what no library would send, and leaves when it wants.

use super::patiently;
use bytes::{Bytes, BytesMut};
use serde_json::Value;
use std::fmt;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One request, as bytes.
#[derive(Clone)]
pub struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Bytes>,
    chunk: Option<usize>,
}

impl Request {
    pub fn new(method: &str, path: &str) -> Self {
        let headers = vec![("host".to_owned(), "hub.test".to_owned())];
        Self { method: method.to_owned(), path: path.to_owned(), headers, body: None, chunk: None }
    }

    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub fn post(path: &str, body: &Value) -> Self {
        Self::new("POST", path).header("content-type", "application/json").body(body.to_string())
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// The same without a header.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(got, _)| got != name);
        self
    }

    /// Sends the body in chunks of this size instead of with a length.
    pub fn chunked(mut self, size: usize) -> Self {
        self.chunk = Some(size);
        self
    }

    /// The head alone, with the blank line.
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let framed = self.headers.iter().any(|(name, _)| name == "content-length");
        match (&self.body, self.chunk) {
            (Some(_), Some(_)) => head.push_str("transfer-encoding: chunked\r\n"),
            (Some(body), None) if !framed => head.push_str(&format!("content-length: {}\r\n", body.len())),
            _ => {}
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Everything that goes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        let body = self.body.clone().unwrap_or_default();
        match self.chunk {
            None => bytes.extend_from_slice(&body),
            Some(size) => {
                for piece in body.chunks(size) {
                    bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                    bytes.extend_from_slice(piece);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
        }
        bytes
    }
}

/// Status and headers of an answer.
#[derive(Clone, Debug)]
pub struct Head {
    pub status: u16,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
}

impl Head {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(got, _)| got == name).map(|(_, value)| value.as_str())
    }
}

/// The body ended before its framing said so.
#[derive(Debug, PartialEq, Eq)]
pub struct Cut;

/// A whole answer.
#[derive(Clone)]
pub struct Answer {
    pub head: Head,
    pub body: Bytes,
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.head.status
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The text of a chat answer that is no stream.
    pub fn text(&self) -> String {
        self.json()["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned()
    }

    /// `error.code` of OpenAI's error shape.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Fails with the whole answer in the message.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status(), status, "{self:?}");
        self
    }

    /// Fails unless it is this refusal, in OpenAI's shape.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status(), self.code().as_str()), (status, code), "{self:?}");
        let error = &self.json()["error"];
        assert!(error["message"].is_string() && error["type"].is_string(), "{self:?}");
        self
    }

    /// The stream's text.
    pub fn stream(&self) -> Stream {
        Stream::read(&self.body)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.body[..self.body.len().min(2_000)];
        write!(f, "{} {:?}\n{}", self.head.status, self.head.headers, String::from_utf8_lossy(shown))
    }
}

/// What a chat stream said, as a client would understand it.
#[derive(Debug, Default)]
pub struct Stream {
    pub events: Vec<Value>,
    pub text: String,
    pub finish: Option<String>,
    pub usage: Option<Value>,
    pub error: Option<Value>,
    pub done: bool,
}

impl Stream {
    /// Reads the events of a finished or cut stream.
    pub fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body).replace("\r\n", "\n").replace('\r', "\n");
        let mut stream = Self::default();
        for data in text.split('\n').filter_map(|line| line.strip_prefix("data:")) {
            let data = data.strip_prefix(' ').unwrap_or(data);
            assert!(!stream.done, "an event after [DONE]: {data}");
            if data == "[DONE]" {
                stream.done = true;
                continue;
            }
            let event = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data:?}"));
            stream.take(event);
        }
        stream
    }

    fn take(&mut self, event: Value) {
        let choice = &event["choices"][0];
        self.text.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
        if let Some(finish) = choice["finish_reason"].as_str() {
            self.finish = Some(finish.to_owned());
        }
        for (key, place) in [("usage", &mut self.usage), ("error", &mut self.error)] {
            if event.get(key).is_some_and(|value| !value.is_null()) {
                *place = Some(event[key].clone());
            }
        }
        self.events.push(event);
    }

    /// Fails unless the stream came to its proper end with this text.
    #[track_caller]
    pub fn expect_whole(&self, text: &str) {
        assert_eq!((self.text.as_str(), self.done), (text, true), "{self:?}");
        assert!(self.error.is_none() && self.finish.is_some(), "{self:?}");
    }

    /// Fails unless the stream broke off in the one honest way: an error event,
    /// and neither a terminator nor an invented finish.
    #[track_caller]
    pub fn expect_broken(&self, code: &str) {
        let got = self.error.as_ref().and_then(|error| error["code"].as_str());
        assert_eq!((got, self.done, self.finish.as_deref()), (Some(code), false, None), "{self:?}");
    }
}

#[derive(Clone, Copy)]
enum BodyLeft {
    Length(usize),
    Chunked,
    UntilClose,
    Nothing,
}

/// One connection to the hub. Dropping it is leaving.
pub struct Client {
    stream: TcpStream,
    buffer: BytesMut,
    left: BodyLeft,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = patiently("a connection", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: BytesMut::new(), left: BodyLeft::Nothing }
    }

    pub async fn send(&mut self, request: &Request) {
        self.write(&request.bytes()).await;
    }

    /// Writes; a hub that has answered and closed already is no failure here.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = patiently("the hub to read", self.stream.write_all(bytes)).await;
    }

    /// Closes the sending direction only.
    pub async fn half_close(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// The next head, interim answers (1xx) included.
    pub async fn any_head(&mut self) -> Head {
        loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                let bytes = self.buffer.split_to(end + 4);
                let head = parse(&bytes);
                self.left = body_left(&head);
                return head;
            }
            assert!(self.more().await, "the hub closed the connection before a head: {:?}", self.buffer);
        }
    }

    /// From here on the connection is a pipe, as after an upgrade.
    pub fn pipe(&mut self) {
        self.left = BodyLeft::UntilClose;
    }

    /// The next final head.
    pub async fn head(&mut self) -> Head {
        loop {
            let head = self.any_head().await;
            if head.status >= 200 {
                return head;
            }
        }
    }

    /// What arrives next of the body; `None` at its proper end.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, Cut> {
        match self.left {
            BodyLeft::Nothing | BodyLeft::Length(0) => Ok(None),
            BodyLeft::Chunked => self.chunk().await,
            BodyLeft::Length(left) => {
                if self.buffer.is_empty() && !self.more().await {
                    return Err(Cut);
                }
                let piece = self.buffer.split_to(left.min(self.buffer.len())).freeze();
                self.left = BodyLeft::Length(left - piece.len());
                Ok(Some(piece))
            }
            BodyLeft::UntilClose => {
                if self.buffer.is_empty() && !self.more().await {
                    return Ok(None);
                }
                Ok(Some(self.buffer.split().freeze()))
            }
        }
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, Cut> {
        let line_end = loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n") {
                break end;
            }
            if !self.more().await {
                return Err(Cut);
            }
        };
        let line = self.buffer.split_to(line_end + 2);
        let size = String::from_utf8_lossy(&line[..line_end]).into_owned();
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)
            .unwrap_or_else(|error| panic!("chunk size {size:?}: {error}"));
        while self.buffer.len() < size + 2 {
            if !self.more().await {
                return Err(Cut);
            }
        }
        let piece = self.buffer.split_to(size).freeze();
        assert_eq!(&self.buffer.split_to(2)[..], b"\r\n", "a chunk of {size} bytes does not end there");
        if size == 0 {
            self.left = BodyLeft::Nothing;
            return Ok(None);
        }
        Ok(Some(piece))
    }

    /// Everything up to and including `needle`.
    pub async fn until(&mut self, needle: &str) -> Bytes {
        let mut all = BytesMut::new();
        while memchr::memmem::find(&all, needle.as_bytes()).is_none() {
            match self.piece().await {
                Ok(Some(piece)) => all.extend_from_slice(&piece),
                end => panic!("the body ended ({end:?}) before {needle:?}: {all:?}"),
            }
        }
        all.freeze()
    }

    /// The rest of the body, and whether it ended properly.
    pub async fn rest(&mut self) -> (Bytes, Result<(), Cut>) {
        let mut all = BytesMut::new();
        loop {
            match self.piece().await {
                Ok(Some(piece)) => all.extend_from_slice(&piece),
                Ok(None) => return (all.freeze(), Ok(())),
                Err(Cut) => return (all.freeze(), Err(Cut)),
            }
        }
    }

    /// The whole answer.
    pub async fn answer(&mut self) -> Answer {
        let head = self.head().await;
        let (body, ended) = self.rest().await;
        let answer = Answer { head, body };
        assert_eq!(ended, Ok(()), "the answer was cut: {answer:?}");
        answer
    }

    /// Completes when the hub has closed the connection.
    pub async fn closed(&mut self) {
        while self.more().await {}
    }

    /// Reads more; `false` when the other side is gone.
    async fn more(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.buffer);
        matches!(patiently("bytes from the hub", read).await, Ok(1..))
    }
}

fn parse(bytes: &[u8]) -> Head {
    let mut space = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut space);
    response.parse(bytes).unwrap();
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = response.headers.iter().map(|h| (h.name.to_ascii_lowercase(), text(h.value))).collect();
    Head { status: response.code.unwrap_or_default(), headers }
}

fn body_left(head: &Head) -> BodyLeft {
    let length = head.header("content-length").map(|text| text.parse().unwrap());
    let chunked = head.header("transfer-encoding").is_some_and(|value| value.contains("chunked"));
    assert!(!(chunked && length.is_some()), "both framings at once: {head:?}");
    match (head.status, chunked, length) {
        (100..200 | 204 | 304, ..) => BodyLeft::Nothing,
        (_, true, _) => BodyLeft::Chunked,
        (_, false, Some(length)) => BodyLeft::Length(length),
        (_, false, None) => BodyLeft::UntilClose,
    }
}
