//! Whom a server must be vouched for by.

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(super) async fn secured(
    host: &str,
    stream: TcpStream,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, String> {
    let name = ServerName::try_from(host.to_owned()).map_err(|error| format!("{host}: {error}"))?;
    TlsConnector::from(config).connect(name, stream).await.map_err(|error| format!("TLS: {error}"))
}

/// Trusts a private CA alone.
pub(super) fn private(ca: &[Vec<u8>]) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    for der in ca {
        let added = roots.add(CertificateDer::from(der.as_slice()));
        added.map_err(|error| format!("the CA: {error}"))?;
    }
    trusting(roots)
}

/// Trusts whom the machine trusts.
pub(super) async fn machine() -> Result<Arc<ClientConfig>, String> {
    let read = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
    let read = read.map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    // An old machine has some that nobody can use; the others suffice.
    roots.add_parsable_certificates(read.certs);
    if roots.is_empty() {
        return Err(format!("the machine has no certificates of authorities: {:?}", read.errors));
    }
    trusting(roots)
}

fn trusting(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
