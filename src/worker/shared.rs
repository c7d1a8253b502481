//! What the loop and the deliveries share.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgconnect::pool::Pool;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::config::Config;
use crate::db::listen::Wakes;
use crate::db::workers::Identity;
use crate::provider::Provider;
use crate::traces::Traces;
use crate::vitals::Vitals;

/// One claim fills requests with this many letters together at most: with more, the first of them would wait for the last.
const CLAIMED_TOGETHER: u16 = 100;

/// What the loop and the deliveries share.
pub(crate) struct Shared {
    pub(crate) pool: Pool,
    /// The claiming loop's own connection: the plans of a claim take many times longer to make than to run.
    pub(crate) claims: Pool,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) config: Config,
    pub(crate) worker: Identity,
    pub(crate) wakes: Arc<Wakes>,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) traces: Traces,
    /// What shapes a letter's bytes besides its claim, as `email_batches.settings` shows it.
    pub(crate) settings: serde_json::Value,
    /// Held by the one delivery that waits for the fleet's next turn.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// The batches being delivered: a batch that is ours in the database and missing here was lost with the answer to its claim.
    pub(crate) busy: Mutex<HashSet<Uuid>>,
    /// A request in flight has one.
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) draining: AtomicBool,
    /// Whether this database may be worked on (docs/rules.md#install-and-restore), as the last heartbeat said.
    pub(crate) armed: AtomicBool,
    /// A heartbeat has put our LISTEN session on record.
    pub(crate) on_record: Notify,
}

impl Shared {
    pub(crate) fn is_armed(&self) -> bool {
        self.armed.load(Ordering::Relaxed)
    }

    pub(crate) fn busy(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what is claimed now would take the last permit, which is kept for urgent letters.
    pub(crate) fn is_last_permit(&self) -> bool {
        self.config.concurrency > 1 && self.permits.available_permits() == 0
    }

    /// Permits for further requests of the claim that is about to be made, if there are any; never the last one.
    pub(crate) fn more_permits(&self) -> Vec<OwnedSemaphorePermit> {
        let useful = (CLAIMED_TOGETHER / self.config.batch_size).max(1) - 1;
        let free = self.permits.available_permits().saturating_sub(1);
        std::iter::repeat_with(|| Arc::clone(&self.permits).try_acquire_owned().ok())
            .take(free.min(usize::from(useful)))
            .flatten()
            .collect()
    }

    /// Batches being delivered.
    pub(crate) fn in_flight(&self) -> usize {
        usize::from(self.config.concurrency).saturating_sub(self.permits.available_permits())
    }
}
