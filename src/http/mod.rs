//! The sidecar's HTTP server: health and metrics now, later the links that letters carry and the providers' webhooks.
//!
//! It faces the world (`PUBLIC_URL`), so a stranger may hold connections open, send slowly or send much. Each connection
//! has a limited time to say what it wants, each request a limited time and size, and there is a limit on connections;
//! sending uses none of what is limited here.

mod health;
mod server;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::worker::vitals::Vitals;
pub use server::{HttpError, Limits, Server};

/// What the handlers read.
#[derive(Debug, Clone)]
pub struct HttpState {
    /// Written by the worker.
    pub vitals: Arc<Vitals>,
}

/// Every route.
pub fn router(state: HttpState) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .with_state(state)
}
