//! What the Postgres server of a measurement has used, from `/proc` and its own log position.

use std::fs;

use anyhow::Context as _;

use super::process::ticks;
use super::stage::Stage;

/// Since the server's start: only differences of one run mean something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    /// Processor seconds of all its processes, also of those that have ended.
    cpu: f64,
    /// Bytes of write-ahead log.
    log: f64,
}

/// What one letter cost the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PerLetter {
    /// Microseconds of processor.
    pub(crate) cpu: f64,
    /// Bytes of write-ahead log.
    pub(crate) log: f64,
}

impl Used {
    /// Until now.
    pub(crate) async fn read(stage: &Stage) -> anyhow::Result<Self> {
        let log: i64 = stage
            .client
            .query_one(
                "select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint",
                &[],
            )
            .await?
            .get(0);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        Ok(Self {
            cpu: cpu(stage)?,
            log: log as f64,
        })
    }

    /// What these letters cost since then.
    pub(crate) async fn since(self, stage: &Stage, letters: u32) -> anyhow::Result<PerLetter> {
        let now = Self::read(stage).await?;
        Ok(PerLetter {
            cpu: (now.cpu - self.cpu) * 1e6 / f64::from(letters),
            log: (now.log - self.log) / f64::from(letters),
        })
    }
}

/// Of the living processes to the nanosecond, of those that have ended to the tick.
fn cpu(stage: &Stage) -> anyhow::Result<f64> {
    let lock = fs::read_to_string(stage.cluster.pgdata().join("postmaster.pid"))?;
    let postmaster: u32 = lock
        .lines()
        .next()
        .context("postmaster.pid is empty")?
        .parse()?;
    let mut seconds = ran(postmaster)?;
    let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"))?;
    for child in children.split_whitespace() {
        // One that ends in this moment is counted below at the next reading.
        seconds += ran(child.parse()?).unwrap_or_default();
    }
    let stat = fs::read_to_string(format!("/proc/{postmaster}/stat"))?;
    // cutime and cstime: of children that have ended.
    Ok(seconds + ticks(&stat, 13)?.as_secs_f64())
}

fn ran(pid: u32) -> anyhow::Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    let nanoseconds: f64 = text
        .split_whitespace()
        .next()
        .context("schedstat is empty")?
        .parse()?;
    Ok(nanoseconds / 1e9)
}
