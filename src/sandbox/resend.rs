//! The Resend side: the order of checks, keys, limits, and reading back (providers.md §2 and §9).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use super::exchange::{Call, Reply};
use super::idempotency::{Fingerprint, Finished, Found, Progress};
use super::ledger::{Api, Arrival, Entry, Fate};
use super::resend_email::{Email, Refusal};
use super::settings::Settings;
use super::state::{Account, Logged, Shared};

const SINGLE: &str = "/emails";
const BATCH: &str = "/emails/batch";
const MAX_BATCH: usize = 100;

/// How a fault changes what the server itself does.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Twist {
    /// Create half of the batch, then fail.
    pub(super) half: bool,
    /// The key counts as running for so long.
    pub(super) hold_key: Option<Duration>,
}

/// Answers a request to Resend.
pub(super) fn handle(shared: &Shared, call: &Call, twist: Twist) -> Reply {
    let settings = shared.settings();
    let now = settings.now();
    if call.header("user-agent").is_none_or(str::is_empty) {
        // The edge answers this one, not the API.
        let mut reply = Reply::html(StatusCode::FORBIDDEN);
        reply.content_type = "text/plain; charset=UTF-8";
        reply.body = Bytes::from_static(b"error code: 1010");
        return reply;
    }
    if let Err(refusal) = check_key(&settings, call) {
        return refusal.reply();
    }
    let (reply, limits) = {
        let mut account = shared.account();
        match rate(&mut account, &settings, now) {
            Ok(limits) => (None, limits),
            Err(reply) => (Some(reply), Vec::new()),
        }
    };
    let mut reply = match reply {
        Some(refused) => return refused,
        None => route(shared, &settings, call, twist, now),
    };
    for (name, value) in limits {
        reply = reply.with_header(name, &value);
    }
    let total = shared.account().quota.total;
    reply.with_header("x-resend-monthly-quota", &total.to_string())
}

fn check_key(settings: &Settings, call: &Call) -> Result<(), Refusal> {
    let key = call
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    if key.is_empty() {
        return Err(Refusal::new(
            401,
            "missing_api_key",
            "Missing API key in the authorization header",
        ));
    }
    if !settings.knows_key(key) {
        return Err(Refusal::new(
            settings.bad_key_status,
            "validation_error",
            "API key is invalid",
        ));
    }
    if call.method == Method::GET && settings.sending_only_keys.iter().any(|known| known == key) {
        let message = "This API key is restricted to only send emails";
        return Err(Refusal::new(401, "restricted_api_key", message));
    }
    Ok(())
}

