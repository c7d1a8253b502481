//! What became of letters, and recording it. What follows from it (a retry, a pause, a suppression) is the decision of
//! `public.email_settle`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use pgconnect::pool::{DbError, Pool};
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::outbox::Claimed;
use super::workers::Identity;

const SETTLE: &str = include_str!("sql/settle.sql");

/// What became of a letter. The log, `/metrics`, traces and `public.email_settle` have one word for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The provider accepted it.
    Sent,
    /// Nothing was sent, after the provider or mail server dealt with the letter: an attempt is spent, another follows.
    Transient,
    /// Nothing was sent: no connection, or too many requests. No attempt is spent.
    Refused,
    /// Nothing was sent, because the provider refuses the account: sending pauses, no attempt is spent.
    Released,
    /// It can never be sent as it is.
    Permanent,
    /// The address can never be sent to: it is suppressed.
    Address,
    /// It may have been accepted; the provider is asked before anything else. No attempt is spent.
    Unknown,
    /// It may have been accepted: the provider answered with a server error, or a mail server not at all. As `Unknown`, and an attempt is spent.
    ServerError,
    /// Nothing was tried: sending is stopped, or the turn had passed.
    Untouched,
    /// Nothing was tried: another sidecar began this request with other bytes, and one that renders those finishes it.
    Mismatch,
    /// The provider's search says that it was not accepted: it is sent anew.
    Missing,
    /// The idempotency key stands for another body, so the letter may have been accepted and a repetition can never tell.
    Conflict,
    /// It may have been accepted, and the provider can no longer tell.
    Lost,
}

impl Outcome {
    /// The word of `public.email_settle`.
    pub fn as_sql(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Transient => "transient",
            Self::Refused => "refused",
            Self::Released => "released",
            Self::Permanent => "permanent",
            Self::Address => "address",
            Self::Unknown => "unknown",
            Self::ServerError => "server_error",
            Self::Untouched => "untouched",
            Self::Mismatch => "mismatch",
            Self::Missing => "missing",
            Self::Conflict => "conflict",
            Self::Lost => "lost",
        }
    }
}

/// What settling records about one row.
#[derive(Debug)]
pub struct Settlement {
    /// `email_outbox.id`.
    pub id: i64,
    /// What became of it.
    pub outcome: Outcome,
    /// The provider's id, when sent.
    pub message_id: Option<String>,
    /// Why not, otherwise.
    pub error: Option<String>,
    /// The subject line, once it was rendered.
    pub subject: Option<String>,
    /// At least this long until the next try.
    pub wait: Option<Duration>,
}

impl Settlement {
    /// What became of a letter, and why; without the rest.
    pub fn new(letter: &Claimed, outcome: Outcome, error: Option<String>) -> Self {
        Self {
            id: letter.id,
            outcome,
            message_id: None,
            error,
            subject: None,
            wait: None,
        }
    }
}

/// What an answer says about the account rather than about a message.
#[derive(Debug, Default)]
pub struct AccountNews {
    /// Why the provider refuses everything, and until when if it said so.
    pub refused: Option<(String, Option<DateTime<Utc>>)>,
    /// Too many requests: nobody sends for at least this long.
    pub limited: Option<Duration>,
    /// Requests a second that the provider says it allows.
    pub provider_limit: Option<f64>,
}

/// Records what became of a batch's members; answers how many of them this sidecar still held.
pub async fn settle(
    pool: &Pool,
    worker: &Identity,
    batch: Uuid,
    settlements: &[Settlement],
    news: &AccountNews,
) -> Result<i32, DbError> {
    let ids: Vec<i64> = settlements.iter().map(|s| s.id).collect();
    let outcomes: Vec<&str> = settlements.iter().map(|s| s.outcome.as_sql()).collect();
    let message_ids: Vec<Option<&str>> = settlements
        .iter()
        .map(|s| s.message_id.as_deref())
        .collect();
    let errors: Vec<Option<&str>> = settlements.iter().map(|s| s.error.as_deref()).collect();
    let subjects: Vec<Option<&str>> = settlements.iter().map(|s| s.subject.as_deref()).collect();
    let waits: Vec<Option<f64>> = settlements
        .iter()
        .map(|s| s.wait.map(|wait| wait.as_secs_f64()))
        .collect();
    let refused = news.refused.as_ref().map(|(why, _)| why.as_str());
    let refused_until = news.refused.as_ref().and_then(|(_, until)| *until);
    let limited = news.limited.map(|wait| wait.as_secs_f64());
    let row = pool
        .query_one(
            SETTLE,
            &[
                (&worker.id, Type::TEXT),
                (&batch, Type::UUID),
                (&ids, Type::INT8_ARRAY),
                (&outcomes, Type::TEXT_ARRAY),
                (&message_ids, Type::TEXT_ARRAY),
                (&errors, Type::TEXT_ARRAY),
                (&subjects, Type::TEXT_ARRAY),
                (&waits, Type::FLOAT8_ARRAY),
                (&refused, Type::TEXT),
                (&refused_until, Type::TIMESTAMPTZ),
                (&limited, Type::FLOAT8),
                (&news.provider_limit, Type::FLOAT8),
            ],
        )
        .await?;
    Ok(row.try_get(0)?)
}
