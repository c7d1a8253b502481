//! Why the demo could not be shown.

use std::io;
use std::process::ExitStatus;

use throwaway::cluster::ClusterError;
use tokio::task::JoinError;

/// Why the demo could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The private Postgres did not start, or a command to it failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Postgres refused a statement of the story, or the connection broke.
    #[error("{}", pgconnect::pool::describe(.0))]
    Query(#[from] tokio_postgres::Error),
    /// The operating system refused something.
    #[error("{doing}")]
    Io {
        /// What was attempted, such as "starting the sidecar".
        doing: &'static str,
        /// What it answered.
        source: io::Error,
    },
    /// A command of this program failed.
    #[error("{command} ended with {status}:\n{output}")]
    Child {
        /// `migrate` or `run`.
        command: &'static str,
        /// Its exit code or signal.
        status: ExitStatus,
        /// The end of what it printed.
        output: String,
    },
    /// The sidecar never registered itself.
    #[error("the sidecar did not get to work in time; its log ends with:\n{0}")]
    Idle(String),
    /// A page of the sidecar did not answer as it should.
    #[error("a page of the sidecar")]
    Page(#[from] reqwest::Error),
    /// A report of the provider's stand-in was not taken.
    #[error("the sidecar did not take the report of a webhook; its log ends with:\n{0}")]
    NotTaken(String),
    /// A letter that the story needs did not arrive.
    #[error("{0} did not arrive, and the story goes on with it")]
    NoLetter(&'static str),
    /// A letter lacks a link that the story needs.
    #[error("the letter has no link to {0}")]
    NoLink(&'static str),
    /// A fault of the demo itself.
    #[error("a task of the demo panicked")]
    Panic(#[from] JoinError),
}

/// Attaches what was attempted to an I/O error.
pub(super) fn doing(doing: &'static str) -> impl FnOnce(io::Error) -> DemoError {
    move |source| DemoError::Io { doing, source }
}
