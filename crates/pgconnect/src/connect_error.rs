//! Why a server could not be connected to, in words that say what to do, and never the password.

use std::error::Error as _;
use std::fmt;
use std::io;

use futures_util::stream;
use tokio_postgres::NoTls;
use tokio_postgres::config::SslMode as Negotiation;
use tokio_postgres::error::SqlState;
use tokio_util::io::StreamReader;

use super::progress::Progress;
use super::tls::TlsError;
use super::url::{DbConfig, Endpoint};

/// The classes of failure, by what to do about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No name, no network, no listener, no answer, or a server that is starting or stopping.
    Unreachable,
    /// A standby, or a primary that refuses writes.
    ReadOnly,
    /// Too many connections.
    Busy,
    /// No TLS, or a certificate that is not accepted.
    Tls,
    /// The server does not let this role in from here (`pg_hba.conf`), or does not know it.
    Refused,
    /// The password is wrong or missing.
    Password,
    /// There is no such database.
    NoDatabase,
    /// Anything else.
    Other,
}

impl Reason {
    /// Whether trying again later may help without a changed setting.
    fn is_transient(self) -> bool {
        matches!(self, Self::Unreachable | Self::ReadOnly | Self::Busy)
    }

    /// Whether the remaining hosts would say the same: they are copies of one cluster (libpq stops here too).
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Refused | Self::Password | Self::NoDatabase)
    }

    fn of_state(state: &SqlState) -> Self {
        match *state {
            SqlState::INVALID_PASSWORD => Self::Password,
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION => Self::Refused,
            SqlState::INVALID_CATALOG_NAME => Self::NoDatabase,
            SqlState::TOO_MANY_CONNECTIONS => Self::Busy,
            SqlState::CANNOT_CONNECT_NOW
            | SqlState::ADMIN_SHUTDOWN
            | SqlState::CRASH_SHUTDOWN
            | SqlState::CONNECTION_FAILURE
            | SqlState::CONNECTION_EXCEPTION => Self::Unreachable,
            _ => Self::Other,
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Unreachable => {
                "check that the server runs and that host, port and firewall are right"
            }
            Self::ReadOnly => "name the primary, or all hosts with target_session_attrs=read-write",
            Self::Busy => "raise max_connections or go through a pooler",
            Self::Tls => "check sslmode and sslrootcert of the URL and the server's certificate",
            Self::Refused => "check the role's name and its line in pg_hba.conf",
            Self::Password => {
                "check the password in the URL or PGPASSWORD; % @ : / ? in it are written as %25 %40 %3A %2F %3F"
            }
            Self::NoDatabase => "check the database's name at the end of the URL",
            Self::Other => "see the server's log",
        }
    }
}

/// One server that did not do.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) endpoint: String,
    pub(super) reason: Reason,
    pub(super) detail: String,
    pub(super) cause: Option<tokio_postgres::Error>,
}

impl Failure {
    pub(super) fn from_postgres(
        endpoint: &Endpoint,
        error: tokio_postgres::Error,
        pg: &tokio_postgres::Config,
        progress: &Progress,
    ) -> Self {
        let io = error
            .source()
            .and_then(|cause| cause.downcast_ref::<io::Error>());
        let tls = io
            .and_then(|io| io.get_ref())
            .and_then(|cause| cause.downcast_ref::<rustls::Error>());
        let (reason, detail) = if let Some(server) = error.as_db_error() {
            (Reason::of_state(server.code()), server.message().to_owned())
        } else if let Some(tls) = tls {
            (Reason::Tls, describe_tls(tls, endpoint))
        } else if progress.started() && !progress.established() {
            (Reason::Tls, Chain(&error).to_string())
        } else if io.is_some_and(|io| {
            io.kind() == io::ErrorKind::PermissionDenied && io.raw_os_error().is_none()
        }) {
            // tokio-postgres' own answer to target_session_attrs.
            (
                Reason::ReadOnly,
                "it does not accept writes (a standby?)".into(),
            )
        } else if let Some(io) = io {
            (Reason::Unreachable, io.to_string())
        } else if error.is_closed() {
            (Reason::Unreachable, "it closed the connection".into())
        } else if pg.get_ssl_mode() == Negotiation::Require && !progress.started() {
            (
                Reason::Tls,
                "it offers no TLS, which sslmode asks for".into(),
            )
        } else if pg.get_password().is_none() {
            // Left over are tokio-postgres' own objections to what the server asks for.
            (
                Reason::Password,
                format!("there is no password for what it asks ({})", Chain(&error)),
            )
        } else {
            (Reason::Other, Chain(&error).to_string())
        };
        Self {
            endpoint: endpoint.to_string(),
            reason,
            detail,
            cause: Some(error),
        }
    }
}

