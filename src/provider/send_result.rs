//! The answer to a message, in the words that a retry loop needs.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// The answer to one message.
pub type SendResult = Result<Accepted, SendError>;

/// The provider took the message (which is not yet delivery: webhooks tell).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The provider's own id of the message.
    pub message_id: String,
}

/// Why a message was not, or perhaps not, accepted. The kinds are the classes of docs/providers.md#outcomes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct SendError {
    /// What to do about it.
    pub kind: ErrorKind,
    /// One sentence for the journal: the provider's words, its code and the HTTP status; never the key, never an address.
    pub detail: String,
}

/// The classes of failure (docs/providers.md#outcomes).
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
    pub(crate) const fn transient(counts: bool, retry_after: Option<Duration>) -> Self {
        Self::Transient {
            counts,
            retry_after,
        }
    }

    pub(crate) const fn unknown(counts: bool, retry_after: Option<Duration>) -> Self {
        Self::Unknown {
            counts,
            retry_after,
        }
    }
}
