//! The trace of a delivery. Every attribute is named here and nowhere else: ids, counts, words, statuses; of people
//! nothing.
//!
//! | span | covers |
//! |---|---|
//! | `deliver` | one batch, from the claim to the record of its outcomes |
//! | `claim` | the statement that claimed it |
//! | `render` | its letters, from context to message |
//! | `record` | the intent, put on record, and waiting for the fleet's turn |
//! | `send` | the provider's request |
//! | `search` | asking the provider what became of an earlier request |
//! | `settle` | recording the outcomes |

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Instant, SystemTime};

use opentelemetry::{Array, KeyValue, StringValue, Value};

use super::outcome::answer_word;
use crate::db::outbox::Claim;
use crate::db::settlement::{Outcome, Settlement};
use crate::provider::{Request, SendResult, Status};
use crate::traces::Span;
use crate::worker::shared::Shared;

/// A span names this many deliveries; those of a larger batch are found by its id (`email_outbox.batch_id`).
const NAMED: usize = 20;

/// A delivery's span, and when it began.
#[derive(Debug)]
pub(super) struct DeliveryTrace {
    pub(super) started: Instant,
    span: Span,
}

impl DeliveryTrace {
    /// `claiming` is when the claim's statement ran; the half of a batch that was split was not claimed anew.
    pub(super) fn begin(
        shared: &Shared,
        claim: &Claim,
        claiming: Option<&Range<SystemTime>>,
    ) -> Self {
        let since = claiming.map_or_else(SystemTime::now, |claiming| claiming.start);
        let span = shared.traces.root("deliver", since);
        span.tell(|| {
            [
                KeyValue::new("email.batch", claim.batch.to_string()),
                KeyValue::new("email.provider", shared.worker.provider),
                KeyValue::new("email.letters", count(claim.letters.len())),
                KeyValue::new("email.types", types(claim)),
                KeyValue::new("email.deliveries", deliveries(claim)),
                KeyValue::new("email.attempt", attempt(claim)),
                KeyValue::new("email.repeated", claim.prior.is_some()),
            ]
        });
        if let Some(claiming) = claiming {
            span.past_step("claim", claiming.start, claiming.end);
        }
        Self {
            started: Instant::now(),
            span,
        }
    }

    /// A step that ends when it is dropped.
    pub(super) fn step(&self, name: &'static str) -> Span {
        self.span.step(name)
    }

    /// The provider's request, which begins now.
    pub(super) fn send(&self, claim: &Claim, request: &Request) -> Span {
        let span = self.step("send");
        span.tell(|| {
            [
                KeyValue::new("url.path", request.path),
                KeyValue::new("email.letters", count(request.messages)),
                KeyValue::new("email.attempt", attempt(claim)),
            ]
        });
        span
    }

    /// What was recorded: a count for each outcome, and the first failure as the log has it.
    pub(super) fn settled(&self, settlements: &[Settlement]) {
        self.span.tell(|| {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for settlement in settlements {
                *counts.entry(settlement.outcome.as_sql()).or_default() += 1;
            }
            let outcomes = counts
                .into_iter()
                .map(|(outcome, letters)| StringValue::from(format!("{outcome}={letters}")))
                .collect();
            [KeyValue::new(
                "email.outcomes",
                Value::Array(Array::String(outcomes)),
            )]
        });
        if let Some(failure) = settlements
            .iter()
            .find(|settlement| settlement.outcome != Outcome::Sent)
        {
            self.span
                .fail(failure.error.as_deref().unwrap_or(failure.outcome.as_sql()));
        }
    }
}

/// How the request ended.
pub(super) fn answered(span: &Span, status: Status, results: &[SendResult]) {
    span.tell(|| {
        [
            KeyValue::new("email.status", status.to_string()),
            KeyValue::new("email.accepted", count(results.iter().flatten().count())),
        ]
    });
    if let Some(code) = status.code() {
        span.tell(|| [KeyValue::new("http.response.status_code", i64::from(code))]);
    }
    if let Some((result, error)) = results
        .iter()
        .find_map(|result| Some((result, result.as_ref().err()?)))
    {
        span.tell(|| [KeyValue::new("error.type", answer_word(result))]);
        span.fail(&error.detail);
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Which attempt this is for the letter that has had the most.
fn attempt(claim: &Claim) -> i64 {
    let before = claim.letters.iter().map(|letter| letter.attempts).max();
    i64::from(before.unwrap_or_default()) + 1
}

fn types(claim: &Claim) -> Value {
    let types: BTreeSet<&str> = claim
        .letters
        .iter()
        .map(|letter| letter.email_type.as_str())
        .collect();
    let types = types
        .into_iter()
        .map(|email_type| StringValue::from(email_type.to_owned()))
        .collect();
    Value::Array(Array::String(types))
}

fn deliveries(claim: &Claim) -> Value {
    let named = claim
        .letters
        .iter()
        .take(NAMED)
        .map(|letter| StringValue::from(letter.delivery.to_string()))
        .collect();
    Value::Array(Array::String(named))
}
