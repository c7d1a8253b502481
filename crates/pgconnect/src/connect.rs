//! Connecting as libpq does: host by host, address by address, each within `connect_timeout`, and errors that say which
//! host failed and what to do about it.
//!
//! tokio-postgres connects too, but it does not know `allow`, gives `prefer` no second try without TLS, limits only the
//! TCP part of an attempt in time (a frozen server accepts and then says nothing), goes on to the next host after a
//! refused password, and does not say which host an error is about.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode as Negotiation};
use tokio_postgres::{Client, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connect_error::{Chain, Failure};
pub use super::connect_error::{ConnectError, Reason};
use super::progress::{Observed, Progress, TlsStream};
use super::tls::SslMode;
use super::url::{DbConfig, Endpoint};

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
