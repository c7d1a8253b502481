//! Settings, read from the environment and checked once, at start.
//!
//! [`VARIABLES`] is the list of everything that is read. `--help` prints it, `docs/configuration.md` repeats it and a
//! test compares the two. [`Config`] is what `run` needs, [`MigrateConfig`] what `migrate` needs.

mod check;
mod reader;
mod smtp_url;
mod traces;
mod variables;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use letters::Site;
use pgconnect::url::DbConfig;
use secrecy::{ExposeSecret as _, SecretString};
use tracing_subscriber::EnvFilter;

use crate::provider::{ProviderConfig, ProviderKind};
use reader::Reader;
pub use reader::{ConfigError, ConfigErrors, Lookup, environment};
pub use traces::TraceConfig;
pub use variables::{VARIABLES, Variable, migrate_help, run_help};

/// What this program calls itself in `pg_stat_activity`, unless the URL says otherwise.
const APPLICATION_NAME: &str = "seqpulse-mailer";

/// `EMAIL_PROVIDER`.
fn parse_provider(value: &str) -> Result<ProviderKind, String> {
    value
        .parse()
        .map_err(|_| format!("is {value:?}, but must be resend, postmark, smtp or console"))
}

/// `EMAIL_WEBHOOK_SECRET`, in the form the provider uses.
#[derive(Debug, Clone)]
pub enum WebhookSecret {
    /// `whsec_` and base64; known to decode. See [`WebhookSecret::signing_key`].
    Resend(SecretString),
    /// Basic authentication of the webhook URL.
    Postmark {
        /// The part before the first colon.
        user: String,
        /// The rest.
        password: SecretString,
    },
}

impl WebhookSecret {
    /// The bytes that Resend's webhook signatures are made with; nothing for Postmark.
    pub fn signing_key(&self) -> Option<Vec<u8>> {
        match self {
            Self::Resend(secret) => check::resend_signing_key(secret.expose_secret()).ok(),
            Self::Postmark { .. } => None,
        }
    }
}

/// `LOG_FORMAT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line, for machines.
    Json,
}

/// `LOG_FORMAT` and `RUST_LOG`, which every command obeys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// Directives for [`EnvFilter`], known to parse.
    pub filter: String,
}

impl LogConfig {
    /// Reads the two variables, for commands that need nothing else.
    pub fn read(lookup: Lookup<'_>) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(lookup);
        let log = Self::from_reader(&mut reader);
        reader.finish(Some(log))
    }

    fn from_reader(reader: &mut Reader<'_>) -> Self {
        let format = reader.parsed("LOG_FORMAT", |value| match value {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(format!("is {value:?}, but must be text or json")),
        });
        let filter = reader.parsed("RUST_LOG", |value| match EnvFilter::try_new(value) {
            Ok(_) => Ok(value.to_owned()),
            Err(error) => Err(format!("is {value:?}, which is not a log filter ({error})")),
        });
        Self {
            format: format.unwrap_or_default(),
            filter: filter.unwrap_or_else(|| "info".into()),
        }
    }
}

/// What `migrate` needs.
#[derive(Debug, Clone)]
pub struct MigrateConfig {
    /// `EMAIL_LISTEN_URL` where it is set, because advisory locks, like LISTEN, do not work through a pooler in
    /// transaction mode; otherwise `DATABASE_URL`.
    pub database: DbConfig,
    /// How to log.
    pub log: LogConfig,
}

impl MigrateConfig {
    /// Reads and checks everything `migrate` uses.
    pub fn read(lookup: Lookup<'_>) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(lookup);
        let databases = databases(&mut reader);
        let log = LogConfig::from_reader(&mut reader);
        reader.finish(databases.map(|(_, database)| Self { database, log }))
    }
}

/// What `run` needs.
#[derive(Debug, Clone)]
pub struct Config {
    /// `DATABASE_URL`: everything but LISTEN.
    pub database: DbConfig,
    /// `EMAIL_LISTEN_URL`, or the same as `database`.
    pub listen_database: DbConfig,
    /// `EMAIL_PROVIDER`.
    pub provider_kind: ProviderKind,
    /// What the provider is constructed from.
    pub provider: ProviderConfig,
    /// What letters are rendered with.
    pub site: Site,
    /// API requests a second for the whole fleet; `None` = unlimited.
    pub rate_per_second: Option<NonZeroU32>,
    /// Messages per API request, at least 1 and at most [`ProviderKind::max_batch`].
    pub batch_size: u16,
    /// API requests in flight, at least 1.
    pub concurrency: u16,
    /// How long a claim holds without renewal.
    pub lease: Duration,
    /// How long a search may find nothing before an unknown message counts as not accepted.
    pub reconcile: Duration,
    /// The backstop's interval.
    pub poll: Duration,
    /// Where the HTTP server listens; `None` = off.
    pub http_listen: Option<SocketAddr>,
    /// Without it webhooks answer 503.
    pub webhook_secret: Option<WebhookSecret>,
    /// Where traces go; `None` = nowhere.
    pub traces: Option<TraceConfig>,
    /// How to log.
    pub log: LogConfig,
}

