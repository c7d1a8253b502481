//! What every measurement stands on: Postgres, the sandbox, and letters to send.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};
use throwaway::cluster::Cluster;
use throwaway::leash::Leash;
use tokio_postgres::{Client, NoTls};

use super::process::{Process, binary};

const SCHEMA: &str = include_str!("../../tests/seqpulse_schema.sql");

/// See the module.
pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    /// A session for preparing and asking.
    pub(crate) client: Client,
    pub(crate) leash: Leash,
    pub(crate) http: reqwest::Client,
    letters: u32,
    sandbox: SocketAddr,
    _sandbox: Process,
}

impl Stage {
    /// Starts everything; `letters` users sign up.
    pub(crate) async fn set(letters: u32) -> anyhow::Result<Self> {
        let cluster = Cluster::builder()
            .fsync(true)
            .setting("synchronous_commit", "on")
            // What a small server has; checkpoints are kept out of the runs.
            .setting("shared_buffers", "1GB")
            .setting("max_wal_size", "8GB")
            .setting("checkpoint_timeout", "1h")
            .start()?;
        let url = cluster.url("postgres");
        let client = connect(&url).await?;
        client.batch_execute(SCHEMA).await?;
        let migrated = Command::new(binary())
            .arg("migrate")
            .env("DATABASE_URL", &url)
            .stdout(Stdio::null())
            .status()?;
        anyhow::ensure!(migrated.success(), "migrate failed");
        client
            .execute(
                "insert into public.users (name, email, hashed_password)
                 select 'Nassir Benali', 'nassir' || n || '@seqpulse.test', 'x' from generate_series(1, $1::integer) n",
                &[&i32::try_from(letters)?],
            )
            .await?;
        let leash = Leash::new()?;
        let sandbox = free_address()?;
        let process = Process::start(
            &leash,
            Command::new(binary())
                .args(["sandbox", "--listen", &sandbox.to_string()])
                .env_clear()
                .env("RUST_LOG", "warn"),
        )?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .build()?;
        let stage = Self {
            cluster,
            client,
            leash,
            http,
            letters,
            sandbox,
            _sandbox: process,
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        while stage.arrived().await.is_err() {
            anyhow::ensure!(Instant::now() < deadline, "the sandbox does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(stage)
    }

    /// Which machine this is.
    pub(crate) async fn describe(&self) -> anyhow::Result<String> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let cores = cpuinfo
            .lines()
            .filter(|line| line.starts_with("processor"))
            .count();
        let model = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or("unknown", |(_, model)| model);
        let memory: f64 = read("/proc/meminfo")
            .split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse().ok())
            .unwrap_or_default();
        let version: String = self
            .client
            .query_one("select current_setting('server_version')", &[])
            .await?
            .get(0);
        Ok(format!(
            "{cores} x {model}, {:.0} GiB; PostgreSQL {version}, fsync and synchronous_commit on; seqpulse-mailer {}",
            memory / 1_048_576.0,
            env!("CARGO_PKG_VERSION")
        ))
    }

    /// Address of the database.
    pub(crate) fn database(&self) -> String {
        self.cluster.url("postgres")
    }

    /// Another session.
    pub(crate) async fn connect(&self) -> anyhow::Result<Client> {
        connect(&self.database()).await
    }

    /// Base address of the provider.
    pub(crate) fn provider(&self) -> String {
        format!("http://{}", self.sandbox)
    }

    /// Full path of a program of this Postgres.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.cluster.bin().program(name)
    }

    /// Empties outbox, journal and the sandbox; nobody sends until [`Stage::go`]. The tables are as after a vacuum.
    pub(crate) async fn clear(&self) -> anyhow::Result<()> {
        self.client
            .batch_execute(
                "update public.email_settings set paused_at = now(), paused_reason = 'benchmark';
                 delete from public.email_outbox where run_at < now() + interval '1 day';
                 delete from public.email_deliveries where dedupe_key like 'bench:%';
                 delete from public.email_marketing_slots;
                 delete from public.email_batches",
            )
            .await
            .map_err(described)?;
        self.control("POST", "/_sandbox/reset", None).await?;
        Ok(())
    }

    /// One welcome for each user, due now; answers how many.
    pub(crate) async fn enqueue(&self) -> anyhow::Result<u32> {
        self.client
            .execute(
                "insert into public.email_outbox (email_type, user_id, dedupe_key)
                 select 'E-TRX-01', u.id, 'bench:' || u.id from public.users u order by u.email limit $1",
                &[&i64::from(self.letters)],
            )
            .await?;
        self.vacuum("public.email_outbox, public.email_deliveries, public.users")
            .await?;
        Ok(self.letters)
    }

