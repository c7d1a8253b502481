//! The statements of a letter's life: claim, take over, settle. What they decide stands in `sql/core/`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::pool::{DbError, Pool};
use crate::provider::Category;

const CLAIM: &str = include_str!("sql/claim.sql");
const TAKE_OVER: &str = include_str!("sql/take_over.sql");
const SETTLE: &str = include_str!("sql/settle.sql");
const EXTEND_LEASE: &str = include_str!("sql/extend_lease.sql");
const PROVIDER_REFUSED: &str = include_str!("sql/provider_refused.sql");
const HEARTBEAT: &str = include_str!("sql/heartbeat.sql");
const RUN_DUE_SCHEDULE: &str = include_str!("sql/run_due_schedule.sql");
/// A daily scan of a large database takes seconds; one that takes this long is stuck.
const SCHEDULE_LIMIT: Duration = Duration::from_secs(600);

/// The members of one API request, as they were committed before anything is sent.
#[derive(Debug)]
pub struct Claim {
    /// `email_outbox.batch_id`.
    pub batch: Uuid,
    /// In the order they are sent.
    pub letters: Vec<Claimed>,
    /// Whether another sidecar held it before, so that the outcome of its request is unknown.
    pub taken_over: bool,
    /// Since the batch was first claimed.
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
}

/// What settling records about one row. The words are those of `public.email_settle`.
#[derive(Debug)]
pub struct Settlement {
    /// `email_outbox.id`.
    pub id: i64,
    /// `sent`, `transient`, `refused`, `server_error`, `permanent`, `address`, `lost`, `unknown` or `released`.
    pub outcome: &'static str,
    /// The provider's id, when sent.
    pub message_id: Option<String>,
    /// Why not, otherwise.
    pub error: Option<String>,
    /// The subject line, once it was rendered.
    pub subject: Option<String>,
    /// At least this long until the next try.
    pub wait: Option<Duration>,
}

/// What a heartbeat learns.
#[derive(Debug, Clone, PartialEq)]
pub struct Pulse {
    /// Whether this database may be sent from (contract §6, rule 9).
    pub armed: bool,
    /// Why nothing is sent at the moment; `None` when sending is on.
    pub paused: Option<String>,
    /// `email.clock_offset` as new sessions get it from the database's own settings.
    pub clock_offset: Option<String>,
    /// How long the most overdue row, backoff or lease has been waiting; `None` when nothing is overdue.
    pub lag: Option<Duration>,
    /// Whether the LISTEN session is the one this was asked on, so that a pooler stands between.
    pub pooled: bool,
}

/// What a claim answers.
#[derive(Debug)]
pub enum Claiming {
    /// These go out now.
    Batch(Claim),
    /// Nothing can go out now.
    Nothing {
        /// Until the next row falls due, a backoff ends or a lease runs out; zero when one of them is overdue, `None` when
        /// nothing waits.
        rest: Option<Duration>,
        /// Nothing may be sent: paused, or not armed.
        stopped: bool,
    },
}

/// A sidecar, as `email_workers` knows it.
#[derive(Debug, Clone)]
pub struct Identity {
    /// `host:pid:random`.
    pub id: String,
    /// Where it runs.
    pub hostname: String,
    /// Its process there.
    pub pid: i32,
    /// As in `EMAIL_PROVIDER`.
    pub provider: &'static str,
}

impl Identity {
    /// The identity of this process, new at every call.
    pub fn new(provider: &'static str) -> Self {
        let hostname = nix::unistd::gethostname().map_or_else(
            |_| "unknown".into(),
            |name| name.to_string_lossy().into_owned(),
        );
        let pid = i32::try_from(std::process::id()).unwrap_or(i32::MAX);
        let random = Uuid::new_v4().simple().to_string();
        Self {
            id: format!("{hostname}:{pid}:{}", &random[..8]),
            hostname,
            pid,
            provider,
        }
    }
}

/// Claims up to `batch_size` due rows.
pub async fn claim(
    pool: &Pool,
    worker: &Identity,
    batch_size: u16,
    lease: Duration,
) -> Result<Claiming, DbError> {
    let rows = pool
        .query(
            CLAIM,
            &[
                (&worker.id, Type::TEXT),
                (&worker.provider, Type::TEXT),
                (&i32::from(batch_size), Type::INT4),
                (&lease.as_secs_f64(), Type::FLOAT8),
            ],
        )
        .await?;
    if let [row] = rows.as_slice()
        && row.try_get::<_, Option<Uuid>>("batch_id")?.is_none()
    {
        let next: Option<f64> = row.try_get("next_seconds")?;
        return Ok(Claiming::Nothing {
            rest: next.map(until),
            stopped: row.try_get("stopped")?,
        });
    }
    Ok(match members(&rows)? {
        Some(claim) => Claiming::Batch(claim),
        // There is no row of settings: nobody said that anything may be sent.
        None => Claiming::Nothing {
            rest: None,
            stopped: true,
        },
    })
}

