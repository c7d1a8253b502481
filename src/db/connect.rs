//! Connecting as libpq does: host by host, address by address, each within `connect_timeout`, and errors that say which
//! host failed and what to do about it.
//!
//! tokio-postgres connects too, but it does not know `allow`, gives `prefer` no second try without TLS, limits only the
//! TCP part of an attempt in time (a frozen server accepts and then says nothing), goes on to the next host after a
//! refused password, and does not say which host an error is about.

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig};
use futures_util::stream;
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode as Negotiation};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::io::StreamReader;

use super::tls::{SslMode, TlsError};
use super::url::{DbConfig, Endpoint};

/// The encrypted stream, whose own type is private to tokio-postgres-rustls.
pub type TlsStream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// What must be polled for a [`Client`] to make progress, and where notifications arrive.
pub type Connection = tokio_postgres::Connection<Socket, TlsStream>;

/// Connects to the first server that will do.
///
/// # Errors
/// Every server was tried, or one refused for good (wrong password, no such database).
pub async fn connect(config: &DbConfig) -> Result<(Client, Connection), ConnectError> {
    let connector = config
        .tls
        .connector()
        .map_err(|cause| ConnectError::settings(config, cause))?;
    let mut endpoints: Vec<&Endpoint> = config.endpoints.iter().collect();
    if config.balances() {
        endpoints.sort_by_cached_key(|_| uuid::Uuid::new_v4());
    }
    let mut failures = Vec::new();
    for endpoint in endpoints {
        for address in addresses(endpoint, config, &mut failures).await {
            match attempt(config, endpoint, address, &connector).await {
                Ok(connected) => return Ok(connected),
                Err(failure) => {
                    let end = failure.reason.is_final();
                    failures.push(failure);
                    if end {
                        return Err(ConnectError::new(config, failures));
                    }
                }
            }
        }
    }
    Err(ConnectError::new(config, failures))
}

/// A manager for deadpool that connects like [`connect`].
pub fn manager(config: &DbConfig, settings: ManagerConfig) -> Manager {
    Manager::from_connect(config.base.clone(), Connector(config.clone()), settings)
}

/// [`connect`] for deadpool, whose error type is tokio-postgres'; the explanation is logged here, where it would be lost.
#[derive(Debug, Clone)]
struct Connector(DbConfig);

type Connecting<'a> = Pin<
    Box<dyn Future<Output = Result<(Client, JoinHandle<()>), tokio_postgres::Error>> + Send + 'a>,
>;

impl deadpool_postgres::Connect for Connector {
    fn connect(&self, _: &tokio_postgres::Config) -> Connecting<'_> {
        Box::pin(async {
            match connect(&self.0).await {
                Ok((client, connection)) => {
                    let task = tokio::spawn(async move {
                        if let Err(error) = connection.await {
                            tracing::warn!(error = %Chain(&error), "a database connection ended");
                        }
                    });
                    Ok((client, task))
                }
                Err(error) => Err(error.into_postgres().await),
            }
        })
    }
}

/// Where to connect: an address, or a Unix socket.
#[derive(Clone, Copy)]
enum Address {
    Ip(IpAddr),
    Socket,
}

async fn addresses(
    endpoint: &Endpoint,
    config: &DbConfig,
    failures: &mut Vec<Failure>,
) -> Vec<Address> {
    let name = match (&endpoint.host, endpoint.hostaddr) {
        (_, Some(address)) => return vec![Address::Ip(address)],
        (Host::Unix(_), None) => return vec![Address::Socket],
        (Host::Tcp(name), None) => name,
    };
    let lookup = limited(
        config.connect_timeout,
        tokio::net::lookup_host((name.as_str(), endpoint.port)),
    )
    .await;
    let resolved = lookup.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()));
    match resolved {
        Ok(found) => {
            let mut found: Vec<Address> = found.map(|address| Address::Ip(address.ip())).collect();
            if config.balances() {
                found.sort_by_cached_key(|_| uuid::Uuid::new_v4());
            }
            found
        }
        Err(error) => {
            let detail = format!("the name cannot be resolved ({error})");
            failures.push(Failure {
                endpoint: endpoint.to_string(),
                reason: Reason::Unreachable,
                detail,
                cause: None,
            });
            Vec::new()
        }
    }
}

async fn attempt(
    config: &DbConfig,
    endpoint: &Endpoint,
    address: Address,
    connector: &MakeRustlsConnect,
) -> Result<(Client, Connection), Failure> {
    let mut pg = single(config, endpoint, address);
    // libpq has no TLS on Unix sockets, whatever the mode says.
    let mode = if matches!(address, Address::Socket) {
        SslMode::Disable
    } else {
        config.tls.mode
    };
    let (first, second) = match mode {
        SslMode::Disable => (Negotiation::Disable, None),
        SslMode::Allow => (Negotiation::Disable, Some(Negotiation::Require)),
        SslMode::Prefer => (Negotiation::Prefer, Some(Negotiation::Disable)),
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => (Negotiation::Require, None),
    };
    pg.ssl_mode(first);
    let result = once(config, endpoint, &pg, connector).await;
    let Err((failure, tls)) = result else {
        return result.map_err(|(failure, _)| failure);
    };
    let retry = match mode {
        // The server may accept this client only with TLS.
        SslMode::Allow => failure.reason == Reason::Refused,
        // The handshake failed, or the server accepts this client only without TLS.
        SslMode::Prefer => {
            failure.reason == Reason::Tls
                || (failure.reason == Reason::Refused && tls.established())
        }
        _ => false,
    };
    let Some(second) = second.filter(|_| retry) else {
        return Err(failure);
    };
    tracing::debug!(server = %endpoint, %mode, reason = %failure.detail, "trying once more with the other kind of connection");
    pg.ssl_mode(second);
    // When neither works, the first reason is the one to act on.
    once(config, endpoint, &pg, connector)
        .await
        .map_err(|_| failure)
}

