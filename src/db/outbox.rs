//! The statements of a letter's life: claim, take over, settle. What they decide stands in `sql/core/`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use letters::Category;
use pgconnect::pool::{DbError, Pool};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

const CLAIM: &str = include_str!("sql/claim.sql");
const TAKE_OVER: &str = include_str!("sql/take_over.sql");
const SETTLE: &str = include_str!("sql/settle.sql");
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

/// What settling records about one row. The words are those of `public.email_settle`.
#[derive(Debug)]
pub struct Settlement {
    /// `email_outbox.id`.
    pub id: i64,
    /// `sent`, `transient`, `refused`, `released`, `permanent`, `address`, `unknown`, `server_error`, `untouched`,
    /// `mismatch`, `missing`, `conflict` or `lost`.
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

impl Settlement {
    /// What became of a letter, and why; without the rest.
    pub fn new(letter: &Claimed, outcome: &'static str, error: Option<String>) -> Self {
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
    /// These go out now: one request each, at least one.
    Batches(Vec<Claim>),
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
            rest: next.map(until),
            stopped: row.try_get("stopped")?,
        });
    }
    if rows.is_empty() {
        // There is no row of settings: nobody said that anything may be sent.
        return Ok(Claiming::Nothing {
            rest: None,
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
        letter.held = row.try_get("held")?;
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

/// Records what became of a batch's members; answers how many of them this sidecar still held.
pub async fn settle(
    pool: &Pool,
    worker: &Identity,
    batch: Uuid,
    settlements: &[Settlement],
    news: &AccountNews,
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
