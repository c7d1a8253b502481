//! The send intent: what is on record before a request leaves, and the fleet's turns (`sql/core/42_*.sql` decides).

use std::time::Duration;

use pgconnect::pool::{DbError, Pool};
use serde_json::Value;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::workers::Identity;

const READY: &str = include_str!("sql/batch_ready.sql");
const SPLIT: &str = include_str!("sql/batch_split.sql");
const TAKE_TURN: &str = include_str!("sql/take_turn.sql");
const URGENT_DUE: &str = include_str!("sql/urgent_due.sql");
const EXTEND_LEASE: &str = include_str!("sql/extend_lease.sql");

/// One request that is about to leave, as `email_batches` records it.
#[derive(Debug)]
pub struct Intent<'a> {
    /// `email_outbox.batch_id`.
    pub batch: Uuid,
    /// `email_outbox.id` of the members, in the order of the request.
    pub members: Vec<i64>,
    /// Path below the provider's address.
    pub endpoint: &'a str,
    /// `repeat`, `search` or `again`.
    pub recovery: &'static str,
    /// See [`crate::provider::Batch::idempotency_key`].
    pub idempotency_key: &'a str,
    /// Of the body.
    pub sha256: [u8; 32],
    /// What shaped the body besides the members.
    pub settings: &'a Value,
    /// The members' unsubscribe tokens; `None` when no letter has one.
    pub tokens: Option<Vec<Option<Uuid>>>,
    /// Whether each member is tracked.
    pub tracked: Vec<bool>,
    /// How long the provider can tell what became of it.
    pub resolvable_for: Duration,
}

/// The limits an intent is recorded with.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// See [`crate::config::Config::lease`].
    pub lease: Duration,
    /// One request, whole.
    pub request: Duration,
    /// See [`crate::config::Config::reconcile`].
    pub patience: Duration,
    /// Requests a second of the whole fleet; 0 = unlimited.
    pub rate: f64,
}

/// Whether a request may leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    /// It is on record; it leaves after `wait`.
    Send {
        /// Until its turn.
        wait: Duration,
    },
    /// The fleet has no turn yet: ask again after this long.
    Wait(Duration),
    /// Another sidecar holds the batch.
    Lost,
    /// It was sent before as other bytes: leave it to a sidecar whose rendering matches.
    Mismatch,
    /// Sending is paused, or this database is not armed.
    Stopped,
}

/// Records the intent and takes a turn, in one statement; nothing is recorded unless the answer is [`Decision::Send`].
pub async fn ready(
    pool: &Pool,
    worker: &Identity,
    intent: &Intent<'_>,
    limits: Limits,
) -> Result<Decision, DbError> {
    let row = pool
        .query_one(
            READY,
            &[
                (&worker.id, Type::TEXT),
                (&intent.batch, Type::UUID),
                (&intent.members, Type::INT8_ARRAY),
                (&worker.provider, Type::TEXT),
                (&intent.endpoint, Type::TEXT),
                (&intent.recovery, Type::TEXT),
                (&intent.idempotency_key, Type::TEXT),
                (&intent.sha256.as_slice(), Type::BYTEA),
                (intent.settings, Type::JSONB),
                (&intent.tokens, Type::UUID_ARRAY),
                (&intent.tracked, Type::BOOL_ARRAY),
                (&limits.lease.as_secs_f64(), Type::FLOAT8),
                (&limits.request.as_secs_f64(), Type::FLOAT8),
                (&intent.resolvable_for.as_secs_f64(), Type::FLOAT8),
                (&limits.patience.as_secs_f64(), Type::FLOAT8),
                (&limits.rate, Type::FLOAT8),
            ],
        )
        .await?;
    let wait = seconds(row.try_get("wait_seconds")?);
    match row.try_get("verdict")? {
        "send" => Ok(Decision::Send { wait }),
        "wait" => Ok(Decision::Wait(wait)),
        "lost" => Ok(Decision::Lost),
        "mismatch" => Ok(Decision::Mismatch),
        "stopped" => Ok(Decision::Stopped),
        other => Err(DbError::Unexpected(format!("verdict {other:?}"))),
    }
}

/// Puts the members of a batch into smaller ones; answers how many of them this sidecar still held.
pub async fn split(
    pool: &Pool,
    worker: &Identity,
    batch: Uuid,
    members: &[(i64, Uuid)],
    lease: Duration,
) -> Result<i32, DbError> {
    let (ids, batches): (Vec<i64>, Vec<Uuid>) = members.iter().copied().unzip();
    let row = pool
        .query_one(
            SPLIT,
            &[
                (&worker.id, Type::TEXT),
                (&batch, Type::UUID),
                (&ids, Type::INT8_ARRAY),
                (&batches, Type::UUID_ARRAY),
                (&lease.as_secs_f64(), Type::FLOAT8),
            ],
        )
        .await?;
    Ok(row.try_get(0)?)
}

/// A turn for a request that sends nothing, such as a search. `Err` is how long to wait before asking again.
pub async fn take_turn(
    pool: &Pool,
    worker: &Identity,
    rate: f64,
) -> Result<Result<Duration, Duration>, DbError> {
    let row = pool
        .query_one(
            TAKE_TURN,
            &[
                (&worker.provider, Type::TEXT),
                (&rate, Type::FLOAT8),
                (&false, Type::BOOL),
            ],
        )
        .await?;
    let wait = seconds(row.try_get("wait_seconds")?);
    Ok(if row.try_get("granted")? {
        Ok(wait)
    } else {
        Err(wait)
    })
}

/// Whether a letter that must not wait behind bulk mail is due.
pub async fn urgent_due(pool: &Pool) -> Result<bool, DbError> {
    Ok(pool.query_one(URGENT_DUE, &[]).await?.try_get(0)?)
}

/// Renews the lease of a batch whose request is in flight; answers how many rows this sidecar still held.
pub async fn extend_lease(
    pool: &Pool,
    worker: &Identity,
    batch: Uuid,
    lease: Duration,
) -> Result<i32, DbError> {
    let row = pool
        .query_one(
            EXTEND_LEASE,
            &[
                (&worker.id, Type::TEXT),
                (&batch, Type::UUID),
                (&lease.as_secs_f64(), Type::FLOAT8),
            ],
        )
        .await?;
    Ok(row.try_get(0)?)
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default()
}
