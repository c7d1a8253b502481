//! What a provider's webhook reported, on its way into `public.email_record_event`, which decides what it causes.

use chrono::{DateTime, Utc};
use pgconnect::pool::{DbError, Pool};
use serde_json::Value;
use tokio_postgres::types::Type;
use uuid::Uuid;

const RECORD_EVENT: &str = include_str!("sql/record_event.sql");

/// One report in our words.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// As in `EMAIL_PROVIDER`.
    pub provider: &'static str,
    /// The same whenever the provider reports the same thing again.
    pub id: String,
    /// A type of `email_events`; `None`: it is about an address only.
    pub kind: Option<&'static str>,
    /// By the provider's clock.
    pub occurred_at: Option<DateTime<Utc>>,
    /// Our delivery id, when the report carries it.
    pub delivery: Option<Uuid>,
    /// The provider's own id of the message.
    pub message_id: Option<String>,
    /// Whom it is about, when the report says so.
    pub address: Option<String>,
    /// What holds for the address from now on: bounced, complained, manual, unsubscribed, reactivated or resubscribed.
    pub address_state: Option<&'static str>,
    /// A JSON object; `user_agent` is looked at and not kept.
    pub details: Value,
}

/// Stores an event, durably when this returns; answers what became of it, as the function does.
pub async fn record(pool: &Pool, event: &Event) -> Result<String, DbError> {
    let row = pool
        .query_one(
            RECORD_EVENT,
            &[
                (&event.provider, Type::TEXT),
                (&event.id, Type::TEXT),
                (&event.kind, Type::TEXT),
                (&event.occurred_at, Type::TIMESTAMPTZ),
                (&event.delivery, Type::UUID),
                (&event.message_id, Type::TEXT),
                (&event.address, Type::TEXT),
                (&event.address_state, Type::TEXT),
                (&event.details, Type::JSONB),
            ],
        )
        .await?;
    Ok(row.try_get(0)?)
}
