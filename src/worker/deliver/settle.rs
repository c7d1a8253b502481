//! From the provider's answers to outcomes, and recording them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::compose::Written;
use super::outcome::outcome_of;
use super::trace::DeliveryTrace;
use crate::db::outbox::Claim;
use crate::db::settlement::{self, AccountNews, Outcome, Settlement};
use crate::failpoint;
use crate::provider::{ErrorKind, SendError, SendResult};
use crate::worker::shared::Shared;

/// What is to be recorded of a batch.
#[derive(Debug, Default)]
pub(super) struct Settlements {
    letters: Vec<Settlement>,
    news: AccountNews,
}

impl From<Vec<Settlement>> for Settlements {
    fn from(letters: Vec<Settlement>) -> Self {
        Self {
            letters,
            news: AccountNews::default(),
        }
    }
}

impl Settlements {
    /// The same for every member that is still held.
    pub(super) fn all(claim: &Claim, outcome: Outcome, why: &str) -> Self {
        let held = claim.letters.iter().filter(|letter| letter.held);
        Self::from(
            held.map(|letter| Settlement::new(letter, outcome, Some(why.to_owned())))
                .collect::<Vec<_>>(),
        )
    }

    /// What the answers to a request mean.
    pub(super) fn of(
        written: &[Written<'_>],
        results: Vec<SendResult>,
        provider_limit: Option<f64>,
    ) -> Self {
        let mut settlements = Self::default();
        settlements.news.provider_limit = provider_limit;
        for (written, result) in written.iter().zip(results) {
            if let Err(error) = &result {
                settlements.hear(error);
            }
            if written.claimed.held {
                settlements.letters.push(settlement_of(written, result));
            }
        }
        settlements
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

fn settlement_of(written: &Written<'_>, result: SendResult) -> Settlement {
    let claimed = written.claimed;
    let settlement = match result {
        Ok(accepted) => Settlement {
            message_id: Some(accepted.message_id),
            ..Settlement::new(claimed, Outcome::Sent, None)
        },
        Err(error) => {
            let (outcome, wait) = outcome_of(error.kind);
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

/// Records the outcomes, trying for as long as the lease lasts: afterwards they are another sidecar's to resolve.
pub(super) async fn settle(
    shared: &Shared,
    claim: &Claim,
    settlements: Settlements,
    trace: &DeliveryTrace,
) {
    let span = trace.step("settle");
    let Settlements { letters, news } = settlements;
    let answered = Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        let asked = Instant::now();
        let settling =
            settlement::settle(&shared.pool, &shared.worker, claim.batch, &letters, &news);
        let error = match settling.await {
            Ok(held) => {
                failpoint::pass("settled");
                shared.vitals.statement("settle", asked.elapsed());
                drop(span);
                trace.settled(&letters);
                report(shared, claim, &letters, held, trace.started);
                return;
            }
            Err(error) => error,
        };
        if answered.elapsed() > shared.config.lease {
            tracing::error!(%error, batch = %claim.batch, letters = letters.len(), "could not record the outcomes; the lease is over and they will be resolved again");
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
    let mut failures: BTreeMap<(Outcome, &str), Vec<&Settlement>> = BTreeMap::new();
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
        if settlement.outcome == Outcome::Sent {
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
        tracing::warn!(batch = %claim.batch, outcome = outcome.as_sql(), letters = members.len(), first_id = members[0].id, deliveries = deliveries(claim, &members), "not sent: {why}");
    }
    if usize::try_from(held).is_ok_and(|held| held < settlements.len()) {
        tracing::warn!(batch = %claim.batch, held, letters = settlements.len(), "the lease was lost meanwhile, or a webhook was faster; the sidecar that holds the rest resolves it");
    }
    // The fields are made only when this level is logged.
    tracing::debug!(batch = %claim.batch, letters = settlements.len(), sent, ms = started.elapsed().as_millis(), deliveries = deliveries(claim, &settlements.iter().collect::<Vec<_>>()), "settled");
    // What waits for a retry changes how long the loop may sleep.
    if sent < settlements.len() {
        shared.wakes.wake();
    }
}
