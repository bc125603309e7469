//! The one way in which the control plane asks others: one request, one
//! answer, one connection, blocking. Only hosts that the configuration names
//! are asked, and nothing is followed elsewhere.

use crate::config::BaseUrl;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The whole exchange must be over after this.
const PATIENCE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const MOST_BYTES: u64 = 4 << 20;
/// Longest line of a header.
const LONGEST_LINE: u64 = 16 << 10;
const MOST_LINES: usize = 200;

/// A request.
pub(super) struct Request<'a> {
    /// `GET` or `POST`.
    pub(super) method: &'static str,
    /// Where.
    pub(super) base: &'a BaseUrl,
    /// Below the base.
    pub(super) path: &'a str,
    /// Names and values; no line breaks.
    pub(super) headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub(super) body: &'a [u8],
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// Its status.
    pub(super) status: u16,
    /// Its whole body.
    pub(super) body: Vec<u8>,
}

trait Line: Read + Write {}
impl<T: Read + Write> Line for T {}

/// Who asks.
#[derive(Default)]
pub(super) struct Outside {
    /// Made when somebody is first asked over TLS: reading the machine's authorities takes a while.
    tls: OnceLock<Arc<ClientConfig>>,
}

impl Outside {
    /// Asks, and reads the whole answer. Blocks, for half a minute at most.
    ///
    /// # Errors
    /// When no answer came, or none that can be read; whether the request had its effect is unknown then.
    pub(super) fn ask(&self, request: &Request<'_>) -> io::Result<Answer> {
        let until = Instant::now() + PATIENCE;
        let mut stream = self.connect(request.base, until)?;
        stream.write_all(&head(request))?;
        stream.write_all(request.body)?;
        stream.flush()?;
        read(&mut BufReader::new(stream))
    }

    fn connect(&self, base: &BaseUrl, until: Instant) -> io::Result<Box<dyn Line>> {
        let host = base.host.trim_start_matches('[').trim_end_matches(']');
        let mut failed = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
        for address in (host, base.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    let timed = Timed { stream, until };
                    return if base.tls { self.secured(host, timed) } else { Ok(Box::new(timed)) };
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn secured(&self, host: &str, timed: Timed) -> io::Result<Box<dyn Line>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let config = match self.tls.get() {
            Some(kept) => Arc::clone(kept),
            None => Arc::clone(self.tls.get_or_init(|| Arc::new(machines_tls()))),
        };
        let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
        Ok(Box::new(StreamOwned::new(session, timed)))
    }
}

fn head(request: &Request<'_>) -> Vec<u8> {
    let BaseUrl { tls, host, port, path } = request.base;
    let default = if *tls { 443 } else { 80 };
    let port = if *port == default { String::new() } else { format!(":{port}") };
    let mut text = format!("{} {path}{} HTTP/1.1\r\nhost: {host}{port}\r\n", request.method, request.path);
    for (name, value) in request.headers {
        text.push_str(&format!("{name}: {}\r\n", value.replace(['\r', '\n'], " ")));
    }
    text.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", request.body.len()));
    text.into_bytes()
}

/// A socket whose reads and writes end with the exchange's time.
struct Timed {
    stream: TcpStream,
    until: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(buffer)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Believes whom the machine believes. Without readable authorities it believes nobody.
#[expect(clippy::expect_used, reason = "ring can do the versions that rustls has by default")]
fn machines_tls() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in native.errors {
        tracing::warn!(%error, "certificate authorities of this machine cannot be read");
    }
    for certificate in native.certs {
        // An old machine has some that nobody can use; the others suffice.
        let _ = roots.add(certificate);
    }
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn broken(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.to_owned())
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        return Err(broken("the answer's header is cut short"));
    }
    String::from_utf8(bytes)
        .map(|text| text.trim_end().to_owned())
        .map_err(|_| broken("the header is no text"))
}

fn read(reader: &mut impl BufRead) -> io::Result<Answer> {
    let first = line(reader)?;
    let status = first.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.parse::<u16>().ok());
    let status = status.filter(|status| *status >= 200).ok_or_else(|| broken("the answer is no HTTP/1.1"))?;
    let (mut length, mut chunked) = (None, false);
    for count in 0.. {
        let text = line(reader)?;
        if text.is_empty() {
            break;
        }
        let (name, value) =
            text.split_once(':').ok_or_else(|| broken("a line of the header has no colon"))?;
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse::<u64>().ok(),
            "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
            _ => {}
        }
        if count > MOST_LINES {
            return Err(broken("the answer's header has too many lines"));
        }
    }
    let body = match (chunked, length) {
        (true, _) => chunks(reader)?,
        (false, length) => body(reader, length)?,
    };
    Ok(Answer { status, body })
}

fn body(reader: &mut impl BufRead, length: Option<u64>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if length.is_some_and(|length| length > MOST_BYTES) {
        return Err(broken("the answer is too long"));
    }
    let read = reader.by_ref().take(length.unwrap_or(MOST_BYTES)).read_to_end(&mut body)?;
    match length.is_some_and(|length| length != read as u64) {
        true => Err(broken("the answer is cut short")),
        false => Ok(body),
    }
}

fn chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let text = line(reader)?;
        let size = u64::from_str_radix(text.split(';').next().unwrap_or_default().trim(), 16);
        let size = size.map_err(|_| broken("a chunk has no size"))?;
        if size == 0 {
            return Ok(body);
        }
        if size.saturating_add(body.len() as u64) > MOST_BYTES {
            return Err(broken("the answer is too long"));
        }
        let before = body.len() as u64;
        reader.by_ref().take(size).read_to_end(&mut body)?;
        if body.len() as u64 - before != size || !line(reader)?.is_empty() {
            return Err(broken("a chunk is cut short"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> io::Result<Answer> {
        read(&mut BufReader::new(text.as_bytes()))
    }

    #[test]
    fn an_answer_is_read_whole_however_it_is_framed() {
        let with = |rest: &str| answer(&format!("HTTP/1.1 200 OK\r\n{rest}")).unwrap().body;
        assert_eq!(with("Content-Length: 2\r\n\r\nabc"), b"ab");
        assert_eq!(with("Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x=y\r\nbc\r\n0\r\n\r\n"), b"abc");
        assert_eq!(with("\r\nabc"), b"abc");
        assert_eq!(answer("HTTP/1.1 402 \r\ncontent-length: 0\r\n\r\n").unwrap().status, 402);
    }

    #[test]
    fn what_is_cut_short_or_no_answer_is_an_error() {
        for bad in [
            "",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nx\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nz\r\n",
        ] {
            assert!(answer(bad).is_err(), "{bad:?}");
        }
    }
}
