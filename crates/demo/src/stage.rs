//! Sets the demo up: Postgres, the application's tables, `migrate`, the sandbox and the sidecar, all as in production but
//! for the sandbox, which runs inside this process.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::Value;
use standin::ledger::Entry;
use standin::{Happening, Reader, Sandbox, SandboxOptions};
use throwaway::cluster::Cluster;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use super::browser::Browser;
use super::clock::{Clock, Moment};
use super::error::{DemoError, doing};
use super::scenario::Actor;
use super::show::Show;
use super::sidecar::{DATABASE, PATIENCE, SIDECAR_ROLE, Sidecar, WEBHOOK_SECRET, migrate};

/// The role of `sql/application.sql`.
const APPLICATION_ROLE: &str = "seqpulse_app";
const SEQPULSE_SCHEMA: &str = include_str!("../../../tests/seqpulse_schema.sql");
const APPLICATION: &str = include_str!("sql/application.sql");
const APPLICATION_CLOCK: &str = include_str!("sql/application_clock.sql");
const HISTORY: &str = include_str!("sql/history.sql");
const CLOCKWORK: &str = include_str!("sql/clockwork.sql");
const SIDECAR: &str = include_str!("sql/sidecar.sql");
const SESSIONS: &str = include_str!("sql/sessions.sql");

/// Everything that runs. Dropped in this order, which is the order of taking down; nothing is left behind.
#[derive(Debug)]
pub(super) struct Stage {
    sidecar: Sidecar,
    application: Client,
    operator: Client,
    clock: Clock,
    browser: Browser,
    sandbox: Sandbox,
    cluster: Cluster,
}

impl Stage {
    /// Starts everything and says so as it goes.
    pub(super) async fn set_up(show: Show) -> Result<Self, DemoError> {
        let cluster = spawn_blocking(|| Cluster::builder().pg_cron(DATABASE).start()).await??;
        let pg_cron = if cluster.pg_cron_loaded() {
            "with"
        } else {
            "without"
        };
        show.item(
            "PostgreSQL",
            &format!(
                "{} on 127.0.0.1:{}, {pg_cron} pg_cron",
                cluster.bin().major(),
                cluster.port()
            ),
        );

        let operator = connect(&cluster.url(DATABASE)).await?;
        operator.batch_execute(APPLICATION).await?;
        let clock = Clock::new(&operator).await?;
        let application = connect(&cluster.url_as(APPLICATION_ROLE, DATABASE)).await?;
        let today = clock.set(0, "09:50", &operator, &application).await?;
        application.batch_execute(SEQPULSE_SCHEMA).await?;
        application.batch_execute(APPLICATION_CLOCK).await?;
        application.batch_execute(HISTORY).await?;
        show.item(
            "application",
            &format!("SEQPULSE's tables, owned by {APPLICATION_ROLE}, with seven people and their history"),
        );
        show.item(
            "clock",
            &format!("set to {}, from where the story moves it", today.label),
        );

        let installed = migrate(&cluster.url(DATABASE)).await?;
        show.item("migrate", &installed);

        let sandbox = Sandbox::start(SandboxOptions::default())
            .await
            .map_err(doing("starting the sandbox"))?;
        show.item(
            "sandbox",
            &format!("stands in for Resend; inbox at {}", sandbox.url()),
        );

        operator.batch_execute(SIDECAR).await?;
        let sidecar = Sidecar::start(&cluster, &sandbox.url())?;
        sandbox.change_settings(|settings| {
            settings.webhook_url = Some(format!("http://{}/webhooks/resend", sidecar.listen));
            settings.webhook_secret = Some(WEBHOOK_SECRET.to_owned());
        });
        let mut stage = Self {
            sidecar,
            application,
            operator,
            clock,
            browser: Browser::new()?,
            sandbox,
            cluster,
        };
        stage.wait_for_sidecar(today.since).await?;
        show.item(
            "sidecar",
            &format!(
                "process {}, as role {SIDECAR_ROLE}",
                stage.sidecar.child.id()
            ),
        );
        Ok(stage)
    }

    /// The session of the person who acts.
    pub(super) fn session(&self, actor: Actor) -> &Client {
        match actor {
            Actor::Application => &self.application,
            Actor::Operator => &self.operator,
        }
    }

