//! A throw-away Postgres for the demo and the tests: a directory, a free port, and nothing left behind.
//!
//! Everything (data, socket, log) lives in one temporary directory. A small shell script (`watchdog.sh`, on a [`Leash`])
//! stops Postgres and removes the directory when the [`Cluster`] is dropped or this process is killed. There is no other
//! clean-up path, so it is the tested one.

mod builder;
mod error;
mod freeze;
mod init;
mod server;

pub use builder::ClusterBuilder;
pub use error::ClusterError;
pub use server::{Cluster, SUPERUSER, StopMode};
