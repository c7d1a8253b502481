//! From the application's commit to the provider: the moment its INSERT is answered, and the moment the sandbox has the letter.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::Options;
use super::process::Process;
use super::stage::Stage;
use super::table::{heading, line, median, percentile};

const SIGN_UP: &str =
    "insert into public.users (name, email, hashed_password) values ('Nassir', $1, 'x')";
/// One at a time, on a sidecar that sleeps in between.
const ALONE: usize = 200;
/// Sessions that write under load, and how often each does.
const WRITERS: u64 = 10;
const EVERY: Duration = Duration::from_millis(20);
const LOAD: Duration = Duration::from_secs(20);

/// Idle, and at 500 a second.
pub(crate) async fn measure(stage: &Stage, options: &Options) -> anyhow::Result<()> {
    heading(
        "from commit to provider, ms",
        &["p50", "p99", "max", "letters"],
    );
    stage.clear().await?;
    stage.go().await?;
    let sidecar = Process::sidecar(&stage.leash, &stage.database(), &stage.provider(), &[])?;
    stage.listening(1).await?;
    let mut runs = Vec::new();
    for run in 0..options.runs {
        runs.push(alone(stage, run).await?);
    }
    report("single sign-ups, sidecar idle", &runs);
    let mut runs = Vec::new();
    // Twenty seconds are many letters: one run less is enough, unless time does not matter.
    for run in 0..if options.full { options.runs } else { 1 } {
        runs.push(load(stage, run).await?);
    }
    report("500 sign-ups a second for 20 s", &runs);
    sidecar.stop()?;
    stage
        .client
        .batch_execute("delete from public.users where email like 'arrival%'; delete from public.email_deliveries; truncate public.email_outbox")
        .await?;
    Ok(())
}

async fn alone(stage: &Stage, run: usize) -> anyhow::Result<Vec<f64>> {
    let mut commits = HashMap::new();
    for number in 0..ALONE {
        // Long enough for the sidecar to settle and to sleep again.
        sleep(Duration::from_millis(30 + (number as u64 * 7) % 20)).await;
        let address = format!("arrival.{run}.{number}@seqpulse.test");
        stage.client.execute(SIGN_UP, &[&address]).await?;
        commits.insert(address, now());
    }
    delays(stage, commits).await
}

async fn load(stage: &Stage, run: usize) -> anyhow::Result<Vec<f64>> {
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let client = stage.connect().await?;
        let statement = client.prepare(SIGN_UP).await?;
        writers.push(tokio::spawn(async move {
            sleep(EVERY * u32::try_from(writer)? / u32::try_from(WRITERS)?).await;
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let end = Instant::now() + LOAD;
            let mut commits = HashMap::new();
            while Instant::now() < end {
                ticks.tick().await;
                let address = format!(
                    "arrival.load.{run}.{writer}.{}@seqpulse.test",
                    commits.len()
                );
                client.execute(&statement, &[&address]).await?;
                commits.insert(address, now());
            }
            anyhow::Ok(commits)
        }));
    }
    let mut commits = HashMap::new();
    for writer in writers {
        commits.extend(writer.await??);
    }
    delays(stage, commits).await
}

/// Milliseconds, sorted.
async fn delays(stage: &Stage, commits: HashMap<String, f64>) -> anyhow::Result<Vec<f64>> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let mut delays: Vec<f64> = stage
            .arrivals()
            .await?
            .into_iter()
            // The letter may arrive before the writer has read the answer to its commit.
            .filter_map(|(to, at)| Some(((at - commits.get(&to)?) * 1000.0).max(0.0)))
            .collect();
        if delays.len() == commits.len() {
            delays.sort_by(f64::total_cmp);
            return Ok(delays);
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "{} of {} letters arrived",
            delays.len(),
            commits.len()
        );
        sleep(Duration::from_millis(200)).await;
    }
}

fn report(what: &str, runs: &[Vec<f64>]) {
    let of = |per_cent| median(runs.iter().map(|run| percentile(run, per_cent)).collect());
    line(
        what,
        &[
            format!("{:.2}", of(50)),
            format!("{:.2}", of(99)),
            format!("{:.2}", of(100)),
            runs.first().map_or(0, Vec::len).to_string(),
        ],
    );
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