    /// Moves the clock of everybody: new sessions, the two that are open, and the sidecar, which takes it up within a poll.
    pub(super) async fn set_clock(&mut self, day: i32, time: &str) -> Result<Moment, DemoError> {
        let moment = self
            .clock
            .set(day, time, &self.operator, &self.application)
            .await?;
        self.wait_for_sidecar(moment.since).await?;
        Ok(moment)
    }

    /// For the links of letters.
    pub(super) fn browser(&self) -> &Browser {
        &self.browser
    }

    /// The latest letter of a kind to an address.
    pub(super) fn letter(&self, code: &'static str, to: &str) -> Result<Entry, DemoError> {
        let entries = self.sandbox.entries();
        entries
            .into_iter()
            .rev()
            .find(|entry| entry.email_type.as_deref() == Some(code) && entry.to.contains(to))
            .ok_or(DemoError::NoLetter(code))
    }

    /// What the provider's stand-in was given for it.
    pub(super) fn source(&self, entry: &Entry) -> Value {
        self.sandbox.source(entry.id).unwrap_or_default()
    }

    /// Waits until the sidecar has taken the reports that all letters so far were delivered: their times must not slip into
    /// the next scene.
    pub(super) async fn wait_for_reports(&self) {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let delivered: HashSet<Uuid> = self
                .sandbox
                .webhooks()
                .iter()
                .filter(|attempt| attempt.taken && attempt.kind == "email.delivered")
                .filter_map(|attempt| attempt.message)
                .collect();
            if delivered.len() >= self.sandbox.count() {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Lets something happen to a letter, and waits until the sidecar has taken the provider's report of it.
    pub(super) async fn report(
        &self,
        letter: &Entry,
        happening: Happening,
    ) -> Result<(), DemoError> {
        let event = self
            .sandbox
            .report(letter.id, happening, &Reader::default());
        let start = Instant::now();
        while !self
            .sandbox
            .webhooks()
            .iter()
            .any(|attempt| attempt.taken && Some(&attempt.id) == event.as_ref())
        {
            if start.elapsed() > PATIENCE {
                return Err(DemoError::NotTaken(self.sidecar.log()));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Runs what `pg_cron` would have run by now.
    pub(super) async fn run_schedules(&self) -> Result<(), DemoError> {
        self.operator.query(CLOCKWORK, &[]).await?;
        Ok(())
    }

    /// Where a person may look on with psql.
    pub(super) fn database_url(&self) -> String {
        self.cluster.url(DATABASE)
    }

    /// Where a person reads what arrived.
    pub(super) fn inbox_url(&self) -> String {
        self.sandbox.url()
    }

    /// The sidecar's own HTTP.
    pub(super) fn sidecar_url(&self) -> String {
        format!("http://{}", self.sidecar.listen)
    }

    /// What has arrived so far.
    pub(super) fn arrived(&self) -> Vec<Entry> {
        self.sandbox.entries()
    }

    /// The end of the sidecar's log.
    pub(super) fn sidecar_log(&self) -> String {
        self.sidecar.log()
    }

    /// An error when the sidecar has ended, which it never should.
    pub(super) fn check_sidecar(&mut self) -> Result<(), DemoError> {
        match self
            .sidecar
            .child
            .try_wait()
            .map_err(doing("looking after the sidecar"))?
        {
            None => Ok(()),
            Some(status) => Err(DemoError::Child {
                command: "run",
                status,
                output: self.sidecar.log(),
            }),
        }
    }

    /// Lets the sidecar finish, then takes everything down.
    pub(super) async fn take_down(mut self) -> Result<(), DemoError> {
        self.sidecar.drain().await?;
        // Stopping Postgres blocks.
        spawn_blocking(move || drop(self)).await?;
        Ok(())
    }

    /// Until the sidecar works with sessions that began after that moment of the real clock.
    async fn wait_for_sidecar(&mut self, after: DateTime<Utc>) -> Result<(), DemoError> {
        let start = Instant::now();
        while !self
            .operator
            .query_one(SESSIONS, &[&after])
            .await?
            .try_get::<_, bool>(0)?
        {
            self.check_sidecar()?;
            if start.elapsed() > PATIENCE {
                return Err(DemoError::Idle(self.sidecar.log()));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

async fn connect(url: &str) -> Result<Client, DemoError> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // Ends with the client; what goes wrong on it is reported by the statement it breaks.
    tokio::spawn(connection);
    Ok(client)
}
