//! Taking over the journal that the application's own sender has kept: no row is rewritten, and nobody who reads or writes it
//! waits for more than a moment.
//!
//! V05 makes the journal, or adds what an existing one lacks; later migrations may change it. On a big table that people use,
//! three things are done before them: indexes are built while everybody goes on writing, foreign keys are dropped one at a time,
//! and a migration starts only once it holds the table, having waited no longer than a third of a second for it.

use std::fmt;
use std::time::Duration;

use pgconnect::pool::describe;
use refinery::Migration;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

use super::error::MigrateError;

/// The migration that makes the journal.
pub(super) const MIGRATION: i32 = 5;

const FAULTS: &str = include_str!("sql/journal_faults.sql");
const BEFORE: &str = include_str!("sql/journal_before.sql");
const AFTER: &str = include_str!("sql/journal_after.sql");
const INDEXES: &str = include_str!("sql/journal_indexes.sql");
const PLACEHOLDERS: &str = include_str!("sql/journal_placeholders.sql");
const UNLINK: &str = include_str!("sql/journal_unlink.sql");
const LOCK: &str = include_str!("sql/journal_lock.sql");
const RECORD: &str = include_str!("sql/record_migration.sql");

const COMMIT: &str = "commit";
const ROLLBACK: &str = "rollback";

/// How often a busy table is tried for, and the pause between: two minutes or so.
const TRIES: u32 = 150;
const PAUSE: Duration = Duration::from_millis(500);

/// What is being done, or was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Adoption {
    /// There is a journal of about so many rows.
    Found(i64),
    /// An index is about to be built; this can take minutes.
    Building(String),
    /// The application's own index does the work of ours.
    Equivalent {
        /// What ours would be called.
        ours: String,
        /// What the application calls its own.
        theirs: String,
    },
    /// Foreign keys were dropped.
    Unlinked(i64),
    /// What the journal holds, now that it is ours too.
    Holds {
        rows: i64,
        /// Never sent again.
        sent: i64,
        suppressed: i64,
        /// May be tried again unless the provider had them.
        failed: i64,
        /// Begun by the application's sender and never settled.
        unknown: i64,
    },
}

impl fmt::Display for Adoption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(rows) => write!(
                f,
                "adopting the journal email_deliveries: about {rows} rows, all of them kept"
            ),
            Self::Building(index) => write!(
                f,
                "building index {index}: reads and writes go on meanwhile; it waits for transactions that are open"
            ),
            Self::Equivalent { ours, theirs } => {
                write!(f, "index {theirs} stays and does the work of {ours}")
            }
            Self::Unlinked(keys) => write!(
                f,
                "dropped {keys} foreign keys of email_deliveries: deleting a user must not erase what was sent"
            ),
            Self::Holds {
                rows,
                sent,
                suppressed,
                failed,
                unknown,
            } => {
                write!(
                    f,
                    "the journal holds {rows} rows: {sent} sent, {suppressed} suppressed, {failed} failed, {unknown} queued"
                )?;
                if *unknown > 0 {
                    write!(
                        f,
                        ". What is queued was begun and never settled, and is not sent again: select * from public.email_unknown_outcomes"
                    )?;
                }
                Ok(())
            }
        }
    }
}

/// Makes a journal that is there ready for the pending migrations; `ours` says whether V05 was applied to it. Answers whether there
/// is one.
pub(super) async fn prepare(
    client: &Client,
    pending: &[Migration],
    ours: bool,
    mut report: impl FnMut(Adoption),
) -> Result<bool, MigrateError> {
    let Some(before) = client.query_typed(BEFORE, &[]).await?.pop() else {
        return Ok(false);
    };
    if let Some(faults) = client.query_typed_one(FAULTS, &[]).await?.try_get(0)? {
        return Err(MigrateError::Journal(faults));
    }
    if !ours {
        report(Adoption::Found(before.try_get("rows")?));
    }
    for index in client.query_typed(INDEXES, &[]).await? {
        let name: String = index.try_get("name")?;
        if !pending.iter().any(|migration| mentions(migration, &name)) {
            continue;
        }
        report(match index.try_get("equivalent")? {
            Some(theirs) => Adoption::Equivalent { ours: name, theirs },
            None => Adoption::Building(name),
        });
        for statement in index.try_get::<_, Vec<&str>>("statements")? {
            client
                .batch_execute(statement)
                .await
                .map_err(|error| MigrateError::Journal(describe(&error)))?;
        }
    }
    let keys: i64 = before.try_get("foreign_keys")?;
    if ours || keys == 0 {
        return Ok(true);
    }
    for _ in 0..keys {
        patiently(client, async || client.batch_execute(UNLINK).await).await?;
    }
    report(Adoption::Unlinked(keys));
    Ok(true)
}

/// Whether a migration takes locks on the journal.
pub(super) fn touches(migration: &Migration) -> bool {
    mentions(migration, "table public.email_deliveries")
        || mentions(migration, " on public.email_deliveries")
}

fn mentions(migration: &Migration, words: &str) -> bool {
    migration.sql().is_some_and(|text| text.contains(words))
}

/// Applies a migration as refinery would, but holding the journal from its first moment.
pub(super) async fn apply(client: &Client, migration: &Migration) -> Result<(), MigrateError> {
    let text = migration.sql().unwrap_or_default();
    patiently(client, async || {
        client.batch_execute(LOCK).await?;
        client.batch_execute(text).await?;
        client
            .query_typed(
                RECORD,
                &[
                    (&migration.version(), Type::INT4),
                    (&migration.name(), Type::TEXT),
                    (&migration.checksum().to_string(), Type::TEXT),
                ],
            )
            .await?;
        client.batch_execute(COMMIT).await
    })
    .await
}

/// What the journal holds, now that it is ours too.
pub(super) async fn holds(client: &Client) -> Result<Adoption, MigrateError> {
    let row = client.query_typed_one(AFTER, &[]).await?;
    Ok(Adoption::Holds {
        rows: row.try_get("rows")?,
        sent: row.try_get("sent")?,
        suppressed: row.try_get("suppressed")?,
        failed: row.try_get("failed")?,
        unknown: row.try_get("unknown")?,
    })
}

/// Takes away what stood in for indexes, also after an interrupted run.
pub(super) async fn remove_placeholders(client: &Client) -> Result<(), MigrateError> {
    Ok(client.batch_execute(PLACEHOLDERS).await?)
}

/// Repeats a transaction that met a lock.
async fn patiently(
    client: &Client,
    mut attempt: impl AsyncFnMut() -> Result<(), Error>,
) -> Result<(), MigrateError> {
    for tried in 1.. {
        let failure = match attempt().await {
            Ok(()) => break,
            Err(failure) => failure,
        };
        client.batch_execute(ROLLBACK).await?;
        if failure.code() != Some(&SqlState::LOCK_NOT_AVAILABLE) || tried >= TRIES {
            return Err(MigrateError::Journal(describe(&failure)));
        }
        if tried == 1 {
            tracing::info!("email_deliveries is busy; waiting for a moment when it is not");
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
