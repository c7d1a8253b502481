//! One batch, from claimed to settled.
//!
//! A refusal of a whole batch because of one member (Resend's strict mode) is resolved here: nothing was sent, so the batch
//! is halved under new keys until the guilty one stands alone. Every other outcome is recorded as it is; what to do about it
//! is `public.email_settle`'s decision.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::OwnedSemaphorePermit;

use super::Shared;
use crate::db::outbox::{self, Claim, Claimed, Settlement};
use crate::mail::{self, Recipient};
use crate::provider::{Batch, ErrorKind, Message, Outcome, Recovery, Request, SendError};

/// A letter that could be written.
struct Written<'a> {
    claimed: &'a Claimed,
    message: Message,
}

/// Delivers and settles; the permit is what `EMAIL_CONCURRENCY` counts.
pub(super) async fn deliver(shared: Arc<Shared>, claim: Claim, permit: OwnedSemaphorePermit) {
    let started = Instant::now();
    let settlements = if let Some(lost) = unrecoverable(&shared, &claim) {
        claim
            .letters
            .iter()
            .map(|letter| settled(letter, "lost", Some(lost.clone())))
            .collect()
    } else {
        send_all(&shared, &claim).await
    };
    settle(&shared, &claim, &settlements, started).await;
    drop(permit);
}

/// Why the outcome of a batch that another sidecar left behind can no longer be learned, if so.
fn unrecoverable(shared: &Shared, claim: &Claim) -> Option<String> {
    if !claim.taken_over {
        return None;
    }
    match shared.provider.recovery() {
        Recovery::Repeat { within } if claim.age < within => None,
        Recovery::Repeat { within } => Some(format!(
            "a sidecar was lost while sending this, {} h ago; the provider remembers requests for {} h only",
            claim.age.as_secs() / 3600,
            within.as_secs() / 3600
        )),
        Recovery::Search => Some(
            "a sidecar was lost while sending this; the provider may or may not have accepted it"
                .into(),
        ),
        Recovery::Nothing => None,
    }
}

async fn send_all(shared: &Shared, claim: &Claim) -> Vec<Settlement> {
    let mut settlements = Vec::with_capacity(claim.letters.len());
    let mut written = Vec::with_capacity(claim.letters.len());
    for claimed in &claim.letters {
        match write(shared, claimed) {
            Ok(message) => written.push(Written { claimed, message }),
            Err(reason) => settlements.push(settled(claimed, "permanent", Some(reason))),
        }
    }
    let mut parts = vec![written];
    while let Some(mut part) = parts.pop() {
        if part.is_empty() {
            continue;
        }
        let outcomes = send(shared, claim, &part).await;
        let refused_whole = outcomes.iter().any(|outcome| {
            matches!(
                outcome,
                Err(SendError {
                    kind: ErrorKind::BatchRefused,
                    ..
                })
            )
        });
        if refused_whole && part.len() > 1 {
            let second = part.split_off(part.len() / 2);
            parts.push(second);
            parts.push(part);
            continue;
        }
        stop_if_refused(shared, &outcomes).await;
        settlements.extend(
            part.iter()
                .zip(outcomes)
                .map(|(written, outcome)| judged(written, outcome)),
        );
    }
    settlements
}

fn write(shared: &Shared, claimed: &Claimed) -> Result<Message, String> {
    if claimed.recipient.is_empty() {
        return Err(format!(
            "{}: the row has no to_email and its user no address",
            claimed.email_type
        ));
    }
    let recipient = Recipient {
        delivery_id: claimed.delivery,
        category: claimed.category,
        unsubscribe_token: claimed.unsubscribe_token,
        subject: claimed
            .context
            .get("subject_template")
            .and_then(Value::as_str)
            .map(str::to_owned),
    };
    let letter = mail::render(
        &claimed.email_type,
        &claimed.context,
        &recipient,
        &shared.config.site,
    )
    .map_err(|error| error.to_string())?;
    Ok(Message {
        delivery_id: claimed.delivery,
        email_type: claimed.email_type.clone(),
        category: claimed.category,
        to: claimed.recipient.clone(),
        subject: letter.subject,
        html: letter.html,
        text: letter.text,
        headers: letter.headers,
        track: claimed.tracking,
    })
}

