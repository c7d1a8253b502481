//! The practical limit: claim 500, POST them, one UPDATE. No policy, no journal, no rendering: the bodies were made before.
//!
//! It runs in a process of its own, like a sidecar. Two loops take turns, so that one claims while the other sends.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::body::Bytes;
use futures_util::{StreamExt as _, stream};
use letters::samples;
use seqpulse_mailer::provider::ProviderConfig;
use seqpulse_mailer::provider::{Batch, Message, Provider as _, resend::Resend};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::server::Used;
use super::stage::{Stage, connect};

const CLAIM: &str = "update yardstick set status = 'sending' where id in
    (select id from yardstick where status = 'queued' order by id limit 500 for update skip locked) returning id";
const SETTLE: &str = "update yardstick set status = 'sent' where id = any($1)";
const LOOPS: usize = 2;

/// What the child is to do.
#[derive(Debug, Serialize, Deserialize)]
struct Plan {
    database: String,
    provider: String,
    batch: usize,
    concurrency: usize,
}

/// What one run of it took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// Messages a second.
    pub(crate) rate: f64,
    /// Processor microseconds of Postgres per message.
    pub(crate) server: f64,
}

/// Runs it once.
pub(crate) async fn run(
    stage: &Stage,
    letters: u32,
    batch: usize,
    concurrency: usize,
) -> anyhow::Result<Limit> {
    stage.clear().await?;
    stage
        .client
        .batch_execute(&format!(
            "drop table if exists yardstick;
             create table yardstick (id bigint generated always as identity primary key, status text not null default 'queued')
             with (fillfactor = 50);
             create index on yardstick (id) where status = 'queued';
             insert into yardstick (status) select 'queued' from generate_series(1, {letters})"
        ))
        .await?;
    stage.vacuum("yardstick").await?;
    let plan = serde_json::to_string(&Plan {
        database: stage.database(),
        provider: stage.provider(),
        batch,
        concurrency,
    })?;
    let used = Used::read(stage).await?;
    let child = Command::new(std::env::current_exe()?)
        .arg(format!("--yardstick={plan}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await??;
    anyhow::ensure!(output.status.success(), "the yardstick failed");
    let seconds: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
    anyhow::ensure!(
        stage.arrived().await? == u64::from(letters),
        "the yardstick lost letters"
    );
    Ok(Limit {
        rate: f64::from(letters) / seconds,
        server: used.since(stage, letters).await?.cpu,
    })
}

/// How many messages a second the sandbox takes from a client that has nothing else to do.
pub(crate) async fn sandbox_alone(
    stage: &Stage,
    batch: usize,
    letters: usize,
) -> anyhow::Result<f64> {
    stage.clear().await?;
    let sender = Sender::new(&stage.provider(), batch)?;
    let started = Instant::now();
    stream::iter(0..letters / batch)
        .map(|_| sender.post())
        .buffer_unordered(4)
        .for_each(|posted| async { posted.expect("the sandbox takes everything") })
        .await;
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    Ok(letters as f64 / started.elapsed().as_secs_f64())
}

/// The child process: prints how many seconds it took.
pub(crate) async fn child(plan: &str) -> anyhow::Result<()> {
    let plan: Plan = serde_json::from_str(plan)?;
    let sender = Arc::new(Sender::new(&plan.provider, plan.batch)?);
    let started = Instant::now();
    let loops = (0..LOOPS).map(|_| {
        work(
            &plan.database,
            Arc::clone(&sender),
            plan.batch,
            plan.concurrency.div_ceil(LOOPS),
        )
    });
    for done in futures_util::future::join_all(loops).await {
        done?;
    }
    println!("{}", started.elapsed().as_secs_f64());
    Ok(())
}

async fn work(
    database: &str,
    sender: Arc<Sender>,
    batch: usize,
    concurrency: usize,
) -> anyhow::Result<()> {
    let client = connect(database).await?;
    let claim = client.prepare(CLAIM).await?;
    let settle = client.prepare(SETTLE).await?;
    loop {
        let claimed = client.query(&claim, &[]).await?;
        let ids: Vec<i64> = claimed.iter().map(|row| row.get(0)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let mut posts = stream::iter(0..ids.len().div_ceil(batch))
            .map(|_| sender.post())
            .buffer_unordered(concurrency);
        while let Some(posted) = posts.next().await {
            posted?;
        }
        client.execute(&settle, &[&ids]).await?;
    }
}

struct Sender {
    http: reqwest::Client,
    url: String,
    body: Bytes,
}

impl Sender {
    fn new(provider: &str, batch: usize) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .http1_only()
            .user_agent("yardstick")
            .build()?;
        let (path, body) = rendered(provider, batch)?;
        Ok(Self {
            http,
            url: format!("{provider}{path}"),
            body,
        })
    }

    async fn post(&self) -> anyhow::Result<()> {
        let answer = self
            .http
            .post(&self.url)
            .header("authorization", "Bearer re_bench")
            .header("content-type", "application/json")
            .header("idempotency-key", Uuid::new_v4().to_string())
            .body(self.body.clone())
            .send()
            .await?;
        anyhow::ensure!(answer.status().is_success(), "HTTP {}", answer.status());
        answer.bytes().await?;
        Ok(())
    }
}

/// The request the sidecar would make for so many welcomes.
fn rendered(provider: &str, batch: usize) -> anyhow::Result<(&'static str, Bytes)> {
    let resend = Resend::new(&ProviderConfig {
        base_url: provider.to_owned(),
        from: "SEQPULSE <bonjour@mail.seqpulse.test>".to_owned(),
        reply_to: None,
        api_key: "re_bench".to_owned().into(),
        timeout: Duration::from_secs(10),
        stream_transactional: "outbound".to_owned(),
        stream_marketing: "broadcast".to_owned(),
    })?;
    let sample = samples::all()
        .into_iter()
        .find(|sample| sample.code == "E-TRX-01")
        .context("the welcome is among the samples")?;
    let recipient = sample.recipient();
    let letter = letters::render(sample.code, &sample.context, &recipient, &samples::site())?;
    let messages = (0..batch)
        .map(|number| Message {
            delivery_id: Uuid::new_v4(),
            email_type: sample.code.to_owned(),
            category: sample.category,
            to: format!("nassir{number}@seqpulse.test"),
            subject: letter.subject.clone(),
            html: letter.html.clone(),
            text: letter.text.clone(),
            headers: letter.headers.clone(),
            track: false,
        })
        .collect();
    let request = resend.encode(&Batch {
        id: Uuid::new_v4(),
        idempotency_key: "unused".to_owned(),
        messages,
    });
    Ok((request.path, request.body.into()))
}
