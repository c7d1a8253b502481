//! A sidecar that has nothing to do, and how soon it has something to do after its start.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::sleep;

use super::Options;
use super::process::Process;
use super::stage::Stage;
use super::table::{heading, line, median};

const WATCHED: Duration = Duration::from_secs(20);

/// Memory, threads, queries and processor time of an idle sidecar; from its start to its first claim.
pub(crate) async fn measure(stage: &Stage, options: &Options) -> anyhow::Result<()> {
    heading(
        "one sidecar",
        &["RSS MiB", "threads", "queries/s", "cpu ms/s"],
    );
    stage.clear().await?;
    stage.go().await?;
    let sidecar = Process::sidecar(&stage.leash, &stage.database(), &stage.provider(), &[])?;
    stage.listening(1).await?;
    // The schedules of a new database are all due once; a session that falls idle tells what it committed within ten seconds.
    sleep(Duration::from_secs(18)).await;
    let (queries, cpu) = (transactions(stage).await?, sidecar.cpu()?);
    sleep(WATCHED).await;
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let queries = (transactions(stage).await? - queries) as f64;
    let cpu = sidecar.cpu()?.saturating_sub(cpu);
    line(
        "idle",
        &[
            format!("{:.1}", sidecar.memory()?.0),
            sidecar.threads()?.to_string(),
            format!("{:.2}", queries / WATCHED.as_secs_f64()),
            format!("{:.2}", cpu.as_secs_f64() * 1000.0 / WATCHED.as_secs_f64()),
        ],
    );
    sidecar.stop()?;

    let mut starts = Vec::new();
    for run in 0..options.runs.max(5) {
        starts.push(start(stage, run).await?);
    }
    line(
        "from its start to its first claim, ms",
        &[format!("{:.0}", median(starts))],
    );
    Ok(())
}

/// What has been committed, as far as the sessions have told.
async fn transactions(stage: &Stage) -> anyhow::Result<i64> {
    stage
        .client
        .batch_execute("select pg_stat_force_next_flush()")
        .await
        .ok();
    let committed: i64 = stage
        .client
        .query_one(
            "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()",
            &[],
        )
        .await?
        .get(0);
    Ok(committed)
}

async fn start(stage: &Stage, run: usize) -> anyhow::Result<f64> {
    let key = format!("bench:start:{run}");
    stage
        .client
        .execute(
            "insert into public.email_outbox (email_type, user_id, dedupe_key) select 'E-TRX-01', u.id, $1 from public.users u limit 1",
            &[&key],
        )
        .await?;
    let before: f64 = stage.clock().await?;
    let sidecar = Process::sidecar(&stage.leash, &stage.database(), &stage.provider(), &[])?;
    for _ in 0..1000 {
        sleep(Duration::from_millis(5)).await;
        let claimed: Option<f64> = stage
            .client
            .query_one(
                "select extract(epoch from claimed_at)::double precision from public.email_outbox where dedupe_key = $1",
                &[&key],
            )
            .await?
            .get(0);
        if let Some(claimed) = claimed {
            // What it has claimed is to be settled before it ends.
            sidecar.stop()?;
            return Ok((claimed - before) * 1000.0);
        }
    }
    None.context("it claims nothing")
}
