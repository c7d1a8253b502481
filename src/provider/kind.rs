//! Which providers there are, what they are given, and what they cannot work with.

use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

/// The providers of `EMAIL_PROVIDER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderKind {
    /// <https://resend.com>
    Resend,
    /// <https://postmarkapp.com>
    Postmark,
    /// A mail server.
    Smtp,
    /// Prints, sends nothing.
    Console,
}

impl ProviderKind {
    /// As in `EMAIL_PROVIDER` and `email_deliveries.provider`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resend => "resend",
            Self::Postmark => "postmark",
            Self::Smtp => "smtp",
            Self::Console => "console",
        }
    }

    /// The provider's public address, without a trailing slash; `None` where there is nothing to call.
    pub fn public_url(self) -> Option<&'static str> {
        match self {
            Self::Resend => Some("https://api.resend.com"),
            Self::Postmark => Some("https://api.postmarkapp.com"),
            Self::Smtp | Self::Console => None,
        }
    }

    /// Whether letters leave this machine: then a sender, a key and public addresses are required.
    pub fn really_sends(self) -> bool {
        self != Self::Console
    }

    /// Whether `EMAIL_API_KEY` is needed; a mail server's login stands in its URL.
    pub fn has_api_key(self) -> bool {
        matches!(self, Self::Resend | Self::Postmark)
    }

    /// Most messages in one request (docs/providers.md#resend-batch and docs/providers.md#postmark-batch). SMTP has no batches, and whatever is in flight when a
    /// sidecar is lost may go out twice: so one.
    pub fn max_batch(self) -> u16 {
        match self {
            Self::Resend | Self::Console => 100,
            Self::Postmark => 500,
            Self::Smtp => 1,
        }
    }

    /// API requests a second unless `EMAIL_RATE_PER_SECOND` says otherwise; 0 = unlimited.
    pub fn default_rate(self) -> u32 {
        match self {
            Self::Resend | Self::Postmark => 10,
            Self::Smtp | Self::Console => 0,
        }
    }
}

impl FromStr for ProviderKind {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "resend" => Ok(Self::Resend),
            "postmark" => Ok(Self::Postmark),
            "smtp" => Ok(Self::Smtp),
            "console" => Ok(Self::Console),
            _ => Err(UnknownProvider),
        }
    }
}

/// `EMAIL_PROVIDER` names no provider of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected resend, postmark, smtp or console")]
pub struct UnknownProvider;

/// What a provider needs to know.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// Never printed: the type's `Debug` hides it. Empty for the console. For a mail server `user:password` as they stood in
    /// its URL, or empty.
    pub api_key: SecretString,
    /// Without a trailing slash, such as `https://api.resend.com`. Empty for the console. A mail server's URL is kept without
    /// its login.
    pub base_url: String,
    /// An RFC 5322 mailbox, such as `SEQPULSE <hello@mail.example.com>`.
    pub from: String,
    /// An RFC 5322 mailbox.
    pub reply_to: Option<String>,
    /// Postmark stream of security and transactional mail.
    pub stream_transactional: String,
    /// Postmark stream of product and marketing mail.
    pub stream_marketing: String,
    /// One whole request, from connecting to the last byte of the answer.
    pub timeout: Duration,
}

/// A setting a provider cannot work with; the text names the variable and never repeats the key.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The key cannot travel in an HTTP header.
    #[error(
        "EMAIL_API_KEY: {0}, for example re_AbCd1234 (Resend) or 11111111-2222-3333-4444-555555555555 (Postmark)"
    )]
    ApiKey(&'static str),
    /// The base URL cannot be called.
    #[error("EMAIL_PROVIDER_URL: {0}, for example https://api.resend.com")]
    BaseUrl(&'static str),
    /// The mail server's URL cannot be used.
    #[error("EMAIL_PROVIDER_URL: {0}, for example smtps://user:password@mail.example.com")]
    Smtp(&'static str),
    /// No HTTPS client could be made, for example because the system has no CA certificates.
    #[error("cannot make an HTTPS client (are CA certificates installed?)")]
    Client(#[source] reqwest::Error),
}
