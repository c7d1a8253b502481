//! The control API under `/_sandbox`, for tests in other processes and for a person with `curl` (docs/sandbox.md).

use std::sync::Arc;

use axum::Router;
use axum::extract::{Json, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::FaultRule;
use super::ledger::{Api, Entry};
use super::state::{Shared, Suppression};

type Sandbox = State<Arc<Shared>>;

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/ledger", get(ledger))
        .route("/ledger/count", get(count))
        .route("/ledger/duplicates", get(duplicates))
        .route("/requests", get(requests))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(clear_fault))
        .route("/settings", get(settings).patch(change_settings))
        .route(
            "/suppressions",
            get(suppressions).post(suppress).delete(unsuppress),
        )
        .route("/reset", post(reset))
}

/// Which entries are meant; what is absent matches all.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    delivery: Option<String>,
    attempt: Option<String>,
    provider: Option<String>,
    #[serde(rename = "type")]
    email_type: Option<String>,
    to: Option<String>,
    /// Entries from this place on.
    from: usize,
    /// At most so many; 1,000 unless told.
    limit: Option<usize>,
}

impl Wanted {
    fn matches(&self, entry: &Entry) -> bool {
        let is = |wanted: &Option<String>, actual: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == actual
        };
        is(&self.delivery, entry.delivery.as_deref())
            && is(&self.attempt, entry.attempt.as_deref())
            && is(&self.provider, Some(entry.api.name()))
            && is(&self.email_type, entry.email_type.as_deref())
            && is(&self.to, Some(&entry.to))
    }
}

async fn ledger(State(shared): Sandbox, Query(wanted): Query<Wanted>) -> Json<Value> {
    let account = shared.account();
    let limit = wanted.limit.unwrap_or(1000);
    let all: Vec<&Entry> = match &wanted.delivery {
        Some(delivery) => account.ledger.by_delivery(delivery),
        None => account.ledger.entries().iter().skip(wanted.from).collect(),
    };
    let entries: Vec<Entry> = all
        .into_iter()
        .filter(|entry| wanted.matches(entry))
        .take(limit)
        .cloned()
        .collect();
    let total = account.ledger.entries().len();
    drop(account);
    Json(json!({"total": total, "entries": entries}))
}

async fn count(State(shared): Sandbox) -> Json<Value> {
    let account = shared.account();
    let (messages, deliveries) = (
        account.ledger.entries().len(),
        account.ledger.distinct_deliveries(),
    );
    Json(
        json!({"messages": messages, "deliveries": deliveries, "idempotency_keys": account.keys.len()}),
    )
}

async fn duplicates(State(shared): Sandbox) -> Json<Value> {
    let duplicates = shared.account().ledger.duplicates();
    let list: Vec<Value> = duplicates
        .into_iter()
        .map(|(delivery, count)| json!({"delivery": delivery, "count": count}))
        .collect();
    Json(json!(list))
}

/// The latest requests, newest first, without bodies.
async fn requests(State(shared): Sandbox) -> Json<Value> {
    let account = shared.account();
    let rows: Vec<_> = account.log.rows().rev().take(1000).collect();
    Json(json!(rows))
}

async fn faults(State(shared): Sandbox) -> Json<Value> {
    Json(json!(shared.faults().list()))
}

async fn add_fault(State(shared): Sandbox, body: String) -> Response {
    match serde_json::from_str::<FaultRule>(&body) {
        Ok(rule) => (
            StatusCode::CREATED,
            Json(json!({"id": shared.faults().add(rule)})),
        )
            .into_response(),
        Err(error) => unusable(&error),
    }
}

async fn clear_faults(State(shared): Sandbox) -> Json<Value> {
    Json(json!({"cleared": shared.faults().clear(None)}))
}

async fn clear_fault(State(shared): Sandbox, Path(id): Path<u64>) -> Json<Value> {
    Json(json!({"cleared": shared.faults().clear(Some(id))}))
}

async fn settings(State(shared): Sandbox) -> Json<Value> {
    Json(json!(*shared.settings()))
}

async fn change_settings(State(shared): Sandbox, body: String) -> Response {
    let patched = serde_json::from_str(&body).and_then(|patch| shared.settings().patched(&patch));
    match patched {
        Ok(patched) => {
            shared.change_settings(|settings| *settings = patched.clone());
            Json(json!(patched)).into_response()
        }
        Err(error) => unusable(&error),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ToSuppress {
    provider: String,
    email: String,
    /// Postmark only.
    #[serde(default)]
    stream: Option<String>,
}

impl ToSuppress {
    fn read(body: &str) -> Result<Suppression, String> {
        let wanted: Self = serde_json::from_str(body).map_err(|error| error.to_string())?;
        let (api, stream) = match wanted.provider.as_str() {
            "resend" => (Api::Resend, String::new()),
            "postmark" => (
                Api::Postmark,
                wanted.stream.unwrap_or_else(|| "outbound".to_owned()),
            ),
            _ => return Err("provider: expected resend or postmark".to_owned()),
        };
        Ok(Suppression {
            api,
            stream,
            email: wanted.email.to_lowercase(),
        })
    }
}

async fn suppressions(State(shared): Sandbox) -> Json<Value> {
    let account = shared.account();
    let list: Vec<&Suppression> = account.suppressions.iter().collect();
    Json(json!(list))
}

async fn suppress(State(shared): Sandbox, body: String) -> Response {
    match ToSuppress::read(&body) {
        Ok(suppression) => {
            shared.account().suppressions.insert(suppression);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(refusal) => refuse(&refusal),
    }
}

async fn unsuppress(State(shared): Sandbox, body: String) -> Response {
    match ToSuppress::read(&body) {
        Ok(suppression) => {
            shared.account().suppressions.remove(&suppression);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(refusal) => refuse(&refusal),
    }
}

async fn reset(State(shared): Sandbox) -> StatusCode {
    shared.reset();
    StatusCode::NO_CONTENT
}

fn unusable(error: &serde_json::Error) -> Response {
    refuse(&error.to_string())
}

pub(super) fn refuse(error: &str) -> Response {
    (
        StatusCode::UNPROCESSABLE_ENTITY,
        Json(json!({ "error": error })),
    )
        .into_response()
}
