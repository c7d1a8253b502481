//! Why `migrate` stopped.

use pgconnect::connect::ConnectError;
use tokio_postgres::Error;

use crate::db::version::VersionError;

/// Why `migrate` stopped. What was applied before stays, and running it again goes on from there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MigrateError {
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
    /// Our journal cannot go on from the application's own.
    #[error("the journal email_deliveries cannot be adopted: {0}")]
    Journal(String),
    /// A migration failed; it was rolled back.
    #[error("{0}")]
    Migration(String),
    /// A repeatable file failed; it was rolled back.
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    #[error("{}", pgconnect::pool::describe(.0))]
    Query(#[from] Error),
}
