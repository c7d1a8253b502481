//! `migrate`: refinery's migrations, then the repeatable SQL files, one instance at a time.
//!
//! Migrations (`migrations/V*.sql`) make tables; the repeatable files (`sql/core`, `sql/triggers`) make functions, views and
//! triggers and are applied only when their text changed. What somebody changed by hand in the database is left as it is
//! and reported: at 3 a.m. a disabled trigger has a reason.

mod adopt;
mod files;
mod jobs;

use std::fmt;
use std::time::Duration;

use refinery::Migration;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

pub use adopt::Adoption;
pub use files::SqlFile;
pub use jobs::MovedJobs;

use crate::config::MigrateConfig;
use crate::db::connect::{self, ConnectError};
use crate::db::version::{self, VersionError};

mod embedded {
    //! The migrations, compiled in.
    refinery::embed_migrations!("migrations");
}

/// refinery's own table (contract §4).
const HISTORY_TABLE: &str = "public.email_schema_history";
const SESSION: &str = include_str!("sql/session.sql");
const LOCK: &str = include_str!("sql/lock.sql");
const APP_TABLES: &str = include_str!("sql/app_tables.sql");
const ROLES: &str = include_str!("sql/roles.sql");
const RECORDED: &str = include_str!("sql/recorded_files.sql");
const RECORD: &str = include_str!("sql/record_file.sql");
const EXISTING_TABLES: &str = include_str!("sql/existing_tables.sql");
const FORGET: &str = include_str!("sql/forget_file.sql");
const SCHEDULE_SYNC: &str = include_str!("sql/schedule_sync.sql");
const BEGIN_FILE: &str = include_str!("sql/begin_file.sql");
const COMMIT: &str = "commit";
const ROLLBACK: &str = "rollback";
/// How often a file that met a lock is tried again; each try waits half a second at most (`begin_file.sql`), so the
/// application's writers are never held up longer than that.
const LOCK_TRIES: u32 = 40;

/// Why `migrate` stopped. What was applied before stays, and running it again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A server or schema this binary cannot work with.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The tables our triggers hang on are missing.
    #[error(
        "this database lacks SEQPULSE's tables: {0} (is DATABASE_URL the application's own database?)"
    )]
    NotSeqpulse(String),
    /// The application's own journal is not one that ours can go on from.
    #[error("the journal email_deliveries cannot be adopted: {0}")]
    Journal(String),
    /// A migration failed; it was rolled back.
    #[error("{0}")]
    Migration(String),
    /// A repeatable file failed; it was rolled back.
    #[error("{path}: {reason}")]
    File {
        /// Inside the repository.
        path: String,
        /// Postgres' words.
        reason: String,
    },
    /// Another statement failed.
    #[error("{}", crate::db::pool::describe(.0))]
    Query(#[from] Error),
}

/// One thing that `migrate` did, or that `--check` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A migration was applied, or is to be.
    Migration(String),
    /// A repeatable file was applied, or is to be: new, or changed since.
    File(&'static str),
    /// What a file made was changed, dropped or disabled in the database by hand.
    Drifted(&'static str),
    /// A file that is not applied because this table of the application's does not exist (any more).
    Waits(&'static str, &'static str),
    /// The application's journal is being taken over.
    Adoption(Adoption),
    /// The application's own pending jobs were moved.
    Jobs(MovedJobs),
    /// How many of the application's own jobs are to be looked at.
    JobsPending(i64),
    /// Who runs the schedules now.
    Schedules(String),
    /// A file that an older or newer version installed and this binary does not have.
    Unknown(String),
}

impl Finding {
    /// Whether `--check` has to exit 3 for it.
    pub fn counts(&self) -> bool {
        matches!(self, Self::Migration(_) | Self::File(_) | Self::Drifted(_))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Migration(name) => write!(f, "{name}"),
            Self::File(path) => write!(f, "{path}"),
            Self::Drifted(path) => write!(
                f,
                "drifted  {path}: what it made was changed in the database by hand; \"psql -f {path}\" puts it back, or bring the change into the file"
            ),
            Self::Waits(path, table) => write!(
                f,
                "waits    {path}: there is no table {table}; migrate applies it once there is one"
            ),
            Self::Adoption(step) => write!(f, "{step}"),
            Self::Jobs(moved) => write!(f, "{moved}"),
            Self::JobsPending(jobs) => write!(
                f,
                "to move  {jobs} pending email and notification jobs of the application's scheduler: migrate takes the emails out of them"
            ),
            Self::Schedules(sentence) => write!(f, "schedules: {sentence}"),
            Self::Unknown(path) => write!(
                f,
                "unknown  {path}: installed by another version, not part of this one"
            ),
        }
    }
}

