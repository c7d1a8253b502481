//! Runs what is due by the clock where `pg_cron` does not (`email_schedules`): one sidecar at a time, which the database sees
//! to. A task of its own, because a scan may take seconds and neither claiming nor the heartbeat waits for it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::shared::Shared;
use crate::db::workers;

/// After a failure, such as a database that is away.
const PAUSE: Duration = Duration::from_secs(30);

/// Asks at every poll whether something is due, until `stop`.
pub(super) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let every = shared.config.poll;
    loop {
        let pause = if shared.is_armed() {
            turn(&shared).await
        } else {
            every
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Runs one schedule, if any is due; answers how long to wait.
async fn turn(shared: &Shared) -> Duration {
    match workers::run_due_schedule(&shared.pool, &shared.worker).await {
        Ok(Some(name)) => {
            tracing::debug!(schedule = name, "ran");
            Duration::ZERO
        }
        Ok(None) => shared.config.poll,
        Err(error) => {
            tracing::warn!(%error, "could not run the schedules");
            PAUSE
        }
    }
}
