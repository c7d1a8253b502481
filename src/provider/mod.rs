//! Email providers behind one trait, whose errors use the words a retry loop needs.
//!
//! A provider turns a [`Batch`] into one HTTP request ([`Provider::encode`], deterministic, so that what is sent again
//! after a crash is byte for byte the same) and transmits it ([`Provider::send`]), answering one [`Outcome`] per message.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

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
    /// does; 429 and a connection that was never made do not). `retry_after` is a minimum the provider asked for.
    Transient {
        /// Whether one of the row's attempts is spent.
        counts: bool,
        /// The least time to wait, when the provider said so.
        retry_after: Option<Duration>,
    },
    /// This message will never be accepted as it is.
    Permanent,
    /// Permanent, because of the address: it belongs into `email_suppressions`.
    Address,
    /// The message may have been accepted: never send it again before the provider was asked.
    Unknown,
    /// Bad key, blocked account, spent quota, wrong base URL: everything stops, no attempt is spent.
    SenderWide {
        /// When the provider will take messages again, if it said so (daily quota: 00:00 UTC).
        until: Option<DateTime<Utc>>,
    },
}

impl SendError {
    /// Nothing was sent and trying again later may work.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, ErrorKind::Transient { .. })
    }

    /// This message must not be tried again as it is.
    pub fn is_permanent(&self) -> bool {
        matches!(self.kind, ErrorKind::Permanent | ErrorKind::Address)
    }

    /// Nobody knows whether the provider accepted the message.
    pub fn is_unknown(&self) -> bool {
        self.kind == ErrorKind::Unknown
    }

    /// No message of this sender will be accepted until a person acts or the quota is renewed.
    pub fn is_sender_wide(&self) -> bool {
        matches!(self.kind, ErrorKind::SenderWide { .. })
    }
}

/// The future of [`Provider::send`]; boxed, so that the trait can be used as an object.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Vec<Outcome>> + Send + 'a>>;

/// A way to send letters.
pub trait Provider: Send + Sync {
    /// As in `EMAIL_PROVIDER` and `email_deliveries.provider`.
    fn name(&self) -> &'static str;

    /// The most messages one request may carry.
    fn max_batch(&self) -> usize;

    /// The request for a batch: one message goes to the single endpoint, several to the batch endpoint.
    /// Deterministic: the same batch and settings give the same bytes.
    fn encode(&self, batch: &Batch) -> Request;

    /// Transmits once, without any retry of its own, within the configured time-out; answers exactly
    /// `request.messages` outcomes in the order of the batch.
    fn send<'a>(&'a self, request: &'a Request) -> Sending<'a>;
}
