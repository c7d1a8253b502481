//! This sidecar among the others: its identity, its heartbeat, and the schedules that one of them runs.

use std::time::Duration;

use pgconnect::pool::{DbError, Pool};
use tokio_postgres::types::Type;
use uuid::Uuid;

const HEARTBEAT: &str = include_str!("sql/heartbeat.sql");
const RUN_DUE_SCHEDULE: &str = include_str!("sql/run_due_schedule.sql");
/// A daily scan of a large database takes seconds; a scan that takes this long is stuck.
const SCHEDULE_LIMIT: Duration = Duration::from_secs(600);

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

/// What the database answers to a heartbeat.
#[derive(Debug, Clone, PartialEq)]
pub struct HeartbeatReply {
    /// Whether this database may be sent from (docs/rules.md#install-and-restore).
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

/// Says that the sidecar is alive (`state`: running, draining, stopped) and asks what it should know.
pub async fn heartbeat(
    pool: &Pool,
    worker: &Identity,
    state: &'static str,
    in_flight: usize,
    session: Option<i32>,
) -> Result<HeartbeatReply, DbError> {
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
    Ok(HeartbeatReply {
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