/// One request, with the lease renewed for as long as it lasts.
async fn send(shared: &Shared, claim: &Claim, part: &[Written<'_>]) -> Vec<Outcome> {
    let batch = Batch {
        id: claim.batch,
        idempotency_key: key(part),
        messages: part.iter().map(|written| written.message.clone()).collect(),
    };
    let request: Request = shared.provider.encode(&batch);
    drop(batch);
    let started = Instant::now();
    let lease = shared.config.lease;
    let mut renewal = tokio::time::interval_at(tokio::time::Instant::now() + lease / 3, lease / 3);
    let mut sending = shared.provider.send(&request);
    let outcomes = loop {
        tokio::select! {
            outcomes = &mut sending => break outcomes,
            _ = renewal.tick() => {
                if let Err(error) = outbox::extend_lease(&shared.pool, &shared.worker, claim.batch, lease).await {
                    tracing::warn!(%error, batch = %claim.batch, "could not renew the lease of a request in flight");
                }
            }
        }
    };
    shared
        .vitals
        .request(shared.worker.provider, started.elapsed());
    outcomes
}

/// The same members with the same numbers of attempts give the same key, whoever sends them.
fn key(part: &[Written<'_>]) -> String {
    let mut digest = Sha256::new();
    for Written { claimed, .. } in part {
        digest.update(format!("{}\n{}\n", claimed.dedupe_key, claimed.attempts));
    }
    format!("seqpulse/{}", URL_SAFE_NO_PAD.encode(digest.finalize()))
}

/// Pauses everything, for all sidecars, when the provider refuses the whole account.
async fn stop_if_refused(shared: &Shared, outcomes: &[Outcome]) {
    let refusal = outcomes.iter().find_map(|outcome| match outcome {
        Err(SendError {
            kind: ErrorKind::SenderWide { until },
            detail,
        }) => Some((detail, *until)),
        _ => None,
    });
    if let Some((why, until)) = refusal
        && let Err(error) = outbox::provider_refused(&shared.pool, why, until).await
    {
        tracing::warn!(%error, "could not record that the provider refuses this account");
    }
}

fn judged(written: &Written<'_>, outcome: Outcome) -> Settlement {
    let claimed = written.claimed;
    let settlement = match outcome {
        Ok(accepted) => Settlement {
            message_id: Some(accepted.message_id),
            ..settled(claimed, "sent", None)
        },
        Err(error) => {
            let (outcome, wait) = match error.kind {
                ErrorKind::Transient {
                    counts: true,
                    retry_after,
                } => ("transient", retry_after),
                ErrorKind::Transient {
                    counts: false,
                    retry_after,
                } => ("refused", retry_after),
                ErrorKind::Permanent | ErrorKind::BatchRefused => ("permanent", None),
                ErrorKind::Address => ("address", None),
                ErrorKind::Unknown {
                    counts: true,
                    retry_after,
                } => ("server_error", retry_after),
                ErrorKind::Unknown {
                    counts: false,
                    retry_after,
                } => ("unknown", retry_after),
                ErrorKind::KeyConflict => ("lost", None),
                ErrorKind::SenderWide { .. } => ("released", None),
            };
            Settlement {
                wait,
                ..settled(claimed, outcome, Some(error.detail))
            }
        }
    };
    Settlement {
        subject: Some(written.message.subject.clone()),
        ..settlement
    }
}

fn settled(claimed: &Claimed, outcome: &'static str, error: Option<String>) -> Settlement {
    Settlement {
        id: claimed.id,
        outcome,
        message_id: None,
        error,
        subject: None,
        wait: None,
    }
}

/// Records the outcomes, trying for as long as the lease lasts: afterwards they are another sidecar's to resolve.
async fn settle(shared: &Shared, claim: &Claim, settlements: &[Settlement], started: Instant) {
    let mut pause = Duration::from_millis(100);
    loop {
        let error =
            match outbox::settle(&shared.pool, &shared.worker, claim.batch, settlements).await {
                Ok(held) => {
                    report(shared, claim, settlements, held, started);
                    return;
                }
                Err(error) => error,
            };
        if started.elapsed() > shared.config.lease {
            tracing::error!(%error, batch = %claim.batch, letters = settlements.len(), "could not record the outcomes; the lease is over and they will be resolved again");
            return;
        }
        tracing::warn!(%error, batch = %claim.batch, "could not record the outcomes yet");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

fn report(shared: &Shared, claim: &Claim, settlements: &[Settlement], held: i32, started: Instant) {
    for (letter, settlement) in settlements.iter().filter_map(|settlement| {
        claim
            .letters
            .iter()
            .find(|letter| letter.id == settlement.id)
            .map(|letter| (letter, settlement))
    }) {
        shared
            .vitals
            .settled(&letter.email_type, settlement.outcome);
        if settlement.outcome != "sent" {
            tracing::warn!(
                id = letter.id,
                email_type = letter.email_type,
                outcome = settlement.outcome,
                "not sent: {}",
                settlement.error.as_deref().unwrap_or("no reason given")
            );
        }
    }
    if usize::try_from(held).is_ok_and(|held| held < settlements.len()) {
        tracing::warn!(batch = %claim.batch, held, letters = settlements.len(), "the lease was lost meanwhile; another sidecar resolves the rest");
    }
    let sent = settlements
        .iter()
        .filter(|settlement| settlement.outcome == "sent")
        .count();
    tracing::debug!(batch = %claim.batch, letters = settlements.len(), sent, ms = started.elapsed().as_millis(), "settled");
    // What waits for a retry changes how long the loop may sleep.
    if sent < settlements.len() {
        shared.wakes.wake();
    }
}
