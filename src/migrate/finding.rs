//! What `migrate` did, or `migrate --check` found, in words.

use std::fmt;

use super::adopt::Adoption;
use super::jobs::MovedJobs;

/// One thing that `migrate` did, or that `--check` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
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
    pub(crate) fn counts(&self) -> bool {
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
