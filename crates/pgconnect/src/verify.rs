//! Checking a server's certificate as OpenSSL does for libpq.
//!
//! rustls' own verifier (webpki) is stricter than OpenSSL in three points that certificates made by the recipes of
//! Postgres' manual run into, so [`Verifier`] accepts them as libpq does: a self-signed certificate that is itself the
//! root certificate, an X.509 version 1 certificate signed by a root certificate, and a host name that is only in the
//! common name.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::der::{Decode as _, Encode as _, asn1::AnyRef};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::{Certificate, Version};

/// Checks a server's certificate as far as the mode asks for it.
#[derive(Debug)]
pub(super) struct Verifier {
    /// `None`: the certificate is not checked at all.
    roots: Option<Roots>,
    check_name: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
struct Roots {
    certificates: Vec<CertificateDer<'static>>,
    store: RootCertStore,
}

impl Verifier {
    pub(super) fn new(
        certificates: Option<Vec<CertificateDer<'static>>>,
        check_name: bool,
        provider: &CryptoProvider,
    ) -> Self {
        let roots = certificates.map(|certificates| {
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(certificates.iter().cloned());
            Roots {
                certificates,
                store,
            }
        });
        Self {
            roots,
            check_name,
            algorithms: provider.signature_verification_algorithms,
        }
    }

    /// By webpki, or else by one of libpq's two simpler ways: the certificate is a root certificate itself, or it is of
    /// version 1 (which can carry none of the extensions that webpki would check) and signed by one.
    fn verify_chain(
        &self,
        roots: &Roots,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let strict =
            rustls::server::ParsedCertificate::try_from(end_entity).and_then(|certificate| {
                let algorithms = self.algorithms.all;
                rustls::client::verify_server_cert_signed_by_trust_anchor(
                    &certificate,
                    &roots.store,
                    intermediates,
                    now,
                    algorithms,
                )
            });
        strict.or_else(|refusal| {
            let certificate = parse(end_entity)?;
            let pinned = roots.certificates.contains(end_entity);
            let signed = || {
                let parsed = roots
                    .certificates
                    .iter()
                    .filter_map(|root| parse(root).ok());
                certificate.tbs_certificate.version == Version::V1
                    && parsed.into_iter().any(|root| {
                        is_valid_at(&root, now) && self.is_signed_by(&certificate, &root)
                    })
            };
            if !pinned && !signed() {
                return Err(refusal);
            }
            if is_valid_at(&certificate, now) {
                Ok(())
            } else {
                Err(CertificateError::Expired.into())
            }
        })
    }

    fn is_signed_by(&self, certificate: &Certificate, root: &Certificate) -> bool {
        let issued = certificate.tbs_certificate.issuer == root.tbs_certificate.subject;
        let message = certificate.tbs_certificate.to_der();
        let algorithm = content(&certificate.signature_algorithm);
        let (Ok(message), Some(algorithm), true) = (message, algorithm, issued) else {
            return false;
        };
        let candidates = self.algorithms.all.iter();
        candidates
            .filter(|candidate| candidate.signature_alg_id().as_ref() == algorithm)
            .any(|candidate| {
                verifies(
                    *candidate,
                    &root.tbs_certificate.subject_public_key_info,
                    &message,
                    certificate.signature.raw_bytes(),
                )
            })
    }

