//! The vendor's side of one HTTP/1.1 connection, by hand: what goes on the
//! wire is exactly what the reply's steps say.

use super::reply::{Framing, Reply, Step};
use super::{Seen, Shared};
use bytes::{Buf, BytesMut};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// How the answer to one request ended.
enum Ended {
    /// Whole; the connection may be used again.
    KeepAlive,
    /// Whole or cut on purpose; the connection is over.
    Close,
    /// The client went away before the end.
    Aborted,
    /// From here on the connection is a pipe back to where it came from.
    Echo,
}

struct Connection {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    buffer: BytesMut,
    number: usize,
}

/// Serves one connection until either side is done with it.
pub async fn serve(stream: TcpStream, number: usize, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    let mut connection = Connection { reader, writer, buffer: BytesMut::new(), number };
    while let Some((mut seen, framing)) = connection.head().await? {
        let early = shared.early_reply();
        if early.is_none() {
            connection.body(&framing, &mut seen).await?;
        }
        let reply = shared.reply(seen, early);
        let mut ended = connection.answer(&reply).await;
        if matches!(ended, Ended::Echo) {
            ended = connection.echo().await;
        }
        match ended {
            Ended::KeepAlive => shared.count(|counts| counts.finished += 1),
            Ended::Close => {
                shared.count(|counts| counts.finished += 1);
                return Ok(());
            }
            Ended::Aborted | Ended::Echo => {
                shared.count(|counts| counts.aborted += 1);
                return Ok(());
            }
        }
    }
    Ok(())
}

/// How the request's body is framed.
struct BodyFraming {
    length: usize,
    chunked: bool,
    expects_continue: bool,
}

impl Connection {
    /// The next request's head; `None` when the client closed between requests.
    async fn head(&mut self) -> io::Result<Option<(Seen, BodyFraming)>> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head = self.buffer.split_to(end + 4);
                return parse(&head, self.number).map(Some);
            }
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    async fn body(&mut self, framing: &BodyFraming, seen: &mut Seen) -> io::Result<()> {
        if framing.expects_continue {
            self.writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let mut body = Vec::new();
        if framing.chunked {
            loop {
                let size = self.line().await?;
                let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
                body.extend_from_slice(&self.exactly(size).await?);
                self.exactly(2).await?;
                if size == 0 {
                    break;
                }
            }
        } else {
            body.extend_from_slice(&self.exactly(framing.length).await?);
        }
        seen.body = body.into();
        Ok(())
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let line = self.buffer.split_to(end + 2);
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.more().await?;
        }
    }

    async fn exactly(&mut self, count: usize) -> io::Result<BytesMut> {
        while self.buffer.len() < count {
            self.more().await?;
        }
        Ok(self.buffer.split_to(count))
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.reader.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Plays the reply while watching whether the client is still there.
    async fn answer(&mut self, reply: &Reply) -> Ended {
        let Self { reader, writer, .. } = self;
        let pipe = matches!(reply.steps.last(), Some(Step::Echo));
        tokio::select! { biased;
            ended = play(writer, reply) => ended.unwrap_or(Ended::Aborted),
            () = gone(reader), if !pipe => Ended::Aborted,
        }
    }

    async fn echo(&mut self) -> Ended {
        let head_start = self.buffer.split();
        let echoed = async {
            self.writer.write_all(&head_start).await?;
            tokio::io::copy(&mut self.reader, &mut self.writer).await
        };
        let _ = echoed.await;
        Ended::Aborted
    }
}

/// Completes when the client has closed or reset the connection. What it still
/// sends (the rest of a body that was answered early) is thrown away.
async fn gone(reader: &mut OwnedReadHalf) {
    let mut scrap = [0; 4096];
    while let Ok(1..) = reader.read(&mut scrap).await {}
}

async fn play(writer: &mut OwnedWriteHalf, reply: &Reply) -> io::Result<Ended> {
    for step in &reply.steps {
        match step {
            Step::Head => writer.write_all(&head(reply)).await?,
            Step::Data(bytes) if reply.framing == Framing::Chunked => {
                let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
                chunk.extend_from_slice(bytes);
                chunk.extend_from_slice(b"\r\n");
                writer.write_all(&chunk).await?;
            }
            Step::Data(bytes) => writer.write_all(bytes).await?,
            Step::Pause(gate) => gate.pass().await,
            Step::Cut => return Ok(Ended::Close),
            Step::Reset => {
                writer.as_ref().set_zero_linger()?;
                return Ok(Ended::Close);
            }
            Step::Hang => std::future::pending().await,
            Step::Echo => return Ok(Ended::Echo),
        }
    }
    if reply.framing == Framing::Chunked {
        writer.write_all(b"0\r\n\r\n").await?;
    }
    let over = reply.close || reply.early || reply.framing == Framing::UntilClose;
    Ok(if over { Ended::Close } else { Ended::KeepAlive })
}

fn head(reply: &Reply) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    match reply.framing {
        Framing::Length => head.push_str(&format!("content-length: {}\r\n", reply.data().len())),
        Framing::Claims(length) => head.push_str(&format!("content-length: {length}\r\n")),
        Framing::Chunked => head.push_str("transfer-encoding: chunked\r\n"),
        Framing::UntilClose => {}
    }
    head.push_str("\r\n");
    head.into_bytes()
}

fn parse(head: &[u8], connection: usize) -> io::Result<(Seen, BodyFraming)> {
    let mut space = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut space);
    request.parse(head).map_err(io::Error::other)?;
    let headers = request
        .headers
        .iter()
        .map(|h| (h.name.to_ascii_lowercase(), String::from_utf8_lossy(h.value).into_owned()))
        .collect();
    let seen = Seen {
        method: request.method.unwrap_or_default().to_owned(),
        path: request.path.unwrap_or_default().to_owned(),
        headers,
        body: bytes::Bytes::new(),
        connection,
    };
    let has = |name, value| seen.header(name).is_some_and(|got| got.eq_ignore_ascii_case(value));
    let framing = BodyFraming {
        length: seen.header("content-length").map_or(Ok(0), str::parse).map_err(io::Error::other)?,
        chunked: has("transfer-encoding", "chunked"),
        expects_continue: has("expect", "100-continue"),
    };
    Ok((seen, framing))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack.chunk(), needle)
}
