//! `demo`: a private Postgres and everything above it, to look at.
//!
//! [`cluster`] (which the tests use too) is the throw-away Postgres; `stage` sets everything up; `scenario` is what happens,
//! as a list; `show` prints. Nothing here is a special path through the mailer: the application inserts, the sidecar is the
//! same binary as a child process, and what counts is what the provider's stand-in received.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::time::sleep;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

pub mod cluster;
pub mod leash;
pub mod pg_bin;
mod scenario;
mod show;
mod stage;

use scenario::SCENES;
use show::{Row, Show};
pub use stage::DemoError;
use stage::Stage;

const LETTERS: &str = include_str!("sql/letters.sql");

/// Between two scenes, so that a person can follow.
const PAUSE: Duration = Duration::from_millis(600);
/// How often the inbox and the journal are looked at.
const LOOK: Duration = Duration::from_millis(20);
/// When a letter that has not arrived counts as lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// Shows everything and takes it down again. With `exit` it stops when the last letter has arrived; otherwise the inbox
/// stays open until `shutdown` completes. True: every letter arrived.
pub async fn run(exit: bool, shutdown: impl Future<Output = ()>) -> Result<bool, DemoError> {
    let show = Show::new();
    tokio::pin!(shutdown);
    show.heading("Setting up");
    // An interrupted future drops what it has started, which stops and removes it.
    let mut stage = tokio::select! {
        stage = Stage::set_up(show) => stage?,
        () = &mut shutdown => return Ok(false),
    };
    let complete = tokio::select! {
        played = play(&mut stage, show) => Some(played?),
        () = &mut shutdown => None,
    };
    // A letter that is missing is a reason to look around, not to leave.
    if !exit && complete.is_some() {
        show.heading("Have a look");
        show.item("inbox", &stage.inbox_url());
        show.item("health", &format!("{}/readyz", stage.sidecar_url()));
        show.item("database", &format!("psql {}", stage.database_url()));
        show.item(
            "sign up",
            &format!(
                "psql {} -c \"insert into users (name, email, hashed_password) values ('Vous', 'vous@exemple.fr', 'x')\"",
                stage.database_url()
            ),
        );
        show.aside("\nCtrl-C stops everything and removes it.");
        tokio::select! {
            error = watch(&mut stage, show) => return error.map(|()| false),
            () = &mut shutdown => {}
        }
    }
    stage.take_down().await?;
    show.aside("\nEverything is stopped and removed.");
    Ok(complete.unwrap_or(false))
}

/// A letter that is waited for.
#[derive(Debug)]
struct Awaited {
    who: &'static str,
    code: &'static str,
    key: String,
    /// Just before the statement that causes it.
    caused_at: DateTime<Utc>,
    row: Row,
}

/// What the journal says about one dedupe key.
#[derive(Debug)]
struct Journaled {
    delivery: Uuid,
    status: String,
}

/// Runs the scenes, waits for their letters, prints the table. True: all arrived.
async fn play(stage: &mut Stage, show: Show) -> Result<bool, DemoError> {
    let observer = stage.observer().await?;
    let mut awaited = Vec::new();
    show.heading("People sign up, by plain INSERTs");
    for scene in SCENES {
        let parameters: Vec<&(dyn ToSql + Sync)> = scene
            .parameters
            .iter()
            .map(|parameter| parameter as &(dyn ToSql + Sync))
            .collect();
        let caused_at = Utc::now();
        let id: Uuid = stage
            .application()
            .query_one(scene.statement, &parameters)
            .await?
            .get(0);
        awaited.extend(
            scene
                .letters
                .iter()
                .map(|letter| Awaited::new(scene.who, *letter, id, caused_at)),
        );
        let pause = Instant::now();
        while pause.elapsed() < PAUSE {
            look(stage, &observer, &mut awaited, show).await?;
            sleep(LOOK).await;
        }
    }
    let start = Instant::now();
    while !awaited.iter().all(|letter| letter.row.is_good()) && start.elapsed() < PATIENCE {
        look(stage, &observer, &mut awaited, show).await?;
        sleep(LOOK).await;
    }
    let rows: Vec<Row> = awaited.into_iter().map(|letter| letter.row).collect();
    show.table(&rows);
    show.verdict(&rows);
    let complete = rows.iter().all(Row::is_good);
    if !complete {
        show.aside(&format!(
            "\nThe sidecar's log ends with:\n{}",
            stage.sidecar_log()
        ));
    }
    Ok(complete)
}

/// Compares inbox and journal with what is waited for, and shows what is new.
async fn look(
    stage: &mut Stage,
    observer: &Client,
    awaited: &mut [Awaited],
    show: Show,
) -> Result<(), DemoError> {
    stage.check_sidecar()?;
    let arrived = stage.arrived();
    let journal = journal(observer, awaited).await?;
    for letter in awaited.iter_mut().filter(|letter| !letter.row.is_good()) {
        let Some(journaled) = journal.get(&letter.key) else {
            continue;
        };
        letter.row.status.clone_from(&journaled.status);
        let delivery = journaled.delivery.to_string();
        let entry = arrived
            .iter()
            .find(|entry| entry.delivery.as_deref() == Some(delivery.as_str()));
        if let (Some(entry), None) = (entry, letter.row.latency) {
            letter.row.subject = entry.subject.to_string();
            letter.row.latency = Some((entry.at - letter.caused_at).to_std().unwrap_or_default());
            show.arrival(
                letter.who,
                letter.code,
                &letter.row.subject,
                letter.row.latency,
            );
        }
    }
    Ok(())
}

async fn journal(
    observer: &Client,
    awaited: &[Awaited],
) -> Result<HashMap<String, Journaled>, DemoError> {
    let keys: Vec<&str> = awaited.iter().map(|letter| letter.key.as_str()).collect();
    let rows = observer.query(LETTERS, &[&keys]).await?;
    Ok(rows
        .iter()
        .map(|row| {
            let status: String = row.get(2);
            let status = match row.get::<_, Option<String>>(3).filter(|_| status != "sent") {
                Some(reason) => format!("{status}: {reason}"),
                None => status,
            };
            (
                row.get(0),
                Journaled {
                    delivery: row.get(1),
                    status,
                },
            )
        })
        .collect())
}

/// Shows what arrives after the scenario, until the sidecar ends (it should not).
async fn watch(stage: &mut Stage, show: Show) -> Result<(), DemoError> {
    let mut seen: HashSet<Uuid> = stage.arrived().iter().map(|entry| entry.id).collect();
    loop {
        stage.check_sidecar()?;
        for entry in stage.arrived().iter().filter(|entry| seen.insert(entry.id)) {
            show.arrival(
                &entry.to,
                entry.email_type.as_deref().unwrap_or_default(),
                &entry.subject,
                None,
            );
        }
        sleep(LOOK * 10).await;
    }
}

impl Awaited {
    fn new(
        who: &'static str,
        letter: scenario::Expected,
        id: Uuid,
        caused_at: DateTime<Utc>,
    ) -> Self {
        let row = Row {
            who: who.to_owned(),
            code: letter.code.to_owned(),
            subject: String::new(),
            status: "not enqueued".to_owned(),
            latency: None,
        };
        Self {
            who,
            code: letter.code,
            key: letter.key.replace("{id}", &id.to_string()),
            caused_at,
            row,
        }
    }
}
