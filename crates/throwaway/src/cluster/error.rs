//! Why a cluster could not be made or driven.

use std::io;

use crate::pg_bin::PgBinError;

/// Why a cluster could not be made or driven.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No usable server programs.
    #[error(transparent)]
    Bin(#[from] PgBinError),
    /// Postgres refuses to run as root, and there is nobody else to run it as.
    #[error(
        "started as root, but there is neither a user postgres nor nobody to run PostgreSQL as"
    )]
    NoUnprivilegedUser,
    /// The operating system said no.
    #[error("{doing}")]
    Io {
        /// What was attempted.
        doing: String,
        /// What it answered.
        source: io::Error,
    },
    /// `initdb` failed.
    #[error("initdb failed: {0}")]
    Initdb(String),
    /// The server ended before it was ready, or was not ready in time.
    #[error("PostgreSQL did not start ({reason}); end of its log:\n{log}")]
    Start {
        /// Exit status, or that time ran out.
        reason: String,
        /// Last lines of the server's log.
        log: String,
    },
    /// Single-user mode could not create the database.
    #[error("cannot create database {database}: {reason}")]
    CreateDatabase {
        /// Its name.
        database: String,
        /// What the server printed.
        reason: String,
    },
}

/// Attaches what was attempted to an I/O error.
pub(super) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, ClusterError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, ClusterError> {
        self.map_err(|source| ClusterError::Io {
            doing: what(),
            source,
        })
    }
}
