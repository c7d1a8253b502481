//! `EMAIL_PROVIDER_URL` of a mail server, and connections to it that are ready for a letter.

use std::fmt;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::reply::{Failure, Step, within};
use crate::provider::ProviderConfig;
use crate::provider::SetupError;
use crate::provider::redact::redact;

/// Ports of RFC 5321, 6409 and 8314, as lettre's own URLs choose them.
const SMTP_PORT: u16 = 25;
const SUBMISSION_PORT: u16 = 587;
const SUBMISSIONS_PORT: u16 = 465;

/// How a connection is encrypted. Certificates are checked in every mode, against the system's store.
enum Tls {
    /// `smtp://`
    Off,
    /// `smtp://…?tls=opportunistic`: STARTTLS where the server offers it.
    IfOffered(TlsParameters),
    /// `smtp://…?tls=required`: STARTTLS or nothing.
    Required(TlsParameters),
    /// `smtps://`: from the first byte.
    FromTheStart(TlsParameters),
}

/// A mail server, as the URL names it.
pub(super) struct Server {
    host: String,
    port: u16,
    tls: Tls,
    hello: ClientId,
    login: Option<Credentials>,
    /// Only to keep it out of what is recorded.
    password: SecretString,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Server {
    pub(super) fn new(config: &ProviderConfig, sending_domain: &str) -> Result<Self, SetupError> {
        // An error means that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = Url::parse(&config.base_url).map_err(|_| SetupError::Smtp("is not a URL"))?;
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or(SetupError::Smtp("names no host"))?
            .trim_matches(['[', ']'])
            .to_owned();
        let parameters = || {
            TlsParameters::new(host.clone())
                .map_err(|_| SetupError::Smtp("needs TLS, which cannot be set up"))
        };
        let mode = url
            .query_pairs()
            .find(|(name, _)| name == "tls")
            .map(|(_, value)| value.into_owned());
        let (tls, port) = match (url.scheme(), mode.as_deref()) {
            ("smtp", None) => (Tls::Off, SMTP_PORT),
            ("smtp", Some("opportunistic")) => (Tls::IfOffered(parameters()?), SUBMISSION_PORT),
            ("smtp", Some("required")) => (Tls::Required(parameters()?), SUBMISSION_PORT),
            ("smtps", None) => (Tls::FromTheStart(parameters()?), SUBMISSIONS_PORT),
            _ => {
                return Err(SetupError::Smtp(
                    "must be smtps://host, smtp://host?tls=required, smtp://host?tls=opportunistic or smtp://host",
                ));
            }
        };
        let (login, password) = login(config.api_key.expose_secret())?;
        let hello = match url.path().trim_matches('/') {
            "" => own_name().unwrap_or_else(|| sending_domain.to_owned()),
            name => name.to_owned(),
        };
        Ok(Self {
            port: url.port().unwrap_or(port),
            host,
            tls,
            hello: ClientId::Domain(hello),
            login,
            password,
        })
    }

    /// A connection that is encrypted as asked for and logged in. Connecting and logging in get `limit` each.
    pub(super) async fn dial(&self, limit: Duration) -> Result<AsyncSmtpConnection, Failure> {
        let mut connection = within(Step::Connect, limit, self.connect(limit)).await?;
        if let Some(login) = &self.login {
            let auth = connection.auth(DEFAULT_MECHANISMS, login);
            within(Step::Login, limit, auth).await?;
        }
        Ok(connection)
    }

    async fn connect(
        &self,
        limit: Duration,
    ) -> Result<AsyncSmtpConnection, lettre::transport::smtp::Error> {
        let implicit = match &self.tls {
            Tls::FromTheStart(parameters) => Some(parameters.clone()),
            _ => None,
        };
        let address = (self.host.as_str(), self.port);
        // Half of it for TCP, so that a second address of the host gets its turn.
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            address,
            Some(limit / 2),
            &self.hello,
            implicit,
            None,
        )
        .await?;
        match &self.tls {
            Tls::Required(parameters) => {
                connection.starttls(parameters.clone(), &self.hello).await?;
            }
            Tls::IfOffered(parameters) if connection.can_starttls() => {
                connection.starttls(parameters.clone(), &self.hello).await?;
            }
            _ => {}
        }
        Ok(connection)
    }

    /// A detail for the journal, without the password and without addresses.
    pub(super) fn redact(&self, text: &str) -> String {
        redact(text, &self.password)
    }
}

/// `user:password` as they stand in a URL, percent-encoded; empty when the server wants no login.
fn login(text: &str) -> Result<(Option<Credentials>, SecretString), SetupError> {
    if text.is_empty() {
        return Ok((None, SecretString::default()));
    }
    let decode = |part: &str| {
        percent_decode_str(part)
            .decode_utf8()
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| SetupError::Smtp("has a user name or password that is not UTF-8"))
    };
    let (user, password) = text
        .split_once(':')
        .ok_or(SetupError::Smtp("has a user name without a password"))?;
    let password = decode(password)?;
    let login = Credentials::new(decode(user)?, password.clone());
    Ok((Some(login), SecretString::from(password)))
}

/// This machine's name for EHLO, when it is a full one; the short names of containers are refused by strict servers.
fn own_name() -> Option<String> {
    nix::unistd::gethostname()
        .ok()?
        .into_string()
        .ok()
        .filter(|name| name.contains('.'))
}
