//! The certificate of the public listener, replaced while running.

use arc_swap::ArcSwap;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Serves one certificate; `reload` changes it for new connections.
pub(super) struct CertificateResolver {
    current: ArcSwap<CertifiedKey>,
    certificate: PathBuf,
    key: PathBuf,
}

impl std::fmt::Debug for CertificateResolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CertificateResolver({})", self.certificate.display())
    }
}

impl CertificateResolver {
    /// Reads chain and key.
    ///
    /// # Errors
    /// Says which file is wrong, and how.
    pub(super) fn load(certificate: &Path, key: &Path) -> Result<Arc<Self>, String> {
        let current = ArcSwap::from_pointee(read(certificate, key)?);
        Ok(Arc::new(Self { current, certificate: certificate.to_owned(), key: key.to_owned() }))
    }

    /// Reads the files again; on an error the old certificate stays.
    ///
    /// # Errors
    /// Says which file is wrong, and how.
    pub(super) fn reload(&self) -> Result<(), String> {
        self.current.store(Arc::new(read(&self.certificate, &self.key)?));
        Ok(())
    }
}

impl ResolvesServerCert for CertificateResolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn read(certificate: &Path, key: &Path) -> Result<CertifiedKey, String> {
    let at = |path: &Path, what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| at(certificate, &e))?;
    if chain.is_empty() {
        return Err(at(certificate, &"no certificate in the file"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| at(key, &e))?;
    let signer = any_supported_type(&private).map_err(|e| at(key, &e))?;
    let certified = CertifiedKey::new(chain, signer);
    certified.keys_match().map_err(|e| at(key, &format!("does not belong to the certificate: {e}")))?;
    Ok(certified)
}