impl Config {
    /// Reads and checks everything `run` uses. Whether `EMAIL_POSTAL_ADDRESS` and `EMAIL_REVIEW_URL` are needed depends
    /// on which types are enabled, which only the database knows: the caller checks them (docs/rules.md#settings).
    pub fn read(lookup: Lookup<'_>) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(lookup);
        let value = Self::from_reader(&mut reader);
        reader.finish(value)
    }

    fn from_reader(reader: &mut Reader<'_>) -> Option<Self> {
        let databases = databases(reader);
        // A wrong provider is noted by the reader; going on as the console finds the faults that do not depend on it.
        let kind = reader
            .parsed("EMAIL_PROVIDER", parse_provider)
            .unwrap_or(ProviderKind::Console);
        let provider = provider(reader, kind);
        let default_rate = kind.default_rate();
        let rate = reader.number("EMAIL_RATE_PER_SECOND", default_rate, 0..=10_000);
        let batch_size = batch_size(reader, kind);
        let concurrency = reader.number("EMAIL_CONCURRENCY", 4, 1..=64);
        let lease = seconds(reader, "EMAIL_LEASE_SECONDS", 60, 1, 3600);
        let timeout = seconds(reader, "EMAIL_TIMEOUT_SECONDS", 10, 1, 300);
        let reconcile = seconds(reader, "EMAIL_RECONCILE_SECONDS", 600, 0, 86_400);
        let poll = seconds(reader, "EMAIL_POLL_SECONDS", 5, 1, 3600);
        let http_listen = reader.parsed("HTTP_LISTEN", check::listen);
        let http_listen =
            http_listen.unwrap_or_else(|| Some(SocketAddr::from(([127, 0, 0, 1], 8025))));
        let reply_to = provider
            .as_ref()
            .and_then(|provider| provider.reply_to.as_deref());
        let site = site(reader, kind, reply_to, http_listen);
        let webhook_secret = webhook_secret(reader, kind);
        let traces = TraceConfig::from_reader(reader);
        let log = LogConfig::from_reader(reader);
        let (database, listen_database) = databases?;
        Some(Self {
            database,
            listen_database,
            provider_kind: kind,
            provider: ProviderConfig {
                timeout,
                ..provider?
            },
            site: site?,
            rate_per_second: NonZeroU32::new(rate),
            batch_size,
            concurrency: u16::try_from(concurrency).unwrap_or(u16::MAX),
            lease,
            reconcile,
            poll,
            http_listen,
            webhook_secret,
            traces,
            log,
        })
    }

    /// What is accepted but most likely not meant, one sentence each, to be logged as warnings at start.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.provider_kind.really_sends() && !check::is_loopback(&self.provider.base_url) {
            for (name, url) in [
                ("FRONTEND_URL", Some(&self.site.frontend_url)),
                ("PUBLIC_URL", self.site.public_url.as_ref()),
            ] {
                if let Some(url) = url.filter(|url| check::is_loopback(url)) {
                    warnings.push(format!(
                        "{name} is {url}: links in real letters will not work for their readers"
                    ));
                }
            }
            let reports = matches!(
                self.provider_kind,
                ProviderKind::Resend | ProviderKind::Postmark
            );
            if reports && self.webhook_secret.is_none() {
                warnings.push("EMAIL_WEBHOOK_SECRET is not set: bounces, complaints and opt-outs at the provider are not heard".into());
            }
        }
        warnings.extend(self.key_warning().map(str::to_owned));
        warnings
    }

    /// Whether the API key looks unlike the provider's keys. Only a hint: providers may change their format.
    pub fn key_warning(&self) -> Option<&'static str> {
        let key = self.provider.api_key.expose_secret();
        match self.provider_kind {
            ProviderKind::Resend if !key.starts_with("re_") => {
                Some("EMAIL_API_KEY does not look like a Resend key, which starts with re_")
            }
            ProviderKind::Postmark
                if key != "POSTMARK_API_TEST" && uuid::Uuid::try_parse(key).is_err() =>
            {
                Some("EMAIL_API_KEY does not look like a Postmark server token, which is a UUID")
            }
            _ => None,
        }
    }
}

/// `DATABASE_URL` and the direct connection.
fn databases(reader: &mut Reader<'_>) -> Option<(DbConfig, DbConfig)> {
    let lookup = reader.lookup();
    let parse = |url: &str| {
        let config = DbConfig::parse(url, lookup).map_err(|error| error.to_string())?;
        Ok(config.fallback_application_name(APPLICATION_NAME))
    };
    let database = reader.required("DATABASE_URL", "", parse);
    let listen = reader.parsed("EMAIL_LISTEN_URL", parse);
    let database = database?;
    let listen = listen.unwrap_or_else(|| database.clone());
    Some((database, listen))
}

