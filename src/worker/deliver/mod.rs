//! One batch, from claimed to settled.
//!
//! | step | module |
//! |---|---|
//! | render the members, encode the request | [`compose`] |
//! | put the intent on record, take a turn, transmit | [`send`] |
//! | ask the provider what became of an earlier request | [`resolve`] |
//! | what an answer means for its letter | [`outcome`] |
//! | record the outcomes | [`settle`] |
//! | its trace | [`trace`] |
//!
//! A refusal of a whole request because of one member (Resend's strict mode) is resolved here: nothing was sent, so the
//! batch is halved, each half a batch of its own, until the guilty one stands alone. Every other outcome is recorded as it
//! is; what to do about it is `public.email_settle`'s decision.

mod compose;
mod outcome;
mod resolve;
mod send;
mod settle;
mod trace;

use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::db::intent;
use crate::db::outbox::{Claim, Claimed};
use crate::db::settlement::Outcome;
use crate::failpoint;
use crate::provider::{ErrorKind, Recovery, SendResult};
use crate::worker::shared::Shared;
use compose::Written;
pub(super) use compose::settings;
use send::Sent;
use settle::Settlements;
use trace::DeliveryTrace;

/// Delivers and settles; `claiming` is when the claim was made, the permit is what `EMAIL_CONCURRENCY` counts. `recorded` is
/// cancelled once the intent is on record, or there will be none.
pub(super) async fn deliver(
    shared: Arc<Shared>,
    claim: Claim,
    claiming: Range<SystemTime>,
    permit: OwnedSemaphorePermit,
    recorded: CancellationToken,
) {
    let _over = recorded.clone().drop_guard();
    let mut claiming = Some(claiming);
    let mut batches = vec![claim];
    while let Some(claim) = batches.pop() {
        let batch = claim.batch;
        let trace = DeliveryTrace::begin(&shared, &claim, claiming.take().as_ref());
        if let Some(halves) = one(&shared, claim, &trace, &recorded).await {
            batches.extend(halves);
        }
        shared.busy().remove(&batch);
    }
    drop(permit);
}

/// One request at most; answers the halves of a batch that was refused as a whole.
async fn one(
    shared: &Shared,
    claim: Claim,
    trace: &DeliveryTrace,
    recorded: &CancellationToken,
) -> Option<[Claim; 2]> {
    failpoint::pass(if claim.prior.is_some() {
        "taken over"
    } else {
        "claimed"
    });
    if let Some(prior) = claim.prior {
        if !prior.resolvable {
            let settlements = Settlements::all(&claim, Outcome::Lost, &lost_for_good(prior.age));
            settle::settle(shared, &claim, settlements, trace).await;
            return None;
        }
        if shared.provider.recovery() == Recovery::Search {
            let searching = trace.step("search");
            let settlements = resolve::search(shared, &claim, prior).await;
            drop(searching);
            failpoint::pass("searched");
            settle::settle(shared, &claim, settlements, trace).await;
            return None;
        }
    }

    let rendering = trace.step("render");
    let (written, unwritable) = compose::write_all(shared, &claim);
    drop(rendering);
    if !unwritable.is_empty() {
        settle::settle(shared, &claim, Settlements::from(unwritable), trace).await;
    }
    if written.is_empty() {
        return None;
    }
    let sent = send::send(shared, &claim, &written, trace, recorded).await;
    let settlements = match sent {
        Sent::Answered(results) if refused_whole(&results) && written.len() > 1 => {
            let halves = halve(&written);
            return split(shared, claim, halves).await;
        }
        Sent::Answered(results) => {
            Settlements::of(&written, results, shared.provider.advertised_rate())
        }
        Sent::Withheld { outcome, why } => Settlements::all(&claim, outcome, &why),
        Sent::Lost => {
            tracing::warn!(batch = %claim.batch, "the lease was lost before the request left; another sidecar sends it");
            return None;
        }
    };
    settle::settle(shared, &claim, settlements, trace).await;
    None
}

fn lost_for_good(age: std::time::Duration) -> String {
    format!(
        "nobody knows whether the provider accepted this {} h ago, and it can no longer tell",
        age.as_secs() / 3600
    )
}

fn refused_whole(results: &[SendResult]) -> bool {
    results
        .iter()
        .any(|result| matches!(result, Err(error) if error.kind == ErrorKind::BatchRefused))
}

/// Which half each member goes to.
fn halve(written: &[Written<'_>]) -> [Vec<i64>; 2] {
    let ids: Vec<i64> = written.iter().map(|written| written.claimed.id).collect();
    let (first, second) = ids.split_at(ids.len() / 2);
    [first.to_vec(), second.to_vec()]
}

/// Nothing of the batch was sent: each half becomes a batch of its own, under a key of its own.
async fn split(shared: &Shared, claim: Claim, halves: [Vec<i64>; 2]) -> Option<[Claim; 2]> {
    let batches = [Uuid::new_v4(), Uuid::new_v4()];
    let members: Vec<(i64, Uuid)> = halves
        .iter()
        .zip(batches)
        .flat_map(|(ids, batch)| ids.iter().map(move |&id| (id, batch)))
        .collect();
    let lease = shared.config.lease;
    shared.busy().extend(batches);
    match intent::split(&shared.pool, &shared.worker, claim.batch, &members, lease).await {
        Ok(_) => failpoint::pass("split"),
        Err(error) => {
            shared.busy().retain(|busy| !batches.contains(busy));
            // Still on record as sent: it is asked for again, refused again, and split then.
            tracing::warn!(%error, batch = %claim.batch, "could not split a refused batch; it is tried again when the lease is over");
            return None;
        }
    }
    let (first, second): (Vec<Claimed>, Vec<Claimed>) = claim
        .letters
        .into_iter()
        .filter(|letter| members.iter().any(|(id, _)| *id == letter.id))
        .partition(|letter| halves[0].contains(&letter.id));
    let [first_batch, second_batch] = batches;
    let half = |batch, letters| Claim {
        batch,
        letters,
        prior: None,
    };
    // The last one is sent first.
    Some([half(second_batch, second), half(first_batch, first)])
}
