//! Sending through the Resend side: idempotency, validation, quota, and what is remembered of it (docs/providers.md#resend).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use super::exchange::{Call, Reply};
use super::idempotency::{Fingerprint, Finished, Found, Progress};
use super::ledger::{Api, Arrival, Fate};
use super::resend_email::{Email, Refusal};
use super::settings::Settings;
use super::state::{Account, Shared};

/// How a fault changes what the server itself does.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Twist {
    /// Create half of the batch, then fail.
    pub(super) half: bool,
    /// The key counts as running for so long.
    pub(super) hold_key: Option<Duration>,
}

pub(super) const SINGLE: &str = "/emails";
pub(super) const BATCH: &str = "/emails/batch";
const MAX_BATCH: usize = 100;
const MAX_KEY_CHARS: usize = 256;

/// A request that can be read; all that is slow about it is done before the account is locked.
struct Attempt<'a> {
    endpoint: &'static str,
    key: Option<Arc<str>>,
    fingerprint: Fingerprint,
    is_permissive: bool,
    items: Vec<&'a RawValue>,
    checked: Vec<Result<Email, Refusal>>,
    now: DateTime<Utc>,
}

/// `POST /emails` and `POST /emails/batch`
pub(super) fn send(
    shared: &Shared,
    settings: &Settings,
    call: &Call,
    endpoint: &'static str,
    twist: Twist,
    now: DateTime<Utc>,
) -> Reply {
    let attempt = match Attempt::read(settings, call, endpoint, now) {
        Ok(attempt) => attempt,
        Err(refusal) => return refusal.reply(),
    };
    let fresh_ids: Vec<Uuid> = attempt.items.iter().map(|_| Uuid::new_v4()).collect();
    let mut account = shared.account();
    let (ids, already) = match attempt.look_up(&account) {
        Err(refusal) => return refusal.reply(),
        Ok(Found::Replay(first)) => {
            let mut reply = Reply::json(first.status, &Value::Null);
            reply.body = first.body;
            return reply;
        }
        Ok(Found::Half { ids, created }) => (ids, created),
        Ok(_) => (fresh_ids, 0),
    };
    let memory = attempt.memory();
    let (reply, progress) = match attempt.judge(&mut account, settings) {
        Err(refusal) => {
            let reply = refusal.reply();
            let progress = Progress::Done(finished(&reply));
            (reply, settings.failures_consume_key.then_some(progress))
        }
        Ok(judged) => {
            let (reply, progress) = judged.create(shared, &mut account, call, twist, ids, already);
            (reply, Some(progress))
        }
    };
    if let (Some((key, fingerprint)), Some(progress)) = (memory, progress) {
        account
            .keys
            .remember(endpoint, &key, fingerprint, now, progress);
    }
    reply
}

impl<'a> Attempt<'a> {
    fn read(
        settings: &Settings,
        call: &'a Call,
        endpoint: &'static str,
        now: DateTime<Utc>,
    ) -> Result<Self, Refusal> {
        let key = match call
            .headers
            .get("idempotency-key")
            .map(|value| value.to_str())
        {
            None => None,
            Some(Ok(key)) if (1..=MAX_KEY_CHARS).contains(&key.chars().count()) => Some(key.into()),
            Some(_) => {
                let message = "The key must be between 1-256 chars";
                return Err(Refusal::new(400, "invalid_idempotency_key", message));
            }
        };
        let mode = call.header("x-batch-validation");
        let items = items(call, endpoint)?;
        let checked = items
            .iter()
            .map(|raw| Email::check(raw, settings, endpoint == BATCH))
            .collect();
        Ok(Self {
            endpoint,
            key,
            fingerprint: Fingerprint::of(&call.body, settings.idempotency_compare),
            is_permissive: mode.is_some_and(|mode| mode.eq_ignore_ascii_case("permissive")),
            items,
            checked,
            now,
        })
    }

    fn look_up(&self, account: &Account) -> Result<Found, Refusal> {
        let Some(key) = &self.key else {
            return Ok(Found::Nothing);
        };
        match account
            .keys
            .find(self.endpoint, key, self.fingerprint, self.now)
        {
            Found::Running => {
                let message = "The request is still being processed under the same idempotency key";
                Err(Refusal::new(409, "concurrent_idempotent_requests", message))
            }
            Found::OtherBody => {
                let message =
                    "This idempotency key has been used on a request with a different body";
                Err(Refusal::new(409, "invalid_idempotent_request", message))
            }
            found => Ok(found),
        }
    }

    fn memory(&self) -> Option<(Arc<str>, Fingerprint)> {
        self.key.clone().map(|key| (key, self.fingerprint))
    }