fn provider(reader: &mut Reader<'_>, kind: ProviderKind) -> Option<ProviderConfig> {
    let why = format!("EMAIL_PROVIDER={} needs it", kind.name());
    let from = if kind.really_sends() {
        reader.required("EMAIL_FROM", &why, check::mailbox)
    } else {
        let from = reader.parsed("EMAIL_FROM", check::mailbox);
        from.or_else(|| Some("SEQPULSE <console@localhost>".into()))
    };
    let reply_to = reader.parsed("EMAIL_REPLY_TO", check::mailbox);
    let (base_url, api_key) = if kind == ProviderKind::Smtp {
        reader
            .required("EMAIL_PROVIDER_URL", &why, smtp_url::check)
            .unzip()
    } else {
        let key = if kind.has_api_key() {
            reader.secret("EMAIL_API_KEY", &why)
        } else {
            Some(SecretString::default())
        };
        let url = reader.parsed("EMAIL_PROVIDER_URL", check::protected_url);
        (url, key)
    };
    let transactional = reader.parsed("EMAIL_MESSAGE_STREAM_TRANSACTIONAL", check::stream);
    let marketing = reader.parsed("EMAIL_MESSAGE_STREAM_MARKETING", check::stream);
    Some(ProviderConfig {
        api_key: api_key?,
        base_url: base_url.unwrap_or_else(|| kind.public_url().unwrap_or_default().into()),
        from: from?,
        reply_to,
        stream_transactional: transactional.unwrap_or_else(|| "outbound".into()),
        stream_marketing: marketing.unwrap_or_else(|| "broadcast".into()),
        timeout: Duration::ZERO,
    })
}

fn site(
    reader: &mut Reader<'_>,
    kind: ProviderKind,
    reply_to: Option<&str>,
    http_listen: Option<SocketAddr>,
) -> Option<Site> {
    let frontend = reader.parsed("FRONTEND_URL", check::base_url);
    let dashboard = reader.parsed("EMAIL_CTA_DASHBOARD_PATH", check::path);
    let pricing = reader.parsed("EMAIL_CTA_PRICING_PATH", check::path);
    let onboarding = reader.parsed("EMAIL_CTA_ONBOARDING_PATH", check::path);
    let support = reader.parsed("EMAIL_SUPPORT_ADDRESS", check::address);
    let review_url = reader.parsed("EMAIL_REVIEW_URL", check::link);
    let public_url = if kind.really_sends() {
        let why = format!(
            "EMAIL_PROVIDER={} needs it for unsubscribe links",
            kind.name()
        );
        reader.required("PUBLIC_URL", &why, check::protected_url)
    } else {
        let own = http_listen.map_or_else(
            || "http://localhost:8025".into(),
            |address| format!("http://{address}"),
        );
        reader
            .parsed("PUBLIC_URL", check::protected_url)
            .or(Some(own))
    };
    let postal_address = reader.text("EMAIL_POSTAL_ADDRESS");
    Some(Site {
        frontend_url: frontend.unwrap_or_else(|| "http://localhost:3000".into()),
        cta_dashboard_path: dashboard.unwrap_or_else(|| "/dashboard".into()),
        cta_pricing_path: pricing.unwrap_or_else(|| "/pricing".into()),
        cta_onboarding_path: onboarding.unwrap_or_else(|| "/dashboard/projects/new".into()),
        public_url: Some(public_url?),
        support_address: support
            .or_else(|| reply_to.and_then(|mailbox| check::address(mailbox).ok())),
        review_url,
        postal_address,
    })
}

fn webhook_secret(reader: &mut Reader<'_>, kind: ProviderKind) -> Option<WebhookSecret> {
    reader.parsed("EMAIL_WEBHOOK_SECRET", |value| match kind {
        ProviderKind::Resend => {
            check::resend_signing_key(value)?;
            Ok(Some(WebhookSecret::Resend(value.into())))
        }
        ProviderKind::Postmark => {
            let (user, password) = check::postmark_credentials(value)?;
            Ok(Some(WebhookSecret::Postmark {
                user: user.into(),
                password: password.into(),
            }))
        }
        // They have no webhooks, so any leftover value is harmless.
        ProviderKind::Smtp | ProviderKind::Console => Ok(None),
    })?
}

fn batch_size(reader: &mut Reader<'_>, kind: ProviderKind) -> u16 {
    let most = kind.max_batch();
    reader
        .parsed("EMAIL_BATCH_SIZE", |value| match value.parse::<u16>() {
            Ok(size) if (1..=most).contains(&size) => Ok(size),
            _ => Err(format!(
                "is {value:?}, but must be a whole number from 1 to {most} for {}",
                kind.name()
            )),
        })
        .unwrap_or(most)
}

fn seconds(
    reader: &mut Reader<'_>,
    name: &'static str,
    default: u32,
    from: u32,
    to: u32,
) -> Duration {
    Duration::from_secs(reader.number(name, default, from..=to).into())
}

#[cfg(test)]
mod tests;