/// The rate headers of an answer, or the refusal.
fn rate(
    account: &mut Account,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<Vec<(&'static str, String)>, Reply> {
    let Some(limit) = settings.resend_rate_per_second else {
        return Ok(Vec::new());
    };
    let left = account.resend_window.take(limit, now);
    let headers = vec![
        ("ratelimit-limit", limit.to_string()),
        ("ratelimit-remaining", left.unwrap_or(0).to_string()),
        ("ratelimit-reset", "1".to_owned()),
        ("ratelimit-policy", format!("{limit};w=1")),
    ];
    if left.is_some() {
        return Ok(headers);
    }
    let message = format!("Too many requests. You can only make {limit} requests per second.");
    let mut reply = Refusal::new(429, "rate_limit_exceeded", &message)
        .reply()
        .with_header("retry-after", "1");
    for (name, value) in headers {
        reply = reply.with_header(name, &value);
    }
    Err(reply)
}

fn route(
    shared: &Shared,
    settings: &Settings,
    call: &Call,
    twist: Twist,
    now: DateTime<Utc>,
) -> Reply {
    let path = call.path.trim_end_matches('/');
    match (call.method.as_str(), path) {
        ("POST", SINGLE) => send(shared, settings, call, SINGLE, twist, now),
        ("POST", BATCH) => send(shared, settings, call, BATCH, twist, now),
        ("GET", SINGLE) => list_emails(shared, call),
        ("GET", "/logs") => list_logs(shared, call),
        ("GET", path) if path.starts_with("/emails/") && path != BATCH => {
            let entry = path
                .rsplit('/')
                .next()
                .and_then(|id| Uuid::parse_str(id).ok());
            entry
                .and_then(|id| get_email(shared, id))
                .unwrap_or_else(not_found)
        }
        ("GET", path) if path.starts_with("/logs/") => {
            let id = path
                .rsplit('/')
                .next()
                .and_then(|id| Uuid::parse_str(id).ok());
            id.and_then(|id| get_log(shared, id))
                .unwrap_or_else(not_found)
        }
        (_, SINGLE | BATCH | "/logs") => Refusal::new(
            405,
            "method_not_allowed",
            "This endpoint does not support the used HTTP method",
        )
        .reply(),
        _ => not_found(),
    }
}

fn not_found() -> Reply {
    Refusal::new(404, "not_found", "The requested endpoint does not exist").reply()
}

fn send(
    shared: &Shared,
    settings: &Settings,
    call: &Call,
    endpoint: &'static str,
    twist: Twist,
    now: DateTime<Utc>,
) -> Reply {
    let key: Option<Arc<str>> = match call
        .headers
        .get("idempotency-key")
        .map(|value| value.to_str())
    {
        None => None,
        Some(Ok(key)) if (1..=256).contains(&key.chars().count()) => Some(key.into()),
        Some(_) => {
            let message = "The key must be between 1-256 chars";
            return Refusal::new(400, "invalid_idempotency_key", message).reply();
        }
    };
    let permissive = call
        .header("x-batch-validation")
        .is_some_and(|mode| mode.eq_ignore_ascii_case("permissive"));
    let items = match items(call, endpoint) {
        Ok(items) => items,
        Err(refusal) => return refusal.reply(),
    };
    let fingerprint = Fingerprint::of(&call.body, settings.idempotency_compare);
    let checked: Vec<Result<Email, Refusal>> = items
        .iter()
        .map(|raw| Email::check(raw, settings, endpoint == BATCH))
        .collect();
    let size_refusal = (endpoint == BATCH && !(1..=MAX_BATCH).contains(&items.len())).then(|| {
        Refusal::new(
            422,
            "validation_error",
            "The batch must hold between 1 and 100 emails",
        )
    });
    let fresh_ids: Vec<Uuid> = items.iter().map(|_| Uuid::new_v4()).collect();

    let mut account = shared.account();
    let (ids, already) = match key
        .as_ref()
        .map(|key| account.keys.find(endpoint, key, fingerprint, now))
    {
        None | Some(Found::Nothing) => (fresh_ids, 0),
        Some(Found::Half { ids, created }) => (ids, created),
        Some(Found::Replay(Finished { status, body })) => {
            let mut reply = Reply::json(status, &Value::Null);
            reply.body = body;
            return reply;
        }
        Some(Found::Running) => {
            let message = "The request is still being processed under the same idempotency key";
            return Refusal::new(409, "concurrent_idempotent_requests", message).reply();
        }
        Some(Found::OtherBody) => {
            let message = "This idempotency key has been used on a request with a different body";
            return Refusal::new(409, "invalid_idempotent_request", message).reply();
        }
    };
    let judged = judge(
        &mut account,
        settings,
        checked,
        size_refusal,
        permissive,
        now,
    );
    let (reply, progress) = match judged {
        Err(refusal) => {
            let reply = refusal.reply();
            let progress = settings
                .failures_consume_key
                .then(|| Progress::Done(finished(&reply)));
            (reply, progress)
        }
        Ok((emails, errors)) => {
            let created: Vec<(Uuid, Email, Bytes)> = ids
                .iter()
                .zip(emails)
                .zip(&items)
                .filter_map(|((id, email), raw)| email.map(|email| (*id, email, call.slice(raw))))
                .collect();
            let reply = success(
                endpoint,
                created.iter().map(|(id, ..)| *id),
                &errors,
                permissive,
            );
            let until = if twist.half && endpoint == BATCH {
                created.len() / 2
            } else {
                created.len()
            };
            let arrivals: Vec<Arrival> = created
                .into_iter()
                .take(until)
                .skip(already)
                .map(|(id, email, source)| arrival(&account, id, email, source, key.as_ref()))
                .collect();
            account.quota.today += arrivals.len() as u64;
            account.quota.total += arrivals.len() as u64;
            shared.enter(&mut account, arrivals, now);
            if until < ids.len() && twist.half {
                let message = "Something went wrong in the middle of it";
                let progress = Progress::Half {
                    ids,
                    created: until,
                };
                (
                    Refusal::new(500, "internal_server_error", message).reply(),
                    Some(progress),
                )
            } else {
                let then = finished(&reply);
                let progress = match twist
                    .hold_key
                    .and_then(|hold| TimeDelta::from_std(hold).ok())
                {
                    Some(hold) => Progress::Running {
                        until: now + hold,
                        then,
                    },
                    None => Progress::Done(then),
                };
                (reply, Some(progress))
            }
        }
    };
    if let (Some(key), Some(progress)) = (&key, progress) {
        account
            .keys
            .remember(endpoint, key, fingerprint, now, progress);
    }
    reply
}

/// The objects of the body.
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

type Judged = (Vec<Option<Email>>, Vec<(usize, String)>);

/// Strict: all or the first error. Permissive: the good ones and the errors of the others. Then the quota.
fn judge(
    account: &mut Account,
    settings: &Settings,
    checked: Vec<Result<Email, Refusal>>,
    size_refusal: Option<Refusal>,
    permissive: bool,
    now: DateTime<Utc>,
) -> Result<Judged, Refusal> {
    if let Some(refusal) = size_refusal {
        return Err(refusal);
    }
    let mut emails = Vec::with_capacity(checked.len());
    let mut errors = Vec::new();
    for (index, result) in checked.into_iter().enumerate() {
        match result {
            Ok(email) => emails.push(Some(email)),
            Err(refusal) if permissive && refusal.is_about_the_message() => {
                errors.push((index, refusal.message));
                emails.push(None);
            }
            Err(refusal) => return Err(refusal),
        }
    }
    let wanted = emails.iter().flatten().count() as u64;
    account.quota.roll(now);
    if settings
        .daily_quota
        .is_some_and(|limit| account.quota.today + wanted > limit)
    {
        return Err(Refusal::new(
            429,
            "daily_quota_exceeded",
            "You have reached your daily email sending quota",
        ));
    }
    if settings
        .monthly_quota
        .is_some_and(|limit| account.quota.total + wanted > limit)
    {
        return Err(Refusal::new(
            429,
            "monthly_quota_exceeded",
            "You have reached your monthly email sending quota",
        ));
    }
    Ok((emails, errors))
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

fn success(
    endpoint: &str,
    ids: impl Iterator<Item = Uuid>,
    errors: &[(usize, String)],
    permissive: bool,
) -> Reply {
    let mut ids: Vec<Value> = ids.map(|id| json!({ "id": id })).collect();
    if endpoint == SINGLE {
        return Reply::json(StatusCode::OK, &ids.pop().unwrap_or_default());
    }
    if permissive {
        let errors: Vec<Value> = errors
            .iter()
            .map(|(index, message)| json!({"index": index, "message": message}))
            .collect();
        return Reply::json(StatusCode::OK, &json!({"data": ids, "errors": errors}));
    }
    Reply::json(StatusCode::OK, &json!({ "data": ids }))
}

fn finished(reply: &Reply) -> Finished {
    Finished {
        status: reply.status,
        body: reply.body.clone(),
    }
}

/// REST times are written with a space and `+00` (providers.md §2.7).
fn timestamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string()
}

/// Both lists: newest first, `limit` 1 to 100 (20), `after` an id.
fn page<'a, T: 'a>(
    call: &Call,
    newest_first: impl Iterator<Item = &'a T>,
    id: impl Fn(&T) -> Uuid,
) -> Result<(Vec<&'a T>, bool), Refusal> {
    let limit = match call.parameter("limit").map(str::parse::<usize>) {
        None => 20,
        Some(Ok(limit)) if (1..=100).contains(&limit) => limit,
        Some(_) => {
            return Err(Refusal::new(
                422,
                "validation_error",
                "The `limit` must be between 1 and 100",
            ));
        }
    };
    let after = match call.parameter("after").map(Uuid::parse_str) {
        None => None,
        Some(Ok(after)) => Some(after),
        Some(Err(_)) => {
            return Err(Refusal::new(
                422,
                "validation_error",
                "The `after` must be an id",
            ));
        }
    };
    let mut rest: Box<dyn Iterator<Item = &T> + '_> = match after {
        None => Box::new(newest_first),
        Some(after) => Box::new(newest_first.skip_while(move |row| id(row) != after).skip(1)),
    };
    let rows: Vec<&T> = rest.by_ref().take(limit).collect();
    Ok((rows, rest.next().is_some()))
}

