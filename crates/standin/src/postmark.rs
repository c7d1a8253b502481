//! The Postmark side: sending (docs/providers.md#postmark). Reading back is in [`super::postmark_search`].

use axum::body::Bytes;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use super::exchange::{Call, Reply};
use super::ledger::{Api, Arrival, Fate};
use super::postmark_email::{Email, Refusal, timestamp};
use super::postmark_search;
use super::settings::{Settings, UnknownStream};
use super::state::{Account, Shared, Suppression};

const SINGLE: &str = "/email";
const BATCH: &str = "/email/batch";
const MAX_BATCH: usize = 500;
const MAX_SINGLE_BYTES: usize = 10 << 20;
const MAX_BATCH_BYTES: usize = 50 << 20;

/// Validates like a real token and delivers nothing.
const TEST_TOKEN: &str = "POSTMARK_API_TEST";

/// How a fault changes what the server itself does.
#[derive(Debug, Clone, Default)]
pub(super) struct Twist {
    /// Accept half of the batch, then fail.
    pub(super) half: bool,
    /// Answer without `ErrorCode`.
    pub(super) may_be_delayed: bool,
    /// Refuse the message at this place with this code and text.
    pub(super) item_error: Option<(usize, i64, String)>,
}

pub(super) fn handle(shared: &Shared, call: &Call, twist: &Twist) -> Reply {
    let settings = shared.settings();
    let now = settings.now();
    let token = call.header("x-postmark-server-token").unwrap_or_default();
    if token.is_empty() {
        let message = "No Account or Server API tokens were supplied in the HTTP headers.";
        return Refusal::new(10, message).reply_with(StatusCode::UNAUTHORIZED);
    }
    if token != TEST_TOKEN && !settings.knows_key(token) {
        let message = "The Server Token you provided in the X-Postmark-Server-Token request header was invalid.";
        return Refusal::new(10, message).reply_with(StatusCode::UNAUTHORIZED);
    }
    let is_json = |name: &str| {
        call.header(name)
            .is_some_and(|value| value.contains("application/json"))
    };
    if !is_json("accept") || (call.method == "POST" && !is_json("content-type")) {
        let message = "The JSON headers Accept and Content-Type are required.";
        return Refusal::new(409, message).reply_with(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    if let Some(limit) = settings.postmark_rate_per_second
        && shared.account().postmark_window.take(limit, now).is_none()
    {
        // No number, no Retry-After: that is how Postmark says it.
        return Refusal::new(429, "Too many requests").reply_with(StatusCode::TOO_MANY_REQUESTS);
    }
    let path = call.path.trim_end_matches('/');
    match (call.method.as_str(), path) {
        ("POST", SINGLE) => send(
            shared,
            &settings,
            call,
            SINGLE,
            twist,
            now,
            token == TEST_TOKEN,
        ),
        ("POST", BATCH) => send(
            shared,
            &settings,
            call,
            BATCH,
            twist,
            now,
            token == TEST_TOKEN,
        ),
        ("GET", "/messages/outbound") => postmark_search::search(shared, &settings, call, now),
        ("GET", path) => match path
            .strip_prefix("/messages/outbound/")
            .and_then(|rest| rest.strip_suffix("/details"))
        {
            Some(id) => postmark_search::details(shared, &settings, id, now),
            None => Refusal::new(404, "Not found").reply_with(StatusCode::NOT_FOUND),
        },
        _ => Refusal::new(404, "Not found").reply_with(StatusCode::NOT_FOUND),
    }
}

fn send(
    shared: &Shared,
    settings: &Settings,
    call: &Call,
    endpoint: &str,
    twist: &Twist,
    now: DateTime<Utc>,
    is_test: bool,
) -> Reply {
    let is_batch = endpoint == BATCH;
    if call.body.len()
        > if is_batch {
            MAX_BATCH_BYTES
        } else {
            MAX_SINGLE_BYTES
        }
    {
        return Reply::html(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let parsed = if is_batch {
        serde_json::from_slice::<Vec<&RawValue>>(&call.body)
    } else {
        serde_json::from_slice(&call.body).map(|item| vec![item])
    };
    let Ok(items) = parsed else {
        return Refusal::new(402, "The JSON you provided was not valid.").reply();
    };
    if is_batch && items.len() > MAX_BATCH {
        return Refusal::new(410, "Too many batch messages: at most 500 in one call.").reply();
    }
    let mut checked = Vec::with_capacity(items.len());
    for (index, raw) in items.iter().enumerate() {
        let mut email = Email::check(raw, settings);
        if let Some((place, code, message)) = &twist.item_error
            && *place == index
        {
            email = Err(Refusal::new(*code, message));
        }
        match email {
            // A field that does not exist is a fault of the request, not of one message.
            Err(refusal) if refusal.code == 403 => return refusal.reply(),
            Err(refusal)
                if refusal.code == 1235 && settings.unknown_stream == UnknownStream::Whole =>
            {
                return refusal.reply();
            }
            email => checked.push(email.map(|email| (Uuid::new_v4(), email, call.slice(raw)))),
        }
    }
    let half = twist.half.then_some(items.len() / 2);
    let delayed = twist.may_be_delayed || settings.may_be_delayed;

    let mut account = shared.account();
    let mut results = Vec::with_capacity(checked.len());
    let mut arrivals = Vec::new();
    for (index, email) in checked.into_iter().enumerate() {
        if half.is_some_and(|half| index >= half) {
            break;
        }
        let accepted = email.and_then(|accepted| refuse_inactive(&account, accepted));
        match accepted {
            Err(refusal) => results.push(Err(refusal)),
            Ok((id, email, source)) => {
                results.push(Ok(result(id, &email, now, delayed, is_test)));
                if !is_test {
                    arrivals.push(arrival(&mut account, id, email, source));
                }
            }
        }
    }
    shared.enter(&mut account, arrivals, now);
    drop(account);
    if half.is_some() {
        let message = "There was an internal server error. Error id: sandbox.";
        return Refusal::new(101, message).reply_with(StatusCode::INTERNAL_SERVER_ERROR);
    }
    if is_batch {
        let results: Vec<Value> = results
            .into_iter()
            .map(|result| result.unwrap_or_else(|refusal: Refusal| refusal.body()))
            .collect();
        return Reply::json(StatusCode::OK, &results);
    }
    match results.pop() {
        Some(Ok(result)) => Reply::json(StatusCode::OK, &result),
        Some(Err(refusal)) => refusal.reply(),
        None => Refusal::new(402, "The JSON you provided was not valid.").reply(),
    }
}

type Accepted = (Uuid, Email, Bytes);

fn refuse_inactive(account: &Account, accepted: Accepted) -> Result<Accepted, Refusal> {
    let (_, email, _) = &accepted;
    let inactive: Vec<&str> = email
        .recipients
        .iter()
        .map(String::as_str)
        .filter(|address| account.is_suppressed(Api::Postmark, &email.stream, address))
        .collect();
    if inactive.is_empty() {
        return Ok(accepted);
    }
    let message = format!(
        "You tried to send to recipient(s) that have been marked as inactive. Found inactive addresses: {}. \
         Inactive recipients are ones that have generated a hard bounce, a spam complaint, or a manual suppression.",
        inactive.join(", ")
    );
    Err(Refusal::new(406, &message))
}

fn result(id: Uuid, email: &Email, now: DateTime<Utc>, delayed: bool, is_test: bool) -> Value {
    let to = email.recipients.join(", ");
    if delayed {
        let message = "Message accepted, but delivery may be delayed.";
        return json!({"Message": message, "MessageID": id, "SubmittedAt": timestamp(now), "To": to});
    }
    let message = if is_test { "Test job accepted" } else { "OK" };
    json!({"To": to, "SubmittedAt": timestamp(now), "MessageID": id, "ErrorCode": 0, "Message": message})
}

fn arrival(account: &mut Account, id: Uuid, email: Email, source: Bytes) -> Arrival {
    let fate = email.test_fate();
    if fate == Fate::Bounced && email.bounces_hard() {
        // A hard bounce makes the address inactive in that stream.
        account
            .suppressions
            .extend(email.recipients.iter().map(|address| Suppression {
                api: Api::Postmark,
                stream: email.stream.clone(),
                email: address.to_lowercase(),
            }));
    }
    let metadata = |wanted: &str| {
        email
            .metadata
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.clone())
    };
    Arrival {
        id,
        api: Api::Postmark,
        delivery: metadata("delivery"),
        attempt: metadata("attempt"),
        idempotency_key: None,
        email_type: email.tag,
        stream: Some(email.stream),
        from: email.from,
        to: email.recipients.join(", "),
        subject: email.subject,
        fate,
        source,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn times_are_eastern_with_seven_digits() {
        let summer = "2026-09-01T08:15:02.120931Z".parse().unwrap();
        assert_eq!(timestamp(summer), "2026-09-01T04:15:02.1209310-04:00");
        let winter = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(timestamp(winter), "2025-12-31T19:00:00.0000000-05:00");
    }
}
