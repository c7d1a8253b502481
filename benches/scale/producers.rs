//! What enqueuing costs the application: pgbench inserts outbox rows that are due, with and without the wake-up.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio_postgres::Client;

use super::Options;
use super::stage::Stage;
use super::table::{heading, line, median};

const INSERT: &str = "insert into public.email_outbox (email_type, user_id, dedupe_key, payload)
values ('E-BILL-02', '11111111-0000-0000-0000-000000000001', 'bench:' || gen_random_uuid(), '{\"invoice_id\": \"in_1\"}');";

/// What the statement trigger finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wakes {
    /// It is switched off.
    Without,
    /// Nobody sleeps: the sidecars are busy.
    Awake,
    /// Somebody sleeps and stays asleep, so that every commit carries a NOTIFY: what a trigger that always sends one costs.
    Always,
}

const KINDS: [(Wakes, &str); 3] = [
    (Wakes::Without, "no wake-up at all"),
    (Wakes::Awake, "while the sidecars are awake"),
    (Wakes::Always, "a NOTIFY with every commit (for comparison)"),
];

/// 16 and 32 clients.
pub(crate) async fn measure(stage: &Stage, options: &Options) -> anyhow::Result<()> {
    heading(
        "pgbench: INSERT into email_outbox",
        &["inserts/s", "of none", "waits for object"],
    );
    let seconds = if options.full { 15 } else { 5 };
    for clients in [16, 32] {
        let mut runs: [Vec<(f64, f64)>; 3] = Default::default();
        for _ in 0..options.runs {
            for ((wakes, _), runs) in KINDS.iter().zip(&mut runs) {
                runs.push(insert(stage, *wakes, clients, seconds).await?);
            }
        }
        let rate = |runs: &[(f64, f64)]| median(runs.iter().map(|run| run.0).collect());
        let none = rate(&runs[0]);
        for ((_, name), runs) in KINDS.iter().zip(&runs) {
            line(
                &format!("{clients} clients, {name}"),
                &[
                    format!("{:.0}", rate(runs)),
                    format!("{:.2}", rate(runs) / none),
                    format!("{:.1}", median(runs.iter().map(|run| run.1).collect())),
                ],
            );
        }
    }
    stage
        .client
        .batch_execute("truncate public.email_outbox")
        .await?;
    Ok(())
}

/// Inserts per second, and how many sessions waited for `Lock: object` on average.
async fn insert(
    stage: &Stage,
    wakes: Wakes,
    clients: u32,
    seconds: u32,
) -> anyhow::Result<(f64, f64)> {
    let switch = if wakes == Wakes::Without {
        "disable"
    } else {
        "enable"
    };
    stage
        .client
        .batch_execute(&format!(
            "truncate public.email_outbox; alter table public.email_outbox {switch} trigger email_outbox_wake"
        ))
        .await?;
    stage.client.batch_execute("checkpoint").await?;
    let sleeper = stage.connect().await?;
    if wakes == Wakes::Always {
        // Two statements: what is said in one transaction is heard from the next one on.
        sleeper.batch_execute("listen email_outbox").await?;
        sleeper
            .batch_execute("select * from public.email_sleep(0)")
            .await?;
    }
    let script = tempfile::NamedTempFile::new()?;
    std::fs::write(script.path(), INSERT)?;
    let child = Command::new(stage.program("pgbench"))
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
        .arg(format!("--client={clients}"))
        .arg(format!("--time={seconds}"))
        .arg(format!("--file={}", script.path().display()))
        .arg(stage.database())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("pgbench (part of the Postgres server packages)")?;
    let done = Arc::new(AtomicBool::new(false));
    let waits = tokio::spawn(waiting(stage.connect().await?, Arc::clone(&done)));
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await??;
    done.store(true, Ordering::Relaxed);
    let waits = waits.await??;
    stage
        .client
        .batch_execute("alter table public.email_outbox enable trigger email_outbox_wake")
        .await?;
    let text = String::from_utf8(output.stdout)?;
    let rate = text
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
        .with_context(|| format!("pgbench printed no rate: {text}"))?;
    Ok((rate, waits))
}

async fn waiting(client: Client, done: Arc<AtomicBool>) -> anyhow::Result<f64> {
    let (mut looks, mut waits) = (0_u32, 0_i64);
    while !done.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        looks += 1;
        waits += client
            .query_one(
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and wait_event = 'object'",
                &[],
            )
            .await?
            .get::<_, i64>(0);
    }
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    Ok(waits as f64 / f64::from(looks.max(1)))
}