    /// Vacuums and analyzes these tables, and writes everything out, so that it does not happen while something is measured.
    pub(crate) async fn vacuum(&self, tables: &str) -> anyhow::Result<()> {
        // Each by itself: together they would be one transaction.
        self.client
            .batch_execute(&format!("vacuum analyze {tables}"))
            .await?;
        self.client.batch_execute("checkpoint").await?;
        Ok(())
    }

    /// Sending begins.
    pub(crate) async fn go(&self) -> anyhow::Result<()> {
        self.client
            .batch_execute("select public.email_resume()")
            .await?;
        Ok(())
    }

    /// Waits until so many sidecars listen.
    pub(crate) async fn listening(&self, sidecars: usize) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let listening: i64 = self
                .client
                .query_one(
                    "select count(*) from public.email_workers where session_pid is not null and state = 'running'",
                    &[],
                )
                .await?
                .get(0);
            if usize::try_from(listening)? >= sidecars {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < deadline, "a sidecar does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The server's, in seconds since 1970.
    pub(crate) async fn clock(&self) -> anyhow::Result<f64> {
        let row = self
            .client
            .query_one(
                "select extract(epoch from clock_timestamp())::double precision",
                &[],
            )
            .await?;
        Ok(row.get(0))
    }

    /// Every answer of the sandbox comes so late.
    pub(crate) async fn latency(&self, latency: Duration) -> anyhow::Result<()> {
        self.control("DELETE", "/_sandbox/faults", None).await?;
        if !latency.is_zero() {
            let ms = u64::try_from(latency.as_millis())?;
            // Only to what sends: the control API answers at once in any case.
            let rule = json!({"kind": "latency", "ms": ms});
            self.control("POST", "/_sandbox/faults", Some(rule)).await?;
        }
        Ok(())
    }

    /// How many messages the sandbox has accepted.
    pub(crate) async fn arrived(&self) -> anyhow::Result<u64> {
        let count = self.control("GET", "/_sandbox/ledger/count", None).await?;
        count["messages"].as_u64().context("a count")
    }

    /// Every accepted message is another letter.
    pub(crate) async fn nothing_doubled(&self) -> anyhow::Result<()> {
        let count = self.control("GET", "/_sandbox/ledger/count", None).await?;
        anyhow::ensure!(
            count["messages"] == count["deliveries"],
            "a letter went out twice: {count}"
        );
        Ok(())
    }

    /// Recipient and moment (seconds since 1970) of everything that arrived.
    pub(crate) async fn arrivals(&self) -> anyhow::Result<Vec<(String, f64)>> {
        let ledger = self
            .control("GET", "/_sandbox/ledger?limit=1000000", None)
            .await?;
        let entries = ledger["entries"].as_array().context("entries")?;
        entries
            .iter()
            .map(|entry| {
                let at: chrono::DateTime<chrono::Utc> =
                    entry["at"].as_str().context("a time")?.parse()?;
                #[expect(clippy::cast_precision_loss, reason = "microseconds fit")]
                let seconds = at.timestamp_micros() as f64 / 1e6;
                Ok((entry["to"].as_str().context("to")?.to_owned(), seconds))
            })
            .collect()
    }

    /// Waits until the outbox holds nothing that is due or being sent.
    pub(crate) async fn emptied(&self, letters: u64) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(900);
        while self.arrived().await? < letters {
            anyhow::ensure!(Instant::now() < deadline, "the queue is not emptied");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        loop {
            let left: bool = self
                .client
                .query_one(
                    "select exists (select from public.email_outbox where status = 'sending')
                         or exists (select from public.email_outbox where status = 'queued' and run_at <= now() and retry_at is null)",
                    &[],
                )
                .await?
                .get(0);
            if !left {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < deadline, "the queue is not emptied");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn control(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let mut request = self
            .http
            .request(method.parse()?, format!("{}{path}", self.provider()));
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        anyhow::ensure!(
            status.is_success(),
            "{path}: {status} {}",
            String::from_utf8_lossy(&body)
        );
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }
}

/// A session whose connection is served in the background.
pub(crate) async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// With the server's own words, which the error itself does not show.
pub(crate) fn described(error: tokio_postgres::Error) -> anyhow::Error {
    match error.as_db_error() {
        Some(db) => anyhow::anyhow!("{}", db.message()),
        None => error.into(),
    }
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
