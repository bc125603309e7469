//! Opens the TCP connection: to the vendor, or through an HTTP CONNECT proxy
//! (RFC 9110 §9.3.6).

use crate::config::{ConnectProxy, Provider};
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use pingora::connectors::L4Connect;
use pingora::protocols::l4::{socket::SocketAddr, stream::Stream};
use pingora::{Error, ErrorType, Result};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The proxy's answer to CONNECT.
const MAX_ANSWER_BYTES: usize = 8 * 1024;

/// Connects for one provider.
#[derive(Debug)]
pub(super) struct Dial {
    timeout: Duration,
    through: Option<Through>,
}

struct Through {
    /// The vendor's `host:port`.
    target: String,
    authorization: Option<String>,
}

impl std::fmt::Debug for Through {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CONNECT {}", self.target)
    }
}

impl Dial {
    pub(super) fn new(provider: &Provider) -> Self {
        let base = &provider.base;
        let through = provider.connect_proxy.as_ref().map(|proxy| Through {
            target: format!("{}:{}", base.host, base.port),
            authorization: authorization(proxy),
        });
        Self { timeout: provider.clocks.connect, through }
    }

    async fn open(&self, address: std::net::SocketAddr) -> std::io::Result<TcpStream> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        if let Some(through) = &self.through {
            tunnel(&mut stream, through).await?;
        }
        Ok(stream)
    }
}

#[async_trait]
impl L4Connect for Dial {
    async fn connect(&self, address: &SocketAddr) -> Result<Stream> {
        let Some(address) = address.as_inet() else {
            return Error::e_explain(ErrorType::ConnectError, "not an internet address");
        };
        match tokio::time::timeout(self.timeout, self.open(*address)).await {
            Ok(Ok(stream)) => Ok(Stream::from(stream)),
            Ok(Err(e)) => Error::e_because(ErrorType::ConnectError, format!("connecting to {address}"), e),
            Err(_) => Error::e_explain(ErrorType::ConnectTimedout, format!("connecting to {address}")),
        }
    }
}

fn authorization(proxy: &ConnectProxy) -> Option<String> {
    let secret = proxy.authorization.as_ref()?;
    Some(format!("Basic {}", STANDARD.encode(secret.expose())))
}

async fn tunnel(stream: &mut TcpStream, through: &Through) -> std::io::Result<()> {
    let target = &through.target;
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n");
    if let Some(authorization) = &through.authorization {
        request.push_str("proxy-authorization: ");
        request.push_str(authorization);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await?;
    // Byte by byte up to the blank line: what follows belongs to the vendor's TLS.
    let mut answer = Vec::with_capacity(256);
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= MAX_ANSWER_BYTES {
            return Err(std::io::Error::other("the egress proxy's answer is too long"));
        }
        answer.push(stream.read_u8().await?);
    }
    let status = answer.split(|b| *b == b' ').nth(1).unwrap_or_default();
    if status.starts_with(b"2") && status.len() == 3 {
        return Ok(());
    }
    let status = String::from_utf8_lossy(status).into_owned();
    Err(std::io::Error::other(format!("the egress proxy answered {status} to CONNECT")))
}
