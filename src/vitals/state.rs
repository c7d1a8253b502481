//! What is true of this sidecar at the moment, and whether that makes it ready.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pgconnect::pool::Pool;

/// How late a heartbeat may be beyond three polls: longer than a statement may take.
const GRACE: Duration = Duration::from_secs(10);

/// Why this sidecar is not ready. Answered to every client, so nothing here tells about hosts or accounts: the log
/// does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReady {
    /// The process has just started.
    Starting,
    /// The last heartbeat failed, or none came for too long.
    Database,
    /// Notifications do not arrive; the poll serves meanwhile.
    Listen,
    /// The database is not the one that was armed (docs/rules.md#install-and-restore).
    NotArmed,
    /// SIGTERM came.
    Draining,
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "the database has not been reached and checked yet",
            Self::Database => "the database does not answer",
            Self::Listen => "the LISTEN connection is down; the poll serves meanwhile",
            Self::NotArmed => {
                "this database is not the one that was armed (a restored or renamed copy?); \
                 if it is the one to send from: select public.email_arm()"
            }
            Self::Draining => "shutting down",
        })
    }
}

#[derive(Debug)]
pub(super) struct State {
    /// How old a heartbeat may be.
    pub(super) patience: Duration,
    pub(super) now: Mutex<Now>,
    pub(super) pools: Mutex<Vec<(&'static str, Pool)>>,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each with its own metric"
)]
#[derive(Debug, Default)]
pub(super) struct Now {
    pub(super) seen: Option<Instant>,
    pub(super) lost: bool,
    pub(super) listening: bool,
    pub(super) armed: bool,
    pub(super) paused: bool,
    pub(super) draining: bool,
    pub(super) lag: Option<Duration>,
    pub(super) clock_offset: Option<String>,
    pub(super) clock_changes: u64,
}

impl State {
    /// `poll` is how often a heartbeat is expected.
    pub(super) fn new(poll: Duration) -> Self {
        Self {
            patience: poll * 3 + GRACE,
            now: Mutex::default(),
            pools: Mutex::default(),
        }
    }

    pub(super) fn now(&self) -> MutexGuard<'_, Now> {
        // Every write is whole, so a panic elsewhere leaves nothing half done.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pools(&self) -> MutexGuard<'_, Vec<(&'static str, Pool)>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn not_ready(&self) -> Vec<NotReady> {
        let now = self.now();
        let mut reasons = Vec::new();
        if now.draining {
            reasons.push(NotReady::Draining);
        }
        match now.seen {
            None => reasons.push(NotReady::Starting),
            Some(seen) if now.lost || seen.elapsed() > self.patience => {
                reasons.push(NotReady::Database);
            }
            Some(_) => {
                if !now.listening {
                    reasons.push(NotReady::Listen);
                }
                if !now.armed {
                    reasons.push(NotReady::NotArmed);
                }
            }
        }
        reasons
    }
}
