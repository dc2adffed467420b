//! TLS to providers: rustls with ring, TLS 1.2 and up, built-in roots or the provider's own
//! `ca_file`. There is no switch that turns verification off.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// What a provider's TLS connections trust. The built-in roots are parsed at the first handshake
/// and not before, so that the listener is up first.
pub(super) struct Tls {
    own_roots: Option<RootCertStore>,
    config: OnceLock<Arc<ClientConfig>>,
}

impl Tls {
    /// Trusts the certificates of `ca_file` alone, or the built-in roots where there is none.
    ///
    /// # Errors
    /// Where the file cannot be read or holds no usable certificate.
    pub(super) fn new(ca_file: Option<&Path>) -> io::Result<Self> {
        let own_roots = ca_file.map(read_roots).transpose()?;
        Ok(Self { own_roots, config: OnceLock::new() })
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(self.config.get_or_init(|| Arc::new(self.build())))
    }

    fn build(&self) -> ClientConfig {
        let roots = self
            .own_roots
            .clone()
            .unwrap_or_else(|| RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
        ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
    }
}

fn read_roots(path: &Path) -> io::Result<RootCertStore> {
    let bad = |why: String| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()))
    };
    let mut roots = RootCertStore::empty();
    for certificate in
        CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))?
    {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("no certificate in it; a PEM file of roots is wanted".to_owned()));
    }
    Ok(roots)
}
