//! Who hears of notices: a scripted receiver of webhooks, and a mail server
//! that takes everything.

use super::patiently;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// One request to a receiver.
#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Received {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Answers with the statuses of its script, then always with 204.
pub struct Receiver {
    address: SocketAddr,
    received: mpsc::UnboundedReceiver<Received>,
}

impl Receiver {
    pub async fn start(script: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, received) = mpsc::unbounded_channel();
        let script = Mutex::new(script.iter().copied().collect::<VecDeque<u16>>());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let status = script.lock().unwrap().pop_front().unwrap_or(204);
                tokio::spawn(answer(stream, status, sender.clone()));
            }
        });
        Self { address, received }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook?a=b", self.address)
    }

    /// The next request.
    pub async fn next(&mut self) -> Received {
        patiently("a notice", self.received.recv()).await.unwrap()
    }

    /// What has come and was not taken.
    pub fn more(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| self.received.try_recv().ok()).collect()
    }
}

async fn answer(stream: TcpStream, status: u16, sender: mpsc::UnboundedSender<Received>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    stream.read_line(&mut first).await.ok()?;
    let path = first.strip_prefix("POST ")?.split(' ').next()?.to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    let said = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nlocation: http://127.0.0.1:1/\r\n\r\n");
    let body = String::from_utf8(body).ok()?;
    // Noted before it is answered: whoever sees the answer sees the note.
    sender.send(Received { path, headers, body }).ok()?;
    stream.get_mut().write_all(said.as_bytes()).await.ok()
}

/// A mail server without TLS; gives the e-mails that it took.
pub struct MailServer {
    address: SocketAddr,
    mails: mpsc::UnboundedReceiver<Vec<String>>,
}

impl MailServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, mails) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take_mail(stream, sender.clone()));
            }
        });
        Self { address, mails }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The lines of the next e-mail, its envelope before them.
    pub async fn next(&mut self) -> Vec<String> {
        patiently("an e-mail", self.mails.recv()).await.unwrap()
    }
}

async fn take_mail(stream: TcpStream, sender: mpsc::UnboundedSender<Vec<String>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut mail = Vec::new();
    let mut in_text = false;
    stream.get_mut().write_all(b"220 test\r\n").await.ok()?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let said: &[u8] = match (in_text, verb.as_str()) {
            (true, ".") => {
                in_text = false;
                sender.send(std::mem::take(&mut mail)).ok()?;
                b"250 ok\r\n"
            }
            (true, _) => {
                mail.push(line);
                continue;
            }
            (false, "DATA") => {
                in_text = true;
                b"354 go on\r\n"
            }
            (false, "QUIT") => b"221 bye\r\n",
            (false, "EHLO" | "HELO") => b"250 test\r\n",
            (false, _) => {
                mail.push(line);
                b"250 ok\r\n"
            }
        };
        stream.get_mut().write_all(said).await.ok()?;
    }
}
