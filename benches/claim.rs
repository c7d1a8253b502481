//! How long the claim takes: the sidecar's own statement against a Postgres of its own, 100 letters and a single one at a time,
//! out of a queue of 100,000. `benches/claim.sh` asks the same at millions of rows and shows the plans.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pgconnect::pool::Pool;
use pgconnect::url::DbConfig;
use seqpulse_mailer::db::outbox::{self, Claiming};
use seqpulse_mailer::db::workers::Identity;
use throwaway::cluster::Cluster;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

const BINARY: &str = env!("CARGO_BIN_EXE_seqpulse-mailer");
const SCHEMA: &str = include_str!("../tests/seqpulse_schema.sql");
const QUEUED: i64 = 100_000;
const LEASE: Duration = Duration::from_secs(3600);

/// A database with users, and a pool as the sidecar has one.
struct Queue {
    runtime: Runtime,
    client: Client,
    pool: Pool,
    worker: Identity,
    left: i64,
    _cluster: Cluster,
}

impl Queue {
    fn new() -> Self {
        let cluster = Cluster::builder()
            .fsync(true)
            .setting("synchronous_commit", "on")
            .setting("shared_buffers", "1GB")
            .start()
            .expect("a cluster");
        let url = cluster.url("postgres");
        let runtime = Runtime::new().expect("threads");
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, NoTls)
                .await
                .expect("a session");
            tokio::spawn(connection);
            client.batch_execute(SCHEMA).await.expect("the schema");
            client
        });
        let migrated = Command::new(BINARY)
            .arg("migrate")
            .env("DATABASE_URL", &url)
            .stdout(Stdio::null())
            .status()
            .expect("migrate starts");
        assert!(migrated.success(), "migrate failed");
        runtime
            .block_on(client.batch_execute(&format!(
                "insert into public.users (name, email, hashed_password)
                 select 'Nassir Benali', 'nassir' || n || '@seqpulse.test', 'x' from generate_series(1, {QUEUED}) n"
            )))
            .expect("users sign up");
        let database = DbConfig::parse(&url, &|_| None).expect("its address");
        let pool = Pool::new(&database, 1, Duration::from_secs(10)).expect("a pool");
        let mut queue = Self {
            runtime,
            client,
            pool,
            worker: Identity::new("resend"),
            left: 0,
            _cluster: cluster,
        };
        queue.fill();
        queue
    }

    /// Everything is queued again; the tables are as after a vacuum.
    fn fill(&mut self) {
        self.runtime.block_on(async {
            for statement in [
                "truncate public.email_outbox, public.email_deliveries",
                "insert into public.email_outbox (email_type, user_id, dedupe_key) select 'E-TRX-01', id, 'bench:' || id from public.users",
                "vacuum analyze public.email_outbox",
                "checkpoint",
            ] {
                self.client.batch_execute(statement).await.expect(statement);
            }
        });
        self.left = QUEUED;
    }

    /// The time of so many claims of `size` letters each.
    fn claims(&mut self, count: u64, size: u16) -> Duration {
        let mut took = Duration::ZERO;
        for _ in 0..count {
            if self.left < i64::from(size) {
                self.fill();
            }
            let started = Instant::now();
            let claimed = self
                .runtime
                .block_on(outbox::claim(&self.pool, &self.worker, size, 1, LEASE))
                .expect("a claim");
            took += started.elapsed();
            let Claiming::Batches(claims) = claimed else {
                panic!("nothing could be claimed");
            };
            assert_eq!(claims[0].letters.len(), usize::from(size));
            self.left -= i64::from(size);
        }
        took
    }
}

fn claim(criterion: &mut Criterion) {
    let mut queue = Queue::new();
    let mut group = criterion.benchmark_group("claim");
    for size in [100, 1] {
        group.throughput(Throughput::Elements(u64::from(size)));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter_custom(|count| queue.claims(count, size));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(8));
    targets = claim
}
criterion_main!(benches);
