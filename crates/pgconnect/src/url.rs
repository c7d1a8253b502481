//! `DATABASE_URL`: what libpq understands and tokio-postgres does not is taken out here, the rest goes to tokio-postgres.
//!
//! Both forms of libpq work, `postgres://…` and `host=… dbname=…`. Taken out are `sslmode` (all six), `sslrootcert`,
//! `sslcert`, `sslkey`, `target_session_attrs`, `connect_timeout`, `tcp_user_timeout` (milliseconds, as in libpq), and
//! parameters whose only sensible value changes nothing here, such as `gssencmode`.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::{Host, LoadBalanceHosts, SslNegotiation, TargetSessionAttrs};

use super::tls::{RootCert, SslMode, TlsSettings};
pub use super::url_text::UrlError;
use super::url_text::{Parameter, join, split, wrong};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Sent data that nobody acknowledges for this long ends the connection.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(10);
const KEEPALIVES_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVES_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVES_RETRIES: u32 = 3;
/// Where Debian's libpq looks for a local server.
const SOCKET_DIRECTORY: &str = "/var/run/postgresql";

/// What is left to tokio-postgres' own parser.
const PASSED_ON: &[&str] = &[
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "sslnegotiation",
    "host",
    "hostaddr",
    "port",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "channel_binding",
    "load_balance_hosts",
];

/// libpq parameters that this program always behaves like, with the values it can honour.
const ALREADY_SO: &[(&str, &[&str])] = &[
    ("client_encoding", &["utf8", "utf-8", "unicode"]),
    ("gssencmode", &["disable", "prefer"]),
    ("sslcompression", &["0"]),
    ("sslsni", &["1"]),
    ("ssl_min_protocol_version", &["tlsv1", "tlsv1.1", "tlsv1.2"]),
];

/// One server of the URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A name, an address or the directory of a Unix socket; TLS checks a certificate against it.
    pub host: Host,
    /// Where to connect instead of resolving the name (libpq's `hostaddr`).
    pub hostaddr: Option<IpAddr>,
    /// TCP port, or the number in the socket's file name.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Tcp(name) if name.contains(':') => write!(f, "[{name}]:{}", self.port),
            Host::Tcp(name) => write!(f, "{name}:{}", self.port),
            Host::Unix(path) => write!(f, "{}/.s.PGSQL.{}", path.display(), self.port),
        }
    }
}

/// A checked database URL. `Debug` and `Display` leave the password out.
#[derive(Debug, Clone)]
pub struct DbConfig {
    /// Everything but hosts, ports, time-out and TLS, which differ from attempt to attempt.
    pub(super) base: tokio_postgres::Config,
    /// Tried in this order, or at random with `load_balance_hosts=random`.
    pub(super) endpoints: Vec<Endpoint>,
    /// One attempt at one address, from resolving to authenticated; `None` = no limit (`connect_timeout=0`).
    pub(super) connect_timeout: Option<Duration>,
    pub(super) tls: TlsSettings,
}

