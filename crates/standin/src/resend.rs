//! The Resend side: who may ask, how often, and for what (docs/providers.md#resend).

use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::exchange::{Call, Reply};
use super::resend_email::Refusal;
use super::resend_read::{get_email, get_log, list_emails, list_logs};
use super::resend_send::{BATCH, SINGLE, Twist, send};
use super::settings::Settings;
use super::state::{Account, Shared};

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
