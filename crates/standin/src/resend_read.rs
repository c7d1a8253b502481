//! What Resend lets a client read back: letters and the request log (docs/providers.md#resend-reading).

use axum::body::Bytes;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::exchange::{Call, Reply};
use super::ledger::{Api, Entry};
use super::resend_email::Refusal;
use super::state::{Logged, Shared};

/// REST times are written with a space and `+00` (docs/providers.md#resend-reading).
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

/// `GET /emails`
pub(super) fn list_emails(shared: &Shared, call: &Call) -> Reply {
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

/// `GET /emails/{id}`
pub(super) fn get_email(shared: &Shared, id: Uuid) -> Option<Reply> {
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

/// `GET /logs`
pub(super) fn list_logs(shared: &Shared, call: &Call) -> Reply {
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

/// `GET /logs/{id}`
pub(super) fn get_log(shared: &Shared, id: Uuid) -> Option<Reply> {
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
