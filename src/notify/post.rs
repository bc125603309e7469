//! A notice by HTTP. The address is looked at before it is connected to, and
//! it is that address that is connected to; a name that resolves anew in
//! between leads nowhere. Redirects are not followed.

use super::delivery::Delivery;
use super::outbox::Verdict;
use super::sign::{SIGNATURE_HEADER, signature};
use crate::access::{AddressSet, may_call};
use crate::types::{Secret, Wall};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

/// For the connection, TLS included, and then for the answer's header.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(15);

/// How receivers are proved. The machine's certificates are read once, when the first notice goes
/// out by HTTPS.
#[derive(Default)]
pub(super) struct Authorities(OnceCell<Arc<ClientConfig>>);

/// What a receiver said.
pub(super) struct Answer {
    pub(super) status: u16,
    retry_after: Option<Duration>,
}

impl Answer {
    /// 2xx is an arrival, 410 an end; after everything else it may go better later.
    pub(super) fn verdict(&self) -> Verdict {
        match self.status {
            200..=299 => Verdict::Done,
            410 => Verdict::Never,
            _ => Verdict::Later(self.retry_after),
        }
    }

    pub(super) fn error(&self) -> String {
        match self.status {
            200..=299 => String::new(),
            300..=399 => "the receiver redirects, and redirects are not followed".to_owned(),
            410 => "the receiver says that it is gone for good".to_owned(),
            status => format!("the receiver answered {status}"),
        }
    }
}

/// Where a URL leads.
struct Place {
    uri: Uri,
    tls: bool,
    host: String,
    port: u16,
}

impl Place {
    fn of(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|_| "is no URL".to_owned())?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("begins with https:// or http://".to_owned()),
        };
        let authority = uri.authority().ok_or("names no host")?;
        if authority.as_str().contains('@') {
            return Err("has a name or password in it; the signature shows who we are".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err("names no host".to_owned());
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { uri, tls, host, port })
    }

    /// Connects to an address of the host that may be called. Plain HTTP goes only where the
    /// operator has opened the way: elsewhere it would show tenants' affairs to everybody between.
    async fn connect(&self, allow: &AddressSet) -> Result<TcpStream, String> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let found: Vec<SocketAddr> = found.map_err(|error| format!("{}: {error}", self.host))?.collect();
        let permitted = |address: &&SocketAddr| {
            may_call(address.ip(), allow) && (self.tls || allow.contains(address.ip().to_canonical()))
        };
        let mut why = match (found.is_empty(), self.tls) {
            (true, _) => format!("{} has no address", self.host),
            (false, true) => {
                format!("{} is no public address, and notices.allow does not name it", self.host)
            }
            (false, false) => {
                format!("{} is not in notices.allow, and only those may be told without TLS", self.host)
            }
        };
        for address in found.iter().filter(permitted) {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => why = format!("{address}: {error}"),
            }
        }
        Err(why)
    }
}

/// Sends a delivery.
///
/// # Errors
/// Why nobody answered.
pub(super) async fn post(
    url: &str,
    secrets: &[Secret],
    delivery: &Delivery,
    at: Wall,
    (allow, authorities): (&AddressSet, &Authorities),
) -> Result<Answer, String> {
    let place = Place::of(url).map_err(|error| format!("the URL {error}"))?;
    let request = request(&place, secrets, delivery, at)?;
    let connecting = async {
        let stream = place.connect(allow).await?;
        let _ = stream.set_nodelay(true);
        Ok::<_, String>(match place.tls {
            true => Stream::Tls(Box::new(secured(&place.host, stream, authorities).await?)),
            false => Stream::Plain(stream),
        })
    };
    let stream = timed(CONNECT, "connecting", connecting).await?;
    timed(ANSWER, "the answer", async {
        match stream {
            Stream::Plain(stream) => exchange(stream, request).await,
            Stream::Tls(stream) => exchange(*stream, request).await,
        }
    })
    .await
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

async fn timed<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let late = |_| format!("{what} took longer than {} s", limit.as_secs());
    tokio::time::timeout(limit, work).await.map_err(late)?
}

fn request(
    place: &Place,
    secrets: &[Secret],
    delivery: &Delivery,
    at: Wall,
) -> Result<Request<Full<Bytes>>, String> {
    let body = delivery.notice.body();
    let path = place.uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = place.uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    let attempt = delivery.attempts.saturating_add(1);
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, authority)
        .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(header::USER_AGENT, concat!("aigne-hub/", env!("CARGO_PKG_VERSION")))
        .header("x-aigne-notice", &*delivery.notice.id)
        .header("x-aigne-type", delivery.notice.kind.name())
        .header("x-aigne-attempt", attempt)
        .header(SIGNATURE_HEADER, signature(secrets, at, &body))
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())
}

async fn secured(
    host: &str,
    stream: TcpStream,
    authorities: &Authorities,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, String> {
    let config = authorities.0.get_or_try_init(client_config).await?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| format!("{host}: {error}"))?;
    TlsConnector::from(Arc::clone(config))
        .connect(name, stream)
        .await
        .map_err(|error| format!("TLS: {error}"))
}

async fn client_config() -> Result<Arc<ClientConfig>, String> {
    let read = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
    let read = read.map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(read.certs);
    if roots.is_empty() {
        return Err("the machine has no certificates of authorities to prove receivers by".to_owned());
    }
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}

/// One request on a connection of its own. Of the answer only the header is read.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Answer, String> {
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let answer = async {
        // Dropped with its receiver, when the header is there.
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let seconds = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = seconds.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        Ok(Answer { status: response.status().as_u16(), retry_after })
    };
    tokio::pin!(connection);
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        ended = &mut connection => match ended {
            // The header may have come together with the end.
            Ok(()) => answer.await,
            Err(error) => Err(error.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[tokio::test]
    async fn what_is_inside_is_not_connected_to_by_address_or_by_name() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]"] {
            for scheme in ["http", "https"] {
                let place = Place::of(&format!("{scheme}://{host}:{port}/")).unwrap();
                let error = place.connect(&AddressSet::default()).await.unwrap_err();
                assert!(error.contains("notices.allow"), "{host}: {error}");
            }
        }
        let allow = AddressSet::parse(&["127.0.0.1"]).unwrap();
        let place = Place::of(&format!("http://127.0.0.1:{port}/")).unwrap();
        assert!(place.connect(&allow).await.is_ok());
    }

    #[test]
    fn only_2xx_is_an_arrival_and_only_410_an_end() {
        let verdict = |status| Answer { status, retry_after: None }.verdict();
        assert_eq!((verdict(200), verdict(204)), (Verdict::Done, Verdict::Done));
        assert_eq!(verdict(410), Verdict::Never);
        for status in [301, 400, 404, 429, 500] {
            assert_eq!(verdict(status), Verdict::Later(None));
        }
    }
}
