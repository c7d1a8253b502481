//! Postgres as the sidecar uses it: LISTEN, and the few statements it runs (`sql/`, one per file).
//!
//! How a connection is made, and the pool of them, is the crate `pgconnect`.

pub mod answers;
pub mod events;
pub mod feedback;
pub mod intent;
pub mod listen;
pub mod metrics;
pub mod outbox;
pub mod settlement;
pub mod version;
pub mod workers;