/// The newest migration of this binary.
pub fn newest_version() -> i32 {
    embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(refinery::Migration::version)
        .max()
        .unwrap_or(0)
}

/// What `migrate --check` prints: pending first, then drifted. Changes nothing.
pub async fn check(config: &MigrateConfig) -> Result<Vec<Finding>, MigrateError> {
    let client = open(config).await?;
    let mut findings: Vec<Finding> = pending_migrations(&client)
        .await?
        .iter()
        .map(|migration| Finding::Migration(migration.to_string()))
        .collect();
    for file in pending_files(&client).await? {
        findings.push(Finding::File(file.path));
        if file.path == files::HANDOVER {
            let jobs = jobs::pending(&client).await?;
            findings.extend((jobs > 0).then_some(Finding::JobsPending(jobs)));
        }
    }
    findings.extend(drift(&client).await?);
    Ok(findings)
}

/// Applies what is pending; `report` is told each thing right after it was done. Answers whether anything was done.
pub async fn migrate(
    config: &MigrateConfig,
    mut report: impl FnMut(&Finding),
) -> Result<bool, MigrateError> {
    let mut client = open(config).await?;
    lock(&client).await?;
    if let [.., (found, _)] = version::applied(&client).await?[..]
        && found > newest_version()
    {
        return Err(VersionError::Newer {
            found,
            known: newest_version(),
        }
        .into());
    }
    let mut did = false;
    let ours = version::applied(&client)
        .await?
        .iter()
        .any(|(version, _)| *version >= adopt::MIGRATION);
    let pending = pending_migrations(&client).await?;
    let journal = !pending.is_empty()
        && adopt::prepare(&client, &pending, ours, |step| {
            report(&Finding::Adoption(step));
        })
        .await?;
    for migration in &pending {
        did = true;
        if journal && adopt::touches(migration) {
            run(&mut client, migration.version() - 1, &mut report).await?;
            adopt::apply(&client, migration).await?;
            report(&Finding::Migration(migration.to_string()));
        }
    }
    if !pending.is_empty() {
        run(&mut client, newest_version(), &mut report).await?;
    }
    adopt::remove_placeholders(&client).await?;
    for file in pending_files(&client).await? {
        apply(&client, file).await?;
        did = true;
        report(&Finding::File(file.path));
    }
    let absent = absent_tables(&client).await?;
    for file in files::all() {
        if file.requires.is_some_and(|table| absent.contains(&table)) {
            // So that it is applied again, should the table come back.
            client
                .query_typed(FORGET, &[(&file.path, Type::TEXT)])
                .await?;
        } else if file.path == files::HANDOVER
            && let Some(moved) = jobs::move_once(&client).await?
        {
            did = true;
            report(&Finding::Jobs(moved));
        }
    }
    if journal && !ours {
        report(&Finding::Adoption(adopt::holds(&client).await?));
    }
    // Also when nothing was applied: pg_cron may have been installed or removed meanwhile.
    let schedules = client
        .query_typed_one(SCHEDULE_SYNC, &[])
        .await?
        .try_get(0)?;
    if did {
        report(&Finding::Schedules(schedules));
    }
    for finding in drift(&client).await? {
        report(&finding);
    }
    Ok(did)
}

/// Applies what is pending, up to a version.
async fn run(
    client: &mut Client,
    up_to: i32,
    report: &mut impl FnMut(&Finding),
) -> Result<(), MigrateError> {
    let mut runner = embedded::migrations::runner();
    runner.set_migration_table_name(HISTORY_TABLE);
    runner = runner.set_target(refinery::Target::Version(up_to));
    let applied = runner
        .run_async(client)
        .await
        .map_err(|error| MigrateError::Migration(explain(&error)))?;
    for migration in applied.applied_migrations() {
        report(&Finding::Migration(migration.to_string()));
    }
    Ok(())
}

async fn open(config: &MigrateConfig) -> Result<Client, MigrateError> {
    let (client, connection) = connect::connect(&config.database).await?;
    tokio::spawn(connection);
    version::check_server(&client).await?;
    client.batch_execute(SESSION).await?;
    let missing: Option<String> = client.query_typed_one(APP_TABLES, &[]).await?.try_get(0)?;
    match missing {
        Some(missing) => Err(MigrateError::NotSeqpulse(missing)),
        None => Ok(client),
    }
}

