//! How fast a queue is emptied: welcomes that are due when sending begins, until the last one is settled.

use std::time::{Duration, Instant};

use super::Options;
use super::process::Process;
use super::server::Used;
use super::stage::Stage;
use super::table::{heading, line, median};
use super::yardstick;

/// What one drain took.
#[derive(Debug, Clone, Copy)]
struct Drained {
    /// Messages a second.
    rate: f64,
    /// Processor seconds of the sidecars per 1,000 messages.
    cpu: f64,
    /// MiB, of the largest one.
    memory: f64,
    /// Processor microseconds of Postgres per message.
    server: f64,
    /// Bytes of write-ahead log per message.
    log: f64,
}

/// A way to send.
struct Way {
    name: &'static str,
    latency: Duration,
    batch: usize,
    concurrency: usize,
}

const AT_ONCE: Duration = Duration::ZERO;
const FAR: Duration = Duration::from_millis(50);

const WAYS: [Way; 4] = [
    Way {
        name: "batches of 100, provider answers at once",
        latency: AT_ONCE,
        batch: 100,
        concurrency: 4,
    },
    Way {
        name: "batches of 100, provider at 50 ms",
        latency: FAR,
        batch: 100,
        concurrency: 16,
    },
    Way {
        name: "single messages, provider answers at once",
        latency: AT_ONCE,
        batch: 1,
        concurrency: 16,
    },
    Way {
        name: "single messages, provider at 50 ms",
        latency: FAR,
        batch: 1,
        concurrency: 64,
    },
];

/// What the sandbox can take.
pub(crate) async fn limits(stage: &Stage, options: &Options) -> anyhow::Result<()> {
    heading("the sandbox alone (one client)", &["messages/s"]);
    for (name, batch, letters) in [
        ("batches of 100", 100, 20_000),
        ("single messages", 1, 10_000),
    ] {
        let mut rates = Vec::new();
        for _ in 0..options.runs {
            rates.push(yardstick::sandbox_alone(stage, batch, letters).await?);
        }
        line(name, &[format!("{:.0}", median(rates))]);
    }
    Ok(())
}

/// Single and batch endpoint, near and far provider.
pub(crate) async fn ways(stage: &Stage, options: &Options) -> anyhow::Result<()> {
    heading(
        &format!("draining {} letters, one sidecar", options.letters),
        &[
            "messages/s",
            "yardstick",
            "ratio",
            "sidecar us",
            "Postgres us",
            "/ yardstick",
            "log bytes",
            "peak RSS MiB",
        ],
    );
    for way in WAYS {
        stage.latency(way.latency).await?;
        let (mut limits, mut limit_costs, mut runs) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..options.runs {
            let limit = yardstick::run(stage, options.letters, way.batch, way.concurrency).await?;
            limits.push(limit.rate);
            limit_costs.push(limit.server);
            runs.push(drain(stage, 1, way.batch, way.concurrency).await?);
        }
        let (limit, limit_cost, ours) = (median(limits), median(limit_costs), middle(&runs));
        line(
            way.name,
            &[
                format!("{:.0}", ours.rate),
                format!("{limit:.0}"),
                format!("{:.2}", ours.rate / limit),
                format!("{:.0}", ours.cpu * 1000.0),
                format!("{:.0}", ours.server),
                format!("{:.1}", ours.server / limit_cost),
                format!("{:.0}", ours.log),
                format!("{:.1}", ours.memory),
            ],
        );
    }
    stage.latency(AT_ONCE).await
}

/// One, two and four sidecars.
pub(crate) async fn sidecars(stage: &Stage, options: &Options) -> anyhow::Result<()> {
    heading(
        &format!("draining {} letters, batches of 100", options.letters),
        &["messages/s", "of one", "cpu s/1000"],
    );
    let counts = [1, 2, 4];
    let mut runs: [Vec<Drained>; 3] = Default::default();
    for _ in 0..options.runs {
        for (count, runs) in counts.into_iter().zip(&mut runs) {
            runs.push(drain(stage, count, 100, 4).await?);
        }
    }
    let one = middle(&runs[0]).rate;
    for (count, runs) in counts.into_iter().zip(&runs) {
        let drained = middle(runs);
        line(
            &format!("{count} sidecars"),
            &[
                format!("{:.0}", drained.rate),
                format!("{:.2}", drained.rate / one),
                format!("{:.3}", drained.cpu),
            ],
        );
    }
    Ok(())
}

