//! One request: on record first, then transmitted once, with the lease renewed for as long as it lasts.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::compose::{self, Written};
use super::outcome::answer_word;
use super::trace::{self, DeliveryTrace};
use crate::db::intent::{self, Decision, Intent, Limits};
use crate::db::outbox::Claim;
use crate::db::settlement::Outcome;
use crate::failpoint;
use crate::provider::{Recovery, Request, SendResult, Transmission};
use crate::worker::shared::Shared;

/// What became of an attempt to send.
#[derive(Debug)]
pub(super) enum Sent {
    /// The provider was asked; one result per letter.
    Answered(Vec<SendResult>),
    /// Nothing left this process.
    Withheld { outcome: Outcome, why: String },
    /// Another sidecar holds the batch.
    Lost,
}

/// A provider that can tell nothing cannot lose the ability either.
const WITHOUT_END: Duration = Duration::from_secs(366 * 24 * 3600);
/// Postmark keeps messages for 45 days (docs/providers.md#postmark-search).
const SEARCHABLE: Duration = Duration::from_secs(44 * 24 * 3600);
/// A database that does not answer is asked again after this long, as long as the lease lasts.
const ASK_AGAIN: Duration = Duration::from_millis(500);

pub(super) fn limits(shared: &Shared) -> Limits {
    Limits {
        lease: shared.config.lease,
        request: shared.config.provider.timeout,
        patience: shared.config.reconcile,
        rate: shared
            .config
            .rate_per_second
            .map_or(0.0, |rate| f64::from(rate.get())),
    }
}

/// Puts the intent on record (and says so), waits for its turn, transmits.
pub(super) async fn send(
    shared: &Shared,
    claim: &Claim,
    written: &[Written<'_>],
    trace: &DeliveryTrace,
    recorded: &CancellationToken,
) -> Sent {
    let recording = trace.step("record");
    let (request, sha256) = compose::encode(shared, claim, written);
    let recovery = shared.provider.recovery();
    let has_tokens = written
        .iter()
        .any(|w| w.claimed.unsubscribe_token.is_some());
    let intent = Intent {
        batch: claim.batch,
        members: written.iter().map(|w| w.claimed.id).collect(),
        endpoint: request.path,
        recovery: match recovery {
            Recovery::Repeat { .. } => "repeat",
            Recovery::Search => "search",
            Recovery::Nothing => "again",
        },
        idempotency_key: &request.idempotency_key,
        sha256,
        settings: &shared.settings,
        tokens: has_tokens.then(|| {
            written
                .iter()
                .map(|w| w.claimed.unsubscribe_token)
                .collect()
        }),
        tracked: written.iter().map(|w| w.claimed.tracking).collect(),
        resolvable_for: match recovery {
            Recovery::Repeat { within } => within,
            Recovery::Search => SEARCHABLE,
            Recovery::Nothing => WITHOUT_END,
        },
    };
    failpoint::pass("unrecorded");
    let ready = ready(shared, &intent).await;
    recorded.cancel();
    drop(recording);
    match ready {
        Ready::Go => {
            failpoint::pass("recorded");
            Sent::Answered(transmit(shared, claim, &request, trace).await)
        }
        Ready::Stale => Sent::Withheld {
            outcome: Outcome::Untouched,
            why: "this sidecar stood still for too long between asking and sending".into(),
        },
        Ready::No(Decision::Mismatch) => {
            tracing::error!(batch = %claim.batch, "not repeated: an earlier request of this batch had other bytes than this sidecar renders (another version or other settings); it is left to one that matches");
            Sent::Withheld {
                outcome: Outcome::Mismatch,
                why: "left to a sidecar of the version and settings it was first sent with".into(),
            }
        }
        Ready::No(Decision::Stopped) => Sent::Withheld {
            outcome: Outcome::Untouched,
            why: "sending is stopped".into(),
        },
        Ready::No(_) => Sent::Lost,
    }
}

enum Ready {
    Go,
    /// The turn has passed while this process stood still: another sidecar may have taken the batch over.
    Stale,
    No(Decision),
}

/// Asks until there is a turn. A delivery that was refused one queues up inside this process first, so that a sidecar asks once
/// at a time however many batches it holds.
async fn ready(shared: &Shared, intent: &Intent<'_>) -> Ready {
    let limits = limits(shared);
    let started = Instant::now();
    let mut turn = None;
    loop {
        let asked = Instant::now();
        match intent::ready(&shared.pool, &shared.worker, intent, limits).await {
            Ok(Decision::Send { wait }) => {
                drop(turn);
                tokio::time::sleep(wait).await;
                // In-flight time was reckoned from here (email_batches.in_flight_until).
                if asked.elapsed() > wait + limits.request {
                    return Ready::Stale;
                }
                return Ready::Go;
            }
            Ok(Decision::Wait(wait)) => {
                tokio::time::sleep(wait).await;
                if turn.is_none() {
                    turn = Some(shared.turn.lock().await);
                }
            }
            Ok(no) => return Ready::No(no),
            // Nothing is known to be on record, so nothing may leave.
            Err(error) if started.elapsed() > limits.lease => {
                tracing::warn!(%error, batch = %intent.batch, "could not record what is about to be sent; it is left to the next sidecar");
                return Ready::No(Decision::Lost);
            }
            Err(error) => {
                tracing::warn!(%error, batch = %intent.batch, "could not record what is about to be sent yet");
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
    }
}

async fn transmit(
    shared: &Shared,
    claim: &Claim,
    request: &Request,
    trace: &DeliveryTrace,
) -> Vec<SendResult> {
    let started = Instant::now();
    let span = trace.send(claim, request);
    let sending = failpoint::pass_during("in flight", shared.provider.send(request));
    let Transmission { status, results } = while_renewing(shared, claim, sending).await;
    failpoint::pass("answered");
    trace::answered(&span, status, &results);
    let provider = shared.worker.provider;
    shared.vitals.request(provider, status, started.elapsed());
    for result in &results {
        shared.vitals.answered(provider, answer_word(result));
    }
    results
}

/// Renews the lease of a batch for as long as `work` lasts.
pub(super) async fn while_renewing<T>(
    shared: &Shared,
    claim: &Claim,
    work: impl Future<Output = T>,
) -> T {
    let lease = shared.config.lease;
    let mut renewal = tokio::time::interval_at(tokio::time::Instant::now() + lease / 3, lease / 3);
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = renewal.tick() => {
                if let Err(error) = intent::extend_lease(&shared.pool, &shared.worker, claim.batch, lease).await {
                    tracing::warn!(%error, batch = %claim.batch, "could not renew the lease of a request in flight");
                }
            }
        }
    }
}
