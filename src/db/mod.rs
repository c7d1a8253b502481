//! Postgres as the sidecar sees it: connections, LISTEN, and the few statements it runs.
//!
//! Every statement is sent unnamed (parse, bind and execute in one round trip), so that a pooler in transaction mode may
//! stand between, and every one has a client-side limit, so that a half-open connection is noticed.

pub mod connect;
mod connect_error;
pub mod events;
pub mod feedback;
pub mod figures;
pub mod intent;
pub mod listen;
pub mod outbox;
pub mod pool;
pub mod tls;
pub mod url;
mod url_text;
mod verify;
pub mod version;
