//! What the scripted vendor does with one request: a head, then steps in
//! order. A step is one write or one event on the socket, so a test decides
//! where bytes split, where the vendor stops, and when it goes on.

use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How the end of the body is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `content-length` of all data steps together.
    Length,
    /// `content-length` with this number, whatever the steps send.
    Claims(usize),
    /// Every data step is one chunk.
    Chunked,
    /// The body ends with the connection.
    UntilClose,
}

/// One thing that happens on the socket.
#[derive(Clone, Debug)]
pub enum Step {
    /// Status line and headers.
    Head,
    /// One write.
    Data(Bytes),
    /// Stands still until the test opens the gate.
    Pause(Gate),
    /// Closes without ending the body.
    Cut,
    /// Closes with a TCP reset.
    Reset,
    /// Does nothing more until the client goes away.
    Hang,
    /// Sends back whatever comes, until the client goes away.
    Echo,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub framing: Framing,
    /// Answered as soon as the head of the request is in.
    pub early: bool,
    /// Close the connection after this answer.
    pub close: bool,
    pub steps: Vec<Step>,
}

impl Reply {
    /// An answer without a body yet.
    pub fn new(status: u16, framing: Framing) -> Self {
        Self { status, headers: Vec::new(), framing, early: false, close: false, steps: vec![Step::Head] }
    }

    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::body(status, "application/json", body.to_string())
    }

    /// An answer of any type with a known length.
    pub fn body(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self::new(status, Framing::Length).header("content-type", content_type).raw(body)
    }

    /// OpenAI's error shape.
    pub fn error(status: u16, kind: &str, code: &str, message: &str) -> Self {
        let error = json!({ "message": message, "type": kind, "param": null, "code": code });
        Self::json(status, &json!({ "error": error }))
    }

    /// A vendor's throttling; `retry_after` in seconds when it names one.
    pub fn throttled(retry_after: Option<u32>) -> Self {
        let reply = Self::error(429, "requests", "rate_limit_exceeded", "Rate limit reached for requests");
        match retry_after {
            Some(seconds) => reply.header("retry-after", &seconds.to_string()),
            None => reply,
        }
    }

    /// A vendor's failure.
    pub fn failed(status: u16) -> Self {
        Self::error(status, "server_error", "server_error", "The server had an error")
    }

    /// The head of an event stream.
    pub fn sse() -> Self {
        Self::new(200, Framing::Chunked).header("content-type", "text/event-stream; charset=utf-8")
    }

    /// Accepts the request and never answers.
    pub fn hang_before_header() -> Self {
        Self { steps: vec![Step::Hang], ..Self::new(200, Framing::Chunked) }
    }

    /// Closes the connection instead of answering.
    pub fn cut_before_header() -> Self {
        Self { steps: vec![Step::Cut], ..Self::new(200, Framing::Chunked) }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Answers before the request's body is read.
    pub fn early(mut self) -> Self {
        self.early = true;
        self
    }

    /// Waits at the gate before anything is sent.
    pub fn after(mut self, gate: &Gate) -> Self {
        self.steps.insert(0, Step::Pause(gate.clone()));
        self
    }

    /// One write of these bytes.
    pub fn raw(mut self, bytes: impl Into<Bytes>) -> Self {
        self.steps.push(Step::Data(bytes.into()));
        self
    }

    /// One event with a `data:` line.
    pub fn event(self, data: &Value) -> Self {
        self.raw(format!("data: {data}\n\n"))
    }

    /// One event with its name, which is its type too, as Anthropic writes them.
    pub fn anthropic(self, data: &Value) -> Self {
        let name = data["type"].as_str().unwrap_or_default();
        self.raw(format!("event: {name}\ndata: {data}\n\n"))
    }

    /// One content delta of a chat stream.
    pub fn text(self, text: &str) -> Self {
        self.event(&super::vendor::delta(json!({ "content": text }), Value::Null))
    }

    /// The finish, and the terminator.
    pub fn stop(self) -> Self {
        self.event(&super::vendor::delta(json!({}), json!("stop"))).done()
    }

    /// `data: [DONE]`
    pub fn done(self) -> Self {
        self.raw("data: [DONE]\n\n")
    }

    /// Waits at the gate.
    pub fn pause(mut self, gate: &Gate) -> Self {
        self.steps.push(Step::Pause(gate.clone()));
        self
    }

    pub fn cut(mut self) -> Self {
        self.steps.push(Step::Cut);
        self
    }

    pub fn reset(mut self) -> Self {
        self.steps.push(Step::Reset);
        self
    }

    pub fn hang(mut self) -> Self {
        self.steps.push(Step::Hang);
        self
    }

    /// An accepted WebSocket whose other end repeats every byte.
    pub fn echoing_websocket() -> Self {
        let mut reply = Self::new(101, Framing::UntilClose)
            .header("upgrade", "websocket")
            .header("connection", "Upgrade")
            .header("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        reply.steps.push(Step::Echo);
        reply
    }

    /// The same bytes, but written in pieces that end at `positions` (of all data together).
    pub fn split_at(mut self, positions: &[usize]) -> Self {
        let mut at = 0;
        let mut steps = Vec::new();
        for step in self.steps {
            let Step::Data(mut bytes) = step else {
                steps.push(step);
                continue;
            };
            for position in positions {
                if (at + 1..at + bytes.len()).contains(position) {
                    steps.push(Step::Data(bytes.split_to(position - at)));
                    at = *position;
                }
            }
            at += bytes.len();
            steps.push(Step::Data(bytes));
        }
        self.steps = steps;
        self
    }

    /// The same bytes, written in pieces of `size` that ignore where the events end.
    pub fn in_pieces(mut self, size: usize) -> Self {
        let all: Vec<u8> = self.data();
        self.steps.retain(|step| !matches!(step, Step::Data(_)));
        let pieces = all.chunks(size).map(|piece| Step::Data(Bytes::copy_from_slice(piece)));
        let head = self.steps.iter().position(|step| matches!(step, Step::Head)).map_or(0, |at| at + 1);
        self.steps.splice(head..head, pieces);
        self
    }

    /// The same with another text for one that occurs in the body.
    pub fn replaced(mut self, from: &str, to: &str) -> Self {
        for step in &mut self.steps {
            if let Step::Data(bytes) = step {
                *bytes = String::from_utf8_lossy(bytes).replace(from, to).into();
            }
        }
        self
    }

    /// All data of the body.
    pub fn data(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for step in &self.steps {
            if let Step::Data(bytes) = step {
                all.extend_from_slice(bytes);
            }
        }
        all
    }
}

/// A place where the vendor stands still until the test lets it go on.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    arrived: Semaphore,
    open: Semaphore,
}

impl Gate {
    pub fn new() -> Self {
        Self(Arc::new(Inner { arrived: Semaphore::new(0), open: Semaphore::new(0) }))
    }

    /// Completes when the vendor has arrived, that is, has written all before.
    pub async fn reached(&self) {
        let arrived = self.0.arrived.acquire();
        super::super::patiently("the vendor to reach the gate", arrived).await.unwrap().forget();
    }

    /// Lets one arrival pass.
    pub fn open(&self) {
        self.0.open.add_permits(1);
    }

    /// Lets everybody pass from now on.
    pub fn open_for_good(&self) {
        self.0.open.close();
    }

    pub(super) async fn pass(&self) {
        self.0.arrived.add_permits(1);
        if let Ok(permit) = self.0.open.acquire().await {
            permit.forget();
        }
    }
}
