//! `/healthz`, `/readyz` and `/metrics`.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;

use super::state::HttpState;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    /// Ready, but told not to send.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    paused: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

/// The process answers. A restart helps nothing that happens outside it, so nothing else is looked at.
pub(super) async fn alive() -> impl IntoResponse {
    no_store(
        StatusCode::OK,
        Health {
            status: "ok",
            paused: false,
            reasons: Vec::new(),
        },
    )
}

/// The database answers, notifications arrive, and this is the database to send from.
pub(super) async fn ready(State(state): State<HttpState>) -> impl IntoResponse {
    let reasons: Vec<String> = state
        .vitals
        .not_ready()
        .iter()
        .map(ToString::to_string)
        .collect();
    let paused = state.vitals.is_paused();
    if reasons.is_empty() {
        no_store(
            StatusCode::OK,
            Health {
                status: "ready",
                paused,
                reasons,
            },
        )
    } else {
        no_store(
            StatusCode::SERVICE_UNAVAILABLE,
            Health {
                status: "not ready",
                paused,
                reasons,
            },
        )
    }
}

pub(super) async fn metrics(State(state): State<HttpState>) -> impl IntoResponse {
    let format = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, format)], state.vitals.metrics())
}

fn no_store(status: StatusCode, health: Health) -> impl IntoResponse {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(health))
}