impl DbConfig {
    /// Parses and checks a URL. `lookup` supplies `PGSSLMODE`, `PGSSLROOTCERT`, `PGPASSWORD`, `PGUSER`, `PGHOST` and
    /// `HOME`.
    pub fn parse(url: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, UrlError> {
        let set = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let (base, parameters) = split(url)?;
        let mut taken = Taken::default();
        let mut passed_on = Vec::new();
        for parameter in parameters {
            if let Some(parameter) = taken.take(parameter)? {
                passed_on.push(parameter);
            }
        }
        let mut pg = join(base, &passed_on)
            .parse::<tokio_postgres::Config>()
            .or_else(|error| {
                let cause = std::error::Error::source(&error)
                    .map_or_else(|| error.to_string(), ToString::to_string);
                wrong(format!("is not a valid database URL ({cause})"))
            })?;
        if pg.get_hosts().is_empty() && pg.get_hostaddrs().is_empty() {
            pg.host(set("PGHOST").unwrap_or_else(|| SOCKET_DIRECTORY.into()));
        }
        if let (None, Some(user)) = (pg.get_user(), set("PGUSER")) {
            pg.user(user);
        }
        if let (None, Some(password)) = (pg.get_password(), set("PGPASSWORD")) {
            pg.password(password);
        }
        let given = |name: &str| passed_on.iter().any(|parameter| parameter.name == name);
        if !given("keepalives_idle") {
            pg.keepalives_idle(KEEPALIVES_IDLE);
        }
        if !given("keepalives_interval") {
            pg.keepalives_interval(KEEPALIVES_INTERVAL);
        }
        let retries = taken.keepalives_count.filter(|count| *count > 0);
        if retries.is_some() || !given("keepalives_retries") {
            pg.keepalives_retries(retries.unwrap_or(KEEPALIVES_RETRIES));
        }
        let limit = taken.tcp_user_timeout.unwrap_or(TCP_USER_TIMEOUT);
        if !limit.is_zero() {
            pg.tcp_user_timeout(limit);
        }
        let endpoints = endpoints(&pg)?;
        // With several hosts all but one are standbys, where this program can do nothing at all.
        let fallback = if endpoints.len() > 1 {
            TargetSessionAttrs::ReadWrite
        } else {
            TargetSessionAttrs::Any
        };
        pg.target_session_attrs(taken.target_session_attrs.unwrap_or(fallback));
        let connect_timeout = match taken.connect_timeout {
            None => Some(CONNECT_TIMEOUT),
            Some(Duration::ZERO) => None,
            given => given,
        };
        let direct = pg.get_ssl_negotiation() == SslNegotiation::Direct;
        let tls = taken.tls(direct, &set)?;
        Ok(Self {
            base: pg,
            endpoints,
            connect_timeout,
            tls,
        })
    }

    /// The servers, in the order of the URL.
    #[cfg(test)]
    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// How connections are protected.
    pub fn tls(&self) -> &TlsSettings {
        &self.tls
    }

    /// The database's name, where the URL has one (otherwise it is the user's).
    pub fn dbname(&self) -> Option<&str> {
        self.base.get_dbname()
    }

    /// The role, where the URL or `PGUSER` has one (otherwise it is the operating system's user).
    pub fn user(&self) -> Option<&str> {
        self.base.get_user()
    }

    /// What connections call themselves in `pg_stat_activity` where the URL has no `application_name`; the word is libpq's.
    #[must_use]
    pub fn fallback_application_name(mut self, name: &str) -> Self {
        if self.base.get_application_name().is_none() {
            self.base.application_name(name);
        }
        self
    }

    pub(super) fn balances(&self) -> bool {
        self.base.get_load_balance_hosts() == LoadBalanceHosts::Random
    }
}

impl fmt::Display for DbConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = self.base.get_user() {
            write!(f, "{user}@")?;
        }
        for (at, endpoint) in self.endpoints.iter().enumerate() {
            write!(f, "{}{endpoint}", if at > 0 { "," } else { "" })?;
        }
        write!(
            f,
            "/{} (sslmode {})",
            self.base.get_dbname().unwrap_or_default(),
            self.tls.mode
        )
    }
}

/// What was taken out of the URL.
#[derive(Default)]
struct Taken {
    sslmode: Option<SslMode>,
    sslrootcert: Option<String>,
    sslcert: Option<PathBuf>,
    sslkey: Option<PathBuf>,
    target_session_attrs: Option<TargetSessionAttrs>,
    connect_timeout: Option<Duration>,
    tcp_user_timeout: Option<Duration>,
    keepalives_count: Option<u32>,
}