fn list_emails(shared: &Shared, call: &Call) -> Reply {
    let account = shared.account();
    let newest_first = account
        .ledger
        .entries()
        .iter()
        .rev()
        .filter(|entry| entry.api == Api::Resend);
    match page(call, newest_first, |entry: &Entry| entry.id) {
        Err(refusal) => refusal.reply(),
        Ok((rows, has_more)) => {
            let data: Vec<Value> = rows.into_iter().map(summary).collect();
            Reply::json(
                StatusCode::OK,
                &json!({"object": "list", "has_more": has_more, "data": data}),
            )
        }
    }
}

fn summary(entry: &Entry) -> Value {
    let to: Vec<&str> = entry.to.split(", ").collect();
    json!({"id": entry.id, "message_id": message_id(entry), "to": to, "from": entry.from, "subject": entry.subject,
        "created_at": timestamp(entry.at), "bcc": [], "cc": [], "reply_to": [], "last_event": entry.fate.name(),
        "scheduled_at": null})
}

fn message_id(entry: &Entry) -> String {
    format!("<{}@eu-west-1.sandbox.example>", entry.id.simple())
}

fn get_email(shared: &Shared, id: Uuid) -> Option<Reply> {
    let account = shared.account();
    let entry = account
        .ledger
        .by_id(id)
        .filter(|entry| entry.api == Api::Resend)?;
    let mut email = summary(entry);
    let source: Value = account
        .ledger
        .source(entry.seq)
        .and_then(|source| serde_json::from_slice(source).ok())
        .unwrap_or_default();
    email["object"] = "email".into();
    for field in ["html", "text", "tags"] {
        email[field] = source[field].clone();
    }
    Some(Reply::json(StatusCode::OK, &email))
}

