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

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::verify::Verifier;

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
        mode: SslMode,
        /// Where it was looked for.
        looked: String,
    },
    /// A file that cannot be read or holds nothing usable.
    #[error("names {file} as its {what}, which cannot be used: {cause}")]
    File {
        what: &'static str,
        file: String,
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
    pub(crate) fn connector(&self) -> Result<MakeRustlsConnect, TlsError> {
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