/// What must not make it slower: an old snapshot, rows of the future, a long journal.
pub(crate) async fn flat(stage: &Stage, options: &Options) -> anyhow::Result<()> {
    heading(
        &format!("draining {} letters, batches of 100", options.letters),
        &["messages/s", "of empty"],
    );
    let rate = async |name: &str, empty: Option<f64>| -> anyhow::Result<f64> {
        let mut runs = Vec::new();
        for _ in 0..options.runs {
            runs.push(drain(stage, 1, 100, 4).await?);
        }
        let rate = middle(&runs).rate;
        line(
            name,
            &[
                format!("{rate:.0}"),
                format!("{:.2}", rate / empty.unwrap_or(rate)),
            ],
        );
        Ok(rate)
    };
    let empty = rate("no other rows", None).await?;
    {
        let holder = stage.connect().await?;
        holder
            .batch_execute(
                "begin isolation level repeatable read; select 1 from public.email_outbox limit 1",
            )
            .await?;
        // What was sent since the snapshot was taken cannot be vacuumed away.
        drain(stage, 1, 100, 4).await?;
        rate(
            "a snapshot held since a queue of that size ago",
            Some(empty),
        )
        .await?;
        holder.batch_execute("rollback").await?;
    }
    stage.clear().await?;
    let future = 1_000_000;
    stage
        .client
        .batch_execute(&format!(
            "insert into public.email_outbox (email_type, user_id, dedupe_key, run_at)
             select case n % 3 when 0 then 'E-TRX-01' when 1 then 'E-BILL-01' else 'E-ACT-02' end, gen_random_uuid(), 'future:' || n,
                 now() + interval '2 days' + n * interval '1 second'
             from generate_series(1, {future}) n"
        ))
        .await?;
    rate("and 1,000,000 rows of the future", Some(empty)).await?;
    if options.full {
        stage
            .client
            .batch_execute(
                "insert into public.email_deliveries (user_id, email_type, dedupe_key, status, payload_json, provider, sent_at, created_at)
                 select gen_random_uuid(), 'E-TRX-01', 'history:' || n, 'sent', '{\"subject\": \"Bienvenue\", \"context\": {\"first_name\": \"Nassir\"}}',
                     'resend', now() - interval '30 days', now() - interval '30 days'
                 from generate_series(1, 5000000) n",
            )
            .await?;
        rate("and 5,000,000 rows in the journal", Some(empty)).await?;
    }
    Ok(())
}

async fn drain(
    stage: &Stage,
    sidecars: usize,
    batch: usize,
    concurrency: usize,
) -> anyhow::Result<Drained> {
    stage.clear().await?;
    let letters = stage.enqueue().await?;
    let (batch, concurrency) = (batch.to_string(), concurrency.to_string());
    let settings = [
        ("EMAIL_BATCH_SIZE", batch.as_str()),
        ("EMAIL_CONCURRENCY", concurrency.as_str()),
    ];
    stage
        .client
        .batch_execute("delete from public.email_workers")
        .await?;
    let mut processes = Vec::new();
    for _ in 0..sidecars {
        processes.push(Process::sidecar(
            &stage.leash,
            &stage.database(),
            &stage.provider(),
            &settings,
        )?);
    }
    stage.listening(sidecars).await?;
    let before = cpu(&processes)?;
    let server = Used::read(stage).await?;
    let started = Instant::now();
    stage.go().await?;
    stage.emptied(u64::from(letters)).await?;
    let took = started.elapsed();
    let cpu = cpu(&processes)?.saturating_sub(before);
    let server = server.since(stage, letters).await?;
    let mut memory: f64 = 0.0;
    for process in &processes {
        memory = memory.max(process.memory()?.1);
    }
    stage.nothing_doubled().await?;
    anyhow::ensure!(
        stage.arrived().await? == u64::from(letters),
        "more arrived than was enqueued"
    );
    for process in processes {
        process.stop()?;
    }
    Ok(Drained {
        rate: f64::from(letters) / took.as_secs_f64(),
        cpu: cpu.as_secs_f64() * 1000.0 / f64::from(letters),
        memory,
        server: server.cpu,
        log: server.log,
    })
}

fn cpu(processes: &[Process]) -> anyhow::Result<Duration> {
    processes.iter().map(Process::cpu).sum()
}

fn middle(runs: &[Drained]) -> Drained {
    let of = |field: fn(&Drained) -> f64| median(runs.iter().map(field).collect());
    Drained {
        rate: of(|run| run.rate),
        cpu: of(|run| run.cpu),
        memory: of(|run| run.memory),
        server: of(|run| run.server),
        log: of(|run| run.log),
    }
}
