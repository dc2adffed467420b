//! TLS to providers: rustls with ring, TLS 1.2 and up, built-in roots or the provider's own
//! `ca_file`. There is no switch that turns verification off.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use crate::config::{Place, Provider};
use crate::provider::clock::Clock;
use crate::router::LinkFault;

/// What a provider's TLS connections trust. The built-in roots are parsed at the first handshake
/// and not before, so that the listener is up first.
pub(super) struct Tls {
    own_roots: Option<RootCertStore>,
    begun: ConfigBuilder<ClientConfig, WantsVerifier>,
    config: OnceLock<Arc<ClientConfig>>,
    clock: Arc<Clock>,
    place: Place,
}

impl Tls {
    /// Trusts the certificates of `ca_file` alone, or the built-in roots where there is none.
    ///
    /// # Errors
    /// Where the file cannot be read or holds no usable certificate.
    pub(super) fn new(provider: &Provider, clock: Arc<Clock>) -> io::Result<Self> {
        let own_roots = provider.ca_file.as_deref().map(read_roots).transpose()?;
        let cryptography = Arc::new(ring::default_provider());
        let begun = ClientConfig::builder_with_details(cryptography, Arc::clone(&clock) as _)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        Ok(Self { own_roots, begun, config: OnceLock::new(), clock, place: provider.place })
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(self.config.get_or_init(|| Arc::new(self.build())))
    }

    fn build(&self) -> ClientConfig {
        let roots = self
            .own_roots
            .clone()
            .unwrap_or_else(|| RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
        self.begun.clone().with_root_certificates(roots).with_no_client_auth()
    }

    /// A handshake went well, so the time by which its certificate was judged is about right.
    /// One of an authority of one's own may be valid for decades, and proves nothing.
    pub(super) fn succeeded(&self) {
        if self.own_roots.is_none() {
            self.clock.proved();
        }
    }

    /// What a failed handshake says of the way, and in which words.
    pub(super) fn failed(&self, error: &io::Error) -> (LinkFault, String) {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let Some(inner) = inner else { return (LinkFault::Tls, error.to_string()) };
        match (fault(inner, self.place), inner) {
            (LinkFault::Captive, why) => (
                LinkFault::Captive,
                format!(
                    "{why} (somebody else answers in the provider's place, a sign-in page most likely; if there is none, check base_url and ca_file)"
                ),
            ),
            (fault, why) => (fault, why.to_string()),
        }
    }
}

/// In the cloud a certificate that is not the provider's own is most likely a portal's. On the LAN
/// there is none, and a box that made its certificate itself is common.
fn fault(error: &rustls::Error, place: Place) -> LinkFault {
    use rustls::CertificateError as Bad;
    let rustls::Error::InvalidCertificate(bad) = error else { return LinkFault::Tls };
    match bad {
        Bad::Expired
        | Bad::ExpiredContext { .. }
        | Bad::NotValidYet
        | Bad::NotValidYetContext { .. } => LinkFault::Clock,
        Bad::Revoked => LinkFault::Tls,
        _ if place == Place::Cloud => LinkFault::Captive,
        _ => LinkFault::Tls,
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

#[cfg(test)]
mod tests {
    use rustls::{CertificateError as Bad, Error, OtherError};

    use super::*;

    #[test]
    fn what_a_bad_certificate_says_depends_on_where_it_was_wanted() {
        let other = Bad::Other(OtherError(Arc::new(io::Error::other("an authority's own"))));
        let table = [
            (Error::InvalidCertificate(Bad::NotValidForName), LinkFault::Captive, LinkFault::Tls),
            (Error::InvalidCertificate(Bad::UnknownIssuer), LinkFault::Captive, LinkFault::Tls),
            (Error::InvalidCertificate(other), LinkFault::Captive, LinkFault::Tls),
            (Error::InvalidCertificate(Bad::Revoked), LinkFault::Tls, LinkFault::Tls),
            (Error::InvalidCertificate(Bad::Expired), LinkFault::Clock, LinkFault::Clock),
            (Error::InvalidCertificate(Bad::NotValidYet), LinkFault::Clock, LinkFault::Clock),
            (Error::DecryptError, LinkFault::Tls, LinkFault::Tls),
        ];
        for (error, cloud, local) in table {
            let both = [Place::Cloud, Place::Local].map(|place| fault(&error, place));
            assert_eq!(both, [cloud, local], "{error}");
        }
    }
}
