//! Whether the server and the schema are ones this binary can work with: a server that is new enough, and a schema whose
//! newest migration is this binary's own, neither older nor newer. `run` asks once, at its start, so a sidecar that runs goes on
//! while a newer binary migrates; started again, it refuses. docs/upgrading.md has the roll-out and the way back.

use tokio_postgres::{Client, Error};

const INSTALLED: &str = include_str!("sql/installed_version.sql");
const APPLIED: &str = include_str!("sql/applied_migrations.sql");
/// The oldest server (docs/rules.md#servers).
const OLDEST_SERVER: i32 = 14;

/// Why this binary must not work on that database.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// The server lacks what our SQL uses.
    #[error(
        "the server is PostgreSQL {0}, but at least PostgreSQL {OLDEST_SERVER} is needed: upgrade the server"
    )]
    OldServer(i32),
    /// `migrate` never ran here.
    #[error("this database is not migrated: run \"seqpulse-mailer migrate\" against it first")]
    NotMigrated,
    /// `migrate` of this version never ran here.
    #[error(
        "this database has migrations up to V{found}, this binary needs V{needed}: run \"seqpulse-mailer migrate\" first"
    )]
    Behind {
        /// The newest applied migration.
        found: i32,
        /// The newest migration of this binary.
        needed: i32,
    },
    /// A newer binary migrated it.
    #[error(
        "this database has migrations up to V{found}, but this binary knows only V{known}: use the newer seqpulse-mailer that migrated it"
    )]
    Newer {
        /// The newest applied migration.
        found: i32,
        /// The newest migration of this binary.
        known: i32,
    },
    /// The question could not be asked.
    #[error("{}", pgconnect::pool::describe(.0))]
    Query(#[from] Error),
}

/// The server's major version, when it is new enough.
pub async fn check_server(client: &Client) -> Result<i32, VersionError> {
    let row = client.query_typed_one(INSTALLED, &[]).await?;
    let number: i32 = row.try_get("server_version")?;
    let major = number / 10_000;
    if major < OLDEST_SERVER {
        Err(VersionError::OldServer(major))
    } else {
        Ok(major)
    }
}

/// Versions and names of the applied migrations, oldest first; empty when there is no history.
pub async fn applied(client: &Client) -> Result<Vec<(i32, String)>, Error> {
    let row = client.query_typed_one(INSTALLED, &[]).await?;
    if !row.try_get::<_, bool>("has_history")? {
        return Ok(Vec::new());
    }
    let rows = client.query_typed(APPLIED, &[]).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("version")?, row.try_get("name")?)))
        .collect()
}

/// Refuses a server that is too old and a schema that is not exactly at `needed`, the newest migration of this binary.
pub async fn check(client: &Client, needed: i32) -> Result<(), VersionError> {
    check_server(client).await?;
    match applied(client).await?.last() {
        None => Err(VersionError::NotMigrated),
        Some(&(found, _)) if found < needed => Err(VersionError::Behind { found, needed }),
        Some(&(found, _)) if found > needed => Err(VersionError::Newer {
            found,
            known: needed,
        }),
        Some(_) => Ok(()),
    }
}
