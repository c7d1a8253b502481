//! `/webhooks/resend` and `/webhooks/postmark`: is it genuine, can it be read, is it stored; then 200.
//!
//! | answer | when | what the provider does |
//! |---|---|---|
//! | 200 | stored, known already, or of no concern to us | forgets it |
//! | 400 | genuine but not what the provider sends | Resend tries again for a day, Postmark drops it |
//! | 401 | not genuine | the same |
//! | 413 | larger than any event | the same |
//! | 503 | not stored: no secret is set, or the database does not take it | both try again |

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::Utc;
use pgconnect::pool::DbError;

use super::report::Malformed;
use super::signature::{self, Forged};
use super::state::HttpState;
use super::{postmark_report, resend_report};
use crate::config::WebhookSecret;
use crate::db::events::{self, Event};

/// Why a report was not taken.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("EMAIL_WEBHOOK_SECRET is not set for this provider")]
    NotConfigured,
    #[error("{0}")]
    Unreadable(BytesRejection),
    #[error("{0}")]
    Forged(#[from] Forged),
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("{0}")]
    NotStored(#[from] DbError),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotConfigured | Self::NotStored(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreadable(rejection) => rejection.status(),
            Self::Forged(_) => StatusCode::UNAUTHORIZED,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// For the metrics, and all that the caller is told.
    fn word(&self) -> &'static str {
        match self {
            Self::NotConfigured => "not configured",
            Self::Unreadable(_) => "unreadable",
            Self::Forged(_) => "forged",
            Self::Malformed(_) => "malformed",
            Self::NotStored(_) => "not stored",
        }
    }
}

type Body = Result<Bytes, BytesRejection>;

/// `POST /webhooks/resend`
pub(super) async fn resend(
    State(state): State<HttpState>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let report = || {
        let Some(key) = state
            .backend
            .webhook
            .as_ref()
            .and_then(WebhookSecret::signing_key)
        else {
            return Err(Refusal::NotConfigured);
        };
        let body = body.map_err(Refusal::Unreadable)?;
        let id = signature::svix(&key, &headers, &body, Utc::now().timestamp())?;
        Ok(resend_report::read(&body, id)?)
    };
    answer(&state, "resend", report()).await
}

/// `POST /webhooks/postmark`
pub(super) async fn postmark(
    State(state): State<HttpState>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let report = || {
        let Some(WebhookSecret::Postmark { user, password }) = &state.backend.webhook else {
            return Err(Refusal::NotConfigured);
        };
        let body = body.map_err(Refusal::Unreadable)?;
        signature::basic(user, password, &headers)?;
        let trace = headers
            .get("x-pm-webhook-trace-id")
            .and_then(|value| value.to_str().ok());
        Ok(postmark_report::read(&body, trace, &state.backend.streams)?)
    };
    answer(&state, "postmark", report()).await
}

async fn answer(
    state: &HttpState,
    provider: &'static str,
    report: Result<Option<Event>, Refusal>,
) -> Response {
    let stored = match report {
        Ok(Some(event)) => store(state, &event).await,
        Ok(None) => Ok("of no concern".to_owned()),
        Err(refusal) => Err(refusal),
    };
    match stored {
        Ok(outcome) => {
            state.vitals.webhook(provider, &outcome);
            (StatusCode::OK, "ok\n").into_response()
        }
        Err(refusal) => {
            tracing::warn!(provider, reason = %refusal, "a webhook was not taken");
            state.vitals.webhook(provider, refusal.word());
            let mut response = (refusal.status(), format!("{}\n", refusal.word())).into_response();
            let (name, value) = match refusal.status() {
                StatusCode::UNAUTHORIZED => (header::WWW_AUTHENTICATE, "Basic realm=\"webhooks\""),
                StatusCode::SERVICE_UNAVAILABLE => (header::RETRY_AFTER, "30"),
                _ => return response,
            };
            response
                .headers_mut()
                .insert(name, header::HeaderValue::from_static(value));
            response
        }
    }
}

async fn store(state: &HttpState, event: &Event) -> Result<String, Refusal> {
    let outcome = events::record(state.pool(), event).await?;
    tracing::info!(
        provider = event.provider,
        event = event.kind.or(event.address_state),
        delivery = event.delivery.map(tracing::field::display),
        outcome,
        "a webhook was taken"
    );
    Ok(outcome)
}
