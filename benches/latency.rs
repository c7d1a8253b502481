//! From the application's INSERT to the provider: 200 sign-ups, one after the other, with the sidecar idle in between.
//!
//! `make bench` runs it: a Postgres of its own with fsync on, the sandbox in this process, the real binary as a child.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use seqpulse_mailer::demo::cluster::Cluster;
use seqpulse_mailer::demo::leash::Leash;
use seqpulse_mailer::sandbox::{Sandbox, SandboxOptions};
use tokio_postgres::{Client, NoTls};

const BINARY: &str = env!("CARGO_BIN_EXE_seqpulse-mailer");
const SCHEMA: &str = include_str!("../tests/seqpulse_schema.sql");
const SIGN_UPS: usize = 200;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cluster = Cluster::builder().fsync(true).start()?;
    let url = cluster.url("postgres");
    let client = connect(&url).await?;
    client.batch_execute(SCHEMA).await?;
    let migrated = Command::new(BINARY)
        .arg("migrate")
        .env("DATABASE_URL", &url)
        .stdout(Stdio::null())
        .status()?;
    anyhow::ensure!(migrated.success(), "migrate failed");
    let sandbox = Sandbox::start(SandboxOptions::default()).await?;
    let leash = Leash::new()?;
    let mut sidecar = start(&leash, &url, &sandbox)?;
    while client
        .query_one(
            "select count(*) from public.email_workers where session_pid is not null",
            &[],
        )
        .await?
        .get::<_, i64>(0)
        == 0
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let mut arrivals = Vec::with_capacity(SIGN_UPS);
    let mut inserts = Vec::with_capacity(SIGN_UPS);
    for n in 1..=SIGN_UPS {
        // Long enough for the sidecar to settle and to sleep again.
        tokio::time::sleep(Duration::from_millis(40)).await;
        let started = Instant::now();
        let address = format!("nassir{n}@seqpulse.test");
        client.execute("insert into public.users (name, email, hashed_password) values ('Nassir', $1, 'x')", &[&address]).await?;
        let committed = Instant::now();
        sandbox.arrived(n).await;
        inserts.push(committed - started);
        arrivals.push(started.elapsed());
    }
    sidecar.kill()?;
    sidecar.wait()?;
    anyhow::ensure!(
        sandbox.count() == SIGN_UPS && sandbox.distinct_deliveries() == SIGN_UPS,
        "a letter is missing or doubled"
    );

    println!("{SIGN_UPS} sign-ups, one at a time, fsync on        p50        p99        max");
    print("INSERT with its triggers", &mut inserts);
    print("INSERT to the provider", &mut arrivals);
    Ok(())
}

fn start(leash: &Leash, url: &str, sandbox: &Sandbox) -> anyhow::Result<Child> {
    let mut command = Command::new(BINARY);
    command
        .arg("run")
        .env_clear()
        .envs([
            ("DATABASE_URL", url),
            ("EMAIL_PROVIDER", "resend"),
            ("EMAIL_PROVIDER_URL", &sandbox.url()),
            ("EMAIL_API_KEY", "re_bench"),
            ("EMAIL_FROM", "SEQPULSE <bonjour@mail.seqpulse.test>"),
            ("EMAIL_RATE_PER_SECOND", "0"),
            (
                "EMAIL_POSTAL_ADDRESS",
                "SEQPULSE SAS, 1 rue de la Paix, 75002 Paris",
            ),
            ("EMAIL_REVIEW_URL", "https://reviews.example.com/seqpulse"),
            ("PUBLIC_URL", "http://127.0.0.1:8025"),
            ("HTTP_LISTEN", "off"),
            ("RUST_LOG", "warn"),
        ])
        .stdin(Stdio::null());
    leash
        .attach(&mut command)
        .spawn()
        .context("the sidecar does not start")
}

async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn print(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: usize| {
        times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1000.0
    };
    println!(
        "{what:<44} {:>7.2} ms {:>7.2} ms {:>7.2} ms",
        at(50),
        at(99),
        at(100)
    );
}