/// Session-level, because refinery commits several transactions: it ends with the connection.
async fn lock(client: &Client) -> Result<(), MigrateError> {
    let mut told = false;
    loop {
        if client.query_typed_one(LOCK, &[]).await?.try_get(0)? {
            return Ok(());
        }
        if !told {
            tracing::info!("another migrate is at work on this database; waiting for it");
            told = true;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// In the order they are applied.
async fn pending_migrations(client: &Client) -> Result<Vec<Migration>, MigrateError> {
    let applied = version::applied(client).await?;
    let mut pending: Vec<Migration> = embedded::migrations::runner()
        .get_migrations()
        .iter()
        .filter(|migration| {
            !applied
                .iter()
                .any(|(version, _)| *version == migration.version())
        })
        .cloned()
        .collect();
    pending.sort_by_key(Migration::version);
    Ok(pending)
}

/// Which of the tables that files require this database does not have.
async fn absent_tables(client: &Client) -> Result<Vec<&'static str>, MigrateError> {
    let required: Vec<&'static str> = files::all()
        .iter()
        .filter_map(|file| file.requires)
        .collect();
    let existing: Vec<String> = client
        .query_typed_one(EXISTING_TABLES, &[(&required, Type::TEXT_ARRAY)])
        .await?
        .try_get(0)?;
    Ok(required
        .into_iter()
        .filter(|table| !existing.iter().any(|found| found == table))
        .collect())
}

/// Files that are new or changed, in the order they are applied. A role that appears later changes the outcome of every
/// file's grants, so the roles are part of what is compared.
async fn pending_files(client: &Client) -> Result<Vec<&'static SqlFile>, MigrateError> {
    let absent = absent_tables(client).await?;
    let applicable = files::all()
        .iter()
        .filter(|file| file.requires.is_none_or(|table| !absent.contains(&table)));
    if !version::applied(client)
        .await?
        .iter()
        .any(|(version, _)| *version >= files::SINCE_MIGRATION)
    {
        return Ok(applicable.collect());
    }
    let roles: String = client.query_typed_one(ROLES, &[]).await?.try_get(0)?;
    let recorded = client.query_typed(RECORDED, &[]).await?;
    let mut pending = Vec::new();
    for file in applicable {
        let same = recorded.iter().any(|row| {
            row.get::<_, &str>("path") == file.path
                && row.get::<_, &str>("checksum") == file.checksum(&roles)
        });
        if !same {
            pending.push(file);
        }
    }
    Ok(pending)
}

async fn drift(client: &Client) -> Result<Vec<Finding>, MigrateError> {
    if !version::applied(client)
        .await?
        .iter()
        .any(|(version, _)| *version >= files::SINCE_MIGRATION)
    {
        return Ok(Vec::new());
    }
    let absent = absent_tables(client).await?;
    let waits =
        |file: &&'static SqlFile| file.requires.is_some_and(|table| absent.contains(&table));
    let mut findings: Vec<Finding> = files::all()
        .iter()
        .filter(waits)
        .filter_map(|file| Some(Finding::Waits(file.path, file.requires?)))
        .collect();
    for row in client.query_typed(RECORDED, &[]).await? {
        let path: &str = row.try_get("path")?;
        match files::all().iter().find(|file| file.path == path) {
            None => findings.push(Finding::Unknown(path.to_owned())),
            Some(file) if waits(&file) => {}
            Some(file) if row.try_get("drifted")? => findings.push(Finding::Drifted(file.path)),
            Some(_) => {}
        }
    }
    Ok(findings)
}

/// One file in one transaction, with its record. `create trigger` waits for, and then holds up, writers of the table:
/// `lock_timeout` keeps both short.
async fn apply(client: &Client, file: &SqlFile) -> Result<(), MigrateError> {
    let roles: String = client.query_typed_one(ROLES, &[]).await?.try_get(0)?;
    for tried in 1.. {
        let failure = match apply_once(client, file, &roles).await {
            Ok(()) => break,
            Err(failure) => failure,
        };
        client.batch_execute(ROLLBACK).await?;
        if failure.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) && tried < LOCK_TRIES {
            tracing::info!(
                "{}: the table is busy, trying again ({tried} of {LOCK_TRIES})",
                file.path
            );
            tokio::time::sleep(Duration::from_millis(300)).await;
            continue;
        }
        return Err(MigrateError::File {
            path: file.path.into(),
            reason: crate::db::pool::describe(&failure),
        });
    }
    Ok(())
}

async fn apply_once(client: &Client, file: &SqlFile, roles: &str) -> Result<(), Error> {
    client.batch_execute(BEGIN_FILE).await?;
    client.batch_execute(file.text).await?;
    client
        .query_typed(
            RECORD,
            &[
                (&file.path, Type::TEXT),
                (&file.checksum(roles), Type::TEXT),
                (&file.objects(), Type::TEXT_ARRAY),
            ],
        )
        .await?;
    client.batch_execute(COMMIT).await
}

/// refinery's error with the cause it hides.
fn explain(error: &refinery::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let words = match inner.downcast_ref::<Error>() {
            Some(postgres) => crate::db::pool::describe(postgres),
            None => inner.to_string(),
        };
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    text
}
