//! Claiming letters, and taking over those that were left behind. What the statements decide stands in `sql/core/`.

use std::time::Duration;

use letters::Category;
use pgconnect::pool::{DbError, Pool};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::workers::Identity;

const CLAIM: &str = include_str!("sql/claim.sql");
const TAKE_OVER: &str = include_str!("sql/take_over.sql");

/// The members of one API request, as they were committed before anything is sent.
#[derive(Debug)]
pub struct Claim {
    /// `email_outbox.batch_id`.
    pub batch: Uuid,
    /// In the order they are sent.
    pub letters: Vec<Claimed>,
    /// What is known of an earlier request whose outcome nobody knows; `None` when none was sent.
    pub prior: Option<Prior>,
}

/// A batch that was sent before, so that the provider may have accepted it.
#[derive(Debug, Clone, Copy)]
pub struct Prior {
    /// Whether the provider can still tell.
    pub resolvable: bool,
    /// Whether a search that finds nothing now means that it was not accepted.
    pub last_look: bool,
    /// Since it was first sent.
    pub age: Duration,
}

/// One claimed row.
#[derive(Debug)]
pub struct Claimed {
    /// `email_outbox.id`.
    pub id: i64,
    /// `email_deliveries.id`.
    pub delivery: Uuid,
    /// The catalogue code.
    pub email_type: String,
    /// The type's category.
    pub category: Category,
    /// Where it goes; empty when neither the row nor the user has an address.
    pub recipient: String,
    /// The journal's unique key.
    pub dedupe_key: String,
    /// Failed requests before this batch was claimed.
    pub attempts: i32,
    /// What the letter is rendered from, frozen by the claim.
    pub context: Value,
    /// What its links carry; only product and marketing letters have one.
    pub unsubscribe_token: Option<Uuid>,
    /// Whether opens and clicks may be tracked.
    pub tracking: bool,
    /// False for a member whose outcome is known already and that is only needed to repeat the request it was part of.
    pub held: bool,
}

/// What a claim answers.
#[derive(Debug)]
pub enum Claiming {
    /// These go out now: one request each, at least one.
    Batches(Vec<Claim>),
    /// Nothing can go out now.
    Nothing {
        /// Until the next row falls due, a backoff ends or a lease runs out; zero when one of them is overdue, `None` when
        /// nothing waits.
        wait: Option<Duration>,
        /// Nothing may be sent: paused, or not armed.
        stopped: bool,
    },
}

/// Claims due rows for up to `batches` requests of up to `batch_size` each.
pub async fn claim(
    pool: &Pool,
    worker: &Identity,
    batch_size: u16,
    batches: u16,
    lease: Duration,
) -> Result<Claiming, DbError> {
    let rows = pool
        .query(
            CLAIM,
            &[
                (&worker.id, Type::TEXT),
                (&worker.provider, Type::TEXT),
                (&i32::from(batch_size), Type::INT4),
                (&i32::from(batches), Type::INT4),
                (&lease.as_secs_f64(), Type::FLOAT8),
            ],
        )
        .await?;
    if let [row] = rows.as_slice()
        && row.try_get::<_, Option<Uuid>>("batch_id")?.is_none()
    {
        let next: Option<f64> = row.try_get("next_seconds")?;
        return Ok(Claiming::Nothing {
            wait: next.map(until),
            stopped: row.try_get("stopped")?,
        });
    }
    if rows.is_empty() {
        // There is no row of settings: nobody said that anything may be sent.
        return Ok(Claiming::Nothing {
            wait: None,
            stopped: true,
        });
    }
    let mut claims: Vec<Claim> = Vec::new();
    for row in &rows {
        let batch = row.try_get("batch_id")?;
        let letter = claimed(row)?;
        match claims.last_mut() {
            Some(claim) if claim.batch == batch => claim.letters.push(letter),
            _ => claims.push(Claim {
                batch,
                letters: vec![letter],
                prior: None,
            }),
        }
    }
    Ok(Claiming::Batches(claims))
}

/// From seconds that are negative when something is overdue.
fn until(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

/// Takes over one batch that was left behind or whose outcome is due to be asked for; `None` when there is none. `busy`
/// are the batches this sidecar knows it holds.
pub async fn take_over(
    pool: &Pool,
    worker: &Identity,
    lease: Duration,
    busy: &[Uuid],
) -> Result<Option<Claim>, DbError> {
    let rows = pool
        .query(
            TAKE_OVER,
            &[
                (&worker.id, Type::TEXT),
                (&worker.provider, Type::TEXT),
                (&lease.as_secs_f64(), Type::FLOAT8),
                (&busy, Type::UUID_ARRAY),
            ],
        )
        .await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let mut claim = Claim {
        batch: row.try_get("batch_id")?,
        letters: rows.iter().map(claimed).collect::<Result<_, _>>()?,
        prior: None,
    };
    for (letter, row) in claim.letters.iter_mut().zip(&rows) {
        letter.held = row.try_get("unsettled")?;
    }
    if row.try_get("sent_before")? {
        claim.prior = Some(Prior {
            resolvable: row.try_get("resolvable")?,
            last_look: row.try_get("last_look")?,
            age: Duration::try_from_secs_f64(row.try_get("age_seconds")?).unwrap_or_default(),
        });
    }
    Ok(Some(claim))
}

fn claimed(row: &Row) -> Result<Claimed, DbError> {
    let category: String = row.try_get("category")?;
    Ok(Claimed {
        id: row.try_get("id")?,
        delivery: row.try_get("delivery_id")?,
        email_type: row.try_get("email_type")?,
        category: category
            .parse()
            .map_err(|error| DbError::Unexpected(format!("category {category:?}: {error}")))?,
        recipient: row
            .try_get::<_, Option<String>>("recipient")?
            .unwrap_or_default(),
        dedupe_key: row.try_get("dedupe_key")?,
        attempts: row.try_get("attempts")?,
        context: row
            .try_get::<_, Option<Value>>("context")?
            .unwrap_or(Value::Null),
        unsubscribe_token: row.try_get("unsubscribe_token")?,
        tracking: row.try_get("tracking")?,
        held: true,
    })
}
