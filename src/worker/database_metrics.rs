//! Reads what the database counts once a minute, for `/metrics`. A task of its own: on a large queue counting takes a
//! moment, and neither the heartbeat nor the claim waits for it.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::shared::Shared;
use crate::db::metrics::metrics;
use crate::vitals::DATABASE_METRICS_EVERY;

/// Until `stop`. A database that does not answer is the heartbeat's news; here it only leaves the metrics out.
pub(super) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let mut every = tokio::time::interval(DATABASE_METRICS_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        match metrics(&shared.pool).await {
            Ok(metrics) => shared.vitals.set_database_metrics(metrics),
            Err(error) => tracing::debug!(%error, "could not read public.email_metrics"),
        }
    }
}
