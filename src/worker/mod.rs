//! The sidecar: wake, claim, render, send, settle.
//!
//! One loop claims; each claimed batch is delivered by a task of its own, `EMAIL_CONCURRENCY` of them at most. Nothing is
//! kept between two claims: whatever happens to this process, the rows say what to do.
//!
//! | module | job |
//! |---|---|
//! | this one | start, and draining |
//! | [`claims`] | the claiming loop |
//! | [`deliver`] | one batch: render, send, settle |
//! | [`heartbeat`] | the heartbeat |
//! | [`database_metrics`] | what the database counts, for `/metrics` |
//! | [`wait`] | when the loop may sleep, and how long, without missing a row |
//! | [`schedule`] | what is due by the clock, where `pg_cron` does not run it |

mod claims;
mod database_metrics;
mod deliver;
mod heartbeat;
mod schedule;
mod shared;
mod wait;

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use pgconnect::pool::{DbError, Pool};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::db::listen;
use crate::db::workers::Identity;
use crate::provider::Provider;
use crate::traces::Traces;
use crate::vitals::Vitals;
use shared::Shared;

/// Runs until `shutdown` resolves, then lets what is in flight finish, for as long as a lease lasts.
///
/// # Errors
/// Only when the pool cannot be built: a database that goes away is waited for.
pub(crate) async fn run(
    config: Config,
    provider: Arc<dyn Provider>,
    vitals: Arc<Vitals>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), DbError> {
    let concurrency = usize::from(config.concurrency);
    let worker = Identity::new(provider.name());
    let traces = Traces::start(config.traces.as_ref(), &worker.id, vitals.spans());
    let traces = traces.unwrap_or_else(|error| {
        tracing::error!(%error, "cannot make a client for the collector: there are no traces");
        Traces::default()
    });
    let shared = Arc::new(Shared {
        // One connection per delivery, one each for the heartbeat and the schedules; a half-open one is noticed within two polls
        // (docs/rules.md#settings).
        pool: Pool::new(&config.database, concurrency + 2, config.poll * 2)?,
        claims: Pool::new(&config.database, 1, config.poll * 2)?,
        worker,
        provider,
        wakes: Arc::default(),
        vitals,
        traces,
        settings: deliver::settings(&config),
        turn: tokio::sync::Mutex::default(),
        busy: Mutex::default(),
        permits: Arc::new(Semaphore::new(concurrency)),
        draining: AtomicBool::new(false),
        armed: AtomicBool::new(false),
        on_record: Notify::new(),
        config,
    });
    shared.vitals.watch_pool("worker", shared.pool.clone());
    shared.vitals.watch_pool("claims", shared.claims.clone());
    let stop = CancellationToken::new();
    let listener = tokio::spawn(listen::listen(
        shared.config.listen_database.clone(),
        Arc::clone(&shared.wakes),
        shared.config.poll,
        stop.clone(),
    ));
    let heartbeat = tokio::spawn(heartbeat::beat(Arc::clone(&shared), stop.clone()));
    let schedules = tokio::spawn(schedule::run(Arc::clone(&shared), stop.clone()));
    let metrics = tokio::spawn(database_metrics::run(Arc::clone(&shared), stop.clone()));
    tracing::info!(
        worker = shared.worker.id,
        provider = shared.worker.provider,
        "running"
    );

    let mut shutdown = pin!(shutdown);
    tokio::select! {
        () = &mut shutdown => {}
        () = claims::run(&shared) => {}
    }

    tracing::info!(batches_in_flight = shared.in_flight(), "draining");
    shared.vitals.set_draining();
    shared.draining.store(true, Ordering::Relaxed);
    let all = u32::from(shared.config.concurrency);
    if tokio::time::timeout(shared.config.lease, shared.permits.acquire_many(all))
        .await
        .is_err()
    {
        tracing::warn!(
            "some requests did not end within the lease; another sidecar will resolve them"
        );
    }
    stop.cancel();
    for task in [listener, heartbeat, schedules, metrics] {
        if let Err(error) = task.await {
            tracing::error!(%error, "a background task ended badly");
        }
    }
    shared.claims.close();
    shared.pool.close();
    shared.traces.stop().await;
    tracing::info!("stopped");
    Ok(())
}
