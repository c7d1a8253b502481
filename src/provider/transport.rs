//! The trait that every provider implements.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use letters::Category;
use uuid::Uuid;

use super::message::{Batch, Request};
use super::send_result::{ErrorKind, SendError};
use super::status::Transmission;

/// How the fate of a message is learned after an unknown outcome (docs/providers.md#after-a-crash).
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

    /// How an unknown outcome is resolved.
    fn recovery(&self) -> Recovery;

    /// The request for a batch: one message goes to the single endpoint, several to the batch endpoint.
    /// Deterministic: the same batch and settings give the same bytes.
    fn encode(&self, batch: &Batch) -> Request;

    /// Transmits once, without any retry of its own, within the configured time-out; answers exactly
    /// `request.messages` results in the order of the batch.
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