fn describe_tls(error: &rustls::Error, endpoint: &Endpoint) -> String {
    use rustls::CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(Bad::UnknownIssuer) => {
            "its certificate is not signed by any of the root certificates".into()
        }
        rustls::Error::InvalidCertificate(
            Bad::NotValidForName | Bad::NotValidForNameContext { .. },
        ) => {
            format!("its certificate is not for the host name of {endpoint}")
        }
        rustls::Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
            "its certificate has expired or is not valid yet".into()
        }
        other => other.to_string(),
    }
}

/// No server could be connected to. `Display` is one line: the target without password, every failure, what to do.
#[derive(Debug)]
pub struct ConnectError {
    target: String,
    failures: Vec<Failure>,
    settings: Option<TlsError>,
}

impl ConnectError {
    pub(super) fn new(config: &DbConfig, failures: Vec<Failure>) -> Self {
        Self {
            target: config.to_string(),
            failures,
            settings: None,
        }
    }

    pub(super) fn settings(config: &DbConfig, cause: TlsError) -> Self {
        Self {
            target: config.to_string(),
            failures: Vec::new(),
            settings: Some(cause),
        }
    }

    /// The reason to act on: the last final one, otherwise the most telling.
    pub fn reason(&self) -> Reason {
        if self.settings.is_some() {
            return Reason::Tls;
        }
        let reasons = self.failures.iter().map(|failure| failure.reason);
        // A person must act on the non-transient ones; of the others a server that answered tells more than silence.
        let weight = |reason: &Reason| match reason {
            Reason::Unreachable => 0,
            Reason::ReadOnly => 1,
            Reason::Busy => 2,
            _ => 3,
        };
        reasons.max_by_key(weight).unwrap_or(Reason::Unreachable)
    }

    /// Whether trying again later may help without a changed setting.
    pub fn is_transient(&self) -> bool {
        self.reason().is_transient()
    }

    /// The error that deadpool's interface asks for.
    pub(super) async fn into_postgres(mut self) -> tokio_postgres::Error {
        let reason = self.reason();
        let text = self.to_string();
        let at = self
            .failures
            .iter()
            .rposition(|failure| failure.reason == reason);
        let cause = at.and_then(|at| self.failures.swap_remove(at).cause);
        match cause {
            // A server's own words carry their SQLSTATE, which callers match on.
            Some(error) if error.as_db_error().is_some() => error,
            _ => postgres_error(io::Error::other(text)).await,
        }
    }
}

/// tokio-postgres has no constructor for its errors, so this one comes out of a connection that fails with `error`.
async fn postgres_error(error: io::Error) -> tokio_postgres::Error {
    let reader = StreamReader::new(stream::iter([Err::<&[u8], io::Error>(error)]));
    let broken = tokio::io::join(reader, tokio::io::sink());
    let mut pg = tokio_postgres::Config::new();
    pg.user("nobody").ssl_mode(Negotiation::Disable);
    match pg.connect_raw(broken, NoTls).await {
        Err(error) => error,
        Ok(_) => unreachable!("a stream that only fails cannot authenticate"),
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot connect to the database {}: ", self.target)?;
        if let Some(settings) = &self.settings {
            return write!(f, "the URL {settings}");
        }
        for (
            at,
            Failure {
                endpoint, detail, ..
            },
        ) in self.failures.iter().enumerate()
        {
            write!(f, "{}{endpoint}: {detail}", if at > 0 { "; " } else { "" })?;
        }
        write!(f, " ({})", self.reason().advice())
    }
}

impl std::error::Error for ConnectError {}

/// An error with all its causes on one line.
pub(super) struct Chain<'a>(pub(super) &'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
