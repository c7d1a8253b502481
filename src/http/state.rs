//! What the handlers work with: the sidecar's vitals, a database pool of their own, and the settings they need.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pgconnect::pool::{DbError, Pool};

use super::postmark_report::Streams;
use crate::config::{Config, WebhookSecret};
use crate::vitals::Vitals;

/// Connections for everything that comes in by HTTP. Sending has its own, so a crowd on the pages waits for itself only.
const CONNECTIONS: usize = 4;
/// One statement, and waiting for a connection. Well below the time a request may take, so that its answer is a page.
const STATEMENT_LIMIT: Duration = Duration::from_secs(4);

/// Shared by all requests.
pub struct Backend {
    pool: Pool,
    /// [`Vitals::clock_changes`] when the pool's sessions were last renewed.
    clock: AtomicU64,
    /// Shown at the foot of every page.
    pub(super) support: Option<String>,
    /// Where the application changes a password and switches two-factor authentication on.
    pub(super) settings_page: String,
    /// The application's dashboard.
    pub(super) dashboard_page: String,
    /// `EMAIL_WEBHOOK_SECRET`.
    pub(super) webhook: Option<WebhookSecret>,
    pub(super) streams: Streams,
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").finish_non_exhaustive()
    }
}

impl Backend {
    /// Connects when first used; `vitals` shows how its pool is used.
    ///
    /// # Errors
    /// Only when the pool cannot be built.
    pub fn new(config: &Config, vitals: &Vitals) -> Result<Self, DbError> {
        let pool = Pool::new(&config.database, CONNECTIONS, STATEMENT_LIMIT)?;
        vitals.watch_pool("http", pool.clone());
        Ok(Self {
            pool,
            clock: AtomicU64::new(0),
            support: config.site.support_address.clone(),
            settings_page: format!("{}/dashboard/settings", config.site.frontend_url),
            dashboard_page: format!(
                "{}{}",
                config.site.frontend_url, config.site.cta_dashboard_path
            ),
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

/// What the handlers read.
#[derive(Debug, Clone)]
pub struct HttpState {
    /// Written by the worker.
    pub vitals: Arc<Vitals>,
    /// What pages and webhooks work with.
    pub backend: Arc<Backend>,
}

impl HttpState {
    pub(super) fn pool(&self) -> &Pool {
        self.backend.pool(&self.vitals)
    }
}
