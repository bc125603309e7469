//! The generator's HTTP/1.1 client: raw sockets, one connection per task, one
//! read buffer for all of them. Every answer is checked to its last byte.

pub mod events;

use crate::http1::{Kind, Message, Sink};
use crate::machine::now_ns;
use crate::prompt::{Delivery, Dialect, Prompt, write_digits, write_seed};
use crate::vendor::answer::ANSWER_MARK;
use anyhow::{Context, Result, bail};
use events::StreamCheck;
use memchr::memmem;
use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::net::TcpStream;

const READ_BYTES: usize = 256 * 1024;
const MAX_ANSWER_BYTES: usize = 64 * 1024;
const KEY_DIGITS: usize = 8;

thread_local! {
    // Borrowed only between two awaits, so that thousands of streams share one buffer.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Where requests go.
#[derive(Clone, Debug)]
pub struct Target {
    /// The public address.
    pub address: SocketAddr,
    /// How many keys take turns, each request with another one.
    pub keys: u32,
}

const KEY_START: &str = "key-of-the-load-tests-";

/// The secret of a key, all of one length.
pub fn key(number: u32) -> String {
    format!("{KEY_START}{number:0KEY_DIGITS$}")
}

/// What one kind of request sends and what it expects back.
#[derive(Debug)]
pub struct Ask {
    front: Vec<u8>,
    key_at: usize,
    keys: u32,
    seed_at: usize,
    tail: Vec<u8>,
    /// Content events of a stream; `None` for a whole answer.
    events: Option<u32>,
}

impl Ask {
    /// A chat completion of `bytes` bytes that is answered whole.
    pub fn whole(target: &Target, bytes: usize) -> Rc<Self> {
        let prompt = Prompt::new(Dialect::OpenAi, "mock/fast", bytes, Delivery::Whole);
        Self::new(target, "/v1/chat/completions", &prompt, None)
    }

    /// A chat completion of `bytes` bytes that is answered by a stream; the model says how.
    pub fn stream(target: &Target, bytes: usize, model: &str, events: u32) -> Rc<Self> {
        let prompt = Prompt::new(Dialect::OpenAi, model, bytes, Delivery::Stream);
        Self::new(target, "/v1/chat/completions", &prompt, Some(events))
    }

    /// The same by the Anthropic endpoint, which the hub has to translate for this vendor.
    pub fn translated(target: &Target, bytes: usize, model: &str, events: u32) -> Rc<Self> {
        let prompt = Prompt::new(Dialect::Anthropic, model, bytes, Delivery::Stream);
        Self::new(target, "/v1/messages", &prompt, Some(events))
    }

    fn new(target: &Target, path: &str, prompt: &Prompt, events: Option<u32>) -> Rc<Self> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nuser-agent: load-tests/1\r\naccept: */*\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nauthorization: Bearer {}\r\n\r\n",
            target.address,
            prompt.len(),
            key(0),
        );
        let key_at = head.len() - 4 - KEY_DIGITS;
        let seed_at = head.len() + prompt.seed_at;
        let front = [head.as_bytes(), &prompt.front].concat();
        Rc::new(Self { front, key_at, keys: target.keys, seed_at, tail: prompt.tail.clone(), events })
    }

    /// Writes the request with this number: its own seed, and the key whose turn it is.
    fn write_front(&self, number: u64, front: &mut Vec<u8>) {
        front.clear();
        front.extend_from_slice(&self.front);
        write_seed(front, self.seed_at, number);
        // A large odd step, so that neighbours in time are not neighbours in a table.
        let turn = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        write_digits(front.get_mut(self.key_at..self.key_at + KEY_DIGITS), turn % u64::from(self.keys));
    }
}

/// When things happened, in nanoseconds of the machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Just before the first byte was written.
    pub sent: u64,
    /// The first content event was complete (for a whole answer: the answer).
    pub first: u64,
    /// The answer was complete.
    pub done: u64,
}

/// Told about the events of a stream while it runs.
pub trait Watch {
    /// Some events have arrived; each took the given nanoseconds.
    fn events(&self, delays: &mut dyn Iterator<Item = u64>);
}

impl Watch for () {
    fn events(&self, delays: &mut dyn Iterator<Item = u64>) {
        delays.for_each(drop);
    }
}

/// One keep-alive connection, opened when it is first needed.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    message: Message,
    front: Vec<u8>,
    seed: u64,
}

impl Connection {
    /// A connection that is not open yet. `number` makes its seeds its own.
    pub fn new(target: &Target, number: u64) -> Self {
        let message = Message::new(Kind::Response);
        Self { address: target.address, stream: None, message, front: Vec::new(), seed: number * 7_919 }
    }

    /// Sends one request, reads its whole answer and checks it.
    pub async fn exchange(&mut self, ask: &Ask, watch: &impl Watch) -> Result<Times> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address).await.context("connecting")?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        self.seed += 1;
        ask.write_front(self.seed, &mut self.front);
        let sent = now_ns();
        write_both(&stream, &self.front, &ask.tail).await.context("writing the request")?;
        self.message.reset();
        let first = match ask.events {
            None => self.whole(&stream).await?,
            Some(events) => self.streamed(&stream, events, watch).await?,
        };
        if self.message.keeps_alive() {
            self.stream = Some(stream);
        }
        Ok(Times { sent, first, done: now_ns() })
    }

    async fn whole(&mut self, stream: &TcpStream) -> Result<u64> {
        let mut body = Body::default();
        let mut arrived = 0;
        while !self.message.is_done() {
            arrived = read_some(stream, &mut self.message, &mut body, |_, _| ()).await?;
        }
        check_status(&self.message, &body.0)?;
        if memmem::find(&body.0, ANSWER_MARK.as_bytes()).is_none() || !body.0.ends_with(b"}") {
            bail!("answer is not complete");
        }
        Ok(arrived)
    }

    async fn streamed(&mut self, stream: &TcpStream, events: u32, watch: &impl Watch) -> Result<u64> {
        let mut check = StreamCheck::default();
        while !self.message.is_done() {
            read_some(stream, &mut self.message, &mut check, StreamCheck::arrived).await?;
            watch.events(&mut check.take_delays());
        }
        check_status(&self.message, check.opening())?;
        check.finish(events)?;
        check.first_ns().context("stream without an event")
    }
}

/// Waits for bytes and feeds them; returns when they arrived.
async fn read_some<S: Sink>(
    stream: &TcpStream,
    message: &mut Message,
    sink: &mut S,
    arrived: impl Fn(&mut S, u64),
) -> Result<u64> {
    loop {
        stream.readable().await?;
        let read = BUFFER.with_borrow_mut(|buffer| -> Result<Option<u64>> {
            let count = match stream.try_read(buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error).context("reading the answer"),
            };
            let now = now_ns();
            arrived(sink, now);
            let bytes = buffer.get(..count).unwrap_or_default();
            if bytes.is_empty() {
                message.close()?;
            } else if message.feed(bytes, sink)? != count {
                bail!("bytes behind the answer");
            }
            Ok(Some(now))
        })?;
        if let Some(now) = read {
            return Ok(now);
        }
    }
}

/// Writes two parts with as few calls as the socket allows, without joining them.
async fn write_both(stream: &TcpStream, front: &[u8], tail: &[u8]) -> io::Result<()> {
    let mut written = 0;
    while written < front.len() + tail.len() {
        stream.writable().await?;
        let first = front.get(written..).unwrap_or_default();
        let second = tail.get(written.saturating_sub(front.len())..).unwrap_or_default();
        match stream.try_write_vectored(&[IoSlice::new(first), IoSlice::new(second)]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn check_status(message: &Message, body: &[u8]) -> Result<()> {
    match message.status() {
        Some(200) => Ok(()),
        status => {
            let start = body.get(..body.len().min(300)).unwrap_or_default();
            bail!("status {}: {}", status.unwrap_or(0), String::from_utf8_lossy(start))
        }
    }
}

/// A whole answer, kept to be looked at.
#[derive(Debug, Default)]
struct Body(Vec<u8>);

impl Sink for Body {
    fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        if self.0.len() + bytes.len() > MAX_ANSWER_BYTES {
            bail!("answer of more than {MAX_ANSWER_BYTES} bytes");
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}
