//! The sidecar's HTTP server: health and metrics, the pages that letters link to, and the
//! providers' webhooks.
//!
//! It faces the world (`PUBLIC_URL`), so a stranger may hold connections open, send slowly or send much. Each connection
//! has a limited time to say what it wants, each request a limited time and size, and there is a limit on connections;
//! sending uses none of what is limited here.

mod answer;
mod health;
mod nps;
mod pages;
mod postmark_report;
mod preferences;
mod report;
mod request;
mod resend_report;
mod server;
mod signature;
mod state;
mod unsubscribe;
mod webhooks;

use axum::Router;
use axum::routing::{get, post};

pub use server::{HttpError, Limits, Server};
pub use state::{Backend, HttpState};

/// Every route.
pub fn router(state: HttpState) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route(
            "/unsubscribe/{token}",
            get(unsubscribe::ask).post(unsubscribe::leave),
        )
        .route(
            "/preferences/{token}",
            get(preferences::show).post(preferences::save),
        )
        .route("/nps/{token}", get(nps::ask).post(nps::answer))
        .route("/answer/{token}", get(answer::ask).post(answer::answer))
        .route("/webhooks/resend", post(webhooks::resend))
        .route("/webhooks/postmark", post(webhooks::postmark))
        .with_state(state)
}