impl Taken {
    /// Keeps what is ours and hands back what is not.
    fn take<'a>(&mut self, parameter: Parameter<'a>) -> Result<Option<Parameter<'a>>, UrlError> {
        let Parameter { name, value, .. } = &parameter;
        match name.as_str() {
            "sslmode" => self.sslmode = Some(parse_sslmode(value, "sslmode")?),
            "sslrootcert" => {
                self.sslrootcert = Some(value.clone()).filter(|value| !value.is_empty());
            }
            "sslcert" => self.sslcert = Some(value.into()),
            "sslkey" => self.sslkey = Some(value.into()),
            "target_session_attrs" => {
                self.target_session_attrs = Some(match value.as_str() {
                    "any" => TargetSessionAttrs::Any,
                    // A primary that refuses writes by default_transaction_read_only is of no use either.
                    "read-write" | "primary" => TargetSessionAttrs::ReadWrite,
                    _ => {
                        return wrong(
                            "has a target_session_attrs other than any, read-write and primary; it must write",
                        );
                    }
                });
            }
            "connect_timeout" => {
                self.connect_timeout = Some(Duration::from_secs(number(name, value)?));
            }
            "tcp_user_timeout" => {
                self.tcp_user_timeout = Some(Duration::from_millis(number(name, value)?));
            }
            "keepalives_count" => {
                let count = u32::try_from(number(name, value)?);
                self.keepalives_count = Some(count.unwrap_or(u32::MAX));
            }
            "fallback_application_name" => {}
            _ if PASSED_ON.contains(&name.as_str()) => return Ok(Some(parameter)),
            _ => match ALREADY_SO.iter().find(|(known, _)| known == name) {
                Some((_, values)) if values.contains(&value.to_ascii_lowercase().as_str()) => {}
                Some((known, values)) => {
                    return wrong(format!(
                        "has a {known} that is not supported; possible: {}",
                        values.join(", ")
                    ));
                }
                None => return wrong(unknown(name)),
            },
        }
        Ok(None)
    }

    fn tls(
        self,
        direct: bool,
        set: &dyn Fn(&str) -> Option<String>,
    ) -> Result<TlsSettings, UrlError> {
        let mode = match (self.sslmode, set("PGSSLMODE")) {
            (Some(mode), _) => Some(mode),
            (None, Some(value)) => Some(parse_sslmode(&value, "PGSSLMODE")?),
            (None, None) => None,
        };
        let root = match self.sslrootcert.or_else(|| set("PGSSLROOTCERT")) {
            Some(value) if value == "system" => RootCert::System,
            Some(path) => RootCert::File(path.into()),
            None => RootCert::Default(
                set("HOME").map(|home| PathBuf::from(home).join(".postgresql/root.crt")),
            ),
        };
        let mode = match (&root, mode) {
            (RootCert::System, None) => SslMode::VerifyFull,
            (RootCert::System, Some(mode)) if mode != SslMode::VerifyFull => {
                return wrong(format!(
                    "has sslmode={mode} with sslrootcert=system, which needs sslmode=verify-full"
                ));
            }
            (_, mode) => mode.unwrap_or(SslMode::Prefer),
        };
        let client = match (self.sslcert, self.sslkey) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return wrong("has only one of sslcert and sslkey"),
        };
        let settings = TlsSettings {
            mode,
            root,
            client,
            direct,
        };
        settings
            .check()
            .map_err(|error| UrlError(error.to_string()))?;
        Ok(settings)
    }
}

fn parse_sslmode(value: &str, name: &str) -> Result<SslMode, UrlError> {
    value.parse().map_err(|()| {
        UrlError(format!("has an unknown {name}: it must be disable, allow, prefer, require, verify-ca or verify-full"))
    })
}

fn number(name: &str, value: &str) -> Result<u64, UrlError> {
    // libpq takes negative numbers as 0, and so did every URL written for it.
    let number = value.trim().parse::<i64>();
    number
        .map(|number| u64::try_from(number).unwrap_or(0))
        .or_else(|_| wrong(format!("has a {name} that is no number")))
}

/// The name is repeated only when it looks like one: in a mangled URL it may be a piece of the password.
fn unknown(name: &str) -> String {
    if name.len() <= 40
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    {
        format!("has the parameter {name}, which this program does not know")
    } else {
        "has a parameter this program does not know (is a ? or & in the password? write %3F and %26)".into()
    }
}

fn endpoints(pg: &tokio_postgres::Config) -> Result<Vec<Endpoint>, UrlError> {
    let (hosts, addresses, ports) = (pg.get_hosts(), pg.get_hostaddrs(), pg.get_ports());
    let count = hosts.len().max(addresses.len());
    if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
        return wrong(format!(
            "has {} hosts but {} hostaddrs",
            hosts.len(),
            addresses.len()
        ));
    }
    if ports.len() > 1 && ports.len() != count {
        return wrong(format!("has {count} hosts but {} ports", ports.len()));
    }
    let endpoint = |at: usize| {
        let hostaddr = addresses.get(at).copied();
        let host = match (hosts.get(at), hostaddr) {
            (Some(Host::Tcp(name)), _) if name.is_empty() => {
                return wrong("has an empty host name");
            }
            (Some(host), _) => host.clone(),
            (None, Some(address)) => Host::Tcp(address.to_string()),
            (None, None) => return wrong("has no host"),
        };
        let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        Ok(Endpoint {
            host,
            hostaddr,
            port,
        })
    };
    (0..count).map(endpoint).collect()
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
