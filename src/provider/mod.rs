//! Email providers behind one trait, whose errors use the words a retry loop needs.
//!
//! A provider turns a [`Batch`] into one HTTP request ([`Provider::encode`], deterministic, so that what is sent again
//! after a crash is byte for byte the same) and transmits it ([`Provider::send`]), answering one [`Outcome`] per message.
//!
//! | module | job |
//! |---|---|
//! | [`resend`], [`postmark`] | the bytes of a request, and what each answer means |
//! | [`smtp`] | letters to a mail server, one at a time |
//! | [`console`] | prints letters, sends nothing |
//! | `http` | one transmission: time-outs, redirects, and how far a failed one got |
//! | `redact` | keeps keys and addresses out of what is recorded |
//! | `status` | how a request ended, for metrics and traces |

pub mod console;
mod http;
pub mod postmark;
pub(crate) mod redact;
pub mod resend;
pub mod smtp;
mod status;

use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::config::ProviderConfig;
pub(crate) use http::{client, root_cause};
use status::Failed;
pub use status::{Status, Transmission};

/// What a message is for, which decides its Postmark stream and whether it may be tracked (spec §2, contract §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// Account security: always goes out, never tracked.
    Security,
    /// Caused by what the user did or must do.
    Transactional,
    /// Product news and reports; obeys `product_updates_opt_in`.
    Product,
    /// Marketing; obeys `marketing_opt_in`.
    Marketing,
}

/// One message to one recipient: both providers make several recipients ambiguous (providers.md §1.8).
#[derive(Debug, Clone)]
pub struct Message {
    /// The journal row's id; travels as Resend tag or Postmark metadata `delivery` and comes back in every webhook.
    pub delivery_id: Uuid,
    /// The catalogue code, such as `E-TRX-01`.
    pub email_type: String,
    /// Decides the Postmark stream.
    pub category: Category,
    /// A bare address, without display name.
    pub to: String,
    /// Unescaped, without control characters.
    pub subject: String,
    /// The HTML part.
    pub html: String,
    /// The plain-text part.
    pub text: String,
    /// Header name and value, in the order they are sent; values carry no control characters.
    pub headers: Vec<(String, String)>,
    /// Whether opens and clicks may be tracked (`tracking_consent`, and never for security mail).
    pub track: bool,
}

/// The members of one API request, in the order they are sent.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The claim's `batch_id`; Postmark metadata `attempt`, by which an unknown outcome is searched.
    pub id: Uuid,
    /// 1 to 256 characters, derived from the members (Resend: header `Idempotency-Key`).
    pub idempotency_key: String,
    /// 1 to [`Provider::max_batch`] messages.
    pub messages: Vec<Message>,
}

/// One request, ready to transmit: the same batch and settings always give the same bytes.
#[derive(Debug, Clone)]
pub struct Request {
    /// Path below the provider's base URL, such as `/emails/batch`; empty for the console.
    pub path: &'static str,
    /// The body as it goes over the wire.
    pub body: Vec<u8>,
    /// See [`Batch::idempotency_key`].
    pub idempotency_key: String,
    /// How many messages the body holds, so how many outcomes are expected.
    pub messages: usize,
}

/// What became of one message.
pub type Outcome = Result<Accepted, SendError>;

/// The provider took the message (which is not yet delivery: webhooks tell).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The provider's own id of the message.
    pub message_id: String,
}

/// Why a message was not, or perhaps not, accepted. The kinds are the classes of providers.md §5.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct SendError {
    /// What to do about it.
    pub kind: ErrorKind,
    /// One sentence for the journal: the provider's words, its code and the HTTP status; never the key, never an address.
    pub detail: String,
}

/// The classes of failure (providers.md §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Nothing was sent; try again later. `counts` says whether it spends one of the message's attempts (a server error
    /// does; a connection that was never made does not). `retry_after` is a minimum the provider asked for.
    Transient {
        /// Whether one of the row's attempts is spent.
        counts: bool,
        /// The least time to wait, when the provider said so.
        retry_after: Option<Duration>,
    },
    /// Nothing was sent: too many requests. No attempt is spent, and the whole fleet slows down.
    TooFast {
        /// The least time to wait, when the provider said so.
        retry_after: Option<Duration>,
    },
    /// This message will never be accepted as it is.
    Permanent,
    /// Permanent, because of the address: it belongs into `email_suppressions`.
    Address,
    /// Nothing of this batch was sent, because of some member that the answer need not name, or because of its size:
    /// send it again in smaller batches under new keys, down to the guilty message. Never the answer to a single message.
    BatchRefused,
    /// The message may have been accepted: never send it again before the provider was asked ([`Provider::recovery`]).
    Unknown {
        /// Whether one of the row's attempts is spent (the provider answered, with a server error).
        counts: bool,
        /// The least time to wait before asking, when the provider said so.
        retry_after: Option<Duration>,
    },
    /// Something was recorded under this idempotency key, but with another body: the message may have been accepted and
    /// repeating the request can never tell. The bytes drifted, which is a fault of ours: alarm.
    KeyConflict,
    /// Bad key, blocked account, spent quota, wrong base URL: everything stops, no attempt is spent.
    SenderWide {
        /// When the provider will take messages again, if it said so (daily quota: 00:00 UTC).
        until: Option<DateTime<Utc>>,
    },
}

