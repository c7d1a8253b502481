//! Makes the scenes happen, one after the other, and waits for what must come of each.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::time::sleep;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::error::DemoError;
use super::scenario::{Actor, Deed, Expected, Fact, Outcome, Scene, fill};
use super::scenes::ACTS;
use super::show::Show;
use super::stage::Stage;
use super::table::{Kpi, Row};

const LETTERS: &str = include_str!("sql/letters.sql");
const KPIS: &str = include_str!("sql/kpis.sql");

/// How often the inbox and the journal are looked at.
pub(super) const LOOK: Duration = Duration::from_millis(20);
/// When a letter that has not arrived counts as lost, and the story goes on without it.
const PATIENCE: Duration = Duration::from_secs(45);

/// A letter that is waited for.
#[derive(Debug)]
struct Awaited {
    letter: Expected,
    /// Its dedupe key as a LIKE pattern.
    key: String,
    /// Just before the first fact of its scene.
    since: DateTime<Utc>,
    settled: bool,
    row: Row,
}

/// What the database says about one dedupe key.
#[derive(Debug)]
struct Recorded {
    delivery: Option<Uuid>,
    status: String,
    reason: Option<String>,
}

/// Plays all scenes and prints the table. True: every letter did what it must.
pub(super) async fn play(stage: &mut Stage, show: Show) -> Result<bool, DemoError> {
    show.heading("Two weeks in the life of SEQPULSE");
    let start = Instant::now();
    let mut rows = Vec::new();
    for scene in ACTS.into_iter().flatten() {
        rows.extend(enact(stage, scene, show).await?);
    }
    let others = stage.arrived().len() - rows.iter().filter(|row| row.arrived()).count();
    show.table(&rows);
    show.verdict(&rows, others, start.elapsed());
    show.kpis(&kpis(stage).await?);
    let complete = rows.iter().all(|row| row.good);
    if !complete {
        show.aside(&format!(
            "\nThe sidecar's log ends with:\n{}",
            stage.sidecar_log()
        ));
    }
    Ok(complete)
}

/// One scene: the clock, the facts, the schedules, the letters.
async fn enact(stage: &mut Stage, scene: &Scene, show: Show) -> Result<Vec<Row>, DemoError> {
    let moment = stage.set_clock(scene.day, scene.time).await?;
    show.moment(&moment.label);
    let since = Utc::now();
    for fact in scene.facts {
        show.fact(fact.what);
        happen(stage, fact).await?;
    }
    stage.run_schedules().await?;
    let mut awaited: Vec<Awaited> = scene
        .letters
        .iter()
        .map(|letter| Awaited::new(*letter, moment.short(), since))
        .collect();
    let start = Instant::now();
    loop {
        look(stage, &mut awaited, show).await?;
        if awaited.iter().all(|letter| letter.settled) || start.elapsed() > PATIENCE {
            break;
        }
        sleep(LOOK).await;
    }
    for lost in awaited.iter().filter(|letter| !letter.settled) {
        show.lost(
            lost.letter.code,
            lost.letter.step,
            lost.letter.who,
            &lost.row.status,
        );
    }
    stage.wait_for_reports().await;
    // Who waits has a line of its own when the wait is over.
    let told =
        |letter: &Awaited| !(letter.settled && matches!(letter.letter.outcome, Outcome::Waits(_)));
    Ok(awaited
        .into_iter()
        .filter(told)
        .map(|letter| letter.row)
        .collect())
}

async fn happen(stage: &Stage, fact: &Fact) -> Result<(), DemoError> {
    match fact.deed {
        Deed::Statement(actor, statement, parameters) => {
            let filled: Vec<String> = parameters.iter().map(|text| fill(text)).collect();
            let parameters: Vec<&(dyn ToSql + Sync)> = filled
                .iter()
                .map(|parameter| parameter as &(dyn ToSql + Sync))
                .collect();
            stage.session(actor).query(statement, &parameters).await?;
        }
        Deed::Unsubscribe(code, to) => {
            let letter = stage.source(&stage.letter(code, to)?);
            stage.browser().unsubscribe(&letter).await?;
        }
        Deed::Answer(to, score) => {
            let letter = stage.source(&stage.letter("E-ADV-01", to)?);
            stage.browser().answer(&letter, score).await?;
        }
        Deed::Press(code, to, answer) => {
            let letter = stage.source(&stage.letter(code, to)?);
            stage.browser().press(&letter, answer).await?;
        }
        Deed::Happens(happening, code, to) => {
            let letter = stage.letter(code, to)?;
            stage.report(&letter, happening).await?;
        }
    }
    Ok(())
}

