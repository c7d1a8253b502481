//! The claiming loop: what was left behind first, then what is due; it waits when there is neither.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use pgconnect::pool::DbError;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::deliver;
use super::heartbeat;
use super::shared::Shared;
use super::wait::Sleeper;
use crate::db::intent;
use crate::db::outbox::{self, Claim, Claiming};

/// After a claim that took all there was, how long the next one waits for the intents of what was taken: they need the processor
/// more, and what comes meanwhile is claimed together.
const LET_IT_LEAVE: Duration = Duration::from_millis(1);
/// While all permits but the last are taken, how often the loop looks for letters that deserve the last one.
const LOOK_FOR_URGENT: Duration = Duration::from_millis(200);

/// Claims while there is work, sleeps until there may be some. Never ends by itself.
pub(super) async fn run(shared: &Arc<Shared>) {
    heartbeat::on_record(shared).await;
    let mut sleeper = Sleeper::default();
    let mut failures = 0;
    loop {
        match step(shared, &mut sleeper).await {
            Ok(()) => failures = 0,
            Err(error) => {
                failures += 1;
                let pause = backoff(failures);
                tracing::warn!(%error, retry_in_ms = pause.as_millis(), "cannot claim");
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// Waits for a permit, then makes one claim or one takeover and starts its deliveries; sleeps when there is nothing.
async fn step(shared: &Arc<Shared>, sleeper: &mut Sleeper) -> Result<(), DbError> {
    let permit = permit(shared).await;
    let asked = SystemTime::now();
    // What was left behind first, because its recipients have been waiting longest.
    if sleeper.is_look_due(Instant::now())
        && let Some(claim) = take_over(shared, sleeper).await?
    {
        // Its sidecar was lost before a request was on record: what is claimed beside it might be lost with it.
        let is_suspect = claim.prior.is_none();
        let started = start(shared, sleeper, vec![claim], vec![permit], asked);
        if is_suspect {
            started.all_recorded().await;
        } else {
            started.let_leave().await;
        }
        return Ok(());
    }
    if shared.is_last_permit() && !urgent(shared).await {
        drop(permit);
        // Until a delivery has ended, or it is time to look again.
        let _freed = tokio::time::timeout(LOOK_FOR_URGENT, shared.permits.acquire_many(2)).await;
        return Ok(());
    }
    let mut permits = shared.more_permits();
    permits.push(permit);
    let batches = u16::try_from(permits.len()).unwrap_or(u16::MAX);
    let (claimed, ()) = tokio::join!(
        claim(shared, batches),
        sleeper.release_if_busy(&shared.wakes)
    );
    match claimed? {
        Claiming::Batches(claims) => {
            start(shared, sleeper, claims, permits, asked)
                .let_leave()
                .await;
        }
        Claiming::Nothing { wait, stopped } => {
            drop(permits);
            if stopped {
                sleeper.stopped(shared).await;
            } else {
                sleeper.wait(shared, wait).await;
            }
        }
    }
    Ok(())
}

struct Started {
    /// Cancelled once the delivery's intent is on record, or there will be none.
    recorded: Vec<CancellationToken>,
    /// The claim took as much as it may: there is more.
    full: bool,
}

impl Started {
    async fn all_recorded(&self) {
        join_all(self.recorded.iter().map(CancellationToken::cancelled)).await;
    }

    async fn let_leave(&self) {
        if !self.full {
            let _in_time = tokio::time::timeout(LET_IT_LEAVE, self.all_recorded()).await;
        }
    }
}

/// Starts a delivery for each claim, with a permit each.
fn start(
    shared: &Arc<Shared>,
    sleeper: &mut Sleeper,
    claims: Vec<Claim>,
    permits: Vec<OwnedSemaphorePermit>,
    asked: SystemTime,
) -> Started {
    shared.busy().extend(claims.iter().map(|claim| claim.batch));
    let letters: usize = claims.iter().map(|claim| claim.letters.len()).sum();
    let full = letters >= permits.len() * usize::from(shared.config.batch_size);
    sleeper.found(full);
    let claiming = asked..SystemTime::now();
    let recorded = claims
        .into_iter()
        .zip(permits)
        .map(|(claim, permit)| {
            let token = CancellationToken::new();
            tokio::spawn(deliver::deliver(
                Arc::clone(shared),
                claim,
                claiming.clone(),
                permit,
                token.clone(),
            ));
            token
        })
        .collect();
    Started { recorded, full }
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
