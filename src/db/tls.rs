//! TLS to Postgres by rustls, with libpq's six modes.
//!
//! | `sslmode` | encrypted | certificate chain | host name |
//! |---|---|---|---|
//! | `disable` | no | | |
//! | `allow` | only if the server insists | if a root certificate is there | no |
//! | `prefer` (default) | if the server can | if a root certificate is there | no |
//! | `require` | yes | if a root certificate is there | no |
//! | `verify-ca` | yes | yes | no |
//! | `verify-full` | yes | yes | yes |
//!
//! rustls' own verifier (webpki) is stricter than OpenSSL in three points that certificates made by the recipes of
//! Postgres' manual run into, so [`Verifier`] accepts them as libpq does: a self-signed certificate that is itself the
//! root certificate, an X.509 version 1 certificate signed by a root certificate, and a host name that is only in the
//! common name.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, ServerName, SignatureVerificationAlgorithm, UnixTime,
};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::der::{Decode as _, Encode as _, asn1::AnyRef};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::{Certificate, Version};

/// libpq's `sslmode`; see the table at the top of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Never.
    Disable,
    /// Without TLS first, with TLS when the server refuses that.
    Allow,
    /// With TLS first, without when the server has none or the handshake fails.
    Prefer,
    /// TLS or nothing.
    Require,
    /// TLS with a certificate that a root certificate vouches for.
    VerifyCa,
    /// As `VerifyCa`, and the certificate is the host's.
    VerifyFull,
}

impl SslMode {
    /// Whether a root certificate is indispensable.
    pub fn verifies(self) -> bool {
        matches!(self, Self::VerifyCa | Self::VerifyFull)
    }
}

impl FromStr for SslMode {
    type Err = ();

    fn from_str(value: &str) -> Result<Self, ()> {
        Ok(match value {
            "disable" => Self::Disable,
            "allow" => Self::Allow,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return Err(()),
        })
    }
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        })
    }
}

/// Where root certificates come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootCert {
    /// `sslrootcert` or `PGSSLROOTCERT`.
    File(PathBuf),
    /// `sslrootcert=system`: what the operating system trusts.
    System,
    /// `~/.postgresql/root.crt`, if it exists; nothing when there is no home directory.
    Default(Option<PathBuf>),
}

/// What a URL says about TLS.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// `sslmode`.
    pub mode: SslMode,
    /// `sslrootcert`.
    pub root: RootCert,
    /// `sslcert` and `sslkey`: how this program proves who it is.
    pub client: Option<(PathBuf, PathBuf)>,
    /// `sslnegotiation=direct`, which announces the protocol by ALPN.
    pub direct: bool,
}

/// Files that are missing or unusable.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A verifying mode without anything to verify against.
    #[error(
        "has sslmode={mode}, but there is no root certificate at {looked}: put it there, or name it with sslrootcert \
         (a path, or system)"
    )]
    NoRoot {
        /// The mode that needs it.
        mode: SslMode,
        /// Where it was looked for.
        looked: String,
    },
    /// A file that cannot be read or holds nothing usable.
    #[error("names {file} as its {what}, which cannot be used: {cause}")]
    File {
        /// The parameter's meaning.
        what: &'static str,
        /// The file.
        file: String,
        /// The reader's words.
        cause: String,
    },
    /// The operating system's store is empty or unreadable.
    #[error("has sslrootcert=system, but the system's root certificates cannot be loaded: {0}")]
    System(String),
    /// A client certificate that does not fit its key, and the like.
    #[error("has TLS settings that cannot be used: {0}")]
    Rustls(#[from] rustls::Error),
}

impl TlsSettings {
    /// Loads everything once, so that a wrong path is found at start.
    pub fn check(&self) -> Result<(), TlsError> {
        self.connector().map(drop)
    }

