//! Asks web servers on behalf of the control plane: one request, one bounded answer, a connection
//! of its own. The data plane's client and its pools are for vendors only.

use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// For everything together: name, connection, TLS, answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const LARGEST: usize = 1 << 20;

/// What is asked.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) url: &'a str,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: String,
    /// A private CA in place of the system's, as DER.
    pub(super) ca: Option<&'a [Vec<u8>]>,
}

impl<'a> Ask<'a> {
    /// A plain question.
    pub(super) fn get(url: &'a str, ca: Option<&'a [Vec<u8>]>) -> Self {
        let accept = (header::ACCEPT, HeaderValue::from_static("application/json"));
        Self { method: Method::GET, url, headers: vec![accept], body: String::new(), ca }
    }
}

/// Asks, and gives status and body. Redirects are not followed.
///
/// # Errors
/// What kept it from having an answer, for the log.
pub(super) async fn fetch(ask: Ask<'_>) -> Result<(StatusCode, Vec<u8>), String> {
    let url = ask.url.to_owned();
    match tokio::time::timeout(PATIENCE, fetched(ask)).await {
        Ok(answer) => answer.map_err(|error| format!("{url}: {error}")),
        Err(_) => Err(format!("{url}: no answer within {} s", PATIENCE.as_secs())),
    }
}

async fn fetched(ask: Ask<'_>) -> Result<(StatusCode, Vec<u8>), String> {
    let uri: Uri = ask.url.parse().map_err(|_| "is no URL")?;
    let host = uri.host().ok_or("names no host")?.trim_start_matches('[').trim_end_matches(']').to_owned();
    let tls = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|error| error.to_string())?;
    if !tls {
        return exchange(TokioIo::new(stream), ask, &uri).await;
    }
    let config = client_config(ask.ca)?;
    let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
    exchange(TokioIo::new(stream), ask, &uri).await
}

async fn exchange<S>(stream: TokioIo<S>, ask: Ask<'_>, uri: &Uri) -> Result<(StatusCode, Vec<u8>), String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let told = |error: hyper::Error| error.to_string();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let mut request = Request::builder()
        .method(ask.method)
        .uri(path)
        .header(header::HOST, authority)
        .header(header::USER_AGENT, concat!("aigne-hub/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close");
    for (name, value) in ask.headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(Bytes::from(ask.body))).map_err(|error| error.to_string())?;
    let (mut sender, connection) = http1::handshake(stream).await.map_err(told)?;
    let answer = async move {
        let response = sender.send_request(request).await.map_err(told)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        let body = body.map_err(|error| error.to_string())?;
        Ok((status, body.to_bytes().to_vec()))
    };
    // The connection ends when its sender is gone, with the answer.
    let (answer, _) = tokio::join!(answer, connection);
    answer
}

/// Trusts the private CA, or what the system trusts.
fn client_config(ca: Option<&[Vec<u8>]>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(list) => {
            for der in list {
                let added = roots.add(CertificateDer::from(der.as_slice()));
                added.map_err(|error| format!("the CA: {error}"))?;
            }
        }
        None => {
            let native = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(native.certs);
            if roots.is_empty() {
                return Err(format!("the system has no certificates of authorities: {:?}", native.errors));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
