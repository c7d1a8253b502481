//! `migrate`: refinery's migrations, then the repeatable SQL files, one instance at a time.
//!
//! Migrations (`migrations/V*.sql`) make tables; the repeatable files (`sql/core`, `sql/triggers`) make functions, views and
//! triggers and are applied only when their text changed. Functions that tables need (a default, a CHECK) are repeatable files too,
//! so that the drift check sees them: `sql/core/0*.sql`, applied right after V01. What was
//! changed by hand in the database is left as it is
//! and reported: at 3 a.m. a disabled trigger has a reason.

mod adopt;
mod apply;
mod error;
mod files;
mod finding;
mod jobs;

use std::time::Duration;

use pgconnect::connect;
use refinery::Migration;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

use crate::config::MigrateConfig;
use crate::db::version::{self, VersionError};
use apply::{absent_tables, apply, drift, pending_files};
pub(crate) use error::MigrateError;
pub(crate) use finding::Finding;

mod embedded {
    //! The migrations, compiled in.
    refinery::embed_migrations!("migrations");
}

/// refinery's own table (docs/rules.md#names).
const HISTORY_TABLE: &str = "public.email_schema_history";
const SESSION: &str = include_str!("sql/session.sql");
const LOCK: &str = include_str!("sql/lock.sql");
const APP_TABLES: &str = include_str!("sql/app_tables.sql");
const FORGET: &str = include_str!("sql/forget_file.sql");
const SCHEDULE_SYNC: &str = include_str!("sql/schedule_sync.sql");

/// The newest migration of this binary.
pub(crate) fn newest_version() -> i32 {
    embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(refinery::Migration::version)
        .max()
        .unwrap_or(0)
}

/// What `migrate --check` prints: pending first, then drifted. Changes nothing.
pub(crate) async fn check(config: &MigrateConfig) -> Result<Vec<Finding>, MigrateError> {
    let client = open(config).await?;
    let mut findings: Vec<Finding> = pending_migrations(&client)
        .await?
        .iter()
        .map(|migration| Finding::Migration(file_name(migration)))
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
pub(crate) async fn migrate(
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
    if !pending.is_empty() {
        run(&mut client, files::SINCE_MIGRATION, &mut report).await?;
        for file in pending_files(&client).await? {
            if file.before_tables() {
                apply(&client, file).await?;
                report(&Finding::File(file.path));
            }
        }
    }
    for migration in &pending {
        did = true;
        if journal && adopt::touches(migration) {
            run(&mut client, migration.version() - 1, &mut report).await?;
            adopt::apply(&client, migration).await?;
            report(&Finding::Migration(file_name(migration)));
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
        report(&Finding::Migration(file_name(migration)));
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

/// As in `migrations/`: refinery's own form leaves the padding out.
fn file_name(migration: &Migration) -> String {
    format!("V{:02}__{}", migration.version(), migration.name())
}

/// refinery's error with the cause it hides.
fn explain(error: &refinery::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let words = match inner.downcast_ref::<Error>() {
            Some(postgres) => pgconnect::pool::describe(postgres),
            None => inner.to_string(),
        };
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    text
}