    /// A connector with the files as they are now: a renewed root certificate is used by the next connection.
    pub fn connector(&self) -> Result<MakeRustlsConnect, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let roots = if self.mode == SslMode::Disable {
            None
        } else {
            self.roots()?
        };
        let verifier = Verifier::new(roots, self.mode == SslMode::VerifyFull, &provider);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.client {
            Some((certificate, key)) if self.mode != SslMode::Disable => {
                let chain = certificates("sslcert", certificate)?;
                let key = PrivateKeyDer::from_pem_file(key)
                    .map_err(|cause| file_error("sslkey", key, &cause))?;
                builder.with_client_auth_cert(chain, key)?
            }
            _ => builder.with_no_client_auth(),
        };
        if self.direct {
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(MakeRustlsConnect::new(config))
    }

    /// The trusted certificates. As in libpq, a file that is not there means "do not verify", except in the verifying
    /// modes; a file that is there and broken is an error in every mode.
    fn roots(&self) -> Result<Option<Vec<CertificateDer<'static>>>, TlsError> {
        let path = match &self.root {
            RootCert::System => {
                let found = rustls_native_certs::load_native_certs();
                return match (found.certs, found.errors.first()) {
                    (certs, None) if certs.is_empty() => {
                        Err(TlsError::System("there are none".into()))
                    }
                    (certs, Some(error)) if certs.is_empty() => {
                        Err(TlsError::System(error.to_string()))
                    }
                    (certs, _) => Ok(Some(certs)),
                };
            }
            RootCert::File(path) => Some(path),
            RootCert::Default(path) => path.as_ref(),
        };
        match path {
            Some(path) if path.exists() => certificates("sslrootcert", path).map(Some),
            _ if self.mode.verifies() => {
                let looked = path.map_or_else(
                    || "~/.postgresql/root.crt (HOME is not set)".to_owned(),
                    |path| path.display().to_string(),
                );
                Err(TlsError::NoRoot {
                    mode: self.mode,
                    looked,
                })
            }
            _ => Ok(None),
        }
    }
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match all {
        Ok(all) if all.is_empty() => Err(file_error(what, path, &"it holds no PEM certificate")),
        Ok(all) => Ok(all),
        Err(cause) => Err(file_error(what, path, &cause)),
    }
}

fn file_error(what: &'static str, path: &Path, cause: &dyn fmt::Display) -> TlsError {
    TlsError::File {
        what,
        file: path.display().to_string(),
        cause: cause.to_string(),
    }
}

/// Checks a server's certificate as far as the mode asks for it.
#[derive(Debug)]
struct Verifier {
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
    fn new(
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
    fn modes_are_spelt_as_in_libpq() {
        for name in [
            "disable",
            "allow",
            "prefer",
            "require",
            "verify-ca",
            "verify-full",
        ] {
            assert_eq!(
                name.parse::<SslMode>().map(|mode| mode.to_string()),
                Ok(name.to_owned())
            );
        }
        assert!("Require".parse::<SslMode>().is_err());
    }

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

    #[test]
    fn a_verifying_mode_says_where_it_looked() {
        let settings = |mode, root| TlsSettings {
            mode,
            root,
            client: None,
            direct: false,
        };
        let home = RootCert::Default(Some("/nowhere/.postgresql/root.crt".into()));
        let error = settings(SslMode::VerifyCa, home.clone())
            .check()
            .expect_err("no root certificate");
        assert!(
            error.to_string().contains("/nowhere/.postgresql/root.crt"),
            "{error}"
        );
        let error = settings(SslMode::VerifyFull, RootCert::Default(None))
            .check()
            .expect_err("no home");
        assert!(error.to_string().contains("HOME is not set"), "{error}");
        for mode in [
            SslMode::Disable,
            SslMode::Allow,
            SslMode::Prefer,
            SslMode::Require,
        ] {
            settings(mode, home.clone())
                .check()
                .expect("a missing file is no error where nothing is verified");
        }
    }

    #[test]
    fn a_file_that_is_no_certificate_is_an_error() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let file = directory.path().join("root.crt");
        std::fs::write(&file, "not a certificate").expect("write");
        let settings = TlsSettings {
            mode: SslMode::Require,
            root: RootCert::File(file),
            client: None,
            direct: false,
        };
        let error = settings.check().expect_err("broken file");
        assert!(error.to_string().contains("root.crt"), "{error}");
    }
}
