//! Connecting to Postgres as libpq does, and a pool of such connections; nothing here knows what they are used for.
//!
//! Every statement is sent unnamed (parse, bind and execute in one round trip), so that a pooler in transaction mode may
//! stand between, and every one has a client-side limit, so that a half-open connection is noticed.
//!
//! ```text
//!   pool             unnamed statements within a time limit
//!    └─ connect      host by host, address by address, each within its time limit
//!        ├─ connect_error   which server failed, why, and what to do about it
//!        ├─ progress        how far the TLS handshake of an attempt came
//!        └─ url             DATABASE_URL: what libpq understands
//!            ├─ url_text    its parts, and what is wrong with them
//!            └─ tls         sslmode and certificates
//!                └─ verify  what libpq accepts as a certificate
//! ```

pub mod connect;
mod connect_error;
pub mod pool;
mod progress;
mod tls;
pub mod url;
mod url_text;
mod verify;
