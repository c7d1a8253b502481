//! What the provider's answer means for a letter.

use std::time::Duration;

use crate::db::settlement::Outcome;
use crate::provider::{ErrorKind, SendResult};

/// What a class of failure means for the letter, and the least time to wait.
pub(super) fn outcome_of(kind: ErrorKind) -> (Outcome, Option<Duration>) {
    match kind {
        ErrorKind::Transient {
            counts: true,
            retry_after,
        } => (Outcome::Transient, retry_after),
        ErrorKind::Transient {
            counts: false,
            retry_after,
        }
        | ErrorKind::TooFast { retry_after } => (Outcome::Refused, retry_after),
        ErrorKind::Permanent | ErrorKind::BatchRefused => (Outcome::Permanent, None),
        ErrorKind::Address => (Outcome::Address, None),
        ErrorKind::Unknown {
            counts: true,
            retry_after,
        } => (Outcome::ServerError, retry_after),
        ErrorKind::Unknown {
            counts: false,
            retry_after,
        } => (Outcome::Unknown, retry_after),
        ErrorKind::KeyConflict => (Outcome::Conflict, None),
        ErrorKind::SenderWide { .. } => (Outcome::Released, None),
    }
}

/// The answer about one letter, for metrics and traces: the word of its outcome, or `batch_refused` when the request was refused
/// for the sake of some letter or of its size, so that it is halved and each half has an answer of its own.
pub(super) fn answer_word(result: &SendResult) -> &'static str {
    match result {
        Ok(_) => Outcome::Sent.as_sql(),
        Err(error) if error.kind == ErrorKind::BatchRefused => "batch_refused",
        Err(error) => outcome_of(error.kind).0.as_sql(),
    }
}