/// The settings for exactly one server and address.
fn single(config: &DbConfig, endpoint: &Endpoint, address: Address) -> tokio_postgres::Config {
    let base = &config.base;
    let mut pg = tokio_postgres::Config::new();
    if let Some(user) = base.get_user() {
        pg.user(user);
    }
    if let Some(password) = base.get_password() {
        pg.password(password);
    }
    if let Some(dbname) = base.get_dbname() {
        pg.dbname(dbname);
    }
    if let Some(options) = base.get_options() {
        pg.options(options);
    }
    if let Some(name) = base.get_application_name() {
        pg.application_name(name);
    }
    match &endpoint.host {
        Host::Tcp(name) => pg.host(name),
        Host::Unix(path) => pg.host_path(path),
    };
    if let Address::Ip(ip) = address {
        pg.hostaddr(ip);
    }
    pg.port(endpoint.port);
    if let Some(limit) = config.connect_timeout {
        pg.connect_timeout(limit);
    }
    if let Some(limit) = base.get_tcp_user_timeout() {
        pg.tcp_user_timeout(*limit);
    }
    pg.keepalives(base.get_keepalives());
    pg.keepalives_idle(base.get_keepalives_idle());
    if let Some(interval) = base.get_keepalives_interval() {
        pg.keepalives_interval(interval);
    }
    if let Some(retries) = base.get_keepalives_retries() {
        pg.keepalives_retries(retries);
    }
    pg.ssl_negotiation(base.get_ssl_negotiation());
    pg.channel_binding(base.get_channel_binding());
    pg.target_session_attrs(base.get_target_session_attrs());
    pg
}

async fn once(
    config: &DbConfig,
    endpoint: &Endpoint,
    pg: &tokio_postgres::Config,
    connector: &MakeRustlsConnect,
) -> Result<(Client, Connection), (Failure, Progress)> {
    let progress = Progress::default();
    let observed = Observed {
        inner: connector.clone(),
        progress: progress.clone(),
    };
    let result = limited(config.connect_timeout, pg.connect(observed)).await;
    let failure = match result {
        Some(Ok(connected)) => return Ok(connected),
        Some(Err(error)) => Failure::from_postgres(endpoint, error, pg, &progress),
        None => Failure {
            endpoint: endpoint.to_string(),
            reason: Reason::Unreachable,
            detail: format!(
                "no answer within {} s",
                config.connect_timeout.unwrap_or_default().as_secs()
            ),
            cause: None,
        },
    };
    Err((failure, progress))
}

async fn limited<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, work).await.ok(),
        None => Some(work.await),
    }
}

/// How far TLS came, seen from outside, because tokio-postgres tells its errors apart only by their texts.
#[derive(Debug, Clone, Default)]
struct Progress(Arc<[AtomicBool; 2]>);

impl Progress {
    fn started(&self) -> bool {
        self.0[0].load(Ordering::Relaxed)
    }

    fn established(&self) -> bool {
        self.0[1].load(Ordering::Relaxed)
    }
}

/// The connector, watched.
struct Observed {
    inner: MakeRustlsConnect,
    progress: Progress,
}

impl MakeTlsConnect<Socket> for Observed {
    type Stream = TlsStream;
    type TlsConnect = ObservedHandshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<ObservedHandshake> {
        let inner = MakeTlsConnect::<Socket>::make_tls_connect(&mut self.inner, host)
            .map_err(io::Error::other)?;
        Ok(ObservedHandshake {
            inner,
            progress: self.progress.clone(),
        })
    }
}

struct ObservedHandshake {
    inner: <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect,
    progress: Progress,
}

impl TlsConnect<Socket> for ObservedHandshake {
    type Stream = TlsStream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TlsStream>> + Send>>;

    fn connect(self, stream: Socket) -> Self::Future {
        self.progress.0[0].store(true, Ordering::Relaxed);
        Box::pin(async move {
            let stream = self.inner.connect(stream).await?;
            self.progress.0[1].store(true, Ordering::Relaxed);
            Ok(stream)
        })
    }
}

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
    /// Whether trying again later may help without anybody changing a setting.
    fn is_transient(self) -> bool {
        matches!(self, Self::Unreachable | Self::ReadOnly | Self::Busy)
    }

    /// Whether the remaining hosts would say the same: they are copies of one cluster (libpq stops here too).
    fn is_final(self) -> bool {
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
struct Failure {
    endpoint: String,
    reason: Reason,
    detail: String,
    cause: Option<tokio_postgres::Error>,
}

impl Failure {
    fn from_postgres(
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
    fn new(config: &DbConfig, failures: Vec<Failure>) -> Self {
        Self {
            target: config.to_string(),
            failures,
            settings: None,
        }
    }

    fn settings(config: &DbConfig, cause: TlsError) -> Self {
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

    /// Whether trying again later may help without anybody changing a setting.
    pub fn is_transient(&self) -> bool {
        self.reason().is_transient()
    }

    /// The error that deadpool's interface asks for.
    async fn into_postgres(mut self) -> tokio_postgres::Error {
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
struct Chain<'a>(&'a dyn std::error::Error);

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
