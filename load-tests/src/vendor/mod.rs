//! A mock vendor: OpenAI-shaped answers over keep-alive HTTP/1.1, at the speed
//! of a socket. What it answers is decided by the model's name (see [`ask`]), so
//! that any gateway can stand in between.

pub mod answer;
pub mod ask;

use crate::http1::{Kind, Message};
use crate::machine::now_ns;
use answer::Events;
use anyhow::{Context, Result};
use ask::{Ask, Ends, Pace};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

const READ_BYTES: usize = 64 * 1024;

/// Serves until the process is ended.
pub async fn serve(listen: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen).await.with_context(|| format!("listening on {listen}"))?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A connection ends with its peer; a gateway that hangs up is not an error here.
        tokio::spawn(async move { connection(stream).await.ok() });
    }
}

async fn connection(mut stream: TcpStream) -> Result<()> {
    let mut message = Message::new(Kind::Request);
    // Small until a large body comes, so that thousands of streams stay cheap.
    let mut input = vec![0; 4096];
    let mut pending = Vec::new();
    let mut out = Vec::with_capacity(1024);
    loop {
        message.reset();
        let mut ends = Ends::default();
        let used = message.feed(&pending, &mut ends)?;
        pending.drain(..used);
        while !message.is_done() {
            let read = stream.read(&mut input).await?;
            let bytes = input.get(..read).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(());
            }
            let used = message.feed(bytes, &mut ends)?;
            pending.extend_from_slice(bytes.get(used..).unwrap_or_default());
            if read == input.len() && read < READ_BYTES {
                input.resize(READ_BYTES, 0);
            }
        }
        answer(&mut stream, &Ask::read(&message, &ends), &mut out).await?;
    }
}

async fn answer(stream: &mut TcpStream, ask: &Ask, out: &mut Vec<u8>) -> io::Result<()> {
    out.clear();
    match *ask {
        Ask::Alive => out.extend_from_slice(answer::ALIVE),
        Ask::Incomplete => out.extend_from_slice(answer::INCOMPLETE),
        Ask::Whole => answer::whole(out),
        Ask::Stream { pace: Pace::Burst { events }, usage } => burst(out, events, usage),
        Ask::Stream { pace: Pace::Paced { gap, events }, usage } => {
            let mut rendered = Events::new();
            let start = Instant::now();
            let sleep = sleep_until(start);
            tokio::pin!(sleep);
            out.extend_from_slice(answer::STREAM_HEAD);
            for number in 0..events {
                // The first one leaves at once: a timer would wait for its next tick of a millisecond.
                if number > 0 {
                    // Always from the start, so that a late event does not delay those behind it.
                    sleep.as_mut().reset(start + gap * number);
                    sleep.as_mut().await;
                }
                rendered.push(out, number, now_ns());
                if number + 1 == events {
                    answer::push_end(out, usage);
                }
                stream.write_all(out).await?;
                out.clear();
            }
            return Ok(());
        }
    }
    stream.write_all(out).await
}

fn burst(out: &mut Vec<u8>, events: u32, usage: bool) {
    let mut rendered = Events::new();
    let now = now_ns();
    out.extend_from_slice(answer::STREAM_HEAD);
    for number in 0..events {
        rendered.push(out, number, now);
    }
    answer::push_end(out, usage);
}
