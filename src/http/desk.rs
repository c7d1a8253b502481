//! What the pages and webhooks work with: a database pool of their own, and the settings they need.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::postmark_report::Streams;
use crate::config::{Config, WebhookSecret};
use crate::db::pool::{DbError, Pool};
use crate::worker::vitals::Vitals;

/// Connections for everything that comes in by HTTP. Sending has its own, so a crowd on the pages waits for itself only.
const CONNECTIONS: usize = 4;
/// One statement, and waiting for a connection. Well below the time a request may take, so that its answer is a page.
const STATEMENT_LIMIT: Duration = Duration::from_secs(4);

/// Shared by all requests.
pub struct Desk {
    pool: Pool,
    /// [`Vitals::clock_changes`] when the pool's sessions were last renewed.
    clock: AtomicU64,
    /// Shown at the foot of every page.
    pub(super) support: Option<String>,
    /// `EMAIL_WEBHOOK_SECRET`.
    pub(super) webhook: Option<WebhookSecret>,
    pub(super) streams: Streams,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Desk {
    /// Connects when first used.
    ///
    /// # Errors
    /// Only when the pool cannot be built.
    pub fn new(config: &Config) -> Result<Self, DbError> {
        Ok(Self {
            pool: Pool::new(&config.database, CONNECTIONS, STATEMENT_LIMIT)?,
            clock: AtomicU64::new(0),
            support: config.site.support_address.clone(),
            webhook: config.webhook_secret.clone(),
            streams: Streams {
                transactional: config.provider.stream_transactional.clone(),
                marketing: config.provider.stream_marketing.clone(),
            },
        })
    }

    /// The pool, with sessions that follow the clock as it is set now.
    pub(super) fn pool(&self, vitals: &Vitals) -> &Pool {
        let changes = vitals.clock_changes();
        if self.clock.swap(changes, Ordering::AcqRel) != changes {
            self.pool.renew();
        }
        &self.pool
    }
}
