//! Ten minutes at a thousand letters a second: do tables and their dead rows level off, does the rate hold?

use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use super::process::Process;
use super::stage::Stage;
use super::table::{heading, line};

const MINUTES: u32 = 10;
/// Letters in one statement, ten times a second.
const AT_ONCE: i64 = 100;

/// Prints a line a minute.
pub(crate) async fn measure(stage: &Stage) -> anyhow::Result<()> {
    heading(
        "1,000 letters a second",
        &[
            "waiting",
            "live rows",
            "dead rows",
            "outbox MiB",
            "due index MiB",
            "RSS MiB",
        ],
    );
    stage.clear().await?;
    stage
        .client
        .batch_execute("truncate public.email_outbox; update public.email_settings set retention_sent = interval '2 minutes'")
        .await?;
    stage.go().await?;
    let sidecar = Process::sidecar(&stage.leash, &stage.database(), &stage.provider(), &[])?;
    let mut ticks = interval(Duration::from_millis(100));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let started = Instant::now();
    let mut number: i64 = 0;
    for minute in 1..=MINUTES {
        while started.elapsed() < Duration::from_secs(60) * minute {
            ticks.tick().await;
            stage
                .client
                .execute(
                    "insert into public.email_outbox (email_type, user_id, dedupe_key)
                     select 'E-TRX-01', u.id, 'bench:' || ($1::bigint + row_number() over ()) from (select id from public.users limit $2) u",
                    &[&number, &AT_ONCE],
                )
                .await?;
            number += AT_ONCE;
        }
        let row = stage
            .client
            .query_one(
                "select (select count(*) from public.email_outbox where status = 'queued'), s.n_live_tup, s.n_dead_tup,
                    pg_total_relation_size('public.email_outbox') / 1048576.0::double precision,
                    pg_relation_size('public.email_outbox_due_idx') / 1048576.0::double precision
                 from pg_stat_user_tables s where s.relname = 'email_outbox'",
                &[],
            )
            .await?;
        line(
            &format!("minute {minute}"),
            &[
                row.get::<_, i64>(0).to_string(),
                row.get::<_, i64>(1).to_string(),
                row.get::<_, i64>(2).to_string(),
                format!("{:.0}", row.get::<_, f64>(3)),
                format!("{:.1}", row.get::<_, f64>(4)),
                format!("{:.1}", sidecar.memory()?.0),
            ],
        );
    }
    sidecar.stop()
}