impl ErrorKind {
    /// One word, for metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Transient { counts: true, .. } => "server_error",
            Self::Transient { counts: false, .. } => "no_connection",
            Self::TooFast { .. } => "too_fast",
            Self::Permanent => "permanent",
            Self::Address => "address",
            Self::BatchRefused => "batch_refused",
            Self::Unknown { .. } => "unknown",
            Self::KeyConflict => "key_conflict",
            Self::SenderWide { .. } => "sender_wide",
        }
    }
}

impl SendError {
    /// Nothing was sent and trying the same again later may work.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Transient { .. } | ErrorKind::TooFast { .. }
        )
    }

    /// This message must not be tried again as it is.
    pub fn is_permanent(&self) -> bool {
        matches!(self.kind, ErrorKind::Permanent | ErrorKind::Address)
    }

    /// Nobody knows whether the provider accepted the message.
    pub fn is_unknown(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Unknown { .. } | ErrorKind::KeyConflict
        )
    }

    /// No message of this sender will be accepted until a person acts or the quota is renewed.
    pub fn is_sender_wide(&self) -> bool {
        matches!(self.kind, ErrorKind::SenderWide { .. })
    }
}

/// How the fate of a message is learned after an unknown outcome (providers.md §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// Send the same bytes again under the same key: the provider answers as it did the first time.
    Repeat {
        /// Counted from the first transmission; afterwards the key is forgotten and a repetition would be a second letter.
        within: Duration,
    },
    /// Search the provider's messages for the batch id (metadata `attempt`); repeating would be a second letter.
    Search,
    /// Nothing to ask: once the lease is over it is sent again, so that it goes out at least once.
    Nothing,
}

/// What to look for among the messages the provider has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// All messages of one request, by [`Batch::id`].
    Batch {
        /// See [`Batch::id`].
        id: Uuid,
        /// The categories among its members: they decide where to look.
        categories: Vec<Category>,
    },
    /// One message, whichever request it travelled in.
    Delivery {
        /// See [`Message::delivery_id`].
        id: Uuid,
        /// Its category.
        category: Category,
    },
}

/// An accepted message that a search has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// See [`Message::delivery_id`].
    pub delivery_id: Uuid,
    /// The provider's own id of the message.
    pub message_id: String,
}

/// The future of [`Provider::search`].
pub type Searching<'a> = Pin<Box<dyn Future<Output = Result<Vec<Found>, SendError>> + Send + 'a>>;

/// The future of [`Provider::send`]; boxed, so that the trait can be used as an object.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Transmission> + Send + 'a>>;

/// A way to send letters.
pub trait Provider: Send + Sync {
    /// As in `EMAIL_PROVIDER` and `email_deliveries.provider`.
    fn name(&self) -> &'static str;

    /// The most messages one request may carry.
    fn max_batch(&self) -> usize;

    /// How an unknown outcome is resolved.
    fn recovery(&self) -> Recovery;

    /// The request for a batch: one message goes to the single endpoint, several to the batch endpoint.
    /// Deterministic: the same batch and settings give the same bytes.
    fn encode(&self, batch: &Batch) -> Request;

    /// Transmits once, without any retry of its own, within the configured time-out; answers exactly
    /// `request.messages` outcomes in the order of the batch.
    fn send<'a>(&'a self, request: &'a Request) -> Sending<'a>;

    /// Looks for accepted messages, where [`Provider::recovery`] is [`Recovery::Search`]. A hit is final; an empty answer
    /// may only mean that the provider has not indexed the message yet.
    fn search<'a>(&'a self, _wanted: &'a Search) -> Searching<'a> {
        Box::pin(async {
            Err(SendError {
                kind: ErrorKind::Permanent,
                detail: "this provider cannot search its messages".into(),
            })
        })
    }

    /// Requests a second the provider's answers say it allows; `None` until one said so.
    fn advertised_rate(&self) -> Option<f64> {
        None
    }
}

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

    /// Most messages in one request (providers.md §2.3 and §3.3). SMTP has no batches, and whatever is in flight when a
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

/// The provider of a kind, ready to send.
///
/// # Errors
/// When the key or the base URL cannot be used, or TLS cannot be set up; never by calling the provider.
pub fn from_config(
    kind: ProviderKind,
    config: &ProviderConfig,
) -> Result<Arc<dyn Provider>, SetupError> {
    Ok(match kind {
        ProviderKind::Resend => Arc::new(resend::Resend::new(config)?),
        ProviderKind::Postmark => Arc::new(postmark::Postmark::new(config)?),
        ProviderKind::Smtp => Arc::new(smtp::Smtp::new(config)?),
        ProviderKind::Console => Arc::new(console::Console::new(config)),
    })
}

#[cfg(test)]
mod samples;