    /// The handshake's signature, where webpki cannot parse the certificate it is made with (version 1).
    fn verify_handshake(
        &self,
        message: &[u8],
        end_entity: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        refusal: rustls::Error,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let certificate = parse(end_entity)?;
        if certificate.tbs_certificate.version != Version::V1 {
            return Err(refusal);
        }
        let key = &certificate.tbs_certificate.subject_public_key_info;
        let schemes = self
            .algorithms
            .mapping
            .iter()
            .filter(|(scheme, _)| *scheme == signed.scheme);
        let mut candidates = schemes.flat_map(|(_, algorithms)| algorithms.iter());
        if candidates.any(|candidate| verifies(*candidate, key, message, signed.signature())) {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(refusal)
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            self.verify_chain(roots, end_entity, intermediates, now)?;
            if self.check_name {
                verify_name(end_entity, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
            .or_else(|refusal| self.verify_handshake(message, cert, dss, refusal))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
            .or_else(|refusal| self.verify_handshake(message, cert, dss, refusal))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// By subject alternative names (webpki). As in libpq, the common name counts only when the certificate has no
/// alternative name of the host's kind.
fn verify_name(
    end_entity: &CertificateDer<'_>,
    host: &ServerName<'_>,
) -> Result<(), rustls::Error> {
    let strict = rustls::server::ParsedCertificate::try_from(end_entity)
        .and_then(|certificate| rustls::client::verify_server_name(&certificate, host));
    strict.or_else(|refusal| {
        let certificate = parse(end_entity)?;
        // What cannot be parsed may hold the kind that would rule the common name out.
        let alternatives = certificate
            .tbs_certificate
            .get::<SubjectAltName>()
            .map_err(|_| refusal.clone())?;
        let of_kind = |name: &GeneralName| match host {
            ServerName::DnsName(_) => matches!(name, GeneralName::DnsName(_)),
            _ => matches!(name, GeneralName::IpAddress(_)),
        };
        let rules_out = alternatives.is_some_and(|(_, names)| names.0.iter().any(of_kind));
        let matches = !rules_out
            && common_names(&certificate)
                .iter()
                .any(|pattern| matches_host(pattern, &host.to_str()));
        if matches { Ok(()) } else { Err(refusal) }
    })
}

fn common_names(certificate: &Certificate) -> Vec<String> {
    let attributes = certificate
        .tbs_certificate
        .subject
        .0
        .iter()
        .flat_map(|name| name.0.iter());
    attributes
        .filter(|attribute| attribute.oid == COMMON_NAME)
        .filter_map(|attribute| String::from_utf8(attribute.value.value().to_vec()).ok())
        .collect()
}

/// libpq's rule: equal but for case, or `*.` in place of exactly one label.
fn matches_host(pattern: &str, host: &str) -> bool {
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    let parent = pattern
        .strip_prefix("*.")
        .filter(|parent| parent.contains('.'));
    match (parent, host.split_once('.')) {
        (Some(parent), Some((label, rest))) => {
            !label.is_empty() && parent.eq_ignore_ascii_case(rest)
        }
        _ => false,
    }
}

fn parse(certificate: &CertificateDer<'_>) -> Result<Certificate, rustls::Error> {
    Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding.into())
}

fn is_valid_at(certificate: &Certificate, now: UnixTime) -> bool {
    let validity = &certificate.tbs_certificate.validity;
    let [from, to] =
        [validity.not_before, validity.not_after].map(|time| time.to_unix_duration().as_secs());
    (from..=to).contains(&now.as_secs())
}

fn verifies(
    algorithm: &dyn SignatureVerificationAlgorithm,
    key: &SubjectPublicKeyInfoOwned,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let fits = content(&key.algorithm)
        .is_some_and(|identifier| algorithm.public_key_alg_id().as_ref() == identifier);
    fits && algorithm
        .verify_signature(key.subject_public_key.raw_bytes(), message, signature)
        .is_ok()
}

/// An algorithm identifier without its outermost tag and length, which is how rustls writes them.
fn content(identifier: &AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    let encoded = identifier.to_der().ok()?;
    AnyRef::from_der(&encoded)
        .ok()
        .map(|any| any.value().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_names_match_as_in_libpq() {
        for (pattern, host) in [
            ("db.example.com", "DB.example.com"),
            ("*.example.com", "db.example.com"),
        ] {
            assert!(matches_host(pattern, host), "{pattern} {host}");
        }
        for (pattern, host) in [
            ("db.example.com", "db.example.com.evil.example"),
            ("*.example.com", "example.com"),
            ("*.example.com", "a.b.example.com"),
            ("*.com", "example.com"),
            ("*", "localhost"),
            ("d*.example.com", "db.example.com"),
        ] {
            assert!(!matches_host(pattern, host), "{pattern} {host}");
        }
    }
}