/// From seconds that are negative when something is overdue.
fn until(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

/// Takes over one batch whose lease is over; `None` when there is none.
pub async fn take_over(
    pool: &Pool,
    worker: &Identity,
    lease: Duration,
) -> Result<Option<Claim>, DbError> {
    let rows = pool
        .query(
            TAKE_OVER,
            &[
                (&worker.id, Type::TEXT),
                (&lease.as_secs_f64(), Type::FLOAT8),
            ],
        )
        .await?;
    members(&rows)
}

fn members(rows: &[Row]) -> Result<Option<Claim>, DbError> {
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(Claim {
        batch: first.try_get("batch_id")?,
        letters: rows.iter().map(claimed).collect::<Result<_, _>>()?,
        taken_over: first.try_get("taken_over")?,
        age: Duration::try_from_secs_f64(first.try_get("age_seconds")?).unwrap_or_default(),
    }))
}

fn claimed(row: &Row) -> Result<Claimed, DbError> {
    let category: String = row.try_get("category")?;
    Ok(Claimed {
        id: row.try_get("id")?,
        delivery: row.try_get("delivery_id")?,
        email_type: row.try_get("email_type")?,
        category: match category.as_str() {
            "security" => Category::Security,
            "transactional" => Category::Transactional,
            "product" => Category::Product,
            "marketing" => Category::Marketing,
            other => return Err(DbError::Unexpected(format!("category {other:?}"))),
        },
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
    })
}

/// Records what became of a batch's members; answers how many of them this sidecar still held.
pub async fn settle(
    pool: &Pool,
    worker: &Identity,
    batch: Uuid,
    settlements: &[Settlement],
) -> Result<i32, DbError> {
    let ids: Vec<i64> = settlements.iter().map(|s| s.id).collect();
    let outcomes: Vec<&str> = settlements.iter().map(|s| s.outcome).collect();
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
            ],
        )
        .await?;
    Ok(row.try_get(0)?)
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

/// Stops everything, for all sidecars, because the provider refuses the whole account.
pub async fn provider_refused(
    pool: &Pool,
    why: &str,
    until: Option<DateTime<Utc>>,
) -> Result<(), DbError> {
    let why = match until {
        Some(until) => format!("{why} (until {})", until.format("%Y-%m-%d %H:%M UTC")),
        None => why.to_owned(),
    };
    pool.query(PROVIDER_REFUSED, &[(&why, Type::TEXT)]).await?;
    Ok(())
}

/// Says that the sidecar is alive (`state`: running, draining, stopped) and asks what it should know.
pub async fn heartbeat(
    pool: &Pool,
    worker: &Identity,
    state: &'static str,
    in_flight: usize,
    session: Option<i32>,
) -> Result<Pulse, DbError> {
    let in_flight = i32::try_from(in_flight).unwrap_or(i32::MAX);
    let row = pool
        .query_one(
            HEARTBEAT,
            &[
                (&worker.id, Type::TEXT),
                (&worker.hostname, Type::TEXT),
                (&worker.pid, Type::INT4),
                (&env!("CARGO_PKG_VERSION"), Type::TEXT),
                (&worker.provider, Type::TEXT),
                (&state, Type::TEXT),
                (&in_flight, Type::INT4),
                (&session, Type::INT4),
            ],
        )
        .await?;
    // Negative when something is overdue.
    let next: Option<f64> = row.try_get("next_seconds")?;
    Ok(Pulse {
        armed: row.try_get("armed")?,
        paused: row.try_get("paused_reason")?,
        clock_offset: row.try_get("clock_offset")?,
        lag: next.and_then(|next| Duration::try_from_secs_f64(-next).ok()),
        pooled: row.try_get("pooled")?,
    })
}

/// Runs one schedule that is due and that nobody else runs; answers its name, `None` when none is due.
pub async fn run_due_schedule(pool: &Pool, worker: &Identity) -> Result<Option<String>, DbError> {
    let rows = pool
        .query_within(
            SCHEDULE_LIMIT,
            RUN_DUE_SCHEDULE,
            &[(&worker.id, Type::TEXT)],
        )
        .await?;
    match rows.first() {
        Some(row) => Ok(row.try_get(0)?),
        None => Ok(None),
    }
}
