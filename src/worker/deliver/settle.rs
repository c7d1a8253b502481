//! From outcomes to the words of `public.email_settle`, and recording them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::compose::Written;
use super::trail::Trail;
use crate::db::outbox::{self, AccountNews, Claim, Settlement};
use crate::failpoint;
use crate::provider::{ErrorKind, Outcome, SendError};
use crate::worker::shared::Shared;

/// What is to be recorded of a batch.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    pub(super) settlements: Vec<Settlement>,
    pub(super) news: AccountNews,
}

impl From<Vec<Settlement>> for Verdicts {
    fn from(settlements: Vec<Settlement>) -> Self {
        Self {
            settlements,
            news: AccountNews::default(),
        }
    }
}

impl Verdicts {
    /// The same for every member that is still held.
    pub(super) fn all(claim: &Claim, outcome: &'static str, why: &str) -> Self {
        let held = claim.letters.iter().filter(|letter| letter.held);
        Self::from(
            held.map(|letter| Settlement::new(letter, outcome, Some(why.to_owned())))
                .collect::<Vec<_>>(),
        )
    }

    /// What the answers to a request mean.
    pub(super) fn of(
        written: &[Written<'_>],
        outcomes: Vec<Outcome>,
        provider_limit: Option<f64>,
    ) -> Self {
        let mut verdicts = Self::default();
        verdicts.news.provider_limit = provider_limit;
        for (written, outcome) in written.iter().zip(outcomes) {
            if let Err(error) = &outcome {
                verdicts.hear(error);
            }
            if written.claimed.held {
                verdicts.settlements.push(judged(written, outcome));
            }
        }
        verdicts
    }

    /// What a failure says about the account.
    pub(super) fn hear(&mut self, error: &SendError) {
        match error.kind {
            ErrorKind::SenderWide { until } => {
                let why = match until {
                    Some(until) => format!(
                        "{} (until {})",
                        error.detail,
                        until.format("%Y-%m-%d %H:%M UTC")
                    ),
                    None => error.detail.clone(),
                };
                self.news.refused = Some((why, until));
            }
            ErrorKind::TooFast { retry_after } => {
                let wait = retry_after.unwrap_or_default();
                self.news.limited = Some(self.news.limited.map_or(wait, |known| known.max(wait)));
            }
            _ => {}
        }
    }
}

fn judged(written: &Written<'_>, outcome: Outcome) -> Settlement {
    let claimed = written.claimed;
    let settlement = match outcome {
        Ok(accepted) => Settlement {
            message_id: Some(accepted.message_id),
            ..Settlement::new(claimed, "sent", None)
        },
        Err(error) => {
            let (outcome, wait) = word(error.kind);
            Settlement {
                wait,
                ..Settlement::new(claimed, outcome, Some(error.detail))
            }
        }
    };
    Settlement {
        subject: Some(written.message.subject.clone()),
        ..settlement
    }
}

/// The word of `public.email_settle` for a class of failure, and the least time to wait.
fn word(kind: ErrorKind) -> (&'static str, Option<Duration>) {
    match kind {
        ErrorKind::Transient {
            counts: true,
            retry_after,
        } => ("transient", retry_after),
        ErrorKind::Transient {
            counts: false,
            retry_after,
        }
        | ErrorKind::TooFast { retry_after } => ("refused", retry_after),
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
        ErrorKind::KeyConflict => ("conflict", None),
        ErrorKind::SenderWide { .. } => ("released", None),
    }
}

/// Records the outcomes, trying for as long as the lease lasts: afterwards they are another sidecar's to resolve.
pub(super) async fn settle(shared: &Shared, claim: &Claim, verdicts: Verdicts, trail: &Trail) {
    let span = trail.step("settle");
    let Verdicts { settlements, news } = verdicts;
    let answered = Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        let asked = Instant::now();
        let settling = outbox::settle(
            &shared.pool,
            &shared.worker,
            claim.batch,
            &settlements,
            &news,
        );
        let error = match settling.await {
            Ok(held) => {
                failpoint::pass("settled");
                shared.vitals.statement("settle", asked.elapsed());
                drop(span);
                trail.settled(&settlements);
                report(shared, claim, &settlements, held, trail.started);
                return;
            }
            Err(error) => error,
        };
        if answered.elapsed() > shared.config.lease {
            tracing::error!(%error, batch = %claim.batch, letters = settlements.len(), "could not record the outcomes; the lease is over and they will be resolved again");
            return;
        }
        tracing::warn!(%error, batch = %claim.batch, "could not record the outcomes yet");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

/// `email_deliveries.id` of these letters, for people who search the log for one.
fn deliveries(claim: &Claim, members: &[&Settlement]) -> String {
    let ids: Vec<String> = claim
        .letters
        .iter()
        .filter(|letter| members.iter().any(|member| member.id == letter.id))
        .map(|letter| letter.delivery.to_string())
        .collect();
    ids.join(" ")
}

fn report(shared: &Shared, claim: &Claim, settlements: &[Settlement], held: i32, started: Instant) {
    let mut sent = 0;
    // A whole batch mostly fails for one reason: one line for all of it.
    let mut failures: BTreeMap<(&str, &str), Vec<&Settlement>> = BTreeMap::new();
    for settlement in settlements {
        if let Some(letter) = claim
            .letters
            .iter()
            .find(|letter| letter.id == settlement.id)
        {
            shared
                .vitals
                .settled(&letter.email_type, settlement.outcome);
        }
        if settlement.outcome == "sent" {
            sent += 1;
            continue;
        }
        let why = settlement.error.as_deref().unwrap_or("no reason given");
        failures
            .entry((settlement.outcome, why))
            .or_default()
            .push(settlement);
    }
    for ((outcome, why), members) in failures {
        tracing::warn!(batch = %claim.batch, outcome, letters = members.len(), first_id = members[0].id, deliveries = deliveries(claim, &members), "not sent: {why}");
    }
    if usize::try_from(held).is_ok_and(|held| held < settlements.len()) {
        tracing::warn!(batch = %claim.batch, held, letters = settlements.len(), "the lease was lost meanwhile, or a webhook was faster; whoever holds the rest resolves it");
    }
    // Fields are made only when somebody listens.
    tracing::debug!(batch = %claim.batch, letters = settlements.len(), sent, ms = started.elapsed().as_millis(), deliveries = deliveries(claim, &settlements.iter().collect::<Vec<_>>()), "settled");
    // What waits for a retry changes how long the loop may sleep.
    if sent < settlements.len() {
        shared.wakes.wake();
    }
}
