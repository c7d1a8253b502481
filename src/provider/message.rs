//! What a provider is given: messages, the batch they make, and the request that carries it.

use letters::Category;
use uuid::Uuid;

/// One message to one recipient: both providers make several recipients ambiguous (docs/providers.md#one-recipient).
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
    /// 1 to [`ProviderKind::max_batch`](super::ProviderKind::max_batch) messages.
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
    /// How many messages the body holds, so how many results are expected.
    pub messages: usize,
}
