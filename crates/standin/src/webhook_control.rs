//! Webhooks in the control API, under `/_sandbox/webhooks` (docs/sandbox.md).

use std::sync::Arc;

use axum::Router;
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::control::refuse;
use super::ledger::Api;
use super::state::Shared;
use super::webhook::{Happening, Reader, postmark_samples};
use super::webhook_queue::Report;

type Sandbox = State<Arc<Shared>>;

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(attempts).post(report))
        .route("/replay", post(replay))
        .route("/verify", post(verify))
}

/// The latest attempts, newest first.
async fn attempts(State(shared): Sandbox) -> Json<Value> {
    let mut attempts = shared.outgoing.attempts();
    attempts.reverse();
    attempts.truncate(1000);
    Json(json!(attempts))
}

/// Either something that happens to a message of the ledger, or a body to send as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The provider's id of a message.
    #[serde(default)]
    message: Option<Uuid>,
    /// Our id of it.
    #[serde(default)]
    delivery: Option<String>,
    #[serde(default)]
    event: Option<Happening>,
    #[serde(default)]
    user_agent: Option<String>,
    #[serde(default)]
    link: Option<String>,
    #[serde(default)]
    provider: Option<String>,
    #[serde(default)]
    body: Option<Value>,
}

async fn report(State(shared): Sandbox, body: String) -> Response {
    let wanted: Wanted = match serde_json::from_str(&body) {
        Ok(wanted) => wanted,
        Err(error) => return refuse(&error.to_string()),
    };
    match queue(&shared, wanted) {
        Ok(id) => (StatusCode::ACCEPTED, Json(json!({ "id": id }))).into_response(),
        Err(refusal) => refuse(refusal),
    }
}

fn queue(shared: &Shared, wanted: Wanted) -> Result<String, &'static str> {
    if let Some(body) = wanted.body {
        let api = match wanted.provider.as_deref() {
            Some("resend") => Api::Resend,
            Some("postmark") => Api::Postmark,
            _ => return Err("provider: expected resend or postmark"),
        };
        let report = Report::new(api, wanted.message, &body);
        let id = report.id.clone();
        shared.outgoing.send(vec![report]);
        return Ok(id);
    }
    let happening = wanted.event.ok_or("event or body: expected one of them")?;
    let message = {
        let account = shared.account();
        let by_delivery = |delivery: &String| {
            account
                .ledger
                .by_delivery(delivery)
                .last()
                .map(|entry| entry.id)
        };
        wanted
            .message
            .or_else(|| wanted.delivery.as_ref().and_then(by_delivery))
    };
    let reader = Reader {
        user_agent: wanted.user_agent,
        link: wanted.link,
    };
    let message = message.ok_or("message or delivery: not in the ledger")?;
    shared
        .report(message, happening, &reader)
        .ok_or("the message is not in the ledger, or its provider has no such event")
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    id: String,
}

/// Any event again, under its id, as both providers let people do.
async fn replay(State(shared): Sandbox, body: String) -> Response {
    match serde_json::from_str::<Again>(&body) {
        Ok(again) if shared.outgoing.replay(&again.id) => StatusCode::ACCEPTED.into_response(),
        Ok(_) => refuse("id: not an event that is kept"),
        Err(error) => refuse(&error.to_string()),
    }
}

/// Postmark's calls when a webhook is saved.
async fn verify(State(shared): Sandbox) -> StatusCode {
    let reports = postmark_samples()
        .iter()
        .map(|body| Report::new(Api::Postmark, None, body))
        .collect();
    shared.outgoing.send(reports);
    StatusCode::ACCEPTED
}