/// Compares inbox and journal with what is waited for, and shows what is new.
async fn look(stage: &mut Stage, awaited: &mut [Awaited], show: Show) -> Result<(), DemoError> {
    stage.check_sidecar()?;
    let recorded = recorded(stage, awaited).await?;
    let arrived = stage.arrived();
    for (letter, recorded) in awaited.iter_mut().zip(recorded) {
        let Some(recorded) = recorded.filter(|_| !letter.settled) else {
            continue;
        };
        letter.row.status = match &recorded.reason {
            Some(reason) if recorded.status != "sent" => format!("{}: {reason}", recorded.status),
            _ => recorded.status.clone(),
        };
        let Expected {
            who, code, step, ..
        } = letter.letter;
        match letter.letter.outcome {
            Outcome::Arrives | Outcome::FallsDue => {
                let delivery = recorded.delivery.map(|id| id.to_string());
                let entry = arrived.iter().find(|entry| {
                    delivery.is_some() && entry.delivery.as_deref() == delivery.as_deref()
                });
                if let Some(entry) = entry.filter(|_| recorded.status == "sent") {
                    letter.row.subject = entry.subject.to_string();
                    letter.row.latency = (letter.letter.outcome == Outcome::Arrives)
                        .then(|| (entry.at - letter.since).to_std().unwrap_or_default());
                    letter.row.good = true;
                    letter.settled = true;
                    show.arrival(code, step, who, &letter.row.subject, letter.row.latency);
                }
            }
            Outcome::HeldBack(reason) => {
                if recorded.status == "suppressed" && letter.row.status.contains(reason) {
                    letter.row.good = true;
                    letter.settled = true;
                    show.held_back(code, step, who, &letter.row.status);
                }
            }
            Outcome::Waits(reason) => {
                if recorded.status == "queued" && letter.row.status.contains(reason) {
                    letter.row.good = true;
                    letter.settled = true;
                    show.waits(code, step, who, &letter.row.status);
                }
            }
        }
    }
    Ok(())
}

async fn recorded(stage: &Stage, awaited: &[Awaited]) -> Result<Vec<Option<Recorded>>, DemoError> {
    let keys: Vec<&str> = awaited.iter().map(|letter| letter.key.as_str()).collect();
    let rows = stage
        .session(Actor::Operator)
        .query(LETTERS, &[&keys])
        .await?;
    let mut recorded: Vec<Option<Recorded>> = keys.iter().map(|_| None).collect();
    for row in rows {
        let place: i32 = row.try_get(0)?;
        let place = usize::try_from(place - 1).unwrap_or_default();
        if let Some(entry) = recorded.get_mut(place) {
            *entry = Some(Recorded {
                delivery: row.try_get(1)?,
                status: row.try_get(2)?,
                reason: row.try_get(3)?,
            });
        }
    }
    Ok(recorded)
}

/// The KPIs as they are at the end.
async fn kpis(stage: &Stage) -> Result<Vec<Kpi>, DemoError> {
    let rows = stage.session(Actor::Operator).query(KPIS, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(Kpi {
                name: row.try_get(0)?,
                value: row.try_get(1)?,
                numerator: row.try_get(2)?,
                denominator: row.try_get(3)?,
                measured: row.try_get(4)?,
            })
        })
        .collect()
}

impl Awaited {
    fn new(letter: Expected, when: &str, since: DateTime<Utc>) -> Self {
        Self {
            letter,
            key: fill(letter.key),
            since,
            settled: false,
            row: Row {
                code: letter.code,
                step: letter.step,
                who: letter.who,
                when: when.to_owned(),
                subject: String::new(),
                status: "not enqueued".to_owned(),
                latency: None,
                good: false,
                due: matches!(letter.outcome, Outcome::Arrives | Outcome::FallsDue),
            },
        }
    }
}
