//! What the integration tests stand on: one Postgres for the run, a database per test, the real binary as a child.

mod database;
mod wait;

pub(crate) use database::{TestDb, connect_to, shared_cluster};
pub(crate) use wait::{skip, wait_for};
