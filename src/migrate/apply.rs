//! The repeatable files in the database: which are pending, which have drifted, and applying one.

use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

use super::error::MigrateError;
use super::files::{self, SqlFile};
use super::finding::Finding;

const ROLES: &str = include_str!("sql/roles.sql");
const RECORDED: &str = include_str!("sql/recorded_files.sql");
const HAS_RECORD: &str = include_str!("sql/has_record.sql");
const RECORD: &str = include_str!("sql/record_file.sql");
const EXISTING_TABLES: &str = include_str!("sql/existing_tables.sql");
const BEGIN_FILE: &str = include_str!("sql/begin_file.sql");
const COMMIT: &str = "commit";
const ROLLBACK: &str = "rollback";
/// How often a file that met a lock is tried again; each try waits half a second at most (`begin_file.sql`), so the
/// application's writers are never held up longer than that.
const LOCK_TRIES: u32 = 40;

/// Which of the tables that files require this database does not have.
pub(super) async fn absent_tables(client: &Client) -> Result<Vec<&'static str>, MigrateError> {
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
pub(super) async fn pending_files(client: &Client) -> Result<Vec<&'static SqlFile>, MigrateError> {
    let absent = absent_tables(client).await?;
    let applicable = files::all()
        .iter()
        .filter(|file| file.requires.is_none_or(|table| !absent.contains(&table)));
    if !has_record(client).await? {
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

/// Whether the record of files can be read: not before the first migration, and not without the function of the first files that
/// it is compared with. Then every file counts as pending, which also brings that function back.
async fn has_record(client: &Client) -> Result<bool, Error> {
    client.query_typed_one(HAS_RECORD, &[]).await?.try_get(0)
}

pub(super) async fn drift(client: &Client) -> Result<Vec<Finding>, MigrateError> {
    if !has_record(client).await? {
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
pub(super) async fn apply(client: &Client, file: &SqlFile) -> Result<(), MigrateError> {
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
            reason: pgconnect::pool::describe(&failure),
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
