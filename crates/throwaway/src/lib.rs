//! Throw-away Postgres clusters for tests, benches and the demo: start, restart, freeze, standby, and nothing left behind.
//!
//! ```text
//!   cluster     a private server in a temporary directory
//!    ├─ pg_bin  the server programs of this machine
//!    └─ leash   what ends with this process, even when it is killed (also for other children)
//! ```

pub mod cluster;
pub mod leash;
pub mod pg_bin;
