//! The sidecar: wake, claim, render, send, settle.
//!
//! One loop claims; each claimed batch is delivered by a task of its own, `EMAIL_CONCURRENCY` of them at most. Nothing is
//! kept between two claims: whatever happens to this process, the rows say what to do.
//!
//! | module | job |
//! |---|---|
//! | this one | start, the claiming loop, draining |
//! | [`deliver`] | one batch: render, send, settle |
//! | [`pulse`] | the heartbeat |
//! | [`figures`] | what the database counts, for `/metrics` |
//! | [`rest`] | when the loop may sleep, and how long, without missing a row |
//! | [`schedule`] | what is due by the clock, where `pg_cron` does not run it |

mod deliver;
mod figures;
mod pulse;
mod rest;
mod schedule;
mod shared;

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use pgconnect::pool::{DbError, Pool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::Config;
use crate::db::intent;
use crate::db::listen::{self};
use crate::db::outbox::{self, Claim, Claiming, Identity};
use crate::provider::Provider;
use crate::traces::Traces;
use crate::vitals::Vitals;
use pulse::Pacer;
use rest::Sleeper;
use shared::Shared;

/// After a claim that took all there was, how long the next one waits for the intents of what was taken: they need the processor
/// more, and what comes meanwhile is claimed together.
const LET_IT_LEAVE: Duration = Duration::from_millis(5);
/// While all permits but the last are taken, how often a loop looks for letters that deserve the last one.
const LOOK_FOR_URGENT: Duration = Duration::from_millis(200);

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
        // (contract §3).
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
        config,
    });
    shared.vitals.watch(shared.pool.clone());
    let stop = CancellationToken::new();
    let listener = tokio::spawn(listen::listen(
        shared.config.listen_database.clone(),
        Arc::clone(&shared.wakes),
        shared.config.poll,
        stop.clone(),
    ));
    let pacer = Pacer::default();
    let heart = tokio::spawn(pulse::beat(
        Arc::clone(&shared),
        pacer.clone(),
        stop.clone(),
    ));
    let clockwork = tokio::spawn(schedule::run(
        Arc::clone(&shared),
        pacer.clone(),
        stop.clone(),
    ));
    let counting = tokio::spawn(figures::run(Arc::clone(&shared), stop.clone()));
    tracing::info!(
        worker = shared.worker.id,
        provider = shared.worker.provider,
        "running"
    );

    let mut shutdown = pin!(shutdown);
    tokio::select! {
        () = &mut shutdown => {}
        () = claiming(&shared, &pacer) => {}
    }

    let letters = shared.in_flight();
    tracing::info!(batches_in_flight = letters, "draining");
    shared.vitals.set_draining();
    pacer.draining();
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
    for task in [listener, heart, clockwork, counting] {
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

/// Claims while there is work, sleeps until there may be some. Never ends by itself.
async fn claiming(shared: &Arc<Shared>, pacer: &Pacer) {
    pacer.known(shared).await;
    let mut sleeper = Sleeper::default();
    let mut failures = 0;
    loop {
        let permit = permit(shared).await;
        let mut permits = Vec::new();
        let asked = SystemTime::now();
        // What was left behind first, because its recipients have been waiting longest.
        let left_behind = if sleeper.is_look_due(Instant::now()) {
            take_over(shared, &mut sleeper).await
        } else {
            Ok(None)
        };
        let is_suspect = matches!(&left_behind, Ok(Some(claim)) if claim.prior.is_none());
        let claimed = match left_behind {
            Ok(Some(claim)) => Ok(Claiming::Batches(vec![claim])),
            Ok(None) if shared.is_last_permit() && !urgent(shared).await => {
                drop(permit);
                // Until a delivery has ended, or it is time to look again.
                let _freed =
                    tokio::time::timeout(LOOK_FOR_URGENT, shared.permits.acquire_many(2)).await;
                continue;
            }
            Ok(None) => {
                permits = shared.more_permits();
                let batches = u16::try_from(permits.len()).unwrap_or(u16::MAX - 1) + 1;
                tokio::join!(claim(shared, batches), sleeper.rise_if_busy(&shared.wakes)).0
            }
            Err(error) => Err(error),
        };
        permits.push(permit);
        match claimed {
            Ok(Claiming::Batches(claims)) => {
                failures = 0;
                shared.busy().extend(claims.iter().map(|claim| claim.batch));
                let letters: usize = claims.iter().map(|claim| claim.letters.len()).sum();
                let full = letters >= permits.len() * usize::from(shared.config.batch_size);
                sleeper.found(full);
                let claimed = SystemTime::now();
                let mut recorded = Vec::new();
                for (claim, permit) in claims.into_iter().zip(permits) {
                    let token = CancellationToken::new();
                    recorded.push(token.clone());
                    let shared = Arc::clone(shared);
                    tokio::spawn(deliver::deliver(
                        shared,
                        claim,
                        asked..claimed,
                        permit,
                        token,
                    ));
                }
                let all_recorded = join_all(recorded.iter().map(CancellationToken::cancelled));
                if is_suspect {
                    // Whatever is claimed beside it might die with it.
                    all_recorded.await;
                } else if !full {
                    let _in_time = tokio::time::timeout(LET_IT_LEAVE, all_recorded).await;
                }
            }
            Ok(Claiming::Nothing { rest, stopped }) => {
                failures = 0;
                drop(permits);
                if stopped {
                    sleeper.stopped(shared).await;
                } else {
                    sleeper.rest(shared, rest).await;
                }
            }
            Err(error) => {
                drop(permits);
                failures += 1;
                let pause = backoff(failures);
                tracing::warn!(%error, retry_in_ms = pause.as_millis(), "cannot claim");
                tokio::time::sleep(pause).await;
            }
        }
    }
}

async fn permit(shared: &Shared) -> OwnedSemaphorePermit {
    Arc::clone(&shared.permits)
        .acquire_owned()
        .await
        .expect("the semaphore is never closed")
}

/// Whether the last permit is needed now. A database that does not answer is the claim's to report.
async fn urgent(shared: &Shared) -> bool {
    intent::urgent_due(&shared.claims).await.unwrap_or(true)
}

/// A batch that was left behind.
async fn take_over(shared: &Shared, sleeper: &mut Sleeper) -> Result<Option<Claim>, DbError> {
    let busy: Vec<Uuid> = shared.busy().iter().copied().collect();
    let lease = shared.config.lease;
    let left_behind = outbox::take_over(&shared.claims, &shared.worker, lease, &busy).await?;
    sleeper.looked(Instant::now(), left_behind.is_some());
    Ok(left_behind)
}

async fn claim(shared: &Shared, batches: u16) -> Result<Claiming, DbError> {
    let asked = Instant::now();
    let claim = outbox::claim(
        &shared.claims,
        &shared.worker,
        shared.config.batch_size,
        batches,
        shared.config.lease,
    )
    .await?;
    shared.vitals.statement("claim", asked.elapsed());
    shared.vitals.claimed(match &claim {
        Claiming::Batches(claims) => claims.iter().map(|claim| claim.letters.len()).sum(),
        Claiming::Nothing { .. } => 0,
    });
    Ok(claim)
}

fn backoff(failures: u32) -> Duration {
    Duration::from_millis(250)
        .saturating_mul(1 << failures.min(6))
        .min(Duration::from_secs(15))
}