    /// Strict: all or the first error. Permissive: the good ones, and the errors of the others. Then the quota.
    fn judge(self, account: &mut Account, settings: &Settings) -> Result<Judged<'a>, Refusal> {
        if self.endpoint == BATCH && !(1..=MAX_BATCH).contains(&self.items.len()) {
            let message = "The batch must hold between 1 and 100 emails";
            return Err(Refusal::new(422, "validation_error", message));
        }
        let mut emails = Vec::with_capacity(self.checked.len());
        let mut errors = Vec::new();
        for (index, result) in self.checked.into_iter().enumerate() {
            match result {
                Ok(email) => emails.push(Some(email)),
                Err(refusal) if self.is_permissive && refusal.is_about_the_message() => {
                    errors.push(json!({"index": index, "message": refusal.message}));
                    emails.push(None);
                }
                Err(refusal) => return Err(refusal),
            }
        }
        let wanted = emails.iter().flatten().count() as u64;
        account.quota.roll(self.now);
        let exceeds =
            |limit: Option<u64>, used: u64| limit.is_some_and(|limit| used + wanted > limit);
        if exceeds(settings.daily_quota, account.quota.today) {
            let message = "You have reached your daily email sending quota";
            return Err(Refusal::new(429, "daily_quota_exceeded", message));
        }
        if exceeds(settings.monthly_quota, account.quota.total) {
            let message = "You have reached your monthly email sending quota";
            return Err(Refusal::new(429, "monthly_quota_exceeded", message));
        }
        Ok(Judged {
            endpoint: self.endpoint,
            key: self.key,
            items: self.items,
            emails,
            errors: self.is_permissive.then_some(errors),
            now: self.now,
        })
    }
}

fn items<'a>(call: &'a Call, endpoint: &str) -> Result<Vec<&'a RawValue>, Refusal> {
    let parsed = if endpoint == BATCH {
        serde_json::from_slice(&call.body)
    } else {
        serde_json::from_slice(&call.body).map(|item| vec![item])
    };
    parsed.map_err(|error| {
        Refusal::new(
            400,
            "validation_error",
            &format!("The body is not valid JSON: {error}"),
        )
    })
}

/// A request that will be accepted, with a gap for each member that permissive mode leaves out.
struct Judged<'a> {
    endpoint: &'static str,
    key: Option<Arc<str>>,
    items: Vec<&'a RawValue>,
    emails: Vec<Option<Email>>,
    /// Only in permissive mode.
    errors: Option<Vec<Value>>,
    now: DateTime<Utc>,
}

impl Judged<'_> {
    /// Enters what is not entered `already`; a torn batch stops half way, and the rest waits for the repetition.
    fn create(
        self,
        shared: &Shared,
        account: &mut Account,
        call: &Call,
        twist: Twist,
        ids: Vec<Uuid>,
        already: usize,
    ) -> (Reply, Progress) {
        let is_torn = twist.half && self.endpoint == BATCH;
        let members = ids.iter().zip(self.emails).zip(&self.items);
        let created: Vec<(Uuid, Email, Bytes)> = members
            .filter_map(|((id, email), raw)| email.map(|email| (*id, email, call.slice(raw))))
            .collect();
        let reply = success(
            self.endpoint,
            created.iter().map(|(id, ..)| *id),
            self.errors,
        );
        let until = if is_torn {
            created.len() / 2
        } else {
            created.len()
        };
        let arrivals: Vec<Arrival> = created
            .into_iter()
            .take(until)
            .skip(already)
            .map(|(id, email, source)| arrival(account, id, email, source, self.key.as_ref()))
            .collect();
        account.quota.today += arrivals.len() as u64;
        account.quota.total += arrivals.len() as u64;
        shared.enter(account, arrivals, self.now);
        if is_torn {
            let refusal = Refusal::new(
                500,
                "internal_server_error",
                "Something went wrong in the middle of it",
            );
            return (
                refusal.reply(),
                Progress::Half {
                    ids,
                    created: until,
                },
            );
        }
        let then = finished(&reply);
        let progress = match twist
            .hold_key
            .and_then(|hold| TimeDelta::from_std(hold).ok())
        {
            Some(hold) => Progress::Running {
                until: self.now + hold,
                then,
            },
            None => Progress::Done(then),
        };
        (reply, progress)
    }
}

fn arrival(
    account: &Account,
    id: Uuid,
    email: Email,
    source: Bytes,
    key: Option<&Arc<str>>,
) -> Arrival {
    let suppressed = email
        .recipients
        .iter()
        .any(|address| account.is_suppressed(Api::Resend, "", address));
    let tag = |name: &str| {
        email
            .tags
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    };
    Arrival {
        id,
        api: Api::Resend,
        delivery: tag("delivery"),
        attempt: None,
        idempotency_key: key.map(Arc::clone),
        email_type: tag("type"),
        stream: None,
        fate: if suppressed {
            Fate::Suppressed
        } else {
            email.test_fate()
        },
        to: email.recipients.join(", "),
        from: email.from,
        subject: email.subject,
        source,
    }
}

fn success(endpoint: &str, ids: impl Iterator<Item = Uuid>, errors: Option<Vec<Value>>) -> Reply {
    let mut ids: Vec<Value> = ids.map(|id| json!({ "id": id })).collect();
    let body = match errors {
        _ if endpoint == SINGLE => ids.pop().unwrap_or_default(),
        None => json!({ "data": ids }),
        Some(errors) => json!({"data": ids, "errors": errors}),
    };
    Reply::json(StatusCode::OK, &body)
}

fn finished(reply: &Reply) -> Finished {
    Finished {
        status: reply.status,
        body: reply.body.clone(),
    }
}