fn list_logs(shared: &Shared, call: &Call) -> Reply {
    let account = shared.account();
    let newest_first = account
        .log
        .rows()
        .rev()
        .filter(|row| row.api == Api::Resend);
    match page(call, newest_first, |row: &Logged| row.id) {
        Err(refusal) => refusal.reply(),
        Ok((rows, has_more)) => {
            let data: Vec<Value> = rows.into_iter().map(log_summary).collect();
            Reply::json(
                StatusCode::OK,
                &json!({"object": "list", "has_more": has_more, "data": data}),
            )
        }
    }
}

fn log_summary(row: &Logged) -> Value {
    let agent = row
        .headers
        .iter()
        .find(|(name, _)| name == "user-agent")
        .map(|(_, value)| value);
    json!({"id": row.id, "created_at": timestamp(row.at), "endpoint": row.path, "method": row.method,
        "response_status": row.status, "user_agent": agent})
}

fn get_log(shared: &Shared, id: Uuid) -> Option<Reply> {
    let account = shared.account();
    let row = account
        .log
        .rows()
        .find(|row| row.api == Api::Resend && row.id == id)?;
    let json = |bytes: &Bytes| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    let mut log = log_summary(row);
    log["object"] = "log".into();
    log["request_body"] = row.request.as_ref().map(json).unwrap_or_default();
    log["response_body"] = json(&row.response);
    Some(Reply::json(StatusCode::OK, &log))
}
